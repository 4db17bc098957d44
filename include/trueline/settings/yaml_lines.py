"""YAML into validated, frozen models; every error names file, line, value and fix."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from trueline.errors import ConfigurationError

Model = TypeVar("Model", bound=BaseModel)
_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_SECRET_NAME = re.compile(r"token|secret|password|key", re.IGNORECASE)


class Strict(BaseModel):
    """Base of all settings: immutable, and a misspelt key is an error, not a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SettingError(ValueError):
    """Two settings that do not fit together, raised by a model's validator.

    Args:
        message: What is wrong and what to do.
        location: Keys and indexes that lead from the model to the setting at fault.
    """

    def __init__(self, message: str, *location: str | int) -> None:
        super().__init__(message)
        self.location = location


def load_model(path: Path, model: type[Model], *, expand_env: bool = True) -> Model:
    """Read one YAML file into ``model``.

    Args:
        path: The file.
        model: The pydantic model that the whole document must fit.
        expand_env: Replace ``${NAME}`` and ``${NAME:-default}`` in text values.

    Raises:
        ConfigurationError: the file is missing, not YAML, or does not fit; the message lists every
            misfit with line, value and fix.
    """
    text = _read(path)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise ConfigurationError(
            f"This is not valid YAML: {getattr(error, 'problem', None) or 'cannot be read'}.",
            where=f"{path}:{line}",
            fix="Check indentation, colons and quotes around that line.",
        ) from None
    if root is None:
        raise ConfigurationError("The file is empty.", where=str(path), fix="Fill it in.")
    _refuse_duplicate_keys(root, path)
    value = yaml.SafeLoader("").construct_document(root)
    if expand_env:
        value = _expand(value, path)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = [_describe(problem, root, path, model) for problem in error.errors()]
        first, *others = problems
        raise ConfigurationError(
            first[1] + "".join(f"\n{where}: {what}" for where, what in others), where=first[0]
        ) from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(
            "There is no such file.", where=str(path), fix="Check the path, or create the file."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The file cannot be read ({type(error).__name__}).",
            where=str(path),
            fix="It must be a readable UTF-8 text file.",
        ) from None


def _refuse_duplicate_keys(node: yaml.Node, path: Path) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            if key.value in seen:
                raise ConfigurationError(
                    f"The key {key.value!r} is here twice (first on line {seen[key.value]}).",
                    where=f"{path}:{key.start_mark.line + 1}",
                    fix="Keep one of the two.",
                )
            seen[key.value] = key.start_mark.line + 1
            _refuse_duplicate_keys(value, path)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_duplicate_keys(item, path)


def _expand(value: Any, path: Path) -> Any:
    if isinstance(value, dict):
        return {key: _expand(item, path) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, path) for item in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        found = os.environ.get(name) or default
        if found is None:
            raise ConfigurationError(
                f"The environment variable {name} is not set.",
                where=str(path),
                fix=f"Set {name}, or write a default as ${{{name}:-value}}.",
            )
        return found

    return _ENV.sub(replace, value)


def _describe(problem: Any, root: yaml.Node, path: Path, model: type[BaseModel]) -> tuple[str, str]:
    """(file:line, sentence) for one pydantic problem."""
    misfit = problem.get("ctx", {}).get("error")
    location = (*problem["loc"], *getattr(misfit, "location", ()))
    node, trail = _follow(root, location)
    where = f"{path}:{node.start_mark.line + 1}"
    name = ".".join(str(part) for part in trail) or "the file"
    kind = problem["type"]
    if kind == "extra_forbidden":
        known = _known_keys(model, trail[:-1])
        close = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        choice = f" Known here: {', '.join(sorted(known))}." if known else ""
        return where, f"Unknown setting {name!r}.{hint}{choice}"
    if kind == "missing":
        return where, f"The setting {'.'.join(map(str, location))!r} is missing. Add it."
    if isinstance(misfit, SettingError):
        return where, f"{name}: {misfit}."
    value = problem.get("input")
    shown = (
        "a value" if _SECRET_NAME.search(name) or isinstance(value, (dict, list)) else repr(value)
    )
    reason = problem["msg"].removeprefix("Value error, ")
    return where, f"{name} is {shown}: {reason}."


def _follow(root: yaml.Node, location: tuple[Any, ...]) -> tuple[yaml.Node, list[Any]]:
    """The deepest YAML node that ``location`` names, and the part of it that exists in the file."""
    node, trail = root, []
    tag_seen_at: yaml.Node | None = None
    for part in location:
        if isinstance(node, yaml.MappingNode):
            if node is not tag_seen_at and part in _discriminators(node):
                # pydantic puts the chosen kind into the path; it is no key of the file.
                tag_seen_at = node
                continue
            for key, value in node.value:
                if key.value == str(part):
                    # The key's own line: a scalar's value may start on the next one.
                    is_block = isinstance(value, (yaml.MappingNode, yaml.SequenceNode))
                    node = value if is_block else key
                    trail.append(part)
                    break
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            trail.append(part)
    return node, trail


def _discriminators(node: yaml.MappingNode) -> set[str]:
    return {value.value for key, value in node.value if key.value in ("type", "engine")}


def _known_keys(model: Any, trail: list[Any]) -> list[str]:
    """Keys of the model that ``trail`` leads to, for the hint; empty where it cannot be told."""
    current: list[Any] = [model]
    for part in trail:
        following: list[Any] = []
        for candidate in current:
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                field = candidate.model_fields.get(str(part))
                if field is not None:
                    following.append(field.annotation)
            else:
                following.extend(get_args(candidate))
        current = following
    keys: set[str] = set()
    pending = current
    while pending:
        candidate = pending.pop()
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            keys.update(candidate.model_fields)
        else:
            pending.extend(get_args(candidate))
    return sorted(keys)
