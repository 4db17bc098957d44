-- The submissions among GA4's events, each once, in the columns of raw.tag_events.
with

submissions as (

    select * from flat_events
    where event_name in unnest(split(@submission_events, ','))

),

each_submission_once as (

    -- The tag's retries and two tags on one page write the same event twice.
    select *
    from submissions
    qualify row_number() over (
        partition by coalesce(sent_id, event_key), occurred_at
        order by batch_page_id, batch_ordering_id, batch_event_index, event_key
    ) = 1

),

tag_events as (

    select
        'ga4' as observer,
        -- The site's own id where it sends one, so that what its own tag saw too is one submission.
        coalesce(sent_id, event_key) as event_id,
        event_name,
        occurred_at,
        client_id,
        cast(null as string) as email_key,
        cast(null as string) as phone_key,
        cast(null as string) as email_domain_key,
        cast(null as string) as email_local_key,
        cast(null as string) as ip_key,
        page_path,
        form_id,
        click_id,
        click_id_type,
        cast(null as string) as platform_lead_id,
        ad_campaign_id,
        utm_source,
        utm_medium,
        utm_campaign,
        referrer_host,
        cast(null as string) as user_agent,
        is_test
    from each_submission_once

)

select * from tag_events
