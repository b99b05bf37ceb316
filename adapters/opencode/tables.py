"""A session's records as rows of OpenCode's database, for the schema that is there.

Rows are made with every column that some version has, and cut down to those of the schema. A
column that must have a value and is none of ours is of a version that is not known: then nothing is
written. Schemas: 1.2.1 to 1.18.33.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adapters.opencode.encode import Encoded
from adapters.opencode.own import Kept
from adapters.opencode.project import Project
from finder import jsonio, sqlite
from finder.errors import WriteError
from finder.jsonio import integer, mapping, number
from finder.model import Json, JsonObject

Row = tuple[str, JsonObject]  # a table and its columns

# What a session cannot be without.
_NEEDED = {
    "project": {"id", "worktree"},
    "session": {"id", "project_id", "directory", "title", "time_created", "time_updated"},
    "message": {"id", "session_id", "time_created", "data"},
    "part": {"id", "message_id", "session_id", "data"},
}
# Tables with the content of a session, those that others refer to last.
CONTENT = ("part", "message", "todo", "session_message", "session_input", "session_context_epoch")


class Schema:
    """The tables of a database, and for each the columns that must be given a value."""

    def __init__(self, connection: sqlite3.Connection, path: str) -> None:
        self.columns = sqlite.tables(connection)
        self.path = path
        self.demanded: dict[str, set[str]] = {}
        for table in self.columns:
            info = connection.execute(f"PRAGMA table_info({sqlite.quoted(table)})").fetchall()
            must = {row["name"] for row in info if row["notnull"] and row["dflt_value"] is None}
            self.demanded[table] = must
        lacking = [t for t, needed in _NEEDED.items() if not needed <= {*self.columns.get(t, ())}]
        if lacking or "session_v2" in self.columns:
            self.refuse(lacking[0] if lacking else "session_v2")

    @property
    def by_remote(self) -> bool:
        """Whether the program that made it names projects by their remote."""
        return "cost" in self.columns["session"]

    def fitting(self, rows: Iterator[Row]) -> Iterator[Row]:
        """The rows with the columns that are there; those of tables that are not are left out.

        Raises:
            WriteError: a column must have a value that is not known.
        """
        for table, row in rows:
            if table not in self.columns:
                continue
            if self.demanded[table] - row.keys():
                self.refuse(table)
            yield table, {c: row[c] for c in self.columns[table] if c in row}

    def refuse(self, table: str) -> None:
        """Give up on a database whose version is not known."""
        raise WriteError(
            f"{self.path}: table {table!r} is of a version of OpenCode that finder does not know",
            hint="write a file with --out, and in the session's folder run `opencode import FILE`",
        )


def session_rows(made: Encoded, project: Project) -> Iterator[Row]:
    """All rows of a session, in an order in which each finds what it refers to."""
    identifier = str(made.info["id"])
    yield "session", _session(made, project)
    for kept in made.messages:
        yield "message", _message(kept, identifier)
        for part in kept.parts:
            yield "part", _part(part, kept, identifier)
    updated = _time(made.info, "updated")
    for one in made.beside:
        if one.kind in ("row", "todo") and isinstance(one.value, dict):
            yield one.value["table"], _stored(one.value, identifier)
        elif one.kind == "todo":
            for position, todo in enumerate(one.value):
                yield "todo", _todo(mapping(todo), identifier, position, updated)


def project_row(project: Project, now: int) -> Row:
    """The row of a project that the program has not seen yet."""
    return "project", {
        "id": project.id,
        "worktree": project.worktree,
        "vcs": project.vcs,
        "sandboxes": "[]",
        "time_created": now,
        "time_updated": now,
    }


def _session(made: Encoded, project: Project) -> JsonObject:
    info = made.info
    summary, tokens = mapping(info.get("summary")), mapping(info.get("tokens"))
    if "tokens" not in info:
        tokens, info = _counted(made.messages), {**info, "cost": _cost(made.messages)}
    cache = mapping(tokens.get("cache"))
    directory = str(info.get("directory") or "")
    return {
        "id": info["id"],
        "project_id": project.id,
        "workspace_id": info.get("workspaceID"),
        "parent_id": info.get("parentID"),
        "slug": info["slug"],
        "directory": _plain(directory),
        "path": _below(directory, project.worktree),
        "title": _plain(info["title"]),
        "version": info["version"],
        "share_url": mapping(info.get("share")).get("url"),
        **{f"summary_{n}": integer(summary.get(n)) for n in ("additions", "deletions", "files")},
        "summary_diffs": _json(summary.get("diffs")),
        "metadata": _json(info.get("metadata")),
        "cost": number(info.get("cost")) or 0,
        **{f"tokens_{n}": integer(tokens.get(n)) or 0 for n in ("input", "output", "reasoning")},
        **{f"tokens_cache_{name}": integer(cache.get(name)) or 0 for name in ("read", "write")},
        "revert": _json(info.get("revert")),
        "permission": _json(info.get("permission")),
        "agent": _plain(info.get("agent")),
        "model": _json(info.get("model")),
        **{
            f"time_{name}": integer(mapping(info["time"]).get(name))
            for name in ("created", "updated", "compacting", "archived")
        },
    }


def _below(directory: str, worktree: str) -> str | None:
    """The folder's path from the top of its project; None where it is not below it."""
    from pathlib import PurePath

    if not directory or not PurePath(directory).is_relative_to(worktree):
        return None
    below = PurePath(directory).relative_to(worktree).as_posix()
    return "" if below == "." else below


def _counted(messages: Sequence[Kept]) -> JsonObject:
    """The tokens of all answers; the program keeps this sum with the session."""
    total: JsonObject = {"input": 0, "output": 0, "reasoning": 0, "cache": {"read": 0, "write": 0}}
    for kept in messages:
        tokens = mapping(mapping(kept.info).get("tokens"))
        for name in ("input", "output", "reasoning"):
            total[name] += integer(tokens.get(name)) or 0
        for name in ("read", "write"):
            total["cache"][name] += integer(mapping(tokens.get("cache")).get(name)) or 0
    return total


def _cost(messages: Sequence[Kept]) -> float:
    return sum(number(mapping(kept.info).get("cost")) or 0 for kept in messages)


def _message(kept: Kept, session: str) -> JsonObject:
    info = mapping(kept.info)
    created = _time(info, "created")
    made, changed = kept.times.get(kept.id, (created, _time(info, "completed") or created))
    return {
        "id": kept.id,
        "session_id": session,
        "time_created": made,
        "time_updated": changed,
        "data": _json({k: v for k, v in info.items() if k not in ("id", "sessionID")}),
    }


def _part(part: JsonObject, kept: Kept, session: str) -> JsonObject:
    created = _time(mapping(kept.info), "created")
    made, changed = kept.times.get(part["id"], (created, created))
    owner = ("id", "sessionID", "messageID")
    return {
        "id": part["id"],
        "message_id": kept.id,
        "session_id": session,
        "time_created": made,
        "time_updated": changed,
        "data": _json({key: value for key, value in part.items() if key not in owner}),
    }


def _todo(todo: JsonObject, session: str, position: int, at: int) -> JsonObject:
    kept = {name: str(todo.get(name) or "") for name in ("content", "status", "priority")}
    times = {"time_created": at, "time_updated": at}
    return {"session_id": session, "position": position, **kept, **times}


def _stored(row: JsonObject, session: str) -> JsonObject:
    """A row of another table as it was, as one of this session."""
    columns = {key: value for key, value in row.items() if key != "table"}
    columns["session_id"] = session
    return {k: _json(v) if isinstance(v, dict | list) else v for k, v in columns.items()}


def _time(info: Mapping[str, Any], name: str) -> int:
    return integer(mapping(info.get("time")).get(name)) or 0


def _json(value: Json) -> str | None:
    return None if value is None else jsonio.dumps(value).decode("utf-8", "surrogateescape")


def _plain(text: Json) -> Json:
    """A text that SQLite can hold: half a surrogate pair is none."""
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else text
