-- Where each submission, visit and CRM record came from. Evidence order: click id, ad id in the
-- URL, kind of click id, UTM, referrer, CRM source, what the person says. A submission whose own
-- address tells nothing came with its session's visit. What nobody can place becomes unknown.
with

tag_events as (

    select
        *,
        -- A page deeper in the site: its address has lost what the landing page's told.
        click_id is null
        and ad_campaign_id is null
        and utm_source is null
        and utm_medium is null
        and utm_campaign is null as is_bare
    from staging.stg_web__tag_events
    where report_date >= @history_start

),

touches as (

    select * from staging.stg_web__touches
    where report_date >= @history_start

),

landing_of_the_session as (

    -- The browser's last visit before the submission, if it is no older than a session.
    select
        bare.event_key,
        touches.click_id,
        touches.click_id_type,
        touches.ad_campaign_id,
        touches.utm_source,
        touches.utm_medium,
        touches.utm_campaign,
        touches.referrer_host
    from touches
    inner join tag_events as bare on touches.client_id = bare.client_id
    where
        bare.is_bare
        and touches.occurred_at <= bare.occurred_at
        and touches.occurred_at
        >= timestamp_sub(bare.occurred_at, interval @session_minutes minute)
    qualify row_number() over (
        partition by bare.event_key
        order by touches.occurred_at desc, touches.touch_id desc
    ) = 1

),

evidence_carriers as (

    select
        'tag_event' as entity_kind,
        tag_events.event_key as entity_key,
        coalesce(
            concat('client:', tag_events.client_id), concat('event:', tag_events.event_key)
        ) as node,
        tag_events.occurred_at,
        tag_events.report_date,
        coalesce(tag_events.click_id, landing.click_id) as click_id,
        if(tag_events.is_bare, landing.click_id_type, tag_events.click_id_type) as click_id_type,
        coalesce(tag_events.ad_campaign_id, landing.ad_campaign_id) as ad_campaign_id,
        coalesce(tag_events.utm_source, landing.utm_source) as utm_source,
        coalesce(tag_events.utm_medium, landing.utm_medium) as utm_medium,
        coalesce(tag_events.utm_campaign, landing.utm_campaign) as utm_campaign,
        -- Within the site the referrer is the site itself.
        if(
            landing.event_key is null, tag_events.referrer_host, landing.referrer_host
        ) as referrer_host,
        cast(null as string) as crm_source,
        cast(null as string) as self_reported_source
    from tag_events
    left join landing_of_the_session as landing using (event_key)

    union all

    select
        'touch' as entity_kind,
        touch_id as entity_key,
        coalesce(concat('client:', client_id), concat('touch:', touch_id)) as node,
        occurred_at,
        report_date,
        click_id,
        click_id_type,
        ad_campaign_id,
        utm_source,
        utm_medium,
        utm_campaign,
        referrer_host,
        cast(null as string) as crm_source,
        cast(null as string) as self_reported_source
    from touches

    union all

    select
        'crm_lead' as entity_kind,
        concat(crm, ':', crm_record_id) as entity_key,
        concat('crm:', crm, ':', crm_record_id) as node,
        crm_created_at as occurred_at,
        date(crm_created_at, @reporting_time_zone) as report_date,
        click_id,
        click_id_type,
        ad_campaign_id,
        utm_source,
        utm_medium,
        utm_campaign,
        cast(null as string) as referrer_host,
        crm_source,
        self_reported_source
    from staging.stg_crm__leads

),

clicks as (

    select * from staging.stg_ads__clicks

),

campaigns as (

    select * from staging.stg_ads__campaigns

),

campaigns_by_id as (

    -- An id that two accounts share proves nothing.
    select
        campaign_id,
        max(platform) as platform,
        max(account_id) as account_id
    from campaigns
    group by campaign_id
    having count(*) = 1

),

campaigns_by_name as (

    select
        platform,
        lower(trim(campaign_name)) as campaign_name,
        max(account_id) as account_id,
        max(campaign_id) as campaign_id
    from campaigns
    where campaign_name is not null
    group by platform, lower(trim(campaign_name))
    having count(*) = 1

),

channels as (

    select * from rules.channels
    where rules_version = @rules_version

),

click_id_channels as (

    select * from rules.click_id_channels
    where rules_version = @rules_version

),

source_channels as (

    select * from rules.source_channels
    where rules_version = @rules_version

),

referrer_channels as (

    select * from rules.referrer_channels
    where rules_version = @rules_version

),

crm_source_channels as (

    select * from rules.crm_source_channels
    where rules_version = @rules_version

),

self_reported_channels as (

    select * from rules.self_reported_channels
    where rules_version = @rules_version

),

channel_per_utm as (

    select
        tagged.utm_source,
        tagged.utm_medium,
        source_channels.channel
    from (
        select distinct
            coalesce(utm_source, '') as utm_source,
            coalesce(utm_medium, '') as utm_medium
        from evidence_carriers
        where utm_source is not null or utm_medium is not null
    ) as tagged
    inner join source_channels
        on
            tagged.utm_source = coalesce(source_channels.utm_source, tagged.utm_source)
            and tagged.utm_medium = coalesce(source_channels.utm_medium, tagged.utm_medium)
    qualify row_number() over (
        partition by tagged.utm_source, tagged.utm_medium
        order by source_channels.rule_order
    ) = 1

),

channel_per_referrer as (

    select
        hosts.referrer_host,
        referrer_channels.channel
    from (
        select distinct referrer_host from evidence_carriers
        where referrer_host is not null
    ) as hosts
    inner join referrer_channels
        on
            hosts.referrer_host = referrer_channels.referrer_host
            or ends_with(hosts.referrer_host, concat('.', referrer_channels.referrer_host))
    qualify row_number() over (
        partition by hosts.referrer_host
        order by length(referrer_channels.referrer_host) desc, referrer_channels.channel
    ) = 1

),

channel_found as (

    select
        carriers.entity_kind,
        carriers.entity_key,
        carriers.node,
        carriers.occurred_at,
        carriers.report_date,
        carriers.utm_campaign,
        carriers.ad_campaign_id,
        clicks.platform as clicked_platform,
        clicks.account_id as clicked_account_id,
        clicks.campaign_id as clicked_campaign_id,
        by_id.platform as named_platform,
        by_id.account_id as named_account_id,
        by_id.campaign_id as named_campaign_id,
        case
            when clicks.click_id is not null then 'click_id'
            when by_id.campaign_id is not null then 'ad_id'
            when click_kind.channel is not null then 'click_id_type'
            when by_utm.channel is not null then 'utm'
            when carriers.utm_source is not null or carriers.utm_medium is not null then 'utm'
            when carriers.referrer_host is not null then 'referrer'
            when by_crm_source.channel is not null then 'crm_source'
            when by_self_report.channel is not null then 'self_reported'
            when carriers.crm_source is not null then 'crm_source'
            else 'none'
        end as evidence,
        case
            when clicks.click_id is not null then clicks.platform
            when by_id.campaign_id is not null then by_id.platform
            when click_kind.channel is not null then click_kind.channel
            when by_utm.channel is not null then by_utm.channel
            when carriers.utm_source is not null or carriers.utm_medium is not null then 'unknown'
            when carriers.referrer_host is not null then coalesce(by_referrer.channel, 'referral')
            when by_crm_source.channel is not null then by_crm_source.channel
            when by_self_report.channel is not null then by_self_report.channel
            when carriers.crm_source is not null then 'unknown'
            -- A visit without any trace was typed in; a CRM record without any says nothing.
            when carriers.entity_kind = 'crm_lead' then 'unknown'
            else 'direct'
        end as channel
    from evidence_carriers as carriers
    left join clicks using (click_id)
    left join campaigns_by_id as by_id on carriers.ad_campaign_id = by_id.campaign_id
    left join click_id_channels as click_kind
        on carriers.click_id is not null and carriers.click_id_type = click_kind.click_id_type
    left join channel_per_utm as by_utm
        on
            coalesce(carriers.utm_source, '') = by_utm.utm_source
            and coalesce(carriers.utm_medium, '') = by_utm.utm_medium
    left join channel_per_referrer as by_referrer
        on carriers.referrer_host = by_referrer.referrer_host
    left join crm_source_channels as by_crm_source
        on carriers.crm_source = by_crm_source.crm_source
    left join self_reported_channels as by_self_report
        on carriers.self_reported_source = by_self_report.self_reported_source

),

origins as (

    select
        found.entity_kind,
        found.entity_key,
        coalesce(person_nodes.person_key, found.node) as person_key,
        found.occurred_at,
        found.report_date,
        found.channel as platform,
        case
            when found.evidence = 'click_id' then found.clicked_account_id
            when found.evidence = 'ad_id' then found.named_account_id
            when by_tag_id.campaign_id is not null then by_tag_id.account_id
            when by_name.campaign_id is not null then by_name.account_id
            when coalesce(channels.makes_claims, false) or found.channel = 'unknown' then 'unknown'
            else '(none)'
        end as account_id,
        case
            when found.evidence = 'click_id' then found.clicked_campaign_id
            when found.evidence = 'ad_id' then found.named_campaign_id
            when by_tag_id.campaign_id is not null then by_tag_id.campaign_id
            when by_name.campaign_id is not null then by_name.campaign_id
            when found.utm_campaign is not null then found.utm_campaign
            when coalesce(channels.makes_claims, false) or found.channel = 'unknown' then 'unknown'
            else '(none)'
        end as campaign_id,
        found.evidence,
        @rules_version as rules_version
    from channel_found as found
    left join identity.person_nodes as person_nodes using (node)
    left join channels on found.channel = channels.channel
    -- People tag the campaign's id or its name; both are looked up within the channel.
    left join campaigns_by_id as by_tag_id
        on found.utm_campaign = by_tag_id.campaign_id and found.channel = by_tag_id.platform
    left join campaigns_by_name as by_name
        on found.utm_campaign = by_name.campaign_name and found.channel = by_name.platform

)

select * from origins
