-- The funnel by what the lead or the form tells: declared segment, landing page, form. A lead has one
-- of each, so nothing is shared out and every figure is a count of rows; platforms tell neither
-- claims nor spend by them, so the ledger starts at what was observed.
with

event_detail as (

    select * from marts.event_detail
    where report_date >= @history_start

),

lead_detail as (

    select * from marts.lead_detail
    where report_date >= @history_start

),

goals as (

    select * from rules.conversion_goals
    where rules_version = @rules_version

),

events_counted as (

    select
        report_date,
        conversion_goal,
        segment,
        landing_page,
        form_id,
        count(*) as observed_tag_events,
        countif(cause = 'bot') as bot,
        countif(cause = 'internal_or_test') as internal_or_test,
        countif(cause = 'duplicate_submission') as duplicate_submission,
        countif(cause = 'same_person') as same_person,
        countif(cause = 'existing_lead') as existing_lead,
        countif(cause = 'awaiting_crm') as awaiting_crm,
        countif(cause = 'no_crm_record') as no_crm_record,
        countif(cause = 'made_lead') as made_lead
    from event_detail
    group by report_date, conversion_goal, segment, landing_page, form_id

),

leads_with_line as (

    select
        *,
        coalesce(reason, verdict) as line
    from lead_detail

),

leads_counted as (

    select
        report_date,
        conversion_goal,
        segment,
        landing_page,
        form_id,
        countif(observation = 'unobserved') as unobserved_leads,
        countif(observation = 'recovered') as recovered_leads,
        count(*) as real_leads,
        countif(line = 'spam') as spam,
        countif(line = 'marked_duplicate') as marked_duplicate,
        countif(line = 'deleted_in_crm') as deleted_in_crm,
        countif(line = 'unreachable') as unreachable,
        countif(line = 'not_fit') as not_fit,
        countif(line = 'no_budget') as no_budget,
        countif(line = 'no_authority') as no_authority,
        countif(line = 'no_need') as no_need,
        countif(line = 'no_timing') as no_timing,
        countif(line = 'no_intent') as no_intent,
        countif(line = 'undecided') as undecided,
        countif(line = 'other_reason') as other_reason,
        countif(line = 'pending') as pending,
        countif(line = 'qualified') as qualified_leads,
        countif(is_opportunity) as opportunities,
        countif(is_opportunity and verdict = 'qualified') as qualified_opportunities,
        countif(is_customer) as customers,
        countif(is_customer and verdict = 'qualified') as qualified_customers,
        sum(pipeline_amount) as pipeline_amount,
        sum(won_amount) as won_amount,
        countif(temperature = 'hot') as hot_leads,
        countif(temperature = 'warm') as warm_leads,
        countif(temperature = 'cold') as cold_leads,
        countif(lead_type = 'mql') as mql_leads,
        countif(lead_type = 'sql') as sql_leads,
        countif(lead_type = 'pql') as pql_leads,
        countif(lead_type = 'service_qualified') as service_qualified_leads,
        countif(first_contact_minutes is not null) as contacted_leads,
        countif(is_contacted_within_an_hour) as contacted_within_an_hour,
        sum(coalesce(first_contact_minutes, 0)) as first_contact_minutes,
        sum(coalesce(contact_attempts, 0)) as contact_attempts,
        sum(if(verdict = 'disqualified', coalesce(contact_attempts, 0), 0)) as wasted_contacts,
        sum(coalesce(qualify_minutes, 0)) as qualify_minutes,
        countif(close_minutes is not null) as timed_customers,
        sum(coalesce(close_minutes, 0)) as close_minutes,
        countif(is_customer and verdict != 'qualified') as rulebook_misses,
        countif(is_stage_unknown) as unknown_stage_leads
    from leads_with_line
    group by report_date, conversion_goal, segment, landing_page, form_id

),

both_counted as (

    select
        report_date,
        conversion_goal,
        segment,
        landing_page,
        form_id,
        observed_tag_events,
        bot,
        internal_or_test,
        duplicate_submission,
        same_person,
        existing_lead,
        awaiting_crm,
        no_crm_record,
        made_lead,
        0 as unobserved_leads,
        0 as recovered_leads,
        0 as real_leads,
        0 as spam,
        0 as marked_duplicate,
        0 as deleted_in_crm,
        0 as unreachable,
        0 as not_fit,
        0 as no_budget,
        0 as no_authority,
        0 as no_need,
        0 as no_timing,
        0 as no_intent,
        0 as undecided,
        0 as other_reason,
        0 as pending,
        0 as qualified_leads,
        0 as opportunities,
        0 as qualified_opportunities,
        0 as customers,
        0 as qualified_customers,
        numeric '0' as pipeline_amount,
        numeric '0' as won_amount,
        0 as hot_leads,
        0 as warm_leads,
        0 as cold_leads,
        0 as mql_leads,
        0 as sql_leads,
        0 as pql_leads,
        0 as service_qualified_leads,
        0 as contacted_leads,
        0 as contacted_within_an_hour,
        0 as first_contact_minutes,
        0 as contact_attempts,
        0 as wasted_contacts,
        0 as qualify_minutes,
        0 as timed_customers,
        0 as close_minutes,
        0 as rulebook_misses,
        0 as unknown_stage_leads
    from events_counted

    union all

    select
        report_date,
        conversion_goal,
        segment,
        landing_page,
        form_id,
        0 as observed_tag_events,
        0 as bot,
        0 as internal_or_test,
        0 as duplicate_submission,
        0 as same_person,
        0 as existing_lead,
        0 as awaiting_crm,
        0 as no_crm_record,
        0 as made_lead,
        unobserved_leads,
        recovered_leads,
        real_leads,
        spam,
        marked_duplicate,
        deleted_in_crm,
        unreachable,
        not_fit,
        no_budget,
        no_authority,
        no_need,
        no_timing,
        no_intent,
        undecided,
        other_reason,
        pending,
        qualified_leads,
        opportunities,
        qualified_opportunities,
        customers,
        qualified_customers,
        pipeline_amount,
        won_amount,
        hot_leads,
        warm_leads,
        cold_leads,
        mql_leads,
        sql_leads,
        pql_leads,
        service_qualified_leads,
        contacted_leads,
        contacted_within_an_hour,
        first_contact_minutes,
        contact_attempts,
        wasted_contacts,
        qualify_minutes,
        timed_customers,
        close_minutes,
        rulebook_misses,
        unknown_stage_leads
    from leads_counted

),

by_each_dimension as (

    select
        *,
        'segment' as dimension,
        segment as dimension_value
    from both_counted

    union all

    select
        *,
        'landing_page' as dimension,
        landing_page as dimension_value
    from both_counted

    union all

    select
        *,
        'form' as dimension,
        form_id as dimension_value
    from both_counted

),

sums as (

    select
        report_date,
        dimension,
        dimension_value,
        conversion_goal,
        sum(observed_tag_events) as observed_tag_events,
        sum(bot) as bot,
        sum(internal_or_test) as internal_or_test,
        sum(duplicate_submission) as duplicate_submission,
        sum(same_person) as same_person,
        sum(existing_lead) as existing_lead,
        sum(awaiting_crm) as awaiting_crm,
        sum(no_crm_record) as no_crm_record,
        sum(made_lead) as made_lead,
        sum(unobserved_leads) as unobserved_leads,
        sum(recovered_leads) as recovered_leads,
        sum(real_leads) as real_leads,
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
    from by_each_dimension
    group by report_date, dimension, dimension_value, conversion_goal

),

funnel_by_dimension as (

    select
        sums.report_date,
        sums.dimension,
        sums.dimension_value,
        sums.conversion_goal,
        coalesce(goals.goal_kind, 'unmapped') as goal_kind,
        sums.observed_tag_events,
        -- A goal that makes no lead ends at what was observed.
        if(goals.makes_lead, sums.bot, null) as bot,
        if(goals.makes_lead, sums.internal_or_test, null) as internal_or_test,
        if(goals.makes_lead, sums.duplicate_submission, null) as duplicate_submission,
        if(goals.makes_lead, sums.same_person, null) as same_person,
        if(goals.makes_lead, sums.existing_lead, null) as existing_lead,
        if(goals.makes_lead, sums.awaiting_crm, null) as awaiting_crm,
        if(goals.makes_lead, sums.no_crm_record, null) as no_crm_record,
        if(goals.makes_lead, sums.made_lead, null) as made_lead,
        if(goals.makes_lead, sums.unobserved_leads, null) as unobserved_leads,
        if(goals.makes_lead, sums.recovered_leads, null) as recovered_leads,
        if(goals.makes_lead, sums.real_leads, null) as real_leads,
        if(goals.makes_lead, sums.spam, null) as spam,
        if(goals.makes_lead, sums.marked_duplicate, null) as marked_duplicate,
        if(goals.makes_lead, sums.deleted_in_crm, null) as deleted_in_crm,
        if(goals.makes_lead, sums.unreachable, null) as unreachable,
        if(goals.makes_lead, sums.not_fit, null) as not_fit,
        if(goals.makes_lead, sums.no_budget, null) as no_budget,
        if(goals.makes_lead, sums.no_authority, null) as no_authority,
        if(goals.makes_lead, sums.no_need, null) as no_need,
        if(goals.makes_lead, sums.no_timing, null) as no_timing,
        if(goals.makes_lead, sums.no_intent, null) as no_intent,
        if(goals.makes_lead, sums.undecided, null) as undecided,
        if(goals.makes_lead, sums.other_reason, null) as other_reason,
        if(goals.makes_lead, sums.pending, null) as pending,
        if(goals.makes_lead, sums.qualified_leads, null) as qualified_leads,
        if(goals.makes_lead, sums.opportunities, null) as opportunities,
        if(goals.makes_lead, sums.qualified_opportunities, null) as qualified_opportunities,
        if(goals.makes_lead, sums.customers, null) as customers,
        if(goals.makes_lead, sums.qualified_customers, null) as qualified_customers,
        if(goals.makes_lead, sums.pipeline_amount, null) as pipeline_amount,
        if(goals.makes_lead, sums.won_amount, null) as won_amount,
        if(goals.makes_lead, sums.hot_leads, null) as hot_leads,
        if(goals.makes_lead, sums.warm_leads, null) as warm_leads,
        if(goals.makes_lead, sums.cold_leads, null) as cold_leads,
        if(goals.makes_lead, sums.mql_leads, null) as mql_leads,
        if(goals.makes_lead, sums.sql_leads, null) as sql_leads,
        if(goals.makes_lead, sums.pql_leads, null) as pql_leads,
        if(goals.makes_lead, sums.service_qualified_leads, null) as service_qualified_leads,
        if(goals.makes_lead, sums.contacted_leads, null) as contacted_leads,
        if(goals.makes_lead, sums.contacted_within_an_hour, null) as contacted_within_an_hour,
        if(goals.makes_lead, sums.first_contact_minutes, null) as first_contact_minutes,
        if(goals.makes_lead, sums.contact_attempts, null) as contact_attempts,
        if(goals.makes_lead, sums.wasted_contacts, null) as wasted_contacts,
        if(goals.makes_lead, sums.qualify_minutes, null) as qualify_minutes,
        if(goals.makes_lead, sums.timed_customers, null) as timed_customers,
        if(goals.makes_lead, sums.close_minutes, null) as close_minutes,
        if(goals.makes_lead, sums.rulebook_misses, null) as rulebook_misses,
        if(goals.makes_lead, sums.unknown_stage_leads, null) as unknown_stage_leads,
        @rules_version as rules_version,
        @as_of as as_of
    from sums
    left join goals using (conversion_goal)

)

select * from funnel_by_dimension
