-- Real leads: one per person for life. A lead is dated by the submission that made it.
with

people as (

    select * from identity.people
    where not is_internal

),

lead_events as (

    select * from identity.events
    where report_date >= @history_start and makes_lead

),

events_around_the_creation as (

    -- The CRM may take sync_lag to show a submission; a browser's clock may run a little ahead.
    select
        lead_events.person_key,
        lead_events.event_key,
        lead_events.occurred_at,
        lead_events.conversion_goal,
        lead_events.platform,
        lead_events.account_id,
        lead_events.campaign_id,
        lead_events.evidence,
        lead_events.exclusion
    from people
    inner join lead_events using (person_key)
    where
        lead_events.occurred_at
        >= timestamp_sub(people.crm_created_at, interval @sync_lag_minutes minute)
        and lead_events.occurred_at
        <= timestamp_add(people.crm_created_at, interval @clock_slack_minutes minute)

),

making_event as (

    select *
    from events_around_the_creation
    where exclusion is null
    qualify row_number() over (
        partition by person_key
        order by occurred_at, event_key
    ) = 1

),

persons_with_events_around as (

    select distinct person_key from events_around_the_creation

),

record_origins as (

    select
        origins.person_key,
        origins.platform,
        origins.account_id,
        origins.campaign_id,
        origins.evidence,
        first_value(crm_leads.segment ignore nulls) over newest_first as segment,
        first_value(crm_leads.landing_page ignore nulls) over oldest_first as landing_page,
        first_value(crm_leads.form_id ignore nulls) over oldest_first as form_id
    from identity.origins as origins
    inner join staging.stg_crm__leads as crm_leads
        on origins.entity_key = concat(crm_leads.crm, ':', crm_leads.crm_record_id)
    where origins.report_date >= @history_start and origins.entity_kind = 'crm_lead'
    -- The earliest record that knows anything at all.
    qualify row_number() over (
        partition by origins.person_key
        order by
            if(origins.platform = 'unknown', 1, 0),
            crm_leads.crm_created_at,
            crm_leads.crm,
            crm_leads.crm_record_id
    ) = 1
    -- Sales may still correct the segment; where the person came from was known best at first.
    window
        newest_first as (
            partition by origins.person_key
            order by crm_leads.crm_created_at desc, crm_leads.crm, crm_leads.crm_record_id desc
            rows between unbounded preceding and unbounded following
        ),
        oldest_first as (
            partition by origins.person_key
            order by crm_leads.crm_created_at, crm_leads.crm, crm_leads.crm_record_id
            rows between unbounded preceding and unbounded following
        )

),

leads as (

    select
        people.lead_key,
        people.person_key,
        people.crm,
        people.crm_record_id,
        people.crm_created_at,
        making_event.event_key as making_event_key,
        case
            when making_event.event_key is not null then 'observed'
            when around.person_key is not null then 'recovered'
            else 'unobserved'
        end as observation,
        coalesce(making_event.occurred_at, people.crm_created_at) as lead_at,
        date(coalesce(making_event.occurred_at, people.crm_created_at), @reporting_time_zone)
            as report_date,
        coalesce(making_event.conversion_goal, @default_goal) as conversion_goal,
        coalesce(making_event.platform, record_origins.platform) as platform,
        coalesce(making_event.account_id, record_origins.account_id) as account_id,
        coalesce(making_event.campaign_id, record_origins.campaign_id) as campaign_id,
        coalesce(making_event.evidence, record_origins.evidence) as evidence,
        record_origins.segment,
        record_origins.landing_page,
        record_origins.form_id,
        people.is_deleted,
        @rules_version as rules_version
    from people
    left join making_event using (person_key)
    left join persons_with_events_around as around using (person_key)
    inner join record_origins using (person_key)

)

select * from leads
