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

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from finder.model import (
    Compaction,
    Event,
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
from finder.render.wording import Fact, said_of
from finder.turns import Turn, turns

Subagents = Sequence[tuple[int, Session, Sequence[Event] | None]]
"""The tree below a session, parents first: depth (1 is a child), header, story.

The story is None for a session that is only listed.
"""


class Part(NamedTuple):
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


class Passage(NamedTuple):
    """A message, or (`message` None, `number` 0) what stands between messages."""

    message: Message | None
    number: int
    marks: tuple[str, ...]
    facts: tuple[str, ...]
    parts: tuple[Part, ...]


class Section(NamedTuple):
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


def passages(events: Sequence[Event]) -> tuple[list[Passage], list[tuple[str, int]]]:
    """One story's passages, and what it holds besides, counted."""
    writer = _Writer(events, {})
    return list(writer.passages()), sorted(writer.unshown.items())


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
        message = turn.message
        moved = [event for event in turn.content if id(event) in self.moved]
        known = {label for event in moved for label in event.labels}
        says_more = message.error or message.usage or message.cost or set(message.labels) - known
        return not moved or bool(says_more)

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
                facts=tuple(said_of(turn.message)) if turn.message else (),
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
                part = part._replace(result=result, result_marks=marks)
            elif isinstance(event, Subagent):
                key = (event.child.tool, event.child.id) if event.child else None
                target = self.numbers.get(key) if key else None
                part = part._replace(target=target, told=tuple(self._told(event)))
            elif isinstance(event, Compaction) and event.keep is not None:
                part = part._replace(kept=self.places.get(event.keep))
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


def opening(passage: Passage) -> str | None:
    """What a user said in a passage, to find it by; None where it is nobody's words."""
    if passage.message is None or passage.message.role != "user":
        return None
    for part in passage.parts:
        if isinstance(part.event, Text) and not part.synthetic and part.event.text.strip():
            return part.event.text.strip().split("\n", 1)[0]
    return None
