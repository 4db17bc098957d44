-- The three numbers side by side. Spend belongs to no goal, so the row is a campaign's day; only
-- macro goals are added up, unmapped claims and micro steps stay in the gap tables.
with

pixel_to_real as (

    select * from marts.pixel_to_real_gap
    where report_date >= @history_start and goal_kind = 'macro'

),

real_to_qualified as (

    select gap.*
    from marts.real_to_qualified_gap as gap
    inner join rules.conversion_goals as goals
        on gap.conversion_goal = goals.conversion_goal
    where
        gap.report_date >= @history_start
        and goals.rules_version = @rules_version
        and goals.goal_kind = 'macro'

),

delivery as (

    select * from staging.stg_ads__delivery
    where report_date >= @history_start

),

visits as (

    select * from marts.visits_daily
    where report_date >= @history_start

),

claim_days as (

    select * from staging.stg_ads__claim_days
    where report_date >= @history_start

),

channels as (

    select * from rules.channels
    where rules_version = @rules_version

),

campaign_days as (

    select
        report_date,
        platform,
        account_id,
        campaign_id
    from pixel_to_real

    union distinct

    select
        report_date,
        platform,
        account_id,
        campaign_id
    from delivery

    union distinct

    select
        report_date,
        platform,
        account_id,
        campaign_id
    from visits

),

platform_claim_days as (

    -- For rows whose account nobody can tell, any account of the platform speaks.
    select distinct
        report_date,
        platform
    from claim_days

),

gap_one as (

    select
        report_date,
        platform,
        account_id,
        campaign_id,
        -- One goal reported is enough to compare; one goal not asked for is not.
        case
            when countif(claim_state = 'missing') > 0 then 'missing'
            when countif(claim_state = 'reported') > 0 then 'reported'
            when countif(claim_state = 'none') > 0 then 'none'
            else 'not_applicable'
        end as claim_state,
        sum(pixel_conversions) as pixel_conversions,
        sum(observed_without_claim) as observed_without_claim,
        sum(claimed_not_observed) as claimed_not_observed,
        sum(view_through) as view_through,
        sum(day_shift) as day_shift,
        sum(claimed_not_observed_rest) as claimed_not_observed_rest,
        sum(observed_tag_events) as observed_tag_events,
        sum(bot) as bot,
        sum(internal_or_test) as internal_or_test,
        sum(duplicate_submission) as duplicate_submission,
        sum(same_person) as same_person,
        sum(existing_lead) as existing_lead,
        sum(awaiting_crm) as awaiting_crm,
        sum(no_crm_record) as no_crm_record,
        sum(made_lead) as made_lead,
        sum(credited_elsewhere) as credited_elsewhere,
        sum(credited_from_elsewhere) as credited_from_elsewhere,
        sum(unobserved_leads) as unobserved_leads,
        sum(recovered_leads) as recovered_leads,
        sum(real_leads) as real_leads
    from pixel_to_real
    group by report_date, platform, account_id, campaign_id

),

gap_two as (

    select
        report_date,
        platform,
        account_id,
        campaign_id,
        sum(spam) as spam,
        sum(marked_duplicate) as marked_duplicate,
        sum(deleted_in_crm) as deleted_in_crm,
        sum(unreachable) as unreachable,
        sum(not_fit) as not_fit,
        sum(no_budget) as no_budget,
        sum(no_authority) as no_authority,
        sum(no_need) as no_need,
        sum(no_timing) as no_timing,
        sum(no_intent) as no_intent,
        sum(undecided) as undecided,
        sum(other_reason) as other_reason,
        sum(pending) as pending,
        sum(qualified_leads) as qualified_leads,
        sum(opportunities) as opportunities,
        sum(qualified_opportunities) as qualified_opportunities,
        sum(customers) as customers,
        sum(qualified_customers) as qualified_customers,
        sum(pipeline_amount) as pipeline_amount,
        sum(won_amount) as won_amount,
        sum(hot_leads) as hot_leads,
        sum(warm_leads) as warm_leads,
        sum(cold_leads) as cold_leads,
        sum(mql_leads) as mql_leads,
        sum(sql_leads) as sql_leads,
        sum(pql_leads) as pql_leads,
        sum(service_qualified_leads) as service_qualified_leads,
        sum(contacted_leads) as contacted_leads,
        sum(contacted_within_an_hour) as contacted_within_an_hour,
        sum(first_contact_minutes) as first_contact_minutes,
        sum(contact_attempts) as contact_attempts,
        sum(wasted_contacts) as wasted_contacts,
        sum(qualify_minutes) as qualify_minutes,
        sum(timed_customers) as timed_customers,
        sum(close_minutes) as close_minutes,
        sum(rulebook_misses) as rulebook_misses,
        sum(unknown_stage_leads) as unknown_stage_leads
    from real_to_qualified
    group by report_date, platform, account_id, campaign_id

),

funnel_daily as (

    select
        campaign_days.report_date,
        campaign_days.platform,
        campaign_days.account_id,
        campaign_days.campaign_id,
        -- As the day was told; readers show the newest name of the days they ask for.
        delivery.campaign_name,
        -- A day with money or visits and no row in the gap: was anybody asked?
        case
            when gap_one.claim_state is not null then gap_one.claim_state
            when not coalesce(channels.makes_claims, false) then 'not_applicable'
            when
                claim_days.report_date is not null
                or (
                    campaign_days.account_id = 'unknown'
                    and platform_claim_days.report_date is not null
                )
                then 'none'
            else 'missing'
        end as claim_state,
        @reporting_currency as currency_code,
        if(delivery.report_date is null, 0, delivery.spend_amount) as spend_amount,
        coalesce(delivery.is_rate_missing, false) as is_rate_missing,
        coalesce(delivery.impressions, 0) as impressions,
        coalesce(delivery.clicks, 0) as clicks,
        coalesce(visits.visits, 0) as visits,
        coalesce(visits.measured_visits, 0) as measured_visits,
        coalesce(visits.bounces, 0) as bounces,
        coalesce(gap_one.pixel_conversions, 0) as pixel_conversions,
        coalesce(gap_one.observed_without_claim, 0) as observed_without_claim,
        coalesce(gap_one.claimed_not_observed, 0) as claimed_not_observed,
        gap_one.view_through,
        coalesce(gap_one.day_shift, 0) as day_shift,
        coalesce(gap_one.claimed_not_observed_rest, 0) as claimed_not_observed_rest,
        coalesce(gap_one.observed_tag_events, 0) as observed_tag_events,
        coalesce(gap_one.bot, 0) as bot,
        coalesce(gap_one.internal_or_test, 0) as internal_or_test,
        coalesce(gap_one.duplicate_submission, 0) as duplicate_submission,
        coalesce(gap_one.same_person, 0) as same_person,
        coalesce(gap_one.existing_lead, 0) as existing_lead,
        coalesce(gap_one.awaiting_crm, 0) as awaiting_crm,
        coalesce(gap_one.no_crm_record, 0) as no_crm_record,
        coalesce(gap_one.made_lead, 0) as made_lead,
        coalesce(gap_one.credited_elsewhere, 0) as credited_elsewhere,
        coalesce(gap_one.credited_from_elsewhere, 0) as credited_from_elsewhere,
        coalesce(gap_one.unobserved_leads, 0) as unobserved_leads,
        coalesce(gap_one.recovered_leads, 0) as recovered_leads,
        coalesce(gap_one.real_leads, 0) as real_leads,
        coalesce(gap_two.spam, 0) as spam,
        coalesce(gap_two.marked_duplicate, 0) as marked_duplicate,
        coalesce(gap_two.deleted_in_crm, 0) as deleted_in_crm,
        coalesce(gap_two.unreachable, 0) as unreachable,
        coalesce(gap_two.not_fit, 0) as not_fit,
        coalesce(gap_two.no_budget, 0) as no_budget,
        coalesce(gap_two.no_authority, 0) as no_authority,
        coalesce(gap_two.no_need, 0) as no_need,
        coalesce(gap_two.no_timing, 0) as no_timing,
        coalesce(gap_two.no_intent, 0) as no_intent,
        coalesce(gap_two.undecided, 0) as undecided,
        coalesce(gap_two.other_reason, 0) as other_reason,
        coalesce(gap_two.pending, 0) as pending,
        coalesce(gap_two.qualified_leads, 0) as qualified_leads,
        coalesce(gap_two.opportunities, 0) as opportunities,
        coalesce(gap_two.qualified_opportunities, 0) as qualified_opportunities,
        coalesce(gap_two.customers, 0) as customers,
        coalesce(gap_two.qualified_customers, 0) as qualified_customers,
        coalesce(gap_two.pipeline_amount, 0) as pipeline_amount,
        coalesce(gap_two.won_amount, 0) as won_amount,
        coalesce(gap_two.hot_leads, 0) as hot_leads,
        coalesce(gap_two.warm_leads, 0) as warm_leads,
        coalesce(gap_two.cold_leads, 0) as cold_leads,
        coalesce(gap_two.mql_leads, 0) as mql_leads,
        coalesce(gap_two.sql_leads, 0) as sql_leads,
        coalesce(gap_two.pql_leads, 0) as pql_leads,
        coalesce(gap_two.service_qualified_leads, 0) as service_qualified_leads,
        coalesce(gap_two.contacted_leads, 0) as contacted_leads,
        coalesce(gap_two.contacted_within_an_hour, 0) as contacted_within_an_hour,
        coalesce(gap_two.first_contact_minutes, 0) as first_contact_minutes,
        coalesce(gap_two.contact_attempts, 0) as contact_attempts,
        coalesce(gap_two.wasted_contacts, 0) as wasted_contacts,
        coalesce(gap_two.qualify_minutes, 0) as qualify_minutes,
        coalesce(gap_two.timed_customers, 0) as timed_customers,
        coalesce(gap_two.close_minutes, 0) as close_minutes,
        coalesce(gap_two.rulebook_misses, 0) as rulebook_misses,
        coalesce(gap_two.unknown_stage_leads, 0) as unknown_stage_leads,
        @rules_version as rules_version,
        @as_of as as_of
    from campaign_days
    left join gap_one using (report_date, platform, account_id, campaign_id)
    left join gap_two using (report_date, platform, account_id, campaign_id)
    left join delivery using (report_date, platform, account_id, campaign_id)
    left join visits using (report_date, platform, account_id, campaign_id)
    left join claim_days using (report_date, platform, account_id)
    left join platform_claim_days using (report_date, platform)
    left join channels on campaign_days.platform = channels.channel

)

select * from funnel_daily
