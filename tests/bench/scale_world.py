"""A company of any size, written straight into the raw tables by DuckDB itself.

The simulator of ``sandbox`` plays people one by one and is right to do so; ten million submissions
are made here by set instead. Nothing is drawn: every person, visit, click and sale is a function of
its number (``hash``), so the same call gives the same rows. Rows lie in the order of their loads,
as daily pulls leave them, and each day's loads arrive the next morning: a build ``as_of`` that
morning knows no more than a company would have known.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import yaml

from trueline.model.catalog import load_catalog
from trueline.paths import home
from trueline.pipeline.keys import ProfileKeys
from trueline.settings.profile import Profile, load_profile
from trueline.warehouse import Work, open_warehouse

DAY = timedelta(days=1)
# When a day's loads are committed, and when the morning's build looks.
_LOADED = timedelta(hours=4)
_BUILT = timedelta(hours=6)
# Platforms are asked again for this many days every morning.
_REPULLED_DAYS = 28
# Wide rows are sorted in slices: DuckDB gives up where a sort and an insert share the memory.
_SORTED_AT_ONCE = 2_500_000
_GOOGLE, _META = "1234567890", "100200300"
# source, raw table, account, report and subject of raw.load_coverage
_FEEDS = (
    ("google_ads", "ad_accounts", _GOOGLE, None, None),
    ("google_ads", "conversion_actions", _GOOGLE, None, None),
    ("google_ads", "ad_delivery", _GOOGLE, "delivery", "google_ads"),
    ("google_ads", "pixel_claims", _GOOGLE, "claims", "google_ads"),
    ("google_ads", "ad_clicks", _GOOGLE, "clicks", "google_ads"),
    ("meta_ads", "ad_accounts", _META, None, None),
    ("meta_ads", "ad_delivery", _META, "delivery", "meta_ads"),
    ("meta_ads", "pixel_claims", _META, "claims", "meta_ads"),
    ("hubspot", "crm_leads", None, "crm", "hubspot"),
    ("hubspot", "crm_stages", None, None, None),
    ("hubspot", "crm_deals", None, None, None),
    ("site_tag", "tag_events", None, None, None),
    ("site_tag", "touches", None, None, None),
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything.

    Attributes:
        events: Rows of ``raw.tag_events``, about.
        touches: Rows of ``raw.touches``, about.
        leads: People whom the CRM knows; 3% of them have a second record.
    """

    days: int
    events: int
    touches: int
    leads: int

    def share(self, part: float) -> Size:
        """The same daily life over as many days, of a smaller company."""
        return Size(
            self.days,
            round(self.events * part),
            round(self.touches * part),
            round(self.leads * part),
        )

    def over(self, days: int) -> Size:
        """The same company, for another number of days."""
        longer = self.share(days / self.days)
        return Size(days, longer.events, longer.touches, longer.leads)


FULL = Size(days=365, events=10_000_000, touches=12_000_000, leads=2_000_000)

_MACROS = """
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
_LOADS = """
create or replace temp table loads_of_days as
select
    day, feed, source, table_name, account_id, report, subject,
    $first_load + to_days(cast(day as int)) as loaded_at,
    concat(
        strftime(($first_load + to_days(cast(day as int))) at time zone 'UTC',
            '%Y%m%dT%H%M%S000000'), '-',
        lpad(cast(feed as varchar), 4, '0'), '-', printf('%06x', chance(day, feed) % 16777216)
    ) as load_id
from range($days) as days(day), feeds
"""
_LOADED_COLUMNS = {
    "source": "loads.source",
    "load_id": "loads.load_id",
    "loaded_at": "loads.loaded_at",
    "_extra": "null",
}
# Where visit number `turn` of person `p` came from; `channel` and `kept` come from _CHANNEL.
_CHANNEL = """
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
_EVIDENCE = {
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
_VISITS = f"""
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
    {_CHANNEL}
    from visitors
)"""
_SUBMISSIONS = f"""
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
        *, {_CHANNEL},
        -- The same submission as the server saw it, a moment later.
        unnest(
            if(kind in ('made', 'lost') and part(number, 32) < $seen_twice, [0, 1], [0])
        ) as copy,
        chance(number, 33) % client_count(p) as browser,
        chance(number, 34) % 100 as dice
    from kinds
)"""


def _day_landed(of: str, key: str) -> str:
    """A day's rows come the next morning, 1% later; 2% come again with another file."""
    return f"""
    select
        *,
        cast(least(
            $days - 1, day_of({of}) + if(part({key}, 40) < 0.01, 1 + again, again)
        ) as int) as day
    from (select *, unnest(if(part({key}, 41) < 0.02, [0, 1], [0])) as again from {{rows}})
"""


def fill(
    profile: Profile, days: int, events: int, touches: int, leads: int, last_day: date
) -> None:
    """Write the raw tables of an empty DuckDB warehouse.

    Args:
        days: The history's length; it ends with ``last_day``.
        events: Rows of ``raw.tag_events``, about; at least two for every lead.
        touches: Rows of ``raw.touches``, about; at least three for every lead.
        leads: People whom the CRM knows.
    """
    with open_warehouse(profile, Work("fill", "scale-world", "bench")) as warehouse:
        catalog = load_catalog()
        warehouse.ensure_tables(catalog.values())
        world = _World(warehouse, profile, Size(days, events, touches, leads), last_day)
        world.fill()


def morning_after(day: date) -> datetime:
    """When the build of a day's data runs."""
    return datetime.combine(day + DAY, time(), UTC) + _BUILT


def profile_for(folder: Path, memory_limit: str = "6GB") -> Profile:
    """The default profile with a warehouse and a limit of its own."""
    spec = yaml.safe_load((home() / "config" / "pipeline.yaml").read_text())
    spec["warehouse"] = {
        "engine": "duckdb",
        "folder": str(folder / "data"),
        "memory_limit": memory_limit,
    }
    spec["rulebook"] = str(home() / "config" / "rulebook")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "profile.yaml").write_text(yaml.safe_dump(spec))
    return load_profile(folder / "profile.yaml")


class _World:
    """One filling: the numbers that the statements need, and the statements."""

    def __init__(self, warehouse: Any, profile: Profile, size: Size, last_day: date) -> None:
        self.sql, self.size = warehouse.raw, size
        first = datetime.combine(last_day - (size.days - 1) * DAY, time(), UTC)
        visitors = size.leads * 2
        per_day = size.leads / size.days
        observed = 0.85
        # About two percent of all rows come twice with another file.
        rows = size.events / 1.02
        counts = {"twice": 0.04, "known": 0.2, "brochures": 0.15, "bots": 0.1}
        parts = {name: round(rows * share) for name, share in counts.items()}
        parts["lost"] = max(
            0,
            round(
                rows * 0.94 - size.leads * observed - sum(parts.values()) + parts["twice"] * 0.15
            ),
        )
        visits = size.touches / 1.02
        self.values = {
            "start_us": round(first.timestamp()) * 1_000_000,
            "first_load": f"timestamptz '{first + DAY + _LOADED:%Y-%m-%d %H:%M:%S}+00'",
            "first_day": f"date '{first:%Y-%m-%d}'",
            "days": size.days,
            "leads": size.leads,
            "events": size.events,
            "visitors": visitors,
            "observed": observed,
            "seen_twice": rows * 0.06 / (size.leads * observed + parts["lost"]),
            "lead_rate": _rate(visits / 2 / size.leads),
            "visitor_rate": _rate(visits / 2 / visitors - 1),
            "offices": max(1, size.leads // 50_000),
            # A campaign brings about fifty-five leads a day.
            "google": max(3, round(per_day / 90)),
            "meta": max(3, round(per_day / 140)),
            "own_domain": ProfileKeys(profile).domain("sunmoor.example"),
            **parts,
        }

    def fill(self) -> None:
        self.sql.execute("set preserve_insertion_order = false")
        for macro in _MACROS.split(";\n"):
            self._run(macro)
        feeds = ", ".join(
            f"({number}, {', '.join(_literal(value) for value in feed)})"
            for number, feed in enumerate(_FEEDS, 1)
        )
        self._run(
            f"create or replace temp table feeds as select * from (values {feeds}) "
            "as feeds(feed, source, table_name, account_id, report, subject)"
        )
        self._run(_LOADS)
        self._web()
        self._clicks()
        self._crm()
        self._ads()
        self._loads()
        self.sql.execute("set preserve_insertion_order = true")
        self.sql.execute("checkpoint")

    def _run(self, sql: str) -> None:
        for name in sorted(self.values, key=len, reverse=True):
            sql = sql.replace(f"${name}", str(self.values[name]))
        self.sql.execute(sql)

    def _insert(
        self, table: str, ctes: str, rows: str, columns: dict[str, str], about: int = 0
    ) -> None:
        """Rows with a ``day`` and the columns' expressions, in the order of their loads."""
        named = _LOADED_COLUMNS | columns
        of_platform = " and loads.source = landed.platform" if table in _OF_PLATFORMS else ""
        slices = 1 + about // _SORTED_AT_ONCE
        for number in range(slices):
            self._run(
                f"insert into raw.{table} ({', '.join(named)}) "
                f"with {ctes} select {', '.join(named.values())} from {rows} as landed "
                f"inner join loads_of_days as loads on landed.day = loads.day "
                f"and loads.table_name = '{table}'{of_platform} "
                f"where landed.day >= {number} * $days // {slices} "
                f"and landed.day < {number + 1} * $days // {slices} "
                "order by landed.day"
            )

    def _web(self) -> None:
        landed = _day_landed("at_us", "chance(p, turn)").format(rows="visits")
        self._insert(
            "touches",
            f"{_VISITS}, landed_visits as ({landed})",
            "landed_visits",
            {
                "touch_id": "concat('t', printf('%016x', p * 64 + turn))",
                "occurred_at": "make_timestamptz(at_us)",
                "client_id": "if(part(p, 15) < 0.97, client(p, turn % client_count(p)), null)",
                "page_path": "['/', '/quote', '/roof', '/prices'][1 + chance(p, turn) % 4]",
                "is_bounce": "chance(p, turn, 1) % 10 < 4",
                "row_hash": "content(p, turn, 1)",
                **_EVIDENCE,
            },
            self.size.touches,
        )
        landed = _day_landed("at_us", "number").format(rows="submissions")
        # A submission in three does not know its visit any more.
        evidence = {
            name: f"case when dice % 3 > 0 then {value} end" for name, value in _EVIDENCE.items()
        }
        tells = "kind != 'brochure' or dice < 30"
        self._insert(
            "tag_events",
            f"{_SUBMISSIONS}, landed_submissions as ({landed})",
            "landed_submissions",
            {
                "observer": "if(copy = 1, 'server_log', 'site_tag')",
                "event_id": "concat('e', printf('%020x', number))",
                "event_name": "case when kind = 'brochure' then 'brochure' "
                "when chance(p, 35) % 7 = 0 then 'call_booking' else 'lead_form' end",
                "occurred_at": "make_timestamptz(at_us + copy * 300000)",
                "client_id": "if(copy = 0 and dice < 96, client(p, browser), null)",
                "email_key": f"if(({tells}) and dice < 92, email(p), null)",
                "phone_key": f"if(({tells}) and dice > 44, phone(p), null)",
                "email_domain_key": f"if(({tells}) and dice < 92, domain(p), null)",
                "ip_key": "sha256(concat('ip', cast(p as varchar)))",
                "page_path": "if(kind = 'brochure', '/brochure', '/thank-you')",
                "form_id": "if(kind = 'brochure', 'brochure-gate', 'quote-form')",
                "user_agent": "if(kind = 'bot', 'Mozilla/5.0 (compatible; LeadProbeBot/2.1; "
                "+https://bots.example/about)', concat('Mozilla/5.0 (X11; Linux x86_64; rv:', "
                "cast(100 + chance(p, 36) % 45 as varchar), '.0) Gecko/20100101 Firefox'))",
                "is_test": "chance(number, 37) % 1000 = 0",
                "row_hash": "content(number, at_us, copy)",
                **evidence,
            },
            self.size.events,
        )

    def _clicks(self) -> None:
        """Google tells the campaign of most of its clicks."""
        self._insert(
            "ad_clicks",
            f"{_VISITS}, clicks as (select *, channel as platform, "
            "cast(day_of(at_us) as int) as day from visits "
            "where channel = 'google_ads' and kept and chance(p, turn, 2) % 100 < 92)",
            "clicks",
            {
                "platform": "platform",
                "account_id": f"'{_GOOGLE}'",
                "campaign_id": "campaign_id(platform, campaign)",
                "click_id": _EVIDENCE["click_id"],
                "platform_date": "$first_day + landed.day",
                "row_hash": "content(p, turn, 3)",
            },
        )

    def _crm(self) -> None:
        # 0 as created, 1 once sales decided; a second record is merged into the first.
        versions = """
        told as (
            select p, 0 as copy, 0 as version, created(p) as at_us from range($leads) as people(p)
            union all
            select p, 0, 1, decided(p) from range($leads) as people(p) where part(p, 50) < 0.6
            union all
            select p, 1, 0, created(p) + cast(part(p, 51) * 10 * day_us() as bigint)
            from range($leads) as people(p) where part(p, 52) < 0.03
            union all
            select p, 1, 1, created(p) + cast((10 + part(p, 53) * 10) * day_us() as bigint)
            from range($leads) as people(p) where part(p, 52) < 0.03
        ),
        """
        landed = "select *, cast(day_of(at_us) as int) as day from {} where at_us < end_us()"
        criteria = {
            name: f"if(part(p, {60 + number}) < if(version = 0, {first}, 0.8), "
            f"cast(cast(chance(p, {70 + number}) % 11 as int) as decimal(38, 9)) * 0.1, null)"
            for number, (name, first) in enumerate(
                {
                    "fit": 0.7,
                    "budget": 0.1,
                    "authority": 0.1,
                    "need": 0.3,
                    "timing": 0.1,
                    "interest": 0.7,
                    "intent": 0.7,
                }.items()
            )
        }
        first_visit = {
            name: f"if(part(p, 54) < 0.3, {_EVIDENCE[name]}, null)" for name in _EVIDENCE
        }
        first_visit.pop("referrer_host")
        self._insert(
            "crm_leads",
            f"{versions} placed as (select *, {_CHANNEL} from (select *, 0 as turn from told)), "
            f"landed_versions as ({landed.format('placed')})",
            "landed_versions",
            {
                "crm": "'hubspot'",
                "crm_record_id": "record(p, copy)",
                "crm_created_at": "make_timestamptz(created(p) + copy * 3600000000)",
                "updated_at": "make_timestamptz(at_us)",
                "email_key": "if(part(p, 55) < 0.96, email(p), null)",
                "phone_key": "if(part(p, 56) < 0.7, phone(p), null)",
                "email_domain_key": "if(part(p, 55) < 0.96, domain(p), null)",
                "client_id": "if(part(p, 57) < 0.55, client(p, 0), null)",
                "crm_source": "['organic_search', 'paid_search', 'paid_social', 'offline', "
                "'direct_traffic'][1 + chance(p, 58) % 5]",
                "form_id": "'quote-form'",
                "segment": "['private', 'farm', 'industry', 'public'][1 + chance(p, 59) % 4]",
                "consent_ad_user_data": "['granted', 'granted', 'denied', 'unknown']"
                "[1 + chance(p, 80) % 4]",
                "is_test": "chance(p, 81) % 2000 = 0",
                "merged_into_record_id": "if(copy = 1 and version = 1, record(p, 0), null)",
                "is_deleted": "version = 1 and chance(p, 82) % 300 = 0",
                "row_hash": "content(p, copy, version)",
                **criteria,
                **first_visit,
            },
            self.size.leads * 3 // 2,
        )
        stages = """
        told as (
            select p, 'NEW' as stage, null as reason, created(p) + 1000000 as at_us, 0 as attempts
            from range($leads) as people(p)
            union all
            select p, 'ATTEMPTED_TO_CONTACT', null, (created(p) + decided(p)) // 2, 1
            from range($leads) as people(p) where part(p, 83) < 0.7
            union all
            select p, 'CONNECTED', null, (created(p) + 3 * decided(p)) // 4, 2
            from range($leads) as people(p) where part(p, 84) < 0.45
            union all
            select
                p, if(part(p, 85) < 0.4, 'QUALIFIED', 'UNQUALIFIED'),
                if(part(p, 85) < 0.4, null, ['spam', 'unreachable', 'not_fit', 'no_budget',
                    'no_need', 'no_intent', 'other'][1 + chance(p, 86) % 7]),
                decided(p), 3
            from range($leads) as people(p) where part(p, 50) < 0.6
            union all
            -- Reopened, and decided again.
            select p, 'OPEN', null, decided(p) + 2 * day_us(), 3
            from range($leads) as people(p) where part(p, 50) < 0.03
        ),
        """
        self._insert(
            "crm_stages",
            f"{stages} landed_stages as ({landed.format('told')})",
            "landed_stages",
            {
                "crm": "'hubspot'",
                "crm_record_id": "record(p, 0)",
                "stage": "stage",
                "stage_reason": "reason",
                "changed_at": "make_timestamptz(at_us)",
                "contact_attempts": "attempts",
                "row_hash": "content(p, stage, at_us)",
            },
        )
        deals = """
        told as (
            select p, 0 as version, decided(p) + 3600000000 as at_us from range($leads) as people(p)
            where part(p, 50) < 0.6 and part(p, 85) < 0.18
            union all
            select p, 1, decided(p) + cast((10 + part(p, 87) * 50) * day_us() as bigint)
            from range($leads) as people(p)
            where part(p, 50) < 0.6 and part(p, 85) < 0.12
        ),
        """
        self._insert(
            "crm_deals",
            f"{deals} landed_deals as ({landed.format('told')})",
            "landed_deals",
            {
                "crm": "'hubspot'",
                "deal_id": "concat('d', cast(p as varchar))",
                "crm_record_id": "record(p, 0)",
                "is_won": "version = 1 and part(p, 85) < 0.06",
                "is_closed": "version = 1",
                "deal_amount": "cast(500 + chance(p, 88) % 20000 as decimal(38, 9))",
                "currency_code": "'EUR'",
                "deal_created_at": "make_timestamptz(decided(p) + 3600000000)",
                "deal_closed_at": "if(version = 1, make_timestamptz(at_us), null)",
                "updated_at": "make_timestamptz(at_us)",
                "row_hash": "content(p, version, 4)",
            },
        )

    def _ads(self) -> None:
        """Every morning the last four weeks again; claims settle within a week."""
        pulled = f"""
        pulled as (
            select
                pulls.day, told_day, platform, account_id, campaign,
                pulls.day - told_day as lag,
                campaign_id(platform, campaign) as campaign_id
            from range($days) as pulls(day)
            cross join range(-{_REPULLED_DAYS - 1}, 1) as back(days_back)
            cross join lateral (select pulls.day + back.days_back as told_day)
            cross join (
                select 'google_ads' as platform, '{_GOOGLE}' as account_id, range as campaign
                from range($google)
                union all
                select 'meta_ads', '{_META}', range from range($meta)
            )
            where told_day >= 0
        )"""
        self._insert(
            "ad_delivery",
            pulled,
            "pulled",
            {
                "platform": "platform",
                "account_id": "landed.account_id",
                "campaign_id": "campaign_id",
                "campaign_name": "campaign_name(platform, campaign)",
                "platform_date": "$first_day + cast(told_day as int)",
                "account_time_zone": "'Europe/Berlin'",
                "currency_code": "'EUR'",
                "cost_micros": "500000000 + chance(campaign_id, told_day) % 900000000",
                "impressions": "5000 + chance(campaign_id, told_day) % 30000",
                "clicks": "100 + chance(campaign_id, told_day) % 400",
                "row_hash": "content(campaign_id, told_day, 5)",
            },
        )
        actions = """
        actions as (
            select * from (values
                ('google_ads', '7001', 'conversion_date', 40),
                ('google_ads', '7001', 'click_date', 38),
                ('google_ads', '7002', 'conversion_date', 8),
                ('google_ads', '7002', 'click_date', 8),
                ('google_ads', '7003', 'conversion_date', 10),
                ('meta_ads', 'offsite_conversion.fb_pixel_lead', 'conversion_date', 35),
                ('meta_ads', 'offsite_conversion.fb_pixel_custom', 'conversion_date', 9)
            ) as actions(platform, action, basis, often)
        ),
        claimed as (select * from pulled inner join actions using (platform))
        """
        self._insert(
            "pixel_claims",
            f"{pulled}, {actions}",
            "claimed",
            {
                "platform": "platform",
                "account_id": "landed.account_id",
                "campaign_id": "campaign_id",
                "platform_date": "$first_day + cast(told_day as int)",
                "conversion_action": "action",
                "claim_basis": "basis",
                "pixel_conversions": "cast((often + chance(campaign_id, told_day, action) % often) "
                "* (0.9 + 0.1 * least(lag, 7) / 7) as decimal(12, 2))",
                "view_through": "if(platform = 'meta_ads', 2, null)",
                "row_hash": "content(campaign_id, told_day, concat(action, basis, least(lag, 7)))",
            },
        )
        for table, columns in _CATALOGUES.items():
            self._insert(
                table,
                f"pulled as (select cast(range as int) as day, * exclude (range) "
                f"from range($days), (values {_CATALOGUE_ROWS[table]}) "
                f"as told({', '.join(columns)}))",
                "pulled",
                {name: f"landed.{name}" for name in columns}
                | {"row_hash": f"content(landed.platform, landed.account_id, '{table}')"},
            )

    def _loads(self) -> None:
        for table in sorted({feed[1] for feed in _FEEDS}):
            self._run(
                "insert into raw.loads (load_id, source, status, table_name, account_id, "
                "window_start, window_end, rows_received, rows_loaded, rows_quarantined, "
                "loaded_at) "
                "select loads.load_id, source, 'loaded', table_name, account_id, "
                "$first_day + day, $first_day + day, "
                "coalesce(n, 0), coalesce(n, 0), 0, loaded_at "
                "from (select *, cast(day as int) as whole_day from loads_of_days "
                f"where table_name = '{table}') as loads left join "
                f"(select load_id, count(*) as n from raw.{table} group by load_id) as counted "
                "using (load_id)".replace("$first_day + day", "$first_day + whole_day")
            )
        self._run(
            "insert into raw.load_coverage (load_id, source, report, subject, account_id, "
            "first_date, last_date, is_exhaustive, complete_until, loaded_at) "
            "select load_id, source, report, subject, coalesce(account_id, '(none)'), "
            "$first_day + cast(greatest(0, if(report in ('delivery', 'claims'), "
            f"day - {_REPULLED_DAYS - 1}, day)) as int), $first_day + cast(day as int), true, "
            "if(report = 'crm', loaded_at - interval 4 hours, null), loaded_at "
            "from loads_of_days where report is not null"
        )


_OF_PLATFORMS = frozenset(
    {"ad_accounts", "conversion_actions", "ad_delivery", "pixel_claims", "ad_clicks"}
)
_CATALOGUES = {
    "ad_accounts": ("platform", "account_id", "currency_code", "account_time_zone"),
    "conversion_actions": ("platform", "account_id", "conversion_action", "is_primary"),
}
_CATALOGUE_ROWS = {
    "ad_accounts": f"('google_ads', '{_GOOGLE}', 'EUR', 'Europe/Berlin'), "
    f"('meta_ads', '{_META}', 'EUR', 'Europe/Berlin')",
    "conversion_actions": ", ".join(
        f"('google_ads', '{_GOOGLE}', '{action}', true)" for action in ("7001", "7002", "7003")
    ),
}


def _rate(mean: float) -> float:
    """Of a geometric number that starts at 0."""
    from math import log

    return log(1 + 1 / max(mean, 0.01))


def _literal(value: str | None) -> str:
    return "null" if value is None else f"'{value}'"
