-- The verdict on every lead: what people said, else what disqualifies by itself, else the score,
-- else pending until the clock makes it undecided.
with

leads as (

    select * from identity.leads
    where report_date >= @history_start

),

records_of_leads as (

    select
        leads.lead_key,
        crm_leads.*
    from leads
    inner join identity.person_nodes as person_nodes using (person_key)
    inner join staging.stg_crm__leads as crm_leads
        on person_nodes.node = concat('crm:', crm_leads.crm, ':', crm_leads.crm_record_id)

),

stage_rules as (

    select * from rules.stage_verdicts
    where rules_version = @rules_version

),

stages_of_leads as (

    select
        records.lead_key,
        stages.crm,
        stages.crm_record_id,
        stages.stage,
        stages.stage_reason,
        stages.changed_at,
        stages.contact_attempts,
        records.crm_created_at
    from records_of_leads as records
    inner join staging.stg_crm__stages as stages using (crm, crm_record_id)

),

stages_read as (

    select
        stages.lead_key,
        stages.crm,
        stages.crm_record_id,
        stages.stage,
        stages.changed_at,
        stage_rules.verdict,
        stage_rules.reason
    from stages_of_leads as stages
    inner join stage_rules
        on
            stages.stage = stage_rules.stage
            and stages.crm = coalesce(stage_rules.crm, stages.crm)
            and (
                stage_rules.stage_reason is null
                or stage_rules.stage_reason = stages.stage_reason
            )
    qualify row_number() over (
        partition by stages.crm, stages.crm_record_id, stages.stage, stages.changed_at
        order by
            if(stage_rules.stage_reason is null, 1, 0),
            if(stage_rules.crm is null, 1, 0)
    ) = 1

),

newest_stage_per_record as (

    -- A record that was reopened has no verdict again: its newest stage speaks.
    select *
    from stages_read
    qualify row_number() over (
        partition by lead_key, crm, crm_record_id
        order by changed_at desc, stage desc
    ) = 1

),

newest_verdict as (

    -- A second record's automatic first stage must not wipe what sales said on the first.
    select *
    from newest_stage_per_record
    qualify row_number() over (
        partition by lead_key
        order by
            if(verdict = 'pending', 1, 0), changed_at desc, crm_record_id desc, crm desc
    ) = 1

),

newest_stage as (

    -- As the CRM names it, also where the rulebook does not know the name.
    select *
    from stages_of_leads
    qualify row_number() over (
        partition by lead_key
        order by changed_at desc, crm_record_id desc, crm desc, stage desc
    ) = 1

),

contact as (

    -- The CRM sets the first stage itself, within moments of making the record.
    select
        lead_key,
        min(
            if(changed_at > timestamp_add(crm_created_at, interval 1 minute), changed_at, null)
        ) as first_contact_at,
        max(contact_attempts) as contact_attempts
    from stages_of_leads
    group by lead_key

),

declared_criteria as (

    -- Several records of one person: the newest one that declares a criterion speaks for it.
    select
        records.lead_key,
        score.criterion,
        score.declared
    from records_of_leads as records
    cross join unnest([
        struct('fit' as criterion, records.fit as declared),
        struct('budget' as criterion, records.budget as declared),
        struct('authority' as criterion, records.authority as declared),
        struct('need' as criterion, records.need as declared),
        struct('timing' as criterion, records.timing as declared),
        struct('interest' as criterion, records.interest as declared),
        struct('intent' as criterion, records.intent as declared)
    ]) as score
    where score.declared is not null
    qualify row_number() over (
        partition by records.lead_key, score.criterion
        order by records.crm_created_at desc, records.crm, records.crm_record_id desc
    ) = 1

),

criteria as (

    select * from rules.criteria
    where rules_version = @rules_version

),

scores as (

    -- The weighted sum and the weights' sum; their quotient is compared by multiplying, since
    -- dividing NUMERIC rounds differently on different engines.
    select
        declared.lead_key,
        sum(declared.declared * criteria.weight) as weighted_sum,
        sum(criteria.weight) as coverage,
        sum(if(declared.criterion = 'budget', 0, declared.declared * criteria.weight))
            as weighted_sum_without_budget,
        sum(if(declared.criterion = 'budget', 0, criteria.weight)) as coverage_without_budget,
        max(if(declared.criterion = 'intent', declared.declared, null)) as intent
    from declared_criteria as declared
    inner join criteria using (criterion)
    group by declared.lead_key

),

hard_reasons as (

    select
        declared.lead_key,
        disqualifiers.reason
    from declared_criteria as declared
    inner join rules.hard_disqualifiers as disqualifiers
        on
            declared.criterion = disqualifiers.criterion
            and declared.declared < disqualifiers.below
    inner join rules.reasons as reasons
        on
            disqualifiers.rules_version = reasons.rules_version
            and disqualifiers.reason = reasons.reason
    where disqualifiers.rules_version = @rules_version
    qualify row_number() over (
        partition by declared.lead_key
        order by reasons.reason_order
    ) = 1

),

deals_of_leads as (

    select
        records.lead_key,
        deals.*
    from records_of_leads as records
    inner join staging.stg_crm__deals as deals using (crm, crm_record_id)

),

outcome as (

    select
        lead_key,
        logical_or(is_won) as is_customer,
        sum(
            if(
                coalesce(currency_code, @reporting_currency) = @reporting_currency
                and (is_won or not is_closed),
                coalesce(deal_amount, 0),
                0
            )
        ) as pipeline_amount,
        sum(
            if(
                coalesce(currency_code, @reporting_currency) = @reporting_currency and is_won,
                coalesce(deal_amount, 0),
                0
            )
        ) as won_amount,
        countif(coalesce(currency_code, @reporting_currency) != @reporting_currency)
            as foreign_deals
    from deals_of_leads
    group by lead_key

),

decided as (

    select
        leads.lead_key,
        leads.report_date,
        newest_stage.stage as crm_stage,
        newest_verdict.changed_at as stage_changed_at,
        timestamp_add(leads.lead_at, interval @final_after_days day) as final_at,
        scores.weighted_sum,
        scores.coverage,
        case
            when newest_verdict.verdict in ('qualified', 'disqualified') then 'human'
            when leads.is_deleted then 'deletion'
            when hard_reasons.reason is not null then 'hard_disqualifier'
            when
                scores.intent >= @intent_overrides_budget
                and scores.coverage_without_budget >= @min_coverage * (1 - budget.weight)
                and scores.weighted_sum_without_budget
                >= @qualified_score * scores.coverage_without_budget
                then 'override'
            when
                scores.coverage >= @min_coverage
                and scores.weighted_sum >= @qualified_score * scores.coverage
                then 'score'
            when timestamp_add(leads.lead_at, interval @final_after_days day) <= @as_of
                then 'clock'
            else 'nobody'
        end as decided_by,
        newest_verdict.verdict as human_verdict,
        newest_verdict.reason as human_reason,
        hard_reasons.reason as hard_reason
    from leads
    left join newest_stage using (lead_key)
    left join newest_verdict using (lead_key)
    left join hard_reasons using (lead_key)
    left join scores using (lead_key)
    -- Always one row, also without any criterion.
    cross join (
        select
            max(if(criterion = 'budget', weight, 0)) as weight
        from criteria
    ) as budget

),

lead_verdicts as (

    select
        decided.lead_key,
        decided.report_date,
        case decided.decided_by
            when 'human' then decided.human_verdict
            when 'override' then 'qualified'
            when 'score' then 'qualified'
            when 'nobody' then 'pending'
            else 'disqualified'
        end as verdict,
        case decided.decided_by
            when 'human' then decided.human_reason
            when 'deletion' then 'deleted_in_crm'
            when 'hard_disqualifier' then decided.hard_reason
            when 'clock' then 'undecided'
        end as reason,
        decided.decided_by,
        case decided.decided_by
            when 'human' then decided.stage_changed_at
            when 'clock' then decided.final_at
            when 'nobody' then null
            else coalesce(decided.stage_changed_at, leads.crm_created_at)
        end as decided_at,
        decided.crm_stage,
        -- For people to read; every comparison above multiplies instead. Divided and rounded in
        -- millionths as whole numbers: the engines round fractions differently.
        cast(
            div(
                2000000 * cast(decided.weighted_sum * 1000000000 as int64)
                + cast(decided.coverage * 1000000000 as int64),
                2 * nullif(cast(decided.coverage * 1000000000 as int64), 0)
            )
            as numeric
        ) * numeric '0.000001' as score,
        coalesce(decided.coverage, 0) as score_coverage,
        case
            when decided.coverage is null then null
            when decided.weighted_sum >= @hot_score * decided.coverage then 'hot'
            when decided.weighted_sum >= @warm_score * decided.coverage then 'warm'
            else 'cold'
        end as temperature,
        decided.decided_by in ('human', 'hard_disqualifier', 'deletion')
        or decided.final_at <= @as_of as is_final,
        contact.first_contact_at,
        contact.contact_attempts,
        outcome.lead_key is not null as is_opportunity,
        coalesce(outcome.is_customer, false) as is_customer,
        coalesce(outcome.pipeline_amount, 0) as pipeline_amount,
        coalesce(outcome.won_amount, 0) as won_amount,
        coalesce(outcome.foreign_deals, 0) as foreign_deals,
        @rules_version as rules_version
    from decided
    inner join leads using (lead_key)
    left join contact using (lead_key)
    left join outcome using (lead_key)

)

select * from lead_verdicts
