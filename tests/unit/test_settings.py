"""Settings refuse what they do not understand, and say line, value and fix."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from trueline.errors import ConfigurationError
from trueline.paths import home
from trueline.rulebook import load_rulebook
from trueline.rulebook.fits import ModelFit, load_fit, write_fit
from trueline.settings.profile import load_profile

CONFIG = home() / "config"


@pytest.fixture
def profile_file(tmp_path: Path) -> Path:
    copy = tmp_path / "pipeline.yaml"
    copy.write_text((CONFIG / "pipeline.yaml").read_text())
    return copy


@pytest.fixture
def rulebook(tmp_path: Path) -> Path:
    for name in ("attribution.yaml", "qualification.yaml"):
        (tmp_path / name).write_text((CONFIG / "rulebook" / name).read_text())
    return tmp_path


def _replace(path: Path, old: str, new: str) -> int:
    """Replace once; returns the line of the change."""
    text = path.read_text()
    assert text.count(old) >= 1, old
    line = text[: text.index(old)].count("\n") + 1
    path.write_text(text.replace(old, new, 1))
    return line


def test_the_default_profile_is_valid() -> None:
    profile = load_profile()
    assert profile.name == "demo"
    assert set(profile.sources) == {"google_ads", "meta_ads", "hubspot", "site_tag"}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("time_zone:", "timezone:", "Did you mean 'time_zone'"),
        ("Europe/Berlin", "Europe/Berln", "'Europe/Berln': not a known time zone"),
        ("currency: EUR", "currency: Euro", "currency is 'Euro'"),
        ("engine: duckdb", "engine: oracle", "duckdb"),
        ("repull_days: 2", "repull_days: -1", "repull_days"),
        ('accounts: ["1234567890"]', "accounts: []", "accounts"),
        ("    type: hubspot", "    type: hubspt", "hubspt"),
    ],
)
def test_a_wrong_setting_names_line_value_and_fix(
    profile_file: Path, old: str, new: str, told: str
) -> None:
    line = _replace(profile_file, old, new)
    with pytest.raises(ConfigurationError) as caught:
        load_profile(profile_file)
    message = str(caught.value)
    assert told in message
    told_line = int(re.search(r"pipeline\.yaml:(\d+)", message)[1])  # type: ignore[index]
    # A problem of a whole block is told at the block's own line.
    assert line - 3 <= told_line <= line


def test_a_key_that_stands_twice_is_refused(profile_file: Path) -> None:
    _replace(profile_file, "currency: EUR", "currency: EUR\ncurrency: USD")
    with pytest.raises(ConfigurationError, match="here twice"):
        load_profile(profile_file)


def test_broken_yaml_names_the_line(profile_file: Path) -> None:
    _replace(profile_file, "currency: EUR", "currency: [EUR")
    with pytest.raises(ConfigurationError, match=r"pipeline\.yaml:\d+.*\n?.*not valid YAML"):
        load_profile(profile_file)


def test_a_missing_variable_without_default_is_named(profile_file: Path) -> None:
    _replace(profile_file, "${TRUELINE_DATA:-../data}", "${TRUELINE_NOWHERE_SET}")
    with pytest.raises(ConfigurationError, match="TRUELINE_NOWHERE_SET is not set"):
        load_profile(profile_file)


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("attribution.yaml", "default_goal: lead", "default_goal: leed", "no goal 'leed'"),
        ("attribution.yaml", "gclid: google_ads", "gclid: gogle_ads", "no channel 'gogle_ads'"),
        ("attribution.yaml", "model: first_touch", "model: first_tuch", "'first_tuch'"),
        ("attribution.yaml", "repeat_days: 1", "repeat_days: soon", "'soon'"),
        (
            "attribution.yaml",
            "model: first_touch",
            "model: markov",
            "trueline model fit --model markov",
        ),
        (
            "attribution.yaml",
            "model: first_touch",
            "model_settings: {half_life_days: 7}",
            "it belongs to model: time_decay, and the model is first_touch",
        ),
        (
            "attribution.yaml",
            "look_back_days: 90",
            "model_settings: {fit: some-fit}",
            "it belongs to model: markov or shapley",
        ),
        (
            "attribution.yaml",
            "model: first_touch",
            "model_settings: {first: 60, last: 41}\nmodel: position_based",
            "first and last make 101 percent",
        ),
        (
            "attribution.yaml",
            "model: first_touch",
            "model_settings: {half_life_days: 0}",
            "half_life_days",
        ),
        ("qualification.yaml", "fit: 0.25", "fit: 0.35", "they sum to 1.10"),
        ("qualification.yaml", "warm_from: 0.45", "warm_from: 0.95", "must not be above hot_from"),
        (
            "qualification.yaml",
            "verdict: disqualified, reason: spam, contact: false",
            "verdict: disqualified",
            "reason belongs to",
        ),
        (
            "qualification.yaml",
            "{stage: CONNECTED, verdict: pending}",
            "{stage: OPEN, verdict: qualified}",
            "an entry above has the same crm, stage and stage_reason",
        ),
        ("qualification.yaml", "disqualified_below: 0.3", "disqualified_below: 0.8", "above"),
        ("qualification.yaml", "hot_from: 0.75", "hot_from: 0.1234567891", "decimal places"),
        ("qualification.yaml", "at_least: 0.9", "at_least: 0.6", "below qualified_from (0.7)"),
        ("qualification.yaml", "outweighs: budget", "outweighs: money", "'money'"),
        ("qualification.yaml", "outweighs: budget", "outweighs: intent", "outweigh itself"),
        ("qualification.yaml", "declared: pql, lead_type: pql", "lead_type: pql", "either a stage"),
        (
            "qualification.yaml",
            "{declared: mql, lead_type: mql}",
            "{declared: PQL, lead_type: mql}",
            "keep one",
        ),
    ],
)
def test_a_rulebook_error_names_value_and_fix(
    rulebook: Path, file: str, old: str, new: str, told: str
) -> None:
    line = _replace(rulebook / file, old, new)
    with pytest.raises(ConfigurationError) as caught:
        load_rulebook(rulebook, "Europe/Berlin")
    assert told in str(caught.value)
    assert f"{file}:{line}:" in str(caught.value)


FIT = """\
model_id: markov-2026-h1
model: markov
first_date: 2026-01-01
last_date: 2026-06-30
rules_version: 0123456789ab
leads: 120
weights:
  google_ads: '0.600000000000'
  email: '0.250000000001'
"""


@pytest.fixture
def fitted(rulebook: Path) -> Path:
    """A rulebook whose model is markov, fitted."""
    (rulebook / "fits").mkdir()
    (rulebook / "fits" / "markov-2026-h1.yaml").write_text(FIT)
    _replace(
        rulebook / "attribution.yaml",
        "model: first_touch",
        "model: markov\nmodel_settings: {fit: markov-2026-h1}",
    )
    return rulebook


def test_a_fit_is_part_of_the_rulebook_and_of_its_version(fitted: Path) -> None:
    before = load_rulebook(fitted, "Europe/Berlin")
    tables = before.tables(str, str, str)
    assert tables["model_fits"] == [
        {"model_id": "markov-2026-h1", "channel": "email", "weight_trillionths": 250000000001},
        {"model_id": "markov-2026-h1", "channel": "google_ads", "weight_trillionths": 600000000000},
    ]
    assert '"google_ads":"0.600000000000"' in before.content()
    _replace(fitted / "fits" / "markov-2026-h1.yaml", "0.600000000000", "0.600000000001")
    assert load_rulebook(fitted, "Europe/Berlin").version != before.version


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("attribution.yaml", "model: markov", "model: shapley", "This is a fit of markov"),
        ("attribution.yaml", "fit: markov-2026-h1", "fit: markov-2025", "trueline model fit"),
        ("fits/markov-2026-h1.yaml", "id: markov-2026-h1", "id: other", "holds the fit 'other'"),
        ("fits/markov-2026-h1.yaml", "  email:", "  emial:", "no channel 'emial'"),
        ("fits/markov-2026-h1.yaml", "'0.600000000000'", "1.5", "weights.google_ads is 1.5"),
        ("fits/markov-2026-h1.yaml", "leads: 120", "leads: 0", "leads is 0"),
    ],
)
def test_a_fit_that_does_not_belong_is_refused(
    fitted: Path, file: str, old: str, new: str, told: str
) -> None:
    _replace(fitted / file, old, new)
    with pytest.raises(ConfigurationError) as caught:
        load_rulebook(fitted, "Europe/Berlin")
    assert told in str(caught.value)


def test_a_fit_is_written_once_and_read_as_it_was(rulebook: Path) -> None:
    fit = ModelFit.model_validate(yaml.safe_load(FIT))
    path = write_fit(rulebook, fit)
    assert load_fit(rulebook, "markov-2026-h1") == fit
    before = path.read_text()
    with pytest.raises(ConfigurationError, match="figures may rest on it"):
        write_fit(rulebook, fit.model_copy(update={"leads": 121}))
    assert path.read_text() == before


def test_the_version_follows_every_rule_and_no_label(rulebook: Path) -> None:
    before = load_rulebook(rulebook, "Europe/Berlin").version
    _replace(rulebook / "attribution.yaml", "label: first-touch-2026", "label: renamed")
    assert load_rulebook(rulebook, "Europe/Berlin").version == before
    # The time zone moves days, so it belongs to the version.
    assert load_rulebook(rulebook, "America/New_York").version != before
    _replace(rulebook / "attribution.yaml", "duplicate_minutes: 30", "duplicate_minutes: 31")
    assert load_rulebook(rulebook, "Europe/Berlin").version != before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("disqualified_below: 0.3", "disqualified_below: 0.31"),
        ("  disqualified_below: 0.3\n", ""),
        ("at_least: 0.9", "at_least: 0.91"),
        ("reason: spam, contact: false", "reason: spam"),
        ("{stage: QUALIFIED, lead_type: sql}", "{stage: QUALIFIED, lead_type: pql}"),
        ("final_after_days: 60", "final_after_days: 61"),
        (
            "final_after_days: 60",
            "final_after_days: 60\ncriterion_reasons: {fit: not_fit, budget: no_budget, "
            "authority: no_authority, need: no_need, timing: no_timing, interest: no_need, "
            "intent: no_intent}",
        ),
    ],
)
def test_every_rule_of_qualification_belongs_to_the_version(
    rulebook: Path, old: str, new: str
) -> None:
    before = load_rulebook(rulebook, "Europe/Berlin").version
    _replace(rulebook / "qualification.yaml", old, new)
    assert load_rulebook(rulebook, "Europe/Berlin").version != before


def test_a_stage_reason_is_compared_in_lower_case_like_that_of_the_crm(rulebook: Path) -> None:
    before = load_rulebook(rulebook, "Europe/Berlin").version
    _replace(rulebook / "qualification.yaml", "stage_reason: no_budget", "stage_reason: No_Budget ")
    assert load_rulebook(rulebook, "Europe/Berlin").version == before


def test_an_override_of_what_has_no_weight_is_refused(rulebook: Path) -> None:
    path = rulebook / "qualification.yaml"
    _replace(path, "budget: 0.15, authority: 0.15", "authority: 0.3")
    with pytest.raises(ConfigurationError, match="budget has no weight in the score"):
        load_rulebook(rulebook, "Europe/Berlin")
