-- GA4's events, flat: which page, which click and campaign brought it there, is it a test.
-- Reads export_events: the export's own columns, nested as GA4 writes them.
with

events_with_parameters as (

    -- A value stands in the one field that fits what the site sent: 1 and '1' are two fields.
    select
        export_events.*,
        (
            select
                struct(
                    max(if(each.key = 'page_location', each.value.string_value, null)) as page_location,
                    max(if(each.key = 'page_referrer', each.value.string_value, null)) as page_referrer,
                    max(if(each.key = 'event_id', each.value.string_value, null)) as event_id,
                    max(if(each.key = 'transaction_id', each.value.string_value, null)) as order_id,
                    max(if(each.key = 'transaction_id', each.value.int_value, null)) as order_number,
                    max(if(each.key = 'form_id', each.value.string_value, null)) as form_id,
                    max(if(each.key = 'form_id', each.value.int_value, null)) as form_number,
                    max(if(each.key = 'ga_session_id', each.value.int_value, null)) as session_id,
                    max(if(each.key = 'session_engaged', each.value.string_value, null)) as engaged_text,
                    max(if(each.key = 'session_engaged', each.value.int_value, null)) as engaged_number,
                    max(if(each.key = 'traffic_type', each.value.string_value, null)) as traffic_type,
                    max(if(each.key = 'debug_mode', each.value.string_value, null)) as debug_text,
                    max(if(each.key = 'debug_mode', each.value.int_value, null)) as debug_number,
                    -- Intraday tables have these two among the parameters only.
                    max(if(each.key = 'batch_page_id', each.value.int_value, null)) as page_number,
                    max(if(each.key = 'batch_ordering_id', each.value.int_value, null)) as request_number
                )
            from unnest(export_events.event_params) as each
        ) as params
    from export_events

),

events_named as (

    select
        event_name,
        event_date,
        event_timestamp,
        batch_event_index,
        coalesce(batch_page_id, params.page_number) as batch_page_id,
        coalesce(batch_ordering_id, params.request_number) as batch_ordering_id,
        user_pseudo_id,
        privacy_info,
        collected_traffic_source,
        session_traffic_source_last_click.google_ads_campaign.campaign_id as google_campaign_id,
        params.page_location,
        params.page_referrer,
        coalesce(params.event_id, params.order_id, cast(params.order_number as string)) as sent_id,
        coalesce(params.form_id, cast(params.form_number as string)) as form_id,
        params.session_id,
        coalesce(params.engaged_text, cast(params.engaged_number as string)) as engaged,
        lower(params.traffic_type) as traffic_type,
        lower(coalesce(params.debug_text, cast(params.debug_number as string))) as debug_mode
    from events_with_parameters

),

addresses_in_pieces as (

    -- GA4 cuts an address after 1,000 characters: its last parameter may be half of one.
    -- Each piece is one percent-encoded character or the text between two. What separates the
    -- parts of an address (# % & + = ?) stays encoded, or it would separate what it does not.
    select
        *,
        regexp_extract_all(
            if(
                char_length(page_location) < 1000,
                split(page_location, '#')[safe_offset(0)],
                regexp_replace(split(page_location, '#')[safe_offset(0)], r'[?&][^?&]*$', '')
            ),
            concat(
                r'%2[0-247-9ACDEFacdef]|%3[0-9A-CEa-ce]|%[4-6][0-9A-Fa-f]|%7[0-9A-Ea-e]',
                r'|%[Cc][2-9A-Fa-f]%[89ABab][0-9A-Fa-f]|%[Dd][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]',
                r'|%[Ee]0%[ABab][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]',
                r'|%[Ee][1-9A-CEFa-cef]%[89ABab][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]',
                r'|%[Ee][Dd]%[89][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]',
                r'|%[Ff]0%[9ABab][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]',
                r'|%[Ff][1-3]%[89ABab][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]',
                r'|%[Ff]4%8[0-9A-Fa-f]%[89ABab][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]',
                r'|[^%]+|%'
            )
        ) as pieces
    from events_named

),

addresses_decoded as (

    select
        *,
        (
            select
                string_agg(
                    case
                        when substr(piece, 1, 1) != '%' or char_length(piece) < 3 then piece
                        when char_length(piece) = 3 then chr(byte_1)
                        when char_length(piece) = 6 then chr((byte_1 - 192) * 64 + byte_2 - 128)
                        when char_length(piece) = 9
                            then chr(
                                ((byte_1 - 224) * 64 + byte_2 - 128) * 64 + byte_3 - 128
                            )
                        else chr(
                            (((byte_1 - 240) * 64 + byte_2 - 128) * 64 + byte_3 - 128) * 64
                            + byte_4 - 128
                        )
                    end,
                    '' order by place
                )
            from (
                -- Two digits of base 16, each counted from 1.
                select
                    place,
                    piece,
                    strpos('0123456789abcdef', substr(digits, 2, 1)) * 16
                    + strpos('0123456789abcdef', substr(digits, 3, 1)) - 17 as byte_1,
                    strpos('0123456789abcdef', substr(digits, 5, 1)) * 16
                    + strpos('0123456789abcdef', substr(digits, 6, 1)) - 17 as byte_2,
                    strpos('0123456789abcdef', substr(digits, 8, 1)) * 16
                    + strpos('0123456789abcdef', substr(digits, 9, 1)) - 17 as byte_3,
                    strpos('0123456789abcdef', substr(digits, 11, 1)) * 16
                    + strpos('0123456789abcdef', substr(digits, 12, 1)) - 17 as byte_4
                from (
                    select
                        place,
                        addresses_in_pieces.pieces[safe_ordinal(place)] as piece,
                        lower(addresses_in_pieces.pieces[safe_ordinal(place)]) as digits
                    from
                        unnest(
                            generate_array(1, array_length(addresses_in_pieces.pieces))
                        ) as place
                )
            )
        ) as address
    from addresses_in_pieces

),

addresses_taken_apart as (

    select
        *,
        regexp_replace(
            split(address, '?')[safe_offset(0)], r'^[A-Za-z][A-Za-z0-9+.\-]*://[^/]*', ''
        ) as path,
        lower(
            nullif(regexp_extract(page_location, r'^[A-Za-z][A-Za-z0-9+.\-]*://([^/:?#]+)'), '')
        ) as page_host,
        lower(
            nullif(
                regexp_extract(
                    page_referrer, r'^[A-Za-z][A-Za-z0-9+.\-]*://(?:[^/@?#]*@)?([^/:?#]+)'
                ),
                ''
            )
        ) as referrer_host,
        coalesce(
            nullif(collected_traffic_source.gclid, ''),
            nullif(regexp_extract(address, r'(?i:[?&]gclid)=([^&]+)'), '')
        ) as gclid,
        nullif(regexp_extract(address, r'(?i:[?&]gbraid)=([^&]+)'), '') as gbraid,
        nullif(regexp_extract(address, r'(?i:[?&]wbraid)=([^&]+)'), '') as wbraid,
        nullif(regexp_extract(address, r'(?i:[?&]msclkid)=([^&]+)'), '') as msclkid,
        nullif(regexp_extract(address, r'(?i:[?&]ttclid)=([^&]+)'), '') as ttclid,
        nullif(regexp_extract(address, r'(?i:[?&]li_fat_id)=([^&]+)'), '') as li_fat_id,
        nullif(regexp_extract(address, r'(?i:[?&]fbclid)=([^&]+)'), '') as fbclid,
        coalesce(
            nullif(collected_traffic_source.manual_campaign_id, ''),
            nullif(regexp_extract(address, r'(?i:[?&]utm_id)=([^&]+)'), ''),
            nullif(regexp_extract(address, r'(?i:[?&]gad_campaignid)=([^&]+)'), ''),
            nullif(regexp_extract(address, r'(?i:[?&]campaign_id)=([^&]+)'), ''),
            nullif(regexp_extract(address, r'(?i:[?&]campaignid)=([^&]+)'), ''),
            nullif(regexp_extract(address, r'(?i:[?&]hsa_cam)=([^&]+)'), '')
        ) as tagged_campaign_id,
        -- Tags, and what GA4 made of the referrer where there were none: google / organic.
        coalesce(
            nullif(trim(collected_traffic_source.manual_source), ''),
            nullif(
                trim(replace(regexp_extract(address, r'(?i:[?&]utm_source)=([^&]+)'), '+', ' ')), ''
            )
        ) as utm_source,
        coalesce(
            nullif(trim(collected_traffic_source.manual_medium), ''),
            nullif(
                trim(replace(regexp_extract(address, r'(?i:[?&]utm_medium)=([^&]+)'), '+', ' ')), ''
            )
        ) as utm_medium,
        coalesce(
            nullif(trim(collected_traffic_source.manual_campaign_name), ''),
            nullif(
                trim(replace(regexp_extract(address, r'(?i:[?&]utm_campaign)=([^&]+)'), '+', ' ')), ''
            )
        ) as utm_campaign
    from addresses_decoded

),

clicks_chosen as (

    -- A paid click's own id before Meta's, which unpaid links carry too.
    select
        *,
        coalesce(gclid, gbraid, wbraid, msclkid, ttclid, li_fat_id, fbclid) as click_id,
        case
            when gclid is not null then 'gclid'
            when gbraid is not null then 'gbraid'
            when wbraid is not null then 'wbraid'
            when msclkid is not null then 'msclkid'
            when ttclid is not null then 'ttclid'
            when li_fat_id is not null then 'li_fat_id'
            when fbclid is not null then 'fbclid'
        end as click_id_type,
        -- GA4 repeats the last campaign on direct sessions: it counts only beside an own click.
        coalesce(
            tagged_campaign_id,
            if(coalesce(gclid, gbraid, wbraid) is null, null, nullif(google_campaign_id, ''))
        ) as ad_campaign_id
    from addresses_taken_apart

),

flat_events as (

    select
        event_name,
        event_date,
        timestamp_add(
            timestamp '1970-01-01 00:00:00+00', interval event_timestamp microsecond
        ) as occurred_at,
        -- Everything that tells two events apart, in the daily and the intraday table alike.
        concat(
            'ga4-',
            to_hex(
                sha256(
                    concat(
                        coalesce(user_pseudo_id, ''),
                        '|', coalesce(cast(event_timestamp as string), ''),
                        '|', coalesce(event_name, ''),
                        '|', coalesce(cast(session_id as string), ''),
                        '|', coalesce(cast(batch_page_id as string), ''),
                        '|', coalesce(cast(batch_ordering_id as string), ''),
                        '|', coalesce(form_id, ''),
                        '|', coalesce(page_location, '')
                    )
                )
            )
        ) as event_key,
        if(
            sent_id = '' or regexp_contains(sent_id, @personal_value), null, sent_id
        ) as sent_id,
        batch_page_id,
        batch_ordering_id,
        batch_event_index,
        -- A token that lives for one visit is nobody's id.
        if(
            coalesce(privacy_info.uses_transient_token, '') = 'Yes',
            null,
            nullif(regexp_replace(user_pseudo_id, r'^GA[0-9]+\.[0-9]+\.', ''), '')
        ) as client_id,
        session_id,
        coalesce(engaged, '') = '1' as is_engaged,
        if(
            path = '', '/', substr(regexp_replace(path, @e_mail_address, '[e-mail]'), 1, 2048)
        ) as page_path,
        form_id,
        if(strpos(click_id, '@') > 0, null, click_id) as click_id,
        if(strpos(click_id, '@') > 0, null, click_id_type) as click_id_type,
        if(strpos(ad_campaign_id, '@') > 0, null, ad_campaign_id) as ad_campaign_id,
        -- (direct), (none), (not set): GA4's words for nothing.
        if(
            starts_with(utm_source, '(') or regexp_contains(utm_source, @personal_value),
            null,
            utm_source
        ) as utm_source,
        if(
            starts_with(utm_medium, '(') or regexp_contains(utm_medium, @personal_value),
            null,
            utm_medium
        ) as utm_medium,
        if(
            starts_with(utm_campaign, '(') or regexp_contains(utm_campaign, @personal_value),
            null,
            utm_campaign
        ) as utm_campaign,
        -- A page of the own site brought nobody here.
        nullif(referrer_host, coalesce(page_host, '')) as referrer_host,
        coalesce(traffic_type, '') = 'internal'
        or coalesce(debug_mode, '') in ('1', 'true') as is_test
    from clicks_chosen

)

select * from flat_events
