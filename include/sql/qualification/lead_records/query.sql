-- The CRM records of each lead. A record that was merged away goes on in the one it was merged into:
-- only there can sales change their mind, so both have one history.
with

leads as (

    select * from identity.leads
    where report_date >= @history_start

),

records as (

    select
        leads.lead_key,
        leads.person_key,
        leads.report_date,
        crm_leads.crm,
        crm_leads.crm_record_id,
        crm_leads.crm_created_at,
        crm_leads.merged_into_record_id,
        crm_leads.is_deleted,
        lower(nullif(trim(crm_leads.lead_type), '')) as declared_lead_type,
        crm_leads.fit,
        crm_leads.budget,
        crm_leads.authority,
        crm_leads.need,
        crm_leads.timing,
        crm_leads.interest,
        crm_leads.intent
    from leads
    inner join identity.person_nodes as person_nodes using (person_key)
    inner join staging.stg_crm__leads as crm_leads
        on person_nodes.node = concat('crm:', crm_leads.crm, ':', crm_leads.crm_record_id)

),

living_records as (

    select
        lead_key,
        crm,
        crm_record_id
    from records
    where merged_into_record_id is null

),

first_living_record as (

    -- For a record whose survivor was merged away in its turn.
    select
        lead_key,
        crm,
        min(crm_record_id) as crm_record_id
    from living_records
    group by lead_key, crm

),

lead_records as (

    select
        records.lead_key,
        records.person_key,
        records.report_date,
        records.crm,
        records.crm_record_id,
        if(
            records.merged_into_record_id is null,
            records.crm_record_id,
            coalesce(survivors.crm_record_id, first_living.crm_record_id, records.crm_record_id)
        ) as history_record_id,
        records.crm_created_at,
        records.merged_into_record_id is not null as is_merged_away,
        records.is_deleted,
        records.declared_lead_type,
        records.fit,
        records.budget,
        records.authority,
        records.need,
        records.timing,
        records.interest,
        records.intent,
        @rules_version as rules_version
    from records
    left join living_records as survivors
        on
            records.lead_key = survivors.lead_key
            and records.crm = survivors.crm
            and records.merged_into_record_id = survivors.crm_record_id
    left join first_living_record as first_living
        on
            records.lead_key = first_living.lead_key
            and records.crm = first_living.crm

)

select * from lead_records
