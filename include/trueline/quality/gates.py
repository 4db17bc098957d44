"""A gate: all promises of a border kept, or the run stops before anything is built, shown or sent."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from trueline.errors import PermanentError
from trueline.quality.runner import ExpectationResult
from trueline.quality.suites import Border

log = logging.getLogger(__name__)

_FIX = {
    "raw": "Correct the source or its mapping and load the window again; nothing was built.",
    "marts": "Nothing was published: readers still see the last good figures. Look at the rows "
    "named above, correct rulebook, mapping or query, and build the window again.",
    "activation": "Nothing was sent. Correct the rows named above at their source and build again.",
}
_FIX_BROKEN = "The data was not judged: mend the check (its suite, or the table it reads)."


class GateFailed(PermanentError):  # noqa: N818 - it is a verdict; the word is known from the pages
    """A critical promise is broken, or could not be checked.

    Attributes:
        failed: Critical results where the data breaks the promise.
        broken: Critical results where the check itself could not be run.
    """

    def __init__(
        self,
        border: Border,
        failed: Sequence[ExpectationResult],
        broken: Sequence[ExpectationResult],
    ) -> None:
        self.border, self.failed, self.broken = border, tuple(failed), tuple(broken)
        parts = []
        if failed:
            parts.append(_counted(len(failed), "promise is broken", "promises are broken"))
        if broken:
            parts.append(_counted(len(broken), "check could not run", "checks could not run"))
        lines = [f"The {border} gate is closed: {' and '.join(parts)}."]
        lines += [describe(result) for result in (*failed, *broken)]
        fixes = [result.fix for result in failed if result.fix]
        if failed and len(fixes) < len(failed):
            fixes.append(_FIX[border])
        if broken:
            fixes.append(_FIX_BROKEN)
        super().__init__("\n".join(lines), fix=" ".join(dict.fromkeys(fixes)))


def judge(border: Border, results: Sequence[ExpectationResult]) -> list[ExpectationResult]:
    """Return the warnings, logged, or stop the run.

    Raises:
        GateFailed: a critical expectation failed or could not be run.
    """
    unkept = [result for result in results if not result.success]
    critical = [result for result in unkept if result.severity == "critical"]
    warnings = [result for result in unkept if result.severity == "warning"]
    for warning in warnings:
        log.warning("%s", describe(warning))
    if critical:
        raise GateFailed(
            border,
            failed=[result for result in critical if result.exception is None],
            broken=[result for result in critical if result.exception is not None],
        )
    log.info("The %s gate is open: %d promises kept.", border, len(results) - len(unkept))
    return warnings


def describe(result: ExpectationResult) -> str:
    """One line for logs and pages: which table, which promise, how many rows, why it matters."""
    subject = f"{result.suite}, {result.expectation}"
    if result.column:
        subject += f" ({result.column})"
    if result.exception is not None:
        return f"- {subject}: the check itself is broken: {result.exception}."
    found = "not kept"
    if result.unexpected_rows is not None:
        found = f"broken {_counted(result.unexpected_rows, 'time', 'times')}"
    if result.checked_rows is not None:
        found += f" in {_counted(result.checked_rows, 'row', 'rows')}"
    return f"- {subject}: {found}. {result.why}"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
