"""What OpenCode demands of records that it imports and goes on from, filled in where it is missing.

Complete records, those of 1.1 and later, come out as they went in. Older ones lack what came
later: a session's slug (1.1), a user's agent and model (1.0.185), an answer's agent and parentID.
Summaries of before 1.0.185 are no compaction to the program now: it would send all that came
before them. So a user message with a ``compaction`` part is put before each, as it has been
made since. Null is refused for any key that may be missing, so such keys go. (Read in 1.18.33.)
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any

from adapters.opencode.ids import Ids
from adapters.opencode.own import Kept
from finder.jsonio import dumps, integer, mapping, string
from finder.model import Json, JsonObject, Session
from finder.writing import Plan

VERSION = "1.18.33"  # of the form that is written
_NO_TOKENS: JsonObject = {
    "input": 0,
    "output": 0,
    "reasoning": 0,
    "cache": {"read": 0, "write": 0},
}


def complete_session(info: JsonObject, session: Session, plan: Plan, ids: Ids) -> JsonObject:
    """The session object with all that must be in it."""
    time = mapping(info.get("time"))
    created = _at(time.get("created"), session.created, session.updated, plan.now)
    updated = _at(time.get("updated"), session.updated, created)
    title = string(info.get("title"))
    made: JsonObject = {
        "slug": string(info.get("slug")) or ids.slug(),
        "projectID": string(info.get("projectID")) or "global",
        "title": _title(plan, created) if title is None else title,
        "version": string(info.get("version")) or VERSION,
        "time": _without_null({**time, "created": created, "updated": updated}),
    }
    if session.directory is not None and not string(info.get("directory")):
        made["directory"] = session.directory
    return _without_null({"id": plan.id, **info, **made})


def _title(plan: Plan, created: int) -> str:
    """The title that the program gives a session which has none."""
    from datetime import UTC, datetime

    kind = "Child" if plan.parent else "New"
    at = datetime.fromtimestamp(min(created, 253_402_300_799_000) / 1000, UTC)
    return f"{kind} session - {at.isoformat(timespec='milliseconds').replace('+00:00', 'Z')}"


def complete_messages(
    messages: Sequence[Kept], session: Session, marks: Collection[str], ids: Ids, now: int
) -> list[Kept]:
    """The messages with all that must be in them.

    Args:
        marks: ids of the messages that are compactions by themselves, of the old kind.
    """
    done: list[Kept] = []
    asked = ids.nobody()
    defaults = _Defaults(session, messages)
    defaults.at = min(session.created or session.updated or now, now)
    for kept in messages:
        info = record_of(kept)
        told = (event.at for event in kept.events if event.type == "message")
        at = defaults.at = _at(mapping(info.get("time")).get("created"), *told, defaults.at)
        if info.get("role") == "assistant":
            if kept.id in marks:
                mark = _mark(kept, defaults, ids)
                done.append(mark)
                asked = mark.id
                info = {**info, "parentID": asked, "finish": info.get("finish") or "stop"}
            info = defaults.answer(info, asked)
        else:
            asked = kept.id
            info = defaults.prompt(info)
        info["time"] = _without_null(info["time"])
        kept.info = _without_null(info)
        kept.parts = [complete_part(part, kept.id, at, ids) for part in kept.parts]
        done.append(kept)
    return done


def record_of(kept: Kept) -> JsonObject:
    """A message's record, in which it is said who spoke."""
    if kept.info is None:
        return _recovered(kept)
    who = {} if kept.says_who_spoke else {"role": _recovered(kept)["role"]}
    return {**kept.info, **who}


def _recovered(kept: Kept) -> JsonObject:
    """A record for a message of which the parts alone are left; who spoke was deduced."""
    session = next((string(part.get("sessionID")) for part in kept.parts), None)
    spoken = any(event.role == "assistant" for event in kept.events)
    times = [event.at for event in kept.events if event.at is not None]
    return {
        "id": kept.id,
        "sessionID": session,
        "role": "assistant" if spoken else "user",
        "time": {"created": min(times)} if times else {},
    }


class _Defaults:
    """What a message gets that does not say it itself; the model is that of the first answer."""

    def __init__(self, session: Session, messages: Sequence[Kept]) -> None:
        self.directory = session.directory or ""
        self.at = 0
        self.agent = session.agent or "build"
        provider, slash, name = (session.model or "").partition("/")
        self.model = {
            "providerID": provider if slash else "",
            "modelID": name if slash else provider,
        }
        for message in messages:
            info = mapping(message.info)
            if string(info.get("modelID")):
                provider = string(info.get("providerID")) or ""
                self.model = {"providerID": provider, "modelID": info["modelID"]}
                break

    def prompt(self, info: JsonObject) -> JsonObject:
        agent = string(info.get("agent")) or self.agent
        time = {**mapping(info.get("time")), "created": self.at}
        model = info.get("model") or dict(self.model)
        return {**info, "time": time, "agent": agent, "model": model}

    def answer(self, info: JsonObject, asked: str) -> JsonObject:
        mode = string(info.get("mode")) or string(info.get("agent")) or self.agent
        place = self.directory
        return {
            **info,
            "time": {**mapping(info.get("time")), "created": self.at},
            "parentID": string(info.get("parentID")) or asked,
            "modelID": string(info.get("modelID")) or self.model["modelID"],
            "providerID": string(info.get("providerID")) or self.model["providerID"],
            "mode": mode,
            "agent": string(info.get("agent")) or mode,
            "path": info.get("path") or {"cwd": place, "root": place},
            "cost": info.get("cost") or 0,
            "tokens": info.get("tokens") or _NO_TOKENS,
        }


def _mark(summary: Kept, defaults: _Defaults, ids: Ids) -> Kept:
    """The user message with which a compaction begins, made for a summary that has none."""
    identifier, session = ids.before(summary.id), string(mapping(summary.info).get("sessionID"))
    info = {"id": identifier, "sessionID": session, "role": "user"}
    part = {
        "id": ids.part(),
        "sessionID": session,
        "messageID": identifier,
        "type": "compaction",
        "auto": False,
    }
    return Kept(identifier, defaults.prompt(info), [part])


def complete_part(part: JsonObject, message: str, at: int, ids: Ids) -> JsonObject:
    """A part with all that must be in it; the same object, if it has no null."""
    found = _without_null(part)
    if not isinstance(found.get("id"), str):
        found["id"] = ids.part()
    found.setdefault("messageID", message)
    kind = found.get("type")
    if kind == "tool":
        found["callID"] = string(found.get("callID")) or found["id"]
        found["tool"] = string(found.get("tool")) or "unknown"
        found["state"] = _state(mapping(found.get("state")), at)
    elif kind == "reasoning":
        found["text"] = string(found.get("text")) or ""
        found["time"] = mapping(found.get("time")) or {"start": at}
    elif kind == "step-finish":
        for key, value in (("reason", "unknown"), ("cost", 0), ("tokens", _NO_TOKENS)):
            found.setdefault(key, value)
    elif kind == "file":
        url = string(found.get("url")) or ""
        mime = string(found.get("mime")) or string(found.get("mediaType")) or "text/plain"
        found |= {"mime": mime, "url": url}
        found.pop("mediaType", None)  # the name of 0.1
    return found


def _state(state: JsonObject, at: int) -> JsonObject:
    """A tool's state by its status. One that never ended stays as it is: it is known as such."""
    found = {**_without_null(state)}
    status = found.get("status")
    time = _without_null(mapping(found.get("time")))
    start = integer(time.get("start")) or at
    if not isinstance(found.get("input"), dict):
        found["input"] = {} if found.get("input") is None else {"arguments": found["input"]}
    if status == "pending":
        return {**found, "raw": string(found.get("raw")) or ""}
    found["time"] = {**time, "start": start}
    if status in ("completed", "error"):
        found["time"]["end"] = integer(time.get("end")) or start
    if status == "completed":
        found["output"] = _text(found.get("output"))
        found["title"] = string(found.get("title")) or ""
        found["metadata"] = mapping(found.get("metadata"))
    elif status == "error":
        found["error"] = _text(found.get("error"))
        found.pop("title", None)  # 0.1 has one; import would leave it out without a word
    return found


def _text(value: Json) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return dumps(value).decode()


def _at(*times: Json) -> int:
    """The first that is a time."""
    for time in times:
        known = integer(time)
        if known is not None and known >= 0:
            return known
    return 0


def _without_null(fields: JsonObject) -> JsonObject:
    """The same object, if it has none."""
    if None not in fields.values():
        return fields
    return {key: value for key, value in fields.items() if value is not None}


def is_ordered(messages: Sequence[Kept]) -> bool:
    """Whether the program, which orders by (time, id), tells the messages in this order."""
    keys = [(_at(mapping(mapping(m.info).get("time")).get("created")), m.id) for m in messages]
    inner = all(_rising([str(part.get("id")) for part in m.parts]) for m in messages)
    return inner and _rising(keys)


def _rising(keys: Sequence[Any]) -> bool:
    return all(one < other for one, other in pairwise(keys))
