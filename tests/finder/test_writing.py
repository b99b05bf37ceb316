"""The text of a file that is made as it is written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finder import jsonio
from finder.model import Json, JsonObject
from finder.writing import JsonText

_LETTERS = st.text(st.characters(exclude_categories=["Cs"]))
_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | _LETTERS,
    lambda inner: st.lists(inner) | st.dictionaries(_LETTERS, inner),
    max_leaves=20,
)
_LONG_LISTS = st.lists(_PLAIN, max_size=20)


@given(st.dictionaries(_LETTERS, _PLAIN | _LONG_LISTS))
def test_the_pieces_are_the_text_in_one_go(value: JsonObject) -> None:
    text = JsonText(value, end=b"\n")
    assert b"".join(text) == jsonio.dumps(value, indent=True) + b"\n"
    assert b"".join(text) == b"".join(text)  # it can be written again


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), 10**30, "half a pair: \ud800", 1e22])
@pytest.mark.parametrize("place", range(12))
def test_what_takes_long_stays_what_it_is(odd: Json, place: int) -> None:
    items: list[Json] = [{"number": n, "text": "one\nother", "list": [n, []]} for n in range(12)]
    items[place] = {"odd": [odd]}
    value = {"before": odd, "items": items, "\udc80 key": {"odd": odd}, "behind": [odd]}
    found = b"".join(JsonText(value))
    assert repr(json.loads(found)) == repr(value)
    assert found.startswith(b"{\n  ")
    assert found.endswith(b"\n}")


@pytest.mark.parametrize("place", range(6))
def test_what_is_nested_too_deeply_is_not_set_in(place: int) -> None:
    deep: Json = []
    for _ in range(950):
        deep = [deep]
    items: list[Json] = [{"number": n} for n in range(6)]
    items[place] = deep
    value = {"items": items, "deep": deep, "text": "a"}
    found = b"".join(JsonText(value))
    assert len(found) < 10_000
    assert jsonio.dumps(jsonio.loads(found)) == jsonio.dumps(value)
