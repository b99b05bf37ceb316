"""OpenCode's own records, brought from the shape of any of its stores into that of an export.

    database   {"table": "session" | "message" | "part" | …, column: value, …}
    files      session, message and part objects; up to 0.1 the parts stand in the message
    export     the same objects

A row's ``data`` with the ids behind it is the object that the files and the export have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from adapters.opencode import v1
from adapters.opencode.ids import TOOL
from finder.dataclass import dataclass, field
from finder.jsonio import array, integer, mapping, string
from finder.model import Event, Json, JsonObject, Session

BesideKind = Literal["todo", "diff", "output", "row", "key"]


class Form(NamedTuple):
    """What one of OpenCode's forms holds.

    Attributes:
        name: for people.
        beside: what it has besides messages and parts.
        current: the program of today is to go on from it; False: older records, too, are as
            this form had them.
        todo_rows: each item of a todo list is a record.
        row_times: it has when each record was made and changed, besides what the records tell.
    """

    name: str
    beside: frozenset[BesideKind]
    current: bool = True
    todo_rows: bool = True
    row_times: bool = False


class Beside(NamedTuple):
    """What is kept beside messages and parts.

    Attributes:
        kind: ``todo`` one item, ``diff`` the files changed, ``output`` the full text of a tool
            result that was cut, ``row`` a row of another table, ``key`` a key that an export has
            besides the known ones.
    """

    kind: BesideKind
    value: Json
    event: Event


@dataclass(slots=True)
class Kept:
    """A message with its parts, and the events that tell it.

    `info` is None where the store has no readable record of the message. It and the parts are
    objects of their own, and only what stands within them may be the source's. `times` are when
    the rows of the message and of its parts were made and changed, by id: not what they tell.
    """

    id: str
    info: JsonObject | None
    parts: list[JsonObject] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    more: JsonObject = field(default_factory=dict)
    times: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def says_who_spoke(self) -> bool:
        """Whether its record is there, and says that."""
        return self.info is not None and string(self.info.get("role")) is not None

    @property
    def is_left_over(self) -> bool:
        """Whether its parts are what the program forgot to delete."""
        return self.info is None and all("hidden" in event.labels for event in self.events)


class Records(NamedTuple):
    """A session's records. `left`: events whose records have no place among them."""

    info: JsonObject
    messages: list[Kept]
    beside: list[Beside]
    left: list[Event]


def are_own(session: Session, events: Sequence[Event], *, rows: bool) -> bool:
    """Whether the events have OpenCode's own records, of the kind that an export holds.

    `rows`: those of the newer API, which are of another kind, will do as well.
    """
    opened = [event for event in events if event.type == "message"]
    return session.ref.tool == TOOL and all(
        isinstance(event.raw, dict) and (rows or event.raw.get("table") != "session_message")
        for event in opened
    )


def records(session: Session, events: Sequence[Event]) -> Records:
    """The records that the events and the session have as `raw`."""
    found = Records(session_info(session.raw), [], [], [])
    messages: dict[str | None, Kept] = {}
    for event in events:
        raw = event.raw
        kept = messages.get(event.message)
        if kept is None and _opens(event):
            kept = messages[event.message] = _opened(event)
            found.messages.append(kept)
        if kept is not None:
            kept.events.append(event)
        if raw is None:  # told by the record of an event before it
            if event.type == "attachment" and event.path and (event.name or "").startswith("tool_"):
                found.beside.append(Beside("output", event.data, event))
        elif kept is not None and isinstance(raw, dict) and not _is_other(raw):
            if not _joined(event, raw, kept):
                found.left.append(event)
        elif (one := _beside(event, raw, kept)) is not None:
            found.beside.append(one)
        else:
            found.left.append(event)
    return found


def row_times(events: Sequence[Event]) -> dict[str, tuple[int, int]]:
    """When the rows of a message and of its parts were made and changed, by id."""
    found: dict[str, tuple[int, int]] = {}
    for event in events:
        raw = event.raw
        if isinstance(raw, dict) and raw.get("table") in ("message", "part"):
            made, changed = integer(raw.get("time_created")), integer(raw.get("time_updated"))
            if made is not None and changed is not None:
                found[str(raw.get("id"))] = made, changed
    return found


def _opens(event: Event) -> bool:
    """Whether the event is the first of a message."""
    raw = event.raw
    if event.message is None or (isinstance(raw, dict) and _is_other(raw)):
        return False
    return event.type in {"message", "opaque"} or isinstance(raw, dict)


_OTHER = ("session_message", "session_input", "session_context_epoch", "todo")


def _is_other(raw: JsonObject) -> bool:
    """Whether it is a row of a table that has neither messages nor parts."""
    return raw.get("table") in _OTHER


def _opened(event: Event) -> Kept:
    identifier = event.message or ""
    if event.type != "message" or not isinstance(event.raw, dict):
        return Kept(identifier, None)
    if v1.has_inline_parts(event.raw):
        parts = [dict(part.info) for part in v1.parts(identifier, event.raw)]
        return Kept(identifier, v1.info(event.raw), parts)
    return Kept(identifier, _object(event.raw, _MESSAGE_COLUMNS))


def _joined(event: Event, raw: JsonObject, kept: Kept) -> bool:
    """Put a part to its message. True: its record, or the message's, is in its place."""
    if event.type == "message":
        return True
    if event.type == "opaque" and event.record is None and raw.keys() == {event.kind}:
        kept.more |= raw
        return True
    part = _object(raw, _PART_COLUMNS)
    if not isinstance(part.get("type"), str):
        return False
    kept.parts.append(part)
    return True


_MESSAGE_COLUMNS = (("id", "id"), ("session_id", "sessionID"))
_PART_COLUMNS = (*_MESSAGE_COLUMNS, ("message_id", "messageID"))


def _object(raw: JsonObject, columns: Sequence[tuple[str, str]]) -> JsonObject:
    """The object that a row stands for; another record is one already."""
    if "table" not in raw:
        return dict(raw)
    found = dict(mapping(raw.get("data")))
    for column, key in columns:
        if column in raw:  # columns win, and come last as the program's own export has them
            found.pop(key, None)
            found[key] = raw[column]
    return found


def _beside(event: Event, raw: Json, kept: Kept | None) -> Beside | None:
    if isinstance(raw, dict) and _is_other(raw):
        return Beside("todo" if raw["table"] == "todo" else "row", raw, event)
    if event.type == "notice" and isinstance(raw, list):
        return Beside("todo" if event.kind == "todo" else "diff", raw, event)
    if event.type == "notice" and event.kind == "diff" and isinstance(raw, dict) and kept is None:
        return Beside("diff", array(raw.get("data")), event)  # of a shared session
    if event.type == "opaque" and event.problem is None and kept is None:
        is_key = isinstance(raw, dict) and raw.keys() == {event.kind}
        return Beside("key", raw, event) if is_key else None
    return None


# -- sessions --------------------------------------------------------------------------------

_COLUMNS = (
    ("id", "id"),
    ("slug", "slug"),
    ("project_id", "projectID"),
    ("workspace_id", "workspaceID"),
    ("directory", "directory"),
    ("path", "path"),
    ("parent_id", "parentID"),
    ("title", "title"),
    ("agent", "agent"),
    ("model", "model"),
    ("version", "version"),
)
_COUNTS = ("additions", "deletions", "files")


def session_info(raw: Json) -> JsonObject:
    """The session object of a stored session, with its keys in the order of an export."""
    row = mapping(raw)
    if "table" not in row:
        return dict(row)
    found: JsonObject = {key: row.get(column) for column, key in _COLUMNS}
    summary = {name: row.get(f"summary_{name}") for name in (*_COUNTS, "diffs")}
    if any(summary[name] is not None for name in _COUNTS):
        counts = {name: summary[name] or 0 for name in _COUNTS}
        found["summary"] = counts | ({"diffs": summary["diffs"]} if summary["diffs"] else {})
    if "cost" in row:
        found["cost"] = _number(row["cost"])
        found["tokens"] = {name: row.get(f"tokens_{name}") for name in _TOKENS}
        cache = {name: row.get(f"tokens_cache_{name}") for name in ("read", "write")}
        found["tokens"]["cache"] = cache
    found["share"] = {"url": row["share_url"]} if row.get("share_url") else None
    for key in ("metadata", "revert", "permission"):
        found[key] = row.get(key)
    times = ("created", "updated", "compacting", "archived")
    found["time"] = _present({name: row.get(f"time_{name}") for name in times})
    return _present(found)


_TOKENS = ("input", "output", "reasoning")


def _number(value: Json) -> Json:
    """A number from a column of type real, as JavaScript writes it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _present(fields: JsonObject) -> JsonObject:
    return {key: value for key, value in fields.items() if value is not None}
