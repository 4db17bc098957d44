-- GA4's sessions, each once with where it came from, in the columns of raw.touches.
with

events_of_sessions as (

    -- Without consent there is neither browser nor session: such events are no visits of anybody.
    select
        *,
        if(
            coalesce(click_id, ad_campaign_id, utm_source, utm_medium, referrer_host) is null, 1, 0
        ) as lacks_origin
    from flat_events
    where client_id is not null and session_id is not null

),

sessions as (

    -- A session that goes on after midnight stands in the next day's table too, without a start.
    select
        *,
        min(occurred_at) over (partition by client_id, session_id, event_date) as started_at,
        sum(if(event_name = 'page_view', 1, 0)) over (
            partition by client_id, session_id, event_date
        ) as page_views,
        max(if(is_engaged, 1, 0)) over (
            partition by client_id, session_id, event_date
        ) as was_engaged
    from events_of_sessions
    qualify
        max(if(event_name = 'session_start', 1, 0)) over (
            partition by client_id, session_id, event_date
        ) = 1
        -- session_start itself tells no campaign: the first event that does speaks for the session.
        and row_number() over (
            partition by client_id, session_id, event_date
            order by
                lacks_origin, if(page_path is null, 1, 0), occurred_at,
                batch_page_id, batch_ordering_id, batch_event_index, event_key
        ) = 1

),

touches as (

    select
        concat(
            'ga4-',
            to_hex(
                sha256(concat(client_id, '|', cast(session_id as string), '|', event_date))
            )
        ) as touch_id,
        started_at as occurred_at,
        client_id,
        page_path,
        click_id,
        click_id_type,
        ad_campaign_id,
        utm_source,
        utm_medium,
        utm_campaign,
        referrer_host,
        page_views <= 1 and was_engaged = 0 as is_bounce
    from sessions

)

select * from touches
