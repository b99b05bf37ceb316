"""Which differences there are between a session and what was written of it.

The two streams are aligned: events that are equal in everything first, then those of equal
content, then what is left between two aligned events, type by type. Every pair is compared
field by field. The result is exact about what differs; which of several equal events is the
one that is missing cannot be known, so the encoder's own word on that is followed.

Not compared, since they are no part of what was said: ids of records and messages, `raw` (but
see `records`), and the envelope of a tool result (a message of role ``tool``), which some
formats have and others have not. A result and a subagent belong to their call, wherever formats
put them among calls made at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache

from finder import jsonio
from finder.align import aligned
from finder.model import EVENT_TYPES, Event, Json, Message, Ref, Role, Session, Usage
from finder.writing import Loss, LossKind, Plan, Report, answers

# Of a session, what is stated about its store and not about itself.
_ABOUT_THE_STORE = frozenset({"unmigrated", "headers-only"})
_HEADER = ("title", "directory", "created", "updated", "agent", "model", "archived")
_UNCOMPARED = frozenset({"type", "record", "message", "raw", "labels", "role", "usage"})
# What says the same in another type of event: the text of a thought told as an answer.
_WORDS = ("text", "output", "result", "prompt")

_CONTENT: dict[str, tuple[str, ...]] = {
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
_IDENTITY = {"tool_call": "call", "tool_result": "call", "opaque": "kind", "notice": "kind"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference that was seen.

    Attributes:
        type, field: as in `finder.writing.Loss`; the field ``order`` is the place in the story.
        seq: the event's place in the source, from 0; None for what only the target has.
        event: in the source; None for what only the target has, and for the header.
        other: in the target.
    """

    kind: LossKind
    type: str
    field: str | None
    seq: int | None = None
    event: Event | None = None
    other: Event | None = None

    def __str__(self) -> str:
        what = self.type if self.field is None else f"{self.type}.{self.field}"
        name = (self.field or "").partition(".")[0]
        values = [_shown(getattr(e, name, None)) for e in (self.event, self.other) if e and name]
        where = "" if self.seq is None else f" at event {self.seq}"
        return f"{self.kind} {what}{where}" + (f": {' → '.join(values)}" if values else "")


def _shown(value: Json) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:40]}… ({len(text):,} characters)"


@dataclass(frozen=True, slots=True)
class _Item:
    """An event to be compared: its place in its own stream, and who speaks."""

    seq: int
    event: Event
    role: Role | None


def differences(
    source: Sequence[Event],
    written: Sequence[Event],
    *,
    report: Report | None = None,
    ids: Mapping[Ref, str] | None = None,
) -> list[Difference]:
    """All differences, in the order of the source.

    Args:
        report: tells which of several equal events are not in the target.
        ids: the ids that sessions have in the target, for what refers to them.
    """
    gone = report.gone if report else frozenset()
    pairing = _Pairing.of(_items(source), _items(written), gone)
    return _Comparison(pairing, pairing.pairs, ids or {}).differences()


def _items(events: Sequence[Event]) -> list[_Item]:
    """The events to compare, each result and subagent directly after its call."""
    message, role = None, None
    items: list[_Item | None] = []
    for seq, event in enumerate(events):
        if isinstance(event, Message):
            message, role = event.record, event.role
        inherited = role if event.message in {None, message} else None
        items.append(_Item(seq, event, event.role or inherited))
    order: list[_Item | None] = []
    belonging = _belonging(events)
    placed = {index for indices in belonging.values() for index in indices}
    for index, item in enumerate(items):
        if index not in placed:
            order.append(item)
            order += [items[inner] for inner in belonging.get(index, ())]
    return [item for item in order if item and not _is_envelope(item)]


def _is_envelope(item: _Item) -> bool:
    return item.event.type == "message" and item.event.role == "tool"


def _belonging(events: Sequence[Event]) -> dict[int, list[int]]:
    """For each call, by its place: its subagents, its result, and what came with the result."""
    found: dict[int, list[int]] = {}
    calls: dict[str, int] = {}
    answered = answers(events)
    for index, event in enumerate(events):
        if event.type == "tool_call":
            calls[event.call] = index
        elif event.type == "subagent" and event.call in calls:
            found.setdefault(calls[event.call], []).append(index)
    for call, result in answered.items():
        inner = found.setdefault(call, [])
        inner.append(result)
        following = result + 1
        while following < len(events) and _came_with_result(events[following]):
            inner.append(following)
            following += 1
    return found


def _came_with_result(event: Event) -> bool:
    return event.type == "attachment" and event.role == "tool"


# -- pairing ---------------------------------------------------------------------------------

_Key = Callable[[_Item], Hashable]


@dataclass(slots=True)
class _Pairing:
    """Which event became which: places in the source, with places in the target.

    Attributes:
        rising: those in the same order on both sides.
        moved: those that stand elsewhere than they did.
    """

    ours: Sequence[_Item]
    theirs: Sequence[_Item]
    rising: list[tuple[int, int]] = field(default_factory=list)
    moved: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, ours: Sequence[_Item], theirs: Sequence[_Item], gone: Collection[int]) -> _Pairing:
        """Equal ones first; `gone` are events, by `id()`, that are said not to be there."""
        pairing = cls(ours, theirs)
        everything = range(len(ours))
        kept = [index for index in everything if id(ours[index].event) not in gone]
        pairing.refine(kept, _whole)
        pairing.refine(kept, _content)
        pairing.refine(everything, _content)
        pairing.find_moved(kept, _content)
        pairing.refine(kept, _identity)
        pairing.refine(kept, _type)
        pairing.find_moved(kept, _identity)
        pairing.refine(everything, _words)
        return pairing

    @property
    def pairs(self) -> dict[int, int]:
        return {**dict(self.rising), **self.moved}

    def _free(self, candidates: Iterable[int]) -> tuple[list[int], list[int]]:
        used = self.pairs
        used_theirs = set(used.values())
        left = [a for a in candidates if a not in used]
        return left, [b for b in range(len(self.theirs)) if b not in used_theirs]

    def refine(self, candidates: Iterable[int], key: _Key) -> None:
        """Pair what has equal keys in the gaps between the pairs."""
        left, right = self._free(candidates)
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
                keys_a = [key(self.ours[a]) for a in gap_a]
                keys_b = [key(self.theirs[b]) for b in gap_b]
                found += [(gap_a[x], gap_b[y]) for x, y in aligned(keys_a, keys_b)]
        if found:
            self.rising = sorted([*self.rising, *found])

    def find_moved(self, candidates: Iterable[int], key: _Key) -> None:
        """Pair what has equal keys anywhere; a message's opening is like too many others."""
        left, right = self._free(candidates)
        elsewhere: dict[Hashable, list[int]] = {}
        for b in reversed(right):
            if self.theirs[b].event.type != "message":
                elsewhere.setdefault(key(self.theirs[b]), []).append(b)
        for a in left:
            others = elsewhere.get(key(self.ours[a]))
            if others:
                self.moved[a] = others.pop()


def _whole(item: _Item) -> Hashable:
    event = item.event
    values = (_hashable(getattr(event, name)) for name in _names(event.type))
    usage = getattr(event, "usage", None)
    return event.type, item.role, event.labels, usage, *values


def _content(item: _Item) -> Hashable:
    event = item.event
    if event.type == "message":
        return event.type, item.role
    values = (_hashable(getattr(event, name)) for name in _CONTENT[event.type])
    return event.type, *values


def _identity(item: _Item) -> Hashable:
    """What an event of changed content is known by; a unique value where there is nothing."""
    event = item.event
    if event.type not in _IDENTITY:
        return event.type, id(item)
    return event.type, getattr(event, _IDENTITY[event.type])


def _type(item: _Item) -> Hashable:
    return item.event.type


def _words(item: _Item) -> Hashable:
    for name in _WORDS:
        words = getattr(item.event, name, None)
        if words:
            return str(words)
    return id(item)


def _hashable(value: Json) -> Hashable:
    if isinstance(value, dict | list):
        return jsonio.dumps(value)
    return (type(value), value) if isinstance(value, bool | float) else value


@cache
def _names(type_: str) -> tuple[str, ...]:
    return tuple(f.name for f in fields(EVENT_TYPES[type_]) if f.name not in _UNCOMPARED)


# -- comparing -------------------------------------------------------------------------------


@dataclass(slots=True)
class _Comparison:
    pairing: _Pairing
    pairs: dict[int, int]
    ids: Mapping[Ref, str]

    @property
    def ours(self) -> Sequence[_Item]:
        return self.pairing.ours

    @property
    def theirs(self) -> Sequence[_Item]:
        return self.pairing.theirs

    def differences(self) -> list[Difference]:
        found: list[Difference] = []
        moved = {*self.pairing.moved, *self._results_out_of_place()}
        for index, item in enumerate(self.ours):
            if index not in self.pairs:
                found.append(self._one("dropped", item, None, None))
                continue
            other = self.theirs[self.pairs[index]]
            if item.event.type != other.event.type:
                found.append(self._one("lowered", item, None, other))
                continue
            if index in moved:
                found.append(self._one("changed", item, "order", other))
            found += self._pair(item, other)
        paired = set(self.pairs.values())
        for index, item in enumerate(self.theirs):
            if index not in paired:
                found.append(
                    Difference(kind="invented", type=item.event.type, field=None, other=item.event)
                )
        return found

    def _one(
        self, kind: LossKind, item: _Item, name: str | None, other: _Item | None
    ) -> Difference:
        return Difference(
            kind=kind,
            type=item.event.type,
            field=name,
            seq=item.seq,
            event=item.event,
            other=other.event if other else None,
        )

    def _pair(self, item: _Item, other: _Item) -> list[Difference]:
        ours, theirs = item.event, other.event
        changes = [("role", change(item.role, other.role))]
        for name in _names(ours.type):
            value, now = getattr(ours, name), getattr(theirs, name)
            if name == "child":
                value, now = value and self.ids.get(value, value.id), now and now.id
            elif name == "keep":
                value, now = self._kept(value, now)
            changes.append((name, change(value, now)))
        changes += usage_changes(getattr(ours, "usage", None), getattr(theirs, "usage", None))
        changes += label_changes(ours.labels, theirs.labels)
        return [self._one(kind, item, name, other) for name, kind in changes if kind]

    def _kept(self, ours: str | None, theirs: str | None) -> tuple[Json, Json]:
        """Two record ids, each as the place in the source of what it names."""
        if ours is None or theirs is None:
            return ours, theirs
        a = next((i for i, item in enumerate(self.ours) if item.event.record == ours), None)
        b = next((i for i, item in enumerate(self.theirs) if item.event.record == theirs), None)
        if a is None:  # it names what is not there: it can only stay as it is
            return ours, theirs
        return self.pairs.get(a), b

    def _results_out_of_place(self) -> set[int]:
        """Results between whose call and which other words stand now than before."""
        source_of = {b: a for a, b in self.pairs.items()}
        before = _words_before(self.ours, {a: a for a in self.pairs})
        now = _words_before(self.theirs, source_of)
        return {a for a in before if before[a] != now.get(a, before[a])}


def _words_before(items: Sequence[_Item], names: Mapping[int, int]) -> dict[int, int | None]:
    """For each tool result, the last words before it in the stream; both by their `names`."""
    found: dict[int, int | None] = {}
    last: int | None = None
    for index in sorted(names, key=lambda i: items[i].seq):
        kind = items[index].event.type
        if kind in {"text", "reasoning", "compaction"}:
            last = names[index]
        elif kind == "tool_result":
            found[names[index]] = last
    return found


def change(ours: Json, theirs: Json) -> LossKind | None:
    """How a value differs from what it was; None: it does not."""
    if ours is theirs or same(ours, theirs):
        return None
    if theirs is None:
        return "dropped"
    return "invented" if ours is None else "changed"


def same(ours: Json, theirs: Json) -> bool:
    """Whether two JSON values are the same; unlike in Python, 1, 1.0 and true are not."""
    if isinstance(ours, str) or ours is None:
        return bool(ours == theirs)
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return bool(ours == theirs) or (ours != ours and theirs != theirs)  # noqa: PLR0124 - NaN


def usage_changes(ours: Usage | None, theirs: Usage | None) -> list[tuple[str, LossKind | None]]:
    """How the token counts differ: as a whole where one side has none at all."""
    if ours is None or theirs is None:
        return [("usage", change(ours, theirs))]
    names = [f.name for f in fields(Usage)]
    return [(f"usage.{n}", change(getattr(ours, n), getattr(theirs, n))) for n in names]


def label_changes(
    ours: Collection[str], theirs: Collection[str]
) -> list[tuple[str, LossKind | None]]:
    """How labels differ, one by one."""
    lost = [(f"labels.{label}", _LOWERED) for label in ours if label not in theirs]
    return [*lost, *((f"labels.{label}", _INVENTED) for label in theirs if label not in ours)]


_LOWERED: LossKind = "lowered"
_INVENTED: LossKind = "invented"


def header_differences(source: Session, written: Session, plan: Plan) -> list[Difference]:
    """How the header differs; a directory that the plan sets is no difference."""
    changes = []
    for name in _HEADER:
        ours, theirs = getattr(source, name), getattr(written, name)
        if name == "directory" and plan.directory is not None:
            ours = plan.directory
        changes.append((name, change(ours, theirs)))
    parent = source.parent and plan.ids.get(source.parent, source.parent.id)
    changes.append(("parent", change(parent, written.parent and written.parent.id)))
    labels = [label for label in source.labels if label not in _ABOUT_THE_STORE]
    changes += label_changes(labels, [x for x in written.labels if x not in _ABOUT_THE_STORE])
    return [Difference(kind=kind, type="session", field=name) for name, kind in changes if kind]


def records_equal(source: Sequence[Event], written: Sequence[Event]) -> bool:
    """Whether the native records of two streams are the same, in the same order."""
    ours = [event.raw for event in source if event.raw is not None]
    theirs = [event.raw for event in written if event.raw is not None]
    return len(ours) == len(theirs) and all(map(same, ours, theirs))


def explained(found: Sequence[Difference], report: Report) -> tuple[list[Loss], list[Difference]]:
    """The account of what was seen, and the differences that nobody gave a reason for."""
    counts: dict[tuple[LossKind, str, str | None, str], list[Difference]] = {}
    unexplained = []
    for item in found:
        note = report.reason(item.kind, item.event, item.type, item.field)
        if note is None:
            unexplained.append(item)
        else:
            counts.setdefault((item.kind, item.type, item.field, note), []).append(item)
    losses = [
        Loss(
            kind=kind,
            type=type_,
            field=name,
            count=len(items),
            first=items[0].event.record if items[0].event else None,
            note=note,
        )
        for (kind, type_, name, note), items in counts.items()
    ]
    return losses, unexplained
