-- Gap one as a ledger: every claim, submission and credit is a signed row, and the columns are sums
-- of rows. Nothing is joined, so nothing can be lost or doubled on the way. A lead and its credits
-- lie on one day, so each day is computed from its own rows alone.
with

claims as (

    select * from staging.stg_ads__claims
    where report_date >= @history_start

),

event_causes as (

    select * from identity.event_causes
    where report_date >= @history_start

),

leads as (

    select * from identity.leads
    where report_date >= @history_start

),

lead_credits as (

    select * from attribution.lead_credits
    where report_date >= @history_start

),

day_shifts as (

    select * from marts.day_shifts
    where report_date >= @history_start

),

goals as (

    select * from rules.conversion_goals
    where rules_version = @rules_version

),

channels as (

    select * from rules.channels
    where rules_version = @rules_version

),

credit_of_own_campaign as (

    -- How much of an observed lead stays with the campaign of the submission that made it.
    select
        leads.report_date,
        leads.lead_key,
        sum(lead_credits.credit) as credit
    from leads
    inner join lead_credits using (report_date, lead_key)
    where
        leads.observation = 'observed'
        and leads.platform = lead_credits.platform
        and leads.account_id = lead_credits.account_id
        and leads.campaign_id = lead_credits.campaign_id
    group by leads.report_date, leads.lead_key

),

ledger as (

    select
        report_date,
        platform,
        account_id,
        campaign_id,
        conversion_goal,
        'pixel_conversions' as line,
        pixel_conversions as amount
    from claims

    union all

    select
        report_date,
        platform,
        account_id,
        campaign_id,
        conversion_goal,
        'view_through' as line,
        view_through as amount
    from claims
    where view_through is not null

    union all

    select
        report_date,
        platform,
        account_id,
        campaign_id,
        conversion_goal,
        'day_shift' as line,
        cast(shift as numeric) as amount
    from day_shifts

    union all

    select
        report_date,
        platform,
        account_id,
        campaign_id,
        conversion_goal,
        'observed_tag_events' as line,
        numeric '1' as amount
    from event_causes

    union all

    select
        report_date,
        platform,
        account_id,
        campaign_id,
        conversion_goal,
        cause as line,
        numeric '1' as amount
    from event_causes

    union all

    select
        leads.report_date,
        leads.platform,
        leads.account_id,
        leads.campaign_id,
        leads.conversion_goal,
        'credited_elsewhere' as line,
        numeric '1' - coalesce(own.credit, 0) as amount
    from leads
    left join credit_of_own_campaign as own using (report_date, lead_key)
    where leads.observation = 'observed'

    union all

    select
        lead_credits.report_date,
        lead_credits.platform,
        lead_credits.account_id,
        lead_credits.campaign_id,
        lead_credits.conversion_goal,
        case
            when leads.observation = 'recovered' then 'recovered_leads'
            when leads.observation = 'unobserved' then 'unobserved_leads'
            else 'credited_from_elsewhere'
        end as line,
        lead_credits.credit as amount
    from lead_credits
    inner join leads using (report_date, lead_key)
    where
        leads.observation != 'observed'
        or leads.platform != lead_credits.platform
        or leads.account_id != lead_credits.account_id
        or leads.campaign_id != lead_credits.campaign_id

    union all

    select
        report_date,
        platform,
        account_id,
        campaign_id,
        conversion_goal,
        'real_leads' as line,
        credit as amount
    from lead_credits

),

lines_as_columns as (

    select
        report_date,
        platform,
        account_id,
        campaign_id,
        conversion_goal,
        countif(line = 'pixel_conversions') > 0 as has_claim,
        sum(if(line = 'pixel_conversions', amount, 0)) as pixel_conversions,
        sum(if(line = 'view_through', amount, null)) as view_through,
        sum(if(line = 'day_shift', amount, 0)) as day_shift,
        sum(if(line = 'observed_tag_events', amount, 0)) as observed_tag_events,
        sum(if(line = 'bot', amount, 0)) as bot,
        sum(if(line = 'internal_or_test', amount, 0)) as internal_or_test,
        sum(if(line = 'duplicate_submission', amount, 0)) as duplicate_submission,
        sum(if(line = 'same_person', amount, 0)) as same_person,
        sum(if(line = 'existing_lead', amount, 0)) as existing_lead,
        sum(if(line = 'awaiting_crm', amount, 0)) as awaiting_crm,
        sum(if(line = 'no_crm_record', amount, 0)) as no_crm_record,
        sum(if(line = 'made_lead', amount, 0)) as made_lead,
        sum(if(line = 'credited_elsewhere', amount, 0)) as credited_elsewhere,
        sum(if(line = 'credited_from_elsewhere', amount, 0)) as credited_from_elsewhere,
        sum(if(line = 'unobserved_leads', amount, 0)) as unobserved_leads,
        sum(if(line = 'recovered_leads', amount, 0)) as recovered_leads,
        sum(if(line = 'real_leads', amount, 0)) as real_leads
    from ledger
    group by report_date, platform, account_id, campaign_id, conversion_goal

),

claim_days as (

    select
        report_date,
        platform,
        account_id
    from staging.stg_ads__claim_days
    where report_date >= @history_start

),

platform_claim_days as (

    -- For rows whose account nobody can tell, any account of the platform speaks.
    select distinct
        report_date,
        platform
    from claim_days

),

states_told as (

    select
        rows_of_columns.*,
        coalesce(goals.goal_kind, 'unmapped') as goal_kind,
        coalesce(goals.makes_lead, false) as makes_lead,
        case
            when rows_of_columns.has_claim then 'reported'
            when not coalesce(channels.makes_claims, false) then 'not_applicable'
            when
                claim_days.account_id is not null
                or (
                    rows_of_columns.account_id = 'unknown'
                    and platform_claim_days.platform is not null
                )
                then 'none'
            else 'missing'
        end as claim_state
    from lines_as_columns as rows_of_columns
    left join goals using (conversion_goal)
    left join channels on rows_of_columns.platform = channels.channel
    left join claim_days
        on
            rows_of_columns.report_date = claim_days.report_date
            and rows_of_columns.platform = claim_days.platform
            and rows_of_columns.account_id = claim_days.account_id
    left join platform_claim_days
        on
            rows_of_columns.report_date = platform_claim_days.report_date
            and rows_of_columns.platform = platform_claim_days.platform

),

claims_compared as (

    select
        *,
        if(claim_state in ('missing', 'not_applicable'), observed_tag_events, 0)
            as observed_without_claim,
        pixel_conversions
        + if(claim_state in ('missing', 'not_applicable'), observed_tag_events, 0)
        - observed_tag_events as claimed_not_observed,
        -- Where nothing is claimed, nothing can be claimed under another day.
        if(claim_state in ('missing', 'not_applicable'), 0, day_shift) as day_shift_of_claims
    from states_told

),

pixel_to_real_gap as (

    select
        report_date,
        platform,
        account_id,
        campaign_id,
        conversion_goal,
        goal_kind,
        claim_state,
        pixel_conversions,
        observed_without_claim,
        claimed_not_observed,
        view_through,
        day_shift_of_claims as day_shift,
        claimed_not_observed - coalesce(view_through, 0) - day_shift_of_claims
            as claimed_not_observed_rest,
        observed_tag_events,
        -- A goal that makes no lead ends at what was observed.
        if(makes_lead, bot, null) as bot,
        if(makes_lead, internal_or_test, null) as internal_or_test,
        if(makes_lead, duplicate_submission, null) as duplicate_submission,
        if(makes_lead, same_person, null) as same_person,
        if(makes_lead, existing_lead, null) as existing_lead,
        if(makes_lead, awaiting_crm, null) as awaiting_crm,
        if(makes_lead, no_crm_record, null) as no_crm_record,
        if(makes_lead, made_lead, null) as made_lead,
        if(makes_lead, credited_elsewhere, null) as credited_elsewhere,
        if(makes_lead, credited_from_elsewhere, null) as credited_from_elsewhere,
        if(makes_lead, unobserved_leads, null) as unobserved_leads,
        if(makes_lead, recovered_leads, null) as recovered_leads,
        if(makes_lead, real_leads, null) as real_leads,
        @rules_version as rules_version,
        @as_of as as_of
    from claims_compared

)

select * from pixel_to_real_gap
