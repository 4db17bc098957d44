"""Ad reports, addresses, coverage and memory: what a good file becomes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from tests.sources.conftest import LAST_DAY, NOW, TOKEN, WINDOW, Answer, as_records
from trueline.errors import ConfigurationError, PermanentError
from trueline.sources.base import Coverage
from trueline.sources.files import bytes_feed, csv_blocks
from trueline.sources.files.mapping import load_mapping
from trueline.sources.registry import build_source
from trueline.sources.settings import FilesSettings
from trueline.windows import Window

REPORT = """
kind: ad_report
format: csv
delimiter: ";"
decimal: ","
thousands: "."
null_tokens: ["--"]
constants: {platform: linkedin_ads, claim_basis: conversion_date}
fields:
  account_id: Konto
  campaign_id: Kampagne
  platform_date: {column: Tag, format: "%d.%m.%Y"}
  cost_micros: {column: Kosten, multiply: 1000000}
  clicks: Klicks
  currency_code: Währung
  conversion_action: {column: Aktion, required: false}
  pixel_conversions: {column: Anzahl, required: false}
"""
HEADER = "Konto;Kampagne;Tag;Kosten;Klicks;Währung;Aktion;Anzahl\n"


def test_one_report_feeds_delivery_and_claims_and_tells_cost_once(folder) -> None:
    folder.mapping(REPORT)
    folder.file(
        "r.csv",
        HEADER
        + "77;c1;01.10.2026;1.234,56;1.000;eur;lead;2,33\n"
        + "77;c1;01.10.2026;1.234,56;1.000;eur;call;1\n"
        + "77;c2;03.10.2026;-0,10;0;eur;--;--\n"
        + "77;c3;02.10.2026;--;--;eur;lead;5\n"
        + "77;c4;02.10.2026;--;--;eur;--;--\n",
    )
    delivery, claims = folder.pull("r.csv")
    assert [
        (row.values["campaign_id"], row.values["cost_micros"], row.values["clicks"])
        for row in delivery.records
    ] == [("c1", 1_234_560_000, 1000), ("c2", -100_000, 0)]
    assert delivery.records[0].values["currency_code"] == "EUR"
    assert [
        (row.values["conversion_action"], row.values["pixel_conversions"]) for row in claims.records
    ] == [("lead", Decimal("2.33")), ("call", Decimal(1)), ("lead", Decimal(5))]
    assert [(error.line, error.reason) for error in delivery.errors] == [(6, "no_measure")]
    assert delivery.coverage == (
        Coverage("delivery", "linkedin_ads", "77", date(2026, 10, 1), date(2026, 10, 3)),
    )
    assert claims.coverage == (
        Coverage("claims", "linkedin_ads", "77", date(2026, 10, 1), date(2026, 10, 2)),
    )


def test_a_report_broken_down_too_far_is_refused_before_half_of_it_is_lost(folder) -> None:
    folder.mapping(REPORT)
    row = "77;c1;01.10.2026;{};9;EUR;--;--\n"
    folder.file("r.csv", HEADER + row.format("5") + row.format("7"))
    with pytest.raises(PermanentError, match="Lines 2 and 3 give different figures"):
        folder.pull("r.csv")


def test_a_row_that_is_there_twice_counts_once(folder) -> None:
    folder.mapping(REPORT)
    folder.file("r.csv", HEADER + "77;c1;01.10.2026;5;9;EUR;--;--\n" * 2)
    delivery, _ = folder.pull("r.csv")
    assert len(delivery.records) == 1
    assert [error.reason for error in delivery.errors] == ["duplicate_row"]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [("1,234.56", "bad_number"), ("1.23,4", "bad_number"), ("€5", "bad_number")]
    + [(text, "bad_number") for text in ("inf", "NaN", "1e400", "(5)", "12%", "٣")],
)
def test_numbers_that_could_mean_something_else_are_refused(folder, cell, reason) -> None:
    folder.mapping(REPORT)
    good = "77;c{};02.10.2026;5;9;EUR;--;--\n"
    folder.file("r.csv", HEADER + good.format(1) + f"77;c9;01.10.2026;{cell};9;EUR;--;--\n")
    delivery, _ = folder.pull("r.csv")
    assert [(error.column, error.reason) for error in delivery.errors] == [("cost_micros", reason)]


EVENTS = """
kind: tag_events
format: csv
constants: {observer: site_tag}
fields:
  event_id: id
  event_name: name
  occurred_at: at
  page_url: url
  referrer: ref
  email: mail
drop: [secret]
"""


def test_of_an_address_only_its_origin_is_kept(folder) -> None:
    folder.mapping(EVENTS)
    url = (
        "https://shop.example/a%20b?utm_source=Google&utm_medium=cpc&gclid=Cj0-Ab_9&fbclid=IwAR1"
        "&utm_campaign=anna%40example.org&utm_id=42&email=anna@example.org#x"
    )
    folder.file(
        "e.csv",
        "id,name,at,url,ref,mail,secret,note,link\n"
        f"1,lead,2026-10-01T08:00:00Z,{url},https://WWW.Bing.com:443/s?q=x,anna@example.org,s,"
        "call anna@example.org,https://x.example/p?token=1\n",
    )
    (batch,) = folder.pull("e.csv")
    values = dict(batch.records[0].values)
    assert values.pop("email") == "anna@example.org"
    assert {key: values[key] for key in ("page_path", "click_id", "click_id_type")} == {
        "page_path": "/a b",
        "click_id": "Cj0-Ab_9",
        "click_id_type": "gclid",
    }
    assert (values["ad_campaign_id"], values["utm_source"], values["utm_campaign"]) == (
        "42",
        "Google",
        None,
    )
    assert values["referrer_host"] == "www.bing.com"
    assert batch.records[0].extra == {"note": "call [e-mail]", "link": "https://x.example/p"}
    assert "anna" not in str(values)


def test_a_long_file_comes_in_pieces(folder, monkeypatch) -> None:
    monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", 4_000)
    monkeypatch.setattr(bytes_feed, "PIECE_BYTES", 1_000)
    folder.mapping(EVENTS)
    rows = "".join(f"{n},lead,2026-10-01T08:00:00Z,/p,,,,,\n" for n in range(250))
    folder.file("e.csv", "id,name,at,url,ref,mail,secret,note,link\n" + rows)
    batches = list(folder.source("e.csv").pull(WINDOW))
    counts = [batch.columns.num_rows for batch in batches if batch.columns is not None]
    assert len(counts) > 1
    assert sum(counts) == 250
    assert len({(batch.file_name, batch.content_hash) for batch in batches}) == 1
    ids = [row.values["event_id"] for batch in as_records(batches) for row in batch.records]
    assert ids == [str(n) for n in range(250)]


def test_a_crm_file_says_until_when_it_is_complete(folder) -> None:
    folder.mapping(
        "kind: crm_leads\nformat: csv\nconstants: {crm: paper}\n"
        "fields: {crm_record_id: id, crm_created_at: at}\n"
    )
    folder.file("l.csv", "id,at\n1,2026-10-01T08:00:00Z\n")
    (old,) = as_records(folder.source("l.csv").pull(Window(date(2026, 10, 1), date(2026, 10, 2))))
    assert str(old.coverage[0].complete_until) == "2026-10-02 22:00:00+00:00"
    (today,) = as_records(folder.source("l.csv").pull(Window(date(2026, 10, 1), date(2026, 11, 1))))
    assert today.coverage[0].complete_until == NOW


@pytest.mark.parametrize(
    ("change", "line", "told"),
    [
        (("delimiter:", "delimeter:"), 4, "Did you mean 'delimiter'?"),
        (("cost_micros: {", "cost_micro: {"), 13, "Did you mean 'cost_micros'?"),
        (("kind: ad_report", "kind: ads"), 2, "kind is 'ads'"),
        (('decimal: ","', 'decimal: "."'), 2, "the same sign"),
        (("%d.%m.%Y", "%Q"), 12, "not a strptime format"),
        (("  account_id: Konto\n", ""), 2, "needs account_id"),
        (("conversion_date}", "conversion_date, account_id: '1'}"), 2, "keep one of them"),
    ],
)
def test_a_wrong_mapping_names_line_value_and_fix(folder, change, line, told) -> None:
    assert change[0] in REPORT
    folder.mapping(REPORT.replace(*change))
    with pytest.raises(ConfigurationError) as caught:
        load_mapping(folder.path / "mapping.yaml")
    assert told in str(caught.value)
    assert caught.value.where.endswith(f"mapping.yaml:{line}")


def test_files_over_http_one_a_day_and_a_day_that_is_not_there(platform, folder) -> None:
    folder.mapping(
        "kind: touches\nformat: jsonl\nfields: {touch_id: id, occurred_at: at, page_url: url}\n"
    )
    there = b'{"id": "1", "at": "2026-10-30T08:00:00Z", "url": "/x"}\n'
    days = {"30": Answer(there), "31": Answer(b"")}
    server = platform(
        lambda asked: days.get(asked.path[-8:-6], Answer({"error": "none"}, status=404))
    )
    settings = FilesSettings.model_validate(
        {
            "type": "files",
            "connection": "tag",
            "repull_days": 1,
            "files": [{"path": "touches/{date}.jsonl", "mapping": "mapping.yaml"}],
        }
    )
    source = build_source(
        "site_tag",
        settings,
        connection=server.connection("tag"),
        time_zone="Europe/Berlin",
        root=folder.path,
        workdir=folder.path / "work",
        known_hashes=frozenset(),
        now=NOW,
    )
    batches = as_records(source.pull(Window(date(2026, 10, 30), LAST_DAY)))
    assert [(batch.file_name, len(batch.records), batch.skipped_reason) for batch in batches] == [
        ("2026-10-29.jsonl", 0, "not_there"),
        ("2026-10-30.jsonl", 1, None),
        ("2026-10-31.jsonl", 0, None),
    ]
    assert server.asked[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert not list((folder.path / "work").iterdir()), "downloads hold personal data"


def test_when_no_day_is_there_the_path_is_wrong(folder) -> None:
    folder.mapping(EVENTS)
    with pytest.raises(PermanentError, match="None of the 31 days' files is there"):
        folder.pull("tag/{date}.csv")
    batches = folder.pull("tag/{date}.csv", required=False)
    assert {batch.skipped_reason for batch in batches} == {"not_there"}
    assert len(batches) == len(list(WINDOW.days()))
