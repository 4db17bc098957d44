"""From a file to a proposed mapping, tried on the file itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from trueline.sources.files.propose import ready_made
from trueline.sources.files.propose.guess import chosen_kind, draft
from trueline.sources.files.propose.render import draft_text, ready_made_text
from trueline.sources.files.propose.sniff import LOOKED_AT_ROWS, Seen, look_at
from trueline.sources.files.propose.trial import Trial, read_with
from trueline.sources.files.targets import Kind


@dataclass(frozen=True, slots=True)
class Proposal:
    """A mapping and what is to be said of it.

    Attributes:
        text: The mapping as YAML; empty where no row names columns.
        found: What the file is, sentence by sentence.
        doubts: What a person should look at.
        missing: What the kind needs and the file does not tell.
        trial: How the file reads with it; None where something needed is missing.
        ready_made: Name of the ready-made mapping, if one fits.
    """

    text: str
    found: Sequence[str]
    doubts: Sequence[str]
    missing: Sequence[str]
    trial: Trial | None
    ready_made: str | None = None


def propose(path: Path, kind: Kind | None, *, time_zone: str, now: datetime) -> Proposal:
    """Propose a mapping for a file.

    Args:
        kind: What the file is; None finds out.

    Raises:
        PermanentError: the file cannot be read at all.
    """
    seen = look_at(path)
    found = [_told(seen)]
    if seen.header_row is None or not seen.columns:
        unnamed = (
            "a row that names the columns: none of the first rows has a name that is known in "
            "English, German, French, Spanish, Portuguese, Italian or Dutch. A file without a "
            "header cannot be mapped: let the export write one",
        )
        return Proposal("", found, seen.doubts, unnamed, None)
    ready = ready_made.find(seen, kind)
    if ready is not None:
        found.append(f"the ready-made mapping {ready.name} fits")
        text = ready_made_text(ready, seen)
        doubts = [*seen.doubts, *_by_field(ready.doubts)]
        found += _by_field(ready.notes)
        missing = tuple(f"{field}: {what}" for field, what in ready.missing.items())
        name: str | None = ready.name
    else:
        kinds, kind_doubts = (kind, []) if kind else chosen_kind(seen.column_values())
        made = draft(seen, kinds, path.name)
        made.doubts += kind_doubts
        hint = ready_made.nearly(seen, made.kind)
        if hint:
            made.doubts.append(hint)
        found.append(f"kind {made.kind}, {len(made.fields)} fields of {len(seen.columns)} columns")
        text = draft_text(made, seen, path.name)
        found += _by_field(made.notes)
        doubts = [*seen.doubts, *made.doubts, *_by_field(made.field_doubts)]
        missing = tuple(f"{field}: {what}" for field, what in made.missing.items())
        name = None
    trial = None
    if not missing:
        trial = read_with(path, text, time_zone=time_zone, now=now, enough=LOOKED_AT_ROWS)
    return Proposal(text, found, doubts, missing, trial, name)


def _by_field(sentences: Mapping[str, str]) -> list[str]:
    return [f"{field}: {sentence}" for field, sentence in sentences.items()]


def _told(seen: Seen) -> str:
    if seen.format != "csv":
        return f"{seen.format}, {_looked_at(seen)}"
    sign = {"\t": "a tab"}.get(seen.delimiter, f"'{seen.delimiter}'")
    where = f"header in row {seen.header_row}" if seen.header_row else "no header"
    return f"csv, {seen.encoding}, {sign} between cells, {where}, {_looked_at(seen)}"


def _looked_at(seen: Seen) -> str:
    return "1 row looked at" if len(seen.rows) == 1 else f"{len(seen.rows):,} rows looked at"
