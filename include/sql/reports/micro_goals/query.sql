-- Steps on the way stand apart: they make no lead and belong to no total.
with

micro_goals as (

    select
        platform,
        conversion_goal,
        sum(pixel_conversions) as pixel_conversions,
        sum(if(claim_state = 'reported', observed_tag_events, 0)) as observed_where_claimed,
        sum(observed_tag_events) as observed_tag_events
    from marts.pixel_to_real_gap
    where
        report_date >= coalesce(@first_date, @history_start)
        and report_date <= coalesce(@last_date, date '9999-12-31')
        and goal_kind = 'micro'
    group by platform, conversion_goal

)

select * from micro_goals
