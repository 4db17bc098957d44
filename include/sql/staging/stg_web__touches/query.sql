-- Visits and clicks, each once, with the evidence of where they came from.
with

touches as (

    select * from raw.touches
    where
        occurred_at >= timestamp(@history_start)
        and load_id in (select load_id from staging.stg_loads)

),

ids_told_again as (

    select touch_id from touches
    group by touch_id
    having count(*) > 1

),

newest_version_per_touch as (

    -- Most visits are told once; comparing their one version costs more than all the rest.
    select * from touches
    where touch_id not in (select touch_id from ids_told_again)

    union all

    (
        select * from touches
        where touch_id in (select touch_id from ids_told_again)
        qualify row_number() over (
            partition by touch_id
            order by loaded_at desc, load_id desc, row_hash desc
        ) = 1
    )

),

stg_web__touches as (

    select
        touches.touch_id,
        touches.occurred_at,
        date(touches.occurred_at, @reporting_time_zone) as report_date,
        if(shared.client_id is null, touches.client_id, null) as client_id,
        touches.page_path,
        nullif(trim(touches.click_id), '') as click_id,
        lower(nullif(trim(touches.click_id_type), '')) as click_id_type,
        nullif(trim(touches.ad_campaign_id), '') as ad_campaign_id,
        lower(nullif(trim(touches.utm_source), '')) as utm_source,
        lower(nullif(trim(touches.utm_medium), '')) as utm_medium,
        lower(nullif(trim(touches.utm_campaign), '')) as utm_campaign,
        lower(nullif(trim(touches.referrer_host), '')) as referrer_host,
        touches.is_bounce,
        touches.load_id
    from newest_version_per_touch as touches
    left join staging.stg_web__shared_browsers as shared
        on touches.client_id = shared.client_id

)

select * from stg_web__touches
