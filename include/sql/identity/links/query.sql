-- What each record, browser and lone submission carries that another may carry too, but for mailboxes
-- that the rulebook calls shared. Whether a thing is shared by so many that it proves nothing is said
-- in identity.shared_nodes.
with

shared_mailboxes as (

    select internal_key from rules.internal_keys
    where rules_version = @rules_version and key_kind = 'mailbox'

),

crm_leads as (

    select
        concat('crm:', crm, ':', crm_record_id) as node,
        * except (email_key),
        -- Who writes from info@ is the whole house.
        if(email_local_key in (select internal_key from shared_mailboxes), null, email_key)
            as email_key
    from staging.stg_crm__leads

),

tag_events as (

    select
        -- Without a browser id the submission stands for itself.
        coalesce(concat('client:', client_id), concat('event:', event_key)) as node,
        * except (email_key),
        if(email_local_key in (select internal_key from shared_mailboxes), null, email_key)
            as email_key
    from staging.stg_web__tag_events
    where report_date >= @history_start

),

touches as (

    select
        coalesce(concat('client:', client_id), concat('touch:', touch_id)) as node,
        click_id
    from staging.stg_web__touches
    where report_date >= @history_start

),

shared_browsers as (

    select client_id from staging.stg_web__shared_browsers

),

told_before_deletion as (

    -- A stub keeps no address, but its place beside the person's other records and submissions:
    -- otherwise erasing one record would move the numbers of others.
    select
        concat('crm:', raw_leads.crm, ':', raw_leads.crm_record_id) as node,
        if(
            raw_leads.email_local_key in (select internal_key from shared_mailboxes),
            null,
            raw_leads.email_key
        ) as email_key,
        raw_leads.phone_key,
        raw_leads.client_id
    from raw.crm_leads as raw_leads
    inner join staging.stg_crm__leads as stubs using (crm, crm_record_id)
    where stubs.is_deleted and raw_leads.load_id in (select load_id from staging.stg_loads)

),

things_carried as (

    select
        node,
        concat('crm:', crm, ':', merged_into_record_id) as thing,
        'crm_merge' as method
    from crm_leads
    where merged_into_record_id is not null

    union all

    select
        node,
        concat('client:', client_id) as thing,
        'client_id' as method
    from crm_leads
    where
        client_id is not null
        and client_id not in (select client_id from shared_browsers)

    union all

    select
        node,
        concat('click:', click_id) as thing,
        'click_id' as method
    from crm_leads
    where click_id is not null

    union all

    select
        node,
        concat('lead:', platform_lead_id) as thing,
        'platform_lead_id' as method
    from crm_leads
    where platform_lead_id is not null

    union all

    select
        node,
        concat('email:', email_key) as thing,
        'email' as method
    from crm_leads
    where email_key is not null

    union all

    select
        node,
        concat('phone:', phone_key) as thing,
        'phone' as method
    from crm_leads
    where phone_key is not null

    union all

    select
        node,
        concat('email:', email_key) as thing,
        'before_deletion' as method
    from told_before_deletion
    where email_key is not null

    union all

    select
        node,
        concat('phone:', phone_key) as thing,
        'before_deletion' as method
    from told_before_deletion
    where phone_key is not null

    union all

    select
        node,
        concat('client:', client_id) as thing,
        'before_deletion' as method
    from told_before_deletion
    where
        client_id is not null
        and client_id not in (select client_id from shared_browsers)

    union all

    select
        node,
        concat('email:', email_key) as thing,
        'email' as method
    from tag_events
    where email_key is not null

    union all

    select
        node,
        concat('phone:', phone_key) as thing,
        'phone' as method
    from tag_events
    where phone_key is not null

    union all

    select
        node,
        concat('lead:', platform_lead_id) as thing,
        'platform_lead_id' as method
    from tag_events
    where platform_lead_id is not null

    union all

    select
        node,
        concat('click:', click_id) as thing,
        'click_id' as method
    from tag_events
    where click_id is not null

    union all

    select
        node,
        concat('click:', click_id) as thing,
        'click_id' as method
    from touches
    where click_id is not null

),

links as (

    select
        node as node_a,
        thing as node_b,
        method,
        case method
            when 'crm_merge' then numeric '1'
            when 'email' then numeric '0.99'
            when 'platform_lead_id' then numeric '0.98'
            when 'click_id' then numeric '0.97'
            when 'client_id' then numeric '0.95'
            else numeric '0.9'
        end as confidence,
        @rules_version as rules_version
    from things_carried
    group by node_a, node_b, method

)

select * from links
