"""A story for people."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finder.get import Numbered
from finder.library import Below, Entry
from finder.model import (
    Attachment,
    Compaction,
    Event,
    Message,
    Notice,
    Opaque,
    Reasoning,
    Ref,
    Session,
    Subagent,
    Text,
    ToolCall,
    ToolResult,
)
from finder.render.text import width
from finder.render.transcript import NOT_KEPT, coloured, heading, transcript

EDITED = {"filePath": "a", "oldString": "same\nold", "newString": "same\nnew"}


def numbered(*events: Event) -> list[Numbered]:
    """A story; events that name no message belong to the one before them."""
    message, found = None, []
    for seq, event in enumerate(events):
        if isinstance(event, Message):
            message = event.record
        elif event.message is None:
            event = replace(event, message=message)  # noqa: PLW2901
        found.append(Numbered(seq, event))
    return found


def shown(*events: Event, **options: Any) -> list[str]:
    return list(transcript(numbered(*events), **options))


def test_who_says_what() -> None:
    assert shown(
        Message(record="1", role="user", at=0),
        Text(text="Hello\n\n  there", role="user"),
        Message(record="2", role="assistant", model="m/x", agent="build"),
        Text(text="Hi", role="assistant"),
    ) == [
        "",
        "── user · 1970-01-01 00:00",
        "Hello",
        "",
        "  there",
        "",
        "── assistant · build · m/x",
        "Hi",
    ]


def test_a_message_without_content_takes_no_room_but_an_error_is_told() -> None:
    assert shown(Message(role="user"), Opaque(kind="step-start", raw={})) == [
        "",
        "not shown here, but with --json: record step-start ×1",
    ]
    assert shown(Message(role="assistant", error="overloaded"))[-1] == "! overloaded"


def test_tool_calls_are_folded_and_say_so() -> None:
    lines = shown(
        Message(role="assistant"),
        ToolCall(call="1", name="bash", input={"command": "ls\n-la"}),
        ToolResult(call="1", output="first\nsecond\nthird\n"),
        ToolCall(call="2", name="look", input={"path": "a.py", "text": "x" * 500}),
        ToolResult(call="2", status="error", output="no such file"),
        ToolCall(call="3", name="odd", input="not JSON"),
        ToolResult(call="3"),
        room=60,
    )
    assert lines[2:] == [
        "→ bash ls -la",
        "  ← ok: first (of 3 lines)",
        "→ look path=a.py text=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…",
        "  ← error: no such file",
        "→ odd not JSON",
        "  ← ok: no output",
    ]


def test_synthetic_text_is_marked_with_what_it_is() -> None:
    lines = shown(
        Message(record="r", role="user"),
        Text(text="reminder", labels=("synthetic", "inferred")),
        Message(record="m", role="user"),
        Compaction(auto=True),
        Message(record="s", role="assistant", labels=("summary",)),
        Text(text="what happened", labels=("summary",)),
        Message(record="u", role="user", labels=("compacted", "hidden")),
        Text(text="typed", labels=("compacted", "hidden")),
        Text(text="cut", labels=("compacted", "hidden", "truncated")),
    )
    assert "[synthetic: injected] [inferred]" in lines
    assert "── assistant [synthetic: compaction]" in lines
    assert "════ compaction: the live context starts anew (by the tool itself)" in lines
    assert "── user [compacted] [hidden]" in lines
    assert lines[-3:] == ["typed", "[truncated]", "cut"]


def test_the_labels_of_a_result_are_said_once() -> None:
    labels = ("truncated", "inferred")
    alone = shown(Message(record="1"), ToolResult(call="1", output="x", labels=labels))
    assert alone[2:] == ["[inferred] [truncated]", "  ← ok: x"]
    call = ToolCall(call="1", name="ls")
    called = shown(Message(record="1"), call, ToolResult(call="1", output="x", labels=labels))
    assert called[2:] == ["→ ls", "  ← ok [inferred] [truncated]: x"]


def test_in_full_notices_and_what_a_subagent_was_asked_are_whole() -> None:
    todo = Notice(kind="todo", text="[x] one\n[ ] two")
    child = Subagent(child=Ref("mem", "/s", "kid"), prompt="Look:\nwell")
    assert shown(todo, child) == ["· todo: [x] one [ ] two", "  ⤷ mem:kid", "    asked: Look: well"]
    assert shown(todo, child, whole=True) == [
        "· todo: [x] one",
        "[ ] two",
        "  ⤷ mem:kid",
        "    asked: Look:",
        "    well",
    ]


def test_a_subagent_without_a_transcript() -> None:
    assert shown(
        ToolCall(call="1", name="task", input={"prompt": "Look"}),
        Subagent(call="1", agent="explore", prompt="Look", result="Found\nit", status="ok"),
        ToolResult(call="1", output="Found\nit"),
        Subagent(child=Ref("mem", "/s", "kid"), agent="plan", prompt="Plan", result="hidden here"),
    ) == [
        "→ task Look",
        "  ← ok",
        f"  ⤷ explore, {NOT_KEPT}",
        "    Found",
        "    it",
        "  ⤷ plan, mem:kid",
        "    asked: Plan",
    ]


def kid(name: str, parent: str, depth: int, **rest: Any) -> Below:
    ref = Ref("mem", "/s", name)
    session = Session(ref=ref, title=f"The {name}", parent=Ref("mem", "/s", parent), **rest)
    return Below(session=session, depth=depth)


TREE = [kid("one", "top", 1, agent="plan", messages=2), kid("two", "one", 2), kid("lost", "top", 1)]


def test_subagents_stand_where_they_were_started() -> None:
    events = [
        ToolCall(call="1", name="task", input="do"),
        ToolResult(call="1", output="done"),
        Subagent(call="1", child=Ref("mem", "/s", "one"), agent="plan"),
        Text(text="after"),
    ]
    assert shown(*events, below=TREE) == [
        "→ task do",
        "  ← ok: done",
        "  ⤷ plan The one · 2 messages · one",
        "    ⤷ The two · two",
        "",
        "after",
        "",
        "subagents not shown above:",
        "  ⤷ The lost · lost",
    ]


def test_the_stories_of_subagents_are_told_in_place() -> None:
    stories = {
        "one": numbered(
            Message(record="a", role="user"),
            Text(text="deep\n\nwords"),
            Subagent(child=Ref("mem", "/s", "two")),
            Subagent(child=Ref("mem", "/s", "one")),
        ),
        "two": numbered(Text(text="deeper")),
        "lost": [],
    }
    lines = shown(
        Subagent(child=Ref("mem", "/s", "one")),
        below=TREE,
        stories=lambda ref: stories[ref.id],
    )
    assert lines[:11] == [
        "  ⤷ plan The one · 2 messages · one",
        "  │",
        "  │ ── user",
        "  │ deep",
        "  │",
        "  │ words",
        "  │   ⤷ The two · two",
        "  │   │ deeper",
        "  │   ⤷ mem:one",
        "",
        "subagents not shown above:",
    ]


def test_parents_in_a_circle_are_told_once() -> None:
    circle = [kid("one", "two", 1), kid("two", "one", 2)]
    lines = shown(Text(text="x"), below=circle, stories=lambda _: [])
    assert lines[2:] == [
        "subagents not shown above:",
        "  ⤷ The one · one",
        "    ⤷ The two · two",
    ]


@pytest.mark.parametrize("told", [True, False])
def test_a_chain_of_any_length_is_told_whole(told: bool) -> None:
    chain = [kid(str(n), str(n - 1), n) for n in range(1, 2000)]

    def story(ref: Ref) -> list[Numbered]:
        below = Subagent(child=Ref("mem", "/s", str(int(ref.id) + 1)))
        return numbered(Text(text=f"words of {ref.id}"), below)

    lines = shown(*(i.event for i in story(Ref("mem", "/s", "0"))), below=chain,
                  stories=story if told else None)  # fmt: skip
    for n in (1, 100, 1999):
        assert sum(one.endswith(f"⤷ The {n} · {n}") for one in lines) == 1
    assert sum("words of" in one for one in lines) == (2000 if told else 1)


def test_edits_stand_as_differences() -> None:
    lines = shown(
        ToolCall(
            call="1",
            name="edit",
            input={"filePath": "a.py", "oldString": "one\ntwo\n", "newString": "one\n2\n"},
            at=1000,
        ),
        ToolResult(call="1", output="Done.", at=3400),
        ToolCall(
            call="2", name="write", input={"path": "b", "content": "\n".join(map(str, range(50)))}
        ),
    )
    assert lines[:6] == ["→ edit a.py +1 −1", "   one", "  -two", "  +2", "  ← ok, 2.4 s: Done.",
                         "→ write b +50 −0"]  # fmt: skip
    assert lines[-3:] == [
        "  +9",
        "  … (40 more lines of this change; --full shows all)",
        "  ← no result",
    ]


def test_whole_folds_nothing() -> None:
    output = "\n".join(f"line {n}" for n in range(200))
    lines = shown(
        ToolCall(call="1", name="bash", input={"command": "run", "why": "a\nb"}),
        ToolResult(call="1", output=output, status="error"),
        Text(text="\n".join("rule" for _ in range(30)), labels=("synthetic",)),
        whole=True,
    )
    assert sum(one.startswith("    line ") for one in lines) == 200
    assert sum("line 0" in one for one in lines) == 1
    assert lines.count("rule") == 30
    assert "    b" in lines
    assert not [one for one in lines if "--full" in one]


def test_what_the_tool_put_in_is_folded() -> None:
    lines = shown(Text(text="\n".join("rule" for _ in range(30)), labels=("synthetic",)))
    assert lines[0] == "[synthetic: injected]"
    assert lines[-1] == "  … (18 more lines of this text; --full shows all)"


@pytest.mark.parametrize("room", [20, 47, 80])
def test_no_line_is_wider_than_the_terminal(room: int) -> None:
    wide = "ein langes Wort und 日本語のテキスト " * 20
    stories = {"one": numbered(Text(text=wide)), "two": [], "lost": []}
    lines = shown(
        Message(record="m", role="user"),
        Text(text=wide),
        ToolCall(call="1", name="edit", input={"path": wide, "old_text": wide, "new_text": "x"}),
        ToolResult(call="1", output=wide, title=wide),
        ToolCall(call="2", name=wide, input={"a": wide, "b": wide}),
        Attachment(name=wide, mime="image/png"),
        Notice(kind="error", text=wide),
        Subagent(child=Ref("mem", "/s", "one"), agent="plan"),
        below=TREE,
        stories=lambda ref: stories[ref.id],
        room=room,
    )
    # A line that must not be cut further may keep 20 columns beside its indent.
    assert max(map(width, lines)) <= max(room, 44)


def test_the_rest() -> None:
    lines = shown(
        Reasoning(text="", redacted=True),
        Attachment(name="a.png", mime="image/png", data="A" * 400),
        Attachment(url="https://x/y"),
        Attachment(),
        Notice(kind="retry", text="again\nand again"),
        Opaque(kind="part", record="7", problem="not JSON", raw="{"),
    )
    assert lines == [
        "[reasoning] (the tool keeps it unreadable)",
        "[image: a.png, image/png, 300 bytes]",
        "[attachment: https://x/y]",
        "[attachment: of unknown kind]",
        "· retry: again and again",
        "! unreadable record 7: not JSON",
    ]


EVIL = "x\x1b]0;owned\x07\u202e\x9b2J"


def test_nothing_live_reaches_the_terminal_from_any_field() -> None:
    evil = Ref(EVIL, EVIL, EVIL)
    events: list[Event] = [
        Message(record="m", role="user", agent=EVIL, model=EVIL, error=EVIL),
        Message(record="m", role="assistant", agent=EVIL, model=EVIL),
        Text(text=EVIL),
        Reasoning(text=EVIL),
        ToolCall(call=EVIL, name=EVIL, input={EVIL: EVIL, "b": [EVIL]}),
        ToolCall(call=EVIL, name=EVIL, input=EVIL),
        ToolResult(call=EVIL, output=EVIL, title=EVIL),
        ToolResult(call=EVIL, output=EVIL),
        Attachment(name=EVIL, mime=EVIL, url=EVIL, path=EVIL),
        Subagent(child=evil, agent=EVIL, prompt=EVIL),
        Subagent(agent=EVIL, prompt=EVIL, result=EVIL),
        Compaction(archive=EVIL),
        Notice(kind=EVIL, text=EVIL),
        Opaque(kind=EVIL, raw=1),
        Opaque(kind=EVIL, record=EVIL, problem=EVIL, raw=1),
    ]
    session = Session(ref=evil, title=EVIL, directory=EVIL, agent=EVIL, model=EVIL, parent=evil)
    entry = Entry(session=session, copies=(session,), also_in=(EVIL,))
    below = [Below(session=session, depth=1)]
    lines = [*heading(entry, below, home="/h"), *shown(*events)]
    assert len(lines) > len(events)
    for one in lines:
        assert not set("\x1b\x07\u202e\x9b\n") & set(one), ascii(one)


def test_styles_are_ours_alone() -> None:
    lines = shown(Message(role="user"), Text(text="\x1b[31m"), paint=coloured)
    assert lines[1].startswith("\x1b[1;35m")
    assert lines[2] == "␛[31m"


def test_impossible_times_are_no_error() -> None:
    session = Session(ref=Ref("t", "/s", "i"), created=10**18, updated=-(10**18))
    entry = Entry(session=session, copies=(session,), also_in=())
    assert "? to ?" in " ".join(heading(entry, (), home=str(Path("/h"))))


def test_nothing_that_is_to_be_read_is_dim() -> None:
    """On many a background dim is hardly there; so are yellow, white and bright colours."""
    call = ToolCall(call="1", name="edit", input=EDITED)
    events = [
        Message(record="1", role="assistant"),
        Reasoning(text="a thought"),
        call,
        ToolResult(call="1", output="an output", status="ok"),
        ToolCall(call="2", name="bash", input={"command": "ls"}),
        Notice(kind="error", text="a failure"),
        Text(text="put in", labels=("synthetic",)),
    ]
    session = Session(ref=Ref("t", "/s", "ses_1"), title="a title", directory="/d")
    entry = Entry(session=session, copies=(session,), also_in=())
    for whole in (False, True):
        told = heading(entry, (), home="/h", paint=coloured)
        lines = [*told, *shown(*events, paint=coloured, room=80, whole=whole)]
        dim = [one for one in lines if "\x1b[2m" in one]
        assert [re.sub(r"\x1b\[\d*m", "", one) for one in dim] == ["put in"]
        assert not re.search(r"\x1b\[(1;)?(33|34|36|37|30|9\d|4\d|38)\b", "".join(lines))
