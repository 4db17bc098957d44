"""The seam every source implements: pull a window, hand out batches of raw records.

A source knows nothing of the warehouse. It yields :class:`Batch` values; typing, keying of
personal data, quarantine and loading are done once, for all sources, by ``trueline.ingest``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Protocol

from trueline.errors import RowError, TruelineError
from trueline.windows import Window

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Record:
    """One raw record on its way into ``raw.<table>``.

    Attributes:
        line: 1-based line or record number within its batch.
        values: Raw-table column name to typed value (str, int, Decimal, bool, date, aware UTC
            datetime or None), plus the clear identifiers ``email``, ``phone``, ``ip_address``
            where the source has them: ingest keys them and never lets them reach ``raw``.
        extra: Unknown columns, kept as text in ``_extra``.
        raw_row: The row as received, kept only if the row is quarantined.
    """

    line: int
    values: Mapping[str, Any]
    extra: Mapping[str, Any] = field(default_factory=dict)
    raw_row: str = ""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a load completely covers, even where it brought no row for a day.

    Attributes:
        report: ``delivery``, ``claims`` or ``clicks`` for ad platforms; ``crm`` for a CRM.
        subject: The platform (``google_ads``) or CRM (``hubspot``, ``file``).
        account_id: Ad account, or ``(none)``.
        complete_until: For a CRM: every change before this moment (UTC) is in.
    """

    report: str
    subject: str
    account_id: str
    first_date: date
    last_date: date
    complete_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one raw table from one file or one pull, or a part of them.

    Batches of the same table, file and account are one load: a source with much to tell yields
    them piece by piece, so that no pull has to fit into memory.

    Attributes:
        table: Raw table name without the layer, for example ``crm_leads``.
        records: Good records.
        errors: Rows that the source could not read; received = records + columns + errors.
        file_name: Name of the file (not its folder), or None for an API pull.
        content_hash: SHA-256 of the file and its mapping; a hash already loaded is skipped.
        coverage: What this load covers completely; may come with its last batch.
        skipped_reason: Set when the file was not read at all; then there are no records.
        account_id: The ad account that was asked, for platforms that are asked by account.
        columns: Good records column-wise, for sources that read so: an Arrow table whose columns
            are named and typed as ``Record.values`` (a missing column is null), and ``_extra``.
        drift: Columns or fields that the source had not met in this place before.
        doubt: Why the load may not be whole: it is held until a person said that it counts.
    """

    table: str
    records: Sequence[Record]
    errors: Sequence[RowError] = ()
    file_name: str | None = None
    content_hash: str | None = None
    coverage: Sequence[Coverage] = ()
    skipped_reason: str | None = None
    account_id: str | None = None
    columns: pa.Table | None = None
    drift: Sequence[str] = ()
    doubt: str | None = None


@dataclass(frozen=True, slots=True)
class AccountFailed:
    """One account of several could not be pulled; nothing of it is loaded, the others go on.

    Attributes:
        account_id: The account.
        error: Why, in one of the error families.
        tables: The raw tables that it would have filled.
    """

    account_id: str
    error: TruelineError
    tables: Sequence[str]


class Source(Protocol):
    """One configured source."""

    name: str

    def pull(self, window: Window) -> Iterator[Batch | AccountFailed]:
        """Yield everything the source knows of the window's days.

        Raises:
            RetriableError, PermanentError, ConfigurationError: ingest discards the whole pull
                then.
        """
        ...
