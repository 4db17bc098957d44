"""Raw records into Arrow: personal values keyed, required columns checked, rows hashed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from trueline.errors import PermanentError, RowError
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
    identifiers: pa.Table
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
        keyed, clear = self._keyed(given)
        arrays |= {column.name: keyed[column.name] for column in content if column.name in keyed}
        for column in content:
            if column.name not in arrays:
                arrays[column.name] = pa.nulls(given.num_rows, ARROW_TYPES[column.type])
        rows = pa.table({column.name: arrays[column.name] for column in content})
        kept, errors = _with_required(content, rows, given, raw_rows)
        if errors:
            rows, clear = rows.filter(kept), clear.filter(kept)
        identifiers = _clear_identifiers(rows, clear) if table.name == "crm_leads" else pa.table({})
        return Prepared(rows.append_column("row_hash", self._hashes(rows)), identifiers, errors)

    def _keyed(self, given: pa.Table) -> tuple[dict[str, pa.Array], pa.Table]:
        """Keys of personal values, and the e-mail addresses and phone numbers that gave them."""
        nothing: Any = pa.nulls(given.num_rows, pa.string())
        keyed: dict[str, pa.Array] = {}
        emails = phones = nothing
        if _is_filled(given, "email"):
            (
                emails,
                keyed["email_key"],
                keyed["email_domain_key"],
                keyed["email_local_key"],
            ) = _of_distinct(given.column("email"), self._keys.of_emails)
        if _is_filled(given, "phone"):
            phones, keyed["phone_key"] = _of_distinct(given.column("phone"), self._keys.of_phones)
        if _is_filled(given, "ip_address"):
            (keyed["ip_key"],) = _of_distinct(
                given.column("ip_address"),
                lambda values: ([self._keys.ip(value) if value else None for value in values],),
            )
        return keyed, pa.table({"email": emails, "phone": phones})

    def _hashes(self, rows: pa.Table) -> pa.ChunkedArray:
        """Of everything in a row: the same content has the same hash on every engine."""
        parts = ", ".join(
            f'coalesce(cast("{name}" as varchar), {_NULL})' for name in sorted(rows.column_names)
        )
        hashed = self._duckdb.from_arrow(rows).project(
            f"left(sha256(concat_ws({_SEPARATOR}, {parts})), 32) as row_hash"
        )
        return hashed.to_arrow_table().column("row_hash").cast(pa.string())


def stamped(table: Table, rows: pa.Table, *, source: str, load_id: str, loaded_at: Any) -> pa.Table:
    """The rows with exactly the columns of table.yaml."""
    count = rows.num_rows
    stamps = {"source": source, "load_id": load_id, "loaded_at": loaded_at}
    arrays = [
        pa.repeat(pa.scalar(stamps[column.name], ARROW_TYPES[column.type]), count)
        if column.name in stamps
        else rows.column(column.name)
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


def _is_filled(given: pa.Table, name: str) -> bool:
    """Whether there is anything to key: without it no secret is asked for."""
    return name in given.column_names and given.column(name).null_count < given.num_rows


def _of_distinct(
    values: pa.ChunkedArray, make: Callable[[list[str | None]], tuple[list[str | None], ...]]
) -> list[pa.Array]:
    """What ``make`` gives for the values, asked once for each that differs."""
    encoded = values.combine_chunks().dictionary_encode()
    return [
        pa.array(column, pa.string()).take(encoded.indices)
        for column in make(encoded.dictionary.to_pylist())
    ]


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


def _clear_identifiers(rows: pa.Table, clear: pa.Table) -> pa.Table:
    """Addresses of CRM records as they are needed for sending, normalised."""
    there = pc.or_(pc.is_valid(clear.column("email")), pc.is_valid(clear.column("phone")))
    named = rows.select(["crm", "crm_record_id"])
    for name in clear.column_names:
        named = named.append_column(name, clear.column(name))
    return named.filter(there)
