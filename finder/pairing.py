"""Which event of a session became which event of what was written of it.

Those of equal content are found first, words and calls before all others, and of several equal
ones those that are equal in more; then what is left between two of these, by what little is
known of it. Equal events cannot be told apart by looking, so where one of them is missing, an
encoder's own word on which it left out is followed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

from finder import jsonio
from finder.align import aligned
from finder.model import (
    EVENT_TYPES,
    Compaction,
    Event,
    Json,
    Message,
    Notice,
    Opaque,
    Reasoning,
    Role,
    Text,
)
from finder.writing import Report, answers

# What every event has, and what is compared in its own way.
_APART = frozenset(
    {"type", "record", "message", "raw", "labels", "role", "usage", "input", "child", "keep"}
)
_CONTENT: dict[str, tuple[str, ...]] = {
    "message": (),
    "text": ("text",),
    "reasoning": ("text", "signature"),
    "tool_call": ("call", "name", "input"),
    "tool_result": ("call", "output"),
    "attachment": ("name", "data", "url", "path"),
    "subagent": ("call", "prompt", "result"),
    "compaction": (),
    "notice": ("kind", "text"),
    "opaque": ("kind", "raw"),
}
_WITHOUT_IDS: dict[str, tuple[str, ...]] = {
    "reasoning": ("text",),
    "tool_call": ("name", "input"),
    "tool_result": ("output",),
    "attachment": ("data", "url", "path"),
}
_IDENTITY = {"tool_call": "call", "tool_result": "call", "opaque": "kind", "notice": "kind"}
# What says the same in another type of event: the text of a thought told as an answer.
_WORDS = ("text", "output", "result", "prompt")


class Item(NamedTuple):
    """An event to be compared: its place in its own stream, and who speaks."""

    seq: int
    event: Event
    role: Role | None


def items(events: Sequence[Event], gone: Collection[int] = ()) -> list[Item]:
    """The events to compare, each result and subagent directly after its call.

    `gone` are events, by `id()`, that are said not to be in the target: nothing can follow them.
    """
    message, role = None, None
    found: list[Item] = []
    for seq, event in enumerate(events):
        if isinstance(event, Message):
            message, role = event.record, event.role
        inherited = role if event.message in {None, message} else None
        found.append(Item(seq, event, event.role or inherited))
    belonging = _belonging(events, gone)
    placed = {index for indices in belonging.values() for index in indices}
    order: list[Item] = []
    for index, item in enumerate(found):
        if index not in placed and not _is_envelope(item):
            order.append(item)
            order += [found[inner] for inner in belonging.get(index, ())]
    return order


def _is_envelope(item: Item) -> bool:
    """Whether it opens a message that is a tool result: some formats have such, others not."""
    return item.event.type == "message" and item.event.role == "tool"


def _belonging(events: Sequence[Event], gone: Collection[int]) -> dict[int, list[int]]:
    """For each call, by its place: its subagents, its result, and what came with the result."""
    found: dict[int, list[int]] = {}
    calls: dict[str, int] = {}
    there = [index for index, event in enumerate(events) if id(event) not in gone]
    for index in there:
        event = events[index]
        if event.type == "tool_call":
            calls[event.call] = index
        elif event.type == "subagent" and event.call in calls:
            found.setdefault(calls[event.call], []).append(index)
    for call, result in answers([events[index] for index in there]).items():
        inner = found.setdefault(there[call], [])
        inner.append(there[result])
        following = there[result] + 1
        while following < len(events) and _came_with_result(events[following]):
            inner.append(following)
            following += 1
    return found


def _came_with_result(event: Event) -> bool:
    return event.type == "attachment" and event.role == "tool"


_Key = Callable[[Item], Hashable]


@dataclass(slots=True)
class Pairing:
    """Places in the source with places in the target.

    Attributes:
        rising: those in the same order on both sides.
        moved: those that stand elsewhere than they did.
    """

    ours: Sequence[Item]
    theirs: Sequence[Item]
    rising: list[tuple[int, int]] = field(default_factory=list)
    moved: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, ours: Sequence[Item], theirs: Sequence[Item], report: Report) -> Pairing:
        """All pairs; the report says which events are gone, and which have other content."""
        gone, altered = report.gone, report.altered
        start = _equal_start(ours, theirs, gone | altered)
        pairing = cls(ours, theirs, rising=[(index, index) for index in range(start)])
        everything = range(len(ours))
        kept = [index for index in everything if id(ours[index].event) not in gone]
        unchanged = [index for index in kept if id(ours[index].event) not in altered]
        telling = [index for index in unchanged if _is_telling(ours[index].event)]
        pairing._refine(telling, _content, closer=_whole)
        pairing._refine([i for i in kept if _is_telling(ours[i].event)], _without_ids)
        pairing._refine(unchanged, _content, closer=_whole)
        pairing._refine(everything, _content)
        pairing._find_moved(kept, _content)
        pairing._refine(kept, _identity)
        pairing._refine(kept, _type)
        pairing._find_moved(kept, _identity)
        pairing._find_moved(kept, _main_content)
        pairing._find_moved(kept, _as_file)
        pairing._refine(everything, _words)
        return pairing

    @property
    def pairs(self) -> dict[int, int]:
        """All of them."""
        return {**dict(self.rising), **self.moved}

    def _free(self, candidates: Iterable[int]) -> tuple[list[int], list[int]]:
        used = self.pairs
        used_theirs = set(used.values())
        left = [a for a in candidates if a not in used]
        return left, [b for b in range(len(self.theirs)) if b not in used_theirs]

    def _refine(self, candidates: Iterable[int], key: _Key, closer: _Key | None = None) -> None:
        """Pair what has equal keys in the gaps between the pairs."""
        left, right = self._free(candidates)
        if not left or not right:
            return
        found: list[tuple[int, int]] = []
        i = j = 0
        for end_a, end_b in [*self.rising, (len(self.ours), len(self.theirs))]:
            start_i, start_j = i, j
            while i < len(left) and left[i] < end_a:
                i += 1
            while j < len(right) and right[j] < end_b:
                j += 1
            if i > start_i and j > start_j:
                gap_a, gap_b = left[start_i:i], right[start_j:j]
                places = self._aligned(gap_a, gap_b, key, closer)
                found += [(gap_a[x], gap_b[y]) for x, y in places]
        if found:
            self.rising = sorted([*self.rising, *found])

    def _aligned(
        self, ours: Sequence[int], theirs: Sequence[int], key: _Key, closer: _Key | None
    ) -> list[tuple[int, int]]:
        one, other = [self.ours[a] for a in ours], [self.theirs[b] for b in theirs]
        near = (list(map(closer, one)), list(map(closer, other))) if closer else None
        return aligned(list(map(key, one)), list(map(key, other)), closer=near)

    def _find_moved(self, candidates: Iterable[int], key: _Key) -> None:
        """Pair what has equal keys anywhere; a message's opening is like too many others."""
        left, right = self._free(candidates)
        elsewhere: dict[Hashable, list[int]] = {}
        for b in reversed(right):
            if self.theirs[b].event.type != "message":
                elsewhere.setdefault(key(self.theirs[b]), []).append(b)
        for a in left if elsewhere else ():
            others = elsewhere.get(key(self.ours[a]))
            if others:
                self.moved[a] = others.pop()


def _equal_start(ours: Sequence[Item], theirs: Sequence[Item], known: Collection[int]) -> int:
    """How many events at the start are equal in everything: all of them, where nothing is lost.

    It ends at the first of those that are known to be another: their equal is somebody else's.
    """
    for index, (one, other) in enumerate(zip(ours, theirs, strict=False)):
        event, written = one.event, other.event
        if id(event) in known or event.type != written.type or one.role != other.role:
            return index
        values = plain_values(event.type)
        if event.labels != written.labels or values(event) != values(written):
            return index
        if _apart(event) != _apart(written):
            return index
    return min(len(ours), len(theirs))


def _is_telling(event: Event) -> bool:
    """Whether one can tell by its content which event it is."""
    if isinstance(event, Message | Compaction | Notice | Opaque):
        return False
    return not isinstance(event, Text | Reasoning) or bool(event.text)


@cache
def plain_names(type_: str) -> tuple[str, ...]:
    """The fields of a type that are compared as they are."""
    return tuple(f.name for f in fields(EVENT_TYPES[type_]) if f.name not in _APART)


@cache
def plain_values(type_: str) -> Callable[[Event], Any]:
    """Gives the values of these fields."""
    return attrgetter(*plain_names(type_))


def _whole(item: Item) -> Hashable:
    event = item.event
    return event.type, item.role, event.labels, plain_values(event.type)(event), _apart(event)


def _apart(event: Event) -> Hashable:
    if event.type == "message":
        return event.usage
    return _hashable(event.input) if event.type == "tool_call" else None


def _content(item: Item) -> Hashable:
    event = item.event
    if event.type == "message":
        return event.type, item.role
    return event.type, *[_hashable(getattr(event, name)) for name in _CONTENT[event.type]]


def _without_ids(item: Item) -> Hashable:
    """What stays of the content where ids and signatures do not."""
    event = item.event
    if event.type not in _WITHOUT_IDS:
        return event.type, id(item)
    return event.type, *[_hashable(getattr(event, name)) for name in _WITHOUT_IDS[event.type]]


def _identity(item: Item) -> Hashable:
    """What an event of changed content is known by; a unique value where there is nothing."""
    event = item.event
    if event.type not in _IDENTITY:
        return event.type, id(item)
    return event.type, getattr(event, _IDENTITY[event.type])


def _main_content(item: Item) -> Hashable:
    """What a file is first of all: its bytes, or else where it is."""
    event = item.event
    if event.type != "attachment":
        return id(item)
    known = (event.data, event.url, event.path, event.name)
    return event.type, next((value for value in known if value is not None), None)


def _as_file(item: Item) -> Hashable:
    """Files may stand elsewhere and under another name: what is left of them is paired in turn."""
    return item.event.type if item.event.type == "attachment" else id(item)


def _type(item: Item) -> Hashable:
    return item.event.type


def _words(item: Item) -> Hashable:
    for name in _WORDS:
        words = getattr(item.event, name, None)
        if words:
            return str(words)
    return id(item)


def _hashable(value: Json) -> Hashable:
    return jsonio.dumps(value) if isinstance(value, dict | list) else value
