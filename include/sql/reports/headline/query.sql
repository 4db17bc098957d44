-- The three numbers, everything between them and what came after, rolled up the way a reader asks.
-- Only sums leave this query: ratios are made of exact sums in Python, because NUMERIC division is
-- not the same number on both engines.
with

funnel_daily as (

    select * from marts.funnel_daily
    where
        report_date >= coalesce(@first_date, @history_start)
        and report_date <= coalesce(@last_date, date '9999-12-31')

),

newest_name_per_campaign as (

    select
        platform,
        account_id,
        campaign_id,
        campaign_name
    from funnel_daily
    where campaign_name is not null
    qualify row_number() over (
        partition by platform, account_id, campaign_id
        -- A day has one name per campaign; the last key only keeps two builds from differing.
        order by report_date desc, campaign_name
    ) = 1

),

headline as (

    select
        case @by
            when 'day' then funnel_daily.report_date
            when 'week' then date_trunc(funnel_daily.report_date, isoweek)
            when 'month' then date_trunc(funnel_daily.report_date, month)
        end as period_start,
        if(@by in ('channel', 'campaign'), funnel_daily.platform, '(all)') as platform,
        if(@by = 'campaign', funnel_daily.account_id, '(all)') as account_id,
        if(@by = 'campaign', funnel_daily.campaign_id, '(all)') as campaign_id,
        -- A campaign is renamed while it runs: one row per campaign, under its newest name.
        if(
            @by = 'campaign',
            coalesce(newest_name_per_campaign.campaign_name, funnel_daily.campaign_id),
            '(all)'
        ) as campaign_name,

        -- Spend in a currency without a rate is unknown, and so is every sum it belongs to.
        if(
            countif(funnel_daily.spend_amount is null) = 0, sum(funnel_daily.spend_amount), null
        ) as spend_amount,
        sum(funnel_daily.impressions) as impressions,
        sum(funnel_daily.clicks) as clicks,
        sum(funnel_daily.visits) as visits,
        sum(funnel_daily.measured_visits) as measured_visits,
        sum(funnel_daily.bounces) as bounces,

        sum(funnel_daily.pixel_conversions) as pixel_conversions,
        sum(funnel_daily.observed_without_claim) as observed_without_claim,
        sum(funnel_daily.claimed_not_observed) as claimed_not_observed,
        sum(funnel_daily.view_through) as view_through,
        sum(funnel_daily.day_shift) as day_shift,
        sum(funnel_daily.claimed_not_observed_rest) as claimed_not_observed_rest,
        sum(funnel_daily.observed_tag_events) as observed_tag_events,
        sum(funnel_daily.bot) as bot,
        sum(funnel_daily.internal_or_test) as internal_or_test,
        sum(funnel_daily.duplicate_submission) as duplicate_submission,
        sum(funnel_daily.same_person) as same_person,
        sum(funnel_daily.existing_lead) as existing_lead,
        sum(funnel_daily.awaiting_crm) as awaiting_crm,
        sum(funnel_daily.no_crm_record) as no_crm_record,
        sum(funnel_daily.made_lead) as made_lead,
        sum(funnel_daily.credited_elsewhere) as credited_elsewhere,
        sum(funnel_daily.credited_from_elsewhere) as credited_from_elsewhere,
        sum(funnel_daily.unobserved_leads) as unobserved_leads,
        sum(funnel_daily.recovered_leads) as recovered_leads,
        sum(funnel_daily.real_leads) as real_leads,

        sum(funnel_daily.spam) as spam,
        sum(funnel_daily.marked_duplicate) as marked_duplicate,
        sum(funnel_daily.deleted_in_crm) as deleted_in_crm,
        sum(funnel_daily.unreachable) as unreachable,
        sum(funnel_daily.not_fit) as not_fit,
        sum(funnel_daily.no_budget) as no_budget,
        sum(funnel_daily.no_authority) as no_authority,
        sum(funnel_daily.no_need) as no_need,
        sum(funnel_daily.no_timing) as no_timing,
        sum(funnel_daily.no_intent) as no_intent,
        sum(funnel_daily.undecided) as undecided,
        sum(funnel_daily.other_reason) as other_reason,
        sum(funnel_daily.pending) as pending,
        sum(funnel_daily.qualified_leads) as qualified_leads,

        sum(funnel_daily.opportunities) as opportunities,
        sum(funnel_daily.qualified_opportunities) as qualified_opportunities,
        sum(funnel_daily.customers) as customers,
        sum(funnel_daily.qualified_customers) as qualified_customers,
        sum(funnel_daily.pipeline_amount) as pipeline_amount,
        sum(funnel_daily.won_amount) as won_amount,
        sum(funnel_daily.hot_leads) as hot_leads,
        sum(funnel_daily.warm_leads) as warm_leads,
        sum(funnel_daily.cold_leads) as cold_leads,
        sum(funnel_daily.mql_leads) as mql_leads,
        sum(funnel_daily.sql_leads) as sql_leads,
        sum(funnel_daily.pql_leads) as pql_leads,
        sum(funnel_daily.service_qualified_leads) as service_qualified_leads,
        sum(funnel_daily.contacted_leads) as contacted_leads,
        sum(funnel_daily.contacted_within_an_hour) as contacted_within_an_hour,
        sum(funnel_daily.first_contact_minutes) as first_contact_minutes,
        sum(funnel_daily.contact_attempts) as contact_attempts,
        sum(funnel_daily.wasted_contacts) as wasted_contacts,
        sum(funnel_daily.qualify_minutes) as qualify_minutes,
        sum(funnel_daily.timed_customers) as timed_customers,
        sum(funnel_daily.close_minutes) as close_minutes,
        sum(funnel_daily.rulebook_misses) as rulebook_misses,
        sum(funnel_daily.unknown_stage_leads) as unknown_stage_leads,

        -- A claim that was never reported is not a claim of zero: such rows leave the pixel ratios.
        if(
            countif(
                funnel_daily.claim_state = 'reported' and funnel_daily.spend_amount is null
            ) = 0,
            sum(if(funnel_daily.claim_state = 'reported', funnel_daily.spend_amount, 0)),
            null
        ) as spend_reported,
        sum(
            if(funnel_daily.claim_state = 'reported', funnel_daily.real_leads, 0)
        ) as real_leads_reported,
        -- Clicks are told by ad platforms alone: only their submissions may be divided by them.
        sum(
            if(funnel_daily.claim_state != 'not_applicable', funnel_daily.observed_tag_events, 0)
        ) as observed_on_ad_platforms
    from funnel_daily
    left join newest_name_per_campaign
        on
            funnel_daily.platform = newest_name_per_campaign.platform
            and funnel_daily.account_id = newest_name_per_campaign.account_id
            and funnel_daily.campaign_id = newest_name_per_campaign.campaign_id
    group by all

)

select * from headline
