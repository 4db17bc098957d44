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
        lead_verdicts.is_opportunity,
        lead_verdicts.is_customer,
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
    inner join lead_verdicts using (report_date, lead_key)

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
        @rules_version as rules_version,
        @as_of as as_of
    from credits_with_verdict
    group by report_date, platform, account_id, campaign_id, conversion_goal

)

select * from real_to_qualified_gap
