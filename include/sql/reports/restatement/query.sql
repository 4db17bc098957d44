-- What each platform still changed of its days after some days had passed. Only days count that had
-- been told by then and were told again later: of the others nobody knows how they moved.
with

restatement_drift as (

    select * from marts.restatement_drift
    where
        report_date >= coalesce(@first_date, @history_start)
        and report_date <= coalesce(@last_date, date '9999-12-31')
        and (measure = 'spend' or conversion_goal in (
            select conversion_goal from rules.conversion_goals
            where rules_version = @rules_version and goal_kind = 'macro'
        ))

),

days as (

    select
        platform,
        account_id,
        measure,
        report_date,
        lag_days,
        sum(change) as change
    from restatement_drift
    group by platform, account_id, measure, report_date, lag_days

),

ages as (

    select age from unnest([1, 3, 7, 14, 28]) as age

),

restatement as (

    select
        days.platform,
        days.account_id,
        days.measure,
        days.report_date,
        ages.age,
        sum(if(days.lag_days <= ages.age, days.change, 0)) as figure_then,
        sum(days.change) as figure_now
    from days
    cross join ages
    group by days.platform, days.account_id, days.measure, days.report_date, ages.age
    having min(days.lag_days) <= ages.age and max(days.lag_days) > ages.age

)

select * from restatement
