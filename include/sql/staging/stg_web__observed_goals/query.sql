-- Which event names each load's observers told: small, and enough to know which goals have a tag.
with

stg_web__observed_goals as (

    select
        load_id,
        observer,
        event_name
    from raw.tag_events
    where
        occurred_at >= timestamp(@history_start)
        and load_id in (select load_id from staging.stg_loads)
    group by load_id, observer, event_name

)

select * from stg_web__observed_goals
