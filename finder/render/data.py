"""The JSON form of answers. README documents it; a test pins it.

Times are ISO 8601 in UTC with milliseconds. A session has all of its keys always, null where
the store does not say; an event has only those that say something, besides `seq`, `type` and
`labels`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from finder.adapter import Adapter, Resume, Store
from finder.dataclass import names
from finder.errors import FinderError
from finder.library import Below, Entry
from finder.model import Json, JsonObject, Problem, Ref

if TYPE_CHECKING:
    from finder.content import Quote
    from finder.event import Usage
    from finder.find import Answer, Row
    from finder.get import Numbered

SCHEMA = "session-finder/1"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = 60_000  # milliseconds


def iso(time: int | None) -> str | None:
    """Milliseconds UTC as ``2026-09-21T14:03:05.123Z``; None for a time beyond the calendar."""
    if time is None:
        return None
    minute = _minute(time // _MINUTE)
    if minute is None:
        return None
    rest = str(100_000 + time % _MINUTE)  # to cut it takes half as long as to fill up with zeros
    return f"{minute}:{rest[1:3]}.{rest[3:]}Z"


@lru_cache(maxsize=1_000)  # of many times most are of few minutes
def _minute(since: int) -> str | None:
    try:
        return (_EPOCH + timedelta(minutes=since)).isoformat()[:16]
    except OverflowError:
        return None


def session(entry: Entry) -> JsonObject:
    """A session's own keys."""
    header = entry.session
    return {
        "tool": header.ref.tool,
        "store": header.ref.store,
        "id": header.ref.id,
        "ref": str(header.ref),
        "title": header.title,
        "directory": header.directory,
        "created": iso(header.created),
        "updated": iso(header.updated),
        "parent_id": header.parent.id if header.parent else None,
        "agent": header.agent,
        "model": header.model,
        "messages": header.messages,
        "archived": iso(header.archived),
        "labels": list(header.labels),
        "also_in": list(entry.also_in),
    }


def resume(command: Resume | None) -> JsonObject | None:
    """How a session is continued."""
    return {"argv": list(command.argv), "cwd": command.cwd} if command else None


def row(found: Row, resumption: Resume | None = None) -> JsonObject:
    """A session as a result."""
    value = session(found.entry)
    value["resume"] = resume(resumption)
    value["subagent_count"] = len(found.subagents)
    value["score"] = found.score
    value["matched"] = [
        {"word": match.word, "field": match.field, "tier": match.tier} for match in found.matched
    ]
    if found.matched_subagents:
        value["matched_subagents"] = [below(item) for item in found.matched_subagents]
    if found.heard is not None:
        said, hit = found.heard
        value["only_synthetic"] = hit.synthetic
        value["quotes"] = [quote(said.ref, item) for item in hit.quotes]
    return value


def quote(ref: Ref, item: Quote) -> JsonObject:
    """Where words stand in a session's text."""
    return {
        "id": ref.id,
        "ref": str(ref),
        "seq": item.seq,
        "type": item.type,
        "field": item.field,
        "record": item.record,
        "at": iso(item.at),
        "role": item.role,
        "labels": list(item.labels),
        "snippet": item.snippet,
        "spans": [list(span) for span in item.spans],
        "cut_before": item.cut_before,
        "cut_after": item.cut_after,
    }


def below(item: Below) -> JsonObject:
    """A subagent."""
    header = item.session
    return {
        "id": header.ref.id,
        "ref": str(header.ref),
        "store": header.ref.store,
        "parent_id": header.parent.id if header.parent else None,
        "depth": item.depth,
        "agent": header.agent,
        "title": header.title,
        "directory": header.directory,
        "created": iso(header.created),
        "updated": iso(header.updated),
        "messages": header.messages,
        "labels": list(header.labels),
    }


def answer(
    found: Answer, resumption: Callable[[Entry], Resume | None] = lambda _: None
) -> JsonObject:
    """What ``find`` says; `resumption` tells how a session is continued."""
    return {
        "schema": SCHEMA,
        "by_text": found.by_text,
        "sessions": [row(item, resumption(item.entry)) for item in found.rows],
        **searched(found),
    }


def searched(found: Answer) -> JsonObject:
    """What ``find`` says besides the sessions."""
    return {
        "problems": [problem(item) for item in found.problems],
        "searched": [
            {**store(item.store), "sessions": item.sessions, "failed": item.failed}
            for item in found.searched
        ],
    }


def store(item: Store) -> JsonObject:
    """A store's address."""
    return {
        "tool": item.tool,
        "adapter": item.adapter,
        "store": str(item.path),
        "kind": item.kind,
    }


def problem(item: Problem) -> JsonObject:
    """Something that could not be read."""
    value = {"kind": item.kind, "path": item.path, "message": item.message}
    return value if item.record is None else {**value, "record": item.record}


def error(raised: FinderError) -> JsonObject:
    """An error, as the whole answer."""
    return {
        "error": {
            "kind": raised.kind,
            "message": raised.message,
            "hint": raised.hint,
            "candidates": list(raised.candidates),
        }
    }


def format_(adapter: Adapter) -> JsonObject:
    """What an adapter reads and what its format can hold."""
    can = adapter.can._asdict()
    return {"adapter": adapter.name, "tool": adapter.tool, "title": adapter.title, "can": can}


def event(item: Numbered, *, raw: bool = False) -> JsonObject:
    """One event; with `raw` also the native record that it is the first from."""
    seq, happened = item
    value: JsonObject = {"seq": seq, "type": happened.type}
    told, values = _fields(happened.type)
    for (name, tell), inner in zip(told, values(happened), strict=True):
        if inner is not None:
            value[name] = inner if tell is None else tell(inner)
    value["labels"] = list(happened.labels)
    if raw and happened.raw is not None:
        value["raw"] = happened.raw
    return value


class _Fields(NamedTuple):
    """The fields of a type of event, each with what tells its value otherwise than as it is."""

    told: tuple[tuple[str, Callable[[Any], Json] | None], ...]
    values: Callable[[object], tuple[Any, ...]]


@cache
def _fields(kind: str) -> _Fields:
    from finder.model import EVENT_TYPES

    apart = {"type", "labels", "raw"}
    plain = tuple(name for name in names(EVENT_TYPES[kind]) if name not in apart)
    return _Fields(tuple((name, _TOLD.get(name)) for name in plain), attrgetter(*plain))


def _usage(usage: Usage) -> JsonObject:
    value = {}
    for name in names(usage):
        count = getattr(usage, name)
        if count is not None:
            value[name] = count
    return value


def _child(ref: Ref) -> JsonObject:
    return {"tool": ref.tool, "store": ref.store, "id": ref.id, "ref": str(ref)}


# Of the fields of events, those whose values are not told as they are.
_TOLD: dict[str, Callable[[Any], Json]] = {
    **dict.fromkeys(("at", "started", "finished"), iso),
    "usage": _usage,
    "child": _child,
}


def event_problem(item: Numbered, ref: Ref) -> Problem | None:
    """The problem that an unreadable record in a story is."""
    unread = item.event
    if unread.type != "opaque" or not unread.problem:
        return None
    return Problem(kind="corrupt", path=ref.store, message=unread.problem, record=unread.record)
