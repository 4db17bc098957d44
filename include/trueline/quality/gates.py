"""A gate: every promise of a border is kept, or nothing is built, shown or sent."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from trueline.errors import PermanentError
from trueline.quality.runner import ExpectationResult
from trueline.quality.suites import Border

log = logging.getLogger(__name__)

_FIX = {
    "raw": "Nothing was built. Take the bad load back (trueline loads --reject LOAD_ID --reason "
    "TEXT), correct the source or its mapping, and load the window again.",
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

    failed: tuple[ExpectationResult, ...] = ()
    broken: tuple[ExpectationResult, ...] = ()


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
        raise _closed(border, critical)
    log.info("The %s gate is open: %d promises kept.", border, len(results) - len(unkept))
    return warnings


def _closed(border: Border, critical: Sequence[ExpectationResult]) -> GateFailed:
    failed = tuple(result for result in critical if result.exception is None)
    broken = tuple(result for result in critical if result.exception is not None)
    counts, fixes = [], [result.fix for result in failed if result.fix]
    if failed:
        counts.append(_counted(len(failed), "promise is broken", "promises are broken"))
        if not all(result.fix for result in failed):
            fixes.append(_FIX[border])
    if broken:
        counts.append(_counted(len(broken), "check could not run", "checks could not run"))
        fixes.append(_FIX_BROKEN)
    lines = [f"The {border} gate is closed: {' and '.join(counts)}."]
    lines += [describe(result) for result in (*failed, *broken)]
    error = GateFailed("\n".join(lines), fix=" ".join(dict.fromkeys(fixes)))
    error.failed, error.broken = failed, broken
    return error


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
