"""What `make demo` tells: a quarter at once, three days one by one, an upload plan, the report."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta

from demo.airflow_api import AirflowApi, Run
from demo.environment import process_environment
from demo.errors import DemoError
from demo.home import DemoHome, WorldSettings
from demo.ports import Ports
from demo.processes import Processes
from demo.services import start_services, wait_for_dags, wait_until
from demo.warehouses import company_profile
from trueline.settings.profile import Profile

SINGLE_DAYS = 3
SECONDS_PER_CHAPTER = 900.0


@dataclass
class Narrator:
    """Prints a line per finished run, as runs finish."""

    api: AirflowApi
    processes: Processes
    _told: set[str] = field(default_factory=set)

    def wait_for(self, dag_runs: dict[str, str]) -> None:
        """Wait for runs (run id → label) and tell each; raises DemoError when one fails."""

        def all_ended() -> bool:
            self._tell_retries()
            return self._tell({run.run_id: run for run in self.api.runs()}, dag_runs)

        wait_until(all_ended, self.processes, "the runs", timeout=SECONDS_PER_CHAPTER)

    def wait_for_partitions(self, dag_id: str, keys: list[str]) -> list[Run]:
        """Wait until ``dag_id`` has ended a run for each key, started by assets, and tell each."""

        def all_ended() -> bool:
            self._tell_retries()
            runs = {run.run_id: run for run in self._of(dag_id, keys)}
            ended = self._tell(
                runs, {run_id: run.partition_key or "" for run_id, run in runs.items()}
            )
            return ended and {run.partition_key for run in runs.values()} >= set(keys)

        wait_until(all_ended, self.processes, f"{dag_id}", timeout=SECONDS_PER_CHAPTER)
        return self._of(dag_id, keys)

    def _of(self, dag_id: str, keys: list[str]) -> list[Run]:
        return [
            run for run in self.api.runs() if run.dag_id == dag_id and run.partition_key in keys
        ]

    def _tell_retries(self) -> None:
        for name, why in self.api.retries().items():
            if name not in self._told:
                self._told.add(name)
                print(f"  Airflow will try again. {why}".replace("\n", "\n    "), flush=True)

    def _tell(self, runs: dict[str, Run], labels: dict[str, str]) -> bool:
        for run_id, label in labels.items():
            run = runs.get(run_id)
            if run is None or not run.ended or run_id in self._told:
                continue
            self._told.add(run_id)
            print(
                f"  {run.dag_id:<20} {label:<24} {run.state:<8} {run.seconds or 0:5.0f} s",
                flush=True,
            )
            if run.state == "failed":
                raise DemoError(self.api.failure(run))
        return all(run_id in self._told for run_id in labels)


def run_demo(home: DemoHome) -> None:
    """The whole demo; raises DemoError with what failed."""
    started = time.monotonic()
    profile = company_profile()
    home.remove()
    home.create(WorldSettings.of_today(profile.time_zone))
    ports = Ports()
    with Processes(home) as processes:
        with _chapter("Starting the sandbox and Airflow"):
            api = start_services(processes, home, ports, triggerer=False)
            wait_for_dags(api, expected_dags(profile), processes)
        tell(api, processes, home.world(), list(profile.sources))
        with _chapter("The report"):
            _report(home, ports)
        with _chapter("Stopping everything that was started"):
            processes.stop()
    if told := home.warehouse.look_back(home.root):
        print(f"\n{told}")
    print(f"\nThe demo took {time.monotonic() - started:.0f} s. What next:")
    print(f"  open {home.report}")
    for step in home.warehouse.next_steps(home.root):
        print(f"  {step}")
    print("  README.md     your own data; docs/ what the numbers mean, and why")


def expected_dags(profile: Profile) -> set[str]:
    return {"build_funnel", "upload_qualified", *(f"ingest_{name}" for name in profile.sources)}


def tell(
    api: AirflowApi,
    processes: Processes,
    world: WorldSettings,
    sources: list[str],
    *,
    single_days: int = SINGLE_DAYS,
) -> None:
    """The runs, through Airflow's REST API as any client would start them."""
    narrator = Narrator(api, processes)
    days = [world.last_day - timedelta(days=back) for back in reversed(range(single_days))]
    before = days[0] - timedelta(days=1)
    length = (before - world.first_day).days + 1
    window = {"window_start": str(world.first_day), "window_end": str(before)}
    label = f"{world.first_day}..{before}"

    with _chapter(f"{length} days in one run per source, and one build"):
        narrator.wait_for(
            {api.trigger(f"ingest_{source}", params=window): label for source in sources}
        )
        narrator.wait_for({api.trigger("build_funnel", params=window): label})
    with _chapter(f"{single_days} single days: every source's day, and the builds that follow"):
        _single_days(api, narrator, days, sources)
    with _chapter("The upload plan (a dry run: nothing is sent)"):
        narrator.wait_for({api.trigger("upload_qualified"): ""})


def _single_days(api: AirflowApi, narrator: Narrator, days: list[date], sources: list[str]) -> None:
    """One day after the other, as mornings come: its ingests, then the build they start."""
    keys = [day.isoformat() for day in days]
    builds: list[Run] = []
    for key in keys:
        narrator.wait_for(
            {api.trigger(f"ingest_{source}", partition_key=key): key for source in sources}
        )
        builds = narrator.wait_for_partitions("build_funnel", keys[: keys.index(key) + 1])
    # Nobody started these: the four sources' assets of a day did, together, once.
    if sorted(run.partition_key or "" for run in builds) != keys:
        found = ", ".join(f"{run.partition_key} ({run.run_type})" for run in builds)
        raise DemoError(f"Expected one build for each of {', '.join(keys)}; there are: {found}.")


@contextmanager
def _chapter(title: str) -> Iterator[None]:
    print(f"\n{title} ...", flush=True)
    started = time.monotonic()
    yield
    print(f"  [{time.monotonic() - started:.0f} s]", flush=True)


def _report(home: DemoHome, ports: Ports) -> None:
    world = home.world()
    # The CRM also tells of people from before these days, who cost nothing here.
    days = ["--first-date", str(world.first_day), "--last-date", str(world.last_day)]
    _trueline(home, ports, ["report", "--by", "campaign", *days])
    _trueline(home, ports, ["report", "--format", "html", "--output", str(home.report), *days])


def _trueline(home: DemoHome, ports: Ports, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "trueline", *arguments],
        env=process_environment(home, ports),
        # What libraries warn of is no part of the report.
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise DemoError(
            f"`trueline {' '.join(arguments)}` failed with exit code {done.returncode}.\n"
            f"{done.stderr[-2000:]}"
        )
