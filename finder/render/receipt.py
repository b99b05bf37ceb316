"""The account of a conversion, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from finder.convert import Conversion
from finder.delivery import Delivery
from finder.model import JsonObject, Ref
from finder.render.data import SCHEMA, iso
from finder.render.text import line
from finder.staging import Receipt
from finder.writing import Loss

_MOST_LINES = 16
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


def summary(done: Conversion, target: str) -> Iterator[str]:
    """The account in a few lines: what differs, how often, and why."""
    events = sum(account.events for account in done.receipts)
    below = len(done.receipts) - len(done.trees)
    what = str(done.trees[0].top.ref) if len(done.trees) == 1 else f"{len(done.trees)} sessions"
    with_below = f" with {_counted(below, 'subagent')}" if below else ""
    yield line(f"{what}{with_below}, {_counted(events, 'event')}, to {target}")
    if not all(account.measured for account in done.receipts):
        yield "  a document for people: nothing can read it back, so no loss was measured"
        return
    losses = _together(done.receipts)
    if not losses:
        exact = all(account.exact for account in done.receipts)
        yield "  nothing lost" + (": every record is the same" if exact else "")
    for loss in losses[:_MOST_LINES]:
        what = loss.type if loss.field is None else f"{loss.type} {loss.field}"
        yield f"  {loss.kind:8} {loss.count:>5} × " + line(f"{what}: {loss.note}")
    if len(losses) > _MOST_LINES:
        rest = len(losses) - _MOST_LINES
        yield f"  and {rest} more kinds of difference; --json and --receipt FILE have all"


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def _together(accounts: Sequence[Receipt]) -> list[Loss]:
    """The losses of all sessions, the gravest kind first."""
    found: dict[tuple[str, str, str | None, str], Loss] = {}
    for account in accounts:
        for loss in account.losses:
            key = (loss.kind, loss.type, loss.field, loss.note)
            before = found.get(key)
            count = loss.count + (before.count if before else 0)
            found[key] = Loss(
                kind=loss.kind,
                type=loss.type,
                field=loss.field,
                count=count,
                first=before.first if before else loss.first,
                note=loss.note,
            )
    return sorted(found.values(), key=lambda loss: (_ORDER.index(loss.kind), -loss.count))
