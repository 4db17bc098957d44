-- Persons the CRM knows. The lead is named after the earliest record, so merges never rename it.
with

crm_leads as (

    select * from staging.stg_crm__leads

),

person_nodes as (

    select * from identity.person_nodes

),

internal_domains as (

    select internal_key from rules.internal_keys
    where rules_version = @rules_version and key_kind = 'email_domain'

),

records_with_person as (

    select
        person_nodes.person_key,
        crm_leads.crm,
        crm_leads.crm_record_id,
        crm_leads.crm_created_at,
        crm_leads.is_deleted,
        -- Where a chain of merges ends: there the CRM keeps what became of the person. A survivor
        -- that was never told ends it too.
        survivors.crm_record_id is null as is_head,
        crm_leads.is_test
        or coalesce(
            crm_leads.email_domain_key in (select internal_key from internal_domains), false
        ) as is_internal
    from crm_leads
    inner join person_nodes
        on person_nodes.node = concat('crm:', crm_leads.crm, ':', crm_leads.crm_record_id)
    left join crm_leads as survivors
        on
            crm_leads.crm = survivors.crm
            and crm_leads.merged_into_record_id = survivors.crm_record_id

),

flags_per_person as (

    select
        person_key,
        logical_or(is_internal) as is_internal,
        -- Records merged in a ring have no head: then all of them speak.
        countif(not is_deleted and is_head) = 0
        and (countif(is_head) > 0 or countif(not is_deleted) = 0) as is_deleted
    from records_with_person
    group by person_key

),

earliest_record as (

    select *
    from records_with_person
    qualify row_number() over (
        partition by person_key
        order by crm_created_at, crm, crm_record_id
    ) = 1

),

people as (

    select
        earliest_record.person_key,
        concat(earliest_record.crm, ':', earliest_record.crm_record_id) as lead_key,
        earliest_record.crm,
        earliest_record.crm_record_id,
        earliest_record.crm_created_at,
        flags_per_person.is_internal,
        flags_per_person.is_deleted
    from earliest_record
    inner join flags_per_person using (person_key)

)

select * from people
