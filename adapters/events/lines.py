"""The lines of finder's own JSONL, written and read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, get_args

from adapters.events import SCHEMA
from finder import files, jsonio
from finder.errors import NotFoundError
from finder.jsonio import integer, mapping, string
from finder.model import (
    EVENT_TYPES,
    LABELS,
    Event,
    Json,
    JsonObject,
    Labels,
    Opaque,
    Problem,
    Ref,
    Role,
    Session,
    Status,
    Usage,
)
from finder.writing import Draft, File, Plan, safe_name

_TOOL = "events"
_DEEPEST = 900  # of a line's nesting: what every JSON reader is sure to take
_SESSION = re.compile(rb'\s*\{\s*"session"\s*:')
_SCHEMA = re.compile(rb'\s*\{\s*"schema"\s*:')
_ID = re.compile(rb'"id"\s*:\s*("(?:[^"\\]|\\.)*")')

# Of a session, what this file says in another way or not at all.
_HEADER = ("title", "directory", "created", "updated", "agent", "model", "messages", "archived")

# -- writing ---------------------------------------------------------------------------------


def encoded(session: Session, events: Sequence[Event], plan: Plan) -> Draft:
    """One session's lines; the first line of all goes before the tree's first session."""
    lines = [] if plan.parent is not None else [jsonio.dumps({"schema": SCHEMA})]
    lines.append(_line(_header(session, len(events), plan), "session"))
    lines += [_line(_fields(event, plan)) for event in events]
    path = f"{safe_name(plan.top or plan.id)}.jsonl"
    data = b"".join(line + b"\n" for line in lines)
    return Draft(
        id=plan.id,
        files=(File(path=path, data=data, mode=0o600, appended=plan.parent is not None),),
        store=path,
    )


def _header(session: Session, events: int, plan: Plan) -> JsonObject:
    record: JsonObject = {"id": plan.id, "tool": session.ref.tool, "store": session.ref.store}
    for name in _HEADER:
        if (value := getattr(session, name)) is not None:
            record[name] = value
    if plan.directory is not None:
        record["directory"] = plan.directory
    if session.parent is not None:
        record["parent"] = _ref(session.parent, plan)
    if session.labels:
        record["labels"] = session.labels
    record["events"] = events
    if session.raw is not None:
        record["raw"] = session.raw
    return record


def _ref(ref: Ref, plan: Plan) -> JsonObject:
    return {"tool": ref.tool, "store": ref.store, "id": plan.ids.get(ref, ref.id)}


def _fields(event: Event, plan: Plan) -> JsonObject:
    record: JsonObject = {"type": event.type}
    for name, default in _defaults(event.type):
        value = getattr(event, name)
        if value is None or value == default:
            continue
        if isinstance(value, Ref):
            value = _ref(value, plan)
        elif isinstance(value, Usage):
            named = {f.name: getattr(value, f.name) for f in fields(value)}
            value = {key: count for key, count in named.items() if count is not None}
        record[name] = value
    return record


@cache
def _defaults(type_: str) -> tuple[tuple[str, Any], ...]:
    """The fields of a class in the order in which they are written, `raw` last."""
    found = {f.name: f.default for f in fields(EVENT_TYPES[type_]) if f.name != "type"}
    raw = found.pop("raw")
    return (*found.items(), ("raw", raw))


def _line(record: JsonObject, name: str | None = None) -> bytes:
    line = jsonio.dumps({name: record} if name else record)
    if line.count(b"[") + line.count(b"{") > _DEEPEST and _depth(record) > _DEEPEST:
        text = jsonio.dumps(record.pop("raw", None)).decode()
        return _line({**record, "raw_json": text}, name)
    return line


def _depth(value: Json) -> int:
    deepest, waiting = 0, [(1, value)]
    while waiting:
        depth, item = waiting.pop()
        deepest = max(deepest, depth)
        inner = item.values() if isinstance(item, dict) else item
        if isinstance(item, dict | list):
            waiting += [(depth + 1, value) for value in inner]
    return deepest


# -- reading ---------------------------------------------------------------------------------


class _Place(NamedTuple):
    """Whose lines are read: the file, and the ids of the sessions in it."""

    path: str
    ids: frozenset[str]


def sessions(path: Path) -> Iterator[Session | Problem]:
    """The headers in the file, and the lines that say nothing to anybody."""
    heads, problems = _heads(path)
    yield from problems
    place = _Place(str(path), frozenset(_identifier(line) or "" for _, line in heads))
    status = path.stat()
    stamp = f"{status.st_mtime_ns}:{status.st_size}"
    for number, line in heads:
        yield from _session(line, number, place, stamp)


def _heads(path: Path) -> tuple[list[tuple[int, bytes]], list[Problem]]:
    """The session lines with their numbers, from 1; and what is wrong before the first."""
    heads: list[tuple[int, bytes]] = []
    problems = []
    for number, line in enumerate(files.lines(path), 1):
        if _SESSION.match(line):
            heads.append((number, line))
        elif _SCHEMA.match(line):
            schema = mapping(_parsed(line)).get("schema")
            if schema != SCHEMA:
                message = f"line {number} is of schema {schema!r}, not {SCHEMA!r}"
                problems.append(Problem(kind="unknown-schema", path=str(path), message=message))
        elif not heads and line.strip():
            message = f"line {number} belongs to no session"
            problems.append(_damage(path, message, number))
    if not heads:
        problems.append(_damage(path, "holds no session", None))
    return heads, problems


def _damage(path: Path | str, message: str, number: int | None) -> Problem:
    record = None if number is None else f"line {number}"
    return Problem(kind="corrupt", path=str(path), message=message, record=record)


def _parsed(line: bytes) -> Json:
    try:
        return jsonio.loads(line)
    except ValueError:
        return None


def _identifier(line: bytes) -> str | None:
    """The id in a session's line, also in a damaged one."""
    match = _ID.search(line)
    return string(_parsed(match[1])) if match else None


def _session(line: bytes, number: int, place: _Place, stamp: str) -> Iterator[Session | Problem]:
    record = mapping(mapping(_parsed(line)).get("session"))
    identifier = _identifier(line)
    if identifier is None:
        message = f"line {number} opens a session but is damaged; its events cannot be told"
        yield _damage(place.path, message, number)
        return
    ref = Ref(_TOOL, place.path, identifier)
    try:
        yield Session(ref=ref, stamp=stamp, **_header_values(record, place))
    except ValueError as error:
        yield _damage(place.path, f"line {number}: {error}", number)
        yield Session(ref=ref, stamp=stamp)


def _header_values(record: JsonObject, place: _Place) -> JsonObject:
    if not record:
        raise ValueError("the session's header is damaged")
    values = {name: record[name] for name in _HEADER if name in record}
    for name, value in values.items():
        if not _FITS["at" if name in _NUMBERS else "title"](value):
            raise ValueError(f"the session's {name} is a JSON {jsonio.json_type(value)}")
    values["origin"] = string(record.get("tool"))
    values["parent"] = _reference(record.get("parent"), place)
    values["labels"] = _labels(record.get("labels", []))
    values["raw"] = _raw(record)
    return values


_NUMBERS = frozenset({"created", "updated", "messages", "archived"})


def events(ref: Ref) -> Iterator[Event]:
    """One session's events. A line that is no event is an opaque one that says why."""
    path = Path(ref.store)
    heads, _ = _heads(path)
    place = _Place(ref.store, frozenset(_identifier(line) or "" for _, line in heads))
    opening = next((n for n, line in heads if _identifier(line) == ref.id), None)
    if opening is None:
        raise NotFoundError(f"{ref.store} holds no session {ref.id!r}")
    last = min((number for number, _ in heads if number > opening), default=None)
    promised, given = None, 0
    for number, line in enumerate(files.lines(path), 1):
        if number == last:
            break
        if number == opening:
            promised = integer(mapping(mapping(_parsed(line)).get("session")).get("events"))
        elif number > opening and line.strip() and not _SCHEMA.match(line):
            given += 1
            yield _event(line, number, place)
    if promised is not None and given < promised:
        missing = promised - given
        problem = f"the session has {promised} events, but the last {missing} are not in the file"
        yield Opaque(kind="missing", problem=problem, raw="")


def _event(line: bytes, number: int, place: _Place) -> Event:
    where = f"line {number}"
    try:
        record = jsonio.loads(line)
    except ValueError as error:
        text = line.decode("utf-8", "surrogateescape")
        problem = f"{where} is not valid JSON ({error})"
        return Opaque(kind="line", problem=problem, record=where, raw=text)
    kind = record.get("type") if isinstance(record, dict) else None
    if not isinstance(kind, str) or kind not in EVENT_TYPES:
        problem = f"{where} is no event that this version knows"
        return Opaque(kind=str(kind or "line"), problem=problem, record=where, raw=record)
    try:
        return EVENT_TYPES[kind](**_event_values(record, kind, place))
    except ValueError as error:
        problem = f"{where} is a damaged event: {error}"
        return Opaque(kind=kind, problem=problem, record=where, raw=record)


def _event_values(record: JsonObject, kind: str, place: _Place) -> JsonObject:
    values = {key: value for key, value in record.items() if key not in {"type", "raw_json"}}
    if unknown := values.keys() - dict(_defaults(kind)).keys():
        raise ValueError(f"it has a field that is unknown here, {min(unknown)!r}")
    for name, value in values.items():
        if name in _READ:
            values[name] = _READ[name](value, place)
        elif not _FITS.get(name, _is_text)(value):
            raise ValueError(f"its {name} is a JSON {jsonio.json_type(value)}")
    for name, default in _defaults(kind):
        if default is MISSING and values.get(name) is None:
            raise ValueError(f"it has no {name}")
    if "raw_json" in record:
        values["raw"] = _raw(record)
    return values


def _raw(record: JsonObject) -> Json:
    text = string(record.get("raw_json"))
    return record.get("raw") if text is None else jsonio.loads(text)


def _reference(value: Json, place: _Place) -> Ref | None:
    if value is None:
        return None
    parts = [mapping(value).get(name) for name in ("tool", "store", "id")]
    if not all(isinstance(part, str) for part in parts):
        raise ValueError("it refers to a session in an unknown way")
    tool, store, identifier = map(str, parts)
    if identifier in place.ids:
        return Ref(_TOOL, place.path, identifier)
    return Ref(tool, store, identifier)


def _labels(value: Json) -> Labels:
    if not isinstance(value, list) or not all(label in LABELS for label in map(str, value)):
        raise ValueError("it has an unknown label")
    return tuple(value)


def _usage(value: Json) -> Usage:
    names = {f.name for f in fields(Usage)}
    if not isinstance(value, dict) or not value.keys() <= names:
        raise ValueError("its usage is no counts of tokens")
    if not all(map(_is_integer, value.values())):
        raise ValueError("its usage is no counts of tokens")
    return Usage(**value)


def _is_text(value: Json) -> bool:
    return isinstance(value, str)


def _is_integer(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_bool(value: Json) -> bool:
    return isinstance(value, bool)


def _is_anything(value: Json) -> bool:
    return True


# What a field must be; a field that is not named here is a text.
_FITS: dict[str, Callable[[Json], bool]] = {
    **dict.fromkeys(("at", "started", "finished"), _is_integer),
    **dict.fromkeys(("redacted", "auto"), _is_bool),
    **dict.fromkeys(("raw", "input"), _is_anything),
    "cost": _is_number,
    "role": lambda value: value in get_args(Role),
    "status": lambda value: value in get_args(Status),
    "title": _is_text,
}
_READ: dict[str, Callable[[Json, _Place], Any]] = {
    "labels": lambda value, _: _labels(value),
    "usage": lambda value, _: _usage(value),
    "child": _reference,
}
