"""A session in OpenCode's form, as it goes into an export, a tree of files, or a database.

OpenCode's own records are written back as they are (`adapters.opencode.own`), completed only where
the program would refuse them (`demands`); sessions of other tools, and those of OpenCode's newer
API, are made from their events (`foreign`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from adapters.opencode import demands, own, reasons, renew
from adapters.opencode.ids import TOOL, Ids, is_id
from adapters.opencode.own import Beside, Form, Kept
from finder import jsonio
from finder.dataclass import replace
from finder.jsonio import integer, mapping, string
from finder.model import Event, Json, JsonObject, Session
from finder.writing import Draft, File, JsonText, Plan, Report

if TYPE_CHECKING:
    from adapters.opencode.project import Project

EXPORT = Form("an export", frozenset({"key"}))
FILES = Form(
    "the file store", frozenset({"todo", "diff", "output"}), current=False, todo_rows=False
)
DATABASE = Form("the database", frozenset({"todo", "diff", "output", "row"}), row_times=True)
OLDER_DATABASE = Form(
    "a database of before 1.17", frozenset({"todo", "diff", "output"}), row_times=True
)


class Encoded(NamedTuple):
    """A session's records in the shape of an export."""

    info: JsonObject
    messages: list[Kept]
    beside: Sequence[Beside] = ()


def encoded(
    session: Session, events: Sequence[Event], plan: Plan, report: Report, form: Form
) -> Encoded:
    """The session's records; what becomes of each event goes into the report."""
    if own.are_own(session, events, rows="row" in form.beside):
        return _written_back(session, events, plan, report, form)
    from adapters.opencode import foreign

    reasons.of_foreign(report)
    if session.directory == "" and not plan.directory:
        report.rule("dropped", "session", "directory", "for OpenCode an empty one is none")
    session = _whole(session, report)
    told = foreign.told(session, events, plan, report)
    ids = Ids(plan.id, "info")
    info = _header_info(session, plan)
    if told.reverted is not None:
        info["revert"] = {"messageID": told.reverted}
    messages = [Kept(made.id, made.info, made.parts) for made in told.messages]
    return Encoded(demands.complete_session(info, session, plan, ids), messages)


def _whole(session: Session, report: Report) -> Session:
    """The header in Unicode: of half a surrogate pair the program makes another character.

    It swallows what follows there. Within messages such halves stay, since JSON escapes them.
    """
    for name in ("title", "directory", "agent", "model"):
        text = getattr(session, name) or ""
        whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        if whole != text:
            changes: dict[str, Any] = {name: whole}
            session = session._replace(**changes)
            report.rule("changed", "session", name, "OpenCode keeps it as Unicode")
    return session


def _header_info(session: Session, plan: Plan) -> JsonObject:
    """The session object of a session whose own record is not at hand."""
    from adapters.opencode.made import named

    provider, name = named(session.model or "")
    archived = session.archived
    if archived is None and "archived" in session.labels:
        archived = session.updated or session.created or plan.now
    return {
        "directory": plan.directory or session.directory,
        "parentID": _parent(session, plan),
        "title": session.title or None,
        "agent": session.agent,
        "model": {"id": name, "providerID": provider} if session.model else None,
        "time": {
            "created": _past(session.created, plan.now),
            "updated": _past(session.updated, plan.now),
            "archived": _past(archived, plan.now),
        },
    }


def _parent(session: Session, plan: Plan) -> str | None:
    """The id of the session that started this one. One of OpenCode's own keeps it anyway."""
    if plan.parent is not None:
        return plan.ids.get(plan.parent)
    own = session.parent is not None and session.ref.tool == TOOL
    return session.parent.id if own and session.parent else None


def _past(at: int | None, now: int) -> int | None:
    return None if at is None else max(0, min(at, now))


def _written_back(
    session: Session, events: Sequence[Event], plan: Plan, report: Report, form: Form
) -> Encoded:
    records = own.records(session, events)
    messages = reasons.of_own(report, records, form)
    if form.row_times:
        for kept in messages:
            kept.times = own.row_times(kept.events)
    ids = Ids(plan.id)
    before = string(records.info.get("id")) or session.ref.id
    info, fits = records.info or _header_info(session, plan), True
    if form.current or "id" not in info:
        info = demands.complete_session(info, session, plan, ids)
    if form.current:
        marks = {event.record or "" for event in events if _is_old_mark(event)}
        messages = demands.complete_messages(messages, session, marks, ids, plan.now)
        fits = not marks or demands.is_ordered(messages)
    else:
        messages = [_as_file(kept, ids) for kept in messages]
    children = {ref.id: new for ref, new in plan.ids.items() if ref.tool == session.ref.tool}
    info = _placed(info, plan, children)
    if before != plan.id or not fits or not renew.are_fit(messages):
        renew.renew(messages, info, ids)
    renew.adopt(messages, plan.id, children)
    beside = [one for one in records.beside if one.kind in form.beside]
    return Encoded(info, messages, beside)


def _is_old_mark(event: Event) -> bool:
    """Whether a message is a compaction by itself, without a part that says so."""
    return event.type == "compaction" and event.raw is None and event.record == event.message


def _as_file(kept: Kept, ids: Ids) -> Kept:
    """A message of any version as one of the file store, without what only the newest demand."""
    if not kept.is_left_over:
        kept.info = demands.record_of(kept)
    if any("id" not in part for part in kept.parts):  # up to 0.1 they stood in the message
        kept.info = kept.info and {k: v for k, v in kept.info.items() if v is not None}
        at = integer(mapping((kept.info or {}).get("time")).get("created")) or 0
        kept.parts = [demands.complete_part(part, kept.id, at, ids) for part in kept.parts]
    return kept


def _placed(info: JsonObject, plan: Plan, children: dict[str, str]) -> JsonObject:
    """The session object with its id, parent and directory in the target."""
    found = {**info, "id": plan.id}
    parent = plan.ids.get(plan.parent) if plan.parent else None
    if parent is not None:
        found["parentID"] = parent
    elif isinstance(info.get("parentID"), str):
        found["parentID"] = children.get(info["parentID"], info["parentID"])
    if plan.directory is not None and plan.directory != info.get("directory"):
        found["directory"] = plan.directory
        found.pop("path", None)  # it was below the other directory's worktree
    return found


# -- files -----------------------------------------------------------------------------------


def export_draft(session: Session, events: Sequence[Event], plan: Plan, report: Report) -> Draft:
    """The file that ``opencode export`` would print, and ``opencode import`` reads."""
    made = encoded(session, events, plan, report, EXPORT)
    document: JsonObject = {"info": made.info, "messages": [_item(kept) for kept in made.messages]}
    for one in made.beside:
        document |= one.value
    name = f"{plan.id}.json"
    text = JsonText(document, end=b"\n")
    return Draft(id=plan.id, files=(File(path=name, data=text),), store=name)


def _item(kept: Kept) -> JsonObject:
    return {"info": kept.info, "parts": kept.parts, **kept.more}


def files_draft(session: Session, events: Sequence[Event], plan: Plan, report: Report) -> Draft:
    """The files of the storage tree, below the data folder."""
    made = encoded(session, events, plan, report, FILES)
    found: list[File] = []
    for kept in made.messages:
        found += [_file(f"part/{kept.id}/{part['id']}.json", part) for part in kept.parts]
        if kept.info is not None:
            found.append(_file(f"message/{plan.id}/{kept.id}.json", kept.info))
    found += _beside(made, plan)
    project, info = _project(session, made.info, plan)
    found.append(_project_file(project, plan.now))
    found.append(_file(f"session/{project.id}/{plan.id}.json", info))
    owned = [f"storage/message/{plan.id}"]
    owned += [f"storage/part/{kept.id}" for kept in made.messages]
    return Draft(id=plan.id, files=tuple(found), store="storage", owned=tuple(owned))


def _project(session: Session, info: JsonObject, plan: Plan) -> tuple[Project, JsonObject]:
    """The project that the program will look for the session in, and the session with its id.

    One of OpenCode's own keeps its project, unless it is to go on elsewhere.
    """
    from adapters.opencode.project import GLOBAL, NO_PROJECT, Project, project_of

    directory = string(info.get("directory"))
    found = project_of(directory, by_remote=False)
    found = found if _is_project(found.id) else NO_PROJECT  # what a repository says may be anything
    if session.ref.tool != TOOL or plan.directory is not None:
        return found, {**info, "projectID": found.id}
    had = string(info.get("projectID")) or ""
    if not _is_project(had) or had == GLOBAL:
        return NO_PROJECT, info
    return (found if found.id == had else Project(had, directory or "/", "git")), info


def _is_project(identifier: str) -> bool:
    return re.fullmatch("[0-9A-Za-z_-]{1,64}", identifier) is not None


def _project_file(project: Project, now: int) -> File:
    """What the program knows of a project; what it knows already stays."""
    value: JsonObject = {"id": project.id, "worktree": project.worktree}
    if project.vcs is not None:
        value["vcs"] = project.vcs
    value |= {"sandboxes": [], "time": {"created": now, "updated": now}}
    return replace(_file(f"project/{project.id}.json", value), shared=True)


def _file(path: str, value: Json) -> File:
    return File(path=f"storage/{path}", data=jsonio.dumps(value, indent=True))


def _beside(made: Encoded, plan: Plan) -> list[File]:
    todos = todo_items(made.beside)
    listed = [] if todos is None else [_file(f"todo/{plan.id}.json", todos)]
    return [*listed, *side_files(made, plan)]


def side_files(made: Encoded, plan: Plan) -> list[File]:
    """What every version keeps as files in the data folder: file changes and full outputs."""
    found = [
        _file(f"session_diff/{plan.id}.json", one.value)
        for one in made.beside
        if one.kind == "diff"
    ]
    outputs = [output_file(one) for one in made.beside]
    return [*found, *(output for output in outputs if output is not None)]


def todo_items(beside: Sequence[Beside]) -> list[Json] | None:
    """The todo list as its file has it; None if there is none."""
    found: list[Json] = []
    for one in beside:
        if one.kind == "todo" and isinstance(one.value, list):
            found += one.value
        elif one.kind == "todo":
            found.append({k: one.value[k] for k in _TODO if k in one.value})
    return found if any(one.kind == "todo" for one in beside) else None


_TODO = ("content", "status", "priority", "id")


def output_file(one: Beside) -> File | None:
    """The file with the full text of a tool result that was cut, if that is known."""
    import base64
    import binascii

    name = getattr(one.event, "name", None) or ""
    if one.kind != "output" or one.value is None or not is_id("tool", name):
        return None
    try:
        data = base64.b64decode(one.value, validate=True)
    except (binascii.Error, ValueError):
        return None
    return File(path=f"tool-output/{name}", data=data)
