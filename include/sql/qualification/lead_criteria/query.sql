-- What is declared of each lead, criterion by criterion, and which rules of the score it meets.
with

lead_records as (

    select * from qualification.lead_records
    where report_date >= @history_start

),

criteria as (

    select
        criteria.criterion,
        criteria.weight,
        criteria.weak_reason,
        reasons.reason_order as weak_reason_order
    from rules.criteria as criteria
    inner join rules.reasons as reasons
        on
            criteria.rules_version = reasons.rules_version
            and criteria.weak_reason = reasons.reason
    where criteria.rules_version = @rules_version

),

hard_disqualifiers as (

    select
        disqualifiers.criterion,
        disqualifiers.below,
        disqualifiers.reason,
        reasons.reason_order
    from rules.hard_disqualifiers as disqualifiers
    inner join rules.reasons as reasons
        on
            disqualifiers.rules_version = reasons.rules_version
            and disqualifiers.reason = reasons.reason
    where disqualifiers.rules_version = @rules_version

),

overrides as (

    select * from rules.overrides
    where rules_version = @rules_version

),

declared as (

    -- Several records of one person: the newest one that declares a criterion speaks for it, and
    -- one that was merged away only where no other does.
    select
        records.lead_key,
        records.person_key,
        records.report_date,
        records.crm,
        records.crm_record_id,
        score.criterion,
        score.declared
    from lead_records as records
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
        order by
            if(records.is_merged_away, 1, 0),
            records.crm_created_at desc,
            records.crm_record_id desc,
            records.crm desc
    ) = 1

),

outweighed as (

    -- Low is below qualified_from: no higher score of it could then lose the qualification.
    select
        high.lead_key,
        high.person_key,
        high.report_date,
        overrides.outweighs as criterion,
        overrides.criterion as outweighed_by,
        overrides.at_least
    from declared as high
    inner join overrides
        on
            high.criterion = overrides.criterion
            and high.declared >= overrides.at_least
    left join declared as low
        on
            high.lead_key = low.lead_key
            and overrides.outweighs = low.criterion
    where low.declared is null or low.declared < @qualified_score
    qualify row_number() over (
        partition by high.lead_key, overrides.outweighs
        order by overrides.rule_order
    ) = 1

),

declared_or_outweighed as (

    select
        coalesce(declared.lead_key, outweighed.lead_key) as lead_key,
        coalesce(declared.person_key, outweighed.person_key) as person_key,
        coalesce(declared.report_date, outweighed.report_date) as report_date,
        coalesce(declared.criterion, outweighed.criterion) as criterion,
        declared.crm,
        declared.crm_record_id,
        declared.declared,
        outweighed.outweighed_by,
        outweighed.at_least as outweighed_from
    from declared
    full outer join outweighed
        on
            declared.lead_key = outweighed.lead_key
            and declared.criterion = outweighed.criterion

),

lead_criteria as (

    select
        scores.lead_key,
        scores.person_key,
        scores.report_date,
        scores.criterion,
        scores.crm,
        scores.crm_record_id,
        scores.declared,
        criteria.weight,
        criteria.weak_reason,
        criteria.weak_reason_order,
        scores.outweighed_by,
        scores.outweighed_from,
        disqualifiers.below as disqualified_below,
        disqualifiers.reason as hard_reason,
        disqualifiers.reason_order as hard_reason_order,
        @rules_version as rules_version
    from declared_or_outweighed as scores
    inner join criteria using (criterion)
    left join hard_disqualifiers as disqualifiers
        on
            scores.criterion = disqualifiers.criterion
            and scores.declared < disqualifiers.below

)

select * from lead_criteria
