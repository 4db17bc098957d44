-- Every reason that speaks for or against a lead, in words a sales person can read; the first one
-- made the verdict.
with

verdicts as (

    select * from qualification.lead_verdicts
    where report_date >= @history_start

),

deleted_leads as (

    select lead_key from identity.leads
    where report_date >= @history_start and is_deleted

),

human_verdicts as (

    select * from qualification.human_verdicts
    where report_date >= @history_start

),

lead_criteria as (

    select * from qualification.lead_criteria
    where report_date >= @history_start

),

unknown_stages as (

    select
        lead_key,
        crm,
        crm_record_id,
        stage,
        stage_reason,
        changed_at
    from qualification.stage_changes
    where report_date >= @history_start and verdict is null

),

judged_scores as (

    select
        lead_key,
        sum(if(outweighed_by is null, declared * weight, 0)) as judged_sum,
        sum(if(outweighed_by is null, weight, 0)) as judged_weight,
        sum(weight) as coverage
    from lead_criteria
    group by lead_key

),

judged_in_millionths as (

    select
        lead_key,
        coverage,
        cast(
            div(
                2000000 * cast(judged_sum * 1000000000 as int64)
                + cast(judged_weight * 1000000000 as int64),
                2 * cast(judged_weight * 1000000000 as int64)
            )
            as numeric
        ) * numeric '0.000001' as judged_score,
        judged_sum >= @qualified_score * judged_weight as is_high,
        judged_sum < @disqualified_score * judged_weight as is_low
    from judged_scores
    where judged_weight > 0

),

weakest_criterion as (

    select
        lead_key,
        criterion,
        weak_reason
    from lead_criteria
    where declared is not null and outweighed_by is null and weight > 0
    qualify row_number() over (
        partition by lead_key
        order by declared, weak_reason_order, criterion
    ) = 1

),

reasons as (

    -- One kind of rule after the other, as the rulebook asks them.
    select
        lead_key,
        case
            when not is_newest then 'earlier_verdict'
            when verdict = 'pending' then 'reopened'
            else 'human'
        end as rule,
        case
            when not is_newest then 80
            when verdict = 'pending' then 60
            else 10
        end as rule_place,
        -- The newest of the earlier ones first.
        -change_number as place,
        verdict,
        reason,
        cast(null as string) as criterion,
        cast(null as string) as other_criterion,
        cast(null as numeric) as declared_value,
        cast(null as numeric) as threshold,
        crm,
        crm_record_id,
        stage,
        stage_reason,
        changed_at
    from human_verdicts

    union all

    select
        lead_key,
        'deletion' as rule,
        20 as rule_place,
        1 as place,
        'disqualified' as verdict,
        'deleted_in_crm' as reason,
        cast(null as string) as criterion,
        cast(null as string) as other_criterion,
        cast(null as numeric) as declared_value,
        cast(null as numeric) as threshold,
        cast(null as string) as crm,
        cast(null as string) as crm_record_id,
        cast(null as string) as stage,
        cast(null as string) as stage_reason,
        cast(null as timestamp) as changed_at
    from deleted_leads

    union all

    select
        lead_key,
        'hard_disqualifier' as rule,
        30 as rule_place,
        hard_reason_order as place,
        'disqualified' as verdict,
        hard_reason as reason,
        criterion,
        cast(null as string) as other_criterion,
        declared as declared_value,
        disqualified_below as threshold,
        crm,
        crm_record_id,
        cast(null as string) as stage,
        cast(null as string) as stage_reason,
        cast(null as timestamp) as changed_at
    from lead_criteria
    where hard_reason is not null

    union all

    select
        outweighed.lead_key,
        'override' as rule,
        40 as rule_place,
        1 as place,
        if(
            judged.is_high and judged.coverage >= @min_coverage, 'qualified', 'pending'
        ) as verdict,
        cast(null as string) as reason,
        outweighed.outweighed_by as criterion,
        outweighed.criterion as other_criterion,
        high.declared as declared_value,
        outweighed.outweighed_from as threshold,
        high.crm,
        high.crm_record_id,
        cast(null as string) as stage,
        cast(null as string) as stage_reason,
        cast(null as timestamp) as changed_at
    from lead_criteria as outweighed
    inner join lead_criteria as high
        on
            outweighed.lead_key = high.lead_key
            and outweighed.outweighed_by = high.criterion
    inner join judged_in_millionths as judged on outweighed.lead_key = judged.lead_key

    union all

    select
        judged.lead_key,
        'score' as rule,
        50 as rule_place,
        1 as place,
        case
            when judged.is_high then 'qualified'
            when judged.is_low then 'disqualified'
            else 'pending'
        end as verdict,
        if(judged.is_low, weakest.weak_reason, null) as reason,
        if(judged.is_low, weakest.criterion, null) as criterion,
        cast(null as string) as other_criterion,
        judged.judged_score as declared_value,
        if(judged.is_low, @disqualified_score, @qualified_score) as threshold,
        cast(null as string) as crm,
        cast(null as string) as crm_record_id,
        cast(null as string) as stage,
        cast(null as string) as stage_reason,
        cast(null as timestamp) as changed_at
    from judged_in_millionths as judged
    left join weakest_criterion as weakest using (lead_key)
    where judged.coverage >= @min_coverage

    union all

    select
        lead_key,
        'coverage' as rule,
        50 as rule_place,
        1 as place,
        'pending' as verdict,
        cast(null as string) as reason,
        cast(null as string) as criterion,
        cast(null as string) as other_criterion,
        coverage as declared_value,
        @min_coverage as threshold,
        cast(null as string) as crm,
        cast(null as string) as crm_record_id,
        cast(null as string) as stage,
        cast(null as string) as stage_reason,
        cast(null as timestamp) as changed_at
    from judged_in_millionths
    where coverage < @min_coverage

    union all

    select
        lead_key,
        decided_by as rule,
        70 as rule_place,
        1 as place,
        verdict,
        reason,
        cast(null as string) as criterion,
        cast(null as string) as other_criterion,
        cast(null as numeric) as declared_value,
        cast(null as numeric) as threshold,
        cast(null as string) as crm,
        cast(null as string) as crm_record_id,
        cast(null as string) as stage,
        cast(null as string) as stage_reason,
        final_at as changed_at
    from verdicts
    where decided_by in ('clock', 'nobody')

    union all

    select
        lead_key,
        'unknown_stage' as rule,
        90 as rule_place,
        1 as place,
        'pending' as verdict,
        cast(null as string) as reason,
        cast(null as string) as criterion,
        cast(null as string) as other_criterion,
        cast(null as numeric) as declared_value,
        cast(null as numeric) as threshold,
        crm,
        crm_record_id,
        stage,
        stage_reason,
        changed_at
    from unknown_stages

),

reasons_in_order as (

    select
        verdicts.person_key,
        verdicts.report_date,
        reasons.*,
        row_number() over (
            partition by reasons.lead_key
            order by
                if(reasons.rule = verdicts.decided_by, 0, 1),
                reasons.rule_place,
                reasons.place,
                reasons.criterion,
                reasons.other_criterion,
                reasons.changed_at,
                reasons.crm_record_id,
                reasons.crm,
                reasons.stage
        ) as reason_order
    from reasons
    inner join verdicts using (lead_key)

),

reasons_with_texts as (

    -- Exact: the engines write fractions as text differently, so the nine decimals are written as a
    -- whole number and trimmed.
    select
        *,
        rtrim(
            rtrim(
                concat(
                    cast(div(cast(declared_value * 1000000000 as int64), 1000000000) as string),
                    '.',
                    lpad(
                        cast(
                            mod(cast(declared_value * 1000000000 as int64), 1000000000) as string
                        ),
                        9,
                        '0'
                    )
                ),
                '0'
            ),
            '.'
        ) as value_text,
        rtrim(
            rtrim(
                concat(
                    cast(div(cast(threshold * 1000000000 as int64), 1000000000) as string),
                    '.',
                    lpad(
                        cast(mod(cast(threshold * 1000000000 as int64), 1000000000) as string),
                        9,
                        '0'
                    )
                ),
                '0'
            ),
            '.'
        ) as threshold_text,
        concat(
            stage, if(stage_reason is null, '', concat(' (', stage_reason, ')'))
        ) as stage_text,
        format_date('%Y-%m-%d', date(changed_at, @reporting_time_zone)) as day_text,
        replace(replace(coalesce(reason, verdict), 'marked_', ''), '_', ' ') as verdict_text
    from reasons_in_order

),

verdict_reasons as (

    select
        lead_key,
        person_key,
        report_date,
        reason_order,
        reason_order = 1 as is_primary,
        rule,
        verdict,
        reason,
        criterion,
        other_criterion,
        declared_value,
        threshold,
        crm,
        crm_record_id,
        stage,
        stage_reason,
        changed_at,
        case
            when rule = 'human' then concat(
                'Sales says ', verdict_text, ': ', stage_text, ' since ', day_text, '.'
            )
            when rule = 'earlier_verdict' and verdict = 'pending' then concat(
                'Reopened before: ', stage_text, ' on ', day_text, '.'
            )
            when rule = 'earlier_verdict' then concat(
                'Sales said before: ', verdict_text, ', ', stage_text, ' on ', day_text, '.'
            )
            when rule = 'reopened' then concat(
                'Reopened, so what sales said before no longer counts: ', stage_text, ' since ',
                day_text, '.'
            )
            when rule = 'deletion' then 'Every record of the person is deleted in the CRM.'
            when rule = 'hard_disqualifier' then concat(
                'Declared ', criterion, ' is ', value_text, ', below ', threshold_text,
                ', which disqualifies by itself: ', verdict_text, '.'
            )
            when rule = 'override' then concat(
                'Declared ', criterion, ' is ', value_text, ', at least ', threshold_text,
                ', so a missing or low ', other_criterion, ' is left out of the score.'
            )
            when rule = 'coverage' then concat(
                'Too little is declared for a score: criteria that weigh ', value_text, ' of the ',
                threshold_text, ' needed.'
            )
            when rule = 'score' and verdict = 'qualified' then concat(
                'The score is ', value_text, ', at least ', threshold_text, ': qualified.'
            )
            when rule = 'score' and verdict = 'disqualified' then concat(
                'The score is ', value_text, ', below ', threshold_text, ', and ', criterion,
                ' is the weakest criterion: ', verdict_text, '.'
            )
            when rule = 'score' then concat(
                'The score is ', value_text, ', below ', threshold_text, ': not qualified by it.'
            )
            when rule = 'clock' then concat(
                'Nobody has decided: undecided since ', day_text, '.'
            )
            when rule = 'nobody' then concat(
                'Nobody has decided yet: undecided from ', day_text, ' on.'
            )
            else concat(
                'The rulebook does not know the stage ', stage_text, ' of ', day_text,
                ', so it says nothing of the verdict.'
            )
        end as says,
        @rules_version as rules_version
    from reasons_with_texts

)

select * from verdict_reasons
