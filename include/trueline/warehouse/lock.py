"""One writer at a time on a DuckDB file: others queue, and the queue says whom it waits for."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from trueline.errors import RetriableError
from trueline.windows import utc_now

log = logging.getLogger(__name__)


@contextmanager
def writer_lock(path: Path, *, purpose: str, timeout_seconds: float) -> Iterator[None]:
    """Hold the lock file; wait for the present holder, at most ``timeout_seconds``.

    The operating system frees the lock when its holder dies, however it dies.

    Raises:
        RetriableError: the wait took too long; names the holder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    holder_file = path.with_suffix(".holder.json")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("%s waits for %s", purpose, _holder(holder_file))
        try:
            lock.acquire(timeout=timeout_seconds, poll_interval=0.2)
        except Timeout:
            raise RetriableError(
                f"{purpose} waited {timeout_seconds:.0f} s for {_holder(holder_file)}.",
                where=str(path),
                fix="Let that run end, or raise warehouse.lock_timeout_seconds in the profile.",
                retry_after_seconds=60,
            ) from None
    try:
        holder_file.write_text(
            json.dumps({"purpose": purpose, "pid": os.getpid(), "since": utc_now().isoformat()})
        )
        yield
    finally:
        holder_file.unlink(missing_ok=True)
        lock.release()


def _holder(path: Path) -> str:
    with suppress(OSError, ValueError):
        held = json.loads(path.read_text())
        return f"{held['purpose']} (process {held['pid']}, since {held['since']})"
    return "another writer"
