"""A session as a document for people: what the Markdown and the HTML form have in common.

A document is a list of sections: the session itself, then its subagents. A section has facts and
passages (messages); a passage has parts. A tool's result stands with its call, wherever the store
has it; a passage that held nothing but such results is left out, everything else is kept in the
story's order. What is not made for people (the tool's own records, bookkeeping) is counted
at the end of its section, so that nothing is missing without a word.

Both forms take all texts through `finder.render.text`: control characters, overrides of the
direction of writing and other unseen characters stand as visible marks. Line ends are LF.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from finder import jsonio
from finder.model import (
    Attachment,
    Compaction,
    Event,
    Json,
    Labels,
    Message,
    Opaque,
    Reasoning,
    Session,
    Subagent,
    Text,
    ToolCall,
    ToolResult,
)
from finder.writing import Turn, turns

Subagents = Sequence[tuple[int, Session, Sequence[Event] | None]]
"""The tree below a session, parents first: depth (1 is a child), header, story.

The story is None for a session that is only listed.
"""

Fact = tuple[str, str]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATA_URL = re.compile(r"data:([^,]*),", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One piece of a passage.

    Attributes:
        marks: the labels in words: ``synthetic: compaction``.
        synthetic: said neither by a person nor by a model.
        result: what a tool call came to.
        target: of a subagent, the number of its section in this document.
        kept: of a compaction, the number of the passage from which on all is kept.
        told: of a subagent, prompt and result as far as the tool call does not show them.
    """

    event: Event
    marks: tuple[str, ...] = ()
    synthetic: bool = False
    result: ToolResult | None = None
    result_marks: tuple[str, ...] = ()
    target: int | None = None
    kept: int | None = None
    told: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A message, or (`message` None, `number` 0) what stands between messages."""

    message: Message | None
    number: int
    marks: tuple[str, ...]
    facts: tuple[str, ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One session of the document.

    Attributes:
        depth: 0 for the session itself.
        number: 0 for the session itself, its subagents count from 1.
        told: its story is in the document.
        unshown: what the story holds besides, and how many of each.
    """

    session: Session
    depth: int
    number: int
    told: bool
    passages: tuple[Passage, ...]
    unshown: tuple[tuple[str, int], ...]


def document(session: Session, events: Sequence[Event], subagents: Subagents) -> list[Section]:
    """The sections: the session itself first, then its subagents in the given order."""
    stories = [(0, session, events), *subagents]
    numbers = {
        (header.ref.tool, header.ref.id): number for number, (_, header, _) in enumerate(stories)
    }
    sections = []
    for number, (depth, header, story) in enumerate(stories):
        writer = _Writer(story or (), numbers)
        sections.append(
            Section(
                session=header,
                depth=depth,
                number=number,
                told=story is not None,
                passages=tuple(writer.passages()),
                unshown=tuple(sorted(writer.unshown.items())),
            )
        )
    return sections


class _Writer:
    """Makes one section's passages."""

    def __init__(self, events: Sequence[Event], numbers: dict[tuple[str, str], int]) -> None:
        self.numbers = numbers
        self.turns = list(turns(events))
        self.results, moved = _pairs(events)
        self.moved = {id(result) for result in moved}
        self.calls = {e.call: e for e in events if isinstance(e, ToolCall)}
        self.compacting = {e.message for e in events if isinstance(e, Compaction) and e.message}
        self.unshown = Counter(_unshown(events))
        self.places: dict[str, int] = {}  # numbers of passages, by their message
        self.kept = [turn for turn in self.turns if self._has_something(turn)]
        messages = [turn.message for turn in self.kept if turn.message]
        for number, message in enumerate(messages, 1):
            if message.record is not None:
                self.places.setdefault(message.record, number)

    def _has_something(self, turn: Turn) -> bool:
        left = [event for event in turn.content if self._is_shown(event)]
        if turn.message is None or left:
            return bool(left)
        moved = any(id(event) in self.moved for event in turn.content)
        return not moved or bool(turn.message.error)

    def _is_shown(self, event: Event) -> bool:
        if isinstance(event, Opaque):
            return bool(event.problem)
        return id(event) not in self.moved

    def passages(self) -> Iterator[Passage]:
        number = 0
        for turn in self.kept:
            number += turn.message is not None
            yield Passage(
                message=turn.message,
                number=number if turn.message else 0,
                marks=self._marks(turn.message, ()) if turn.message else (),
                facts=tuple(_said_of(turn.message)) if turn.message else (),
                parts=tuple(self._parts(turn)),
            )

    def _parts(self, turn: Turn) -> Iterator[Part]:
        inherited = turn.message.labels if turn.message else ()
        for event in turn.content:
            if not self._is_shown(event):
                continue
            part = Part(
                event=event,
                marks=self._marks(event, inherited),
                synthetic="synthetic" in event.labels or "synthetic" in inherited,
            )
            if isinstance(event, ToolCall):
                result = self.results.get(id(event))
                marks = self._marks(result, inherited + event.labels) if result else ()
                part = replace(part, result=result, result_marks=marks)
            elif isinstance(event, Subagent):
                key = (event.child.tool, event.child.id) if event.child else None
                target = self.numbers.get(key) if key else None
                part = replace(part, target=target, told=tuple(self._told(event)))
            elif isinstance(event, Compaction) and event.keep is not None:
                part = replace(part, kept=self.places.get(event.keep))
            yield part

    def _marks(self, event: Event, inherited: Labels) -> tuple[str, ...]:
        """The labels as words. Those of the message are not repeated on all of its content."""
        labels = set(event.labels) - (set(inherited) - {"synthetic", "summary", "inferred"})
        words = []
        if labels & {"synthetic", "summary"}:
            compaction = "summary" in labels or event.message in self.compacting
            words.append("synthetic: " + ("compaction" if compaction else "injected"))
        known = {"synthetic", "summary"}
        return (*words, *(label for label in sorted(labels) if label not in known))

    def _told(self, event: Subagent) -> Iterator[Fact]:
        call = self.calls.get(event.call) if event.call is not None else None
        given = call.input.values() if call and isinstance(call.input, dict) else ()
        if event.prompt and not any(event.prompt == value for value in given):
            yield "Prompt", event.prompt
        result = self.results.get(id(call)) if call else None
        if event.result and (result is None or event.result != result.output):
            yield "Result", event.result


def _pairs(events: Iterable[Event]) -> tuple[dict[int, ToolResult], list[ToolResult]]:
    """The result of each call, by the call's identity; and all results that have found one.

    Stores repeat ids. Of several calls with one id, the first that waits gets the next result.
    """
    waiting: dict[str, deque[ToolCall]] = {}
    results: dict[int, ToolResult] = {}
    for event in events:
        if isinstance(event, ToolCall):
            waiting.setdefault(event.call, deque()).append(event)
        elif isinstance(event, ToolResult) and waiting.get(event.call):
            results[id(waiting[event.call].popleft())] = event
    return results, list(results.values())


def _unshown(events: Iterable[Event]) -> Iterator[str]:
    for event in events:
        if isinstance(event, Opaque) and not event.problem:
            yield f"record {event.kind}"
        elif isinstance(event, Reasoning) and event.signature:
            yield "signature of reasoning"


def _said_of(message: Message) -> Iterator[str]:
    """When, by whom, for how much."""
    if message.at is not None:
        yield moment(message.at)
    if message.at is not None and message.finished is not None and message.finished > message.at:
        yield f"took {duration(message.finished - message.at)}"
    yield from (name for name in (message.agent, message.model) if name)
    if message.usage:
        counts = {
            "in": message.usage.input,
            "out": message.usage.output,
            "reasoning": message.usage.reasoning,
            "read from cache": message.usage.cache_read,
            "written to cache": message.usage.cache_write,
            "in total": message.usage.total,
        }
        known = [f"{count:,} {word}" for word, count in counts.items() if count]
        if known:
            yield f"tokens: {', '.join(known)}"
    if message.cost:
        yield f"${message.cost:.6g}"


def facts(section: Section, also_in: Sequence[str] = ()) -> Iterator[Fact]:
    """What is known about a session, as names and values."""
    session = section.session
    known = [
        ("Tool", session.ref.tool),
        ("Session", session.ref.id),
        ("Title", session.title),
        ("Directory", session.directory),
        ("Created", None if session.created is None else moment(session.created)),
        ("Updated", None if session.updated is None else moment(session.updated)),
        ("Agent", session.agent),
        ("Model", session.model),
        ("Messages", None if session.messages is None else str(session.messages)),
        ("Subagent of", str(session.parent) if session.parent else None),
        ("Archived", None if session.archived is None else moment(session.archived)),
        ("Labels", ", ".join(session.labels)),
        ("Store", session.ref.store),
        ("Also in", ", ".join((*session.also_in, *also_in))),
    ]
    return ((name, value) for name, value in known if value)


def outcome(part: Part) -> Iterator[str]:
    """A tool result's status, duration, time and title, as words."""
    call, result = part.event, part.result
    if isinstance(call, ToolResult):
        result = call
    if result is None:
        yield "no result"
        return
    yield result.status
    began = result.started if result.started is not None else call.at
    if result.at is not None and began is not None and result.at > began:
        yield duration(result.at - began)
    if result.at is not None:
        yield moment(result.at)
    if result.title:
        yield result.title


def arguments(value: Json) -> Iterator[tuple[str | None, str, str]]:
    """A tool's input as blocks: name, text and language.

    Texts of several lines stand by themselves under their name, since JSON would show them as
    one long line; all other arguments together are one block of JSON.
    """
    if value is None:
        return
    if isinstance(value, str):
        yield None, value, ""
        return
    if not isinstance(value, dict):
        yield None, pretty(value), "json"
        return
    texts = {name: v for name, v in value.items() if isinstance(v, str) and "\n" in v}
    rest = {name: v for name, v in value.items() if name not in texts}
    if rest or not texts:
        yield None, pretty(rest), "json"
    for name, text in texts.items():
        yield name, text, ""


def pretty(value: Json) -> str:
    """JSON for the eye."""
    return jsonio.dumps(value, indent=True).decode()


def payload(event: Attachment) -> tuple[str | None, bytes | None]:
    """An attachment's type and bytes, from its data or from a data URL; None: not there."""
    mime, data = event.mime, event.data
    url = _DATA_URL.match(event.url or "")
    if data is None and url and event.url and url[1].lower().endswith(";base64"):
        mime = mime or url[1].split(";")[0]
        data = event.url[url.end() :]
    if data is None:
        return mime, None
    try:
        return mime, base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        return mime, None


def attached(event: Attachment) -> Iterator[str]:
    """An attachment's name, type, size and place, as words."""
    mime, content = payload(event)
    if event.name:
        yield event.name
    if mime:
        yield mime
    if content is not None:
        yield f"{len(content):,} bytes"
    elif event.data is not None:
        yield f"{len(event.data):,} characters that are not valid base64"
    if event.path and event.path != event.name:
        yield event.path
    if event.url and content is None:
        yield event.url
    if not (event.name or mime or content or event.path or event.url):
        yield "of unknown kind"


def compacted(part: Part) -> Iterator[str]:
    """What a compaction did, as words."""
    event = part.event
    if not isinstance(event, Compaction):
        return
    how = {True: "by the tool itself", False: "asked for", None: "not known by whom"}
    yield f"the live context starts anew ({how[event.auto]})"
    if event.keep is not None:
        from_ = f"message {part.kept}" if part.kept else f"record {event.keep}"
        yield f"kept from {from_} on"
    if event.archive:
        yield f"what left it is in {event.archive}"


def thought(event: Reasoning) -> str:
    """Reasoning, or why there is none to read."""
    return event.text or ("(the tool keeps it unreadable)" if event.redacted else "")


def record(event: Opaque) -> str:
    """An unreadable record as far as the store has it."""
    if event.raw is None:
        return ""
    return event.raw if isinstance(event.raw, str) else pretty(event.raw)


def opening(passage: Passage) -> str | None:
    """What a user said in a passage, to find it by; None where it is nobody's words."""
    if passage.message is None or passage.message.role != "user":
        return None
    for part in passage.parts:
        if isinstance(part.event, Text) and not part.synthetic and part.event.text.strip():
            return part.event.text.strip().split("\n", 1)[0]
    return None


def moment(time: int) -> str:
    """Milliseconds UTC as ``2026-09-21 14:03:05 UTC``."""
    try:
        return (_EPOCH + timedelta(milliseconds=time)).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError):
        return f"{time} ms after 1970"  # beyond the calendar


def duration(time: int) -> str:
    """Milliseconds as ``340 ms``, ``2.4 s``, ``3 min 5 s``, ``2 h 0 min``."""
    if time < 1000:
        return f"{time} ms"
    if time < 60_000:
        return f"{time / 1000:.1f} s"
    minutes, seconds = divmod(time // 1000, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    return f"{minutes // 60:,} h {minutes % 60} min"
