"""Sessions written as Clacky's: ``sessions/<time>-<id8>.json``, and an archive beside it.

What the program demands of a file that it will load and go on from (0.9.19, 1.5.1): an id of 16
hexadecimal digits, times in ISO 8601, a working directory, a known profile, and messages as
`adapters.clacky.compose` makes them. Its retention goes by ``updated_at``, so this is the time of
writing. A status of ``error`` would make it drop the last turn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from adapters.clacky import archiving, header, made, own
from adapters.clacky.account import account_for_order, account_for_times
from adapters.clacky.compose import Composer
from adapters.clacky.entry import UNDONE, Answer, AnyEntry, Entry
from adapters.clacky.own import Records
from adapters.clacky.reasons import ALTERED, NO_CONTENT
from finder.model import Compaction, Event, Json, JsonObject, Session
from finder.writing import Draft, File, JsonText, Plan, Report, derived_id

_HEX = "0123456789abcdef"
_OWN_ID = r"[0-9a-f]{16}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_PROFILES = ("coding", "general")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_PLACE = "OpenClacky has no place for it"


def target_id(session: Session, salt: str = "") -> str:
    """A session's id in Clacky: its own, if it is one of Clacky's, else one made from it.

    A stray archive gets another one than the session that it comes from: under that one's id it
    would be told as a part of the new session.
    """
    stray = "compacted" in session.labels
    own = session.ref.tool == "clacky" and re.fullmatch(_OWN_ID, session.ref.id)
    if own and not salt and not stray:
        return session.ref.id
    tries = 0
    while True:
        made_id = derived_id(session.ref, 16, _HEX, f"{salt}+{tries}" if tries else salt)
        if not made_id[:8].isdecimal():  # what looks like a number may be taken for one
            return made_id
        tries += 1


def encode(session: Session, events: Sequence[Event], plan: Plan, report: Report) -> Draft:
    """The session as Clacky's files."""
    are_own = own.are_whole(session, events)
    if are_own:
        found = own.records(session, events, plan, report)
        _state_created(found.record, session, plan, report)
        base = _base(found.record)
        found = own.renamed(found, base, session, report)
    else:
        found = _translated(session, events, plan, report)
        base = _base(found.record)
    files = [
        File(path=f"sessions/{name}", data=_as_bytes(text), mode=0o600)
        for name, text in found.archives.items()
    ]
    # The numbers of others are seen to while messages are made of them.
    data = JsonText(found.record, finite=not are_own)
    files.append(File(path=f"sessions/{base}.json", data=data, mode=0o600))
    owned = (f"sessions/{base}-chunk-*",)
    return Draft(id=plan.id, files=tuple(files), store=".", owned=owned)


def _as_bytes(text: str) -> bytes:
    """An archive's text; bytes that were no UTF-8 were read as surrogate escapes."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _state_created(record: JsonObject, session: Session, plan: Plan, report: Report) -> None:
    """Give a record a time of creation, if it has none: all of Clacky's names come from it."""
    if header.milliseconds(record.get("created_at")) is None:
        at = _possible(session.updated) or plan.now
        record["created_at"] = _iso(at)
        report.rule("invented", "session", "created", "OpenClacky lists no session without it")


def _base(record: JsonObject) -> str:
    """What a session's files are called, by Clacky's own rule: in the offset that is stated."""
    created = datetime.fromisoformat(record["created_at"])
    return f"{created.year:04}-{created:%m-%d-%H-%M-%S}-{record['session_id'][:8]}"


# -- sessions of other tools -----------------------------------------------------------------


def _translated(session: Session, events: Sequence[Event], plan: Plan, report: Report) -> Records:
    composer = Composer(report, events)
    entries = composer.compose()
    archived = [entry for entry in entries if entry.state == "archived"]
    live = _in_order(entries)
    record = _session_object(session, entries, plan, report)
    archives: dict[str, str] = {}
    name, archived_at = None, None
    if archived:
        name = f"{_base(record)}-chunk-1.md"
        archived_at = _archived_at(live, session, plan)
        text = archiving.written(archived, plan.id, name, _iso(archived_at), report)
        archives[name] = text
    read = [*_leading(live), *archived, *live[len(_leading(live)) :]]
    account_for_order(read, events, composer.answers, report)
    account_for_times(live, header.milliseconds(record["created_at"]) or 0, archived_at, report)
    record["messages"] = _messages(live, name, report)
    _account(session, record, report)
    return Records(record, archives)


def _leading(entries: Sequence[AnyEntry]) -> list[AnyEntry]:
    return list(entries[:1]) if entries and entries[0].role == "system" else []


def _in_order(entries: Sequence[AnyEntry]) -> list[AnyEntry]:
    """The live messages as Clacky has them: the summary before the recent ones that were kept."""
    live = [entry for entry in entries if entry.state != "archived"]
    summaries = [entry for entry in live if entry.summary]
    if not summaries:
        return live
    last = summaries[-1]
    kept = any(isinstance(event, Compaction) and event.keep for event in last.events)
    if len(live) == len(entries) and not kept:
        return live
    first = _leading(live)
    return [*first, last, *(e for e in live[len(first) :] if e is not last)]


def _archived_at(live: Sequence[AnyEntry], session: Session, plan: Plan) -> int:
    """When the context was cut, as far as anybody knows."""
    times = [e.at for entry in live if entry.summary for e in entry.events]
    known = (_possible(at) for at in (*times, session.updated))
    return next((at for at in known if at is not None), plan.now)


def _messages(live: Sequence[AnyEntry], archive: str | None, report: Report) -> list[Json]:
    found = []
    for entry in live:
        message = _message(entry)
        if entry.summary:
            message["compressed_summary"] = True
            if archive is not None:
                message["chunk_path"] = archive
                archive = None
        found.append(message)
    return found


def _message(entry: AnyEntry) -> JsonObject:
    """The message as it stands in the file."""
    if isinstance(entry, Answer):
        message: JsonObject = {
            "role": entry.role,
            "tool_call_id": entry.call,
            "content": entry.output,
        }
    else:
        message = _said(entry)
    if entry.state == "hidden":
        message["task_id"] = UNDONE
    if entry.at is not None:
        message["created_at"] = entry.at / 1000
    if isinstance(entry, Answer):
        return message
    if entry.files:
        message["display_files"] = [file for _, file in entry.files]
    if entry.flagged and entry.role != "system":
        message["system_injected"] = True
    usage = made.token_usage(entry.message) if entry.message is not None else None
    if usage is not None:
        message["token_usage"] = usage
    return message


def _said(entry: Entry) -> JsonObject:
    message: JsonObject = {"role": entry.role, "content": _content(entry.texts)}
    if entry.reasoning is not None:
        message["reasoning_content"] = entry.reasoning
    if entry.calls:
        calls = zip(entry.calls, entry.names, entry.arguments, strict=True)
        message["tool_calls"] = [
            {
                "id": name,
                "type": "function",
                "function": {"name": made.tool_name(call.name), "arguments": arguments},
            }
            for call, name, arguments in calls
        ]
    return message


def _content(parts: Sequence[JsonObject]) -> Json:
    if not parts:
        return ""
    if len(parts) == 1 and parts[0]["type"] == "text":
        return parts[0]["text"]
    return list(parts)


# -- the session object ----------------------------------------------------------------------


def _session_object(
    session: Session, entries: Sequence[AnyEntry], plan: Plan, report: Report
) -> JsonObject:
    """All but the messages."""
    live = [entry for entry in entries if entry.state != "archived"]
    undone = UNDONE if any(entry.state == "hidden" for entry in live) else 0
    known = (made.cost(entry.message) for entry in entries if entry.message is not None)
    costs = [cost for cost in known if cost]
    directory = plan.directory if plan.directory is not None else session.directory
    if directory is None:
        report.rule("invented", "session", "directory", "the folder that OpenClacky is run in")
    return {
        "session_id": plan.id,
        "name": _name(session, live, report),
        "created_at": _iso(_created(session, live, plan, report)),
        "updated_at": _iso(plan.now - plan.now % 1000),
        "working_dir": "." if directory is None else made.clean(directory),
        "source": "manual",
        "agent_profile": session.agent if session.agent in _PROFILES else "coding",
        "todos": [],
        "time_machine": {
            "task_parents": {str(UNDONE): 0} if undone else {},
            "current_task_id": undone,
            "active_task_id": 0,
        },
        "config": _config(session),
        "stats": {
            "total_tasks": 0,
            "total_iterations": 0,
            "total_cost_usd": round(sum(costs, 0.0), 4),
            "duration_seconds": 0,
            "last_status": "success",
            "cache_stats": {
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "total_requests": 0,
                "cache_hit_requests": 0,
            },
            "debug_logs": [],
            "previous_total_tokens": 0,
        },
    }


def _config(session: Session) -> JsonObject:
    """The settings are those of the user when he goes on; the model is kept since 1.0."""
    config: JsonObject = {
        "permission_mode": "confirm_safes",
        "enable_compression": True,
        "enable_prompt_caching": True,
        "max_tokens": 8192,
        "verbose": False,
    }
    return config if session.model is None else config | {"model_name": made.clean(session.model)}


def _name(session: Session, live: Sequence[AnyEntry], report: Report) -> str:
    if session.title:
        return made.clean(session.title)
    note = "OpenClacky calls a session by its first words"
    for kind in ALTERED:
        report.rule(kind, "session", "title", note)
    return header.title({}, [_message(entry) for entry in live if entry.role == "user"]) or ""


def _created(session: Session, live: Sequence[AnyEntry], plan: Plan, report: Report) -> int:
    known = _possible(session.created)
    if known is not None:
        return known
    for kind in ALTERED:
        report.rule(kind, "session", "created", "OpenClacky lists no session without it")
    first = next((entry.at for entry in live if _possible(entry.at) is not None), None)
    return next(at for at in (first, _possible(session.updated), plan.now) if at is not None)


def _possible(at: int | None) -> int | None:
    """A time that a calendar has."""
    try:
        return None if at is None or _when(at).year < 1000 else at
    except OverflowError:
        return None


def _when(at: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=at)


def _iso(at: int) -> str:
    """As Clacky writes times; with milliseconds where there are any."""
    return _when(at).isoformat(timespec="milliseconds" if at % 1000 else "seconds")


def _account(session: Session, record: JsonObject, report: Report) -> None:
    """Report what the format as a whole has no place for."""
    report.rule("dropped", "notice", None, "OpenClacky keeps nothing beside the conversation")
    report.rule("dropped", "opaque", None, "records of another tool's own")
    note = "OpenClacky has no sessions below others: this one stands for itself"
    report.rule("dropped", "session", "parent", note)
    report.rule("dropped", "session", "archived", _NO_PLACE)
    report.rule("lowered", "session", "labels", _NO_PLACE)
    for label in ("reverted", "forked", "inferred"):
        report.rule("invented", "session", f"labels.{label}", "it has undone messages")
    kept = "so that OpenClacky's retention does not delete it, it is the time of writing"
    for kind in ALTERED:
        report.rule(kind, "session", "updated", kept)
        report.rule(kind, "session", "agent", "OpenClacky starts no session of unknown profile")
    report.rule("invented", "session", "model", "named in a context that the tool stated")
    for name in ("title", "directory", "model"):
        for kind in ("changed", "dropped"):
            report.rule(kind, "session", name, "OpenClacky's names are Unicode, and not empty")
    _account_for_messages(report)


def _account_for_messages(report: Report) -> None:
    split = "OpenClacky's messages hold one answer, and no calls before texts: one became several"
    report.rule("invented", "message", None, split)
    report.rule("dropped", "message", None, NO_CONTENT)
    for name in ("model", "agent", "finished", "error", "cost"):
        report.rule("dropped", "message", name, _NO_PLACE)
    for name in ("usage", "usage.cache_read", "usage.cache_write"):
        report.rule("invented", "message", name, "its interface calculates with these: 0")
    # A message without content is dropped, and one that was divided invented: which of several
    # openings is which, nobody can tell.
    for name in ("at", "role", "usage", "cost"):
        for kind in ALTERED:
            report.rule(kind, "message", name, split)
    for name in ("started", "title"):
        report.rule("dropped", "tool_result", name, "OpenClacky keeps only what came back")
    uncounted = "OpenClacky does not count these tokens"
    report.rule("dropped", "message", "usage.reasoning", uncounted)
    flagged = "OpenClacky flags a message by what is said in it"
    report.rule("lowered", "message", "labels", flagged)
    report.rule("invented", "message", "labels", flagged)
    for name in ("auto", "keep", "archive"):
        for kind in ALTERED:
            report.rule(kind, "compaction", name, "known by the archive and its place alone")
