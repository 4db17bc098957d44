"""HubSpot's refusals in the error families. Only names and codes are repeated, never its prose."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

from trueline.errors import ConfigurationError, PermanentError, RetriableError, TruelineError
from trueline.sources.http import Refusal

log = logging.getLogger(__name__)

# Seconds to wait where HubSpot names a limit but no delay. A day's count starts again at midnight
# of the account's own time zone, which no answer tells: so it is asked again every hour.
WAITS = {"DAILY": 3600.0, "TEN_SECONDLY_ROLLING": 10.0, "SECONDLY": 1.0}
LOCKED_SECONDS = 2.0
MIGRATION_SECONDS = 3600.0
_SCOPES = ("requiredGranularScopes", "requiredScopes", "missingScopes")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}")
# Categories that the same request would meet again; of others (INTERNAL_ERROR) nobody knows it.
_ABOUT_THE_REQUEST = frozenset({"VALIDATION_ERROR", "OBJECT_NOT_FOUND", "CONFLICT", "BANNED"})
_GONE = ("OBJECT_NOT_FOUND", "NO_ASSOCIATIONS_FOUND")


def explain(refusal: Refusal, name: str) -> TruelineError | None:
    """HubSpot's own reading of a refusal; None leaves it to the HTTP status."""
    status, body = refusal.status, refusal.body
    if not isinstance(body, Mapping):
        return _without_words(refusal, name)
    category = _word(body.get("category"))
    trace = _word(body.get("correlationId"))
    log.info("HubSpot said no: HTTP %d, %s, correlationId %s", status, category, trace)
    told = f"HTTP {status}, {category or 'no category'}, correlationId {trace or 'not given'}"
    if status == 429 or category == "RATE_LIMITS" or body.get("errorType") == "RATE_LIMIT":
        return _limited(refusal, body, told)
    if status in (423, 477):
        return _without_words(refusal, name)
    if category == "EXPIRED_AUTHENTICATION":
        return ConfigurationError(
            f"HubSpot's access token has expired ({told}).",
            where=refusal.where,
            fix=f"Access tokens of OAuth apps live for half an hour: give the connection {name!r} "
            "what renews them, or a service key or private-app token, which do not expire.",
        )
    if status == 401 or category == "INVALID_AUTHENTICATION":
        return ConfigurationError(
            f"HubSpot does not accept the token; it was revoked, rotated or mistyped ({told}).",
            where=refusal.where,
            fix="Copy the current token of the service key or private app in HubSpot "
            f"(Development > Keys, or Legacy apps) into the connection {name!r}.",
        )
    if category == "MISSING_SCOPES" or status == 403:
        scopes = ", ".join(sorted(set(_scopes(body)))) or "not named by HubSpot"
        return ConfigurationError(
            f"HubSpot denies access: a scope is missing, one or more of: {scopes} ({told}).",
            where=refusal.where,
            fix=f"Add it to the key or app behind the connection {name!r}; an OAuth app has to be "
            "installed anew. See docs/sources/hubspot.md for all scopes.",
        )
    if status in (404, 410):
        return _no_such_address(refusal, name, told)
    if status < 300 and category not in _ABOUT_THE_REQUEST:
        return RetriableError(
            f"HubSpot is out of order, though it says OK ({told}).",
            where=refusal.where,
            fix="Try again later; if it stays so, give HubSpot's support the correlationId.",
            retry_after_seconds=refusal.delay,
        )
    if 400 <= status < 408 or status < 300:
        named = ", ".join(sorted(set(_names(body)))) or "nothing by name"
        return PermanentError(
            f"HubSpot refuses the request; it names {named} ({told}).",
            where=refusal.where,
            fix="Compare the names with the properties of the account (HubSpot > Settings > "
            "Properties) and of the profile; give HubSpot's support the correlationId.",
        )
    return None


def refuse_partial(answer: Mapping[str, Any], where: str) -> int:
    """How many inputs of a batch HubSpot does not have (any more).

    Raises:
        RetriableError: the batch is unfinished, or failed for some inputs for another reason.
    """
    missing, errors = 0, _errors(answer)
    if answer.get("numErrors") and not errors:
        errors = [{}]
    for error in errors:
        kind = f"{_word(error.get('category'))} {_word(error.get('subCategory'))}".strip()
        if not kind.endswith(_GONE) and not kind.startswith(_GONE):
            raise RetriableError(
                f"HubSpot answered only a part of a batch ({kind or 'no reason given'}).",
                where=where,
                fix="Try again; if it stays so, report it to HubSpot.",
            )
        context = error.get("context")
        lists = context.values() if isinstance(context, Mapping) else ()
        missing += max((len(ids) for ids in lists if isinstance(ids, list)), default=1)
    if answer.get("status") not in (None, "COMPLETE"):
        raise RetriableError(
            "HubSpot did not finish a batch.",
            where=where,
            fix="Try again; if it stays so, report it to HubSpot.",
        )
    return missing


def _limited(refusal: Refusal, body: Mapping[str, Any], told: str) -> RetriableError:
    policy, message = _word(body.get("policyName")), str(body.get("message") or "").lower()
    if not policy:
        # A search over its limit names no policy, only "your secondly limit".
        policy = next((each for each in WAITS if each.lower() in message), "TEN_SECONDLY_ROLLING")
    fix = (
        "Wait until the account's midnight, or see in HubSpot which app uses the calls up "
        "(Development > Monitoring)."
        if policy == "DAILY"
        else "It is tried again by itself; if it stays so, another app of the account is too fast."
    )
    return RetriableError(
        f"HubSpot asks for a pause: the limit {policy} is used up ({told}).",
        where=refusal.where,
        fix=fix,
        retry_after_seconds=refusal.delay if refusal.delay is not None else WAITS.get(policy, 10.0),
    )


def _without_words(refusal: Refusal, name: str) -> TruelineError | None:
    status = refusal.status
    if status == 423:
        return RetriableError(
            "HubSpot is working on these records (HTTP 423).",
            where=refusal.where,
            fix="It is tried again by itself.",
            retry_after_seconds=max(refusal.delay or 0.0, LOCKED_SECONDS),
        )
    if status == 477:
        return RetriableError(
            "HubSpot is moving the account to another data centre (HTTP 477).",
            where=refusal.where,
            fix="Wait: it takes up to a day. Nothing is to be done here.",
            retry_after_seconds=refusal.delay or MIGRATION_SECONDS,
        )
    if status == 530:
        return ConfigurationError(
            "HubSpot's front cannot tell whose token this is (HTTP 530): mostly it is not whole.",
            where=refusal.where,
            fix=f"Copy the token anew into the connection {name!r}; if it is right, wait.",
        )
    if status in (401, 403, 407):
        return ConfigurationError(
            f"Somebody denies access, and not in HubSpot's words (HTTP {status}).",
            where=refusal.where,
            fix=f"Look for a proxy or firewall in between; check base_url of the connection "
            f"{name!r}, and that this machine's address is allowed.",
        )
    if status in (404, 410):
        return _no_such_address(refusal, name, f"HTTP {status}")
    return None


def _no_such_address(refusal: Refusal, name: str, told: str) -> ConfigurationError:
    return ConfigurationError(
        f"HubSpot has nothing at this address: this API version was switched off, or the address "
        f"is wrong ({told}).",
        where=refusal.where,
        fix="Set api_version of the source to a supported one (2026-03, or a newer date), then "
        f"check base_url of the connection {name!r}.",
    )


def _scopes(body: Mapping[str, Any]) -> Iterator[str]:
    for context in _contexts(body):
        for key in _SCOPES:
            yield from _words(context.get(key))


def _names(body: Mapping[str, Any]) -> Iterator[str]:
    yield from _words([body.get("subCategory")])
    for error in _errors(body):
        yield from _words([error.get("code"), error.get("subCategory"), error.get("in")])
    for context in _contexts(body):
        for key in ("propertyName", "propertyNames", "properties"):
            yield from _words(context.get(key))


def _contexts(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for part in (body, *_errors(body)):
        context = part.get("context")
        if isinstance(context, Mapping):
            yield context


def _errors(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    errors = body.get("errors")
    found = errors if isinstance(errors, list) else []
    return [error for error in found if isinstance(error, Mapping)]


def _words(values: Any) -> Iterator[str]:
    for value in values if isinstance(values, list) else [values]:
        word = _word(value)
        if word:
            yield word


def _word(value: Any) -> str:
    """A code or name; empty for anything that could be prose."""
    return value if isinstance(value, str) and _NAME.fullmatch(value) else ""
