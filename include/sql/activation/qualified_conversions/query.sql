-- Exactly what would be sent back per destination, and why the rest is withheld. Reviewable: no
-- clear identifier is here, sending fetches it from raw_restricted at the last moment.
with

qualified as (

    select
        leads.lead_key,
        leads.person_key,
        leads.crm,
        leads.crm_record_id,
        leads.conversion_goal,
        leads.is_deleted,
        verdicts.decided_at as qualified_at,
        verdicts.pipeline_amount
    from identity.leads as leads
    inner join qualification.lead_verdicts as verdicts using (lead_key)
    where
        leads.report_date >= @history_start
        and verdicts.report_date >= @history_start
        and verdicts.verdict = 'qualified'

),

destinations as (

    select * from rules.destinations
    where rules_version = @rules_version

),

nodes_of_qualified as (

    select
        qualified.lead_key,
        qualified.qualified_at,
        person_nodes.node
    from qualified
    inner join identity.person_nodes as person_nodes using (person_key)

),

identifiers as (

    select
        nodes.lead_key,
        logical_or(crm_leads.email_key is not null) as has_email,
        logical_or(crm_leads.phone_key is not null) as has_phone,
        -- One refusal counts for the person, whatever other records say.
        case
            when countif(crm_leads.consent_ad_user_data = 'denied') > 0 then 'denied'
            when countif(crm_leads.consent_ad_user_data = 'granted') > 0 then 'granted'
            else 'unknown'
        end as consent
    from nodes_of_qualified as nodes
    inner join staging.stg_crm__leads as crm_leads
        on nodes.node = concat('crm:', crm_leads.crm, ':', crm_leads.crm_record_id)
    group by nodes.lead_key

),

click_carriers as (

    select
        concat('client:', client_id) as node,
        click_id,
        click_id_type,
        occurred_at as clicked_at
    from staging.stg_web__touches
    where
        report_date >= @history_start
        and client_id is not null
        and click_id is not null

    union all

    -- Where no visit was recorded, the submission or the CRM may still know the click, but not
    -- when it was made.
    select
        coalesce(concat('client:', client_id), concat('event:', event_key)) as node,
        click_id,
        click_id_type,
        cast(null as timestamp) as clicked_at
    from staging.stg_web__tag_events
    where report_date >= @history_start and click_id is not null

    union all

    select
        concat('crm:', crm, ':', crm_record_id) as node,
        click_id,
        click_id_type,
        cast(null as timestamp) as clicked_at
    from staging.stg_crm__leads
    where click_id is not null

),

clicks as (

    select
        nodes.lead_key,
        carriers.click_id,
        carriers.click_id_type,
        max(carriers.clicked_at) as clicked_at
    from nodes_of_qualified as nodes
    inner join click_carriers as carriers using (node)
    where carriers.clicked_at is null or carriers.clicked_at <= nodes.qualified_at
    group by nodes.lead_key, carriers.click_id, carriers.click_id_type

),

newest_click_per_destination as (

    select
        clicks.lead_key,
        destinations.destination,
        clicks.click_id,
        clicks.click_id_type,
        clicks.clicked_at
    from clicks
    inner join rules.destination_click_ids as understood using (click_id_type)
    inner join destinations
        on
            understood.rules_version = destinations.rules_version
            and understood.destination_type = destinations.destination_type
    qualify row_number() over (
        partition by clicks.lead_key, destinations.destination
        order by if(clicks.clicked_at is null, 1, 0), clicks.clicked_at desc, clicks.click_id
    ) = 1

),

qualified_conversions as (

    select
        destinations.destination,
        -- Opaque, and a letter first: platforms refuse ids that look personal or numeric.
        concat(
            't',
            substr(
                to_hex(sha256(concat(qualified.lead_key, '|', qualified.conversion_goal))),
                1,
                31
            )
        ) as conversion_id,
        qualified.lead_key,
        qualified.person_key,
        qualified.crm,
        qualified.crm_record_id,
        qualified.conversion_goal,
        qualified.qualified_at,
        newest.click_id,
        newest.click_id_type,
        newest.clicked_at,
        identifiers.has_email,
        identifiers.has_phone,
        qualified.pipeline_amount as value_amount,
        @reporting_currency as currency_code,
        case
            when qualified.is_deleted then 'withheld'
            when identifiers.consent = 'denied' then 'withheld'
            when identifiers.consent = 'unknown' and @unknown_consent = 'withhold' then 'withheld'
            when
                newest.click_id is null and not identifiers.has_email and not identifiers.has_phone
                then 'withheld'
            when
                newest.clicked_at
                < timestamp_sub(@as_of, interval @upload_click_window_days day)
                and not identifiers.has_email
                and not identifiers.has_phone
                then 'withheld'
            else 'ready'
        end as state,
        case
            when qualified.is_deleted then 'erased'
            when identifiers.consent = 'denied' then 'consent'
            when identifiers.consent = 'unknown' and @unknown_consent = 'withhold' then 'consent'
            when
                newest.click_id is null and not identifiers.has_email and not identifiers.has_phone
                then 'no_identifier'
            when
                newest.clicked_at
                < timestamp_sub(@as_of, interval @upload_click_window_days day)
                and not identifiers.has_email
                and not identifiers.has_phone
                then 'window'
        end as withheld_reason,
        @rules_version as rules_version,
        @as_of as as_of
    from qualified
    inner join identifiers using (lead_key)
    cross join destinations
    left join newest_click_per_destination as newest
        on
            qualified.lead_key = newest.lead_key
            and destinations.destination = newest.destination

)

select * from qualified_conversions
