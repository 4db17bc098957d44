"""Runs jobs: one statement, a script, or a load."""

from __future__ import annotations

import sys
import threading
import traceback
from typing import Any

from sqlglot import exp

from sandbox.bigquery import sizes, sql, wildcards
from sandbox.bigquery.changes import Changes
from sandbox.bigquery.define import define
from sandbox.bigquery.destination import Destination, layout_asked
from sandbox.bigquery.errors import ApiError, invalid_query, not_covered
from sandbox.bigquery.faults import Facts, Faults
from sandbox.bigquery.jobs import ANONYMOUS, Job, Jobs, new_job_id
from sandbox.bigquery.loads import load
from sandbox.bigquery.record import Record
from sandbox.bigquery.session import Outcome, Session, kind_of
from sandbox.bigquery.store import Store, now_millis
from sandbox.bigquery.types import schema_resource


class Runner:
    """Starts jobs in threads of their own.

    Args:
        insert_wait: Seconds that a request which starts a job waits for its end, so that short
            jobs are seen DONE at once.
    """

    def __init__(
        self, store: Store, jobs: Jobs, faults: Faults, record: Record, insert_wait: float = 0.5
    ) -> None:
        self.store, self.jobs, self.faults, self.record = store, jobs, faults, record
        self.changes = Changes(store.project)
        self._insert_wait = insert_wait
        self._threads: set[threading.Thread] = set()

    def start(self, body: dict[str, Any], user: str, data: bytes = b"") -> Job:
        """Begin a checked job.

        Raises:
            ApiError: its id was used before, or its analysis already refuses it.
        """
        reference = body.get("jobReference") or {}
        configuration = body["configuration"]
        job = Job(
            str(reference.get("jobId") or new_job_id()),
            self.store.project,
            str(reference.get("location") or self._location(configuration)),
            configuration,
            user,
        )
        configuration["jobType"] = job.kind.upper()
        if configuration.get("dryRun"):
            self._dry_run(job)
            return job
        self.jobs.add(job)
        analysed = threading.Event()
        thread = threading.Thread(
            target=self._run, args=(job, data, analysed), name=job.job_id, daemon=True
        )
        self._threads = {each for each in self._threads if each.is_alive()} | {thread}
        thread.start()
        analysed.wait(60)
        if not job.refused:
            job.done.wait(self._insert_wait)
        if job.refused and job.error is not None:
            raise job.error.bare()
        return job

    def join(self, seconds: float = 10.0) -> None:
        """Wait for the jobs that are running."""
        for thread in list(self._threads):
            thread.join(seconds)

    def cancel(self, job: Job) -> None:
        """Ask a job to stop; whether it does depends on how far it is."""
        job.cancel_asked = True

    def _location(self, configuration: dict[str, Any]) -> str:
        """Where the datasets are that a job names; the default if it names none."""
        asked = configuration.get("query") or configuration.get("load") or {}
        named = [
            str((asked.get(key) or {}).get("datasetId", ""))
            for key in ("destinationTable", "defaultDataset")
        ]
        try:
            for piece in sql.pieces(str(asked.get("query", ""))):
                tree = sql.parse(piece.text)
                if isinstance(tree, sql.Snapshot):
                    named.append(tree.target.db)
                elif isinstance(tree, exp.Expression):
                    named += [node.db for node in tree.find_all(exp.Table)]
        except ApiError:
            pass  # It will be refused when it is analysed.
        for name in named:
            if name in self.store.datasets:
                return self.store.datasets[name].location
        return self.store.location

    def _run(self, job: Job, data: bytes, analysed: threading.Event) -> None:
        error: ApiError | None = None
        try:
            job.started = now_millis()
            facts = Facts("", "", job.statement, job.job_id, job.configuration.get("labels") or {})
            struck = self.faults.take(("slow", "fail", "bad_row"), facts)
            failing = next((each for each in struck if each.do == "fail"), None)
            if failing is None or failing.when == "after":
                if job.kind == "load":
                    bad = {
                        each.row: each.message or "Bad row on request"
                        for each in struck
                        if each.do == "bad_row"
                    }
                    analysed.set()
                    job.statistics["load"] = load(self.store, self.changes, job, data, bad)
                else:
                    _QueryRun(self, job, analysed).run()
            job.hidden_polls = max(
                (each.polls for each in struck if each.do in ("slow", "fail")), default=-1
            )
            if failing is not None:
                error = failing.error(self.store.project)
        except ApiError as refused:
            error = refused
        except Exception as fault:
            traceback.print_exc(file=sys.stderr)
            message = f"Fault of the sandbox itself: {type(fault).__name__}: {fault}"
            error = ApiError("sandboxFault", message, status=500)
        finally:
            job.finish(error)
            self.jobs.keep(job)
            analysed.set()

    def _dry_run(self, job: Job) -> None:
        job.started = now_millis()
        if job.kind != "query":
            raise not_covered("dry runs of load jobs")
        _QueryRun(self, job, threading.Event()).dry_run()
        job.finish()


class _QueryRun:
    """One query job."""

    def __init__(self, runner: Runner, job: Job, analysed: threading.Event) -> None:
        self._runner, self._job, self._analysed = runner, job, analysed
        self._asked = job.configuration["query"]
        self._read: dict[tuple[str, str], int] = {}
        self._billed = 0

    def run(self) -> None:
        """Raises ApiError; ``job.refused`` tells that it was analysis that refused."""
        try:
            pieces, session = self._opened()
        except ApiError:
            self._job.refused = True
            raise
        try:
            if len(pieces) == 1 and pieces[0].control() is None:
                self._single(session, pieces[0])
            else:
                self._script(session, pieces)
        finally:
            session.close()

    def dry_run(self) -> None:
        """Analyse all, do nothing, say what would be read."""
        pieces, session = self._opened()
        try:
            outcome = Outcome("SCRIPT")
            for piece in pieces:
                if piece.control():
                    continue
                tree = sql.parse(piece.text)
                kind = kind_of(tree)
                if _reads(tree):
                    self._estimate(session, tree)
                if len(pieces) == 1:
                    outcome = Outcome(_statement_type(tree))
                    if kind == "select":
                        fields = session.describe(tree)
                        outcome.statistics["schema"] = schema_resource(fields)
            self._report(outcome)
        finally:
            session.close()

    def _opened(self) -> tuple[list[sql.Piece], Session]:
        pieces = sql.pieces(self._asked["query"])
        if not pieces:
            raise invalid_query("Syntax error: Unexpected end of statement at [1:1]")
        positional = str(self._asked.get("parameterMode", "NAMED")).upper() == "POSITIONAL"
        given = self._asked.get("queryParameters") or []
        parameters = sql.Parameters.of(given, positional=positional)
        for piece in pieces:
            if piece.control() is None:
                kind_of(sql.parse(piece.text))
        default = (self._asked.get("defaultDataset") or {}).get("datasetId")
        runner = self._runner
        session = Session(runner.store, runner.changes, parameters, self._job.location, default)
        return pieces, session

    def _single(self, session: Session, piece: sql.Piece) -> None:
        tree = sql.parse(piece.text)
        self._note(session, self._job, piece)
        try:
            tree = wildcards.expanded(tree, session.names)
            if _reads(tree):
                self._estimate(session, tree)
            target = self._destination(tree)
        except ApiError as error:
            self._job.refused = error.reason != "bytesBilledLimitExceeded"
            raise
        if isinstance(tree, exp.Query) and target is None:
            self._asked["destinationTable"] = {
                "projectId": self._job.project,
                "datasetId": ANONYMOUS,
                "tableId": f"anon{self._job.job_id}",
            }
        self._analysed.set()
        self._hold(piece)
        outcome = _execute(session, tree, target)
        self._job.rows = outcome.rows
        self._report(outcome)

    def _script(self, session: Session, pieces: list[sql.Piece]) -> None:
        if self._asked.get("destinationTable"):
            self._job.refused = True
            raise ApiError(
                "invalid",
                "configuration.query.destinationTable cannot be set for scripts",
            )
        self._analysed.set()
        last = Outcome("SCRIPT")
        transaction_id: str | None = None
        for number, piece in enumerate(pieces):
            child = self._child(number, piece)
            self._note(session, child, piece)
            try:
                self._hold(piece)
                outcome = self._step(session, piece)
                transaction = session.transaction
                transaction_id = transaction.transaction_id if transaction else transaction_id
                child.transaction_id = transaction_id
                if transaction is None:
                    transaction_id = None
                child.rows = outcome.rows
                child.statistics = self._statistics(outcome, {})
                child.finish()
                if outcome.rows is not None:
                    last.rows = outcome.rows
            except ApiError as error:
                session.rollback()
                child.finish(error)
                raise error.at(piece.line, piece.column) from None
            finally:
                self._runner.jobs.keep(child)
        self._job.rows = last.rows
        self._report(last)

    def _step(self, session: Session, piece: sql.Piece) -> Outcome:
        control = piece.control()
        if control is None:
            tree = sql.parse(piece.text)
            if _reads(tree):
                self._estimate(session, tree)
            return _execute(session, tree, None)
        match control:
            case "BEGIN":
                session.begin()
            case "COMMIT":
                session.commit()
            case "ROLLBACK":
                if session.transaction is None:
                    raise invalid_query("No transaction in progress")
                session.rollback()
        return Outcome(f"{control}_TRANSACTION")

    def _estimate(self, session: Session, tree: exp.Expression) -> None:
        read = session.read(tree)
        for key, size in read.items():
            self._read[key] = self._read.get(key, 0) + size
        self._billed += sizes.billed(read)
        limit = self._asked.get("maximumBytesBilled")
        if limit is not None and 0 < int(limit) < self._billed:
            raise ApiError(
                "bytesBilledLimitExceeded",
                f"Query exceeded limit for bytes billed: {limit}. {self._billed} or higher "
                "required.",
            )

    def _destination(self, tree: Any) -> Destination | None:
        asked = self._asked.get("destinationTable")
        if not asked:
            return None
        if not isinstance(tree, exp.Query):
            raise ApiError(
                "invalid", "Cannot set destination table in jobs with DML or DDL statements"
            )
        return Destination(
            str(asked["datasetId"]),
            str(asked["tableId"]),
            write=self._asked.get("writeDisposition") or "WRITE_EMPTY",
            create=self._asked.get("createDisposition") or "CREATE_IF_NEEDED",
            layout=layout_asked(self._asked),
            updates=tuple(self._asked.get("schemaUpdateOptions") or ()),
        )

    def _child(self, number: int, piece: sql.Piece) -> Job:
        job = self._job
        child = Job(
            new_job_id(f"script_job_{number}_"),
            job.project,
            job.location,
            {
                "jobType": "QUERY",
                "query": {"query": piece.text, "useLegacySql": False},
                "labels": job.configuration.get("labels") or {},
            },
            job.user_email,
            parent_id=job.job_id,
            started=now_millis(),
        )
        self._runner.jobs.add(child)
        job.children += 1
        return child

    def _hold(self, piece: sql.Piece) -> None:
        labels = self._job.configuration.get("labels") or {}
        facts = Facts("", "", piece.text, self._job.job_id, labels)
        if self._runner.faults.take(("hold",), facts):
            self._runner.faults.hold(lambda: self._job.cancel_asked)
        if self._job.cancel_asked:
            raise ApiError(
                "stopped", "Job execution was cancelled: User requested cancellation", status=499
            )

    def _note(self, session: Session, job: Job, piece: sql.Piece) -> None:
        self._runner.record.statement(
            job.job_id, piece.text, session.parameters.fields, session.temporary
        )

    def _report(self, outcome: Outcome) -> None:
        self._job.statistics = self._statistics(outcome, self._read)

    def _statistics(self, outcome: Outcome, read: dict[tuple[str, str], int]) -> dict[str, Any]:
        total = str(sum(read.values()))
        project = self._job.project
        query: dict[str, Any] = {
            "statementType": outcome.statement_type,
            "totalBytesProcessed": total,
            "totalBytesBilled": str(self._billed if read else 0),
            "cacheHit": False,
            "totalSlotMs": "1",
        }
        if read:
            query["referencedTables"] = [
                {"projectId": project, "datasetId": dataset, "tableId": table}
                for dataset, table in sorted(read)
            ]
        return {"totalBytesProcessed": total, "query": query | outcome.statistics}


def _reads(tree: Any) -> bool:
    """Whether it costs bytes: queries, DML, and ``create table as``."""
    if isinstance(tree, exp.Create):
        return tree.args["kind"] == "TABLE" and isinstance(tree.expression, exp.Query)
    return kind_of(tree) in ("select", "change")


def _execute(session: Session, tree: Any, target: Destination | None) -> Outcome:
    match kind_of(tree):
        case "define":
            return define(session, tree)
        case "assert":
            return session.check(tree)
        case "declare":
            return Outcome("SCRIPT")
        case "change":
            return session.change(tree)
    return session.select(tree, target)


def _statement_type(tree: Any) -> str:
    return "SELECT" if isinstance(tree, exp.Query) else type(tree).__name__.upper()
