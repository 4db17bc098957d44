"""Which files the house's own lint reads."""

from __future__ import annotations

from pathlib import Path

from tests.lint.sql_rules import Finding, check_query
from tests.lint.words import check_python, check_yaml

ROOT = Path(__file__).resolve().parents[2]
_QUERIES = ("include/sql/*/*/query.sql", "include/trueline/sources/*/*.sql")
_PYTHON = ("include/**/*.py", "dags/**/*.py", "plugins/**/*.py", "sandbox/**/*.py", "demo/**/*.py")
_YAML = ("include/sql/*/*/table.yaml", "config/**/*.yaml", "docs/examples/**/*.yaml")


def check_repository(root: Path = ROOT) -> tuple[int, list[Finding]]:
    """Number of files read, and everything found in them."""
    findings: list[Finding] = []
    files = 0
    for patterns, check in (
        (_QUERIES, check_query),
        (_PYTHON, check_python),
        (_YAML, check_yaml),
    ):
        for path in sorted({path for pattern in patterns for path in root.glob(pattern)}):
            shown = path.relative_to(root).as_posix()
            findings += check(path.read_text(encoding="utf-8"), shown)
            files += 1
    return files, findings
