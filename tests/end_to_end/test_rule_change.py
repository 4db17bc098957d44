"""The rules change, also to learnt ones: the same raw, other credits, no source asked."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
from typer.testing import CliRunner

from sandbox.world import World
from tests.end_to_end.conftest import Company, served
from trueline import pipeline
from trueline.cli.main import app
from trueline.paths import home
from trueline.rulebook.fits import load_fit
from trueline.settings.profile import load_profile
from trueline.warehouse import open_reader

FIT = "markov-march"
MARKOV = f"markov\nmodel_settings: {{fit: {FIT}}}"


@pytest.fixture(scope="module")
def before_and_after(
    small_world: World, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    """What readers see under first touch, then last touch, then markov, and the requests made."""
    folder = tmp_path_factory.mktemp("rules")
    for name in ("attribution.yaml", "qualification.yaml"):
        text = (home() / "config" / "rulebook" / name).read_text(encoding="utf-8")
        (folder / name).write_text(text, encoding="utf-8")
    profile = folder / "pipeline.yaml"
    text = (home() / "config" / "pipeline.yaml").read_text(encoding="utf-8")
    text = text.replace("rulebook: rulebook", "rulebook: .").replace(
        "mappings/", f"{home() / 'config' / 'mappings'}/"
    )
    profile.write_text(
        text.replace("${TRUELINE_DATA:-../data}", str(folder / "data")), encoding="utf-8"
    )
    seen = []
    with served(small_world) as url:
        company = Company(small_world, url, load_profile(profile))
        company.ingest(company.window)
        for model in ("first_touch", "last_touch", MARKOV):
            if model == MARKOV:
                _fit(company)
            rules = folder / "attribution.yaml"
            text = rules.read_text(encoding="utf-8")
            rules.write_text(re.sub(r"^model: \w+$", f"model: {model}", text, flags=re.MULTILINE))
            pipeline.build(company.profile, company.window)
            pipeline.publish(company.profile)
            seen.append({**_published(company), "requests": _requests(url)})
        seen[-1]["fit"] = load_fit(folder, FIT)
        seen[-1]["compared"] = _model(company, "compare", "--format", "json")
    return seen


def _fit(company: Company) -> None:
    days = ("--from", f"{company.window.start}", "--to", f"{company.window.end}")
    told = _model(company, "fit", "--model", "markov", "--id", FIT, *days)
    assert f"model_settings: {{fit: {FIT}}}" in told


def _model(company: Company, *arguments: str) -> str:
    profile = ("--profile", str(company.profile.path))
    done = CliRunner().invoke(app, ["model", *arguments, *profile])
    assert done.exit_code == 0, done.output
    return done.output


def _requests(url: str) -> int:
    counts = requests.get(f"{url}/health", timeout=5).json()["requests"]
    # The question itself is no request to a platform.
    return sum(count for prefix, count in counts.items() if prefix not in ("health", "/health"))


def _published(company: Company) -> dict[str, Any]:
    with open_reader(company.profile) as reader:
        campaigns = reader.query(
            "select platform, campaign_id, sum(real_leads) as real_leads from marts.funnel_daily "
            "group by platform, campaign_id"
        )
        versions = reader.query("select distinct rules_version from marts.funnel_daily")
        credits = reader.query(
            "select lead_key, platform, sum(credit) as credit from attribution.lead_credits "
            "where report_date >= date '2026-01-01' and touch_id is not null "
            "group by lead_key, platform"
        )
    return {
        "campaigns": {
            (row["platform"], row["campaign_id"]): row["real_leads"]
            for row in campaigns
            if row["real_leads"]
        },
        "credits": credits,
        "versions": [row["rules_version"] for row in versions],
    }


def test_the_leads_stay_and_move_between_campaigns(
    before_and_after: list[dict[str, Any]],
) -> None:
    first, last, learnt = before_and_after
    totals = [sum(seen["campaigns"].values(), Decimal()) for seen in before_and_after]
    assert totals[0] == totals[1] == totals[2] > 20
    assert first["campaigns"] != last["campaigns"] != learnt["campaigns"]


def test_a_lead_is_shared_by_its_channels_as_the_model_has_learnt(
    before_and_after: list[dict[str, Any]],
) -> None:
    learnt = before_and_after[-1]
    leads: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for row in learnt["credits"]:
        leads[row["lead_key"]][row["platform"]] = row["credit"]
    shared = [credits for credits in leads.values() if len(credits) > 1]
    assert len(shared) > 5
    for credits in shared:
        weights = {channel: learnt["fit"].weights[channel] for channel in credits}
        assert sum(credits.values()) == 1
        for channel, credit in credits.items():
            wanted = weights[channel] / sum(weights.values(), Decimal())
            assert abs(credit - wanted) < Decimal("1e-5")


def test_compare_shows_what_each_model_publishes(before_and_after: list[dict[str, Any]]) -> None:
    first, last, learnt = before_and_after
    rows = json.loads(learnt["compared"], parse_float=Decimal)["rows"]
    for seen, model in ((first, "first_touch"), (last, "last_touch"), (learnt, FIT)):
        published: dict[str, Decimal] = defaultdict(Decimal)
        for (platform, _), leads in seen["campaigns"].items():
            published[platform] += leads
        published["(all)"] = sum(published.values(), Decimal())
        assert {row["channel"]: Decimal(row[model]) for row in rows if row[model]} == published


def test_every_row_carries_the_one_new_version(before_and_after: list[dict[str, Any]]) -> None:
    versions = [tuple(seen["versions"]) for seen in before_and_after]
    assert [len(each) for each in versions] == [1, 1, 1]
    assert len(set(versions)) == 3


def test_no_source_was_asked_again(before_and_after: list[dict[str, Any]]) -> None:
    first, *later = before_and_after
    assert {seen["requests"] for seen in later} == {first["requests"]}
    assert first["requests"] > 0


def test_the_folder_of_rules_is_the_profiles_own(tmp_path: Path) -> None:
    text = (home() / "config" / "pipeline.yaml").read_text(encoding="utf-8")
    (tmp_path / "pipeline.yaml").write_text(text, encoding="utf-8")
    assert load_profile(tmp_path / "pipeline.yaml").rulebook == tmp_path / "rulebook"
