"""The files source: every file once, column by column, in pieces that fit into memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from trueline.connections import Connection
from trueline.errors import PermanentError, RetriableError
from trueline.paths import resolve
from trueline.sources.base import Batch, Coverage
from trueline.sources.files.content import check_kind, content_hash
from trueline.sources.files.locate import Found, on_disk, over_http
from trueline.sources.files.mapping import FileMapping, load_mapping
from trueline.sources.http import HttpClient
from trueline.sources.settings import DATE_PLACEHOLDER, FileSettings, FilesSettings
from trueline.windows import Window

if TYPE_CHECKING:
    from trueline.sources.files.reading import Reading

# One day's file may be late; so many in a row are a wrong path or a dead export.
SUSPICIOUS_DAYS = 3
REPORT_OF = {"ad_delivery": "delivery", "pixel_claims": "claims"}


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
        """Every file that is new, in batches of one block and table each."""
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
                if not found.is_copy and not self._is_ready(found.path, settings):
                    table = mapping.tables[0]
                    yield Batch(table, (), file_name=found.name, skipped_reason="not_ready")
                    continue
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

    def _is_ready(self, path: Path, settings: FileSettings) -> bool:
        """Whether the export has finished writing, as far as the settings let us know."""
        marker = settings.done_marker
        if marker and not path.with_name(path.name + marker).is_file():
            return False
        if not settings.settle_seconds:
            return True
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        return self._now - changed >= timedelta(seconds=settings.settle_seconds)

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
        from trueline.sources.files.reading import Reading

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
        zone = mapping.time_zone or self._time_zone
        with Reading(path, found.name, digest, mapping, zone, self._workdir) as reading:
            yield from reading.batches()
        _refuse_mostly_bad(reading)
        after = path.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise RetriableError(
                "The file changed while it was read.",
                where=found.name,
                fix="Let the export finish first; writing under another name and renaming at the "
                "end avoids this.",
            )
        self._hashes.add(digest)
        for table in mapping.tables:
            yield Batch(
                table,
                (),
                file_name=found.name,
                content_hash=digest,
                coverage=self._coverage(table, reading, mapping, window),
                drift=sorted(reading.unknown) if table == mapping.tables[0] else (),
            )

    def _coverage(
        self, table: str, reading: Reading, mapping: FileMapping, window: Window
    ) -> tuple[Coverage, ...]:
        if table == "crm_leads":
            over = datetime.combine(
                window.end + timedelta(days=1), time(), ZoneInfo(self._time_zone)
            ).astimezone(UTC)
            until = min(self._now.astimezone(UTC), over)
            crms = set(reading.crms)
            crms |= {str(mapping.constants["crm"])} if "crm" in mapping.constants else set()
            return tuple(
                Coverage("crm", crm, "(none)", window.start, window.end, complete_until=until)
                for crm in sorted(crms)
            )
        spans: dict[tuple[str, str, str], tuple[date, date]] = reading.spans
        return tuple(
            Coverage(REPORT_OF[table], platform, account, *span)
            for (of_table, platform, account), span in sorted(spans.items())
            if of_table == table
        )


# A file with a few bad rows is loaded without them; one that is mostly bad was misread.
JUDGED_FROM_ROWS = 20


def _refuse_mostly_bad(reading: Reading) -> None:
    if reading.received < JUDGED_FROM_ROWS or reading.bad * 2 <= reading.received:
        return
    reasons: Counter[str] = reading.reasons
    told = ", ".join(f"{reason} ({count:,})" for reason, count in reasons.most_common(3))
    raise PermanentError(
        f"{reading.bad:,} of {reading.received:,} rows cannot be read: {told}.",
        where=reading.name,
        fix="More than half: the mapping does not fit this file. Compare encoding, delimiter, "
        "decimal sign and formats of the mapping with the file. Nothing of it was loaded.",
    )
