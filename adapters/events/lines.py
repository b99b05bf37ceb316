"""The lines of finder's own JSONL, written and read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache, cached_property
from pathlib import Path
from typing import Any, get_args

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
    data = bytearray()  # grows in place: a list of lines would be as large again
    is_top = plan.id == (plan.top or plan.id)
    if is_top:
        data += jsonio.dumps({"schema": SCHEMA}) + b"\n"
    data += _line(_header(session, len(events), plan), "session")
    for event in events:
        data += _line(_fields(event, session, plan))
    path = f"{safe_name(plan.top or plan.id)}.jsonl"
    return Draft(
        id=plan.id,
        files=(File(path=path, data=data, mode=0o600, appended=not is_top),),
        store=path,
    )


def _header(session: Session, events: int, plan: Plan) -> JsonObject:
    record: JsonObject = {"id": plan.id, "tool": session.ref.tool}
    for name in _HEADER:
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
    tool = session.ref.tool if ref.tool == _TOOL else ref.tool
    return {"tool": tool, "store": ref.store, "id": ref.id}


def _fields(event: Event, session: Session, plan: Plan) -> JsonObject:
    record: JsonObject = {"type": event.type}
    for name, default in _defaults(event.type):
        value = getattr(event, name)
        if value is None or value == default:
            continue
        if isinstance(value, Ref):
            value = _ref(value, session, plan)
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
    line = jsonio.dumps({name: record} if name else record) + b"\n"
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


@dataclass(frozen=True)
class _Place:
    """The file whose lines are read."""

    path: Path

    @cached_property
    def ids(self) -> frozenset[str]:
        """Of the sessions in it; only what refers to a session needs them."""
        heads, _ = _heads(self.path)
        return frozenset(_identifier(line) or "" for _, line in heads)


def sessions(path: Path) -> Iterator[Session | Problem]:
    """The headers in the file, and the lines that say nothing to anybody."""
    heads, problems = _heads(path)
    yield from problems
    status = path.stat()
    stamp = f"{status.st_mtime_ns}:{status.st_size}"
    place = _Place(path)
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
    ref = Ref(_TOOL, str(place.path), identifier)
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
    place = _Place(Path(ref.store))
    promised, given, inside = None, 0, False
    for number, line in enumerate(files.lines(place.path), 1):
        if _SESSION.match(line):
            if inside:
                break
            inside = _identifier(line) == ref.id
            if inside:
                promised = integer(mapping(mapping(_parsed(line)).get("session")).get("events"))
        elif inside and line.strip() and not _SCHEMA.match(line):
            given += 1
            yield _event(line, number, place)
    else:
        if not inside:
            raise NotFoundError(f"{ref.store} holds no session {ref.id!r}")
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
    fits, needed = _spec(kind)
    values: JsonObject = {}
    for name, value in record.items():
        fit = fits.get(name)
        if fit is None:
            raise ValueError(f"it has a field that is unknown here, {name!r}")
        if not fit(value):
            raise ValueError(f"its {name} is a JSON {jsonio.json_type(value)}")
        values[name] = value if name not in _READ else _READ[name](value, place)
    del values["type"]
    if "raw_json" in values:
        values["raw"] = jsonio.loads(values.pop("raw_json"))
    for name in needed:
        if name not in values:
            raise ValueError(f"it has no {name}")
    return values


@cache
def _spec(kind: str) -> tuple[dict[str, Callable[[Json], bool]], tuple[str, ...]]:
    """What the fields of a type must be, and which must be there."""
    defaults = _defaults(kind)
    fits = {name: _FITS.get(name, _is_text) for name, _ in defaults}
    needed = tuple(name for name, default in defaults if default is MISSING)
    return {"type": _is_text, "raw_json": _is_text, **fits}, needed


def _raw(record: JsonObject) -> Json:
    text = string(record.get("raw_json"))
    return record.get("raw") if text is None else jsonio.loads(text)


def _reference(value: Json, place: _Place) -> Ref | None:
    if value is None:
        return None
    identifier = string(mapping(value).get("id"))
    tool, store = (string(mapping(value).get(name)) for name in ("tool", "store"))
    if identifier is None or (tool is None) is not (store is None):
        raise ValueError("it refers to a session in an unknown way")
    if tool is None or store is None or identifier in place.ids:
        return Ref(_TOOL, str(place.path), identifier)
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
    # Those that are read in a way of their own say themselves what they are not.
    **dict.fromkeys(("raw", "input", "labels", "usage", "child"), _is_anything),
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
