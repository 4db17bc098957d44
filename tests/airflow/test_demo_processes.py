"""The demo cleans up after itself, and touches nothing that is not its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psutil
import pytest

from demo.airflow_api import _readable
from demo.environment import process_environment
from demo.errors import DemoError
from demo.home import DemoHome, WorldSettings
from demo.ports import Ports, free_port, require_free
from demo.processes import Processes, leftovers, running_owner, stop_leftovers

PORTS = Ports(sandbox=1, airflow=2, warehouse=3)
WORLD = WorldSettings(seed=7, last_day=date(2026, 11, 22), days=5, size=0.05)
#: Starts a child of its own that ignores a polite request to end, says so, and waits.
STUBBORN_FAMILY = (
    "import signal, subprocess, sys; "
    "child = subprocess.Popen([sys.executable, '-c', "
    "'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    'print("ready", flush=True); time.sleep(600)\'], stdout=subprocess.PIPE); '
    "child.stdout.readline(); print(child.pid, flush=True); signal.pause()"
)


@pytest.fixture
def home(tmp_path: Path) -> DemoHome:
    made = DemoHome(tmp_path / "demo")
    made.create(WORLD)
    return made


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.processes.SECONDS_TO_END", 0.5)


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def child_of(processes: Processes, home: DemoHome) -> psutil.Process:
    """Start the family under ``processes`` and return the child, once it is ready."""
    processes.start("family", [sys.executable, "-c", STUBBORN_FAMILY], os.environ)
    log = processes.log_file("family")
    (leader,) = (pid for pid, _ in json.loads(home.processes.read_text())["sessions"])
    while not log.read_text().endswith("\n"):
        assert psutil.pid_exists(leader)
    return psutil.Process(int(log.read_text()))


def test_what_a_started_process_started_ends_with_it(home: DemoHome) -> None:
    with Processes(home) as processes:
        child = child_of(processes, home)
        assert running_owner(home) == os.getpid()
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert running_owner(home) is None
    assert leftovers(home) == set()


def test_an_error_in_the_demo_leaves_nothing_running(home: DemoHome) -> None:
    children = []

    def demo_with_an_error() -> None:
        with Processes(home) as processes:
            children.append(child_of(processes, home))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        demo_with_an_error()
    (child,) = children
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_what_a_killed_demo_left_behind_is_found_and_ended(home: DemoHome) -> None:
    script = (
        "import os, sys, signal; from pathlib import Path; "
        "from demo.home import DemoHome; from demo.processes import Processes; "
        f"home = DemoHome(Path({str(home.root)!r})); processes = Processes(home).__enter__(); "
        f"processes.start('family', [sys.executable, '-c', {STUBBORN_FAMILY!r}], os.environ); "
        "log = processes.log_file('family')\n"
        "while not log.read_text().endswith('\\n'): pass\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    repository = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=repository, check=False)
    assert done.returncode == -signal.SIGKILL
    assert running_owner(home) is None
    found = leftovers(home)
    assert len(found) == 2
    assert str(max(process.pid for process in found)) in stop_leftovers(home)
    assert leftovers(home) == set()
    assert stop_leftovers(home) == ""


def test_a_process_that_dies_is_told_with_the_end_of_its_log(home: DemoHome) -> None:
    with Processes(home) as processes:
        script = "print('port 1 is taken'); raise SystemExit(3)"
        processes.start("sandbox", [sys.executable, "-c", script], os.environ)
        with pytest.raises(DemoError, match="exit code 3") as caught:
            processes.finish("sandbox", timeout=30)
    assert "port 1 is taken" in str(caught.value)


def test_only_the_owner_can_read_the_secrets(home: DemoHome) -> None:
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700
    private = [path for path in home.root.iterdir() if path.is_file()]
    assert len(private) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    assert home.world() == WORLD


def test_each_demo_has_secrets_of_its_own(home: DemoHome, tmp_path: Path) -> None:
    other = DemoHome(tmp_path / "other")
    other.create(WORLD)
    variables = [
        process_environment(made, PORTS)[name]
        for made in (home, other)
        for name in ("AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET")
    ]
    assert len({*variables, home.password(), other.password()}) == 6


def test_the_callers_own_airflow_is_left_out(
    home: DemoHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://production")
    monkeypatch.setenv("TRUELINE_PROFILE", "/somewhere/production.yaml")
    environment = process_environment(home, PORTS)
    assert "production" not in json.dumps(environment)
    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"


def test_a_folder_that_the_demo_did_not_make_is_not_deleted(tmp_path: Path) -> None:
    mine = tmp_path / "photos"
    mine.mkdir()
    (mine / "one.jpg").write_bytes(b"x")
    with pytest.raises(DemoError, match="left alone"):
        DemoHome(mine).remove()
    assert (mine / "one.jpg").exists()


def test_a_new_demo_starts_from_nothing(home: DemoHome) -> None:
    (home.data / "old.duckdb").write_bytes(b"x")
    home.remove()
    assert not home.root.exists()


def test_a_taken_port_is_named_before_anything_starts() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(DemoError, match=f"Port {port} is taken.*Set another"):
            require_free(port, used_for="a test", fix="Set another.")
    require_free(free_port(), used_for="a test", fix="")


def test_the_end_of_a_failed_tasks_log_is_what_a_person_needs() -> None:
    log = [
        {"event": "::group::Pre Execute"},
        {"event": "old thing", "logger": "py.warnings"},
        {
            "event": "Task failed with exception",
            "error_detail": [
                {
                    "exc_type": "ConfigurationError",
                    "exc_value": "The token is revoked.\nWhat to do: make a new one.",
                    "frames": [{"name": "execute"}],
                }
            ],
        },
    ]
    assert _readable(log) == [
        "Task failed with exception",
        "ConfigurationError: The token is revoked.",
        "What to do: make a new one.",
    ]
