-- Every real lead with what made it, what sales made of it and where it came in: the rows behind
-- gap two. Its credits stand in attribution.lead_credits.
with

leads as (

    select * from identity.leads
    where report_date >= @history_start

),

lead_verdicts as (

    select * from qualification.lead_verdicts
    where report_date >= @history_start

),

making_events as (

    select
        report_date,
        event_key as making_event_key,
        landing_page,
        form_id
    from marts.event_detail
    where report_date >= @history_start and cause = 'made_lead'

),

first_touches as (

    select
        lead_key,
        touch_id
    from attribution.lead_touches
    where report_date >= @history_start and touch_position = 1

),

touches as (

    select
        touch_id,
        page_path
    from staging.stg_web__touches
    where report_date >= @history_start

),

first_pages_of_unseen_leads as (

    select
        leads.lead_key,
        touches.page_path
    from leads
    inner join first_touches using (lead_key)
    inner join touches using (touch_id)
    where leads.making_event_key is null

),

lead_detail as (

    select
        leads.lead_key,
        leads.person_key,
        leads.report_date,
        leads.lead_at,
        leads.crm_created_at,
        leads.conversion_goal,
        leads.observation,
        leads.making_event_key,
        leads.platform,
        leads.account_id,
        leads.campaign_id,
        leads.evidence,
        coalesce(leads.segment, '(none)') as segment,
        coalesce(making_events.landing_page, first_pages.page_path, leads.landing_page, '(none)')
            as landing_page,
        coalesce(making_events.form_id, leads.form_id, '(none)') as form_id,
        lead_verdicts.verdict,
        lead_verdicts.reason,
        lead_verdicts.decided_by,
        lead_verdicts.decided_at,
        lead_verdicts.crm_stage,
        lead_verdicts.temperature,
        lead_verdicts.is_final,
        lead_verdicts.lead_type,
        lead_verdicts.is_stage_unknown,
        lead_verdicts.first_contact_at,
        lead_verdicts.first_contact_minutes,
        lead_verdicts.is_contacted_within_an_hour,
        lead_verdicts.contact_attempts,
        lead_verdicts.qualify_minutes,
        lead_verdicts.is_opportunity,
        lead_verdicts.is_customer,
        lead_verdicts.opportunity_at,
        lead_verdicts.customer_at,
        lead_verdicts.close_minutes,
        lead_verdicts.pipeline_amount,
        lead_verdicts.won_amount,
        @rules_version as rules_version
    from leads
    inner join lead_verdicts using (report_date, lead_key)
    left join making_events using (report_date, making_event_key)
    left join first_pages_of_unseen_leads as first_pages using (lead_key)

)

select * from lead_detail
