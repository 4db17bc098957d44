"""Personal values: keyed the same way every time, and out of every log and message."""

from __future__ import annotations

import logging
import stat

import pytest

from trueline.errors import ConfigurationError
from trueline.identity_keys import (
    IdentityKeys,
    create_identity_key_file,
    email_domain,
    load_identity_key,
    normalise_email,
    normalise_phone,
)
from trueline.redaction import RedactingFilter, redact
from trueline.sources.page_urls import read_page_url, referrer_host

SECRET = b"0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (" John.Doe+nyc@Gmail.com ", "john.doe+nyc@gmail.com"),
        ("\u00a0mailto:Anna@Example.ORG\u200b", "anna@example.org"),
        ("anna@münchen.example", "anna@xn--mnchen-3ya.example"),
        ("a@example.org; b@example.org", None),
        ("n/a", None),
        ("x@y", None),
        ("anna@example", None),
        ("anna@-x-.example", None),
        ("", None),
        (None, None),
    ],
)
def test_emails(given, wanted) -> None:
    assert normalise_email(given) == wanted
    assert email_domain(given) == (wanted.split("@")[1] if wanted else None)


@pytest.mark.parametrize(
    ("given", "region", "wanted"),
    [
        ("+1 (800) 555-0100", None, "+18005550100"),
        ("00447911123456", "GB", "+447911123456"),
        ("030 23125000", "DE", "+493023125000"),
        ("tel:+49 30 23125000 ext. 12", None, "+493023125000"),
        ("0501234567", None, None),
        ("1.41556E+10", "US", None),
        ("12", "DE", None),
        ("call me", "DE", None),
        (None, "DE", None),
    ],
)
def test_phones(given, region, wanted) -> None:
    assert normalise_phone(given, region) == wanted


def test_a_key_is_the_same_for_the_same_person_and_for_nothing_else() -> None:
    keys = IdentityKeys(SECRET, "DE")
    assert keys.email("ANNA@example.org") == keys.email("anna@example.org ")
    assert keys.phone("030 23125000") == keys.phone("+49 30 23125000")
    assert keys.domain("anna@Example.org") == keys.domain("example.org")
    assert keys.ip("2001:DB8::1") == keys.ip("2001:db8:0::1")
    assert keys.email("n/a") is keys.phone("x") is keys.ip("x") is keys.domain("") is None
    assert keys.email("anna@example.org") != IdentityKeys(SECRET[::-1]).email("anna@example.org")
    # The same text under another purpose is another key.
    assert keys.domain("10.0.0.1") != keys.ip("10.0.0.1")
    assert len(keys.email("anna@example.org") or "") == 64
    assert SECRET.decode() not in repr(keys)


@pytest.fixture
def no_key(monkeypatch) -> None:
    monkeypatch.delenv("TRUELINE_IDENTITY_KEY", raising=False)
    monkeypatch.delenv("TRUELINE_IDENTITY_KEY_FILE", raising=False)


def test_there_is_no_default_key(no_key, monkeypatch, tmp_path) -> None:
    with pytest.raises(ConfigurationError, match="TRUELINE_IDENTITY_KEY"):
        load_identity_key()
    with pytest.raises(ConfigurationError, match="does not exist"):
        load_identity_key(tmp_path / "none.key")
    monkeypatch.setenv("TRUELINE_IDENTITY_KEY", "too-short")
    with pytest.raises(ConfigurationError, match="shorter than 32") as caught:
        load_identity_key()
    assert "too-short" not in str(caught.value)


def test_a_demo_key_is_made_once_and_readable_by_its_owner_alone(no_key, tmp_path) -> None:
    path = tmp_path / "data" / "identity.key"
    create_identity_key_file(path)
    made = load_identity_key(path)
    create_identity_key_file(path)
    assert load_identity_key(path) == made
    assert len(made) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("no such person: Anna.B+x@Example.org!", "no such person: [e-mail]!"),
        ("?email=anna%40example.org&x=1", "?email=[e-mail]&x=1"),
        ("call +49 (0)30 / 23125-000 now", "call [phone] now"),
        ("call 030 23125000 or (030) 2312 5000", "call [phone] or [phone]"),
        ("call 202-555-0143", "call [phone]"),
        ("Authorization: Bearer abc.def-123456", "Authorization: Bearer [secret]"),
        ("x?access_token=EAAB123&limit=5", "x?access_token=[secret]&limit=5"),
        ("/p?gclid=Cj0KCQ_x-1&utm_source=a", "/p?gclid=[click id]&utm_source=a"),
        ("click IwARF_KekGmN9wJzB4NJQJbN3TW3q5ahf", "click [click id]"),
    ],
)
def test_personal_values_are_redacted(text, wanted) -> None:
    assert redact(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "2026-10-01..2026-10-31 at 2026-10-01T06:00:00+00:00, 06:00:12.345",
        "run manual__2026-10-01T06:00:00+00:00 load 20261001T060000123456Z-3f9a0c",
        "loaded 1,234,567 of 1234567 rows, 20871100401, account 123-456-7890x",
        "customers/1234567890/googleAds:searchStream v26.0 HTTP 200",
        "0.333333333 + 12 345 678 = 1.5e-9; port 18200; 00:00:07",
        "POST api.example.com/oauth/2026-03/token: The grant was revoked",
        "leads.csv:1200: the last line has 2 of 4 columns",
        "sha256 06a240d11cc201676da976f7b49341181fd180da37cbe40a77432c0a366c80c3",
    ],
)
def test_dates_run_ids_and_counts_stay_readable(text) -> None:
    assert redact(text) == text


def test_the_log_filter_redacts_messages_and_tracebacks() -> None:
    try:
        raise ValueError("bad row of anna@example.org")
    except ValueError as error:
        caught = (type(error), error, error.__traceback__)
    record = logging.LogRecord(
        "trueline", logging.ERROR, __file__, 1, "row %s", ("anna@example.org",), caught
    )
    assert RedactingFilter().filter(record)
    text = logging.Formatter().format(record)
    assert "row [e-mail]" in text
    assert "anna" not in text


def test_addresses_that_are_none_give_nothing() -> None:
    for address in ("http://[", None, "", "http://[::1/x?gclid=1"):
        assert read_page_url(address).click_id is None
    assert referrer_host("android-app://com.google.android.gm/") == "com.google.android.gm"
    assert referrer_host("http://[") is None


@pytest.mark.parametrize(
    ("query", "kind", "click_id"),
    [
        ("gclid=A%2DB+c&fbclid=x", "gclid", "A-B+c"),
        ("fbclid=x&gbraid=Y", "gbraid", "Y"),
        ("GCLID=x&gclid=y", "gclid", "x"),
        ("gclid=&fbclid=Z", "fbclid", "Z"),
        ("gclid=anna@example.org", None, None),
    ],
)
def test_the_click_id_that_proves_most_is_taken_as_it_is(query, kind, click_id) -> None:
    found = read_page_url(f"/p?{query}")
    assert (found.click_id_type, found.click_id) == (kind, click_id)
