-- Pixel conversions as the newest pull tells them, each conversion action sent to one goal.
with

pixel_claims as (

    select * from raw.pixel_claims
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
        coverage.report = 'claims'
        and coverage.is_exhaustive
        and coverage.load_id in (select load_id from staging.stg_loads)
    qualify row_number() over (
        partition by coverage.subject, coverage.account_id, covered_date
        order by coverage.loaded_at desc, coverage.load_id desc
    ) = 1

),

distinct_rows as (

    select *
    from pixel_claims
    qualify row_number() over (
        partition by
            load_id,
            platform,
            account_id,
            campaign_id,
            platform_date,
            conversion_action,
            claim_basis,
            row_hash
        order by row_hash
    ) = 1

),

one_basis_per_load as (

    select each.*
    from distinct_rows as each
    inner join staging.stg_ads__claim_bases as bases
        using (load_id, platform, account_id, conversion_action, claim_basis)

),

newest_load_per_action_day as (

    select *
    from one_basis_per_load
    qualify rank() over (
        partition by platform, account_id, campaign_id, platform_date, conversion_action
        order by loaded_at desc, load_id desc
    ) = 1

),

rows_not_taken_back as (

    -- Platforms take claims back: an action that a newer complete pull no longer has is zero.
    select newest.*
    from newest_load_per_action_day as newest
    left join exhaustive_days using (platform, account_id, platform_date)
    where
        exhaustive_days.loaded_at is null
        or newest.loaded_at > exhaustive_days.loaded_at
        or (
            newest.loaded_at = exhaustive_days.loaded_at
            and newest.load_id >= exhaustive_days.load_id
        )

),

claims_summed as (

    select
        platform_date as report_date,
        platform,
        account_id,
        campaign_id,
        conversion_action,
        max(claim_basis) as claim_basis,
        sum(pixel_conversions) as pixel_conversions,
        sum(view_through) as view_through,
        max(load_id) as load_id
    from rows_not_taken_back
    group by report_date, platform, account_id, campaign_id, conversion_action

),

goal_per_action as (

    select * from rules.claim_goals
    where rules_version = @rules_version

),

stg_ads__claims as (

    select
        claims.report_date,
        claims.platform,
        claims.account_id,
        claims.campaign_id,
        claims.conversion_action,
        coalesce(goals.conversion_goal, 'unmapped') as conversion_goal,
        claims.claim_basis,
        claims.pixel_conversions,
        claims.view_through,
        claims.load_id,
        @rules_version as rules_version
    from claims_summed as claims
    left join goal_per_action as goals
        on
            claims.platform = goals.platform
            and claims.conversion_action = goals.conversion_action
            and claims.account_id = coalesce(goals.account_id, claims.account_id)
    -- A mapping that names the account wins over one for the whole platform.
    qualify row_number() over (
        partition by
            claims.report_date,
            claims.platform,
            claims.account_id,
            claims.campaign_id,
            claims.conversion_action
        order by if(goals.account_id is null, 1, 0), goals.conversion_goal
    ) = 1

)

select * from stg_ads__claims
