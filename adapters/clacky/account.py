"""What becomes of the order and the times of a story that is written as Clacky's messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from adapters.clacky import header
from adapters.clacky.entry import AnyEntry
from finder.model import Event
from finder.writing import Report, came_with

_SPOKEN = frozenset({"text", "reasoning", "compaction"})
_MOVED = "OpenClacky has it elsewhere: texts before files, results and what came with them last"


def account_for_order(
    entries: Sequence[AnyEntry],
    events: Sequence[Event],
    answers: Mapping[int, int],
    report: Report,
) -> None:
    """Report what stands elsewhere than in the source.

    Args:
        entries: as they will be read.
        answers: which result answers which call, see `finder.writing.answers`.
    """
    places = _places(events, answers)
    told = {id(e): e for entry in entries for e in entry.events if id(e) in places}
    order = [places[event] for event in told]
    least = list(accumulate(reversed(order), min))  # of it and what follows
    most = accumulate(order, max)  # of it and what went before
    for event, place, low, high in zip(told.values(), order, reversed(least), most, strict=True):
        if low < place or place < high:
            report.changed(event, "order", note=_MOVED)
    before = _words_before(event for event in events if id(event) in told)
    for result, words in _words_before(told.values()).items():
        if before[result] != words:
            report.changed(told[result], "order", note=_MOVED)


def _places(events: Sequence[Event], answers: Mapping[int, int]) -> dict[int, float]:
    """Where each event stands, by `id()`; what belongs to a call stands with it."""
    places = {id(event): float(place) for place, event in enumerate(events)}
    for call, result in answers.items():
        places[id(events[result])] = call + 0.25
        for following in came_with(events, result):
            places[id(events[following])] = call + 0.5
    return places


def _words_before(events: Iterable[Event]) -> dict[int, int | None]:
    """Each result with the last words before it, both by `id()`."""
    last: int | None = None
    found: dict[int, int | None] = {}
    for event in events:
        if event.type in _SPOKEN:
            last = id(event)
        elif event.type == "tool_result":
            found[id(event)] = last
    return found


# -- times -----------------------------------------------------------------------------------


def account_for_times(
    entries: Sequence[AnyEntry], created: int, archived: int | None, report: Report
) -> None:
    """Give each live message the time that it will have, and report where that is another.

    Clacky's web interface pages through what the user said by its times, and takes two of one
    time for the same.

    Args:
        created: when the session was, for messages before the first time that is known.
        archived: when the archive was made, if there is one.
    """
    said: int | None = None
    latest = created
    for entry in entries:
        if entry.at is not None and not _is_kept(entry.at):
            entry.at = None
        if entry.role == "user" and not entry.flagged:
            at = latest if entry.at is None else entry.at
            entry.at = said = at if said is None or at > said else said + 1
        latest = entry.at if entry.at is not None else latest
        _account(entry, archived, report)
        archived = None if entry.summary else archived


def _is_kept(at: int) -> bool:
    return header.from_seconds(at / 1000) == at


def _account(entry: AnyEntry, archived: int | None, report: Report) -> None:
    at = entry.at
    for event in (entry.message, *entry.events):
        if event is None:
            continue
        now = archived if event.type == "compaction" else at
        if event.at == now:
            continue
        if event.at is None and now is not None:
            note = "what a person said needs a time, and an archive when it was made"
            report.invented(event, "at", note=note)
        elif event.at is not None and now is None:
            report.dropped(event, "at", note="OpenClacky has no time for it")
        else:
            note = "OpenClacky has one time for a message, and each once for a person's"
            report.changed(event, "at", note=note)
