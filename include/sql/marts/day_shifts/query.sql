-- Submissions that an ad account files under another day than ours, because its days are cut in
-- another time zone: -1 on our day, where it claims nothing for them, and +1 on its own.
with

event_causes as (

    select * from identity.event_causes
    where report_date >= @history_start

),

accounts_of_other_zones as (

    select * from staging.stg_ads__accounts
    where account_time_zone != @reporting_time_zone

),

events_filed as (

    select
        event_causes.event_key,
        event_causes.person_key,
        event_causes.report_date as our_date,
        date(event_causes.occurred_at, accounts.account_time_zone) as account_date,
        event_causes.platform,
        event_causes.account_id,
        event_causes.campaign_id,
        event_causes.conversion_goal
    from event_causes
    inner join accounts_of_other_zones as accounts using (platform, account_id)

),

day_shifts as (

    select
        event_key,
        person_key,
        our_date as report_date,
        -1 as shift,
        platform,
        account_id,
        campaign_id,
        conversion_goal,
        @rules_version as rules_version
    from events_filed
    where our_date != account_date

    union all

    select
        event_key,
        person_key,
        account_date as report_date,
        1 as shift,
        platform,
        account_id,
        campaign_id,
        conversion_goal,
        @rules_version as rules_version
    from events_filed
    where our_date != account_date

)

select * from day_shifts
