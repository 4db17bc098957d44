"""The rules change: the same raw, other credits, no source asked."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.world import World
from tests.end_to_end.conftest import Company, served
from trueline import pipeline
from trueline.paths import home
from trueline.settings.profile import load_profile
from trueline.warehouse import open_reader


@pytest.fixture(scope="module")
def before_and_after(
    small_world: World, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    """What readers see under first touch and then under last touch, and the requests made."""
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
        for model in ("first_touch", "last_touch"):
            rules = folder / "attribution.yaml"
            rules.write_text(
                rules.read_text(encoding="utf-8").replace("model: first_touch", f"model: {model}")
            )
            pipeline.build(company.profile, company.window)
            pipeline.publish(company.profile)
            seen.append({**_published(company), "requests": _requests(url)})
    return seen


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
    return {
        "campaigns": {
            (row["platform"], row["campaign_id"]): row["real_leads"]
            for row in campaigns
            if row["real_leads"]
        },
        "versions": [row["rules_version"] for row in versions],
    }


def test_the_leads_stay_and_move_between_campaigns(
    before_and_after: list[dict[str, Any]],
) -> None:
    first, last = before_and_after
    totals = [sum(seen["campaigns"].values(), Decimal()) for seen in (first, last)]
    assert totals[0] == totals[1] > 20
    assert first["campaigns"] != last["campaigns"]


def test_every_row_carries_the_one_new_version(before_and_after: list[dict[str, Any]]) -> None:
    first, last = before_and_after
    assert len(first["versions"]) == len(last["versions"]) == 1
    assert first["versions"] != last["versions"]


def test_no_source_was_asked_again(before_and_after: list[dict[str, Any]]) -> None:
    first, last = before_and_after
    assert first["requests"] == last["requests"] > 0


def test_the_folder_of_rules_is_the_profiles_own(tmp_path: Path) -> None:
    text = (home() / "config" / "pipeline.yaml").read_text(encoding="utf-8")
    (tmp_path / "pipeline.yaml").write_text(text, encoding="utf-8")
    assert load_profile(tmp_path / "pipeline.yaml").rulebook == tmp_path / "rulebook"
