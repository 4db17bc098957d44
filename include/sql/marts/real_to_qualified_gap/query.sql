-- Gap two: every real lead ends in exactly one line, so each column is a sum of credits.
with

lead_verdicts as (

    select * from qualification.lead_verdicts
    where report_date >= @history_start

),

running_credits as (

    select
        *,
        sum(credit) over (
            partition by lead_key
            order by credit_position
            rows between unbounded preceding and current row
        ) as credit_up_to_here
    from attribution.lead_credits
    where report_date >= @history_start

),

credits_with_verdict as (

    select
        lead_credits.report_date,
        lead_credits.platform,
        lead_credits.account_id,
        lead_credits.campaign_id,
        lead_credits.conversion_goal,
        lead_credits.credit,
        coalesce(lead_verdicts.reason, lead_verdicts.verdict) as line,
        lead_verdicts.verdict = 'qualified' as is_qualified,
        lead_verdicts.verdict = 'disqualified' as is_disqualified,
        lead_verdicts.is_opportunity,
        lead_verdicts.is_customer,
        lead_verdicts.temperature,
        lead_verdicts.lead_type,
        lead_verdicts.is_stage_unknown,
        lead_verdicts.is_contacted_within_an_hour,
        -- A credit times a whole number is exact.
        cast(lead_verdicts.first_contact_minutes as numeric) * lead_credits.credit
            as first_contact_minutes,
        cast(lead_verdicts.contact_attempts as numeric) * lead_credits.credit
            as contact_attempts,
        cast(lead_verdicts.qualify_minutes as numeric) * lead_credits.credit as qualify_minutes,
        cast(lead_verdicts.close_minutes as numeric) * lead_credits.credit as close_minutes,
        -- Each share is the difference of two rounded running amounts: nothing is left over.
        cast(lead_verdicts.pipeline_amount * lead_credits.credit_up_to_here as numeric)
        - cast(
            lead_verdicts.pipeline_amount * (lead_credits.credit_up_to_here - lead_credits.credit)
            as numeric
        ) as pipeline_amount,
        cast(lead_verdicts.won_amount * lead_credits.credit_up_to_here as numeric)
        - cast(
            lead_verdicts.won_amount * (lead_credits.credit_up_to_here - lead_credits.credit)
            as numeric
        ) as won_amount
    from running_credits as lead_credits
    inner join lead_verdicts using (lead_key, report_date)

),

real_to_qualified_gap as (

    select
        report_date,
        platform,
        account_id,
        campaign_id,
        conversion_goal,
        sum(credit) as real_leads,
        sum(if(line = 'spam', credit, 0)) as spam,
        sum(if(line = 'marked_duplicate', credit, 0)) as marked_duplicate,
        sum(if(line = 'deleted_in_crm', credit, 0)) as deleted_in_crm,
        sum(if(line = 'unreachable', credit, 0)) as unreachable,
        sum(if(line = 'not_fit', credit, 0)) as not_fit,
        sum(if(line = 'no_budget', credit, 0)) as no_budget,
        sum(if(line = 'no_authority', credit, 0)) as no_authority,
        sum(if(line = 'no_need', credit, 0)) as no_need,
        sum(if(line = 'no_timing', credit, 0)) as no_timing,
        sum(if(line = 'no_intent', credit, 0)) as no_intent,
        sum(if(line = 'undecided', credit, 0)) as undecided,
        sum(if(line = 'other_reason', credit, 0)) as other_reason,
        sum(if(line = 'pending', credit, 0)) as pending,
        sum(if(line = 'qualified', credit, 0)) as qualified_leads,
        sum(if(is_opportunity, credit, 0)) as opportunities,
        sum(if(is_opportunity and is_qualified, credit, 0)) as qualified_opportunities,
        sum(if(is_customer, credit, 0)) as customers,
        sum(if(is_customer and is_qualified, credit, 0)) as qualified_customers,
        sum(pipeline_amount) as pipeline_amount,
        sum(won_amount) as won_amount,
        sum(if(temperature = 'hot', credit, 0)) as hot_leads,
        sum(if(temperature = 'warm', credit, 0)) as warm_leads,
        sum(if(temperature = 'cold', credit, 0)) as cold_leads,
        sum(if(lead_type = 'mql', credit, 0)) as mql_leads,
        sum(if(lead_type = 'sql', credit, 0)) as sql_leads,
        sum(if(lead_type = 'pql', credit, 0)) as pql_leads,
        sum(if(lead_type = 'service_qualified', credit, 0)) as service_qualified_leads,
        sum(if(first_contact_minutes is null, 0, credit)) as contacted_leads,
        sum(if(is_contacted_within_an_hour, credit, 0)) as contacted_within_an_hour,
        sum(coalesce(first_contact_minutes, 0)) as first_contact_minutes,
        sum(coalesce(contact_attempts, 0)) as contact_attempts,
        sum(if(is_disqualified, coalesce(contact_attempts, 0), 0)) as wasted_contacts,
        sum(coalesce(qualify_minutes, 0)) as qualify_minutes,
        sum(if(close_minutes is null, 0, credit)) as timed_customers,
        sum(coalesce(close_minutes, 0)) as close_minutes,
        sum(if(is_customer and not is_qualified, credit, 0)) as rulebook_misses,
        sum(if(is_stage_unknown, credit, 0)) as unknown_stage_leads,
        @rules_version as rules_version,
        @as_of as as_of
    from credits_with_verdict
    group by report_date, platform, account_id, campaign_id, conversion_goal

)

select * from real_to_qualified_gap
