"""A real DuckDB warehouse in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from trueline.paths import home
from trueline.settings.profile import Profile, load_profile


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """The default profile, its warehouse below ``tmp_path``."""
    monkeypatch.setenv("TRUELINE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("TRUELINE_IDENTITY_KEY", "only-for-this-test-" * 3)
    return load_profile(home() / "config" / "pipeline.yaml")
