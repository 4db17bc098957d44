-- Delivery and cost as the newest pull tells them: platforms restate past days for weeks.
with

ad_delivery as (

    select * from raw.ad_delivery
    where
        platform_date >= @history_start
        and load_id in (select load_id from staging.stg_loads)

),

exhaustive_days as (

    select
        coverage.subject as platform,
        coverage.account_id,
        covered_date as platform_date,
        coverage.loaded_at,
        coverage.load_id
    from raw.load_coverage as coverage
    cross join unnest(generate_date_array(coverage.first_date, coverage.last_date)) as covered_date
    where
        coverage.report = 'delivery'
        and coverage.is_exhaustive
        and coverage.load_id in (select load_id from staging.stg_loads)
    qualify row_number() over (
        partition by coverage.subject, coverage.account_id, covered_date
        order by coverage.loaded_at desc, coverage.load_id desc
    ) = 1

),

distinct_rows as (

    -- A page delivered twice repeats whole rows; rows that differ are parts of one campaign-day.
    select *
    from ad_delivery
    qualify row_number() over (
        partition by load_id, platform, account_id, campaign_id, platform_date, row_hash
        order by row_hash
    ) = 1

),

newest_load_per_campaign_day as (

    select *
    from distinct_rows
    qualify rank() over (
        partition by platform, account_id, campaign_id, platform_date
        order by loaded_at desc, load_id desc
    ) = 1

),

rows_not_taken_back as (

    -- A campaign that a newer complete pull of the day no longer has is gone.
    select newest.*
    from newest_load_per_campaign_day as newest
    left join exhaustive_days using (platform, account_id, platform_date)
    where
        exhaustive_days.loaded_at is null
        or newest.loaded_at > exhaustive_days.loaded_at
        or (
            newest.loaded_at = exhaustive_days.loaded_at
            and newest.load_id >= exhaustive_days.load_id
        )

),

amounts as (

    -- Of the platform's own day, row by row: an account that changed its currency tells both in one
    -- report. What costs nothing needs no rate.
    select
        rows_not_taken_back.* except (currency_code),
        upper(rows_not_taken_back.currency_code) as currency_code,
        cast(rows_not_taken_back.cost_micros as numeric) * numeric '0.000001' as amount,
        rates.per_thousand
    from rows_not_taken_back
    left join staging.stg_fx__rates as rates
        on
            upper(rows_not_taken_back.currency_code) = rates.currency_code
            and rows_not_taken_back.platform_date = rates.rate_date

),

converted as (

    select
        *,
        case
            when coalesce(amount, 0) = 0 then numeric '0'
            when coalesce(currency_code, @reporting_currency) = @reporting_currency then amount
            else amount * per_thousand * numeric '0.001'
        end as spend
    from amounts

),

stg_ads__delivery as (

    select
        platform_date as report_date,
        platform,
        account_id,
        campaign_id,
        max(campaign_name) as campaign_name,
        if(min(currency_code) < max(currency_code), null, max(currency_code)) as currency_code,
        if(min(currency_code) < max(currency_code), null, coalesce(sum(cost_micros), 0))
            as cost_micros,
        if(countif(spend is null) = 0, sum(spend), null) as spend_amount,
        countif(spend is null) > 0 as is_rate_missing,
        coalesce(sum(impressions), 0) as impressions,
        coalesce(sum(clicks), 0) as clicks,
        max(load_id) as load_id
    from converted
    group by report_date, platform, account_id, campaign_id

)

select * from stg_ads__delivery
