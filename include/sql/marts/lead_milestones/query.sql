-- When each lead qualified, got its first deal and first won one, shared out between the campaigns
-- credited with it. Every row lies on the day it happened, not on the lead's.
with

leads as (

    select * from identity.leads
    where report_date >= @history_start

),

lead_verdicts as (

    select * from qualification.lead_verdicts
    where report_date >= @history_start

),

lead_credits as (

    select * from attribution.lead_credits
    where report_date >= @history_start

),

milestones_of_leads as (

    -- A deal that the CRM does not date counts on the lead's own day.
    select
        lead_key,
        'qualified' as milestone,
        decided_at as happened_at,
        numeric '0' as amount
    from lead_verdicts
    where verdict = 'qualified'

    union all

    select
        verdicts.lead_key,
        'opportunity' as milestone,
        coalesce(verdicts.opportunity_at, leads.lead_at) as happened_at,
        numeric '0' as amount
    from lead_verdicts as verdicts
    inner join leads using (lead_key)
    where verdicts.is_opportunity

    union all

    select
        verdicts.lead_key,
        'customer' as milestone,
        coalesce(verdicts.customer_at, leads.lead_at) as happened_at,
        verdicts.won_amount as amount
    from lead_verdicts as verdicts
    inner join leads using (lead_key)
    where verdicts.is_customer

),

shared_out as (

    select
        milestones.lead_key,
        milestones.milestone,
        milestones.happened_at,
        milestones.amount,
        lead_credits.credit_position,
        lead_credits.report_date as lead_date,
        lead_credits.conversion_goal,
        lead_credits.platform,
        lead_credits.account_id,
        lead_credits.campaign_id,
        lead_credits.credit,
        sum(lead_credits.credit) over (
            partition by milestones.lead_key, milestones.milestone
            order by lead_credits.credit_position
            rows between unbounded preceding and current row
        ) as credit_up_to_here
    from milestones_of_leads as milestones
    inner join lead_credits using (lead_key)

),

lead_milestones as (

    select
        shared_out.lead_key,
        leads.person_key,
        shared_out.milestone,
        shared_out.credit_position,
        date(shared_out.happened_at, @reporting_time_zone) as report_date,
        shared_out.happened_at,
        shared_out.lead_date,
        shared_out.conversion_goal,
        shared_out.platform,
        shared_out.account_id,
        shared_out.campaign_id,
        shared_out.credit,
        -- Each share is the difference of two rounded running amounts: nothing is left over.
        cast(shared_out.amount * shared_out.credit_up_to_here as numeric)
        - cast(
            shared_out.amount * (shared_out.credit_up_to_here - shared_out.credit) as numeric
        ) as won_amount,
        @rules_version as rules_version
    from shared_out
    inner join leads using (lead_key)

)

select * from lead_milestones
