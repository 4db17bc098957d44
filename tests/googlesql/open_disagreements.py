"""Where the engines are known to disagree in a query of the product, until it is mended.

Everything else is checked around these. A test fails as soon as one is gone, so that nothing stays
excused.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Open:
    """The column that may differ, its smallest story, and the refusals that stand open for it."""

    column: str
    story: str
    refusals: tuple[str, ...]


OPEN: dict[str, Open] = {
    # The score for people to read is divided and rounded in FLOAT64.
    "qualification.lead_verdicts": Open(
        "score",
        "a_score_lies_halfway_between_two_millionths",
        ("round of FLOAT64", "a cast of FLOAT64 to NUMERIC"),
    ),
}
