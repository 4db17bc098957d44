-- The loads that could have fed the figures: everything that was in when the build pretended to be now.
with

loads as (

    select * from raw.loads
    where loaded_at <= @as_of

),

loads_behind as (

    select
        source,
        countif(status in ('loaded', 'accepted')) as loads,
        countif(status = 'skipped') as skipped_loads,
        sum(rows_loaded) as rows_loaded,
        sum(rows_quarantined) as rows_quarantined,
        max(loaded_at) as last_loaded_at
    from loads
    group by source

)

select * from loads_behind
