"""What Google says, as one of our error families: what, where, and what to do.

The text of an error may quote a value of a row, so only texts that are known to speak of names are
handed on; the job's own page in the console shows the rest to those who may see it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trueline.errors import ConfigurationError, PermanentError, RetriableError, TruelineError
from trueline.settings.profile import BigQuerySettings

if TYPE_CHECKING:
    from google.api_core.exceptions import GoogleAPICallError

#: Reasons for which the same job may be sent again at once, under the next attempt's id.
TRANSIENT_REASONS = frozenset(
    {"backendError", "internalError", "jobBackendError", "jobInternalError", "rateLimitExceeded"}
)
_QUOTA_DELAY_SECONDS = 900
_RATE_DELAY_SECONDS = 30
_ABOUT_NAMES = re.compile(
    r"Not found: |Access Denied: |Already Exists: |Unrecognized name|Syntax error|Table not found"
    r"|No matching signature|Query exceeded limit|Cannot query over table|Transaction is aborted"
    r"|Query parameter|Quota exceeded|Exceeded rate limits|Required field|Too many partitions"
)
_CONCURRENT = re.compile(
    r"aborted due to concurrent update|Could not serialize access|Already Exists: Table"
)
_PERMISSION = re.compile(r"\b(bigquery\.[\w.]+) permission")
_ROLES = {
    "bigquery.jobs.create": "roles/bigquery.jobUser on the project",
    "bigquery.datasets.create": "roles/bigquery.user on the project",
    "bigquery.tables.getData": "roles/bigquery.dataEditor on the datasets",
    "bigquery.tables.updateData": "roles/bigquery.dataEditor on the datasets",
    "bigquery.tables.create": "roles/bigquery.dataEditor on the datasets",
}


@contextmanager
def google_errors(settings: BigQuerySettings) -> Iterator[None]:
    """Turn whatever the Google libraries raise inside the block into an error of ours."""
    import requests
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import RefreshError, TransportError

    where = f"BigQuery project {settings.project}, location {settings.location}"
    try:
        yield
    except GoogleAPICallError as error:
        raise as_ours(Failure.of_call(error), settings) from error
    except RefreshError:
        raise ConfigurationError(
            "Google no longer accepts the credentials: they have expired or were revoked.",
            where=where,
            fix="Log in again (gcloud auth application-default login), or put a new key into the "
            "Airflow connection google_cloud_default.",
        ) from None
    except (RetryError, TransportError, requests.ConnectionError, requests.Timeout) as error:
        raise RetriableError(
            f"BigQuery cannot be reached ({type(error).__name__}).",
            where=where,
            fix="See the network and Google's status page; the run can be repeated safely.",
            retry_after_seconds=60,
        ) from error


@dataclass(frozen=True, slots=True)
class Failure:
    """What BigQuery answered: reason (``accessDenied``), HTTP status (0 for a job), text."""

    reason: str
    code: int
    text: str

    @classmethod
    def of_call(cls, error: GoogleAPICallError) -> Failure:
        details = [each for each in error.errors or () if isinstance(each, dict)]
        reason = next((str(each["reason"]) for each in details if each.get("reason")), "")
        # The client puts the request in front: "400 POST https://…: text".
        text = re.sub(
            r"^(?:\d{3} )?(?:GET|POST|PUT|PATCH|DELETE) \S+: ", "", str(error.message or "")
        )
        return cls(reason, int(error.code or 0), text)

    @classmethod
    def of_job(cls, error_result: Mapping[str, Any]) -> Failure:
        return cls(str(error_result.get("reason") or ""), 0, str(error_result.get("message") or ""))

    @property
    def told(self) -> str:
        """The first line of the text, if it speaks of names and not of values."""
        line = self.text.partition("\n")[0].partition("; reason: ")[0].strip()
        if _ABOUT_NAMES.search(line):
            return line.rstrip(".") + "."
        return "the text is left out, it may quote a row."


def as_ours(failure: Failure, settings: BigQuerySettings, job_id: str = "") -> TruelineError:
    """The error family, with the place and the fix."""
    where = f"BigQuery project {settings.project}, location {settings.location}"
    if job_id:
        where += f", job {job_id}"
    for build in (_credentials, _limits, _not_found, _denied, _over_budget, _concurrent, _outage):
        found = build(failure, settings)
        if found is not None:
            found.where = where
            return found
    return PermanentError(
        f"BigQuery refused a statement ({failure.reason or failure.code}): {failure.told}",
        where=where,
        fix="Open the job in the BigQuery console for the whole text. Was a table changed by hand? "
        "Then restore it as table.yaml says (docs/how-to/bigquery.md).",
    )


def _credentials(failure: Failure, settings: BigQuerySettings) -> TruelineError | None:
    if failure.code != 401:
        return None
    return ConfigurationError(
        "Google no longer accepts the credentials.",
        fix="Log in again (gcloud auth application-default login), or put a new key into the "
        "Airflow connection google_cloud_default.",
    )


def _limits(failure: Failure, settings: BigQuerySettings) -> TruelineError | None:
    if failure.reason == "quotaExceeded":
        return RetriableError(
            f"A BigQuery quota is used up. {failure.told}",
            fix="Wait, or ask for a higher quota; hot retries would only prolong it.",
            retry_after_seconds=_QUOTA_DELAY_SECONDS,
        )
    if failure.reason == "rateLimitExceeded" or failure.code == 429:
        return RetriableError(
            "BigQuery asks for a slower pace.",
            fix="Nothing: the run repeats by itself. Give the pool trueline_warehouse fewer slots "
            "if it happens every day.",
            retry_after_seconds=_RATE_DELAY_SECONDS,
        )
    return None


def _not_found(failure: Failure, settings: BigQuerySettings) -> TruelineError | None:
    if failure.code != 404 and failure.reason != "notFound":
        return None
    # Every such text ends in "was not found in location EU".
    if "Not found: Table" not in failure.text:
        return ConfigurationError(
            f"{failure.told}",
            fix=f"warehouse.location says {settings.location}. A dataset's location never changes: "
            "name the one that it was made in, or another dataset_prefix. If somebody deleted the "
            "dataset, restore it within seven days (bq undelete), or let the run make it anew "
            "and load again.",
        )
    return ConfigurationError(
        f"{failure.told}",
        fix="If somebody deleted the table, restore it from time travel within seven days "
        "(docs/how-to/bigquery.md); a computed table comes back by the next build.",
    )


def _denied(failure: Failure, settings: BigQuerySettings) -> TruelineError | None:
    if failure.code != 403 and failure.reason != "accessDenied":
        return None
    permission = _PERMISSION.search(failure.text)
    role = _ROLES.get(permission[1] if permission else "")
    return ConfigurationError(
        f"The credentials lack a permission. {failure.told}",
        fix=f"Grant {role}." if role else "See the list of roles in docs/how-to/bigquery.md.",
    )


def _over_budget(failure: Failure, settings: BigQuerySettings) -> TruelineError | None:
    if (
        failure.reason != "bytesBilledLimitExceeded"
        and "limit for bytes billed" not in failure.text
    ):
        return None
    return ConfigurationError(
        f"A query would bill more than warehouse.maximum_bytes_billed. {failure.told}",
        fix="Nothing was billed. See trueline cost for what the tables read; raise the limit in "
        "the profile if the history has grown that much.",
    )


def _concurrent(failure: Failure, settings: BigQuerySettings) -> TruelineError | None:
    if not _CONCURRENT.search(failure.text):
        return None
    return RetriableError(
        f"Another run changed the same table at the same time; this one was undone. {failure.told}",
        fix="Nothing: the run repeats by itself. Builds that meet every day need one slot in the "
        "pool trueline_warehouse.",
        retry_after_seconds=60,
    )


def _outage(failure: Failure, settings: BigQuerySettings) -> TruelineError | None:
    if failure.reason in TRANSIENT_REASONS or failure.code >= 500:
        return RetriableError(
            f"BigQuery failed by itself ({failure.reason or failure.code}); nothing was changed.",
            fix="The run repeats by itself; see Google's status page if it goes on.",
            retry_after_seconds=60,
        )
    return None
