-- How a day's figure moved from pull to pull: raw is append-only, so every figure that a platform
-- ever told is still there. The changes of a day sum to its newest figure exactly.
with

loads as (

    select load_id from staging.stg_loads

),

ad_delivery as (

    select * from raw.ad_delivery
    where platform_date >= @history_start and load_id in (select load_id from loads)

),

pixel_claims as (

    select * from raw.pixel_claims
    where platform_date >= @history_start and load_id in (select load_id from loads)

),

claims_of_one_basis as (

    select claims.*
    from pixel_claims as claims
    inner join staging.stg_ads__claim_bases
        using (load_id, platform, account_id, conversion_action, claim_basis)

),

exhaustive_loads as (

    select
        coverage.report,
        coverage.subject as platform,
        coverage.account_id,
        covered_date as platform_date,
        coverage.loaded_at,
        coverage.load_id
    from raw.load_coverage as coverage
    cross join unnest(generate_date_array(coverage.first_date, coverage.last_date)) as covered_date
    where
        coverage.report in ('delivery', 'claims')
        and coverage.is_exhaustive
        and coverage.load_id in (select load_id from loads)

),

told as (

    -- A page delivered twice repeats whole rows.
    select
        'delivery' as report,
        platform,
        account_id,
        campaign_id,
        '(none)' as conversion_action,
        platform_date,
        loaded_at,
        load_id,
        row_hash,
        max(cast(coalesce(cost_micros, 0) as numeric) * numeric '0.000001') as amount
    from ad_delivery
    group by platform, account_id, campaign_id, platform_date, loaded_at, load_id, row_hash

    union all

    select
        'claims' as report,
        platform,
        account_id,
        campaign_id,
        conversion_action,
        platform_date,
        loaded_at,
        load_id,
        row_hash,
        max(pixel_conversions) as amount
    from claims_of_one_basis
    group by
        platform,
        account_id,
        campaign_id,
        conversion_action,
        platform_date,
        loaded_at,
        load_id,
        row_hash

),

told_per_load as (

    select
        report,
        platform,
        account_id,
        campaign_id,
        conversion_action,
        platform_date,
        loaded_at,
        load_id,
        sum(amount) as amount
    from told
    group by
        report,
        platform,
        account_id,
        campaign_id,
        conversion_action,
        platform_date,
        loaded_at,
        load_id

),

first_told as (

    select
        report,
        platform,
        account_id,
        campaign_id,
        conversion_action,
        platform_date,
        min(loaded_at) as first_loaded_at
    from told_per_load
    group by
        report,
        platform,
        account_id,
        campaign_id,
        conversion_action,
        platform_date

),

taken_back as (

    -- What a later complete pull of the day no longer has is zero from then on.
    select
        first_told.report,
        first_told.platform,
        first_told.account_id,
        first_told.campaign_id,
        first_told.conversion_action,
        first_told.platform_date,
        exhaustive_loads.loaded_at,
        exhaustive_loads.load_id,
        numeric '0' as amount
    from first_told
    inner join exhaustive_loads using (report, platform, account_id, platform_date)
    left join told_per_load
        using (
            report,
            platform,
            account_id,
            campaign_id,
            conversion_action,
            platform_date,
            load_id
        )
    where
        exhaustive_loads.loaded_at > first_told.first_loaded_at
        and told_per_load.load_id is null

),

tellings as (

    select * from told_per_load

    union all

    select * from taken_back

),

changes as (

    select
        *,
        date_diff(date(loaded_at, @reporting_time_zone), platform_date, day) as lag_days,
        amount - coalesce(
            lag(amount) over (
                partition by
                    report,
                    platform,
                    account_id,
                    campaign_id,
                    conversion_action,
                    platform_date
                order by loaded_at, load_id
            ),
            0
        ) as change
    from tellings

),

goals_of_accounts as (

    select * from rules.claim_goals
    where rules_version = @rules_version and account_id is not null

),

goals_of_platforms as (

    select * from rules.claim_goals
    where rules_version = @rules_version and account_id is null

),

changes_with_goal as (

    select
        changes.platform_date as report_date,
        changes.platform,
        changes.account_id,
        if(changes.report = 'delivery', 'spend', 'pixel_conversions') as measure,
        changes.conversion_action,
        if(
            changes.report = 'delivery',
            '(none)',
            coalesce(of_account.conversion_goal, of_platform.conversion_goal, 'unmapped')
        ) as conversion_goal,
        changes.lag_days,
        changes.change
    from changes
    left join goals_of_accounts as of_account
        on
            changes.platform = of_account.platform
            and changes.conversion_action = of_account.conversion_action
            and changes.account_id = of_account.account_id
    left join goals_of_platforms as of_platform
        on
            changes.platform = of_platform.platform
            and changes.conversion_action = of_platform.conversion_action

),

changes_per_day as (

    select
        report_date,
        platform,
        account_id,
        measure,
        conversion_action,
        conversion_goal,
        lag_days,
        sum(change) as change
    from changes_with_goal
    group by
        report_date,
        platform,
        account_id,
        measure,
        conversion_action,
        conversion_goal,
        lag_days

),

restatement_drift as (

    select
        report_date,
        platform,
        account_id,
        measure,
        conversion_action,
        conversion_goal,
        lag_days,
        change,
        sum(change) over up_to_this_lag as figure,
        sum(change) over whole_day - sum(change) over up_to_this_lag as still_to_come,
        @rules_version as rules_version,
        @as_of as as_of
    from changes_per_day
    window
        whole_day as (
            partition by
                report_date, platform, account_id, measure, conversion_action
        ),
        up_to_this_lag as (
            whole_day
            order by lag_days
            rows between unbounded preceding and current row
        )

)

select * from restatement_drift
