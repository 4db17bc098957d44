-- GA4 beside the own tag over the days asked for.
with

ga4_beside as (

    select
        conversion_goal,
        sum(own_tag_submissions) as own_tag_submissions,
        sum(ga4_submissions) as ga4_submissions,
        sum(seen_by_both) as seen_by_both,
        sum(only_own_tag) as only_own_tag,
        sum(only_ga4) as only_ga4
    from marts.ga4_cross_check
    where
        report_date >= coalesce(@first_date, @history_start)
        and report_date <= coalesce(@last_date, date '9999-12-31')
    group by conversion_goal

)

select * from ga4_beside
