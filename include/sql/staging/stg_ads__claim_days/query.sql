-- Days for which somebody asked the platform for its claims, whatever it answered.
with

stg_ads__claim_days as (

    select
        covered_date as report_date,
        coverage.subject as platform,
        coverage.account_id,
        max(coverage.loaded_at) as loaded_at
    from raw.load_coverage as coverage
    cross join unnest(generate_date_array(coverage.first_date, coverage.last_date)) as covered_date
    where
        coverage.report = 'claims'
        and coverage.load_id in (select load_id from staging.stg_loads)
    group by report_date, platform, account_id

)

select * from stg_ads__claim_days
