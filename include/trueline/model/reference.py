"""``python -m trueline.model.reference``: the tables' reference page, made from table.yaml."""

from __future__ import annotations

from trueline.model.catalog import LAYERS, Table, load_catalog

_LAYER_WORDS = {
    "raw_restricted": "Clear personal values; read by loading and sending only.",
    "raw": "What came in, as it came; append-only.",
    "rules": "The rulebook as small tables, by version.",
    "staging": "The newest version of each thing, renamed and typed.",
    "identity": "Who is who, and what became of every submission.",
    "attribution": "Which touch is credited with which lead.",
    "qualification": "The verdict on every lead.",
    "marts": "The three numbers and the two gaps.",
    "activation": "Exactly the rows to send back.",
    "ops": "What ran, with what, and what the gates said.",
    "reports": "Questions that readers ask; run on demand, not stored.",
}


def render() -> str:
    """The whole page as Markdown."""
    lines = [
        "# Tables",
        "",
        "Made from `include/sql/*/*/table.yaml` by `make docs`; a test fails when it is out of",
        "date. A layer reads only layers above it on this page. *personal*: what kind of personal",
        "data a column holds.",
    ]
    catalog = load_catalog()
    for layer in LAYERS:
        tables = [table for table in catalog.values() if table.layer == layer]
        lines += ["", f"## {layer}", "", _LAYER_WORDS[layer]]
        for table in tables:
            lines += _table(table)
    return "\n".join(lines) + "\n"


def _table(table: Table) -> list[str]:
    lines = ["", f"### {table.key}", "", table.purpose, ""]
    lines.append(f"One row per {', '.join(f'`{name}`' for name in table.grain)}.")
    if table.reads:
        reads = ", ".join(f"`{name}`" for name in sorted(table.reads - {table.key}))
        lines.append(f"Reads {reads}.")
    lines += ["", "| column | type | personal | |", "|---|---|---|---|"]
    lines += [
        f"| `{column.name}` | {column.type} | "
        f"{'' if column.personal == 'none' else column.personal} | {column.description} |"
        for column in table.columns
    ]
    return lines


if __name__ == "__main__":
    print(render(), end="")
