-- Campaigns get renamed; the id stays, so the newest name speaks for all days.
with

delivery as (

    select * from staging.stg_ads__delivery
    where report_date >= @history_start

),

stg_ads__campaigns as (

    select
        platform,
        account_id,
        campaign_id,
        campaign_name
    from delivery
    qualify row_number() over (
        partition by platform, account_id, campaign_id
        order by if(campaign_name is null, 1, 0), report_date desc, load_id desc
    ) = 1

)

select * from stg_ads__campaigns
