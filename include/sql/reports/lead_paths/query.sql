-- The channels by which the leads of some days came, and how many came by the same.
with

lead_touches as (

    select * from attribution.lead_touches
    where report_date between @first_date and @last_date

),

paths as (

    select
        lead_key,
        string_agg(platform, ',' order by touch_position) as channels
    from lead_touches
    group by lead_key

),

lead_paths as (

    select
        channels,
        count(*) as leads
    from paths
    group by channels

)

select * from lead_paths
order by leads desc, channels
