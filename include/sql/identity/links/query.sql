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
        concat('client:', client_id) as client_node,
        email_key,
        phone_key,
        click_id
    from staging.stg_web__tag_events
    where client_id is not null

),

touches as (

    select
        concat('client:', client_id) as client_node,
        click_id
    from staging.stg_web__touches
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

)

select * from links
