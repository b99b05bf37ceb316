"""The lines of finder's own JSONL, written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from adapters.events import HEADER, SCHEMA, TOOL
from finder import jsonio
from finder.dataclass import dataclass, defaults, names
from finder.model import EVENT_TYPES, Event, JsonObject, Ref, Session, Usage
from finder.writing import Draft, File, Plan, safe_name

_DEEPEST = 900  # of a line's nesting: what every JSON reader is sure to take


def encoded(session: Session, events: Sequence[Event], plan: Plan) -> Draft:
    """One session's lines; the first line of all goes before the tree's first session."""
    is_top = plan.id == (plan.top or plan.id)
    path = f"{safe_name(plan.top or plan.id)}.jsonl"
    lines = _Lines(session, events, plan, schema=is_top)
    return Draft(
        id=plan.id,
        files=(File(path=path, data=lines, mode=0o600, appended=not is_top),),
        store=path,
    )


@dataclass(frozen=True, slots=True)
class _Lines:
    """The lines of a session, each made when it is written: together they are as large again."""

    session: Session
    events: Sequence[Event]
    plan: Plan
    schema: bool

    def __iter__(self) -> Iterator[bytes]:
        if self.schema:
            yield jsonio.dumps({"schema": SCHEMA}) + b"\n"
        yield _line(_header(self.session, len(self.events), self.plan), "session")
        for event in self.events:
            yield b"\n"
            yield _line(_fields(event, self.session, self.plan))
        yield b"\n"


def _header(session: Session, events: int, plan: Plan) -> JsonObject:
    record: JsonObject = {"id": plan.id, "tool": session.ref.tool}
    for name in HEADER:
        if (value := getattr(session, name)) is not None:
            record[name] = value
    if plan.directory is not None:
        record["directory"] = plan.directory
    if session.parent is not None:
        record["parent"] = _ref(session.parent, session, plan)
    if session.labels:
        record["labels"] = session.labels
    record["events"] = events
    if session.raw is not None:
        record["raw"] = session.raw
    return record


def _ref(ref: Ref, session: Session, plan: Plan) -> JsonObject:
    """A reference; to a session in the same file by its id there alone."""
    if ref in plan.ids:
        return {"id": plan.ids[ref]}
    tool = session.ref.tool if ref.tool == TOOL else ref.tool
    return {"tool": tool, "store": ref.store, "id": ref.id}


def _fields(event: Event, session: Session, plan: Plan) -> JsonObject:
    record = _values(event, _written(event.type))
    if "child" in record:
        record["child"] = _ref(record["child"], session, plan)
    if "usage" in record:
        record["usage"] = _values(record["usage"], _counts())
    return record


def _values(one: Event | Usage, usual: dict[str, Any]) -> JsonObject:
    """The fields that have another value than usual."""
    record: JsonObject = {}
    for name, default in usual.items():
        value = getattr(one, name)
        if value is not default and (default is None or value != default):
            record[name] = value
    return record


@cache
def _written(type_: str) -> dict[str, Any]:
    """The fields of a class in the order in which they are written, `raw` last, with the values
    that are not written: their defaults, and None."""
    made = EVENT_TYPES[type_]
    order = (*(name for name in names(made) if name != "raw"), "raw")
    return {name: defaults(made).get(name) if name != "type" else None for name in order}


@cache
def _counts() -> dict[str, Any]:
    return dict.fromkeys(names(Usage))


def _line(record: JsonObject, name: str | None = None) -> bytes:
    value = {name: record} if name else record
    line = jsonio.quick(value)
    if line is not None:
        return line
    if "raw" in record and jsonio.depth(value) > _DEEPEST:
        text = jsonio.dumps(record.pop("raw")).decode()
        return _line({**record, "raw_json": text}, name)
    return jsonio.dumps(value)
