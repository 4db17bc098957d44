"""Trying a source before its first run: one line per thing that has to be right."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Literal

from trueline.connections import Connection
from trueline.errors import ConfigurationError, TruelineError
from trueline.sources.http import HttpClient

State = Literal["ok", "note", "failed"]
#: Lines, and in the end whether what comes next can be tried at all.
Lines = Generator["CheckResult", None, bool]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing that was tried.

    Attributes:
        what: The thing, in a few words: ``credential``, ``account 1234567890``.
        state: ``note`` is worth knowing and stops nothing.
        told: What was found, or what went wrong.
        fix: What to do about it; empty where all is well.
        is_setting: Of a failure: a person has to change a setting (exit code 2), not the data or
            the platform says no (exit code 1).
    """

    what: str
    state: State
    told: str
    fix: str = ""
    is_setting: bool = True


def tried(what: str, call: Callable[[], str]) -> CheckResult:
    """Call, and tell what it returns, or its error as a failure."""
    try:
        return CheckResult(what, "ok", call())
    except TruelineError as error:
        return failure(what, error)


def failure(what: str, error: TruelineError) -> CheckResult:
    """An error as a line of its own."""
    told = f"{error.what} [{error.where}]" if error.where else error.what
    return CheckResult(what, "failed", told, error.fix, isinstance(error, ConfigurationError))


def in_turn(*steps: Callable[[], CheckResult | None]) -> Lines:
    """One step after the other, until one fails; a step that has nothing to tell returns None."""
    for step in steps:
        result = step()
        if result is None:
            continue
        yield result
        if result.state == "failed":
            return False
    return True


def address_answers(connection: Connection, default_url: str = "") -> CheckResult:
    """Whether anything answers at the address, whatever it thinks of the credential."""
    url = connection.base_url or default_url

    def call() -> str:
        HttpClient(Connection(connection.name, url)).reach()
        return f"{url} answers"

    return tried("address", call)


def token_there(http: HttpClient, *, is_needed: bool = True) -> CheckResult:
    """Whether there is a token to call with; a renewable one is asked for."""
    result = tried("credential", http.credential.told)
    if result.state == "ok" and is_needed and not http.credential.token():
        return CheckResult(
            "credential",
            "failed",
            "The connection holds no credential.",
            "Give it a token, or the fields of another way in (see docs/how-to/connections.md).",
        )
    return result


def scope_granted(http: HttpClient, *accepted: str) -> CheckResult | None:
    """Whether one of ``accepted`` is among the scopes; None where the platform did not tell them
    with the token."""
    granted = http.credential.scope.split()
    if not granted:
        return None
    for scope in accepted:
        if scope in granted:
            return CheckResult("scope", "ok", f"{scope} is granted")
    return CheckResult(
        "scope",
        "failed",
        f"The token was granted {', '.join(granted)} only.",
        f"Connect anew and ask for {accepted[0]}.",
    )


def worst(results: Iterator[CheckResult] | list[CheckResult]) -> int:
    """The exit code: 2 a setting has to change, 1 the data or a platform says no, 0 all is well."""
    failed = [result for result in results if result.state == "failed"]
    return 0 if not failed else 2 if any(result.is_setting for result in failed) else 1
