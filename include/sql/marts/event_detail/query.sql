-- Every submission with what became of it and where it happened: the rows behind each line of gap
-- one, and what the roll-ups by segment, landing page and form count.
with

event_causes as (

    select * from identity.event_causes
    where report_date >= @history_start

),

events as (

    select * from identity.events
    where report_date >= @history_start

),

leads as (

    select * from identity.leads
    where report_date >= @history_start

),

tag_events as (

    select * from staging.stg_web__tag_events
    where report_date >= @history_start and client_id is not null

),

touches as (

    select * from staging.stg_web__touches
    where
        report_date >= @history_start
        and client_id is not null
        and page_path is not null

),

visit_of_each_event as (

    -- The visit a submission belongs to is the browser's last one that began that day: forms often
    -- tell the page that thanks, which says nothing of the page that won somebody.
    select
        tag_events.event_key,
        max(touches.occurred_at) as visited_at
    from tag_events
    inner join touches using (report_date, client_id)
    where touches.occurred_at <= tag_events.occurred_at
    group by tag_events.event_key

),

landing_pages as (

    select
        tag_events.event_key,
        -- Two visits of one microsecond: the same page on every run.
        min(touches.page_path) as landing_page
    from visit_of_each_event as visits
    inner join tag_events using (event_key)
    inner join touches
        on
            tag_events.client_id = touches.client_id
            and visits.visited_at = touches.occurred_at
    group by tag_events.event_key

),

event_detail as (

    select
        causes.event_key,
        causes.person_key,
        causes.lead_key,
        causes.report_date,
        causes.occurred_at,
        causes.conversion_goal,
        causes.goal_kind,
        causes.platform,
        causes.account_id,
        causes.campaign_id,
        events.evidence,
        events.observed_by,
        causes.cause,
        coalesce(leads.segment, '(none)') as segment,
        coalesce(landing_pages.landing_page, events.page_path, '(none)') as landing_page,
        coalesce(events.form_id, '(none)') as form_id,
        @rules_version as rules_version
    from event_causes as causes
    inner join events using (report_date, event_key)
    left join leads using (lead_key)
    left join landing_pages using (event_key)

)

select * from event_detail
