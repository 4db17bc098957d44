-- The funnel by segment, landing page or form, macro goals only, rolled up over the days asked for.
with

funnel_by_dimension as (

    select * from marts.funnel_by_dimension
    where
        report_date >= coalesce(@first_date, @history_start)
        and report_date <= coalesce(@last_date, date '9999-12-31')
        and goal_kind = 'macro'

),

by_dimension as (

    select
        dimension_value,
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
    from funnel_by_dimension
    where dimension = @by
    group by dimension_value

)

select * from by_dimension
