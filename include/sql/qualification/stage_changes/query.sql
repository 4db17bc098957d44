-- Every stage that a lead's records ever had, read with the rulebook.
with

lead_records as (

    select * from qualification.lead_records
    where report_date >= @history_start

),

stage_rules as (

    select * from rules.stage_verdicts
    where rules_version = @rules_version

),

stages_of_leads as (

    select
        records.lead_key,
        records.person_key,
        records.report_date,
        stages.crm,
        stages.crm_record_id,
        records.history_record_id,
        stages.changed_at,
        stages.stage,
        stages.stage_reason,
        stages.contact_attempts,
        -- The CRM sets the first stage itself, within moments of making the record.
        stages.changed_at > timestamp_add(records.crm_created_at, interval 1 minute)
            as is_later,
        stages.changed_at < timestamp_sub(records.crm_created_at, interval 1 minute)
            as is_earlier
    from lead_records as records
    inner join staging.stg_crm__stages as stages using (crm, crm_record_id)

),

stage_changes as (

    select
        stages.lead_key,
        stages.person_key,
        stages.report_date,
        stages.crm,
        stages.crm_record_id,
        stages.history_record_id,
        stages.changed_at,
        stages.stage,
        stages.stage_reason,
        stage_rules.verdict,
        stage_rules.reason,
        not (stages.is_later or stages.is_earlier) as is_at_creation,
        stages.is_later and coalesce(stage_rules.is_contact, true) as is_contact,
        stages.contact_attempts,
        @rules_version as rules_version
    from stages_of_leads as stages
    left join stage_rules
        on
            stages.stage = stage_rules.stage
            and stages.crm = coalesce(stage_rules.crm, stages.crm)
            and (
                stage_rules.stage_reason is null
                or stage_rules.stage_reason = stages.stage_reason
            )
    qualify row_number() over (
        partition by stages.crm, stages.crm_record_id, stages.stage, stages.changed_at
        order by
            if(stage_rules.stage_reason is null, 1, 0),
            if(stage_rules.crm is null, 1, 0)
    ) = 1

)

select * from stage_changes
