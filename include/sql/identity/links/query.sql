-- What connects records, browsers, e-mails, phones and clicks.
with

crm_leads as (

    select
        concat('crm:', crm, ':', crm_record_id) as record_node,
        if(
            merged_into_record_id is null,
            null,
            concat('crm:', crm, ':', merged_into_record_id)
        ) as survivor_node,
        client_id,
        email_key,
        phone_key,
        click_id
    from staging.stg_crm__leads

),

tag_events as (

    select
        -- Without a browser id the submission stands for itself.
        coalesce(concat('client:', client_id), concat('event:', event_key)) as client_node,
        email_key,
        phone_key,
        click_id
    from staging.stg_web__tag_events
    where occurred_at >= timestamp(@history_start)

),

touches as (

    select
        concat('client:', client_id) as client_node,
        click_id
    from staging.stg_web__touches
    where occurred_at >= timestamp(@history_start) and client_id is not null

),

told_before_deletion as (

    -- A stub keeps no address, but its place beside the person's other records and submissions:
    -- otherwise erasing one record would move the numbers of others.
    select distinct
        concat('crm:', raw_leads.crm, ':', raw_leads.crm_record_id) as record_node,
        raw_leads.email_key,
        raw_leads.phone_key,
        raw_leads.client_id
    from raw.crm_leads as raw_leads
    inner join staging.stg_crm__leads as stubs using (crm, crm_record_id)
    where stubs.is_deleted and raw_leads.load_id in (select load_id from staging.stg_loads)

),

addresses_told as (

    select
        record_node,
        concat('email:', email_key) as address
    from told_before_deletion
    where email_key is not null

    union distinct

    select
        record_node,
        concat('phone:', phone_key) as address
    from told_before_deletion
    where phone_key is not null

),

addresses_carried as (

    select
        record_node as carrier_node,
        address
    from addresses_told

    union distinct

    select
        record_node as carrier_node,
        concat('email:', email_key) as address
    from crm_leads
    where email_key is not null

    union distinct

    select
        record_node as carrier_node,
        concat('phone:', phone_key) as address
    from crm_leads
    where phone_key is not null

    union distinct

    select
        client_node as carrier_node,
        concat('email:', email_key) as address
    from tag_events
    where email_key is not null

    union distinct

    select
        client_node as carrier_node,
        concat('phone:', phone_key) as address
    from tag_events
    where phone_key is not null

),

addresses_of_one_person as (

    select address from addresses_carried
    group by address
    having count(*) <= @max_fan_out

),

before_deletion as (

    select
        told.record_node as node_a,
        carried.carrier_node as node_b,
        'before_deletion' as method,
        numeric '0.9' as confidence
    from addresses_told as told
    inner join addresses_of_one_person using (address)
    inner join addresses_carried as carried using (address)
    where told.record_node != carried.carrier_node

    union distinct

    select
        record_node as node_a,
        concat('client:', client_id) as node_b,
        'before_deletion' as method,
        numeric '0.9' as confidence
    from told_before_deletion
    where client_id is not null

),

links_found as (

    select
        record_node as node_a,
        survivor_node as node_b,
        'crm_merge' as method,
        numeric '1' as confidence
    from crm_leads
    where survivor_node is not null

    union distinct

    select record_node, concat('client:', client_id), 'client_id', numeric '0.95'
    from crm_leads
    where client_id is not null

    union distinct

    select record_node, concat('click:', click_id), 'click_id', numeric '0.97'
    from crm_leads
    where click_id is not null

    union distinct

    select record_node, concat('email:', email_key), 'email', numeric '0.99'
    from crm_leads
    where email_key is not null

    union distinct

    select record_node, concat('phone:', phone_key), 'phone', numeric '0.9'
    from crm_leads
    where phone_key is not null

    union distinct

    select client_node, concat('email:', email_key), 'email', numeric '0.99'
    from tag_events
    where email_key is not null

    union distinct

    select client_node, concat('phone:', phone_key), 'phone', numeric '0.9'
    from tag_events
    where phone_key is not null

    union distinct

    select client_node, concat('click:', click_id), 'click_id', numeric '0.97'
    from tag_events
    where click_id is not null

    union distinct

    select client_node, concat('click:', click_id), 'click_id', numeric '0.97'
    from touches
    where click_id is not null

),

shared_by_too_many as (

    -- One office phone or info@ address must not glue a town together.
    select node_b from links_found
    where method != 'crm_merge'
    group by node_b
    having count(distinct node_a) > @max_fan_out

),

links as (

    select
        node_a,
        node_b,
        method,
        confidence,
        node_b not in (select node_b from shared_by_too_many) as is_used,
        @rules_version as rules_version
    from links_found

    union all

    select
        node_a,
        node_b,
        method,
        confidence,
        true as is_used,
        @rules_version as rules_version
    from before_deletion

)

select * from links
