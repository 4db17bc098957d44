-- Leads as the CRM tells them today: one row per CRM record, deletions kept as stubs.
with

crm_leads as (

    select * from raw.crm_leads
    where load_id in (select load_id from staging.stg_loads)

),

newest_version_per_record as (

    select *
    from crm_leads
    qualify row_number() over (
        partition by crm, crm_record_id
        -- An older export that arrives later must not win; exports often share a second, and
        -- without the last two keys two builds could choose differently.
        order by coalesce(updated_at, loaded_at) desc, loaded_at desc, load_id desc, row_hash desc
    ) = 1

),

first_creation_per_record as (

    -- Some CRMs move the creation time when records are merged: the earliest we heard stands.
    select
        crm,
        crm_record_id,
        min(crm_created_at) as crm_created_at
    from crm_leads
    group by crm, crm_record_id

),

stg_crm__leads as (

    select
        records.crm,
        records.crm_record_id,
        creation.crm_created_at,
        if(records.is_deleted, null, records.email_key) as email_key,
        if(records.is_deleted, null, records.phone_key) as phone_key,
        if(records.is_deleted, null, records.email_domain_key) as email_domain_key,
        if(records.is_deleted, null, records.client_id) as client_id,
        nullif(trim(records.click_id), '') as click_id,
        lower(nullif(trim(records.click_id_type), '')) as click_id_type,
        nullif(trim(records.ad_campaign_id), '') as ad_campaign_id,
        lower(nullif(trim(records.utm_source), '')) as utm_source,
        lower(nullif(trim(records.utm_medium), '')) as utm_medium,
        lower(nullif(trim(records.utm_campaign), '')) as utm_campaign,
        lower(nullif(trim(records.crm_source), '')) as crm_source,
        records.landing_page,
        records.form_id,
        records.segment,
        records.lead_type,
        records.fit,
        records.budget,
        records.authority,
        records.need,
        records.timing,
        records.interest,
        records.intent,
        coalesce(lower(nullif(trim(records.consent_ad_user_data), '')), 'unknown')
            as consent_ad_user_data,
        coalesce(records.is_test, false) as is_test,
        nullif(trim(records.merged_into_record_id), '') as merged_into_record_id,
        coalesce(records.is_deleted, false) as is_deleted,
        records.load_id
    from newest_version_per_record as records
    inner join first_creation_per_record as creation using (crm, crm_record_id)

)

select * from stg_crm__leads
