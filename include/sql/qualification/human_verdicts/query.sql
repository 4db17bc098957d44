-- How the verdict of people on each lead went back and forth. The latest change by the CRM's time
-- counts, of two of one moment that of the later record; a verdict ends where its own record is
-- reopened.
with

lead_records as (

    select * from qualification.lead_records
    where report_date >= @history_start

),

stage_changes as (

    select * from qualification.stage_changes
    where report_date >= @history_start

),

changes_by_people as (

    -- The first stage, which the CRM sets itself, is nobody's word: a second record's must not
    -- reopen what sales said on the first, nor an import's what was said before.
    select *
    from stage_changes
    where
        verdict in ('qualified', 'disqualified')
        or (verdict = 'pending' and not is_at_creation)

),

newest_word_per_history as (

    select *
    from changes_by_people
    qualify row_number() over (
        partition by lead_key, crm, history_record_id
        order by changed_at desc, if(verdict = 'pending', 1, 0), stage desc, crm_record_id desc
    ) = 1

),

histories as (

    -- Of merged records the surviving one tells whether all are deleted.
    select
        lead_key,
        crm,
        history_record_id,
        if(
            countif(not is_merged_away) > 0,
            countif(is_deleted and not is_merged_away) = countif(not is_merged_away),
            logical_and(is_deleted)
        ) as is_deleted
    from lead_records
    group by lead_key, crm, history_record_id

),

known_doubles as (

    -- Marked as a duplicate, and the person has another record that is worked or was judged: the
    -- mark is of the record and says nothing of the person, as if it were merged.
    select
        histories.lead_key,
        histories.crm,
        histories.history_record_id,
        coalesce(newest.reason = 'marked_duplicate', false) as is_marked,
        countif(
            case
                when newest.reason = 'marked_duplicate' then false
                when newest.verdict in ('qualified', 'disqualified') then true
                when histories.is_deleted then false
                else true
            end
        ) over (partition by histories.lead_key) as others
    from histories
    left join newest_word_per_history as newest using (lead_key, crm, history_record_id)

),

words as (

    select
        changes.lead_key,
        changes.person_key,
        changes.report_date,
        changes.crm,
        changes.crm_record_id,
        changes.history_record_id,
        changes.changed_at,
        changes.stage,
        changes.stage_reason,
        if(changes.verdict = 'pending', 0, 1) as place_in_moment,
        if(
            changes.reason = 'marked_duplicate' and doubles.is_marked and doubles.others > 0,
            'pending',
            changes.verdict
        ) as verdict,
        if(
            changes.reason = 'marked_duplicate' and doubles.is_marked and doubles.others > 0,
            null,
            changes.reason
        ) as reason
    from changes_by_people as changes
    inner join known_doubles as doubles using (lead_key, crm, history_record_id)

),

words_until_the_next as (

    -- Two changes of one moment: a verdict is later than none, then the stage's name decides.
    select
        *,
        lead(changed_at) over (
            partition by lead_key, crm, history_record_id
            order by changed_at, place_in_moment, stage, crm_record_id
        ) as until_at,
        lag(verdict) over (
            partition by lead_key, crm, history_record_id
            order by changed_at, place_in_moment, stage, crm_record_id
        ) as verdict_before
    from words

),

turns as (

    -- Moments at which the person's verdict can change.
    select
        lead_key,
        person_key,
        report_date,
        changed_at,
        crm,
        crm_record_id,
        stage,
        stage_reason
    from words_until_the_next
    where verdict != 'pending' or coalesce(verdict_before, 'pending') != 'pending'
    qualify row_number() over (
        partition by lead_key, changed_at
        order by crm_record_id desc, crm desc, stage desc
    ) = 1

),

verdicts_in_force as (

    select
        turns.lead_key,
        turns.person_key,
        turns.report_date,
        turns.changed_at,
        coalesce(said.crm, turns.crm) as crm,
        coalesce(said.crm_record_id, turns.crm_record_id) as crm_record_id,
        coalesce(said.stage, turns.stage) as stage,
        if(said.crm is null, turns.stage_reason, said.stage_reason) as stage_reason,
        coalesce(said.verdict, 'pending') as verdict,
        said.reason
    from turns
    left join words_until_the_next as said
        on
            turns.lead_key = said.lead_key
            and said.verdict != 'pending'
            and said.changed_at <= turns.changed_at
            and (said.until_at is null or said.until_at > turns.changed_at)
    qualify row_number() over (
        partition by turns.lead_key, turns.changed_at
        order by said.changed_at desc, said.crm_record_id desc, said.crm desc
    ) = 1

),

what_was_before as (

    select
        *,
        lag(verdict) over (partition by lead_key order by changed_at) as verdict_before,
        lag(reason) over (partition by lead_key order by changed_at) as reason_before
    from verdicts_in_force

),

changes_of_the_verdict as (

    select *
    from what_was_before
    where
        verdict != coalesce(verdict_before, 'pending')
        or coalesce(reason, '') != coalesce(reason_before, '')

),

human_verdicts as (

    select
        lead_key,
        person_key,
        report_date,
        row_number() over (partition by lead_key order by changed_at) as change_number,
        changed_at,
        verdict,
        reason,
        crm,
        crm_record_id,
        stage,
        stage_reason,
        lead(changed_at) over (partition by lead_key order by changed_at) is null as is_newest,
        @rules_version as rules_version
    from changes_of_the_verdict

)

select * from human_verdicts
