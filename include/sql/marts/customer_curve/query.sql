-- How qualified leads become customers, learnt from those qualified so long ago that a deal is
-- either won or not to be expected any more.
with

known as (

    select known_until_date
    from marts.maturity_curve
    where
        as_of_date = @as_of_date
        and channel = '(all)'
        and age_days = 0

),

qualified_leads as (

    select * from qualification.lead_verdicts
    where
        report_date >= date_sub(@as_of_date, interval @curve_days day)
        and verdict = 'qualified'

),

lead_credits as (

    select * from attribution.lead_credits
    where
        report_date >= date_sub(@as_of_date, interval @curve_days day)

),

settled_leads as (

    select
        qualified_leads.lead_key,
        qualified_leads.is_customer,
        -- Sold before anybody said so: won on the day of the verdict. Sold late: by the last age.
        least(
            greatest(
                date_diff(
                    date(
                        coalesce(qualified_leads.customer_at, qualified_leads.decided_at),
                        @reporting_time_zone
                    ),
                    date(qualified_leads.decided_at, @reporting_time_zone),
                    day
                ),
                0
            ),
            @close_after_days
        ) as won_age
    from qualified_leads
    cross join known
    where
        date_diff(
            known.known_until_date, date(qualified_leads.decided_at, @reporting_time_zone), day
        ) >= @close_after_days

),

credits_by_age as (

    select
        lead_credits.platform as channel,
        -- Leads that were never won count at the first age, with no customer.
        if(settled_leads.is_customer, settled_leads.won_age, 0) as won_age,
        sum(lead_credits.credit) as leads,
        sum(if(settled_leads.is_customer, lead_credits.credit, 0)) as customers
    from lead_credits
    inner join settled_leads using (lead_key)
    group by all

),

channels_and_all as (

    select
        channel,
        won_age,
        leads,
        customers
    from credits_by_age

    union all

    select
        '(all)' as channel,
        won_age,
        sum(leads) as leads,
        sum(customers) as customers
    from credits_by_age
    group by won_age

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
    cross join unnest(generate_array(0, @close_after_days)) as age_days

),

running_counts as (

    select
        every_age.channel,
        every_age.age_days,
        coalesce(sum(counted.leads) over whole_channel, 0) as settled_qualified,
        coalesce(sum(counted.customers) over whole_channel, 0) as customers,
        coalesce(sum(counted.customers) over up_to_age, 0) as customers_by_age
    from every_age
    left join channels_and_all as counted
        on
            every_age.channel = counted.channel
            and every_age.age_days = counted.won_age
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
        own.settled_qualified,
        own.customers,
        own.customers_by_age,
        together.settled_qualified >= @curve_from_leads as is_known,
        if(
            own.settled_qualified >= @curve_from_leads,
            own.settled_qualified,
            together.settled_qualified
        ) as qualified_to_use,
        if(own.settled_qualified >= @curve_from_leads, own.customers, together.customers)
            as customers_to_use,
        if(
            own.settled_qualified >= @curve_from_leads,
            own.customers_by_age,
            together.customers_by_age
        ) as by_age_to_use
    from running_counts as own
    inner join running_counts as together using (age_days)
    where together.channel = '(all)'

),

thousandths as (

    select
        *,
        cast(round(qualified_to_use, 3) * 1000 as int64) as qualified,
        cast(round(customers_to_use, 3) * 1000 as int64) as won,
        cast(round(by_age_to_use, 3) * 1000 as int64) as won_by_age
    from counts_to_use

),

customer_curve as (

    select
        @as_of_date as as_of_date,
        channel,
        age_days,
        settled_qualified,
        customers,
        customers_by_age,
        if(
            is_known,
            cast(div(2000000 * won_by_age + qualified, 2 * qualified) as numeric)
            * numeric '0.000001',
            null
        ) as won_share,
        case
            when not is_known then null
            when qualified = won_by_age then numeric '0'
            else cast(
                div(
                    2000000 * (won - won_by_age) + qualified - won_by_age,
                    2 * (qualified - won_by_age)
                )
                as numeric
            ) * numeric '0.000001'
        end as later_won,
        @rules_version as rules_version,
        @as_of as as_of
    from thousandths

)

select * from customer_curve
