-- Click ids with their campaign. Google answers for 90 days only: what was once pulled is kept.
with

ad_clicks as (

    select * from raw.ad_clicks
    where
        platform_date >= @history_start
        and load_id in (select load_id from staging.stg_loads)

),

newest_row_per_click as (

    select *
    from ad_clicks
    qualify row_number() over (
        partition by click_id
        order by loaded_at desc, load_id desc, row_hash desc
    ) = 1

),

stg_ads__clicks as (

    select
        click_id,
        platform,
        account_id,
        campaign_id,
        load_id
    from newest_row_per_click

)

select * from stg_ads__clicks
