-- The life of one lead in the order of time: visits with their credit, submissions with their cause,
-- what the CRM and sales said, and deals.
with

lead_detail as (

    select * from marts.lead_detail
    where report_date >= @history_start and lead_key = @lead_key

),

lead_credits as (

    select * from attribution.lead_credits
    where report_date >= @history_start and lead_key = @lead_key

),

lead_touches as (

    select * from attribution.lead_touches
    where report_date >= @history_start and lead_key = @lead_key

),

event_detail as (

    select * from marts.event_detail
    where report_date >= @history_start and lead_key = @lead_key

),

records as (

    select person_nodes.node
    from lead_detail
    inner join identity.person_nodes as person_nodes using (person_key)
    where starts_with(person_nodes.node, 'crm:')

),

stages as (

    select stages.*
    from staging.stg_crm__stages as stages
    inner join records
        on records.node = concat('crm:', stages.crm, ':', stages.crm_record_id)

),

deals as (

    select deals.*
    from staging.stg_crm__deals as deals
    inner join records
        on records.node = concat('crm:', deals.crm, ':', deals.crm_record_id)

),

verdict_reasons as (

    select * from qualification.verdict_reasons
    where report_date >= @history_start and lead_key = @lead_key

),

happenings as (

    select
        touches.touched_at as happened_at,
        'touch' as kind,
        touches.touch_id as row_key,
        touches.evidence as what,
        cast(null as string) as detail,
        touches.platform,
        touches.account_id,
        touches.campaign_id,
        coalesce(credits.credit, 0) as credit,
        cast(null as numeric) as amount,
        cast(null as string) as currency_code
    from lead_touches as touches
    left join lead_credits as credits using (touch_id)

    union all

    select
        leads.lead_at as happened_at,
        'credit' as kind,
        cast(null as string) as row_key,
        credits.evidence as what,
        'no visit in the look-back' as detail,
        credits.platform,
        credits.account_id,
        credits.campaign_id,
        credits.credit,
        cast(null as numeric) as amount,
        cast(null as string) as currency_code
    from lead_credits as credits
    inner join lead_detail as leads using (lead_key)
    where credits.touch_id is null

    union all

    select
        occurred_at as happened_at,
        'tag_event' as kind,
        event_key as row_key,
        cause as what,
        concat(conversion_goal, ', form ', form_id, ', page ', landing_page) as detail,
        platform,
        account_id,
        campaign_id,
        cast(null as numeric) as credit,
        cast(null as numeric) as amount,
        cast(null as string) as currency_code
    from event_detail

    union all

    select
        crm_created_at as happened_at,
        'crm_record' as kind,
        lead_key as row_key,
        observation as what,
        concat('segment ', segment) as detail,
        cast(null as string) as platform,
        cast(null as string) as account_id,
        cast(null as string) as campaign_id,
        cast(null as numeric) as credit,
        cast(null as numeric) as amount,
        cast(null as string) as currency_code
    from lead_detail

    union all

    select
        changed_at as happened_at,
        'stage' as kind,
        concat(crm, ':', crm_record_id) as row_key,
        stage as what,
        stage_reason as detail,
        cast(null as string) as platform,
        cast(null as string) as account_id,
        cast(null as string) as campaign_id,
        cast(null as numeric) as credit,
        cast(null as numeric) as amount,
        cast(null as string) as currency_code
    from stages

    union all

    select
        coalesce(leads.decided_at, @as_of) as happened_at,
        'verdict' as kind,
        cast(reasons.reason_order as string) as row_key,
        if(reasons.is_primary, coalesce(leads.reason, leads.verdict), 'besides') as what,
        reasons.says as detail,
        cast(null as string) as platform,
        cast(null as string) as account_id,
        cast(null as string) as campaign_id,
        cast(null as numeric) as credit,
        cast(null as numeric) as amount,
        cast(null as string) as currency_code
    from verdict_reasons as reasons
    inner join lead_detail as leads using (lead_key)

    union all

    select
        deal_created_at as happened_at,
        'deal' as kind,
        concat(crm, ':', deal_id) as row_key,
        'opened' as what,
        cast(null as string) as detail,
        cast(null as string) as platform,
        cast(null as string) as account_id,
        cast(null as string) as campaign_id,
        cast(null as numeric) as credit,
        deal_amount as amount,
        currency_code
    from deals

    union all

    select
        deal_closed_at as happened_at,
        'deal' as kind,
        concat(crm, ':', deal_id) as row_key,
        if(is_won, 'won', 'lost') as what,
        cast(null as string) as detail,
        cast(null as string) as platform,
        cast(null as string) as account_id,
        cast(null as string) as campaign_id,
        cast(null as numeric) as credit,
        deal_amount as amount,
        currency_code
    from deals
    where is_closed

),

lead_life as (

    select
        happened_at,
        kind,
        row_key,
        what,
        detail,
        platform,
        account_id,
        campaign_id,
        credit,
        amount,
        currency_code
    from happenings

)

select * from lead_life
