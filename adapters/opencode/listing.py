"""The sessions of an OpenCode database: headers, found in SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.opencode.rows import record
from adapters.opencode.schema import SESSION_TABLES, Tables, check, unknown_tables
from adapters.opencode.sessions import header
from finder import sqlite
from finder.adapter import Want
from finder.jsonio import mapping, string
from finder.model import JsonObject, Problem, Ref, Session

_TEXT_COLUMNS = ("title", "id", "directory", "agent")
# Letters that are equal to others only by Unicode's rules, which SQLite's LIKE does not know.
_FOLDED = ("ss", "fi", "fl", "ff", "st")


def listed(path: Path, tool: str, want: Want | None) -> Iterator[Session | Problem]:
    """The sessions that `want` may want, or all."""
    yield from sqlite.read(path, lambda c: _Listing.of(c, path, tool).found(want))


def descendants(path: Path, tool: str, ids: Sequence[str]) -> Iterator[Session]:
    """The sessions below these, level by level."""

    def work(connection: sqlite3.Connection) -> list[Session]:
        listing = _Listing.of(connection, path, tool)
        seen, level, found = set(ids), list(ids), list[Session]()
        while level:
            children = [s for s in listing.children(level) if s.ref.id not in seen]
            level = [session.ref.id for session in children]
            seen.update(level)  # parent links may form a circle
            found += children
        return found

    yield from sqlite.read(path, work)


def count(path: Path) -> int:
    """How many sessions the database holds."""

    def work(connection: sqlite3.Connection) -> int:
        tables = sqlite.tables(connection)
        check(tables, str(path))
        listed = [f"SELECT id FROM {t}" for t in SESSION_TABLES if "id" in tables.get(t, ())]
        # One table is counted through its index; two may name the same session.
        query = f"SELECT count(*) FROM ({' UNION '.join(listed)})"
        return int(connection.execute(query).fetchone()[0])

    return sqlite.read(path, work)


@dataclass(slots=True)
class _Listing:
    """One connection's view. `problems` are those found on the way."""

    connection: sqlite3.Connection
    tables: Tables
    path: Path
    tool: str
    problems: list[Problem] = field(default_factory=list)

    @classmethod
    def of(cls, connection: sqlite3.Connection, path: Path, tool: str) -> _Listing:
        tables = sqlite.tables(connection)
        check(tables, str(path))
        return cls(connection=connection, tables=tables, path=path, tool=tool)

    def found(self, want: Want | None) -> list[Session | Problem]:
        seen: set[str] = set()
        sessions: list[Session | Problem] = []
        for table in self._session_tables():
            for row in self._rows(table, want):
                session = self._header(table, row, want)
                # A session in both tables is one session; the first table is the one in use.
                if session is not None and session.ref.id not in seen:
                    seen.add(session.ref.id)
                    sessions.append(session)
        self.problems += unknown_tables(self.connection, self.tables, str(self.path))
        return [*sessions, *self.problems]

    def children(self, parents: Sequence[str]) -> Iterator[Session]:
        for table in self._session_tables():
            if "parent_id" not in self.tables[table]:
                continue
            for some in sqlite.chunks(list(parents)):
                marks = ",".join("?" * len(some))
                query = f"{self._select(table)} WHERE s.parent_id IN ({marks}) ORDER BY s.rowid"
                for row in self.connection.execute(query, some).fetchall():
                    session = self._header(table, row, Want(raw=False))
                    if session is not None:
                        yield session

    def _session_tables(self) -> list[str]:
        return [table for table in SESSION_TABLES if "id" in self.tables.get(table, ())]

    def _select(self, table: str) -> str:
        columns = ", ".join(f"s.{sqlite.quoted(c)}" for c in self.tables[table])
        return f"SELECT {columns}, {self._count()} AS message_count FROM {table} s"

    def _count(self) -> str:
        """How many messages a session has, as SQL."""
        counts = []
        if "session_id" in self.tables.get("message", ()):
            counts.append("(SELECT count(*) FROM message m WHERE m.session_id = s.id)")
        if "session_id" in self.tables.get("session_message", ()):
            from adapters.opencode.v2 import MESSAGE_TYPES

            types = ", ".join(f"'{name}'" for name in MESSAGE_TYPES)
            counts.append(
                "(SELECT count(*) FROM session_message v WHERE v.session_id = s.id"
                f" AND v.type IN ({types})"
                + (" AND v.id NOT IN (SELECT id FROM message)" if counts else "")
                + ")"
            )
        return " + ".join(counts) or "NULL"

    def _rows(self, table: str, want: Want | None) -> list[sqlite3.Row]:
        where, values = condition(self.tables[table], want)
        inner = f"SELECT rowid FROM {table} s{where}"
        if want is not None and want.newest is not None and "time_updated" in self.tables[table]:
            inner += " ORDER BY time_updated DESC LIMIT ?"
            values.append(want.newest)
        # The count is worked out for the rows that are kept only.
        query = f"{self._select(table)} WHERE s.rowid IN ({inner})"
        return self.connection.execute(query, values).fetchall()

    def _header(self, table: str, row: sqlite3.Row, want: Want | None) -> Session | None:
        keep_raw = want is None or want.raw
        raw, problem = record(table, row) if keep_raw else (_shallow(row), None)
        count = raw.pop("message_count", None)
        identifier = string(raw.get("id"))
        if not identifier:
            self._wrong(None, "a session row without an id")
            return None
        if problem is not None:
            self._wrong(identifier, problem)
        info = _info(raw)
        said = self._said_by_messages(identifier, info)
        return header(
            Ref(self.tool, str(self.path), identifier),
            info,
            raw=raw if keep_raw else None,
            messages=count,
            directory=said.get("directory"),
            agent=said.get("agent"),
            model=said.get("model"),
        )

    def _wrong(self, identifier: str | None, what: str) -> None:
        message = f"session {identifier}: {what}" if identifier else what
        self.problems.append(
            Problem(kind="corrupt", path=str(self.path), message=message, record=identifier)
        )

    def _said_by_messages(self, identifier: str, info: JsonObject) -> dict[str, str | None]:
        """Directory, agent and model of the messages, where the session row has them not.

        1.2 has no columns for agent and model; a session migrated from 0.5 has no directory.
        """
        if info.get("directory") and info.get("agent") and info.get("model"):
            return {}
        if not {"session_id", "data", "time_created"} <= set(self.tables.get("message", ())):
            return {}
        from adapters.opencode.fields import model_name

        query = (
            "SELECT data FROM message WHERE session_id = ? ORDER BY time_created DESC, id DESC"
            " LIMIT 6"
        )
        said: dict[str, str | None] = {}
        for (text,) in self.connection.execute(query, (identifier,)).fetchall():
            message = _data(text)
            if message.get("summary") is True:  # a compaction speaks as its own agent
                continue
            cwd = string(mapping(message.get("path")).get("cwd"))
            for key, value in (
                ("directory", cwd),
                ("agent", string(message.get("agent"))),
                ("model", model_name(message)),
            ):
                if value and not said.get(key):
                    said[key] = value
        return said


def _data(text: Any) -> JsonObject:
    from finder import jsonio

    try:
        return mapping(jsonio.loads(text))
    except (ValueError, TypeError, AttributeError):
        return {}


def _shallow(row: sqlite3.Row) -> JsonObject:
    """The row without its large columns, and with `model` parsed."""
    found: JsonObject = {key: row[key] for key in row.keys() if key != "summary_diffs"}  # noqa: SIM118
    model = found.get("model")
    if isinstance(model, str) and model.startswith("{"):
        found["model"] = _data(model)
    return found


def _info(raw: JsonObject) -> JsonObject:
    """A session row in the shape of the session files."""
    inner = mapping(raw.get("data"))
    return {
        **inner,
        **{key: raw[key] for key in ("id", "title", "directory", "agent", "revert") if key in raw},
        "parentID": raw.get("parent_id"),
        "model": raw.get("model"),
        "time": {
            **mapping(inner.get("time")),
            **{
                name: raw[f"time_{name}"]
                for name in ("created", "updated", "compacting", "archived")
                if raw.get(f"time_{name}") is not None
            },
        },
    }


def condition(columns: tuple[str, ...], want: Want | None) -> tuple[str, list[Any]]:
    """A WHERE clause that keeps at least the sessions that fit."""
    if want is None:
        return "", []
    clauses: list[str] = []
    values: list[Any] = []
    if want.ids is not None:
        clauses.append(f"id IN ({','.join('?' * len(want.ids))})")
        values += want.ids
    if want.prefix:
        clauses.append("id LIKE ? ESCAPE '\\'")
        values.append(f"{_escaped(want.prefix)}%")
    searched = [column for column in _TEXT_COLUMNS if column in columns]
    clauses += [_contains(word, searched, values) for word in want.words]
    if want.roots and "parent_id" in columns:
        clauses.append("parent_id IS NULL")
    if want.since is not None and "time_updated" in columns:
        clauses.append("time_updated >= ?")
        values.append(want.since)
    if want.until is not None and "time_updated" in columns:
        clauses.append("time_updated <= ?")
        values.append(want.until)
    if want.directory is not None and "directory" in columns:
        # Substring, not equality: how a folder is spelt is for the caller to judge.
        clauses.append("(directory = '' OR directory LIKE ? ESCAPE '\\')")
        values.append(f"{_escaped(want.directory)}%")
    return (" WHERE " + " AND ".join(clauses) if clauses else ""), values


def _contains(word: str, columns: list[str], values: list[Any]) -> str:
    pattern = f"%{_escaped(word)}%" if word.isascii() else None
    tests = []
    if pattern is not None:
        for column in columns:
            tests.append(f"{column} LIKE ? ESCAPE '\\'")
            values.append(pattern)
    if pattern is None or any(letters in word.lower() for letters in _FOLDED):
        # Rows that have any letter beyond ASCII are left for the caller to judge.
        tests += [f"length({c}) <> length(CAST({c} AS BLOB))" for c in columns]
    if "directory" in columns:
        tests.append("directory = ''")
    return "(" + " OR ".join(tests) + ")"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
