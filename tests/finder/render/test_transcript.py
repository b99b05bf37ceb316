"""A story for people."""

from __future__ import annotations

from pathlib import Path

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
from finder.render.transcript import NOT_KEPT, coloured, heading, transcript


def shown(*events: Event, room: int | None = None) -> list[str]:
    numbered = [Numbered(seq, event) for seq, event in enumerate(events)]
    return list(transcript(numbered, room=room))


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
        "not shown here, but with --json: step-start ×1",
    ]
    assert shown(Message(role="assistant", error="overloaded"))[-1] == "! overloaded"


def test_tool_calls_are_folded_and_say_so() -> None:
    lines = shown(
        Message(role="assistant"),
        ToolCall(call="1", name="bash", input={"command": "ls\n-la"}),
        ToolResult(call="1", output="first\nsecond\nthird\n"),
        ToolCall(call="2", name="edit", input={"path": "a.py", "text": "x" * 500}),
        ToolResult(call="2", status="error", output="no such file"),
        ToolCall(call="3", name="odd", input="not JSON"),
        ToolResult(call="3"),
        room=60,
    )
    assert lines[2:] == [
        "→ bash ls -la",
        "  ← first (of 3 lines)",
        "→ edit path=a.py text=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…",
        "  ← error: no such file",
        "→ odd not JSON",
        "  ← no output",
    ]


def test_synthetic_text_is_marked_with_what_it_is() -> None:
    lines = shown(
        Message(record="m", role="user"),
        Text(text="reminder", labels=("synthetic", "inferred")),
        Compaction(auto=True, message="m"),
        Message(record="s", role="assistant", labels=("summary",)),
        Text(text="what happened", labels=("summary",)),
        Message(record="u", role="user", labels=("compacted", "hidden")),
        Text(text="typed", labels=("compacted", "hidden")),
        Text(text="cut", labels=("compacted", "hidden", "truncated")),
    )
    assert "[synthetic: injected, inferred]" in lines
    assert "[synthetic: compaction]" in lines
    assert "════ compaction (automatic): the live context starts anew" in lines
    assert "── user [compacted] [hidden]" in lines
    assert lines[-3:] == ["typed", "[truncated]", "cut"]


def test_a_subagent_without_a_transcript() -> None:
    lines = shown(
        Subagent(call="1", agent="explore", prompt="Look", result="Found\nit", status="ok"),
        ToolResult(call="1", output="Found\nit"),
        Subagent(child=Ref("mem", "/s", "kid"), agent="plan", prompt="Plan", result="hidden here"),
    )
    assert lines == [
        "⤷ subagent explore: Look",
        f"  {NOT_KEPT}",
        "Found",
        "it",
        "⤷ subagent plan: Plan",
        "  mem:kid",
    ]


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
        "[reasoning] (not readable)",
        "[attachment: a.png, image/png, 300 bytes]",
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
    items = [Numbered(0, Message(role="user")), Numbered(1, Text(text="\x1b[31m"))]
    lines = list(transcript(items, paint=coloured))
    assert lines[1].startswith("\x1b[1;36m")
    assert lines[2] == "␛[31m"


def test_impossible_times_are_no_error() -> None:
    session = Session(ref=Ref("t", "/s", "i"), created=10**18, updated=-(10**18))
    entry = Entry(session=session, copies=(session,), also_in=())
    assert "? to ?" in " ".join(heading(entry, (), home=str(Path("/h"))))
