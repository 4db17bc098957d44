"""Thin operators: each takes its run's window and settings, and calls one pipeline function.

They hand on counts only: a task's return value is stored by Airflow and shown in its pages, so no
row, name or identifier may be in it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, conf

from trueline.errors import ConfigurationError, TruelineError
from trueline.settings.profile import Profile, load_profile
from trueline.windows import Window, utc_now
from trueline_airflow.warehouse import bigquery_client, job_trigger
from trueline_airflow.window import window_from_context

if TYPE_CHECKING:
    from airflow.sdk import Context

    from trueline.connections import Connection


class PipelineOperator(BaseOperator):
    """Base of trueline's operators: profile in, counts out, personal data kept out of errors."""

    def execute(self, context: Context) -> dict[str, Any]:
        return self.run_guarded(context)

    def run_guarded(self, context: Context) -> dict[str, Any]:
        """Run the pipeline with logs redacted and a library's errors cleaned."""
        _redact_logs()
        profile = load_profile()
        run_label = f"{context['dag_run'].dag_id}/{context['run_id']}"
        try:
            counts = self.run_pipeline(profile, context, run_label)
        except TruelineError:
            raise
        except Exception as error:
            # A library's message may quote the row that it stumbled over; ours never do.
            from trueline.redaction import redact

            text = redact(f"{type(error).__name__}: {error}")
            raise RuntimeError(text).with_traceback(error.__traceback__) from None
        self.log.info("%s", _one_line(counts))
        return dict(counts)

    def run_pipeline(self, profile: Profile, context: Context, run_label: str) -> Mapping[str, Any]:
        """Do the work; return counts."""
        raise NotImplementedError


def _redact_logs() -> None:
    """Whatever is logged in this task's process, by us or by a library, passes the filter."""
    from trueline.redaction import RedactingFilter

    for handler in logging.getLogger().handlers:
        if not any(isinstance(known, RedactingFilter) for known in handler.filters):
            handler.addFilter(RedactingFilter())


class CheckWindowOperator(PipelineOperator):
    """Refuses a run without days, or with days that are not over, before anything is opened."""

    def run_pipeline(self, profile: Profile, context: Context, run_label: str) -> Mapping[str, Any]:
        window = _window(profile, context)
        return {"window_start": str(window.start), "window_end": str(window.end)}


class IngestOperator(PipelineOperator):
    """Pulls one source for the run's window into the raw layer.

    Args:
        source: The source's name in the profile.
    """

    def __init__(self, *, source: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source

    def run_pipeline(self, profile: Profile, context: Context, run_label: str) -> Mapping[str, Any]:
        window = _window(profile, context)
        connection = _connection(profile, self.source)
        from trueline import pipeline

        client = bigquery_client(profile)
        summary = pipeline.ingest(
            profile, self.source, window, connection=connection, run_label=run_label, client=client
        )
        return summary.as_dict()


class GateOperator(PipelineOperator):
    """Checks the promises at one border; a broken critical one stops the run.

    Args:
        border: ``raw``, ``marts`` or ``activation``.
    """

    def __init__(self, *, border: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.border = border

    def run_pipeline(self, profile: Profile, context: Context, run_label: str) -> Mapping[str, Any]:
        from trueline import pipeline

        client = bigquery_client(profile)
        return pipeline.check(profile, self.border, run_label=run_label, client=client).as_dict()


class BuildOperator(PipelineOperator):
    """Builds every table after the raw layer, in one transaction, for the run's window.

    Args:
        deferrable: On BigQuery, leave the worker when one of the build's jobs takes longer than
            ``PATIENCE_SECONDS``, and come back when it is done. Most jobs take seconds, for which
            leaving and coming back would only cost time. Needs Airflow's triggerer.
    """

    PATIENCE_SECONDS = 60.0

    def __init__(
        self,
        *,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable
        self._goes_on: dict[str, Any] = {}

    def run_pipeline(self, profile: Profile, context: Context, run_label: str) -> Mapping[str, Any]:
        window = _window(profile, context)
        as_of = _as_of(context["params"].get("as_of"))
        mode = context["params"].get("mode", "auto")
        from trueline import pipeline

        try:
            summary = pipeline.build(
                profile,
                window,
                run_label=run_label,
                patience_seconds=self.PATIENCE_SECONDS if self.deferrable else None,
                client=bigquery_client(profile),
                **({"as_of": as_of, "mode": mode} | self._goes_on),
            )
        except pipeline.BuildStillRunning as waiting:
            self.log.info("%s The worker is free until it is done.", waiting)
            self.defer(
                trigger=job_trigger(waiting.job),
                method_name="go_on",
                kwargs={
                    "run_id": waiting.run_id,
                    "as_of": waiting.as_of.isoformat(),
                    "mode": waiting.mode,
                },
            )
        return summary.as_dict()

    def go_on(
        self, context: Context, event: Mapping[str, Any], run_id: str, as_of: str, mode: str
    ) -> dict[str, Any]:
        """Called by Airflow when the job is done, well or not: the build itself looks at it."""
        self.log.info("the BigQuery job is done: %s", event.get("status"))
        moment = datetime.fromisoformat(as_of)
        self._goes_on = {"run_id": run_id, "as_of": moment, "mode": mode}
        return self.run_guarded(context)


class PublishOperator(PipelineOperator):
    """Shows the built tables to readers, all at once."""

    def run_pipeline(self, profile: Profile, context: Context, run_label: str) -> Mapping[str, Any]:
        from trueline import pipeline

        client = bigquery_client(profile)
        return pipeline.publish(profile, run_label=run_label, client=client).as_dict()


class PlanUploadOperator(PipelineOperator):
    """Plans the upload of qualified conversions; a dry run, nothing leaves the house."""

    def run_pipeline(self, profile: Profile, context: Context, run_label: str) -> Mapping[str, Any]:
        from trueline import pipeline

        client = bigquery_client(profile)
        return pipeline.plan_upload(profile, run_label=run_label, client=client).as_dict()


def _window(profile: Profile, context: Context) -> Window:
    return window_from_context(context, time_zone=profile.time_zone, now=utc_now())


def _connection(profile: Profile, source: str) -> Connection | None:
    from trueline_airflow.connections import connection_from_airflow

    settings = profile.sources.get(source)
    if settings is None:
        raise ConfigurationError(
            f"The profile has no source {source!r}.",
            where=str(profile.path),
            fix=f"Its sources are: {', '.join(profile.sources)}.",
        )
    if settings.connection is None:
        return None
    return connection_from_airflow(settings.connection, profile.token_folder)


def _as_of(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigurationError(
            f"as_of is {text!r}, which is not a moment with an offset from UTC.",
            fix="Write it like 2026-11-20T06:00:00+00:00.",
        )
    return moment


def _one_line(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in counts.items())
