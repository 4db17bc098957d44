-- A shop's tablet, a trade fair's kiosk: a browser into which many addresses are typed is nobody's.
with

tag_events as (

    select
        client_id,
        email_key
    from raw.tag_events
    where
        occurred_at >= timestamp(@history_start)
        and load_id in (select load_id from staging.stg_loads)

),

crm_leads as (

    select
        client_id,
        email_key
    from staging.stg_crm__leads

),

addresses_told as (

    select
        client_id,
        email_key
    from tag_events
    where client_id is not null and email_key is not null

    union distinct

    select
        client_id,
        email_key
    from crm_leads
    where client_id is not null and email_key is not null

),

stg_web__shared_browsers as (

    select
        client_id,
        count(*) as addresses
    from addresses_told
    group by client_id
    having count(*) > @max_addresses

)

select * from stg_web__shared_browsers
