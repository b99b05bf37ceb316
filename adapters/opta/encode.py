"""Sessions in the forms that Opta has, as files below its config folder.

    sessions/<id>.json                    what `opta sessions` lists and `--resume` continues
    daemon/sessions/<id>/snapshot.json    what the daemon and its clients see
    <id>/session.json, metadata.json      as the manual has it

The chat form is written alone: when a client of the daemon opens such a session, Opta gives it to
the daemon itself, and from then on the daemon's copy counts there, however old. Only where records
of its log are there to be kept is the daemon's copy written too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from adapters.opta import documented, foreign, own, reasons, times
from finder.model import Event, Json, JsonObject, Session
from finder.writing import Draft, File, JsonText, Plan, Report, derived_id

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CACHE = "sessions/index.json"
_FIRST_KEYS = ("id", "created", "updated", "model", "cwd", "title", "tags")
_LAST_KEYS = ("toolCallCount", "compacted")
_SNAPSHOT_KEYS = ("sessionId", "model", "title", "createdAt", "updatedAt")


def identifier(session: Session, salt: str) -> str:
    """Its own id, if it is one of Opta's; else one as nanoid makes them.

    A derived one never begins with a minus, which the command line would take for an option.
    """
    id_ = session.ref.id
    if session.ref.tool == "opta" and not salt and _ID.fullmatch(id_) and id_ != "index":
        return id_
    return derived_id(session.ref, 12, _LETTERS, salt)


def chat_draft(session: Session, events: Sequence[Event], plan: Plan, report: Report) -> Draft:
    """What `opta chat --resume` loads; with the daemon's copy, if there is a log of its."""
    if not own.are_messages(session, events):
        reasons.of_messages(report)
        messages: list[Json] = [*foreign.messages(session, events, plan, report)]
        head = _chat_header(session, plan, foreign.links(events, plan))
        return _draft(plan, [_chat_file(head, messages, plan)])
    reasons.of_own(report)
    found = own.records_of(session, events, plan, report)
    files = _logs(found, plan)
    if files:
        told = found.messages if _is_snapshot(session) else found.messages[: found.daemon]
        files.append(_snapshot_file(_snapshot_header(session, plan, found.seq), told, plan))
    head = _own_chat_header(session, plan)
    return _draft(plan, [*files, _chat_file(head, found.messages, plan)])


def daemon_draft(session: Session, events: Sequence[Event], plan: Plan, report: Report) -> Draft:
    """What the daemon loads, with its log."""
    if own.are_messages(session, events):
        reasons.of_own(report)
        found = own.records_of(session, events, plan, report)
    else:
        reasons.of_messages(report)
        found = own.Own([*foreign.messages(session, events, plan, report)])
    reasons.of_daemon(report)
    head = _snapshot_header(session, plan, found.seq)
    return _draft(plan, [*_logs(found, plan), _snapshot_file(head, found.messages, plan)])


def documented_draft(
    session: Session, events: Sequence[Event], plan: Plan, report: Report
) -> Draft:
    """The folder that the manual describes."""
    if own.are_documented(session, events):
        reasons.of_own(report)
        items: list[Json] = [event.raw for event in events if event.raw is not None]
        head, metadata = own.header(session), (session.raw or {}).get("metadata.json")
    else:
        reasons.of_documented(report)
        items, head, metadata = documented.written(events, report), {}, None
    title = {} if session.title is None else {"title": session.title}
    created, updated = _times(session, plan, head)
    stated = {**title, "createdAt": created, "updatedAt": updated}
    if metadata is None:
        calls = sum(event.type == "tool_call" for event in events)
        metadata = {**stated, "stats": {"toolCallCount": calls}}
    body = {**head, "sessionId": plan.id, **stated, "events": items}
    files = (
        File(path=f"{plan.id}/metadata.json", data=JsonText(metadata)),
        File(path=f"{plan.id}/session.json", data=JsonText(body)),
    )
    return Draft(id=plan.id, files=files, store=plan.id, owned=(plan.id,))


def _draft(plan: Plan, files: Iterable[File]) -> Draft:
    owned = (f"daemon/sessions/{plan.id}", f"sessions/{plan.id}")
    found = tuple(files)
    caches = (_CACHE,) if found[-1].path.startswith("sessions/") else ()
    return Draft(id=plan.id, files=found, store=".", owned=owned, caches=caches)


# -- files -----------------------------------------------------------------------------------


def _chat_file(head: JsonObject, messages: list[Json], plan: Plan) -> File:
    counted = {"toolCallCount": foreign.calls(messages), "compacted": False}
    last = {key: head.get(key, counted[key]) for key in _LAST_KEYS}
    first = {key: value for key, value in head.items() if key not in last}
    body = {**first, "messages": messages, **last}
    return File(path=f"sessions/{plan.id}.json", data=JsonText(body))


def _snapshot_file(head: JsonObject, messages: list[Json], plan: Plan) -> File:
    count = head.get("toolCallCount", foreign.calls(messages))
    seq = head.pop("seq")
    body = {**head, "messages": messages, "toolCallCount": count, "seq": seq}
    return File(path=f"daemon/sessions/{plan.id}/snapshot.json", data=JsonText(body))


def _logs(found: own.Own, plan: Plan) -> list[File]:
    return [
        File(
            path=f"{place}sessions/{plan.id}/events.jsonl",
            data=b"".join(line + b"\n" for line in lines),
        )
        for place, lines in found.logs.items()
    ]


# -- headers ---------------------------------------------------------------------------------


def _chat_header(session: Session, plan: Plan, tags: list[str]) -> JsonObject:
    created, updated = _times(session, plan, {})
    return {
        "id": plan.id,
        "created": created,
        "updated": updated,
        "model": session.model or "",
        "cwd": plan.directory or session.directory or "",
        "title": session.title or "",
        "tags": tags,
    }


def _own_chat_header(session: Session, plan: Plan) -> JsonObject:
    """The header as it was, with all that the program demands of it."""
    raw = own.header(session)
    made = _chat_header(session, plan, [])
    made["created"], made["updated"] = _times(session, plan, raw)
    if plan.directory is None and isinstance(raw.get("cwd"), str):
        made["cwd"] = raw["cwd"]
    elif plan.directory is None and "inferred" in session.labels:
        made["cwd"] = ""  # it is read from the prompt, and will be again
    if _is_chat(raw):
        made.pop("tags")  # they may be missing, and once were
        if isinstance(raw.get("tags"), list):
            made["tags"] = raw["tags"]
    kept = {key: raw[key] for key in _LAST_KEYS if _is_counted(key, raw.get(key))}
    more = raw if _is_chat(raw) else {}
    unknown = {k: v for k, v in more.items() if k not in (*_FIRST_KEYS, *_LAST_KEYS)}
    return {**made, **unknown, **kept}


def _snapshot_header(session: Session, plan: Plan, seq: int) -> JsonObject:
    raw = own.header(session) if session.ref.tool == "opta" else {}
    snapshot = raw if _is_snapshot(session) else {}
    created, updated = _times(session, plan, raw)
    title = session.title if session.title is not None else snapshot.get("title")
    made = {
        "sessionId": plan.id,
        "model": session.model or "",
        **({} if title is None else {"title": title}),
        "createdAt": created,
        "updatedAt": updated,
    }
    last = ("toolCallCount", "seq")
    unknown = {k: v for k, v in snapshot.items() if k not in (*_SNAPSHOT_KEYS, *last)}
    count = raw.get("toolCallCount")
    known = {"toolCallCount": count} if _is_counted("toolCallCount", count) else {}
    number = snapshot.get("seq")
    return {**made, **unknown, **known, "seq": number if isinstance(number, int) else seq}


def _is_chat(raw: JsonObject) -> bool:
    return "id" in raw and "cwd" in raw


def _is_snapshot(session: Session) -> bool:
    raw = own.header(session)
    return session.ref.tool == "opta" and "sessionId" in raw and "savedAt" not in raw


def _is_counted(key: str, value: Json) -> bool:
    if key == "compacted":
        return isinstance(value, bool)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _times(session: Session, plan: Plan, raw: JsonObject) -> tuple[str, str]:
    """When it was created and updated, as it was written where it was written at all."""
    created = session.created if session.created is not None else session.updated
    updated = session.updated if session.updated is not None else session.created
    return (
        _time(session.created, raw.get("created", raw.get("createdAt")), created, plan),
        _time(session.updated, raw.get("updated", raw.get("updatedAt")), updated, plan),
    )


def _time(known: int | None, written: Json, nearest: int | None, plan: Plan) -> str:
    if isinstance(written, str) and times.milliseconds(written) == known:
        return written
    return times.text(plan.now if nearest is None else nearest)
