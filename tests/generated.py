"""Sessions that no tool ever wrote: every type of event and label, in any order, with any text."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, get_args

from hypothesis import strategies as st

from finder.model import (
    LABELS,
    NOTICE_KINDS,
    Attachment,
    Compaction,
    Event,
    Message,
    Notice,
    Opaque,
    Reasoning,
    Ref,
    Role,
    Session,
    Status,
    Subagent,
    Text,
    ToolCall,
    ToolResult,
    Usage,
)

TOOL = "made-up"
STORE = "/home/dev/made-up"
_ON_SESSIONS = {"archived", "trashed", "reverted", "forked", "unmigrated", "headers-only"}


Story = tuple[Session, list[Event]]


class Made(list[Story]):
    """Sessions with their stories, parents first; shown in few words when a test fails."""

    def __repr__(self) -> str:
        lines = [line for session, events in self for line in (session, *events)]
        return "made of" + "".join(f"\n    {_shown(line)}" for line in lines)


def _shown(made: Session | Event) -> str:
    if isinstance(made, Session):
        names = [name for name in Session._fields if getattr(made, name) not in (None, ())]
        told = ", ".join(f"{name}={_short(getattr(made, name))}" for name in names)
        return f"session {told}"
    found = {f.name: getattr(made, f.name) for f in fields(made) if f.name != "type"}
    told = ", ".join(f"{n}={_short(v)}" for n, v in found.items() if v not in (None, ()))
    return f"  {made.type} {told}"


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:50]}… ({len(text):,} characters)"


def _can_stand_in_json(text: str) -> bool:
    """Two surrogates that make a pair are one character there, however they came together."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass") == text


# By such words the tools, and their adapters, know what they themselves have put in.
TELLING = [
    "[SYSTEM] x",
    "[SYSTEM][COMPRESSION LEVEL 1] x",
    "[SUBAGENT SUMMARY]\nCompleted in 2 iterations",
    "[Compressed conversation summary — previous turns archived]\n\nx",
    "[Session context: Today is Friday. Current model: x. OS: y]",
    "[Previous conversation summary]\nx",
    "[System: Review mode activated]",
    "[Tool result truncated: 300 chars, first line: x]",
    "[exit code: 2]",
    '<file path="/x">\ny\n</file>',
    '<task id="ses_1" state="completed">x</task>',
    "<think>x</think>y",
    "Aborted",
    "Called the Read tool with the following input: {}",
    "Continue if you have next steps",
    "Error: x",
    "STOP. The user has a question/feedback for you: x",
    "Sub-agent result (2 tool calls, 1s):\nx",
    "The following tool was executed by the user",
    "Tool execution aborted",
    "User aborted the command",
    "User declined this action.",
    "What did we do so far?",
    "System Warning: Your previous edit caused the following LSP errors",
    "\n\n📋 REMINDER: You have 1 pending TODO(s)",
    '{"error": "x"}',
    '{"exit_code": 2, "success": false}',
    '{"message": "x", "result": "[SUBAGENT SUMMARY]\\ny"}',
]
TOOLS = ["bash", "delegate_task", "invalid", "invoke_skill", "spawn_agent", "task", "todo_manager"]

characters = st.characters() | st.sampled_from("\x00\x1b\u2028\u202e\ufeff\ufffd\ud800\udfff😀𝔘")
texts = (
    st.text(characters, max_size=30)
    | st.sampled_from(["", " ", "\n", "---", "<b>", "```", "{}", "../../etc/passwd"])
    | st.sampled_from(TELLING)
).filter(_can_stand_in_json)
maybe_texts = st.none() | texts
times = st.none() | st.integers(0, 4_102_444_800_000) | st.integers(-(2**63), 2**63 - 1)
counts = st.none() | st.integers(0, 10**9)
labels = st.lists(st.sampled_from(sorted(LABELS - _ON_SESSIONS)), unique=True, max_size=3).map(
    tuple
)
numbers = st.integers() | st.floats()
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(texts, values, max_size=3)
usages = st.none() | st.builds(
    Usage, input=counts, output=counts, reasoning=counts, cache_read=counts, cache_write=counts
)
pictures = st.sampled_from([None, "aGVsbG8=", "", "not base64 at all"])
calls = st.sampled_from(["call-1", "call-2", "", "ünïcode call"])  # few, so that they repeat
statuses = st.sampled_from(get_args(Status))


def content(children: list[Ref]) -> st.SearchStrategy[Event]:
    """An event of any type but `message`; `children` are the sessions that it may refer to."""
    common: dict[str, Any] = {"at": times, "labels": labels}
    child = st.none() | st.sampled_from([*children, Ref(TOOL, STORE, "gone")])
    return st.one_of(
        st.builds(Text, text=texts, **common),
        st.builds(Reasoning, text=texts, redacted=st.booleans(), signature=maybe_texts, **common),
        st.builds(
            ToolCall,
            call=calls,
            name=texts | st.sampled_from(TOOLS),
            input=objects | values,
            **common,
        ),
        st.builds(
            ToolResult,
            call=calls,
            output=maybe_texts,
            status=statuses,
            title=maybe_texts,
            started=times,
            **common,
        ),
        st.builds(
            Attachment,
            name=maybe_texts,
            mime=st.sampled_from([None, "image/png", "text/plain", "nonsense"]),
            data=pictures,
            url=st.none()
            | st.sampled_from(["data:image/png;base64,aGVsbG8=", "file:///x"])
            | texts,
            path=maybe_texts,
            role=st.sampled_from([None, "tool"]),
            **common,
        ),
        st.builds(
            Subagent,
            call=st.none() | calls,
            child=child,
            agent=maybe_texts,
            prompt=maybe_texts,
            result=maybe_texts,
            status=st.none() | statuses,
            **common,
        ),
        st.builds(
            Compaction,
            auto=st.none() | st.booleans(),
            keep=st.none() | st.sampled_from(["m0", "m1", "nowhere"]),
            archive=maybe_texts,
            **common,
        ),
        st.builds(Notice, kind=st.sampled_from(NOTICE_KINDS), text=maybe_texts, **common),
        st.builds(
            Opaque,
            kind=texts,
            problem=maybe_texts,
            raw=values.filter(lambda v: v is not None),
            **common,
        ),
    )


messages = st.builds(
    Message,
    at=times,
    role=st.none() | st.sampled_from(get_args(Role)),
    labels=labels,
    model=maybe_texts,
    agent=maybe_texts,
    usage=usages,
    cost=st.none() | st.floats(0, 100),
    finished=times,
    error=maybe_texts,
    raw=objects,
)


@st.composite
def stories(draw: st.DrawFn, children: list[Ref] | None = None) -> list[Event]:
    """A stream of events; the ids of records are given in order."""
    events: list[Event] = []
    message: str | None = None
    kinds = st.lists(st.booleans(), max_size=14)
    for index, opens in enumerate(draw(kinds)):
        if opens:
            message = f"m{sum(isinstance(event, Message) for event in events)}"
            events.append(replace(draw(messages), record=message, message=message))
        else:
            event = draw(content(children or []))
            inside = message if draw(st.booleans()) else None
            events.append(replace(event, record=f"r{index}", message=inside))
    return events


@st.composite
def headers(draw: st.DrawFn, identifier: str, parent: Ref | None = None) -> Session:
    """A session's header."""
    return Session(
        ref=Ref(TOOL, STORE, identifier),
        parent=parent,
        title=draw(maybe_texts),
        directory=draw(st.sampled_from([None, "/home/dev/code", "C:\\code"])),
        created=draw(times),
        updated=draw(times),
        agent=draw(maybe_texts),
        model=draw(st.none() | st.sampled_from(["made/up", "alone"]) | texts),
        archived=draw(times),
        labels=tuple(draw(st.lists(st.sampled_from(sorted(LABELS)), unique=True, max_size=3))),
        raw=draw(st.none() | objects),
    )


@st.composite
def trees(draw: st.DrawFn) -> Made:
    """A session with up to three subagents, nested in any way, each with its story."""
    number = draw(st.integers(0, 3))
    refs = [Ref(TOOL, STORE, f"made-{index}") for index in range(number + 1)]
    found = Made()
    for index, ref in enumerate(refs):
        parent = refs[draw(st.integers(0, index - 1))] if index else None
        header = draw(headers(ref.id, parent))
        found.append((header, draw(stories(refs[index + 1 :]))))
    return found
