"""The raw tables of the scale world: each as a query over its people, visits and days."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.scale_people import CHANNEL, EVIDENCE, SUBMISSIONS, VISITS, day_landed

GOOGLE, META = "1234567890", "100200300"
# Platforms are asked again for this many days every morning.
REPULLED_DAYS = 28
_CATALOGUES = {
    "ad_accounts": ("platform", "account_id", "currency_code", "account_time_zone"),
    "conversion_actions": ("platform", "account_id", "conversion_action", "is_primary"),
}
_CATALOGUE_ROWS = {
    "ad_accounts": f"('google_ads', '{GOOGLE}', 'EUR', 'Europe/Berlin'), "
    f"('meta_ads', '{META}', 'EUR', 'Europe/Berlin')",
    "conversion_actions": ", ".join(
        f"('google_ads', '{GOOGLE}', '{action}', true)" for action in ("7001", "7002", "7003")
    ),
}


@dataclass(frozen=True, slots=True)
class Rows:
    """What one raw table gets.

    Attributes:
        ctes: Of the query, one of them named like ``place``.
        place: Has a ``day``: that of the load which brings the row.
        columns: Column to expression over ``landed``, a row of ``place``.
    """

    table: str
    ctes: str
    place: str
    columns: dict[str, str]


def all_rows() -> Iterator[Rows]:
    """Every raw table but the loads' own."""
    yield from _web()
    yield from _clicks()
    yield from _crm()
    yield from _ads()


def _web() -> Iterator[Rows]:
    landed = day_landed("at_us", "chance(p, turn)").format(rows="visits")
    yield Rows(
        "touches",
        f"{VISITS}, landed_visits as ({landed})",
        "landed_visits",
        {
            "touch_id": "concat('t', printf('%016x', p * 64 + turn))",
            "occurred_at": "make_timestamptz(at_us)",
            "client_id": "if(part(p, 15) < 0.97, client(p, turn % client_count(p)), null)",
            "page_path": "['/', '/quote', '/roof', '/prices'][1 + chance(p, turn) % 4]",
            "is_bounce": "chance(p, turn, 1) % 10 < 4",
            "row_hash": "content(p, turn, 1)",
            **EVIDENCE,
        },
    )
    landed = day_landed("at_us", "number").format(rows="submissions")
    # A submission in three does not know its visit any more.
    evidence = {
        name: f"case when dice % 3 > 0 then {value} end" for name, value in EVIDENCE.items()
    }
    tells = "kind != 'brochure' or dice < 30"
    yield Rows(
        "tag_events",
        f"{SUBMISSIONS}, landed_submissions as ({landed})",
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
    )


def _clicks() -> Iterator[Rows]:
    """Google tells the campaign of most of its clicks."""
    yield Rows(
        "ad_clicks",
        f"{VISITS}, clicks as (select *, channel as platform, "
        "cast(day_of(at_us) as int) as day from visits "
        "where channel = 'google_ads' and kept and chance(p, turn, 2) % 100 < 92)",
        "clicks",
        {
            "platform": "platform",
            "account_id": f"'{GOOGLE}'",
            "campaign_id": "campaign_id(platform, campaign)",
            "click_id": EVIDENCE["click_id"],
            "platform_date": "$first_day + landed.day",
            "row_hash": "content(p, turn, 3)",
        },
    )


def _crm() -> Iterator[Rows]:
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
    first_visit = {name: f"if(part(p, 54) < 0.3, {EVIDENCE[name]}, null)" for name in EVIDENCE}
    first_visit.pop("referrer_host")
    yield Rows(
        "crm_leads",
        f"{versions} placed as (select *, {CHANNEL} from (select *, 0 as turn from told)), "
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
    yield Rows(
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
    yield Rows(
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


def _ads() -> Iterator[Rows]:
    """Every morning the last four weeks again; claims settle within a week."""
    pulled = f"""
    pulled as (
        select
            pulls.day, told_day, platform, account_id, campaign,
            pulls.day - told_day as lag,
            campaign_id(platform, campaign) as campaign_id
        from range($days) as pulls(day)
        cross join range(-{REPULLED_DAYS - 1}, 1) as back(days_back)
        cross join lateral (select pulls.day + back.days_back as told_day)
        cross join (
            select 'google_ads' as platform, '{GOOGLE}' as account_id, range as campaign
            from range($google)
            union all
            select 'meta_ads', '{META}', range from range($meta)
        )
        where told_day >= 0
    )"""
    yield Rows(
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
    yield Rows(
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
        yield Rows(
            table,
            f"pulled as (select cast(range as int) as day, * exclude (range) "
            f"from range($days), (values {_CATALOGUE_ROWS[table]}) "
            f"as told({', '.join(columns)}))",
            "pulled",
            {name: f"landed.{name}" for name in columns}
            | {"row_hash": f"content(landed.platform, landed.account_id, '{table}')"},
        )
