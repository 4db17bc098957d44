-- What happened on each day, whenever the leads came in. The funnel counts the same leads on their
-- own days; over all days both give the same totals.
with

lead_milestones as (

    select * from marts.lead_milestones
    where report_date >= @history_start

),

events_by_date as (

    select
        report_date,
        platform,
        account_id,
        campaign_id,
        conversion_goal,
        sum(if(milestone = 'qualified', credit, 0)) as qualified_that_day,
        sum(if(milestone = 'opportunity', credit, 0)) as opportunities_opened_that_day,
        sum(if(milestone = 'customer', credit, 0)) as customers_won_that_day,
        sum(won_amount) as won_that_day_amount,
        @rules_version as rules_version,
        @as_of as as_of
    from lead_milestones
    group by report_date, platform, account_id, campaign_id, conversion_goal

)

select * from events_by_date
