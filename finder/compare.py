"""Which differences there are between a session and what was written of it.

Events are paired (`finder.pairing`), and every pair is compared field by field. Not compared,
since they are no part of what was said: ids of records and messages, `raw` (but see `prints`), and
the envelope of a tool result (a message of role ``tool``), which some formats have and others
have not. A result and a subagent belong to their call, wherever formats put them among calls
made at the same time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import zip_longest
from operator import attrgetter, is_, itemgetter
from typing import Any

from finder import jsonio
from finder.dataclass import dataclass, field, names, replace
from finder.model import EVENT_TYPES, Event, Json, Ref, Session, Usage
from finder.pairing import Item, Pairing, items, plain_names
from finder.writing import Loss, LossKind, Plan, Report

# Of a session, what is stated about its store and not about itself.
_ABOUT_THE_STORE = frozenset({"unmigrated", "headers-only"})
_HEADER = ("title", "directory", "created", "updated", "agent", "model", "archived")
_IN_ORDER = frozenset({"text", "reasoning", "compaction", "tool_result"})
_LOWERED: LossKind = "lowered"
_INVENTED: LossKind = "invented"
# What may be very large, and is known by the id of its call; and other such texts.
_OF_CALL = {"tool_call": "input", "tool_result": "output"}
_LARGE = {
    "text": ("text",),
    "reasoning": ("text",),
    "attachment": ("data", "url"),
    "notice": ("text",),
}


# Fields that are not compared as they are, and those of them that may be equal and yet differ: to
# Python 1 is true, and what one refers to may have another name in the target.
_OWN_WAY = ("labels", "usage", "input", "child", "keep")
_DEEP = frozenset({"input", "child", "keep"})

_Change = tuple[str, LossKind]
# A place in the story, and what stands there: in the source, in the target. What only the target
# has is behind all that the source has; the header is before it, and has neither.
_Row = tuple[int, Item | None, Item | None]


@dataclass(frozen=True, slots=True)
class Alike:
    """All differences of one kind in one field of one type of events; see `Difference`."""

    kind: LossKind
    type: str
    field: str | None
    rows: Sequence[_Row]


@dataclass(frozen=True, slots=True)
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


def differences(
    source: Sequence[Event],
    written: Sequence[Event],
    *,
    report: Report | None = None,
    ids: Mapping[Ref, str] | None = None,
) -> list[Alike]:
    """All differences; `each` has them one by one.

    Args:
        report: tells which of several equal events are not in the target.
        ids: the ids that sessions have in the target, for what refers to them.
    """
    if len(source) == len(written) and all(map(is_, source, written)):
        return []  # see `recognised`
    report = report or Report()
    pairing = Pairing.of(items(source, report), items(written), report)
    return _Comparison(pairing, pairing.pairs, ids or {}).differences()


def each(found: Iterable[Alike]) -> list[Difference]:
    """Differences one by one, in the order of the source."""
    placed = [
        (
            place,
            Difference(
                kind=alike.kind,
                type=alike.type,
                field=alike.field,
                seq=None if ours is None else ours.seq,
                event=_event(ours),
                other=_event(theirs),
            ),
        )
        for alike in found
        for place, ours, theirs in alike.rows
    ]
    return [item for _, item in sorted(placed, key=itemgetter(0))]


def _event(item: Item | None) -> Event | None:
    return None if item is None else item.event


@dataclass(slots=True)
class _Comparison:
    pairing: Pairing
    pairs: dict[int, int]
    ids: Mapping[Ref, str]
    found: dict[tuple[LossKind, str, str | None], list[_Row]] = field(default_factory=dict)

    def differences(self) -> list[Alike]:
        ours, theirs, pairs = self.pairing.ours, self.pairing.theirs, self.pairs
        for a, item in enumerate(ours):
            if a not in pairs:
                self._see("dropped", item.event.type, None, (a, item, None))
        self._compare_pairs()
        paired = set(pairs.values())
        for b, item in enumerate(theirs):
            if b not in paired:
                self._see("invented", item.event.type, None, (len(ours) + b, None, item))
        return [Alike(*what, rows) for what, rows in self.found.items()]

    def _see(self, kind: LossKind, type_: str, name: str | None, row: _Row) -> None:
        self.found.setdefault((kind, type_, name), []).append(row)

    def _compare_pairs(self) -> None:
        moved = {*self.pairing.moved, *self._results_out_of_place()}
        alike: dict[str, list[tuple[int, Item, Item]]] = {}
        for a, b in sorted(self.pairs.items()):
            row = a, self.pairing.ours[a], self.pairing.theirs[b]
            type_: str = row[1].event.type
            if type_ != row[2].event.type:
                self._see("lowered", type_, None, row)
                continue
            alike.setdefault(type_, []).append(row)
            if a in moved:
                self._see("changed", type_, "order", row)
        for type_, rows in alike.items():
            self._compare_fields(type_, rows)

    def _compare_fields(self, type_: str, rows: Sequence[tuple[int, Item, Item]]) -> None:
        """What differs in pairs of one type.

        It is looked for field by field: most are equal in all of them, or gone in all.
        """
        one = _columns(type_, [ours for _, ours, _ in rows])
        other = _columns(type_, [theirs for _, _, theirs in rows])
        for name, column, another in zip(_names(type_), one, other, strict=True):
            if column == another and name not in _DEEP:
                continue
            if name in _OWN_WAY:
                for row, a, b in zip(rows, column, another, strict=True):
                    for changed, kind in self._changes_of(name, a, b):
                        self._see(kind, type_, changed, row)
                continue
            by_kind: defaultdict[LossKind, list[_Row]] = defaultdict(list)
            for row, a, b in zip(rows, column, another, strict=True):
                if a is not b and (kind_ := change(a, b)):
                    by_kind[kind_].append(row)
            for kind, seen in by_kind.items():
                self.found.setdefault((kind, type_, name), []).extend(seen)

    def _changes_of(self, name: str, ours: Any, theirs: Any) -> list[_Change]:
        """How a field differs that is compared in its own way."""
        if name == "labels":
            return label_changes(ours, theirs)
        if name == "usage":
            return usage_changes(ours, theirs)
        if name == "child":
            kind = change(_name(ours, self.ids), theirs and theirs.id)
        elif name == "keep":
            kind = self._kept(ours, theirs)
        else:
            kind = change(ours, theirs)
        return [(name, kind)] if kind else []

    def _kept(self, ours: str | None, theirs: str | None) -> LossKind | None:
        """How two record ids differ: whether they name the same event."""
        if ours is None or theirs is None:
            return change(ours, theirs)
        a = _place(self.pairing.ours, ours)
        if a is None:  # it names what is not there: it can only stay as it is
            return change(ours, theirs)
        return None if self.pairs.get(a) == _place(self.pairing.theirs, theirs) else "changed"

    def _results_out_of_place(self) -> set[int]:
        """Results between whose call and which other words stand now than before."""
        stayed = {a: b for a, b in self.pairs.items() if a not in self.pairing.moved}
        before = _words_before(self.pairing.ours, {a: a for a in stayed})
        now = _words_before(self.pairing.theirs, {b: a for a, b in stayed.items()})
        return {a for a in before if before[a] != now.get(a, before[a])}


@cache
def _names(type_: str) -> tuple[str, ...]:
    """The fields of a type of event that are compared."""
    more = (name for name in names(EVENT_TYPES[type_]) if name in _OWN_WAY)
    return "role", *plain_names(type_), *more


def _columns(type_: str, found: Sequence[Item]) -> list[Sequence[Any]]:
    """The values of each of these fields, in all of these."""
    values = attrgetter(*_names(type_)[1:])
    rest = zip(*(values(item.event) for item in found), strict=True)
    return [[item.role for item in found], *rest]


def _place(found: Sequence[Item], record: str) -> int | None:
    return next((i for i, item in enumerate(found) if item.event.record == record), None)


def _words_before(found: Sequence[Item], names: Mapping[int, int]) -> dict[int, int | None]:
    """For each tool result, the last words before it in the stream; both by their `names`."""
    before: dict[int, int | None] = {}
    last: int | None = None
    told = ((found[at], name) for at, name in names.items())
    telling = [(item.seq, item, name) for item, name in told if item.event.type in _IN_ORDER]
    for _, item, name in sorted(telling, key=itemgetter(0)):
        if item.event.type == "tool_result":
            before[name] = last
        else:
            last = name
    return before


# -- values ----------------------------------------------------------------------------------


def change(ours: Json, theirs: Json) -> LossKind | None:
    """How a value differs from what it was; None: it does not."""
    if ours is theirs:
        return None
    if theirs is None:
        return "dropped"
    if ours is None:
        return "invented"
    return None if jsonio.same(ours, theirs) else "changed"


def usage_changes(ours: Usage | None, theirs: Usage | None) -> list[_Change]:
    """How the token counts differ: as a whole where one side has none at all."""
    if ours is None or theirs is None:
        kind = change(ours, theirs)
        return [("usage", kind)] if kind else []
    counts = ((name, getattr(ours, name), getattr(theirs, name)) for name in names(Usage))
    return [(f"usage.{name}", kind) for name, a, b in counts if (kind := change(a, b))]


def label_changes(ours: Collection[str], theirs: Collection[str]) -> list[_Change]:
    """How labels differ, one by one."""
    lost: list[_Change] = [(f"labels.{x}", _LOWERED) for x in ours if x not in theirs]
    return [*lost, *((f"labels.{x}", _INVENTED) for x in theirs if x not in ours)]


def header_differences(source: Session, written: Session, plan: Plan) -> list[Alike]:
    """How the header differs; a directory that the plan sets is no difference."""
    values = {name: (getattr(source, name), getattr(written, name)) for name in _HEADER}
    if plan.directory is not None:
        values["directory"] = plan.directory, written.directory
    parent = source.parent and plan.ids.get(source.parent, source.parent.id)
    values["parent"] = parent, written.parent and written.parent.id
    changes = [(name, kind) for name, pair in values.items() if (kind := change(*pair))]
    labels = [label for label in source.labels if label not in _ABOUT_THE_STORE]
    changes += label_changes(labels, [x for x in written.labels if x not in _ABOUT_THE_STORE])
    return [Alike(kind, "session", name, [(-1, None, None)]) for name, kind in changes]


# -- large sessions --------------------------------------------------------------------------


def prints(events: Iterable[Event]) -> list[bytes]:
    """A fingerprint of each native record, in order: equal for equal JSON values only."""
    import hashlib

    raws = (event.raw for event in events if event.raw is not None)
    return [hashlib.blake2b(jsonio.dumps(raw, sort=True), digest_size=20).digest() for raw in raws]


def without_record(event: Event) -> Event:
    """The event without its native record, unless that is all there is of it.

    The event itself is altered, which is for the one whose it is.
    """
    if event.type != "opaque":
        event.raw = None  # type: ignore[misc]
    return event


def recognised(
    source: Sequence[Event],
    written: Iterable[Event],
    report: Report,
    ids: Mapping[Ref, str],
) -> list[Event]:
    """What was read back, with the source's own event for each that stands where its equal does.

    So comparing takes little time where little is lost, and little more memory than the source
    does: others let go of their records, and share their texts with the source.
    """
    reported = _reported(report)
    share: Callable[[Event], Event] | None = None
    found: list[Event] = []
    for own, event in zip_longest(source, written):
        if event is None:
            break
        alike = own is not None and own.record == event.record and id(own) not in reported
        if alike and is_equal(own, event, ids):
            found.append(own)
        else:
            share = share or _sharing(source)
            found.append(share(event))
    return found


def _reported(report: Report) -> set[int]:
    """What `id()` gives for the events of which the report speaks one by one."""
    return {event for _, event, _ in report.single} | report.unlike.keys()


def is_equal(ours: Event, theirs: Event, ids: Mapping[Ref, str]) -> bool:
    """Whether they differ in their records at most, and one can stand for the other."""
    if ours.type != theirs.type or _known(ours) != _known(theirs):
        return False
    if ours.type == "tool_call" and theirs.type == "tool_call":
        return jsonio.same(ours.input, theirs.input)
    if ours.type == "subagent" and theirs.type == "subagent":
        names = {child and child.id for child in (ours.child, theirs.child)}
        return names == {_name(ours.child, ids)}
    return True


def _known(event: Event) -> Any:
    return _known_of(event.type)(event)


@cache
def _known_of(type_: str) -> Callable[[Event], Any]:
    apart = {"raw", "input", "child"}
    return attrgetter(*(name for name in names(EVENT_TYPES[type_]) if name not in apart))


def _name(child: Ref | None, ids: Mapping[Ref, str]) -> str | None:
    """The id in the target of a session that an event of the source refers to."""
    return None if child is None else ids.get(child, child.id)


def _sharing(source: Iterable[Event]) -> Callable[[Event], Event]:
    texts: dict[str, str] = {}
    of_calls: dict[str, dict[str | None, Json]] = {kind: {} for kind in _OF_CALL}
    for event in source:
        kind = event.type
        if kind in _OF_CALL:
            of_calls[kind][event.call] = getattr(event, _OF_CALL[kind])  # type: ignore[union-attr]
            continue
        for name in _LARGE.get(kind, ()):
            if text := getattr(event, name):
                texts[text] = text

    def share(event: Event) -> Event:
        kind = event.type
        if kind in _OF_CALL:
            name, known = _OF_CALL[kind], of_calls[kind].get(event.call)  # type: ignore[union-attr]
            if known is not None and jsonio.same(known, getattr(event, name)):
                setattr(event, name, known)
            return without_record(event)
        for name in _LARGE.get(kind, ()):
            known = texts.get(getattr(event, name))
            if known is not None:
                setattr(event, name, known)
        return without_record(event)

    return share


# -- account ---------------------------------------------------------------------------------


def explained(found: Iterable[Alike], report: Report) -> tuple[list[Loss], list[Difference]]:
    """The account of what was seen and stated, and the differences without a reason."""
    reported = _reported(report)
    counts: dict[tuple[LossKind, str, str | None, str], list[_Row]] = {}
    unexplained: list[Alike] = []
    for alike in found:
        for rows in _told_alike(alike.rows, reported):
            note = report.reason(alike.kind, _event(rows[0][1]), alike.type, alike.field)
            if note is None:
                unexplained.append(replace(alike, rows=rows))
            else:
                counts.setdefault((alike.kind, alike.type, alike.field, note), []).extend(rows)
    losses: list[tuple[int, Loss]] = []
    for (kind, type_, name, note), rows in counts.items():
        place, first, _ = min(rows, key=itemgetter(0))
        record = None if first is None else first.event.record
        loss = Loss(kind=kind, type=type_, field=name, count=len(rows), first=record, note=note)
        losses.append((place, loss))
    losses.sort(key=itemgetter(0))
    return [*(loss for _, loss in losses), *report.stated], each(unexplained)


def _told_alike(rows: Sequence[_Row], reported: Collection[int]) -> Iterator[Sequence[_Row]]:
    """Those of which nothing is said by itself together, and each other one alone."""
    apart = [row for row in rows if row[1] and id(row[1].event) in reported] if reported else []
    if not apart:
        yield rows
        return
    yield from ([row] for row in apart)
    rest = [row for row in rows if not row[1] or id(row[1].event) not in reported]
    if rest:
        yield rest
