-- What sales said: HubSpot clears its stage dates when a person moves a record back, so the
-- history is appended and never derived from the current value.
with

crm_stages as (

    select * from raw.crm_stages
    where load_id in (select load_id from staging.stg_loads)

),

each_change_once as (

    select *
    from crm_stages
    qualify row_number() over (
        partition by crm, crm_record_id, stage, changed_at
        order by loaded_at desc, load_id desc, row_hash desc
    ) = 1

),

stg_crm__stages as (

    select
        crm,
        crm_record_id,
        stage,
        lower(nullif(trim(stage_reason), '')) as stage_reason,
        changed_at,
        contact_attempts,
        load_id
    from each_change_once

)

select * from stg_crm__stages
