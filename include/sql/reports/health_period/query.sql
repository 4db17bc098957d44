-- What the health signs compare, for one period. Leads count on the day they came, verdicts given
-- on the day they fell.
with

funnel_daily as (

    select * from marts.funnel_daily
    where report_date >= @history_start

),

leads as (

    select * from identity.leads
    where report_date >= @first_date and report_date <= @last_date

),

lead_verdicts as (

    select * from qualification.lead_verdicts
    where report_date >= @first_date and report_date <= @last_date

),

human_verdicts as (

    select * from qualification.lead_verdicts
    where report_date >= @history_start and decided_by = 'human'

),

funnel as (

    select
        min(if(spend_amount > 0 or pixel_conversions > 0, report_date, null)) as first_active_date,
        sum(
            if(report_date between @first_date and @last_date, pixel_conversions, 0)
        ) as pixel_conversions,
        sum(
            if(
                report_date between @first_date and @last_date and claim_state = 'reported',
                real_leads,
                0
            )
        ) as real_leads_reported,
        sum(if(report_date between @first_date and @last_date, real_leads, 0)) as real_leads,
        sum(
            if(report_date between @first_date and @last_date, qualified_leads, 0)
        ) as qualified_leads,
        sum(if(report_date between @first_date and @last_date, customers, 0)) as customers,
        sum(if(report_date between @first_date and @last_date, won_amount, 0)) as won_amount
    from funnel_daily

),

contacts as (

    select
        count(*) as leads,
        countif(lead_verdicts.first_contact_at is not null) as contacted,
        countif(
            timestamp_diff(lead_verdicts.first_contact_at, leads.lead_at, minute) <= 1440
        ) as contacted_within_day,
        countif(lead_verdicts.score_coverage = 0) as undeclared
    from leads
    inner join lead_verdicts using (lead_key)

),

verdicts as (

    select
        countif(
            date(decided_at, @reporting_time_zone) between @first_date and @last_date
        ) as verdicts_given
    from human_verdicts

),

health_period as (

    select
        @first_date as first_date,
        @last_date as last_date,
        funnel.first_active_date,
        coalesce(funnel.pixel_conversions, 0) as pixel_conversions,
        coalesce(funnel.real_leads_reported, 0) as real_leads_reported,
        coalesce(funnel.real_leads, 0) as real_leads,
        coalesce(funnel.qualified_leads, 0) as qualified_leads,
        coalesce(funnel.customers, 0) as customers,
        coalesce(funnel.won_amount, 0) as won_amount,
        contacts.leads,
        contacts.contacted,
        contacts.contacted_within_day,
        contacts.undeclared,
        verdicts.verdicts_given
    from funnel
    cross join contacts
    cross join verdicts

)

select * from health_period
