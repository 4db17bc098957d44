-- A stalled CRM sync must not turn waiting into lost: lag counts against this mark, not the clock.
with

stg_crm__completeness as (

    select
        subject as crm,
        max(complete_until) as complete_until
    from raw.load_coverage
    where
        report = 'crm'
        and complete_until is not null
        and load_id in (select load_id from staging.stg_loads)
    group by crm

)

select * from stg_crm__completeness
