"""Lists of statements in tests: each ends with ``;`` and may be wrapped."""

from __future__ import annotations


def listed(text: str) -> list[str]:
    return [" ".join(statement.split()) for statement in text.split(";") if statement.strip()]
