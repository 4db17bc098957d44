"""Visits: where they come from and what their landing URLs carry."""

from __future__ import annotations

import random
from base64 import urlsafe_b64encode

from sandbox.world.company import SOURCES, Source
from sandbox.world.model import Touch

SEARCH_REFERRERS = (
    "https://www.google.com/",
    "https://www.google.de/",
    "https://www.bing.com/",
    "https://duckduckgo.com/",
)
SOCIAL_REFERRERS = ("https://www.linkedin.com/", "https://l.facebook.com/")
PARTNERS = (
    "https://www.roof-atlas.example/",
    "https://trade-fair.example/exhibitors",
    "https://energy-compare.example/top10",
)


def _token(rng: random.Random, size: int) -> str:
    return urlsafe_b64encode(rng.randbytes(size)).decode().rstrip("=")


def _google_click(rng: random.Random) -> tuple[str, str]:
    roll = rng.random()
    if roll < 0.07:
        return "", ""  # stripped on the way: private mode of a browser
    if roll < 0.14:
        return "gbraid", "0AAAA" + _token(rng, 24)  # the app-to-web id that click_view never shows
    return "gclid", "Cj0KCQ" + _token(rng, 36)


def _untidy(rng: random.Random, tag: str) -> str:
    """Tags as people type them: mostly right, some upper-cased, some with a space."""
    roll = rng.random()
    if roll < 0.92:
        return tag
    if roll < 0.96:
        return tag.title()
    return f"%20{tag}" if roll < 0.98 else f"{tag}+"


def _paid(rng: random.Random, source: Source) -> tuple[str, str, str, str]:
    """Query, referrer, click id type and click id of a paid click."""
    if source.channel == "google_ads":
        kind, click = _google_click(rng)
        origin, medium, tagged = "google", "cpc", 0.85
        referrer = SEARCH_REFERRERS[0]
    else:
        kind, click = ("fbclid", "IwAR" + _token(rng, 40)) if rng.random() < 0.93 else ("", "")
        origin = "facebook" if rng.random() < 0.75 else "instagram"
        medium, tagged = "paid_social", 0.95
        referrer = f"https://www.{origin}.com/"
    parts = []
    if rng.random() < tagged or not click:
        parts += [
            f"utm_source={_untidy(rng, origin)}",
            f"utm_medium={medium}",
            f"utm_campaign={_untidy(rng, source.utm_campaign)}",
        ]
        if rng.random() < 0.85:
            parts.append(f"utm_id={source.campaign_id}")
    if click:
        parts.append(f"{kind}={click}")
    return "&".join(parts), referrer, kind, click


def _unclaimed(rng: random.Random, source: Source) -> tuple[str, str, str, str]:
    if source.key == "organic_search":
        return "", SEARCH_REFERRERS[min(int(rng.expovariate(1.1)), 3)], "", ""
    if source.key == "organic_social":
        referrer = rng.choice(SOCIAL_REFERRERS)
        if "facebook" in referrer:
            # Facebook puts its click id on unpaid links too: it proves no ad.
            click = "IwAR" + _token(rng, 40)
            return f"fbclid={click}", referrer, "fbclid", click
        tags = "utm_source=linkedin&utm_medium=social" if rng.random() < 0.5 else ""
        return tags, referrer, "", ""
    if source.key == "email":
        return f"utm_source=newsletter&utm_medium={_untidy(rng, 'email')}", "", "", ""
    if source.key == "referral":
        return "", rng.choice(PARTNERS), "", ""
    return "", "", "", ""


def make_touch(
    rng: random.Random,
    key: str,
    at: float,
    client: str,
    *,
    recorded: bool = True,
    bounce: bool = False,
) -> Touch:
    """One visit from a source at a moment."""
    source = SOURCES[key]
    if source.platform:
        query, referrer, kind, click = _paid(rng, source)
    else:
        query, referrer, kind, click = _unclaimed(rng, source)
    return Touch(
        touch_id=f"t{rng.getrandbits(64):016x}",
        at=at,
        source=key,
        client_id=client,
        page_path=source.path,
        query=query,
        referrer=referrer,
        click_id=click,
        click_id_type=kind,
        is_recorded=recorded,
        is_bounce=bounce,
    )


def pilot_touch(rng: random.Random, at: float, client: str) -> Touch:
    """A click of a small Microsoft Ads trial that nobody reports on; it never brings a lead."""
    click = f"{rng.getrandbits(128):032x}"
    return Touch(
        touch_id=f"t{rng.getrandbits(64):016x}",
        at=at,
        source="direct",
        client_id=client,
        page_path="/commercial-solar",
        query=f"utm_source=bing&utm_medium=cpc&utm_campaign=trial&msclkid={click}",
        referrer="https://www.bing.com/",
        click_id=click,
        click_id_type="msclkid",
        is_recorded=True,
        is_bounce=True,
    )
