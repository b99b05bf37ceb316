"""Clacky's own sessions, written back as they are.

Changed is only what has to be: the name of the file, which Clacky computes from what is in it;
``deleted_at``, so that a session comes back from the trash; and, in a copy under another id, what
names the session: its id, in the archives' heads too, and the archives' names. Of the secrets
that were never read nothing is written, not even the mark in their place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from adapters.clacky import header, stored
from adapters.clacky.parts import file_name
from finder.dataclass import dataclass, field
from finder.jsonio import mapping, string
from finder.model import Event, Json, JsonObject, Opaque, Session
from finder.writing import Plan, Report

_STORED = "messages["  # how the ids of the records in the session's file begin


@dataclass(frozen=True, slots=True)
class Records:
    """A session's records: the session object with its messages, and its archives by name."""

    record: JsonObject
    archives: dict[str, str] = field(default_factory=dict)


def are_whole(session: Session, events: Sequence[Event]) -> bool:
    """Whether they have Clacky's own records of everything."""
    return (
        session.ref.tool == "clacky"
        and isinstance(session.raw, dict)
        and all(_is_stored(event) for event in events if event.type == "message")
    )


def _is_stored(event: Event) -> bool:
    """Whether a message has its record; one of an archive shares it with the archive's first."""
    of_file = event.record is not None and event.record.startswith(_STORED)
    return event.raw is not None if of_file else "#" in (event.record or "")


def records(session: Session, events: Sequence[Event], plan: Plan, report: Report) -> Records:
    """What is written, before its files are named."""
    record, secrets = header.without_marks(session.raw)
    if secrets:
        note = "keys and passwords are not taken out of a session's file"
        report.state("dropped", "raw", secrets, note)
    record["session_id"] = plan.id
    if plan.directory is not None:
        record["working_dir"] = plan.directory
    if record.pop("deleted_at", None) is not None or "trashed" in session.labels:
        report.rule("lowered", "session", "labels.trashed", "it comes back from the trash")
    messages: list[Json] = []
    archives: dict[str, str] = {}
    for event in events:
        if event.raw is None:
            continue
        if event.record is not None and event.record.startswith(_STORED):
            messages.append(_message(event))
        else:
            archives[(event.record or "").partition("#")[0]] = str(event.raw)
    record["messages"] = messages
    return Records(record, archives)


def _message(event: Event) -> Json:
    """A record as it stands in the file: a null there is told as a word."""
    if isinstance(event, Opaque) and event.raw == "null" and "JSON null" in (event.problem or ""):
        return None
    return event.raw


def renamed(found: Records, base: str, session: Session, report: Report) -> Records:
    """The records under the names that go with the session's file; `base` is its name so far.

    Archives of another session, which a copy's story begins with, stay with their name, as they
    stay with that session; unless the copy is copied again.
    """
    is_copy = found.record["session_id"] != session.ref.id
    names: dict[str, str] = {}
    for number, name in enumerate(found.archives, start=1):
        own = name.partition("-chunk-")[0].endswith(session.ref.id[:8])
        ending = name.partition("-chunk-")[2] or f"{number}.md"
        if is_copy or own or not stored.is_archive(name):
            names[name] = f"{base}-chunk-{ending}"
    if is_copy and len(set(names.values())) < len(names):
        names = {name: f"{base}-chunk-{n}.md" for n, name in enumerate(names, start=1)}
    if any(name != new for name, new in names.items()):
        why = "archives are named after their session's file"
        report.rule("changed", "compaction", "archive", why)
        for label in ("forked", "inferred"):
            report.rule("lowered", "session", f"labels.{label}", why)
        for type_ in ("tool_call", "tool_result", "subagent"):
            report.rule("changed", type_, "call", f"{why}, and archived calls after their archive")
    archives = {
        names.get(name, name): _of_copy(text, found.record["session_id"]) if is_copy else text
        for name, text in found.archives.items()
    }
    messages = [_pointing(message, names) for message in found.record["messages"]]
    return Records({**found.record, "messages": messages}, archives)


def _of_copy(text: str, session_id: str) -> str:
    """An archive's text with another session's id in its head."""
    return re.sub(r"\A(---\n(?:(?!---).*\n)*?session_id: ).*", rf"\g<1>{session_id}", text, count=1)


def _pointing(message: Json, names: dict[str, str]) -> Json:
    """A message whose path to an archive has the archive's new name."""
    path = string(mapping(message).get("chunk_path"))
    name = file_name(path)
    if path is None or name is None or names.get(name, name) == name:
        return message
    return {**message, "chunk_path": path.removesuffix(name) + names[name]}
