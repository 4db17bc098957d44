"""The people of the scale world: what they do, as functions of their number, in DuckDB's SQL.

``$names`` stand for the world's numbers; see ``scale_world``.
"""

from __future__ import annotations

MACROS = """
create or replace temp macro chance(a) as cast(hash(a) >> 1 as bigint),
    (a, b) as cast(hash(a, b) >> 1 as bigint), (a, b, c) as cast(hash(a, b, c) >> 1 as bigint);
create or replace temp macro part(a, b) as cast(hash(a, b) % 1000003 as double) / 1000003;
create or replace temp macro day_us() as 86400000000;
create or replace temp macro end_us() as $start_us + $days * day_us();
-- The moment of a person's submission: by day, between seven in the morning and ten at night.
create or replace temp macro anchor(p) as
    $start_us + cast(floor(part(p, 1) * $days) as bigint) * day_us()
    + cast((7 + part(p, 2) * 15) * 3600000000 as bigint);
create or replace temp macro client(p, k) as concat(
    cast(1000000000 + chance(p, k, 4) % 1000000000 as varchar), '.',
    cast(100000000 + p * 4 + k as varchar)
);
create or replace temp macro client_count(p) as
    case when part(p, 3) < 0.7 then 1 when part(p, 3) < 0.92 then 2 else 3 end;
-- Two of a household share an address now and then; an info@ address is shared by dozens.
create or replace temp macro email(p) as case
    when part(p, 5) < 0.001 then sha256(concat('info', cast(chance(p, 51) % $offices as varchar)))
    when part(p, 5) < 0.004 then sha256(concat('house', cast(p // 4 as varchar)))
    else sha256(concat('mail', cast(p as varchar)))
end;
create or replace temp macro phone(p) as case
    when part(p, 6) < 0.001 then sha256(concat('desk', cast(chance(p, 61) % $offices as varchar)))
    else sha256(concat('phone', cast(p as varchar)))
end;
create or replace temp macro domain(p) as case
    when part(p, 7) < 0.002 then '$own_domain'
    else sha256(concat('domain', cast(chance(p, 71) % 2000 as varchar)))
end;
create or replace temp macro created(p) as least(end_us() - 1000000, anchor(p) + case
    when part(p, 8) < 0.9 then cast(part(p, 9) * 1200000000 as bigint)
    when part(p, 8) < 0.98 then cast(part(p, 9) * 2 * day_us() as bigint)
    else -cast(part(p, 9) * 300000000 as bigint)
end);
create or replace temp macro decided(p) as
    created(p) + 3600000000 + cast(part(p, 10) * part(p, 11) * 25 * day_us() as bigint);
create or replace temp macro record(p, copy) as cast(100000000000 + p * 2 + copy as varchar);
create or replace temp macro day_of(t) as least($days - 1, (t - $start_us) // day_us());
create or replace temp macro content(a, b, c) as
    printf('%016x%016x', chance(a, b, c), chance(c, b, a));
create or replace temp macro campaign_id(platform, n) as
    if(platform = 'google_ads', cast(20871100000 + n as varchar),
        cast(120210884410000 + n as varchar));
create or replace temp macro campaign_name(platform, n) as
    concat(if(platform = 'google_ads', 'Search', 'Feed'), '-', ['North', 'South', 'Brand', 'Roof',
        'Depot', 'Lease', 'Heat'][1 + n % 7], '-', cast(n as varchar));
"""
# Where visit number `turn` of person `p` came from; `channel` and `kept` come from CHANNEL.
CHANNEL = """
    case
        when part(p, 100 + turn) < 0.28 then 'google_ads'
        when part(p, 100 + turn) < 0.46 then 'meta_ads'
        when part(p, 100 + turn) < 0.50 then 'microsoft_ads'
        when part(p, 100 + turn) < 0.70 then 'organic'
        when part(p, 100 + turn) < 0.85 then 'direct'
        when part(p, 100 + turn) < 0.91 then 'email' when part(p, 100 + turn) < 0.95 then 'social'
        when part(p, 100 + turn) < 0.995 then 'referral' else 'untold'
    end as channel,
    -- Some pages drop the query of their address.
    part(p, 200 + turn) < 0.9 as kept,
    chance(p, 300 + turn) % if(part(p, 100 + turn) < 0.28, $google, $meta) as campaign
"""
_CLICK = "md5(concat(cast(p as varchar), '-', cast(turn as varchar)))"
EVIDENCE = {
    "click_id": f"""case
        when not kept then null when channel = 'google_ads' then concat('Cj0KCQiA', {_CLICK})
        when channel = 'meta_ads' then concat('IwAR', {_CLICK}, {_CLICK})
        when channel = 'microsoft_ads' then {_CLICK} end""",
    "click_id_type": """case when not kept then null when channel = 'google_ads' then 'gclid'
        when channel = 'meta_ads' then 'fbclid'
        when channel = 'microsoft_ads' then 'msclkid' end""",
    "ad_campaign_id": """if(
        kept and channel in ('google_ads', 'meta_ads') and chance(p, turn) % 10 < 6,
        campaign_id(channel, campaign), null)""",
    "utm_source": """case when not kept then null when channel = 'google_ads' then 'Google'
        when channel = 'meta_ads' then 'facebook' when channel = 'microsoft_ads' then 'bing'
        when channel = 'email' then 'newsletter' when channel = 'untold' then 'partner' end""",
    "utm_medium": """case when not kept then null
        when channel in ('google_ads', 'microsoft_ads') then 'cpc'
        when channel = 'meta_ads' then 'paid_social' when channel = 'email' then 'Email'
        when channel = 'untold' then 'banner' end""",
    "utm_campaign": """if(kept and channel in ('google_ads', 'meta_ads'),
        campaign_name(channel, campaign), null)""",
    "referrer_host": """case
        when channel in ('google_ads', 'organic') then 'www.google.com'
        when channel in ('meta_ads', 'social') then 'l.facebook.com'
        when channel = 'microsoft_ads' then 'www.bing.com'
        when channel = 'referral'
            then concat('partner', cast(chance(p) % 300 as varchar), '.example') end""",
}
# Visits: those who submit come several times within weeks, the last time just before; a few come
# back later. Others come once or twice.
VISITS = f"""
visitors as (
    select
        p,
        unnest(range(cast(least(40, floor(-ln(1 - part(p, 12)) / $lead_rate)) as int))) as turn
    from range($leads) as people(p)
    union all
    select
        $leads + p,
        unnest(range(cast(least(40, 1 + floor(-ln(1 - part(p, 12)) / $visitor_rate)) as int)))
    from range($visitors) as people(p)
),
visits as (
    select p, turn, cast(case
        when turn = 0 then greatest($start_us, anchor(p) - cast(part(p, 13) * 2400000000 as bigint))
        when part(p, 400 + turn) < 0.12 then
            anchor(p) + part(p, 500 + turn) * least(40 * day_us(), end_us() - anchor(p) - 1000000)
        else anchor(p) - part(p, 500 + turn) * part(p, 600 + turn)
            * least((10 + part(p, 14) * 40) * day_us(), anchor(p) - $start_us)
    end as bigint) as at_us,
    {CHANNEL}
    from visitors
)"""
SUBMISSIONS = f"""
kinds as (
    select p, 0 as turn, anchor(p) as at_us, 'made' as kind, p as number
    from range($leads) as people(p) where part(p, 20) < $observed
    union all
    -- Sent twice within minutes: a new id mostly, the same one sometimes.
    select
        p, 0, least(end_us() - 1000000, anchor(p) + 2000000 + chance(i, 21) % 1500000000),
        'again', if(chance(i, 22) % 10 = 0, p, $leads + i)
    from (select i, chance(i, 23) % $leads as p from range($twice) as twice(i))
    where part(p, 20) < $observed
    union all
    -- Someone the CRM knows already.
    select
        p, 1 + chance(i) % 3,
        anchor(p) + cast(part(i, 24) * part(i, 25) * (end_us() - anchor(p) - 1000000) as bigint),
        'known', 2 * $leads + i
    from (select i, chance(i, 26) % $leads as p from range($known) as known(i))
    union all
    select
        p, chance(i) % 3,
        anchor(p) - cast(part(i, 27) * least(20 * day_us(), anchor(p) - $start_us) as bigint),
        'brochure', 3 * $leads + $events + i
    from (
        select i, chance(i, 28) % ($leads + $visitors) as p
        from range($brochures) as brochures(i)
    )
    union all
    select
        $leads + $visitors + i, 0, anchor($leads + $visitors + i), 'bot',
        4 * $leads + 2 * $events + i
    from range($bots) as bots(i)
    union all
    -- Never seen in the CRM.
    select
        p, chance(i) % 2,
        anchor(p) + cast(part(i, 29) * part(i, 30) * (end_us() - anchor(p) - 1000000) as bigint),
        'lost', 5 * $leads + 3 * $events + i
    from (select i, $leads + chance(i, 31) % $visitors as p from range($lost) as lost(i))
),
submissions as (
    select
        *, {CHANNEL},
        -- The same submission as the server saw it, a moment later.
        unnest(
            if(kind in ('made', 'lost') and part(number, 32) < $seen_twice, [0, 1], [0])
        ) as copy,
        -- In the browser of the visit whose evidence it carries.
        turn % client_count(p) as browser,
        chance(number, 34) % 100 as dice
    from kinds
)"""


def day_landed(of: str, key: str) -> str:
    """A day's rows come the next morning, 1% later; 2% come again with another file."""
    return f"""
    select
        *,
        cast(least(
            $days - 1, day_of({of}) + if(part({key}, 40) < 0.01, 1 + again, again)
        ) as int) as day
    from (select *, unnest(if(part({key}, 41) < 0.02, [0, 1], [0])) as again from {{rows}})
"""
