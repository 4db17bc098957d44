-- How fast verdicts come in, learnt from days old enough that every lead is final. A channel with
-- too few of them takes the curve of all channels; where all have too few, nothing is said.
with

known as (

    -- A stalled CRM brings no verdicts: leads do not ripen while nobody can see what became of them.
    select
        date_sub(
            date(least(coalesce(max(complete_until), @as_of), @as_of), @reporting_time_zone),
            interval 1 day
        ) as known_until_date
    from staging.stg_crm__completeness

),

lead_verdicts as (

    select * from qualification.lead_verdicts
    where
        report_date >= date_sub(@as_of_date, interval @curve_days day)

),

lead_credits as (

    select * from attribution.lead_credits
    where
        report_date >= date_sub(@as_of_date, interval @curve_days day)

),

final_leads as (

    select
        lead_verdicts.lead_key,
        lead_verdicts.verdict = 'qualified' as is_qualified,
        lead_verdicts.verdict = 'qualified' and lead_verdicts.is_opportunity as is_opportunity,
        least(
            greatest(
                date_diff(
                    date(
                        coalesce(lead_verdicts.opportunity_at, lead_verdicts.decided_at),
                        @reporting_time_zone
                    ),
                    lead_verdicts.report_date,
                    day
                ),
                0
            ),
            @final_after_days
        ) as opportunity_age,
        -- A change after final_after_days restates a lead that counted as final by then.
        least(
            greatest(
                coalesce(
                    date_diff(
                        date(lead_verdicts.decided_at, @reporting_time_zone),
                        lead_verdicts.report_date,
                        day
                    ),
                    @final_after_days
                ),
                0
            ),
            @final_after_days
        ) as settled_age
    from lead_verdicts
    cross join known
    where
        date_diff(known.known_until_date, lead_verdicts.report_date, day) >= @final_after_days

),

credits_by_age as (

    select
        lead_credits.platform as channel,
        final_leads.settled_age as age_days,
        sum(lead_credits.credit) as leads,
        sum(if(final_leads.is_qualified, lead_credits.credit, 0)) as qualified,
        numeric '0' as opportunities
    from lead_credits
    inner join final_leads using (lead_key)
    group by channel, final_leads.settled_age

    union all

    -- A deal is opened at an age of its own.
    select
        lead_credits.platform as channel,
        final_leads.opportunity_age as age_days,
        numeric '0' as leads,
        numeric '0' as qualified,
        sum(lead_credits.credit) as opportunities
    from lead_credits
    inner join final_leads using (lead_key)
    where final_leads.is_opportunity
    group by channel, final_leads.opportunity_age

),

channels_and_all as (

    select
        channel,
        age_days,
        sum(leads) as leads,
        sum(qualified) as qualified,
        sum(opportunities) as opportunities
    from credits_by_age
    group by channel, age_days

    union all

    select
        '(all)' as channel,
        age_days,
        sum(leads) as leads,
        sum(qualified) as qualified,
        sum(opportunities) as opportunities
    from credits_by_age
    group by age_days

),

every_channel as (

    select channel from rules.channels
    where rules_version = @rules_version

    union distinct

    select channel from channels_and_all

    union distinct

    select '(all)' as channel

),

every_age as (

    select
        every_channel.channel,
        age_days
    from every_channel
    cross join unnest(generate_array(0, @final_after_days)) as age_days

),

running_counts as (

    select
        every_age.channel,
        every_age.age_days,
        coalesce(sum(counted.leads) over whole_channel, 0) as final_leads,
        coalesce(sum(counted.leads) over up_to_age, 0) as settled_leads,
        coalesce(sum(counted.qualified) over whole_channel, 0) as final_qualified,
        coalesce(sum(counted.qualified) over up_to_age, 0) as settled_qualified,
        coalesce(sum(counted.opportunities) over whole_channel, 0) as final_opportunities,
        coalesce(sum(counted.opportunities) over up_to_age, 0) as settled_opportunities
    from every_age
    left join channels_and_all as counted
        on
            every_age.channel = counted.channel
            and every_age.age_days = counted.age_days
    window
        whole_channel as (partition by every_age.channel),
        up_to_age as (
            partition by every_age.channel
            order by every_age.age_days
            rows between unbounded preceding and current row
        )

),

counts_to_use as (

    select
        own.channel,
        own.age_days,
        own.final_leads,
        own.settled_leads,
        own.final_qualified,
        own.settled_qualified,
        own.final_opportunities,
        own.settled_opportunities,
        own.final_opportunities >= @curve_from_qualified as is_own_opportunities,
        together.final_opportunities >= @curve_from_qualified as is_known_opportunities,
        together.final_opportunities as all_opportunities,
        together.settled_opportunities as all_settled_opportunities,
        own.final_leads >= @curve_from_leads as is_own,
        own.final_qualified >= @curve_from_qualified as is_own_qualified,
        together.final_leads >= @curve_from_leads as is_known,
        together.final_qualified >= @curve_from_qualified as is_known_qualified,
        together.final_leads as all_leads,
        together.settled_leads as all_settled,
        together.final_qualified as all_qualified,
        together.settled_qualified as all_settled_qualified
    from running_counts as own
    inner join running_counts as together using (age_days)
    where together.channel = '(all)'

),

thousandths as (

    -- Whole numbers, so that dividing them is the same on every engine.
    select
        *,
        cast(round(if(is_own, final_leads, all_leads), 3) * 1000 as int64) as leads,
        cast(round(if(is_own, settled_leads, all_settled), 3) * 1000 as int64) as settled,
        cast(round(if(is_own, final_qualified, all_qualified), 3) * 1000 as int64)
            as qualified_of_leads,
        cast(round(if(is_own, settled_qualified, all_settled_qualified), 3) * 1000 as int64)
            as settled_of_leads,
        cast(round(if(is_own_qualified, final_qualified, all_qualified), 3) * 1000 as int64)
            as qualified,
        cast(
            round(if(is_own_qualified, settled_qualified, all_settled_qualified), 3) * 1000
            as int64
        ) as settled_qualified_thousandths,
        cast(
            round(if(is_own_opportunities, final_opportunities, all_opportunities), 3) * 1000
            as int64
        ) as opportunities,
        cast(
            round(if(is_own_opportunities, settled_opportunities, all_settled_opportunities), 3)
            * 1000
            as int64
        ) as settled_opportunities_thousandths
    from counts_to_use

),

maturity_curve as (

    select
        @as_of_date as as_of_date,
        thousandths.channel,
        thousandths.age_days,
        known.known_until_date,
        thousandths.final_leads,
        thousandths.settled_leads,
        thousandths.final_qualified,
        thousandths.settled_qualified,
        thousandths.final_opportunities,
        thousandths.settled_opportunities,
        if(
            thousandths.is_known,
            cast(
                div(2000000 * thousandths.settled + thousandths.leads, 2 * thousandths.leads)
                as numeric
            ) * numeric '0.000001',
            null
        ) as maturity,
        if(
            thousandths.is_known_qualified,
            cast(
                div(
                    2000000 * thousandths.settled_qualified_thousandths + thousandths.qualified,
                    2 * thousandths.qualified
                )
                as numeric
            ) * numeric '0.000001',
            null
        ) as qualified_maturity,
        if(
            thousandths.is_known_opportunities,
            cast(
                div(
                    2000000 * thousandths.settled_opportunities_thousandths
                    + thousandths.opportunities,
                    2 * thousandths.opportunities
                )
                as numeric
            ) * numeric '0.000001',
            null
        ) as opportunity_maturity,
        if(
            thousandths.is_known,
            cast(
                div(
                    2000000 * thousandths.settled_of_leads + thousandths.leads,
                    2 * thousandths.leads
                )
                as numeric
            ) * numeric '0.000001',
            null
        ) as qualified_share,
        case
            when not thousandths.is_known then null
            when thousandths.leads = thousandths.settled then numeric '0'
            else cast(
                div(
                    2000000 * (thousandths.qualified_of_leads - thousandths.settled_of_leads)
                    + thousandths.leads - thousandths.settled,
                    2 * (thousandths.leads - thousandths.settled)
                )
                as numeric
            ) * numeric '0.000001'
        end as later_qualified,
        @rules_version as rules_version,
        @as_of as as_of
    from thousandths
    cross join known

)

select * from maturity_curve
