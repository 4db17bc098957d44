-- Which rules, currency and as_of the published figures of some days were made with.
with

funnel_daily as (

    select * from marts.funnel_daily
    where
        report_date >= coalesce(@first_date, @history_start)
        and report_date <= coalesce(@last_date, date '9999-12-31')

),

provenance as (

    select
        rules_version,
        currency_code,
        min(report_date) as first_date,
        max(report_date) as last_date,
        -- Days are rebuilt when they change: the newest as_of is the moment the whole report knows.
        max(as_of) as as_of
    from funnel_daily
    group by
        rules_version,
        currency_code

)

select * from provenance
