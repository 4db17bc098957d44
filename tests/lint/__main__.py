"""The house's own lint: ``python -m tests.lint``; exit code 1 if anything is found."""

from __future__ import annotations

import sys

from tests.lint.repository import check_repository


def main() -> int:
    files, findings = check_repository()
    for finding in findings:
        print(finding)
    print(f"The house's lint read {files} files: {len(findings)} findings")
    return 1 if findings or not files else 0


if __name__ == "__main__":
    sys.exit(main())
