"""A story's events as JSON, within a number of tokens."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finder import jsonio
from finder.get import Choice, Numbered, story
from finder.library import Library
from finder.model import Event, JsonObject, Message, Notice, Text, ToolCall, ToolResult
from finder.places import Places
from finder.registry import Registry
from finder.render import data
from finder.render.brief import brief, cost

FIXTURES = Path(__file__).parents[3] / "fixtures"


def told(events: list[Event]) -> list[tuple[Numbered, JsonObject]]:
    numbered = [Numbered(seq, event) for seq, event in enumerate(events)]
    return [(item, data.event(item)) for item in numbered]


def made() -> list[Event]:
    found: list[Event] = [
        Message(record="m0", message="m0", role="user"),
        Text(text="The first prompt.", message="m0", role="user"),
    ]
    for number in range(1, 40):
        message = f"m{number}"
        found.append(Message(record=message, message=message, role="assistant"))
        found.append(Text(text=f"said {number} " * 20, message=message, role="assistant"))
        given: Any = {"command": f"run {number}"}
        if number == 20:
            given = {"filePath": "a.py", "oldString": "x = 1", "newString": "x = 2"}
        found.append(ToolCall(call=f"c{number}", name="tool", input=given, message=message))
        status: Any = "error" if number == 7 else "ok"
        output = f"output {number} " * 50
        found.append(ToolResult(call=f"c{number}", output=output, status=status, message=message))
    found.append(Text(text="The last words.", message="m39", role="assistant"))
    return found


def size(events: list[JsonObject]) -> int:
    return sum(map(cost, events))


def test_what_fits_is_not_touched() -> None:
    events = told(made())
    assert brief(events, 100_000) == [value for _, value in events]


@pytest.mark.parametrize("most", [600, 1_500, 5_000])
def test_what_matters_is_kept_and_the_rest_is_counted(most: int) -> None:
    events = told(made())
    shown = brief(events, most)
    assert size(shown) <= most
    said = [event for event in shown if event["type"] != "left_out"]
    gaps = [event for event in shown if event["type"] == "left_out"]
    texts = [event.get("text") for event in said]
    assert texts[0] == "The first prompt."
    assert texts[-1] == "The last words."
    assert "error" in [event.get("status") for event in said]
    assert any("newString" in str(event.get("input")) for event in said)
    assert [event["seq"] for event in said] == sorted(event["seq"] for event in said)
    assert len(said) + sum(gap["events"] for gap in gaps) == len(events)
    left = [n for n, _ in enumerate(events) if n not in {event["seq"] for event in said}]
    assert sum(gap["tokens"] for gap in gaps) == size([events[n][1] for n in left])


def test_each_gap_stands_where_it_is() -> None:
    shown = brief(told(made()), 2_000)
    at = 0
    for event in shown:
        if event["type"] == "left_out":
            at += event["events"]
        else:
            assert event["seq"] == at
            at += 1


def test_a_result_stays_with_its_call() -> None:
    shown = brief(told(made()), 2_000)
    calls = [event["call"] for event in shown if event["type"] == "tool_call"]
    assert calls == [event["call"] for event in shown if event["type"] == "tool_result"]
    assert "c7" in calls


@pytest.mark.parametrize("text", ["é" * 9_000, "a\n" * 9_000, "\x00" * 9_000, "日本 " * 3_000])
def test_what_is_long_loses_its_middle_and_says_so(text: str) -> None:
    call = ToolCall(call="c", name="write", input={"path": "a.py", "content": text, "n": [1, 2]})
    shown = brief(told([Text(text=text, role="user"), call]), 1_000)
    assert size(shown) <= 1_000
    prompt, written = shown
    assert (prompt["cut"], written["cut"]) == (["text"], ["input"])
    assert " tokens left out]\n" in prompt["text"]
    assert prompt["text"][:3] == text[:3]
    assert written["input"].startswith('{"path":"a.py","content":"')


def test_nothing_fits() -> None:
    (gap,) = brief(told(made()), 0)
    assert (gap["type"], gap["events"], gap["messages"]) == ("left_out", 159, 40)
    assert brief([], 0) == []


@given(
    st.lists(st.tuples(st.sampled_from("mtcrn"), st.integers(0, 3), st.integers(0, 900))),
    st.integers(100, 2_000),
)
def test_it_never_takes_more(parts: list[tuple[str, int, int]], most: int) -> None:
    kinds: dict[str, Any] = {
        "m": lambda n, text: Message(record=f"m{n}", message=f"m{n}", role="user", error=text),
        "t": lambda n, text: Text(text=text, message=f"m{n}", role="user"),
        "c": lambda n, text: ToolCall(call=f"c{n}", name="x", input=text),
        "r": lambda n, text: ToolResult(call=f"c{n}", output=text, status="error"),
        "n": lambda _, text: Notice(kind="state", text=text),
    }
    shown = brief(told([kinds[kind](n, '"é' * length) for kind, n, length in parts]), most)
    assert size(shown) <= most


def test_real_sessions_fit(tmp_path: Path) -> None:
    root = tmp_path / "fixtures"
    shutil.copytree(FIXTURES / "opencode-db" / "1.2.27", root / "opencode")
    shutil.copytree(FIXTURES / "clacky" / "v1.5.1", root / "clacky")
    registry = Registry.installed()
    library = Library.open(registry, Places.under(root), [root])
    keys = sorted(library.keys())
    library.lookup(keys)
    shortened = 0
    for key in keys:
        entry = library.entry(key)
        assert entry is not None
        items = list(story(registry, library, entry.session.ref, Choice()))
        shown = brief([(item, data.event(item)) for item in items], 400)
        assert size(shown) <= 400, key
        assert jsonio.loads(jsonio.dumps(shown)) == shown
        shortened += len(shown) < len(items)
    assert shortened > 20
