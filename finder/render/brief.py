"""A story's events as JSON, cut to a number of tokens.

What is kept is told in `finder.render.choose`. Where events are left out stands one object in
their place, ``{"type": "left_out", "events": …, "messages": …, "tokens": …}``; an event of which
something is cut names it under ``cut``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finder import jsonio
from finder.edits import changes
from finder.get import Numbered
from finder.model import Json, JsonObject
from finder.render.choose import BYTES, GAP, Choice, cut

# What an event is known by; all else may be cut.
_KEPT = frozenset(
    {"seq", "type", "labels", "record", "at", "message", "role", "call", "name", "status", "kind"}
)
_MARK = len('"cut":[""],')  # beside the key
_LEAST = 2 * GAP * BYTES  # bytes of a value that is cut


def cost(value: Json) -> int:
    """How many tokens it takes to write a value and the comma after it."""
    return -(-_size(value) // BYTES)


def brief(events: Iterable[tuple[Numbered, JsonObject]], most: int) -> list[JsonObject]:
    """These events and their JSON: in at most so many tokens, and what is between."""
    pieces = _pieces(events)
    whole = dict(enumerate(pieces))
    if _cost(pieces, whole) <= most:
        return list(_told(pieces, whole))
    kept = Choice(pieces, most, lambda kept: _cost(pieces, kept)).choose()
    return list(_told(pieces, kept))


@dataclass(frozen=True, slots=True)
class _Piece:
    """An event, or a tool's call and what came of it, as a `finder.render.choose.Piece`."""

    kind: str
    passage: int
    events: tuple[JsonObject, ...]

    @property
    def gaps(self) -> int:
        return len(self.events)

    @property
    def cost(self) -> int:
        return sum(map(cost, self.events))

    def cut(self, most: int) -> _Piece | None:
        if self.cost <= most:
            return self
        sizes = sorted(_size(event[key]) for event in self.events for key in _long(event))
        known = sum(map(_size, self.events)) - sum(sizes) + _MARK * len(sizes)
        level = _level(sizes, (most - self.gaps) * BYTES - known)
        if level < _LEAST:
            return None
        shown = _Piece(self.kind, self.passage, tuple(_cut(e, level) for e in self.events))
        return shown if shown.cost <= most else None


def _pieces(events: Iterable[tuple[Numbered, JsonObject]]) -> list[_Piece]:
    calls: dict[str, int] = {}
    passage = 0
    found: list[_Piece] = []
    for item, value in events:
        event: Any = item.event
        passage += event.type == "message"
        call = getattr(event, "call", None)
        if event.type == "tool_result" and call in calls:
            place = calls.pop(call)
            before = found[place]
            kind = "error" if event.status == "error" else before.kind
            found[place] = _Piece(kind, before.passage, (*before.events, value))
            continue
        if event.type == "tool_call" and call is not None:
            calls[call] = len(found)
        found.append(_Piece(_kind(event), passage, (value,)))
    return found


def _kind(event: Any) -> str:
    said = {"synthetic", "summary"}.isdisjoint(event.labels)
    if getattr(event, "error", None) or getattr(event, "status", None) == "error":
        return "error"
    if event.type == "text" and said:
        return "prompt" if event.role == "user" else "text"
    if event.type == "tool_call":
        return "change" if changes(event) else "call"
    return "error" if event.type == "notice" and event.kind == "error" else "note"


def _told(pieces: Sequence[_Piece], kept: Mapping[int, _Piece]) -> Iterator[JsonObject]:
    """The kept events in the order of the story, and between them how much is not kept."""
    shown = {event["seq"]: event for piece in kept.values() for event in piece.events}
    story = [(event, piece.passage) for piece in pieces for event in piece.events]
    gap: list[tuple[JsonObject, int]] = []
    for event, passage in sorted(story, key=lambda told: told[0]["seq"]):
        if event["seq"] not in shown:
            gap.append((event, passage))
            continue
        if gap:
            yield _left_out(gap)
            gap = []
        yield shown[event["seq"]]
    if gap:
        yield _left_out(gap)


def _left_out(gap: Sequence[tuple[JsonObject, int]]) -> JsonObject:
    return {
        "type": "left_out",
        "events": len(gap),
        "messages": len({passage for _, passage in gap}),
        "tokens": sum(cost(event) for event, _ in gap),
    }


def _cost(pieces: Sequence[_Piece], kept: Mapping[int, _Piece]) -> int:
    return sum(map(cost, _told(pieces, kept)))


def _size(value: Json) -> int:
    return len(jsonio.dumps(value)) + 1


def _long(event: JsonObject) -> list[str]:
    """The keys of what may be cut."""
    return [key for key in event if key not in _KEPT and _size(event[key]) > _LEAST]


def _level(sizes: Sequence[int], room: int) -> int:
    """How long a value may be, so that those of these sizes, in order, take at most `room`."""
    for place, size in enumerate(sizes):
        share = room // (len(sizes) - place)
        if size > share:
            return share
        room -= size
    return 0


def _cut(event: JsonObject, level: int) -> JsonObject:
    """The event with no value longer than so many bytes."""
    long = [key for key in _long(event) if _size(event[key]) > level]
    if not long:
        return event
    return {**event, **{key: _shortened(event[key], level) for key in long}, "cut": long}


def _shortened(value: Json, most: int) -> str:
    """A text, or the JSON of something else, so that it takes at most so many bytes as JSON."""
    text = value if isinstance(value, str) else jsonio.dumps(value).decode()
    room = most
    while True:
        shown = cut(text, room // BYTES)
        size = _size(shown)
        if size <= most or room < BYTES * GAP:
            return shown
        room = min(room * most // size, room - BYTES)  # what needs a backslash takes more
