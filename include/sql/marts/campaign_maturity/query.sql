-- How ripe each campaign's last days are. Spend ripens as well: a day whose verdicts are half in
-- has so far shown what half of its money bought.
with

maturity_curve as (

    select * from marts.maturity_curve
    where as_of_date = @as_of_date

),

customer_curve as (

    select * from marts.customer_curve
    where as_of_date = @as_of_date

),

known as (

    select known_until_date from maturity_curve
    where channel = '(all)' and age_days = 0

),

funnel_daily as (

    select * from marts.funnel_daily
    where
        report_date >= date_sub(@as_of_date, interval @judgement_days day)
        and report_date < @as_of_date

),

lead_credits as (

    select * from attribution.lead_credits
    where
        report_date >= date_sub(@as_of_date, interval @judgement_days day)
        and report_date < @as_of_date

),

lead_verdicts as (

    select * from qualification.lead_verdicts
    where
        report_date >= date_sub(@as_of_date, interval @judgement_days day)
        and report_date < @as_of_date

),

days_with_age as (

    select
        funnel_daily.platform,
        funnel_daily.account_id,
        funnel_daily.campaign_id,
        funnel_daily.spend_amount,
        date_diff(known.known_until_date, funnel_daily.report_date, day) as age_days
    from funnel_daily
    cross join known

),

ripe_days as (

    -- A day that is not over yet, as far as the CRM tells, has shown nothing; times 0, for what is
    -- not known at all stays so.
    select
        days_with_age.platform,
        days_with_age.account_id,
        days_with_age.campaign_id,
        days_with_age.spend_amount,
        if(
            days_with_age.age_days < 0, curve.qualified_maturity * 0, curve.qualified_maturity
        ) as qualified_maturity,
        if(
            days_with_age.age_days < 0, curve.opportunity_maturity * 0, curve.opportunity_maturity
        ) as opportunity_maturity
    from days_with_age
    left join maturity_curve as curve
        on
            days_with_age.platform = curve.channel
            and greatest(least(days_with_age.age_days, @final_after_days), 0) = curve.age_days

),

spend_per_campaign as (

    select
        platform,
        account_id,
        campaign_id,
        if(countif(spend_amount is null) = 0, sum(spend_amount), null) as spend_amount,
        if(
            countif(spend_amount is null or qualified_maturity is null) = 0,
            sum(spend_amount * qualified_maturity),
            null
        ) as mature_spend,
        if(
            countif(spend_amount is null or opportunity_maturity is null) = 0,
            sum(spend_amount * opportunity_maturity),
            null
        ) as opportunity_mature_spend
    from ripe_days
    group by platform, account_id, campaign_id

),

credits_with_age as (

    select
        lead_credits.platform,
        lead_credits.account_id,
        lead_credits.campaign_id,
        lead_credits.credit,
        lead_verdicts.verdict,
        lead_verdicts.is_customer,
        if(lead_verdicts.verdict = 'qualified', lead_verdicts.won_amount, 0) as won_amount,
        date_diff(known.known_until_date, lead_credits.report_date, day) as age_days,
        least(
            greatest(
                date_diff(
                    known.known_until_date,
                    date(lead_verdicts.decided_at, @reporting_time_zone),
                    day
                ),
                0
            ),
            @close_after_days
        ) as days_since_verdict
    from lead_credits
    inner join lead_verdicts using (lead_key)
    cross join known

),

ripe_credits as (

    select
        credits.platform,
        credits.account_id,
        credits.campaign_id,
        credits.credit,
        credits.verdict,
        credits.is_customer,
        credits.won_amount,
        if(credits.age_days < 0, curve.maturity * 0, curve.maturity) as maturity,
        if(credits.age_days < 0, curve.qualified_share * 0, curve.qualified_share)
            as qualified_share,
        curve.later_qualified,
        customer_curve.later_won,
        customer_curve.won_share
    from credits_with_age as credits
    left join maturity_curve as curve
        on
            credits.platform = curve.channel
            and greatest(least(credits.age_days, @final_after_days), 0) = curve.age_days
    left join customer_curve
        on
            credits.platform = customer_curve.channel
            and credits.days_since_verdict = customer_curve.age_days

),

leads_per_campaign as (

    select
        platform,
        account_id,
        campaign_id,
        sum(credit) as real_leads,
        if(countif(maturity is null) = 0, sum(credit * maturity), null) as mature_leads,
        sum(if(verdict = 'qualified', credit, 0)) as qualified_leads,
        if(countif(qualified_share is null) = 0, sum(credit * qualified_share), null)
            as qualified_expected,
        sum(if(verdict = 'pending', credit, 0)) as open_leads,
        if(
            countif(verdict = 'pending' and later_qualified is null) = 0,
            sum(if(verdict = 'pending', credit * later_qualified, 0)),
            null
        ) as later_qualified,
        if(
            countif(verdict = 'qualified' and later_won is null) = 0,
            sum(if(verdict = 'qualified' and not is_customer, credit * later_won, 0)),
            null
        ) as later_won,
        if(
            countif(verdict = 'qualified' and won_share is null) = 0,
            sum(if(verdict = 'qualified', credit * won_share, 0)),
            null
        ) as won_expected,
        sum(if(verdict = 'qualified' and is_customer, credit, 0)) as qualified_customers,
        sum(won_amount * credit) as won_amount,
        sum(
            won_amount * numeric '0.001' * won_amount * numeric '0.001' * credit
        ) as won_amount_squared
    from ripe_credits
    group by platform, account_id, campaign_id

),

every_campaign as (

    select
        platform,
        account_id,
        campaign_id
    from spend_per_campaign

    union distinct

    select
        platform,
        account_id,
        campaign_id
    from leads_per_campaign

),

campaign_maturity as (

    select
        @as_of_date as as_of_date,
        every_campaign.platform,
        every_campaign.account_id,
        every_campaign.campaign_id,
        date_sub(@as_of_date, interval @judgement_days day) as first_date,
        date_sub(@as_of_date, interval 1 day) as last_date,
        spend.spend_amount,
        spend.mature_spend,
        spend.opportunity_mature_spend,
        coalesce(leads.real_leads, 0) as real_leads,
        leads.mature_leads,
        coalesce(leads.qualified_leads, 0) as qualified_leads,
        leads.qualified_expected,
        coalesce(leads.open_leads, 0) as open_leads,
        leads.later_qualified,
        leads.later_won,
        leads.won_expected,
        whole_curve.won_share,
        coalesce(leads.qualified_customers, 0) as qualified_customers,
        coalesce(leads.won_amount, 0) as won_amount,
        coalesce(leads.won_amount_squared, 0) as won_amount_squared,
        @rules_version as rules_version,
        @as_of as as_of
    from every_campaign
    left join spend_per_campaign as spend using (platform, account_id, campaign_id)
    left join leads_per_campaign as leads using (platform, account_id, campaign_id)
    left join customer_curve as whole_curve
        on
            every_campaign.platform = whole_curve.channel
            and whole_curve.age_days = @close_after_days

)

select * from campaign_maturity
