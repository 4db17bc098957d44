"""Walk what the analyser resolved: protobuf messages of a tree whose classes inherit by nesting.

``AnyResolved…Proto`` is a choice among subclasses, field ``parent`` holds what a class inherits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message  # noqa: TID253 - small, and no DAG imports this


def innermost(message: Message) -> Message:
    """The node itself, below its chain of choices."""
    while message.DESCRIPTOR.oneofs:
        chosen = message.WhichOneof("node")
        if chosen is None:
            break
        message = getattr(message, chosen)
    return message


def kind(node: Message) -> str:
    """``TableScan``, ``FunctionCall``, ``DeleteStmt`` …"""
    return node.DESCRIPTOR.name.removeprefix("Resolved").removesuffix("Proto")


def attribute(node: Message, name: str) -> Any:
    """A field of the node or of a class it inherits from; None where no class has it."""
    found: Message | None = node
    while found is not None:
        fields = found.DESCRIPTOR.fields_by_name
        if name in fields:
            return getattr(found, name)
        found = found.parent if "parent" in fields else None
    return None


def has(node: Message, name: str) -> bool:
    """Whether an optional field is set."""
    found: Message | None = node
    while found is not None:
        fields = found.DESCRIPTOR.fields_by_name
        if name in fields:
            return bool(found.HasField(name))
        found = found.parent if "parent" in fields else None
    return False


def children(node: Message) -> Iterator[tuple[str, Message]]:
    """Nodes directly below, each with the field it stands in."""
    for field, value in node.ListFields():
        if field.message_type is None or "Resolved" not in field.message_type.name:
            continue
        if field.name == "parent":
            yield from children(value)
            continue
        for each in value if field.is_repeated else [value]:
            yield field.name, innermost(each)


def walk(node: Message) -> Iterator[Message]:
    """The node and all below."""
    yield node
    for _, child in children(node):
        yield from walk(child)


def column_ids(node: Message) -> frozenset[int]:
    """Ids of all columns that an expression refers to."""
    return frozenset(each.column.column_id for each in walk(node) if kind(each) == "ColumnRef")


def conjuncts(expression: Message) -> Iterator[Message]:
    """The conditions that all have to hold."""
    node = innermost(expression)
    if function_name(node) == "$and":
        for each in attribute(node, "argument_list"):
            yield from conjuncts(each)
    else:
        yield node


def function_name(node: Message) -> str:
    """``$equal``, ``coalesce`` …; empty for anything but a function call."""
    function = attribute(node, "function")
    return str(function.name).rpartition(":")[2] if function is not None else ""


def arguments(node: Message) -> list[Message]:
    return [innermost(each) for each in attribute(node, "argument_list")]


def offset(node: Message) -> int | None:
    """Byte in the statement at which the node starts, where the analyser tells."""
    found: Message | None = node
    while found is not None:
        fields = found.DESCRIPTOR.fields_by_name
        if "parse_location_range" in fields:
            is_told = found.HasField("parse_location_range")
            return found.parse_location_range.start if is_told else None
        found = found.parent if "parent" in fields else None
    return None
