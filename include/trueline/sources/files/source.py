"""The files source: every file once, row by row, in pieces that fit into memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from trueline.connections import Connection
from trueline.errors import PermanentError, RetriableError
from trueline.paths import resolve
from trueline.sources.base import Batch, Coverage, Record
from trueline.sources.files.content import check_kind, content_hash
from trueline.sources.files.locate import Found, on_disk, over_http
from trueline.sources.files.mapping import FileMapping, load_mapping
from trueline.sources.files.rows import RowReader, TableRows
from trueline.sources.files.tables import open_table
from trueline.sources.http import HttpClient
from trueline.sources.settings import DATE_PLACEHOLDER, FileSettings, FilesSettings
from trueline.windows import Window

BATCH_RECORDS = 50_000
# A file with a few bad rows is loaded without them; one that is mostly bad was misread.
JUDGED_FROM_ROWS = 20
# One day's file may be late; so many in a row are a wrong path or a dead export.
SUSPICIOUS_DAYS = 3
REPORT_OF = {"ad_delivery": "delivery", "pixel_claims": "claims"}
Span = tuple[date, date]


class FilesSource:
    """Reads the files of the settings that are not in the warehouse yet."""

    def __init__(
        self,
        name: str,
        settings: FilesSettings,
        *,
        connection: Connection | None,
        time_zone: str,
        root: Path,
        workdir: Path,
        known_hashes: frozenset[str],
        now: datetime,
    ) -> None:
        self.name = name
        self._settings, self._time_zone, self._now = settings, time_zone, now
        self._folder = resolve(settings.folder, root) if settings.folder else root
        self._workdir = workdir
        self._client = HttpClient(connection) if connection else None
        self._hashes = set(known_hashes)
        self._files = [(file, load_mapping(root / file.mapping)) for file in settings.files]

    def pull(self, window: Window) -> Iterator[Batch]:
        """Every file that is new, in batches of at most 50,000 records of one table."""
        looked_at = window.widened(self._settings.repull_days)
        for settings, mapping in self._files:
            missing: list[str] = []
            is_any_there = False
            for found in self._found(settings, looked_at):
                if found.path is None:
                    missing.append(found.name)
                    table = mapping.tables[0]
                    yield Batch(table, (), file_name=found.name, skipped_reason="not_there")
                    continue
                is_any_there = True
                try:
                    yield from self._read(found, found.path, settings, mapping, window)
                finally:
                    if found.is_copy:
                        found.path.unlink(missing_ok=True)
            if settings.required and not is_any_there and len(missing) >= SUSPICIOUS_DAYS:
                raise PermanentError(
                    f"None of the {len(missing)} days' files is there.",
                    where=f"{self.name}: {settings.path}",
                    fix="Check the path in the profile and the address of the connection, then "
                    "the export; `required: false` marks files that may be missing for days.",
                )

    def _found(self, settings: FileSettings, window: Window) -> Iterator[Found]:
        if self._client:
            return over_http(settings, self._client, self._workdir, window)
        return on_disk(settings, self._folder, window)

    def _read(
        self,
        found: Found,
        path: Path,
        settings: FileSettings,
        mapping: FileMapping,
        window: Window,
    ) -> Iterator[Batch]:
        before = path.stat()
        digest = content_hash(path, mapping.fingerprint(self._time_zone))
        if digest in self._hashes:
            yield Batch(
                mapping.tables[0],
                (),
                file_name=found.name,
                content_hash=digest,
                skipped_reason="already_loaded",
            )
            return
        # A day without a single event is an empty JSONL file; any other empty file is a failure.
        may_be_empty = mapping.format == "jsonl" and DATE_PLACEHOLDER in settings.path
        check_kind(path, found.name, mapping, may_be_empty=may_be_empty)
        table = open_table(path, found.name, mapping)
        reader = RowReader(table.mapping, found.name, mapping.time_zone or self._time_zone)
        spans: dict[tuple[str, str, str], Span] = {}
        crms: set[str] = set()
        reasons: Counter[str] = Counter()
        for row in table.rows:
            reader.add(row)
            for part in reader.tables:
                if len(part.records) + len(part.errors) >= BATCH_RECORDS:
                    yield _batch(part, found.name, digest, spans, crms, reasons)
        last = [_batch(part, found.name, digest, spans, crms, reasons) for part in reader.tables]
        _refuse_mostly_bad(reader, reasons, found.name)
        after = path.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise RetriableError(
                "The file changed while it was read.",
                where=found.name,
                fix="Let the export finish first; writing under another name and renaming at the "
                "end avoids this.",
            )
        self._hashes.add(digest)
        crms |= {str(mapping.constants["crm"])} if "crm" in mapping.constants else set()
        for batch in last:
            covered = self._coverage(batch.table, spans, crms, window)
            yield Batch(
                batch.table,
                batch.records,
                batch.errors,
                file_name=found.name,
                content_hash=digest,
                coverage=covered,
            )

    def _coverage(
        self,
        table: str,
        spans: dict[tuple[str, str, str], Span],
        crms: set[str],
        window: Window,
    ) -> tuple[Coverage, ...]:
        if table == "crm_leads":
            over = datetime.combine(
                window.end + timedelta(days=1), time(), ZoneInfo(self._time_zone)
            ).astimezone(UTC)
            until = min(self._now.astimezone(UTC), over)
            return tuple(
                Coverage("crm", crm, "(none)", window.start, window.end, complete_until=until)
                for crm in sorted(crms)
            )
        return tuple(
            Coverage(REPORT_OF[table], platform, account, *span)
            for (of_table, platform, account), span in sorted(spans.items())
            if of_table == table
        )


def _batch(
    part: TableRows,
    name: str,
    digest: str,
    spans: dict[tuple[str, str, str], Span],
    crms: set[str],
    reasons: Counter[str],
) -> Batch:
    """Hand out what has gathered, and note what it covers."""
    for record in part.records:
        _note(part.table, record, spans, crms)
    reasons.update(
        f"{error.reason} in {error.column}" if error.column else error.reason
        for error in part.errors
    )
    batch = Batch(part.table, part.records, part.errors, file_name=name, content_hash=digest)
    part.records, part.errors = [], []
    return batch


def _note(
    table: str, record: Record, spans: dict[tuple[str, str, str], Span], crms: set[str]
) -> None:
    values = record.values
    if table in REPORT_OF:
        key, day = (table, values["platform"], values["account_id"]), values["platform_date"]
        first, last = spans.get(key, (day, day))
        spans[key] = (min(first, day), max(last, day))
    elif table == "crm_leads":
        crms.add(values["crm"])


def _refuse_mostly_bad(reader: RowReader, reasons: Counter[str], name: str) -> None:
    if reader.received < JUDGED_FROM_ROWS or reader.bad * 2 <= reader.received:
        return
    told = ", ".join(f"{reason} ({count:,})" for reason, count in reasons.most_common(3))
    raise PermanentError(
        f"{reader.bad:,} of {reader.received:,} rows cannot be read: {told}.",
        where=name,
        fix="More than half: the mapping does not fit this file. Compare encoding, delimiter, "
        "decimal sign and formats of the mapping with the file. Nothing of it was loaded.",
    )
