-- Leads as the CRM tells them today: one row per CRM record, deletions kept as stubs.
with

crm_leads as (

    select * from raw.crm_leads
    where load_id in (select load_id from staging.stg_loads)

),

records_told_again as (

    select
        crm,
        crm_record_id
    from crm_leads
    group by crm, crm_record_id
    having count(*) > 1

),

versions as (

    -- Few columns: comparing whole rows takes more memory than everything after it.
    select
        crm_leads.crm,
        crm_leads.crm_record_id,
        crm_leads.crm_created_at,
        crm_leads.updated_at,
        crm_leads.merged_into_record_id,
        crm_leads.is_deleted,
        crm_leads.loaded_at,
        crm_leads.load_id,
        crm_leads.row_hash
    from crm_leads
    inner join records_told_again using (crm, crm_record_id)

),

newest_version_per_record as (

    select *
    from versions
    qualify row_number() over (
        partition by crm, crm_record_id
        -- An older export that arrives later must not win; exports often share a second, and
        -- without the last two keys two builds could choose differently.
        order by coalesce(updated_at, loaded_at) desc, loaded_at desc, load_id desc, row_hash desc
    ) = 1

),

creation_as_first_told as (

    -- A merge moves the survivor's creation back, and a merged record is told with its survivor's:
    -- the lead would change its name. What a record first said of itself stands.
    select
        crm,
        crm_record_id,
        crm_created_at
    from versions
    qualify row_number() over (
        partition by crm, crm_record_id
        order by
            if(merged_into_record_id is null, 0, 1),
            coalesce(updated_at, loaded_at),
            loaded_at,
            load_id,
            row_hash
    ) = 1

),

newest_telling_version_per_record as (

    -- Once a record is merged away, HubSpot says no more of it than its id: what it said of itself
    -- before still tells who the person is, and whether they refused.
    select crm_leads.*
    from crm_leads
    inner join records_told_again using (crm, crm_record_id)
    qualify row_number() over (
        partition by crm_leads.crm, crm_leads.crm_record_id
        order by
            if(crm_leads.merged_into_record_id is null, 0, 1),
            coalesce(crm_leads.updated_at, crm_leads.loaded_at) desc,
            crm_leads.loaded_at desc,
            crm_leads.load_id desc,
            crm_leads.row_hash desc
    ) = 1

),

records as (

    select
        crm_leads.* except (updated_at, merged_into_record_id, is_deleted, load_id),
        crm_leads.crm_created_at as first_created_at,
        nullif(trim(crm_leads.merged_into_record_id), '') as survivor_id,
        crm_leads.load_id,
        coalesce(crm_leads.is_deleted, false) as is_stub
    from crm_leads
    left join records_told_again as told_again using (crm, crm_record_id)
    where told_again.crm_record_id is null

    union all

    select
        telling.* except (updated_at, merged_into_record_id, is_deleted, load_id),
        creation.crm_created_at as first_created_at,
        nullif(trim(newest.merged_into_record_id), '') as survivor_id,
        newest.load_id,
        -- What lives on in a deleted survivor is gone with it: identity.people follows the merges.
        coalesce(newest.is_deleted, false) as is_stub
    from newest_telling_version_per_record as telling
    inner join newest_version_per_record as newest using (crm, crm_record_id)
    inner join creation_as_first_told as creation using (crm, crm_record_id)

),

stg_crm__leads as (

    select
        records.crm,
        records.crm_record_id,
        records.first_created_at as crm_created_at,
        if(records.is_stub, null, records.email_key) as email_key,
        if(records.is_stub, null, records.phone_key) as phone_key,
        -- A domain is no person, and tells the own staff also when their test is deleted.
        records.email_domain_key,
        if(records.is_stub, null, records.client_id) as client_id,
        if(records.is_stub, null, nullif(trim(records.click_id), '')) as click_id,
        lower(nullif(trim(records.click_id_type), '')) as click_id_type,
        if(records.is_stub, null, nullif(trim(records.platform_lead_id), '')) as platform_lead_id,
        nullif(trim(records.ad_campaign_id), '') as ad_campaign_id,
        lower(nullif(trim(records.utm_source), '')) as utm_source,
        lower(nullif(trim(records.utm_medium), '')) as utm_medium,
        lower(nullif(trim(records.utm_campaign), '')) as utm_campaign,
        lower(nullif(trim(records.crm_source), '')) as crm_source,
        if(records.is_stub, null, lower(nullif(trim(records.self_reported_source), '')))
            as self_reported_source,
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
        records.survivor_id as merged_into_record_id,
        records.is_stub as is_deleted,
        records.load_id
    from records

)

select * from stg_crm__leads
