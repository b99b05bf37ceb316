"""What becomes of the order and the times of a story that is written as Clacky's messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from operator import gt

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
    places = dict(zip(map(id, events), range(len(events)), strict=True))
    told = {id(e): e for entry in entries for e in entry.events if id(e) in places}
    # What came of a call stands with it, wherever it was told.
    results = {id(events[result]) for result in answers.values()}
    for call, result in answers.items():
        for following in came_with(events, result):
            places[id(events[following])] = call
    standing = [event for known, event in told.items() if known not in results]
    _account_for_moved(standing, [places[id(event)] for event in standing], report)
    before = _words_before(event for event in events if id(event) in told)
    for result, words in _words_before(told.values()).items():
        if before[result] != words:
            report.changed(told[result], "order", note=_MOVED)


def _account_for_moved(told: Sequence[Event], order: Sequence[int], report: Report) -> None:
    if not any(map(gt, order, order[1:])):
        return
    least = list(accumulate(reversed(order), min))  # of it and what follows
    most = accumulate(order, max)  # of it and what went before
    for event, place, low, high in zip(told, order, reversed(least), most, strict=True):
        if low < place or place < high:
            report.changed(event, "order", note=_MOVED)


def _words_before(events: Iterable[Event]) -> dict[int, int | None]:
    """Each result with the last words before it, both by `id()`."""
    last: int | None = None
    found: dict[int, int | None] = {}
    for event in events:
        if event.type == "tool_result":
            found[id(event)] = last
        elif event.type in _SPOKEN:
            last = id(event)
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
    """Whether it is the same again once it was written in seconds, as of this century it is."""
    return 0 <= at < 2**42 or header.from_seconds(at / 1000) == at


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
