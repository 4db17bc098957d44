-- A raw row counts only if its load is on record: a run killed while loading leaves rows without
-- one. A load that is held counts once a person accepted it; one that a person rejected stops
-- counting, though its rows stay where they are.
with

loads as (

    select * from raw.loads
    where loaded_at <= @as_of

),

rejected as (

    select load_id from loads
    where status = 'rejected'

),

stg_loads as (

    select
        load_id,
        source,
        table_name,
        loaded_at
    from loads
    where status in ('loaded', 'accepted') and load_id not in (select load_id from rejected)

)

select * from stg_loads
