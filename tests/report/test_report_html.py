"""The page: complete, self-contained and inert, in a real browser too."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_demo_figures import CAMPAIGNS, funnel_rows

from trueline.errors import ConfigurationError
from trueline.report import charts, figures, html
from trueline.report.headline import effect, headline, loads_behind, with_figures
from trueline.report.words import GAP_PIXEL_TO_REAL, GAP_REAL_TO_QUALIFIED

CHROMIUM = Path("/usr/bin/chromium")
EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(2)> & 'co'"


@pytest.fixture(scope="module")
def reports(demo_reader):
    return headline(demo_reader, "channel"), headline(demo_reader, "campaign")


@pytest.fixture(scope="module")
def page(demo_reader, reports) -> str:
    return html.to_html(*reports, loads_behind(demo_reader, reports[0].provenance.as_of))


class _Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def _pictures(text: str) -> list[str]:
    found = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', text)
    return [base64.b64decode(each).decode() for each in found]


def test_the_page_needs_nothing_from_outside(page):
    tags = _Tags(page).tags
    assert not {"script", "link", "iframe", "object", "form"} & {tag for tag, _ in tags}
    for _, attributes in tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert "url(" not in page
    assert "@import" not in page
    policy = next(attributes for tag, attributes in tags if "http-equiv" in attributes)
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_pictures_hold_no_script_and_no_address(page):
    pictures = _pictures(page)
    assert len(pictures) == 2 + 1 + len(CAMPAIGNS)
    for picture in pictures:
        names = {tag for tag, _ in _Tags(picture).tags}
        assert not names & {"script", "image", "foreignobject", "a", "style"}
        addresses = set(re.findall(r'https?://[^"\s]+', picture))
        assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_a_name_is_text_wherever_it_stands(reports):
    channels, campaigns = reports
    rows = [campaigns.rows[0] | {"campaign_name": EVIL}, *campaigns.rows[1:]]
    page = html.to_html(channels, replace(campaigns, rows=rows))
    read = _Tags(page)
    assert EVIL in read.text
    assert "script" not in {tag for tag, _ in read.tags}
    assert all("onerror" not in attributes for _, attributes in read.tags)
    for picture in _pictures(page):
        assert "<script" not in picture


def test_all_campaigns_and_where_the_figures_come_from_are_told(page, reports):
    text = " ".join(_Tags(page).text)
    for campaign in CAMPAIGNS:
        assert not campaign.name or campaign.name in text
    for said in (
        "Organic search",
        "3,168",
        "3,016",
        "818.7",
        reports[0].provenance.rules_version,
        "2026-11-23 06:00 UTC",
        "crm_export",
        "Qualified opportunities",
    ):
        assert said in text


def test_the_picture_leads_from_pixel_conversions_to_qualified_leads(reports):
    total = reports[1].totals
    picture = charts.waterfall(total)
    figures_drawn = re.findall(r">([+−]?[\d,.]+)</text>", picture)
    steps = [*GAP_PIXEL_TO_REAL, *GAP_REAL_TO_QUALIFIED]
    changes = [figures.change(effect(total, step)) for step in steps]
    pillars = ["3,168", "3,016", "818.7"]
    assert sorted(figures_drawn) == sorted([*pillars, *changes])
    places = [picture.index(f">{step.label}<") for step in steps]
    assert places == sorted(places)


def test_a_campaign_without_opportunities_is_drawn_without_a_price(reports):
    row = reports[1].rows[0]
    none_yet = with_figures(row | {"qualified_opportunities": Decimal(0)})
    assert ">none yet<" in charts.spend_and_cost([none_yet])
    both = charts.spend_and_cost([none_yet, row])
    assert both.count(f">{figures.money(row['spend_amount'])}<") == 2


def test_a_page_without_any_spend_needs_no_price_picture(publish):
    row = next(row for row in funnel_rows(days=1) if row["platform"] == "direct")
    reader = publish([row])
    page = html.to_html(headline(reader, "channel"), headline(reader, "campaign"))
    assert len(_pictures(page)) == 2 + 1
    assert "Spend and cost per" not in page


def test_large_accounts_get_pictures_for_the_largest_campaigns_only(reports, monkeypatch):
    monkeypatch.setattr(html, "MAX_PICTURED_CAMPAIGNS", 2)
    page = html.to_html(*reports)
    assert len(_pictures(page)) == 2 + 1 + 2
    assert "the other 9 stand in the table" in page


def test_reports_on_different_days_are_not_put_on_one_page(demo_reader, reports):
    other_days = headline(demo_reader, "campaign", reports[0].provenance.last_date)
    with pytest.raises(ConfigurationError, match="for the same days"):
        html.to_html(reports[0], other_days)


@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}")
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (420, "dark")])
def test_a_browser_shows_the_page_quietly(page, tmp_path, width, scheme):
    sync_api = pytest.importorskip("playwright.sync_api")
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    said, asked = [], []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("dialog", lambda dialog: said.append(dialog.message))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(path.as_uri())
        shown = tab.inner_text("body")
        drawn = tab.eval_on_selector_all("img", "all => all.map(one => one.naturalWidth)")
        overflow = tab.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        browser.close()
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    assert len(drawn) == 2 + 1 + len(CAMPAIGNS)
    assert all(drawn)
    assert overflow <= 0
    for campaign in CAMPAIGNS:
        assert not campaign.name or campaign.name in shown
