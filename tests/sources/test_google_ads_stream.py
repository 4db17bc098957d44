"""The reader of long JSON arrays: however the bytes are cut, the elements are the same."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trueline.sources.google_ads.stream import BrokenStreamError, elements

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ['"', "\\", '\\"', "{", "}]", "[{", "\n", "é\u2028"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), max_size=5)


def _pieces(text: bytes, size: int) -> Iterator[bytes]:
    return (text[at : at + size] for at in range(0, len(text), size))


@given(OBJECTS, st.integers(1, 40), st.booleans(), st.sampled_from([None, 2]))
@settings(max_examples=60, deadline=None)
def test_elements_survive_any_cut(objects: Any, size: int, ascii_only: bool, indent: Any) -> None:
    text = json.dumps(objects, ensure_ascii=ascii_only, indent=indent).encode()
    assert [json.loads(each) for each in elements(_pieces(text, size))] == objects


@given(OBJECTS.filter(bool), st.integers(1, 40), st.data())
@settings(max_examples=50, deadline=None)
def test_a_text_that_ends_early_never_passes(objects: Any, size: int, data: Any) -> None:
    text = json.dumps(objects).encode()
    short = text[: data.draw(st.integers(0, len(text) - 1))]
    found: list[bytes] = []
    with pytest.raises(BrokenStreamError):
        found.extend(elements(_pieces(short, size)))
    assert [json.loads(each) for each in found] == objects[: len(found)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"[]", 0),
        (b" \n[ ]\n", 0),
        (b'{"results": [{}, {}]}', 1),
        (b'\xef\xbb\xbf[{"a": 1}\r\n,\r\n{"b": {}}]\r\n', 2),
    ],
)
def test_short_answers(text, found) -> None:
    assert len(list(elements([text]))) == found


@pytest.mark.parametrize(
    "text", [b"", b"  ", b"<html>{}</html>", b"null", b"[{}]]", b"[{}] {}", b"[}", b"]"]
)
def test_what_is_no_array_is_refused(text) -> None:
    with pytest.raises(BrokenStreamError):
        list(elements([text]))


def test_a_long_answer_never_lies_in_memory() -> None:
    one = json.dumps({"results": [{"campaign": {"id": str(n)}} for n in range(100)]}).encode()

    def stream() -> Iterator[bytes]:
        yield b"["
        for number in range(100):
            yield from _pieces((b"," if number else b"") + one, 4096)
        yield b"]"

    tracemalloc.start()
    count = sum(1 for _ in elements(stream()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 100
    assert peak < 10 * len(one)
