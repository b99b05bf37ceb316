"""The account of a conversion, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from finder.convert import Conversion
from finder.delivery import Delivery
from finder.model import JsonObject, Ref
from finder.render.data import SCHEMA, iso
from finder.render.text import line, wrapped
from finder.staging import Receipt
from finder.writing import Loss

_LEAST = 20  # columns of a text beside what it begins with
_HANG = 4  # columns before one below it
_MOST_LINES = 12
_MOST_SUBJECTS = 5
_Reason = tuple[str, str, bool]  # the kind, the note, and whether it is about fields
_ORDER = ("dropped", "changed", "lowered", "invented")


def receipt(
    done: Conversion, delivery: Delivery | None, target: str, notes: Sequence[str]
) -> JsonObject:
    """The whole account. `delivery` None: nothing was written."""
    value: JsonObject = {
        "schema": SCHEMA,
        "to": target,
        "written": delivery is not None,
        "sessions": [_session(account) for account in done.receipts],
        "files": [],
        "store": None,
        "resume": [],
        "notes": list(notes),
    }
    if delivery is not None:
        value["files"] = [str(path) for path in delivery.files]
        value["store"] = str(delivery.store) if delivery.store else None
        value["resume"] = [
            {"argv": list(resume.argv), "cwd": resume.cwd} for resume in delivery.resumes if resume
        ]
    return value


def _session(account: Receipt) -> JsonObject:
    header = account.session
    return {
        "source": _reference(account.source),
        "id": header.ref.id,
        "parent_id": header.parent.id if header.parent else None,
        "title": header.title,
        "directory": header.directory,
        "updated": iso(header.updated),
        "events": account.events,
        "measured": account.measured,
        "records_equal": account.exact,
        "losses": [_loss(loss) for loss in account.losses],
    }


def _reference(ref: Ref) -> JsonObject:
    return {"tool": ref.tool, "store": ref.store, "id": ref.id, "ref": str(ref)}


def _loss(loss: Loss) -> JsonObject:
    return {
        "kind": loss.kind,
        "type": loss.type,
        "field": loss.field,
        "count": loss.count,
        "first": loss.first,
        "note": loss.note,
    }


def summary(done: Conversion, target: str, room: int | None = None) -> Iterator[str]:
    """The account in a few lines: what differs, how often, and why.

    `room`: the terminal's width; None: lines may be of any length.
    """
    for begin, rest in _told(done, target):
        text = line(rest)
        if room and begin.strip() and room - len(begin) < _LEAST:  # there is no room beside it
            yield begin.rstrip()
            yield from (" " * _HANG + piece for piece in wrapped(text, room - _HANG))
            continue
        for number, piece in enumerate(wrapped(text, room - len(begin)) if room else [text]):
            yield (" " * len(begin) if number else begin) + piece


def _told(done: Conversion, target: str) -> Iterator[tuple[str, str]]:
    """Each line, and before it what its further lines are indented by."""
    events = sum(account.events for account in done.receipts)
    below = len(done.receipts) - len(done.trees)
    what = str(done.trees[0].top.ref) if len(done.trees) == 1 else f"{len(done.trees)} sessions"
    with_below = f" with {_counted(below, 'subagent')}" if below else ""
    yield "", f"{what}{with_below}, {_counted(events, 'event')}, to {target}"
    if not all(account.measured for account in done.receipts):
        yield "  ", "a document for people: nothing can read it back, so no loss was measured"
        return
    reasons = _by_reason(done.receipts)
    if not reasons:
        exact = all(account.exact for account in done.receipts)
        yield "  ", "nothing lost" + (": every record is the same" if exact else "")
    for (kind, note, _), losses in reasons[:_MOST_LINES]:
        count = sum(loss.count for loss in losses)
        yield f"  {kind:8} {count:>5} × ", f"{_subjects(losses)}: {note}"
    if len(reasons) > _MOST_LINES:
        rest = len(reasons) - _MOST_LINES
        yield "  ", f"and {rest} more kinds of difference; --json and --receipt FILE have all"


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def _by_reason(accounts: Sequence[Receipt]) -> list[tuple[_Reason, list[Loss]]]:
    """The losses of all sessions by reason: the gravest kind first, whole events before fields."""
    found: dict[_Reason, list[Loss]] = {}
    for account in accounts:
        for loss in account.losses:
            found.setdefault((loss.kind, loss.note, loss.field is not None), []).append(loss)

    def rank(item: tuple[_Reason, list[Loss]]) -> tuple[int, bool, int]:
        (kind, _, of_fields), losses = item
        return _ORDER.index(kind), of_fields, -sum(loss.count for loss in losses)

    return sorted(found.items(), key=rank)


def _subjects(losses: Sequence[Loss]) -> str:
    """What the losses are of: ``message model, agent``, or ``at of message, text``."""
    subjects = list(dict.fromkeys((loss.type, loss.field) for loss in losses))
    types = list(dict.fromkeys(kind for kind, _ in subjects))
    names = list(dict.fromkeys(name for _, name in subjects))
    if len(types) == 1 and None not in names:
        return f"{types[0]} {_listed(names)}"
    if len(names) == 1:
        return _listed(types) if names[0] is None else f"{names[0]} of {_listed(types)}"
    return _listed([kind if name is None else f"{kind} {name}" for kind, name in subjects])


def _listed(words: Sequence[str | None]) -> str:
    shown = [str(word) for word in words[:_MOST_SUBJECTS]]
    return ", ".join(shown) + (", …" if len(words) > len(shown) else "")
