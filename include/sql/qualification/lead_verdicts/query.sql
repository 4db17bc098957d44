-- The verdict on every lead: what people said, else what disqualifies by itself, else the score,
-- else pending until the clock makes it undecided.
with

leads as (

    select * from identity.leads
    where report_date >= @history_start

),

lead_records as (

    select * from qualification.lead_records
    where report_date >= @history_start

),

stage_changes as (

    select * from qualification.stage_changes
    where report_date >= @history_start

),

human_verdicts as (

    select * from qualification.human_verdicts
    where report_date >= @history_start

),

lead_criteria as (

    select * from qualification.lead_criteria
    where report_date >= @history_start

),

people_said as (

    select
        lead_key,
        max(changed_at) as last_change_at,
        max(change_number) as verdict_changes,
        max(if(is_newest, verdict, null)) as verdict,
        max(if(is_newest, reason, null)) as reason,
        min(if(verdict = 'qualified', changed_at, null)) as first_qualified_at,
        max(if(verdict = 'qualified', changed_at, null)) as last_qualified_at
    from human_verdicts
    group by lead_key

),

stages_passed as (

    select
        lead_key,
        max(changed_at) as newest_stage_at,
        min(if(is_contact, changed_at, null)) as first_contact_at,
        countif(verdict is null) as unknown_stages
    from stage_changes
    group by lead_key

),

newest_stage as (

    -- As the CRM names it, also where the rulebook does not know the name.
    select
        lead_key,
        stage,
        verdict is null as is_unknown
    from stage_changes
    qualify row_number() over (
        partition by lead_key
        order by changed_at desc, crm_record_id desc, crm desc, stage desc
    ) = 1

),

attempts_per_history as (

    -- The CRM counts up on each record; a merge goes on with the count.
    select
        lead_key,
        max(contact_attempts) as contact_attempts
    from stage_changes
    where contact_attempts is not null
    group by lead_key, crm, history_record_id

),

attempts as (

    select
        lead_key,
        sum(contact_attempts) as contact_attempts
    from attempts_per_history
    group by lead_key

),

scores as (

    -- Weighted sums and sums of weights; their quotient is compared by multiplying, since dividing
    -- NUMERIC rounds differently on different engines. What is outweighed counts as declared and is
    -- left out of the score that is judged.
    select
        lead_key,
        sum(declared * weight) as weighted_sum,
        sum(if(declared is null, 0, weight)) as coverage,
        sum(if(outweighed_by is null, declared * weight, 0)) as judged_sum,
        sum(if(outweighed_by is null, weight, 0)) as judged_weight,
        sum(weight) as judged_coverage,
        logical_or(outweighed_by is not null) as is_outweighed,
        min(hard_reason_order) as hard_reason_order
    from lead_criteria
    group by lead_key

),

weakest_criterion as (

    select
        lead_key,
        weak_reason
    from lead_criteria
    where declared is not null and outweighed_by is null and weight > 0
    qualify row_number() over (
        partition by lead_key
        order by declared, weak_reason_order, criterion
    ) = 1

),

lead_types as (

    select * from rules.lead_types
    where rules_version = @rules_version

),

types_that_hold as (

    select
        lead_records.lead_key,
        lead_types.rule_order,
        lead_types.lead_type
    from lead_records
    inner join lead_types
        on
            lead_records.declared_lead_type = lead_types.declared
            and lead_records.crm = coalesce(lead_types.crm, lead_records.crm)

    union all

    select
        stage_changes.lead_key,
        lead_types.rule_order,
        lead_types.lead_type
    from stage_changes
    inner join lead_types
        on
            stage_changes.stage = lead_types.stage
            and stage_changes.crm = coalesce(lead_types.crm, stage_changes.crm)

),

lead_type as (

    select
        lead_key,
        lead_type
    from types_that_hold
    qualify row_number() over (
        partition by lead_key
        order by rule_order
    ) = 1

),

deals_of_leads as (

    -- In the reporting currency: null is an amount that is not known there, never taken 1:1.
    select
        lead_records.lead_key,
        deals.is_won,
        deals.is_closed,
        deals.deal_created_at,
        deals.deal_closed_at,
        deals.reporting_amount,
        deals.is_rate_missing
    from lead_records
    inner join staging.stg_crm__deals as deals using (crm, crm_record_id)

),

outcome as (

    select
        lead_key,
        logical_or(is_won) as is_customer,
        min(deal_created_at) as opportunity_at,
        min(if(is_won, coalesce(deal_closed_at, deal_created_at), null)) as customer_at,
        sum(if(is_won or not is_closed, coalesce(reporting_amount, 0), 0)) as pipeline_amount,
        sum(if(is_won, coalesce(reporting_amount, 0), 0)) as won_amount,
        countif(is_rate_missing) as deals_without_rate
    from deals_of_leads
    group by lead_key

),

decided as (

    select
        leads.lead_key,
        timestamp_add(leads.lead_at, interval @final_after_days day) as final_at,
        people_said.last_change_at,
        people_said.verdict as human_verdict,
        people_said.reason as human_reason,
        hard_reasons.reason as hard_reason,
        case
            when people_said.verdict in ('qualified', 'disqualified') then 'human'
            when leads.is_deleted then 'deletion'
            when hard_reasons.reason is not null then 'hard_disqualifier'
            when
                scores.judged_weight > 0
                and scores.judged_coverage >= @min_coverage
                and scores.judged_sum >= @qualified_score * scores.judged_weight
                then if(scores.is_outweighed, 'override', 'score')
            when
                scores.judged_weight > 0
                and scores.judged_coverage >= @min_coverage
                and scores.judged_sum < @disqualified_score * scores.judged_weight
                then 'score'
            when timestamp_add(leads.lead_at, interval @final_after_days day) <= @as_of
                then 'clock'
            else 'nobody'
        end as decided_by,
        scores.judged_sum >= @qualified_score * scores.judged_weight as is_score_high
    from leads
    left join people_said using (lead_key)
    left join scores using (lead_key)
    left join rules.reasons as hard_reasons
        on
            scores.hard_reason_order = hard_reasons.reason_order
            and hard_reasons.rules_version = @rules_version

),

verdicts as (

    select
        decided.lead_key,
        decided.decided_by,
        decided.final_at,
        decided.last_change_at,
        case
            when decided.decided_by = 'human' then decided.human_verdict
            when decided.decided_by = 'override' then 'qualified'
            when decided.decided_by = 'score' and decided.is_score_high then 'qualified'
            when decided.decided_by = 'nobody' then 'pending'
            else 'disqualified'
        end as verdict,
        case
            when decided.decided_by = 'human' then decided.human_reason
            when decided.decided_by = 'deletion' then 'deleted_in_crm'
            when decided.decided_by = 'hard_disqualifier' then decided.hard_reason
            when decided.decided_by = 'score' and not decided.is_score_high
                then weakest_criterion.weak_reason
            when decided.decided_by = 'clock' then 'undecided'
        end as reason,
        -- When a score was declared or a record deleted is not told: the earliest it can be.
        case decided.decided_by
            when 'human' then decided.last_change_at
            when 'deletion' then coalesce(stages_passed.newest_stage_at, leads.crm_created_at)
            when 'clock'
                then greatest(decided.final_at, coalesce(decided.last_change_at, decided.final_at))
            when 'nobody' then null
            else coalesce(decided.last_change_at, leads.crm_created_at)
        end as decided_at
    from decided
    inner join leads using (lead_key)
    left join stages_passed using (lead_key)
    left join weakest_criterion using (lead_key)

),

lead_verdicts as (

    select
        leads.lead_key,
        leads.person_key,
        leads.report_date,
        verdicts.verdict,
        verdicts.reason,
        verdicts.decided_by,
        verdicts.decided_at,
        verdicts.final_at,
        verdicts.decided_by in ('human', 'hard_disqualifier', 'deletion')
        or verdicts.final_at <= @as_of as is_final,
        coalesce(verdicts.decided_at, verdicts.last_change_at) as last_status_change_at,
        coalesce(people_said.verdict_changes, 0) as verdict_changes,
        coalesce(
            people_said.first_qualified_at,
            if(verdicts.verdict = 'qualified', verdicts.decided_at, null)
        ) as first_qualified_at,
        if(
            verdicts.verdict = 'qualified', verdicts.decided_at, people_said.last_qualified_at
        ) as last_qualified_at,
        newest_stage.stage as crm_stage,
        coalesce(newest_stage.is_unknown, false) as is_stage_unknown,
        coalesce(stages_passed.unknown_stages, 0) as unknown_stages,
        lead_type.lead_type,
        -- For people to read; every comparison above multiplies instead. Divided and rounded in
        -- millionths as whole numbers: the engines round fractions differently.
        cast(
            div(
                2000000 * cast(scores.weighted_sum * 1000000000 as int64)
                + cast(scores.coverage * 1000000000 as int64),
                2 * nullif(cast(scores.coverage * 1000000000 as int64), 0)
            )
            as numeric
        ) * numeric '0.000001' as score,
        coalesce(scores.coverage, 0) as score_coverage,
        case
            when coalesce(scores.coverage, 0) = 0 then null
            when scores.weighted_sum >= @hot_score * scores.coverage then 'hot'
            when scores.weighted_sum >= @warm_score * scores.coverage then 'warm'
            else 'cold'
        end as temperature,
        stages_passed.first_contact_at,
        greatest(timestamp_diff(stages_passed.first_contact_at, leads.lead_at, minute), 0)
            as first_contact_minutes,
        coalesce(
            stages_passed.first_contact_at <= timestamp_add(leads.lead_at, interval 60 minute),
            false
        ) as is_contacted_within_an_hour,
        attempts.contact_attempts,
        if(
            verdicts.verdict = 'qualified',
            greatest(
                timestamp_diff(
                    coalesce(people_said.first_qualified_at, verdicts.decided_at),
                    leads.lead_at,
                    minute
                ),
                0
            ),
            null
        ) as qualify_minutes,
        outcome.lead_key is not null as is_opportunity,
        coalesce(outcome.is_customer, false) as is_customer,
        outcome.opportunity_at,
        outcome.customer_at,
        greatest(timestamp_diff(outcome.customer_at, leads.lead_at, minute), 0) as close_minutes,
        coalesce(outcome.pipeline_amount, 0) as pipeline_amount,
        coalesce(outcome.won_amount, 0) as won_amount,
        coalesce(outcome.deals_without_rate, 0) as deals_without_rate,
        @rules_version as rules_version
    from leads
    inner join verdicts using (lead_key)
    left join people_said using (lead_key)
    left join stages_passed using (lead_key)
    left join newest_stage using (lead_key)
    left join attempts using (lead_key)
    left join scores using (lead_key)
    left join lead_type using (lead_key)
    left join outcome using (lead_key)

)

select * from lead_verdicts
