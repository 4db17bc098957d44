-- What became of every submission: exactly one cause, the first that applies. No cause looks at
-- the run's window, so a rebuild of any days gives the same answer.
with

events as (

    select * from identity.events
    where report_date >= @history_start

),

leads as (

    select * from identity.leads
    where report_date >= @history_start

),

complete_until as (

    -- With several CRMs the slowest decides; without any mark there is only as_of.
    select coalesce(min(complete_until), @as_of) as mark
    from staging.stg_crm__completeness

),

surviving_in_order as (

    select
        event_key,
        lag(occurred_at) over (
            partition by person_key
            order by occurred_at, event_key
        ) as previous_at
    from events
    where exclusion is null and makes_lead

),

event_causes as (

    select
        events.event_key,
        events.person_key,
        leads.lead_key,
        events.report_date,
        events.occurred_at,
        events.conversion_goal,
        events.goal_kind,
        events.platform,
        events.account_id,
        events.campaign_id,
        case
            when events.exclusion is not null then events.exclusion
            -- A step on the way makes no lead: it stops at being observed.
            when not events.makes_lead then 'micro'
            when leads.making_event_key = events.event_key then 'made_lead'
            when leads.lead_key is not null and events.occurred_at >= leads.lead_at
                then if(
                    timestamp_diff(events.occurred_at, leads.lead_at, microsecond)
                    <= @repeat_days * 86400000000,
                    'same_person',
                    'existing_lead'
                )
            when
                surviving.previous_at is not null
                and timestamp_diff(events.occurred_at, surviving.previous_at, microsecond)
                <= @repeat_days * 86400000000
                then 'same_person'
            when
                timestamp_add(events.occurred_at, interval @sync_lag_minutes minute)
                > complete_until.mark
                then 'awaiting_crm'
            else 'no_crm_record'
        end as cause,
        @rules_version as rules_version
    from events
    cross join complete_until
    left join leads using (person_key)
    left join surviving_in_order as surviving using (event_key)

)

select * from event_causes
