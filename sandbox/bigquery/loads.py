"""Load jobs: Parquet, CSV and newline-delimited JSON from an upload."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.bigquery.changes import Changes
from sandbox.bigquery.destination import Destination, layout_asked
from sandbox.bigquery.errors import ApiError, invalid, no_table, not_covered
from sandbox.bigquery.jobs import Job
from sandbox.bigquery.session import Session
from sandbox.bigquery.sql import Parameters
from sandbox.bigquery.store import Store
from sandbox.bigquery.types import Field, quoted, schema_of


def load(
    store: Store, changes: Changes, job: Job, data: bytes, bad_rows: dict[int, str]
) -> dict[str, Any]:
    """Run a load job; its ``statistics.load``.

    Args:
        data: The uploaded file.
        bad_rows: Rows (from 1) that are to be called bad, with the reason: faults on request.

    Raises:
        ApiError: the table, the schema or more than ``maxBadRecords`` rows do not fit.
    """
    asked = job.configuration["load"]
    reference = asked["destinationTable"]
    path = str(reference["datasetId"]), str(reference["tableId"])
    store.dataset(path[0], job.location)
    present = store.tables.get(path)
    if present is None and asked.get("createDisposition") == "CREATE_NEVER":
        raise no_table(store.project, *path)
    given = schema_of(asked.get("schema"))
    rows, found = _read(asked, data, given or (present.fields if present else ()))
    fields = given or _as_stored(found, present.fields if present else found, asked)
    good, errors = _checked(rows, fields, present.fields if present else fields, bad_rows)
    allowed = int(asked.get("maxBadRecords") or 0)
    if len(errors) > allowed:
        raise ApiError(
            "invalid",
            f"Error while reading data, error message: {asked.get('sourceFormat', 'CSV')} table "
            f"encountered too many errors, giving up. Rows: {len(good)}; errors: {len(errors)}. "
            "Please look into the errors[] collection for more details.",
            more=errors,
        )
    job.errors = errors
    target = Destination(
        *path,
        write=asked.get("writeDisposition") or "WRITE_APPEND",
        create=asked.get("createDisposition") or "CREATE_IF_NEEDED",
        layout=layout_asked(asked),
        updates=tuple(asked.get("schemaUpdateOptions") or ()),
    )
    session = Session(store, changes, Parameters(), job.location, None)
    try:
        session.cursor.register("_upload", _arrow(good, fields))
        names = ", ".join(
            f"cast({quoted(each.name)} as {each.duckdb_type()}) as {quoted(each.name)}"
            for each in fields
        )
        _, count = session.write(target, fields, f"(select {names} from _upload)")
    finally:
        session.close()
    return {
        "inputFiles": "1",
        "inputFileBytes": str(len(data)),
        "outputRows": str(count),
        "outputBytes": str(len(data)),
        "badRecords": str(len(errors)),
    }


Row = dict[str, Any]


def _read(
    asked: dict[str, Any], data: bytes, fields: tuple[Field, ...]
) -> tuple[list[Row], tuple[Field, ...]]:
    """Rows by column name, and the columns the file itself tells."""
    match asked.get("sourceFormat") or "CSV":
        case "PARQUET":
            return _parquet(data, asked.get("decimalTargetTypes") or ["NUMERIC"])
        case "NEWLINE_DELIMITED_JSON":
            rows = [json.loads(line) for line in data.decode().splitlines() if line.strip()]
            if not fields and asked.get("autodetect"):
                fields = _detected(rows)
            return rows, fields or _no_schema()
        case "CSV":
            return list(_csv(asked, data, fields or _no_schema())), fields
    raise not_covered(f"load jobs from {asked['sourceFormat']}")


def _no_schema() -> tuple[Field, ...]:
    raise invalid("No schema specified on job or table.")


def _detected(rows: list[Row]) -> tuple[Field, ...]:
    kinds = {bool: "BOOL", int: "INT64", float: "FLOAT64", str: "STRING"}
    found: dict[str, Field] = {}
    for row in rows:
        for name, value in row.items():
            if value is None:
                continue
            if type(value) not in kinds:
                raise not_covered("schema detection of nested JSON")
            found.setdefault(name, Field(name, kinds[type(value)]))
    return tuple(found.values())


def _parquet(data: bytes, decimals: list[str]) -> tuple[list[Row], tuple[Field, ...]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(data))
    except pa.ArrowInvalid as error:
        raise invalid(f"Error while reading data, error message: {error}") from None
    fields = tuple(_arrow_field(each, decimals) for each in table.schema)
    return table.to_pylist(), fields


def _arrow_field(each: Any, decimals: list[str]) -> Field:
    import pyarrow as pa

    kind, mode = each.type, "NULLABLE" if each.nullable else "REQUIRED"
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        item = _arrow_field(kind.value_field, decimals)
        return Field(each.name, item.type, "REPEATED", item.fields)
    if pa.types.is_struct(kind):
        subs = tuple(_arrow_field(kind.field(i), decimals) for i in range(kind.num_fields))
        return Field(each.name, "STRUCT", mode, subs)
    if pa.types.is_decimal(kind):
        fits = kind.scale <= 9 and kind.precision - kind.scale <= 29
        name = "NUMERIC" if fits and "NUMERIC" in decimals else "BIGNUMERIC"
        if name not in decimals:
            raise invalid(
                f"Error while reading data, error message: Invalid decimal type for column "
                f"{each.name}: precision {kind.precision}, scale {kind.scale}"
            )
        return Field(each.name, name, mode)
    checks: list[tuple[Callable[[Any], bool], str]] = [
        (pa.types.is_boolean, "BOOL"),
        (pa.types.is_integer, "INT64"),
        (pa.types.is_floating, "FLOAT64"),
        (pa.types.is_string, "STRING"),
        (pa.types.is_large_string, "STRING"),
        (pa.types.is_binary, "BYTES"),
        (pa.types.is_large_binary, "BYTES"),
        (pa.types.is_date, "DATE"),
        (pa.types.is_time, "TIME"),
        (lambda t: pa.types.is_timestamp(t) and t.tz is None, "DATETIME"),
        (pa.types.is_timestamp, "TIMESTAMP"),
        (pa.types.is_null, "STRING"),
    ]
    for is_it, name in checks:
        if is_it(kind):
            return Field(each.name, name, mode)
    raise not_covered(f"Parquet columns of type {kind}")


def _as_stored(
    found: tuple[Field, ...], stored: tuple[Field, ...], asked: dict[str, Any]
) -> tuple[Field, ...]:
    """The file's columns in the table's types: a Parquet DECIMAL may be BIGNUMERIC there."""
    known = {each.name.lower(): each for each in stored}
    fields = []
    for each in found:
        there = known.get(each.name.lower())
        if there is None:
            if asked.get("ignoreUnknownValues"):
                continue
            fields.append(each)
        elif each.sql_type() == there.sql_type() or _widens(each, there):
            fields.append(there)
        else:
            fields.append(each)
    return tuple(fields)


def _widens(found: Field, there: Field) -> bool:
    pairs = {("NUMERIC", "BIGNUMERIC"), ("STRING", "JSON"), ("INT64", "NUMERIC")}
    return found.mode == there.mode != "REPEATED" and (found.type, there.type) in pairs


def _csv(asked: dict[str, Any], data: bytes, fields: tuple[Field, ...]) -> Iterator[Row]:
    skip = int(asked.get("skipLeadingRows") or 0)
    null = asked.get("nullMarker") or ""
    reader = csv.reader(
        io.StringIO(data.decode(), newline=""),
        delimiter=asked.get("fieldDelimiter") or ",",
        quotechar=asked.get("quote") or '"',
    )
    for number, cells in enumerate(reader):
        if number < skip:
            continue
        found = f"Found {len(cells)} column(s) but expected {len(fields)}"
        if len(cells) > len(fields) and not asked.get("ignoreUnknownValues"):
            yield {"": f"Too many values in line. {found}"}
            continue
        if len(cells) < len(fields) and not asked.get("allowJaggedRows"):
            yield {"": f"Too few values in line. {found}"}
            continue
        yield {
            field.name: None if cell == null else cell
            for field, cell in zip(fields, cells, strict=False)
        }


def _checked(
    rows: list[Row],
    fields: tuple[Field, ...],
    stored: tuple[Field, ...],
    bad_rows: dict[int, str],
) -> tuple[list[Row], list[dict[str, str]]]:
    given = {each.name for each in fields}
    required = {each.name for each in (*fields, *stored) if each.mode == "REQUIRED"} & given
    good, errors = [], []
    for number, row in enumerate(rows, start=1):
        try:
            if number in bad_rows:
                raise ValueError(bad_rows[number])
            if "" in row:
                raise ValueError(row[""])
            good.append({each.name: _value(each, row.get(each.name)) for each in fields})
            for name in required:
                if good[-1].get(name) is None:
                    good.pop()
                    raise ValueError(f"Required field {name} cannot be null")
        except (ValueError, TypeError, InvalidOperation) as error:
            message = f"Error while reading data, error message: {error}; Row: {number}"
            errors.append({"reason": "invalid", "message": message})
    return good, errors


def _value(field: Field, value: Any) -> Any:
    """A cell as Python's type for Arrow. Raises ValueError if it is none of the column's type."""
    if field.mode == "REPEATED":
        return [_value(field.element, each) for each in value or []]
    if value is None:
        return None
    if field.type == "STRUCT":
        return {sub.name: _value(sub, value.get(sub.name)) for sub in field.fields}
    try:
        return _PARSED[field.type](value)
    except (ValueError, TypeError, InvalidOperation):
        raise ValueError(f"Could not parse value as {field.type} for field {field.name}") from None


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    return {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}[
        str(value).lower()
    ]


def _int(value: Any) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(value)
    return int(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _instant(value: Any) -> datetime:
    found = (
        value
        if isinstance(value, datetime)
        else datetime.fromisoformat(str(value).replace(" UTC", "+00:00").replace("Z", "+00:00"))
    )
    return found if found.tzinfo else found.replace(tzinfo=UTC)


_PARSED: dict[str, Callable[[Any], Any]] = {
    "STRING": _text,
    "BYTES": lambda value: value if isinstance(value, bytes) else value.encode(),
    "INT64": _int,
    "FLOAT64": float,
    "NUMERIC": lambda value: Decimal(str(value)),
    "BIGNUMERIC": lambda value: Decimal(str(value)),
    "BOOL": lambda value: _bool(value),
    "DATE": lambda value: value if isinstance(value, date) else date.fromisoformat(value),
    "DATETIME": lambda value: (
        value if isinstance(value, datetime) else datetime.fromisoformat(value)
    ),
    "TIME": lambda value: value if isinstance(value, time) else time.fromisoformat(value),
    "TIMESTAMP": _instant,
    "JSON": _text,
}


def _arrow(rows: list[Row], fields: tuple[Field, ...]) -> Any:
    import pyarrow as pa

    schema = pa.schema([(each.name, _arrow_type(each)) for each in fields])
    return pa.Table.from_pylist(rows, schema=schema)


def _arrow_type(field: Field) -> Any:
    import pyarrow as pa

    if field.mode == "REPEATED":
        return pa.list_(_arrow_type(field.element))
    if field.type == "STRUCT":
        return pa.struct([(sub.name, _arrow_type(sub)) for sub in field.fields])
    return {
        "STRING": pa.string(),
        "BYTES": pa.binary(),
        "INT64": pa.int64(),
        "FLOAT64": pa.float64(),
        "NUMERIC": pa.decimal128(38, 9),
        "BIGNUMERIC": pa.decimal128(38, 18),
        "BOOL": pa.bool_(),
        "DATE": pa.date32(),
        "DATETIME": pa.timestamp("us"),
        "TIME": pa.time64("us"),
        "TIMESTAMP": pa.timestamp("us", tz="UTC"),
        "JSON": pa.string(),
    }[field.type]
