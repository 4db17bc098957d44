"""Raw records into Arrow: personal values keyed, required columns checked, rows hashed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from trueline.errors import PermanentError, RowError
from trueline.identity_keys import normalise_email, normalise_phone
from trueline.model.catalog import Column, Table
from trueline.pipeline.keys import ProfileKeys
from trueline.sources.base import Batch, Record
from trueline.warehouse.parquet import ARROW_TYPES, arrow_schema

if TYPE_CHECKING:
    import duckdb

# Clear identifiers as sources name them; they stop here.
CLEAR_FIELDS = ("email", "phone", "ip_address")
LINE = "line"
# What ingest adds to every row of raw by itself.
_STAMPS = ("source", "load_id", "loaded_at", "row_hash")
# Between columns and for null, inside the text that is hashed: no value has them.
_SEPARATOR, _NULL = "chr(31)", "chr(30)"


@dataclass(frozen=True, slots=True)
class Prepared:
    """The good rows of one batch, ready to be loaded.

    Attributes:
        rows: The columns of the raw table but for source, load_id and loaded_at.
        identifiers: Clear identifiers of CRM records (crm, crm_record_id, email, phone), for
            raw_restricted only.
        errors: Rows that lack a required column.
    """

    rows: pa.Table
    identifiers: list[dict[str, str | None]] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)


class Preparer:
    """Keys, checks and hashes batches. Holds a small DuckDB in memory, for hashing many rows.

    Args:
        keys: Makes keys of personal values.
    """

    def __init__(self, keys: ProfileKeys) -> None:
        import duckdb

        self._keys = keys
        self._duckdb: duckdb.DuckDBPyConnection = duckdb.connect(
            ":memory:", config={"TimeZone": "UTC", "autoinstall_known_extensions": False}
        )

    def close(self) -> None:
        """Let the memory go."""
        self._duckdb.close()

    def prepare(self, table: Table, batch: Batch) -> Prepared:
        """Records or columns of a batch as rows of ``raw.<table>``.

        Raises:
            PermanentError: a source hands out a column that the table does not have, or a value
                that is not of its column's type; names column and type, not the value.
        """
        given = batch.columns if batch.columns is not None else _as_columns(table, batch.records)
        raw_rows = [record.raw_row for record in batch.records]
        content = [column for column in table.columns if column.name not in _STAMPS]
        _refuse_unknown(table, given.column_names, content)
        arrays = {
            column.name: _column(table, column, given)
            for column in content
            if column.name in given.column_names
        }
        arrays |= self._keyed(given, {column.name for column in content})
        for column in content:
            if column.name not in arrays:
                arrays[column.name] = pa.nulls(given.num_rows, ARROW_TYPES[column.type])
        rows = pa.table({column.name: arrays[column.name] for column in content})
        kept, errors = _with_required(content, rows, given, raw_rows)
        if errors:
            rows, given = rows.filter(kept), given.filter(kept)
        identifiers = (
            _clear_identifiers(given, self._keys.phone_region) if table.name == "crm_leads" else []
        )
        return Prepared(rows.append_column("row_hash", self._hashes(rows)), identifiers, errors)

    def _keyed(self, given: pa.Table, wanted: set[str]) -> dict[str, pa.Array]:
        makers: tuple[tuple[str, str, Callable[[str], str | None]], ...] = (
            ("email", "email_key", self._keys.email),
            ("email", "email_domain_key", self._keys.domain),
            ("phone", "phone_key", self._keys.phone),
            ("ip_address", "ip_key", self._keys.ip),
        )
        return {
            key: _of_distinct(given.column(clear), make)
            for clear, key, make in makers
            if clear in given.column_names and key in wanted
        }

    def _hashes(self, rows: pa.Table) -> pa.ChunkedArray:
        """Of everything in a row: the same content has the same hash on every engine."""
        parts = ", ".join(
            f'coalesce(cast("{name}" as varchar), {_NULL})' for name in sorted(rows.column_names)
        )
        hashed = self._duckdb.from_arrow(rows).project(
            f"left(sha256(concat_ws({_SEPARATOR}, {parts})), 32) as row_hash"
        )
        return hashed.to_arrow_table().column("row_hash").cast(pa.string())


def stamped(
    table: Table, prepared: Prepared, *, source: str, load_id: str, loaded_at: Any
) -> pa.Table:
    """The rows with exactly the columns of table.yaml."""
    count = prepared.rows.num_rows
    stamps = {"source": source, "load_id": load_id, "loaded_at": loaded_at}
    arrays = [
        pa.repeat(pa.scalar(stamps[column.name], ARROW_TYPES[column.type]), count)
        if column.name in stamps
        else prepared.rows.column(column.name)
        for column in table.columns
    ]
    return pa.table(arrays, schema=arrow_schema(table))


def rows_to_arrow(table: Table, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Plain dicts as an Arrow table with the columns of table.yaml."""
    return pa.table(
        [
            pa.array([row.get(column.name) for row in rows], ARROW_TYPES[column.type])
            for column in table.columns
        ],
        schema=arrow_schema(table),
    )


def _as_columns(table: Table, records: Sequence[Record]) -> pa.Table:
    """Records side by side; a column is there where at least one record names it."""
    names = list(dict.fromkeys(name for record in records for name in record.values))
    kinds = {column.name: ARROW_TYPES[column.type] for column in table.columns}
    columns: dict[str, pa.Array] = {
        LINE: pa.array([record.line for record in records], pa.int64()),
        "_extra": pa.array([_extra(record.extra) for record in records], pa.string()),
    }
    for name in names:
        values = [record.values.get(name) for record in records]
        kind = kinds.get(name, pa.string() if name in CLEAR_FIELDS else None)
        try:
            columns[name] = pa.array(values, kind)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise _wrong_type(table, name, type(error).__name__) from None
    return pa.table(columns)


def _extra(extra: Mapping[str, Any]) -> str | None:
    return json.dumps(dict(extra), sort_keys=True, default=str) if extra else None


def _refuse_unknown(table: Table, names: Iterable[str], content: Sequence[Column]) -> None:
    unknown = set(names) - {column.name for column in content} - {*CLEAR_FIELDS, LINE}
    if unknown:
        raise PermanentError(
            f"The source hands out {sorted(unknown)[0]!r}, which {table.key} does not have.",
            where=table.key,
            fix="Add the column to table.yaml, or leave it in the record's extra columns.",
        )


def _column(table: Table, column: Column, given: pa.Table) -> pa.ChunkedArray:
    array = given.column(column.name)
    kind = ARROW_TYPES[column.type]
    if array.type == kind:
        return array
    try:
        return array.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise _wrong_type(table, column.name, type(error).__name__) from None


def _wrong_type(table: Table, name: str, error: str) -> PermanentError:
    kinds = {column.name: column.type for column in table.columns}
    return PermanentError(
        f"A value of {name} is not {kinds.get(name, 'text')} ({error}).",
        where=table.key,
        fix="Mend the source or its mapping: it must hand out typed values.",
    )


def _of_distinct(values: pa.ChunkedArray, make: Callable[[str], str | None]) -> pa.Array:
    """``make`` of every value, asked once for each that differs."""
    encoded = values.combine_chunks().dictionary_encode()
    made = pa.array(
        [make(each) if each else None for each in encoded.dictionary.to_pylist()], pa.string()
    )
    return made.take(encoded.indices)


def _with_required(
    content: Sequence[Column], rows: pa.Table, given: pa.Table, raw_rows: Sequence[str]
) -> tuple[pa.Array, list[RowError]]:
    """Which rows have all that is required, and an error for each that has not."""
    kept: Any = pa.array([True] * rows.num_rows, pa.bool_())
    missing: dict[int, str] = {}
    for column in content:
        if not column.required or not rows.column(column.name).null_count:
            continue
        there = rows.column(column.name).is_valid().combine_chunks()
        for place in pc.indices_nonzero(pc.invert(there)).to_pylist():
            missing.setdefault(place, column.name)
        kept = pc.and_(kept, there)
    lines = given.column(LINE) if LINE in given.column_names else None
    return kept, [
        RowError(
            lines[place].as_py() if lines is not None else place + 1,
            name,
            "missing_required",
            raw_rows[place] if place < len(raw_rows) else "",
        )
        for place, name in sorted(missing.items())
    ]


def _clear_identifiers(given: pa.Table, phone_region: str) -> list[dict[str, str | None]]:
    """Addresses of CRM records as they are needed for sending, normalised."""
    empty = [None] * given.num_rows
    crm, record, emails, phones = (
        given.column(name).to_pylist() if name in given.column_names else empty
        for name in ("crm", "crm_record_id", "email", "phone")
    )
    found = []
    for place in range(given.num_rows):
        email = normalise_email(emails[place])
        phone = normalise_phone(phones[place], phone_region)
        if email is not None or phone is not None:
            found.append(
                {
                    "crm": crm[place],
                    "crm_record_id": record[place],
                    "email": email,
                    "phone": phone,
                }
            )
    return found
