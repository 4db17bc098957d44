-- Submissions with person, goal and campaign, and the first reason to exclude one, if any:
-- bot, then the own house, then a repeat of one that survived.
with recursive

tag_events as (

    select * from staging.stg_web__tag_events
    where report_date >= @history_start

),

goal_per_event_name as (

    select
        names.event_name,
        goals.conversion_goal,
        goals.goal_kind,
        goals.makes_lead
    from rules.tag_event_goals as names
    inner join rules.conversion_goals as goals using (rules_version, conversion_goal)
    where rules_version = @rules_version

),

bot_words as (

    select pattern from rules.bot_user_agents
    where rules_version = @rules_version

),

bot_user_agents as (

    select distinct agents.user_agent
    from (
        select distinct user_agent from tag_events
        where user_agent is not null
    ) as agents
    inner join bot_words on strpos(agents.user_agent, bot_words.pattern) > 0

),

internal_keys as (

    select * from rules.internal_keys
    where rules_version = @rules_version

),

origins as (

    select * from identity.origins
    where report_date >= @history_start and entity_kind = 'tag_event'

),

events_with_person as (

    select
        tag_events.* except (event_name, event_id, observed_by),
        tag_events.observed_by,
        origins.person_key,
        origins.platform,
        origins.account_id,
        origins.campaign_id,
        origins.evidence,
        coalesce(goals.conversion_goal, 'unmapped') as conversion_goal,
        coalesce(goals.goal_kind, 'unmapped') as goal_kind,
        coalesce(goals.makes_lead, false) as makes_lead
    from tag_events
    inner join origins on tag_events.event_key = origins.entity_key
    left join goal_per_event_name as goals using (event_name)

),

not_the_public as (

    select
        events.event_key,
        case
            when bots.user_agent is not null then 'bot'
            when
                events.is_test
                or coalesce(people.is_internal, false)
                or coalesce(events.email_domain_key in (
                    select internal_key from internal_keys
                    where key_kind = 'email_domain'
                ), false)
                or coalesce(events.ip_key in (
                    select internal_key from internal_keys
                    where key_kind = 'ip'
                ), false)
                then 'internal_or_test'
            when events.copy_number > 1 then 'duplicate_submission'
        end as exclusion
    from events_with_person as events
    left join bot_user_agents as bots using (user_agent)
    left join identity.people as people using (person_key)

),

candidates as (

    select
        events.event_key,
        -- Without a browser id only the person can tell that two submissions are one.
        coalesce(events.client_id, events.person_key) as client,
        events.conversion_goal,
        events.occurred_at,
        lag(events.occurred_at) over one_form as previous_at,
        lead(events.occurred_at) over one_form as next_at
    from events_with_person as events
    inner join not_the_public using (event_key)
    where not_the_public.exclusion is null
    window one_form as (
        partition by coalesce(events.client_id, events.person_key), events.conversion_goal
        order by events.occurred_at, events.event_key
    )

),

starts_and_ends as (

    -- A pause longer than duplicate_minutes starts afresh, whatever was before.
    select
        *,
        coalesce(
            timestamp_diff(occurred_at, previous_at, microsecond)
            >= @no_duplicate_after_microseconds,
            true
        ) as starts_a_burst,
        coalesce(
            timestamp_diff(next_at, occurred_at, microsecond)
            >= @no_duplicate_after_microseconds,
            true
        ) as ends_a_burst
    from candidates

),

bursts as (

    -- Repeats are looked for within one burst only, which keeps the recursion short; most
    -- submissions stand alone and survive without it.
    select
        *,
        countif(starts_a_burst) over (
            partition by client, conversion_goal
            order by occurred_at, event_key
            rows between unbounded preceding and current row
        ) as burst
    from starts_and_ends
    where not (starts_a_burst and ends_a_burst)

),

burst_members as (

    select
        event_key,
        client,
        conversion_goal,
        burst,
        occurred_at,
        row_number() over (
            partition by client, conversion_goal, burst
            order by occurred_at, event_key
        ) as member
    from bursts

),

next_survivor as (

    -- If this one survives, the next to survive is the first more than duplicate_minutes later.
    select
        event_key,
        min(member) over (
            partition by client, conversion_goal, burst
            order by unix_micros(occurred_at)
            range between @no_duplicate_after_microseconds following and unbounded following
        ) as next_member
    from burst_members

),

survivors as (

    select
        event_key,
        client,
        conversion_goal,
        burst
    from burst_members
    where member = 1

    union all

    select
        members.event_key,
        members.client,
        members.conversion_goal,
        members.burst
    from survivors
    inner join next_survivor using (event_key)
    inner join burst_members as members
        on
            survivors.client = members.client
            and survivors.conversion_goal = members.conversion_goal
            and survivors.burst = members.burst
            and next_survivor.next_member = members.member

),

surviving as (

    select event_key from starts_and_ends
    where starts_a_burst and ends_a_burst

    union all

    select event_key from survivors

),

events as (

    select
        events.event_key,
        events.person_key,
        events.occurred_at,
        events.report_date,
        events.conversion_goal,
        events.goal_kind,
        events.makes_lead,
        events.platform,
        events.account_id,
        events.campaign_id,
        events.evidence,
        events.observed_by,
        events.form_id,
        events.page_path,
        case
            when not_the_public.exclusion is not null then not_the_public.exclusion
            when surviving.event_key is null then 'duplicate_submission'
        end as exclusion,
        @rules_version as rules_version
    from events_with_person as events
    inner join not_the_public using (event_key)
    left join surviving using (event_key)

)

select * from events
