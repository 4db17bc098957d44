-- Visits and clicks, each once, with the evidence of where they came from.
with

touches as (

    select * from raw.touches
    where
        occurred_at >= timestamp(@history_start)
        and load_id in (select load_id from staging.stg_loads)

),

newest_version_per_touch as (

    select *
    from touches
    qualify row_number() over (
        partition by touch_id
        order by loaded_at desc, load_id desc, row_hash desc
    ) = 1

),

stg_web__touches as (

    select
        touch_id,
        occurred_at,
        date(occurred_at, @reporting_time_zone) as report_date,
        client_id,
        page_path,
        nullif(trim(click_id), '') as click_id,
        lower(nullif(trim(click_id_type), '')) as click_id_type,
        nullif(trim(ad_campaign_id), '') as ad_campaign_id,
        lower(nullif(trim(utm_source), '')) as utm_source,
        lower(nullif(trim(utm_medium), '')) as utm_medium,
        lower(nullif(trim(utm_campaign), '')) as utm_campaign,
        lower(nullif(trim(referrer_host), '')) as referrer_host,
        is_bounce,
        load_id
    from newest_version_per_touch

)

select * from stg_web__touches
