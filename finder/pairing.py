"""Which event of a session became which event of what was written of it.

Those come together that are most alike: of equal content, words and calls before all others; then
of equal words; and so on down to the mere type. Equal events cannot be told apart by looking, so
where one of them is missing, an encoder's own word on which it left out is followed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from operator import attrgetter
from typing import Any

from finder import jsonio
from finder.align import FEW_CELLS, aligned
from finder.dataclass import dataclass, field, names
from finder.model import (
    EVENT_TYPES,
    Event,
    Json,
    Role,
)
from finder.writing import Report, answers, came_with

# What every event has, and what is compared in its own way.
_APART = frozenset(
    {"type", "record", "message", "raw", "labels", "role", "usage", "input", "child", "keep"}
)
_CONTENT: dict[str, tuple[str, ...]] = {
    "message": ("role",),
    "reasoning": ("text", "signature"),
    "tool_call": ("name", "input"),
    "tool_result": ("output",),
    "attachment": ("name", "data", "url", "path"),
    "subagent": ("prompt", "result"),
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
_OF_CALLS = frozenset({"tool_call", "tool_result", "subagent"})
_IDENTITY = {"message": "role", "attachment": "name", "opaque": "kind", "notice": "kind"}
_ALIKE = frozenset({"message", "compaction", "notice", "opaque"})  # each is like others of its type
# What says the same in another type of event, such as the text of a thought told as an answer, or
# in one that has kept little else.
_WORDS = ("text", "output", "result", "prompt", "data", "url")
_OF_WORDS = EVENT_TYPES.keys() - {"message", "tool_call", "compaction", "opaque"}


@dataclass(frozen=True, slots=True)
class Item:
    """An event to be compared: its place in its own stream, who speaks, and the id of its call."""

    seq: int
    event: Event
    role: Role | None
    call: str | None


def items(events: Sequence[Event], report: Report | None = None) -> list[Item]:
    """The events to compare, each result and subagent directly after its call.

    What the report says to be gone is followed by nothing; calls that have other ids in the target
    are known by those.
    """
    renamed, gone = (report.calls, report.gone) if report else ({}, frozenset[int]())
    message, role = None, None
    found: list[Item] = []
    for seq, event in enumerate(events):
        kind, speaks, call = event.type, event.role, None
        if kind == "message":
            message, role = event.record, speaks
        elif kind in _OF_CALLS:
            call = renamed.get(id(event)) or event.call  # type: ignore[union-attr]
        if speaks is None and event.message in (None, message):
            speaks = role
        found.append(Item(seq, event, speaks, call))
    belonging = _belonging(events, gone)
    placed = {index for indices in belonging.values() for index in indices}
    order: list[Item] = []
    for item in found:
        event, seq = item.event, item.seq
        # The opening of a message that is a tool result: some formats have it, others not.
        if seq in placed or (event.type == "message" and event.role == "tool"):
            continue
        order.append(item)
        if seq in belonging:
            order += [found[inner] for inner in belonging[seq]]
    return order


def _belonging(events: Sequence[Event], gone: Collection[int]) -> dict[int, list[int]]:
    """For each call, by its place: its subagents, its result, and what came with the result."""
    there: Sequence[int] = range(len(events))
    left = events
    if gone:
        there = [index for index in there if id(events[index]) not in gone]
        left = [events[index] for index in there]
    found: dict[int, list[int]] = {}
    if any(event.type == "subagent" for event in left):
        found = _subagents(zip(there, left, strict=True))
    for call, result in answers(left).items():
        inner = found.setdefault(there[call], [])
        inner.append(there[result])
        inner += came_with(events, there[result])
    return found


def _subagents(placed: Iterable[tuple[int, Event]]) -> dict[int, list[int]]:
    """For each call that has any, by its place: its subagents."""
    found: dict[int, list[int]] = {}
    calls: dict[str, int] = {}
    for index, event in placed:
        if event.type == "tool_call":
            calls[event.call] = index
        elif event.type == "subagent" and event.call in calls:
            found.setdefault(calls[event.call], []).append(index)
    return found


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
        known = gone | altered
        start = _equal_start(ours, theirs, known)
        sure = _sure(ours, theirs, start, known)
        features = _Features(gone, altered)
        pairing = cls(ours, theirs, rising=[*((at, at) for at in range(start)), *sure])
        pairing.rising += _between(ours, theirs, [(start - 1, start - 1), *sure], features)
        pairing.moved = _moved(ours, theirs, pairing.pairs, gone)
        return pairing

    @property
    def pairs(self) -> dict[int, int]:
        """All of them."""
        return {**dict(self.rising), **self.moved}


def _moved(
    ours: Sequence[Item], theirs: Sequence[Item], paired: Mapping[int, int], gone: Collection[int]
) -> dict[int, int]:
    """Of what is not paired, pairs of equal keys anywhere, by one key after the other.

    A message's opening is like too many others.
    """
    found: dict[int, int] = {}
    used = set(paired.values())
    free = [b for b, item in enumerate(theirs) if b not in used and item.event.type != "message"]
    if not free:
        return found
    types = {theirs[b].event.type for b in free} | _OF_WORDS
    left = [
        a
        for a, item in enumerate(ours)
        if item.event.type in types and a not in paired and id(item.event) not in gone
    ]
    for key in (_content, _said, _without_ids, _identity, _main_content, _as_file, _empty):
        elsewhere: dict[Hashable, list[int]] = {}
        for b in reversed(free):
            elsewhere.setdefault(key(theirs[b]), []).append(b)
        for a in left:
            if others := elsewhere.get(key(ours[a])):
                found[a] = others.pop()
        left = [a for a in left if a not in found]
        used = set(found.values())
        free = [b for b in free if b not in used]
    return found


class _Features:
    """What events are known by, as numbers: equal for equal things. See `finder.align.Item`."""

    def __init__(self, gone: Collection[int], altered: Collection[int]) -> None:
        self._gone = gone
        self._altered = altered
        self._numbers: dict[Hashable, int] = {}
        self._alone = 0

    def of(self, item: Item) -> tuple[int, ...]:
        """Content that tells which event it is, any content, the words, ids, the type; then what
        is said to be gone, and for what is not, its words in another type of event."""
        content = self._number(_content(item), 0)
        said = self._number(_said(item), 1)
        words = self._number(_words(item), 2)
        whole = self._number(_whole(item), 3)
        known = id(item.event)
        if known in self._gone:
            # It stays itself if it is there after all; its words in another event are that one's.
            known_by = self._none() if item.event.type == "compaction" else content
            return (*(self._none() for _ in range(5)), known_by, self._none(), whole)
        identity = self._number(_identity(item), 4)
        type_ = self._number(item.event.type, 5)
        if known in self._altered:
            return (*(self._none() for _ in range(3)), identity, type_, self._none(), words, whole)
        telling = content if _is_telling(item.event) else self._none()
        # Messages are like each other: that their roles are equal tells no more than a call's id.
        known_by = self._none() if item.event.type == "message" else content
        return telling, known_by, said, identity, type_, content, words, whole

    def contents(self, side: Sequence[Item], places: Iterable[int]) -> dict[int, int]:
        """The numbers of the contents at these places, where they tell which event it is."""
        told = ((at, side[at]) for at in places if side[at].event.type != "message")
        return {at: self._number(_content(item), 0) for at, item in told if self._is_itself(item)}

    def that_can_be_of(
        self, types: Collection[str], side: Sequence[Item], places: Iterable[int]
    ) -> list[int]:
        """The places where one of these types may be known by the same: its own, or by words."""
        return [
            at
            for at in places
            if (type_ := side[at].event.type) in types
            or (type_ in _OF_WORDS and id(side[at].event) not in self._gone)
        ]

    def open(self, ours: Item, theirs: Item) -> bool:
        """Whether both open messages, and nothing is said of them: by nothing else is one known."""
        opening = ours.event.type == theirs.event.type == "message"
        return opening and self._is_itself(ours) and self._is_itself(theirs)

    def _is_itself(self, item: Item) -> bool:
        return id(item.event) not in self._gone and id(item.event) not in self._altered

    def _number(self, key: Hashable, kind: int) -> int:
        return self._numbers.setdefault((kind, key), len(self._numbers))

    def _none(self) -> int:
        """A number that equals no other one."""
        self._alone -= 1
        return self._alone


def _sure(
    ours: Sequence[Item], theirs: Sequence[Item], start: int, known: Collection[int]
) -> list[tuple[int, int]]:
    """Of what is long, the pairs that leave no doubt: so what is between them can be looked at
    closely, and they themselves need not be."""
    if (len(ours) - start) * (len(theirs) - start) <= FEW_CELLS:
        return []
    for key_of in (_short_key, _content):
        one, again_a = _once(ours, start, known, key_of)
        other, again_b = _once(theirs, start, known, key_of)
        if not again_a and not again_b:  # else tools give ids of calls again
            break
    pairs = [
        (at, other[key])
        for key, at in one.items()
        if key in other and _is_same_content(ours[at], theirs[other[key]])
    ]
    return pairs if all(b < later for (_, b), (_, later) in pairwise(pairs)) else []


def _once(
    side: Sequence[Item], start: int, known: Collection[int], key_of: Callable[[Item], Hashable]
) -> tuple[dict[Hashable, int], bool]:
    """The places of what leaves no doubt and is there once, in order; and whether a call is not."""
    places: dict[Hashable, int] = {}
    again: set[Hashable] = set()
    calls = False
    for at in range(start, len(side)):
        item = side[at]
        if id(item.event) in known:
            continue
        if item.call is not None or _is_telling(item.event):
            key = key_of(item)
            if places.setdefault(key, at) != at:
                again.add(key)
                calls = calls or item.call is not None
    for key in again:
        del places[key]
    return places, calls


def _short_key(item: Item) -> Hashable:
    """The id of its call, if it has one: it is found sooner than a text of megabytes."""
    return _content(item) if item.call is None else (item.event.type, item.call)


def _is_same_content(ours: Item, theirs: Item) -> bool:
    """Whether two events that have a key in common are alike in all that `_content` has."""
    one, other = ours.event, theirs.event
    if one.type == "tool_result" and other.type == "tool_result":
        return one.output == other.output
    if one.type == "tool_call" and other.type == "tool_call":
        return one.name == other.name and jsonio.same(one.input, other.input)
    return ours.call is None or _content(ours) == _content(theirs)


def _between(
    ours: Sequence[Item],
    theirs: Sequence[Item],
    sure: Sequence[tuple[int, int]],
    features: _Features,
) -> list[tuple[int, int]]:
    """Pairs of what stands between those that leave no doubt, and behind the last of them."""
    types_a = {item.event.type for item in ours}
    types_b = {item.event.type for item in theirs}
    pairs: list[tuple[int, int]] = []
    places_a: list[int] = []
    places_b: list[int] = []
    for (a, b), (end_a, end_b) in pairwise([*sure, (len(ours), len(theirs))]):
        if end_a == a + 1 and end_b == b + 1:
            continue
        left = features.that_can_be_of(types_b, ours, range(a + 1, end_a))
        right = features.that_can_be_of(types_a, theirs, range(b + 1, end_b))
        if len(left) == len(right) == 1 and features.open(ours[left[0]], theirs[right[0]]):
            pairs.append((left[0], right[0]))
        elif left and right:
            found = aligned(
                [features.of(ours[at]) for at in left], [features.of(theirs[at]) for at in right]
            )
            pairs += [(left[place_a], right[place_b]) for place_a, place_b in found]
        places_a += left
        places_b += right
    return _without_doubtful(
        pairs, features.contents(ours, places_a), features.contents(theirs, places_b)
    )


def _without_doubtful(
    pairs: list[tuple[int, int]],
    ours: Mapping[int, int],
    theirs: Mapping[int, int],
) -> list[tuple[int, int]]:
    """The pairs but for those of unlike content where the content of one is elsewhere, alone."""
    paired_a, paired_b = {a for a, _ in pairs}, {b for _, b in pairs}
    alone_a = {content for a, content in ours.items() if a not in paired_a}
    alone_b = {content for b, content in theirs.items() if b not in paired_b}
    if not alone_a and not alone_b:
        return pairs
    return [
        (a, b)
        for a, b in pairs
        if ours.get(a) == theirs.get(b) or not (ours.get(a) in alone_b or theirs.get(b) in alone_a)
    ]


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
    return event.type not in _ALIKE and getattr(event, "text", None) != ""


@cache
def plain_names(type_: str) -> tuple[str, ...]:
    """The fields of a type that are compared as they are."""
    return tuple(name for name in names(EVENT_TYPES[type_]) if name not in _APART)


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
    """What tells which event it is; of equal texts one may sum up what the other is a part of."""
    event = item.event
    if event.type == "text":
        return event.type, event.text, "summary" in event.labels
    values = [_hashable(getattr(event, name)) for name in _CONTENT[event.type]]
    return event.type, item.call, *values


def _without_ids(item: Item) -> Hashable:
    """What stays of the content where ids and signatures do not."""
    event = item.event
    if event.type not in _WITHOUT_IDS:
        return event.type, id(item)
    return event.type, *[_hashable(getattr(event, name)) for name in _WITHOUT_IDS[event.type]]


def _said(item: Item) -> Hashable:
    """The words alone, whatever else has changed; a unique value where there are none."""
    return item.event.type, _words(item)


def _identity(item: Item) -> Hashable:
    """What an event of changed content is known by; a unique value where there is nothing."""
    event = item.event
    named = item.call if event.type not in _IDENTITY else getattr(event, _IDENTITY[event.type])
    return event.type, id(item) if named is None else named


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


def _empty(item: Item) -> Hashable:
    """An empty text has nothing that it could be known by."""
    return item.event.type if getattr(item.event, "text", None) == "" else id(item)


def _words(item: Item) -> Hashable:
    for name in _WORDS:
        words = getattr(item.event, name, None)
        if words:
            return str(words)
    return id(item)


def _hashable(value: Json) -> Hashable:
    return jsonio.dumps(value) if isinstance(value, dict | list) else value
