"""Raw records into Arrow: personal values keyed, required columns checked, rows hashed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from trueline.errors import PermanentError, RowError
from trueline.identity_keys import normalise_email, normalise_phone
from trueline.model.catalog import Table
from trueline.pipeline.keys import ProfileKeys
from trueline.sources.base import Record

ARROW_TYPES: dict[str, pa.DataType] = {
    "STRING": pa.string(),
    "INT64": pa.int64(),
    "NUMERIC": pa.decimal128(38, 9),
    "BOOL": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", "UTC"),
    "FLOAT64": pa.float64(),
}
# Clear identifiers as sources name them; they stop here.
CLEAR_FIELDS = ("email", "phone", "ip_address")
_META = ("source", "load_id", "loaded_at", "row_hash", "_extra")


@dataclass(frozen=True, slots=True)
class Prepared:
    """Records of one batch, ready to be loaded.

    Attributes:
        columns: Raw-table column → values, without load_id and loaded_at.
        identifiers: Clear identifiers of CRM records, for raw_restricted only.
        errors: Rows that lack a required column.
    """

    columns: dict[str, list[Any]]
    identifiers: list[dict[str, str | None]] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)

    @property
    def row_count(self) -> int:
        return len(self.columns["row_hash"])


def prepare(table: Table, records: Iterable[Record], keys: ProfileKeys) -> Prepared:
    """Key, check and hash records.

    Raises:
        PermanentError: a source hands out a column that the table does not have.
    """
    names = [column.name for column in table.columns if column.name not in _META]
    required = [
        column.name for column in table.columns if column.required and column.name not in _META
    ]
    allowed = {*names, *CLEAR_FIELDS}
    prepared = Prepared({name: [] for name in (*names, "row_hash", "_extra")})
    for record in records:
        unknown = record.values.keys() - allowed
        if unknown:
            raise PermanentError(
                f"The source hands out {sorted(unknown)[0]!r}, which {table.key} does not have.",
                where=table.key,
                fix="Add the column to table.yaml, or leave it in the record's extra columns.",
            )
        values = _keyed(record.values, names, keys)
        missing = next((name for name in required if values.get(name) is None), None)
        if missing:
            prepared.errors.append(
                RowError(record.line, missing, "missing_required", record.raw_row)
            )
            continue
        extra = (
            json.dumps(dict(record.extra), sort_keys=True, default=str) if record.extra else None
        )
        for name in names:
            prepared.columns[name].append(values.get(name))
        prepared.columns["_extra"].append(extra)
        prepared.columns["row_hash"].append(_row_hash(values, extra))
        if table.name == "crm_leads":
            clear = _clear_identifiers(record.values, keys.phone_region)
            if clear:
                prepared.identifiers.append(clear)
    return prepared


def to_arrow(
    table: Table,
    parts: Sequence[Prepared],
    *,
    source: str,
    load_id: str,
    loaded_at: datetime,
) -> pa.Table:
    """One Arrow table with exactly the columns of table.yaml.

    Raises:
        PermanentError: a value is not of its column's type; names column and type, not the value.
    """
    count = sum(part.row_count for part in parts)
    constants = {"source": source, "load_id": load_id, "loaded_at": loaded_at}
    arrays = []
    for column in table.columns:
        kind = ARROW_TYPES[column.type]
        if column.name in constants:
            values = [constants[column.name]] * count
        else:
            values = [value for part in parts for value in part.columns[column.name]]
        try:
            arrays.append(pa.array(values, kind))
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise PermanentError(
                f"A value of {column.name} is not {column.type} ({type(error).__name__}).",
                where=table.key,
                fix="Mend the source or its mapping: it must hand out typed values.",
            ) from None
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


def arrow_schema(table: Table) -> pa.Schema:
    return pa.schema(
        pa.field(column.name, ARROW_TYPES[column.type], nullable=not column.required)
        for column in table.columns
    )


def _keyed(values: Mapping[str, Any], names: Sequence[str], keys: ProfileKeys) -> dict[str, Any]:
    keyed = {name: values.get(name) for name in names}
    email, phone, address = (values.get(name) for name in CLEAR_FIELDS)
    if email and "email_key" in keyed:
        keyed["email_key"] = keys.email(email)
        if "email_domain_key" in keyed:
            keyed["email_domain_key"] = keys.domain(email)
    if phone and "phone_key" in keyed:
        keyed["phone_key"] = keys.phone(phone)
    if address and "ip_key" in keyed:
        keyed["ip_key"] = keys.ip(address)
    return keyed


def _clear_identifiers(
    values: Mapping[str, Any], phone_region: str
) -> dict[str, str | None] | None:
    email = normalise_email(values.get("email"))
    phone = normalise_phone(values.get("phone"), phone_region)
    if email is None and phone is None:
        return None
    return {
        "crm": values["crm"],
        "crm_record_id": values["crm_record_id"],
        "email": email,
        "phone": phone,
    }


def _row_hash(values: Mapping[str, Any], extra: str | None) -> str:
    content = json.dumps([values, extra], sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()[:32]
