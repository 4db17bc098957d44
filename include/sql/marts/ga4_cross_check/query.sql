-- GA4 beside the own tag, on what was sent and before anything is judged: who saw which submission.
-- A submission is the same where the id is; GA4 ids of its own make two, and only counts compare.
with

tag_events as (

    select * from raw.tag_events
    where
        occurred_at >= timestamp(@history_start)
        and load_id in (select load_id from staging.stg_loads)

),

goal_per_event_name as (

    select
        event_name,
        conversion_goal
    from rules.tag_event_goals
    where rules_version = @rules_version

),

sightings as (

    select
        date(tag_events.occurred_at, @reporting_time_zone) as report_date,
        coalesce(goals.conversion_goal, 'unmapped') as conversion_goal,
        tag_events.event_id,
        if(tag_events.observer = 'ga4', 1, 0) as is_ga4
    from tag_events
    left join goal_per_event_name as goals using (event_name)

),

seen_by as (

    select
        report_date,
        conversion_goal,
        event_id,
        max(is_ga4) as by_ga4,
        1 - min(is_ga4) as by_own_tag
    from sightings
    group by report_date, conversion_goal, event_id

),

ga4_cross_check as (

    select
        report_date,
        conversion_goal,
        sum(by_own_tag) as own_tag_submissions,
        sum(by_ga4) as ga4_submissions,
        sum(by_own_tag * by_ga4) as seen_by_both,
        sum(by_own_tag * (1 - by_ga4)) as only_own_tag,
        sum(by_ga4 * (1 - by_own_tag)) as only_ga4,
        @rules_version as rules_version,
        @as_of as as_of
    from seen_by
    group by report_date, conversion_goal

)

select * from ga4_cross_check
