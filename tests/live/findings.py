"""What a live run looked at and what differed, for one table at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest


@dataclass(slots=True)
class Findings:
    """What was found until now.

    Attributes:
        looked_at: Lines to read also when all is well.
        differences: (check, subject, what differs).
    """

    looked_at: list[str] = field(default_factory=list)
    differences: list[tuple[str, str, str]] = field(default_factory=list)

    def refuse(self, check: str, found: Sequence[tuple[str, str]], *, looked_at: str) -> None:
        """Keep what differs, by subject, and fail the test that found it."""
        self.looked_at.append(f"{check}: {looked_at}, {len(found) or 'no'} differences")
        self.differences += [(check, subject, what) for subject, what in found]
        if found:
            subject, what = found[0]
            pytest.fail(f"{len(found)} differences; the first is {subject}: {what}", pytrace=False)


FINDINGS = Findings()


def told() -> list[str]:
    """The table, line by line."""
    width = max((len(subject) for _, subject, _ in FINDINGS.differences), default=0)
    return [
        *FINDINGS.looked_at,
        *(f"{check}  {subject:<{width}}  {what}" for check, subject, what in FINDINGS.differences),
    ]
