-- Credit per lead. Weights become whole units, and each touch gets the difference of two rounded
-- running sums: never negative, exactly 1 per lead, nothing left over.
with

leads as (

    select * from identity.leads
    where report_date >= @history_start

),

lead_touches as (

    select * from attribution.lead_touches
    where report_date >= @history_start

),

touches_weighted as (

    select
        *,
        case @attribution_model
            when 'first_touch' then if(touch_position = 1, 1000000, 0)
            when 'last_touch' then if(touch_position = touch_count, 1000000, 0)
        end as units
    from lead_touches

),

leads_without_touch as (

    -- The making submission's campaign, else what the CRM knows: every lead has credits.
    select
        leads.lead_key,
        leads.report_date,
        cast(null as string) as touch_id,
        1 as touch_position,
        leads.platform,
        leads.account_id,
        leads.campaign_id,
        leads.evidence,
        1000000 as units
    from leads
    left join (select distinct lead_key from lead_touches) as touched using (lead_key)
    where touched.lead_key is null

),

all_units as (

    select
        lead_key,
        report_date,
        touch_id,
        touch_position,
        platform,
        account_id,
        campaign_id,
        evidence,
        units
    from touches_weighted

    union all

    select * from leads_without_touch

),

running_sums as (

    select
        *,
        sum(units) over (
            partition by lead_key
            order by touch_position
            rows between unbounded preceding and current row
        ) as units_up_to_here,
        sum(units) over (partition by lead_key) as units_in_all
    from all_units

),

billionths as (

    select
        *,
        div(2 * units_up_to_here * 1000000000 + units_in_all, 2 * units_in_all)
        - div(2 * (units_up_to_here - units) * 1000000000 + units_in_all, 2 * units_in_all)
            as credit_billionths
    from running_sums

),

lead_credits as (

    select
        billionths.lead_key,
        billionths.touch_position as credit_position,
        leads.person_key,
        billionths.report_date,
        leads.conversion_goal,
        billionths.platform,
        billionths.account_id,
        billionths.campaign_id,
        billionths.evidence,
        billionths.touch_id,
        cast(billionths.credit_billionths as numeric) * numeric '0.000000001' as credit,
        @rules_version as rules_version
    from billionths
    inner join leads using (lead_key)
    where billionths.credit_billionths > 0

)

select * from lead_credits
