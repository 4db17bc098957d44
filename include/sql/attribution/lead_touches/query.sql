-- Touches that may be credited: before the lead, within the look-back of their channel.
with

leads as (

    select * from identity.leads
    where report_date >= @history_start

),

touches as (

    select * from identity.origins
    where report_date >= @history_start and entity_kind = 'touch'

),

channels as (

    select * from rules.channels
    where rules_version = @rules_version

),

touches_before_the_lead as (

    select
        leads.lead_key,
        leads.person_key,
        leads.report_date,
        touches.entity_key as touch_id,
        touches.occurred_at as touched_at,
        touches.platform,
        touches.account_id,
        touches.campaign_id,
        touches.evidence
    from touches
    inner join leads using (person_key)
    inner join channels on touches.platform = channels.channel
    where
        touches.occurred_at <= leads.lead_at
        and touches.occurred_at
        >= timestamp_sub(leads.lead_at, interval channels.look_back_days day)
        -- A visit nobody can place is no touch: it must not take a known one's lead.
        and touches.platform != 'unknown'

),

lead_touches as (

    -- One order for both windows: the touches are sorted once.
    select
        lead_key,
        person_key,
        report_date,
        touch_id,
        touched_at,
        row_number() over (
            partition by lead_key
            -- Never by file order: two touches of one second would swap between two loads.
            order by touched_at, touch_id
        ) as touch_position,
        count(*) over (
            partition by lead_key
            order by touched_at, touch_id
            rows between unbounded preceding and unbounded following
        ) as touch_count,
        platform,
        account_id,
        campaign_id,
        evidence,
        @rules_version as rules_version
    from touches_before_the_lead

)

select * from lead_touches
