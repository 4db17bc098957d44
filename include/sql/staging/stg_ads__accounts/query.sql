-- In which time zone each ad account cuts its days, as the newest pull tells it.
with

ad_accounts as (

    select * from raw.ad_accounts
    where load_id in (select load_id from staging.stg_loads)

),

stg_ads__accounts as (

    select
        platform,
        account_id,
        account_time_zone
    from ad_accounts
    qualify row_number() over (
        partition by platform, account_id
        order by loaded_at desc, load_id desc, row_hash desc
    ) = 1

)

select * from stg_ads__accounts
