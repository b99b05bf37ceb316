"""Sessions from the lines of finder's own JSONL; they are written in `adapters.events.encode`."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path
from typing import Any, get_args

from adapters.events import HEADER, SCHEMA, TOOL
from adapters.events.index import EVENT, identifier, index_of, opened, opens_session
from finder import files, jsonio
from finder.dataclass import dataclass, defaults, names
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

_SCHEMA = re.compile(rb'\s*\{\s*"schema"\s*:')
_RAW = b',"raw":'  # of a session, its native record; within a text there is no such quote
_COUNTED = re.compile(rb',"events":(\d{1,18}),"raw":')


class _Place:
    """The file whose lines are read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def ids(self) -> Collection[str]:
        """Of the sessions in it; only what refers to a session needs them."""
        return index_of(self.path).ids()


def sessions(
    path: Path, ids: tuple[str, ...] | None = None, *, raw: bool = True
) -> Iterator[Session | Problem]:
    """The headers in the file, and the lines that say nothing to anybody.

    `ids`: only these sessions. `raw`: with their native records.
    """
    status = path.stat()
    stamp = f"{status.st_mtime_ns}:{status.st_size}"
    place = _Place(path)
    found = _heads(path) if ids is None else _named(path, ids)
    for head in found:
        if isinstance(head, Problem):
            yield head
        else:
            number, line = head
            yield from _session(line, number, place, stamp, raw=raw)


def _named(path: Path, ids: tuple[str, ...]) -> Iterator[tuple[int, bytes]]:
    """The lines that open these sessions, with their numbers."""
    for wanted in ids:
        with suppress(NotFoundError):
            yield opened(path, wanted)[:2]


def _heads(path: Path) -> Iterator[tuple[int, bytes] | Problem]:
    """The session lines with their numbers, from 1; and what is wrong before the first."""
    begun = False
    for number, line in enumerate(files.lines(path), 1):
        if begun and line.startswith(EVENT):
            continue
        if opens_session(line):
            begun = True
            yield number, line
        elif _SCHEMA.match(line):
            schema = mapping(_parsed(line)).get("schema")
            if schema != SCHEMA:
                message = f"line {number} is of schema {schema!r}, not {SCHEMA!r}"
                yield Problem(kind="unknown-schema", path=str(path), message=message)
        elif not begun and line.strip():
            yield _damage(path, f"line {number} belongs to no session", number)
    if not begun:
        yield _damage(path, "holds no session", None)


def _damage(path: Path | str, message: str, number: int | None) -> Problem:
    record = None if number is None else f"line {number}"
    return Problem(kind="corrupt", path=str(path), message=message, record=record)


def _parsed(line: bytes) -> Json:
    try:
        return jsonio.loads(line)
    except ValueError:
        return None


def _record(line: bytes, *, raw: bool) -> JsonObject:
    """What a session's line says; without `raw` as far as its native record."""
    end = -1 if raw else line.find(_RAW)
    if end >= 0:
        begun = _parsed(b"".join((memoryview(line)[:end], b"}}")))
        record = mapping(mapping(begun).get("session"))
        if "events" in record and not _goes_on(line, end, record):
            return record
    return mapping(mapping(_parsed(line)).get("session"))


def _goes_on(line: bytes, end: int, record: JsonObject) -> bool:
    """Whether what is missing in a header may stand behind its native record.

    It does not where it was written here; other programs have other orders.
    """
    missing = (name for name in (*HEADER, "tool", "parent", "labels") if name not in record)
    return any(line.find(f'"{name}"'.encode(), end) >= 0 for name in missing)


def _session(
    line: bytes, number: int, place: _Place, stamp: str, *, raw: bool
) -> Iterator[Session | Problem]:
    known = identifier(line)
    if known is None:
        message = f"line {number} opens a session but is damaged; its events cannot be told"
        yield _damage(place.path, message, number)
        return
    ref = Ref(TOOL, str(place.path), known)
    try:
        yield Session(ref=ref, stamp=stamp, **_header_values(_record(line, raw=raw), place))
    except ValueError as error:
        yield _damage(place.path, f"line {number}: {error}", number)
        yield Session(ref=ref, stamp=stamp)


def _header_values(record: JsonObject, place: _Place) -> JsonObject:
    if not record:
        raise ValueError("the session's header is damaged")
    values = {name: record[name] for name in HEADER if name in record}
    for name, value in values.items():
        if type(value) not in (_INTEGER if name in _NUMBERS else _TEXT):
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
    number, head, lines = opened(place.path, ref.id)
    promised, given = _promised(head), 0
    del head  # of megabytes, perhaps
    for line in lines:
        number += 1
        if not line.startswith(EVENT):
            if opens_session(line):
                break
            if not line.strip() or _SCHEMA.match(line):
                continue
        given += 1
        yield _event(line, number, place)
    if promised is not None and given < promised:
        missing = promised - given
        problem = f"the session has {promised} events, but the last {missing} are not in the file"
        yield Opaque(kind="missing", problem=problem, raw="")


def _promised(head: bytes) -> int | None:
    """How many events follow a session's line, if it says so."""
    # Before the first record, where it stands in what was written here; not within a record.
    end = head.find(_RAW) + len(_RAW)
    counted = _COUNTED.search(head, max(end - 50, 0), end)
    return int(counted[1]) if counted else integer(_record(head, raw=False).get("events"))


def _event(line: bytes, number: int, place: _Place) -> Event:
    try:
        record = jsonio.loads(line)
    except ValueError as error:
        text = line.decode("utf-8", "surrogateescape")
        return _odd("line", number, f"is not valid JSON ({error})", text)
    kind = record.get("type") if isinstance(record, dict) else None
    if not isinstance(kind, str) or kind not in EVENT_TYPES:
        return _odd(str(kind or "line"), number, "is no event that this version knows", record)
    try:
        return _made(record, _kind(kind), place)
    except ValueError as error:
        return _odd(kind, number, f"is a damaged event: {error}", record)


def _odd(kind: str, number: int, what: str, raw: Json) -> Opaque:
    where = f"line {number}"
    return Opaque(kind=kind, problem=f"{where} {what}", record=where, raw=raw)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is to be known of one type of event to read it.

    Attributes:
        make: its class.
        known: of each field, its name in the very string that the class has, by which it is made
            faster, and the type of value that it nearly always has.
        few: the fields that have one of few values.
        reads: the fields that are something else in the file, and what makes them of that.
        needed: the fields that must be there.
    """

    make: type[Event]
    known: dict[str, tuple[str, type | None]]
    few: tuple[tuple[str, Collection[str]], ...]
    reads: tuple[tuple[str, Callable[[Json, _Place], Any]], ...]
    needed: tuple[str, ...]


@cache
def _kind(type_: str) -> _Kind:
    make = EVENT_TYPES[type_]
    known = names(make)
    return _Kind(
        make=make,
        known={name: (name, _FITS.get(name, _TEXT)[0]) for name in ("raw_json", *known)},
        few=tuple(item for item in _FEW.items() if item[0] in known),
        reads=tuple(item for item in _READ.items() if item[0] in known),
        needed=tuple(name for name in known if name not in defaults(make)),
    )


def _made(record: JsonObject, kind: _Kind, place: _Place) -> Event:
    known = kind.known
    values: JsonObject = {}
    for key, value in record.items():
        name, usual = known.get(key, _UNKNOWN)
        if type(value) is not usual:
            _check(key, value, known)
        values[name] = value
    for name, few in kind.few:
        if name in values and values[name] not in few:
            raise _misfit(name, values[name])
    for name, read in kind.reads:
        if name in values:
            values[name] = read(values[name], place)
    if "raw_json" in values:
        values["raw"] = jsonio.loads(values.pop("raw_json"))
    for name in kind.needed:
        if name not in values:
            raise ValueError(f"it has no {name}")
    return kind.make(**values)


_UNKNOWN = ("", None)


def _check(name: str, value: Json, known: Collection[str]) -> None:
    if name not in known:
        raise ValueError(f"it has a field that is unknown here, {name!r}")
    if type(value) not in _FITS.get(name, _TEXT):
        raise _misfit(name, value)


def _misfit(name: str, value: Json) -> ValueError:
    return ValueError(f"its {name} is a JSON {jsonio.json_type(value)}")


def _raw(record: JsonObject) -> Json:
    text = string(record.get("raw_json"))
    return record.get("raw") if text is None else jsonio.loads(text)


def _reference(value: Json, place: _Place) -> Ref | None:
    if value is None:
        return None
    known = string(mapping(value).get("id"))
    tool, store = (string(mapping(value).get(name)) for name in ("tool", "store"))
    if known is None or (tool is None) is not (store is None):
        raise ValueError("it refers to a session in an unknown way")
    if tool is None or store is None or known in place.ids:
        return Ref(TOOL, str(place.path), known)
    return Ref(tool, store, known)


def _labels(value: Json) -> Labels:
    if not isinstance(value, list) or not all(label in LABELS for label in map(str, value)):
        raise ValueError("it has an unknown label")
    return tuple(value)


def _usage(value: Json) -> Usage:
    known = names(Usage)
    if not isinstance(value, dict) or not all(
        name in known and type(count) is int for name, count in value.items()
    ):
        raise ValueError("its usage is no counts of tokens")
    return Usage(**value)


_TEXT, _INTEGER = (str,), (int,)
_ANYTHING = (dict, list, str, int, float, bool, type(None))
# What a field must be, the usual first; a field that is not named here is a text.
_FITS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("at", "started", "finished"), _INTEGER),
    **dict.fromkeys(("redacted", "auto"), (bool,)),
    # Those that are read in a way of their own say themselves what they are not.
    **dict.fromkeys(("raw", "input", "labels", "usage", "child"), _ANYTHING),
    "cost": (float, int),
}
_FEW = {"role": frozenset(get_args(Role)), "status": frozenset(get_args(Status))}
_READ: dict[str, Callable[[Json, _Place], Any]] = {
    "labels": lambda value, _: _labels(value),
    "usage": lambda value, _: _usage(value),
    "child": _reference,
}
