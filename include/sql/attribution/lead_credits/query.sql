-- Credit per lead. Weights become whole units, and each touch gets the difference of two rounded
-- running sums: never negative, exactly 1 per lead, nothing left over. Every model has a step of
-- its own, which reads nothing where the rulebook names another.
with

leads as (

    select * from identity.leads
    where report_date >= @history_start

),

lead_touches as (

    select * from attribution.lead_touches
    where report_date >= @history_start

),

decay_factors as (

    select * from rules.decay_factors
    where rules_version = @rules_version

),

model_fits as (

    select * from rules.model_fits
    where rules_version = @rules_version

),

last_known_touches as (

    -- Where every visit was typed in, the last of them.
    select
        lead_key,
        coalesce(
            max(if(platform != 'direct', touch_position, null)),
            max(touch_position)
        ) as touch_position
    from lead_touches
    where @attribution_model = 'last_non_direct'
    group by lead_key

),

touches_by_place as (

    -- Here the sums follow from the place alone, without a look at the lead's other touches.
    select
        lead_key,
        touch_id,
        touch_position,
        platform,
        account_id,
        campaign_id,
        evidence,
        1 as units,
        1 as units_up_to_here,
        1 as units_in_all
    from lead_touches
    where
        touch_position
        = case @attribution_model when 'first_touch' then 1 when 'last_touch' then touch_count end

    union all

    select
        lead_touches.lead_key,
        lead_touches.touch_id,
        lead_touches.touch_position,
        lead_touches.platform,
        lead_touches.account_id,
        lead_touches.campaign_id,
        lead_touches.evidence,
        1 as units,
        1 as units_up_to_here,
        1 as units_in_all
    from lead_touches
    inner join last_known_touches
        on
            lead_touches.lead_key = last_known_touches.lead_key
            and lead_touches.touch_position = last_known_touches.touch_position

    union all

    select
        lead_key,
        touch_id,
        touch_position,
        platform,
        account_id,
        campaign_id,
        evidence,
        1 as units,
        touch_position as units_up_to_here,
        touch_count as units_in_all
    from lead_touches
    where @attribution_model = 'linear'

),

leads_touched as (

    select
        lead_key,
        max(touched_at) as newest_touched_at
    from lead_touches
    where @attribution_model = 'time_decay'
    group by lead_key

),

touches_aged as (

    -- In 16384ths of a half-life behind the lead's newest touch, and what is left over.
    select
        lead_touches.*,
        div(
            16384 * timestamp_diff(newest_touched_at, touched_at, microsecond),
            @half_life_microseconds
        ) as age_steps,
        mod(
            16384 * timestamp_diff(newest_touched_at, touched_at, microsecond),
            @half_life_microseconds
        ) as age_rest
    from lead_touches
    inner join leads_touched using (lead_key)

),

touches_decayed as (

    -- Whole numbers, where 2147483648 is one: the engines' power functions may differ.
    select
        aged.*,
        div(
            div(half_lives.factor * parts.factor, 2147483648) * small_parts.factor,
            2147483648
        ) as factor_of_steps
    from touches_aged as aged
    -- 21 half-lives take all units but the least one, as do more.
    inner join decay_factors as half_lives
        on half_lives.digit = 0 and least(div(aged.age_steps, 16384), 21) = half_lives.step
    inner join decay_factors as parts
        on parts.digit = 1 and mod(div(aged.age_steps, 128), 128) = parts.step
    inner join decay_factors as small_parts
        on small_parts.digit = 2 and mod(aged.age_steps, 128) = small_parts.step

),

channels_of_leads as (

    select
        lead_key,
        platform,
        count(*) as touches_of_channel
    from lead_touches
    where @attribution_model in ('markov', 'shapley')
    group by lead_key, platform

),

channels_fitted as (

    -- A channel's weight is shared by its touches: coming by the same channel again makes it no
    -- more important, just as it changes neither a removal effect nor a Shapley value.
    select
        channels_of_leads.lead_key,
        channels_of_leads.platform,
        div(
            2 * coalesce(model_fits.weight_trillionths, 0) + touches_of_channel,
            2 * touches_of_channel
        ) as weight_of_a_touch
    from channels_of_leads
    left join model_fits on channels_of_leads.platform = model_fits.channel

),

channels_compared as (

    select
        *,
        max(weight_of_a_touch) over (partition by lead_key) as heaviest_weight
    from channels_fitted

),

touches_weighted as (

    select
        lead_key,
        touch_id,
        touch_position,
        platform,
        account_id,
        campaign_id,
        evidence,
        case
            when touch_count = 1 then 1
            when touch_position = 1 then @first_touch_percent * greatest(touch_count - 2, 1)
            when touch_position = touch_count
                then @last_touch_percent * greatest(touch_count - 2, 1)
            else 100 - @first_touch_percent - @last_touch_percent
        end as weight,
        case
            when touch_count = 1 then 1
            when touch_count = 2 then greatest(@first_touch_percent, @last_touch_percent)
            else greatest(
                @first_touch_percent * (touch_count - 2),
                @last_touch_percent * (touch_count - 2),
                100 - @first_touch_percent - @last_touch_percent
            )
        end as heaviest_weight
    from lead_touches
    where @attribution_model = 'position_based'

    union all

    select
        lead_key,
        touch_id,
        touch_position,
        platform,
        account_id,
        campaign_id,
        evidence,
        -- A 16384th of a half-life takes off 90852 of 2147483648, what is left over its part of
        -- that.
        factor_of_steps
        - div(factor_of_steps * div(90852 * age_rest, @half_life_microseconds), 2147483648)
            as weight,
        2147483648 as heaviest_weight
    from touches_decayed

    union all

    select
        lead_touches.lead_key,
        lead_touches.touch_id,
        lead_touches.touch_position,
        lead_touches.platform,
        lead_touches.account_id,
        lead_touches.campaign_id,
        lead_touches.evidence,
        -- Where the fit knows none of the lead's channels, its touches are equals.
        if(compared.heaviest_weight = 0, 1, compared.weight_of_a_touch) as weight,
        greatest(compared.heaviest_weight, 1) as heaviest_weight
    from lead_touches
    inner join channels_compared as compared
        on
            lead_touches.lead_key = compared.lead_key
            and lead_touches.platform = compared.platform

),

touches_in_units as (

    -- A lead's heaviest touch has a million units; what weighs anything has at least one.
    select
        lead_key,
        touch_id,
        touch_position,
        platform,
        account_id,
        campaign_id,
        evidence,
        greatest(1, div(2000000 * weight + heaviest_weight, 2 * heaviest_weight)) as units
    from touches_weighted
    where weight > 0

),

credited_touches as (

    select * from touches_by_place

    union all

    select
        *,
        cast(
            sum(units) over (
                partition by lead_key
                order by touch_position
                rows between unbounded preceding and current row
            ) as int64
        ) as units_up_to_here,
        cast(
            sum(units) over (
                partition by lead_key
                order by touch_position
                rows between unbounded preceding and unbounded following
            ) as int64
        ) as units_in_all
    from touches_in_units

    union all

    -- The making submission's campaign, else what the CRM knows: every lead has credits.
    select
        leads.lead_key,
        cast(null as string) as touch_id,
        1 as touch_position,
        leads.platform,
        leads.account_id,
        leads.campaign_id,
        leads.evidence,
        1 as units,
        1 as units_up_to_here,
        1 as units_in_all
    from leads
    left join lead_touches
        on leads.lead_key = lead_touches.lead_key and lead_touches.touch_position = 1
    where lead_touches.lead_key is null

),

lead_credits as (

    select
        touches.lead_key,
        leads.person_key,
        touches.touch_position as credit_position,
        leads.report_date,
        leads.conversion_goal,
        touches.platform,
        touches.account_id,
        touches.campaign_id,
        touches.evidence,
        touches.touch_id,
        -- Billionths: round(sum * 10^9 / all) up to here, less that before. By two steps of a
        -- long division, since at once it would leave INT64 from 4,612 touches on.
        cast(
            10000 * div(100000 * units_up_to_here, units_in_all)
            + div(
                20000 * mod(100000 * units_up_to_here, units_in_all) + units_in_all,
                2 * units_in_all
            )
            - 10000 * div(100000 * (units_up_to_here - units), units_in_all)
            - div(
                20000 * mod(100000 * (units_up_to_here - units), units_in_all) + units_in_all,
                2 * units_in_all
            ) as numeric
        ) * numeric '0.000000001' as credit,
        @rules_version as rules_version
    from credited_touches as touches
    inner join leads using (lead_key)

)

select * from lead_credits
