-- Submissions: what several observers saw of one is one row, a second delivery is a row of its own.
with

tag_events as (

    select * from raw.tag_events
    where
        occurred_at >= timestamp(@history_start)
        and load_id in (select load_id from staging.stg_loads)

),

ids_told_again as (

    select event_id from tag_events
    group by event_id
    having count(*) > 1

),

told_once as (

    -- Most submissions; comparing their one version costs more than all the rest.
    select
        *,
        1 as copy_number,
        observer as observed_by
    from tag_events
    where event_id not in (select event_id from ids_told_again)

),

newest_version_per_delivery as (

    -- A day's file is pulled several times; the same moment of the same id is the same delivery.
    select *
    from tag_events
    where event_id in (select event_id from ids_told_again)
    qualify row_number() over (
        partition by observer, event_id, occurred_at
        order by loaded_at desc, load_id desc, row_hash desc
    ) = 1

),

deliveries_numbered as (

    select
        *,
        row_number() over (
            partition by observer, event_id
            order by occurred_at, row_hash
        ) as copy_number
    from newest_version_per_delivery

),

observers_of_each_delivery as (

    select
        event_id,
        copy_number,
        string_agg(distinct observer, ',' order by observer) as observed_by
    from deliveries_numbered
    group by event_id, copy_number

),

one_row_per_delivery as (

    -- The own tag knows the browser best, GA4 least.
    select *
    from deliveries_numbered
    qualify row_number() over (
        partition by event_id, copy_number
        order by
            case observer when 'site_tag' then 1 when 'server_log' then 2 when 'ga4' then 4 else 3 end,
            observer
    ) = 1

),

deliveries as (

    select * from told_once

    union all

    select
        of_several.*,
        observers.observed_by
    from one_row_per_delivery as of_several
    inner join observers_of_each_delivery as observers using (event_id, copy_number)

),

goal_per_event_name as (

    select
        event_name,
        conversion_goal
    from rules.tag_event_goals
    where rules_version = @rules_version

),

stg_web__tag_events as (

    select
        concat(deliveries.event_id, '#', cast(deliveries.copy_number as string)) as event_key,
        deliveries.event_id,
        deliveries.copy_number,
        deliveries.observed_by,
        deliveries.event_name,
        deliveries.occurred_at,
        date(deliveries.occurred_at, @reporting_time_zone) as report_date,
        if(shared.client_id is null, deliveries.client_id, null) as client_id,
        deliveries.email_key,
        deliveries.phone_key,
        deliveries.email_domain_key,
        deliveries.ip_key,
        deliveries.page_path,
        deliveries.form_id,
        nullif(trim(deliveries.click_id), '') as click_id,
        lower(nullif(trim(deliveries.click_id_type), '')) as click_id_type,
        nullif(trim(deliveries.platform_lead_id), '') as platform_lead_id,
        nullif(trim(deliveries.ad_campaign_id), '') as ad_campaign_id,
        lower(nullif(trim(deliveries.utm_source), '')) as utm_source,
        lower(nullif(trim(deliveries.utm_medium), '')) as utm_medium,
        lower(nullif(trim(deliveries.utm_campaign), '')) as utm_campaign,
        lower(nullif(trim(deliveries.referrer_host), '')) as referrer_host,
        lower(deliveries.user_agent) as user_agent,
        coalesce(deliveries.is_test, false) as is_test,
        deliveries.load_id
    from deliveries
    left join staging.stg_web__shared_browsers as shared
        on deliveries.client_id = shared.client_id
    left join goal_per_event_name as goals using (event_name)
    left join staging.stg_web__own_tag_goals as own using (conversion_goal)
    -- GA4 alone counts only for goals that have no own tag: it drops and doubles too much.
    where deliveries.observed_by != 'ga4' or own.conversion_goal is null

)

select * from stg_web__tag_events
