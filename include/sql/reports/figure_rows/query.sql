-- The rows behind one line of the funnel: claims, submissions, leads, credits or delivery, each with
-- what it adds to the line. Their amounts sum to the line's figure exactly.
with

event_detail as (

    select * from marts.event_detail
    where
        report_date >= coalesce(@first_date, @history_start)
        and report_date <= coalesce(@last_date, date '9999-12-31')
        and goal_kind = 'macro'
        and platform = coalesce(@platform, platform)
        and account_id = coalesce(@account_id, account_id)
        and campaign_id = coalesce(@campaign_id, campaign_id)
        and coalesce(@dimension_value, '') = case @dimension
            when 'segment' then segment
            when 'landing_page' then landing_page
            when 'form' then form_id
            else ''
        end

),

lead_detail as (

    select * from marts.lead_detail
    where
        report_date >= coalesce(@first_date, @history_start)
        and report_date <= coalesce(@last_date, date '9999-12-31')
        and coalesce(@dimension_value, '') = case @dimension
            when 'segment' then segment
            when 'landing_page' then landing_page
            when 'form' then form_id
            else ''
        end

),

lead_credits as (

    select
        *,
        sum(credit) over (
            partition by lead_key
            order by credit_position
            rows between unbounded preceding and current row
        ) as credit_up_to_here
    from attribution.lead_credits
    where
        report_date >= coalesce(@first_date, @history_start)
        and report_date <= coalesce(@last_date, date '9999-12-31')

),

claims as (

    select * from staging.stg_ads__claims
    where
        report_date >= coalesce(@first_date, @history_start)
        and report_date <= coalesce(@last_date, date '9999-12-31')
        and platform = coalesce(@platform, platform)
        and account_id = coalesce(@account_id, account_id)
        and campaign_id = coalesce(@campaign_id, campaign_id)
        and @dimension is null

),

macro_goals as (

    select conversion_goal from rules.conversion_goals
    where rules_version = @rules_version and goal_kind = 'macro'

),

claim_states as (

    select
        report_date,
        platform,
        account_id,
        campaign_id,
        conversion_goal,
        claim_state
    from marts.pixel_to_real_gap
    where
        report_date >= coalesce(@first_date, @history_start)
        and report_date <= coalesce(@last_date, date '9999-12-31')

),

surviving_events as (

    select
        event_key,
        person_key,
        occurred_at,
        conversion_goal
    from identity.events
    where report_date >= @history_start and exclusion is null and makes_lead

),

submission_before as (

    -- What a repeat repeats: the person's submission before it.
    select
        event_detail.event_key,
        surviving_events.event_key as earlier_key
    from event_detail
    inner join surviving_events using (person_key)
    where
        event_detail.cause in ('duplicate_submission', 'same_person')
        and event_detail.event_key != surviving_events.event_key
        and event_detail.occurred_at >= surviving_events.occurred_at
        and (
            event_detail.cause = 'same_person'
            or event_detail.conversion_goal = surviving_events.conversion_goal
        )
    qualify row_number() over (
        partition by event_detail.event_key
        order by surviving_events.occurred_at desc, surviving_events.event_key desc
    ) = 1

),

shift_rows as (

    select
        shifts.report_date,
        shifts.platform,
        shifts.account_id,
        shifts.campaign_id,
        shifts.conversion_goal,
        'tag_event' as row_kind,
        shifts.event_key as row_key,
        cast(null as string) as lead_key,
        cast(null as timestamp) as happened_at,
        'day_shift' as why,
        cast(null as string) as because_of,
        if(@line = 'day_shift', 1, -1) * cast(shifts.shift as numeric) as amount
    from marts.day_shifts as shifts
    inner join macro_goals using (conversion_goal)
    inner join claim_states
        using (report_date, platform, account_id, campaign_id, conversion_goal)
    where
        shifts.report_date >= coalesce(@first_date, @history_start)
        and shifts.report_date <= coalesce(@last_date, date '9999-12-31')
        and @line in ('day_shift', 'claimed_not_observed_rest')
        and claim_states.claim_state in ('reported', 'none')
        and shifts.platform = coalesce(@platform, shifts.platform)
        and shifts.account_id = coalesce(@account_id, shifts.account_id)
        and shifts.campaign_id = coalesce(@campaign_id, shifts.campaign_id)
        and @dimension is null

),

claim_rows as (

    select
        claims.report_date,
        claims.platform,
        claims.account_id,
        claims.campaign_id,
        claims.conversion_goal,
        'claim' as row_kind,
        claims.conversion_action as row_key,
        cast(null as string) as lead_key,
        cast(null as timestamp) as happened_at,
        claims.claim_basis as why,
        cast(null as string) as because_of,
        case @line
            when 'pixel_conversions' then claims.pixel_conversions
            when 'claimed_not_observed' then claims.pixel_conversions
            when 'view_through' then claims.view_through
            when 'claimed_not_observed_rest'
                then claims.pixel_conversions - coalesce(claims.view_through, 0)
        end as amount
    from claims
    inner join macro_goals using (conversion_goal)

),

event_rows as (

    select
        events.report_date,
        events.platform,
        events.account_id,
        events.campaign_id,
        events.conversion_goal,
        'tag_event' as row_kind,
        events.event_key as row_key,
        events.lead_key,
        events.occurred_at as happened_at,
        events.cause as why,
        submission_before.earlier_key as because_of,
        case
            when @line = 'observed_tag_events' or @line = events.cause then numeric '1'
            when
                @line = 'observed_without_claim'
                and claim_states.claim_state in ('missing', 'not_applicable')
                then numeric '1'
            when
                @line in ('claimed_not_observed', 'claimed_not_observed_rest')
                and @dimension is null
                and claim_states.claim_state in ('reported', 'none')
                then numeric '-1'
        end as amount
    from event_detail as events
    inner join claim_states
        using (report_date, platform, account_id, campaign_id, conversion_goal)
    left join submission_before using (event_key)

),

credit_of_own_campaign as (

    select
        lead_detail.lead_key,
        sum(lead_credits.credit) as credit
    from lead_detail
    inner join lead_credits using (report_date, lead_key)
    where
        lead_detail.platform = lead_credits.platform
        and lead_detail.account_id = lead_credits.account_id
        and lead_detail.campaign_id = lead_credits.campaign_id
    group by lead_detail.lead_key

),

lead_rows as (

    select
        leads.report_date,
        leads.platform,
        leads.account_id,
        leads.campaign_id,
        leads.conversion_goal,
        'lead' as row_kind,
        leads.lead_key as row_key,
        leads.lead_key,
        leads.lead_at as happened_at,
        'credited_elsewhere' as why,
        leads.making_event_key as because_of,
        numeric '1' - coalesce(own.credit, 0) as amount
    from lead_detail as leads
    left join credit_of_own_campaign as own using (lead_key)
    where
        @line = 'credited_elsewhere'
        and leads.observation = 'observed'
        and leads.platform = coalesce(@platform, leads.platform)
        and leads.account_id = coalesce(@account_id, leads.account_id)
        and leads.campaign_id = coalesce(@campaign_id, leads.campaign_id)

),

credits_with_lead as (

    select
        credits.report_date,
        credits.platform,
        credits.account_id,
        credits.campaign_id,
        credits.conversion_goal,
        credits.credit_position,
        credits.credit,
        credits.credit_up_to_here,
        credits.touch_id,
        leads.lead_key,
        leads.lead_at,
        leads.observation,
        leads.verdict,
        leads.is_opportunity,
        leads.is_customer,
        leads.pipeline_amount,
        leads.won_amount,
        leads.temperature,
        leads.lead_type,
        leads.is_stage_unknown,
        leads.is_contacted_within_an_hour,
        leads.first_contact_minutes,
        leads.contact_attempts,
        leads.qualify_minutes,
        leads.close_minutes,
        coalesce(leads.reason, leads.verdict) as line,
        leads.platform = credits.platform
        and leads.account_id = credits.account_id
        and leads.campaign_id = credits.campaign_id as is_own_campaign
    from lead_credits as credits
    inner join lead_detail as leads using (report_date, lead_key)
    where
        credits.platform = coalesce(@platform, credits.platform)
        and credits.account_id = coalesce(@account_id, credits.account_id)
        and credits.campaign_id = coalesce(@campaign_id, credits.campaign_id)

),

credit_rows as (

    select
        report_date,
        platform,
        account_id,
        campaign_id,
        conversion_goal,
        'credit' as row_kind,
        cast(credit_position as string) as row_key,
        lead_key,
        lead_at as happened_at,
        line as why,
        touch_id as because_of,
        case @line
            when 'real_leads' then credit
            when 'unobserved_leads' then if(observation = 'unobserved', credit, null)
            when 'recovered_leads' then if(observation = 'recovered', credit, null)
            when 'credited_from_elsewhere'
                then if(observation = 'observed' and not is_own_campaign, credit, null)
            when 'qualified_leads' then if(verdict = 'qualified', credit, null)
            when 'opportunities' then if(is_opportunity, credit, null)
            when 'qualified_opportunities'
                then if(is_opportunity and verdict = 'qualified', credit, null)
            when 'customers' then if(is_customer, credit, null)
            when 'qualified_customers'
                then if(is_customer and verdict = 'qualified', credit, null)
            when 'pipeline_amount'
                then
                    cast(pipeline_amount * credit_up_to_here as numeric)
                    - cast(pipeline_amount * (credit_up_to_here - credit) as numeric)
            when 'won_amount'
                then
                    cast(won_amount * credit_up_to_here as numeric)
                    - cast(won_amount * (credit_up_to_here - credit) as numeric)
            when concat(temperature, '_leads') then credit
            when concat(lead_type, '_leads') then credit
            when 'contacted_leads' then if(first_contact_minutes is not null, credit, null)
            when 'contacted_within_an_hour' then if(is_contacted_within_an_hour, credit, null)
            when 'first_contact_minutes' then cast(first_contact_minutes as numeric) * credit
            when 'contact_attempts' then cast(contact_attempts as numeric) * credit
            when 'wasted_contacts'
                then
                    if(
                        verdict = 'disqualified', cast(contact_attempts as numeric) * credit, null
                    )
            when 'qualify_minutes' then cast(qualify_minutes as numeric) * credit
            when 'timed_customers' then if(close_minutes is not null, credit, null)
            when 'close_minutes' then cast(close_minutes as numeric) * credit
            when 'rulebook_misses'
                then if(is_customer and verdict != 'qualified', credit, null)
            when 'unknown_stage_leads' then if(is_stage_unknown, credit, null)
            when line then credit
        end as amount
    from credits_with_lead

),

delivery_rows as (

    select
        report_date,
        platform,
        account_id,
        campaign_id,
        '(none)' as conversion_goal,
        'delivery' as row_kind,
        campaign_id as row_key,
        cast(null as string) as lead_key,
        cast(null as timestamp) as happened_at,
        currency_code as why,
        cast(null as string) as because_of,
        case @line
            when 'spend_amount' then spend_amount
            when 'impressions' then cast(impressions as numeric)
            when 'clicks' then cast(clicks as numeric)
            when 'visits' then cast(visits as numeric)
            when 'bounces' then cast(bounces as numeric)
        end as amount
    from marts.funnel_daily
    where
        report_date >= coalesce(@first_date, @history_start)
        and report_date <= coalesce(@last_date, date '9999-12-31')
        and platform = coalesce(@platform, platform)
        and account_id = coalesce(@account_id, account_id)
        and campaign_id = coalesce(@campaign_id, campaign_id)
        and @dimension is null

),

all_rows as (

    select * from claim_rows

    union all

    select * from shift_rows

    union all

    select * from event_rows

    union all

    select * from lead_rows

    union all

    select * from credit_rows

    union all

    select * from delivery_rows

),

figure_rows as (

    select
        report_date,
        platform,
        account_id,
        campaign_id,
        conversion_goal,
        row_kind,
        row_key,
        lead_key,
        happened_at,
        why,
        because_of,
        amount
    from all_rows
    where amount is not null and amount != 0

)

select * from figure_rows
