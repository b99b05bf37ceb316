"""Opta's own records, as the events of a session have them in their `raw`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from adapters.opta import injected, log, records
from finder.dataclass import dataclass, field
from finder.jsonio import integer, mapping, string
from finder.model import Event, Json, JsonObject, Message, Session, ToolResult
from finder.writing import Plan, Report

_TOOL = "opta"
_MESSAGE = re.compile(r"messages/(\d+)")
_LINE = re.compile(r"(daemon/)?events/(\d+)")


@dataclass(slots=True)
class Own:
    """The records of one session.

    Attributes:
        daemon: how many of the messages the daemon's log tells of.
        logs: the lines of the daemon's log and of the desktop's, which say so of each record.
        seq: the highest number in them.
    """

    messages: list[Json] = field(default_factory=list)
    daemon: int = 0
    logs: dict[str, list[bytes]] = field(default_factory=dict)
    seq: int = 0


def are_messages(session: Session, events: Sequence[Event]) -> bool:
    """Whether every message is told from a record of its own, and not from a log."""
    given = {event.record for event in events if event.raw is not None}
    return session.ref.tool == _TOOL and all(
        event.record in given and _MESSAGE.fullmatch(event.record or "")
        for event in events
        if isinstance(event, Message)
    )


def are_documented(session: Session, events: Sequence[Event]) -> bool:
    """Whether the records are events of the form that the manual describes."""
    raws = [event.raw for event in events if event.raw is not None]
    return (
        session.ref.tool == _TOOL
        and "sessionId" in header(session)
        and bool(raws)
        and all(isinstance(raw, dict) and "type" in raw for raw in raws)
    )


def header(session: Session) -> JsonObject:
    """What stands beside the messages in the document that is told."""
    raw = mapping(session.raw)
    return mapping(raw["session.json"]) if "session.json" in raw else raw


def records_of(session: Session, events: Sequence[Event], plan: Plan, report: Report) -> Own:
    """The messages and the lines of the logs; what is no record of the session is reported."""
    found = Own()
    lines: dict[str, list[tuple[int, list[bytes]]]] = {}
    known = _outputs(events)
    for event in events:
        if event.raw is not None:
            line = _LINE.fullmatch(event.record or "")
            if _MESSAGE.fullmatch(event.record or ""):
                found.messages.append(event.raw)
            elif line is None or event.raw == "":
                report.dropped(event, note="tells of damage, where nothing could be read")
            else:
                raw = _renamed(event.raw, session, plan)
                problem = event.problem if event.type == "opaque" else None
                entry = int(line[2]), log.lines(raw, problem)
                lines.setdefault(line[1] or "", []).append(entry)
                found.seq = max(found.seq, *_numbers(event.raw))
        if isinstance(event, Message) and event.at is not None and event.role != "system":
            found.daemon = len(found.messages)
        if isinstance(event, ToolResult) and (event.call, event.output) not in known:
            _unmask(found.messages, event)
    found.logs = {
        place: [line for _, entry in sorted(numbered) for line in entry]
        for place, numbered in lines.items()
    }
    return found


def _renamed(raw: Json, session: Session, plan: Plan) -> Json:
    """The envelope of a copy, which has another id."""
    if plan.id == session.ref.id:
        return raw
    if isinstance(raw, list):
        return [_renamed(envelope, session, plan) for envelope in raw]
    if not isinstance(raw, dict):
        return raw
    inner = {
        key: _renamed(raw[key], session, plan) for key in ("payload", "snapshot") if key in raw
    }
    named = {"sessionId": plan.id} if raw.get("sessionId") == session.ref.id else {}
    return {**raw, **inner, **named}


def _numbers(raw: Json) -> list[int]:
    envelopes = raw if isinstance(raw, list) else [raw]
    return [integer(mapping(envelope).get("seq")) or 0 for envelope in envelopes] or [0]


def _outputs(events: Sequence[Event]) -> set[tuple[str, str | None]]:
    """The outputs that the logs have, with the ids of their calls."""
    payloads = (mapping(mapping(event.raw).get("payload")) for event in events)
    return {(string(p.get("id")) or "", string(p.get("result"))) for p in payloads if "result" in p}


def _unmask(messages: list[Json], event: ToolResult) -> None:
    """Write a tool's output in full, where only a copy that is not written still had it."""
    item = messages[-1] if messages else None
    if not isinstance(item, dict) or not records.is_message(item) or item["role"] != "tool":
        return
    if event.output is not None and injected.mask(records.text_of(item)):
        messages[-1] = {**item, "content": event.output}
