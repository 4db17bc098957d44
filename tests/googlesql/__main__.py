"""The static gate: ``python -m tests.googlesql`` type-checks every SQL statement of the product.

The real GoogleSQL analyser does it, without a BigQuery account. Exit code 1: something is wrong,
each problem on a line of its own as ``path:line:column: message``.
"""

from __future__ import annotations

import sys
import time

from tests.googlesql.gate import check
from trueline.errors import ConfigurationError
from trueline.paths import sql_dir, suites_dir


def main() -> int:
    started = time.monotonic()
    try:
        report = check(sql_dir(), suites_dir())
    except ConfigurationError as error:
        print(error)
        return 1
    for problem in report.problems:
        print(problem)
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(report.checked.items()))
    print(
        f"GoogleSQL checked {report.checked.total()} statements ({counts}) and in them "
        f"{report.reads} reads of partitioned tables: "
        f"{len(report.problems)} problems, {time.monotonic() - started:.1f} s"
    )
    if not report.checked.total():
        print("Nothing was checked: there is no query.sql to be found.")
        return 1
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
