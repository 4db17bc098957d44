"""Starting the demo's processes, and leaving none of them behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self, TypedDict

import psutil

from demo.errors import DemoError
from demo.home import DemoHome, write_private

#: What a service has to end in good order, and what its stray children have after it.
SECONDS_TO_STOP = 20.0
SECONDS_TO_END = 5.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Processes:
    """Processes that end when the ``with`` block ends, however it ends.

    Each one leads a session of its own: Ctrl-C in the terminal reaches the demo alone, which then
    stops them in order, and whatever they started can be told by its session. The list is kept in a
    file, so that a later command can find what a killed demo left behind.
    """

    def __init__(self, home: DemoHome) -> None:
        self._home = home
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._identities: dict[int, tuple[int, float]] = {}

    def __enter__(self) -> Self:
        # A closed terminal or a stopped service ends like Ctrl-C: through __exit__.
        for number in STOP_SIGNALS:
            signal.signal(number, _interrupt)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.stop()
        except DemoError as problem:
            if error is None:
                raise
            # The first error is the one to read; this one must not hide it.
            print(problem, file=sys.stderr)

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a process; its output goes to ``process-logs/<name>.log``."""
        with self.log_file(name).open("ab") as log:
            process = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=self._home.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running[name] = process
        self._identities[process.pid] = _identity(process.pid)
        self._remember()

    def finish(self, name: str, *, timeout: float) -> None:
        """Wait for a process that ends by itself; raises DemoError when it fails."""
        process = self._running[name]
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise DemoError(
                f"{name} did not end within {timeout:.0f} s.\n{self._tail(name)}"
            ) from None
        if code != 0:
            raise DemoError(f"{name} failed with exit code {code}.\n{self._tail(name)}")
        del self._running[name]

    def require_alive(self) -> None:
        """Raise DemoError when a process has ended that should not have."""
        for name, process in self._running.items():
            code = process.poll()
            if code is not None:
                raise DemoError(f"{name} ended with exit code {code}.\n{self._tail(name)}")

    def stop(self) -> None:
        """End all processes and everything they started; raises DemoError if one stays."""
        # A second Ctrl-C must not leave half of them behind; this takes some seconds at most.
        before = {number: signal.signal(number, signal.SIG_IGN) for number in STOP_SIGNALS}
        try:
            self._stop_all()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop_all(self) -> None:
        ours = _in_sessions(self._identities)
        for process in reversed(self._running.values()):
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + SECONDS_TO_STOP
        for process in self._running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        left = _end({*ours, *_in_sessions(self._identities)})
        self._running.clear()
        self._identities.clear()
        if left:
            raise DemoError(f"These processes could not be ended: {describe(left)}.")
        self._home.processes.unlink(missing_ok=True)

    def log_file(self, name: str) -> Path:
        return self._home.logs / f"{name}.log"

    def _tail(self, name: str) -> str:
        text = self.log_file(name).read_text(errors="replace")
        lines = "\n".join(text.splitlines()[-15:])
        return f"The end of {self.log_file(name)}:\n{lines}"

    def _remember(self) -> None:
        content = {
            "owner": _identity(os.getpid()),
            "sessions": list(self._identities.values()),
        }
        write_private(self._home.processes, content)


def running_owner(home: DemoHome) -> int | None:
    """The process id of a demo command that is at work in ``home``, if there is one."""
    stored = _stored(home)
    return stored["owner"][0] if stored and _is(stored["owner"]) else None


def leftovers(home: DemoHome) -> set[psutil.Process]:
    """Processes that a killed demo left behind."""
    stored = _stored(home)
    if not stored:
        return set()
    # A session is named by its first process's id, and the system does not give that number away
    # while the session has members: only a living stranger with that id can make it another's.
    ours = {pid for pid, began in stored["sessions"] if _is((pid, began)) or not _exists(pid)}
    return _in_sessions(ours)


def stop_leftovers(home: DemoHome) -> str:
    """End what a killed demo left behind; returns a description of it, empty if there was none."""
    found = leftovers(home)
    description = describe(found)
    left = _end(found)
    if left:
        raise DemoError(f"These processes could not be ended: {describe(left)}.")
    home.processes.unlink(missing_ok=True)
    return description


def describe(processes: Iterable[psutil.Process]) -> str:
    """``airflow (process 123), python (process 124)``."""
    words = []
    for process in sorted(processes, key=lambda item: item.pid):
        with suppress(psutil.NoSuchProcess):
            words.append(f"{process.name()} (process {process.pid})")
    return ", ".join(words)


class _Stored(TypedDict):
    owner: tuple[int, float]
    sessions: list[tuple[int, float]]


def _stored(home: DemoHome) -> _Stored | None:
    try:
        content: _Stored = json.loads(home.processes.read_text())
    except FileNotFoundError:
        return None
    return content


def _identity(pid: int) -> tuple[int, float]:
    """Process ids are used again; with the moment of its start a process is unmistakable."""
    return pid, psutil.Process(pid).create_time()


def _is(identity: tuple[int, float]) -> bool:
    pid, began = identity
    try:
        return bool(abs(psutil.Process(pid).create_time() - began) < 1.0)
    except psutil.NoSuchProcess:
        return False


def _exists(pid: int) -> bool:
    return bool(psutil.pid_exists(pid))


def _in_sessions(sessions: Iterable[int]) -> set[psutil.Process]:
    """Living processes of these sessions, and their descendants that left the session."""
    wanted = set(sessions)
    found: set[psutil.Process] = set()
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if os.getsid(process.pid) in wanted and process.status() != psutil.STATUS_ZOMBIE:
                found |= {process, *process.children(recursive=True)}
    return found


def _end(processes: Iterable[psutil.Process]) -> set[psutil.Process]:
    """Terminate, then kill; returns those that are still there."""
    for step in (psutil.Process.terminate, psutil.Process.kill):
        waiting = [process for process in processes if _is_alive(process)]
        if not waiting:
            return set()
        for process in waiting:
            with suppress(psutil.NoSuchProcess):
                step(process)
        psutil.wait_procs(waiting, timeout=SECONDS_TO_END)
    return {process for process in processes if _is_alive(process)}


def _is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)
