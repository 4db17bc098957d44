"""A proposal as YAML: comments carry the doubts, and no value of the file is in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from trueline.redaction import redact
from trueline.sources.files.propose.guess import Draft
from trueline.sources.files.propose.ready_made import ReadyMade
from trueline.sources.files.propose.sniff import Seen

_WIDTH = 100
_MAY_BE_FIXED = frozenset(
    ("platform", "account_id", "crm", "observer", "event_name", "stage", "conversion_action")
)


def ready_made_text(found: ReadyMade, seen: Seen) -> str:
    """A mapping that extends a ready-made one, or only names it."""
    lines = [f"# The ready-made mapping {found.name} reads this file. In the profile:"]
    if found.changes or found.missing:
        lines[0] = f"# The ready-made mapping {found.name} fits this file, with what follows."
    else:
        lines.append(f"#   mapping: library/{found.name}.yaml")
    lines += [
        f"# The same file, read a second time: mapping: library/{name}.yaml" for name in found.also
    ]
    lines += [f"# doubt: {doubt}" for doubt in seen.doubts]
    lines += [f"# doubt: {field}: {doubt}" for field, doubt in found.doubts.items()]
    lines += [f"# {field}: {note}" for field, note in found.notes.items()]
    lines.append(f"extends: {found.name}")
    for key, value in found.changes.items():
        lines += _block(key, value)
    lines += [f"# missing: {field}: {what}" for field, what in found.missing.items()]
    lines += _placeholder(found.missing)
    return "\n".join(lines) + "\n"


def draft_text(made: Draft, seen: Seen, file_name: str) -> str:
    """A whole mapping."""
    lines = [f"# Proposed for {redact(file_name)}. Every doubt is to be settled by a person."]
    lines += [f"# doubt: {doubt}" for doubt in (*seen.doubts, *made.doubts)]
    lines += [f"# missing: {field}: {what}" for field, what in made.missing.items()]
    lines += _placeholder(made.missing)
    lines += [f"kind: {made.kind}", f"format: {seen.format}"]
    if seen.sheet:
        lines.append(f"sheet: {_scalar(seen.sheet)}")
    for key, value in {**_shape(seen), **made.settings}.items():
        lines += _block(key, value)
    if made.constants:
        lines += _block("constants", made.constants)
    if not made.fields:
        return "\n".join(lines) + "\n"
    lines.append("fields:")
    for name, rule in made.fields.items():
        if name in made.field_doubts:
            lines.append(f"  # doubt: {name}: {made.field_doubts[name]}")
        if name in made.notes:
            lines.append(f"  # {name}: {made.notes[name]}")
        lines.append(f"  {name}: {_rule(rule)}")
    lines += [f"# dropped: column {_shown(name)} ({why})" for name, why in made.dropped.items()]
    if made.dropped:
        lines += _block("drop", list(made.dropped))
    lines += [
        f"# not used: column {_shown(name)} (looks like {what}); kept beside the fields"
        for name, what in made.kept.items()
    ]
    return "\n".join(lines) + "\n"


def _placeholder(missing: Mapping[str, str]) -> list[str]:
    """Where a fixed value helps: an id or a time is each row's own."""
    fixed = [field for field in missing if field in _MAY_BE_FIXED]
    return [f"#   constants: {{{', '.join(f'{field}: …' for field in fixed)}}}"] if fixed else []


def _shape(seen: Seen) -> dict[str, Any]:
    if seen.format not in ("csv", "excel"):
        return {} if seen.encoding == "utf-8" else {"encoding": seen.encoding}
    found: dict[str, Any] = {}
    if seen.format == "csv":
        if seen.encoding != "utf-8":
            found["encoding"] = seen.encoding
        if seen.delimiter != ",":
            found["delimiter"] = seen.delimiter
    if seen.header_row and seen.header_row > 1:
        found["header_row"] = "find"  # title lines come and go
    return found


def _block(key: str, value: Any) -> list[str]:
    if isinstance(value, Mapping) and key in ("constants", "fields"):
        return [f"{key}:", *(f"  {name}: {_rule(each)}" for name, each in value.items())]
    if isinstance(value, Mapping):
        return [f"{key}: {_flow(value)}"]
    if isinstance(value, Sequence) and not isinstance(value, str):
        text = f"{key}: {_flow(value)}"
        return [text] if len(text) <= _WIDTH else [f"{key}:", *(f"  - {_flow(v)}" for v in value)]
    return [f"{key}: {_scalar(value)}"]


def _rule(rule: Any) -> str:
    if isinstance(rule, Mapping) and set(rule) == {"column"}:
        return _scalar(rule["column"])
    return _flow(rule)


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f"{_scalar(key)}: {_flow(each)}" for key, each in value.items()) + "}"
        )
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    """Plain where YAML reads the very same text back, inside a flow too; else quoted."""
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        # Signs alone are read by people as syntax.
        has_letters = any(map(str.isalnum, value)) and "\n" not in value
        is_plain = has_letters and yaml.safe_load(f"[{value}]") == [value]
    except yaml.YAMLError:
        is_plain = False
    return value if is_plain else json.dumps(value, ensure_ascii=False)


def _shown(name: str) -> str:
    """A column's name; one that is somebody's address is not shown."""
    return repr(redact(name))
