"""The sessions of an OpenCode database: headers, found in SQL."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from adapters.opencode.conditions import condition, last_updated
from adapters.opencode.schema import (
    MESSAGE_TYPES,
    SESSION_TABLES,
    Tables,
    check,
    unknown_tables,
)
from adapters.opencode.sessions import brief, header, model_name
from finder import sqlite
from finder.adapter import LONGEST_ID, LONGEST_NAME, Names, Outline, Want
from finder.jsonio import integer, mapping, string
from finder.model import JsonObject, Problem, Ref, Session

T = TypeVar("T", Session, Outline)

# What a header is made of, where the record itself is not asked for.
_BRIEF = (
    "id title directory parent_id agent model time_created time_updated time_archived revert"
).split()
_LAST_PUT_IN = 1_000  # sessions, whose names are always read

# What an outline is made of, in its order; the first three are all that most need.
_JUDGED = (
    "id parent_id time_updated time_created title directory agent model time_archived"
).split()


def listed(path: Path, tool: str, want: Want | None) -> Iterator[Session | Problem]:
    """The sessions that `want` may want, or all."""
    yield from sqlite.read(path, lambda c: _Listing(c, path, tool).found(want))


def outlines(path: Path, want: Want | None) -> list[Outline | Problem] | None:
    """Where the sessions stand that `want` may want; None: the columns do not tell."""

    def work(connection: sqlite3.Connection) -> list[Outline | Problem] | None:
        return _Listing(connection, path, "").outlines(want)

    return sqlite.read(path, work)


def descendants(path: Path, tool: str, ids: Sequence[str]) -> Iterator[Session]:
    """The sessions below these, level by level."""

    def work(connection: sqlite3.Connection) -> list[Session]:
        listing = _Listing(connection, path, tool)
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


def names(path: Path, since: int | None) -> Names:
    """What the sessions are called."""

    def work(connection: sqlite3.Connection) -> Names:
        tables = sqlite.tables(connection)
        check(tables, str(path))
        found = [
            _names(connection, table, tables[table], since)
            for table in SESSION_TABLES
            if "id" in tables.get(table, ())
        ]
        return Names(
            titles=frozenset[str]().union(*(one.titles for one in found)),
            directories=frozenset[str]().union(*(one.directories for one in found)),
            agents=frozenset[str]().union(*(one.agents for one in found)),
            newest=max((one.newest for one in found if one.newest is not None), default=None),
        )

    return sqlite.read(path, work)


def _names(
    connection: sqlite3.Connection, table: str, there: tuple[str, ...], since: int | None
) -> Names:
    """Those of one table; many titles as one text, since a row for each takes twice as long."""
    where, values = condition(connection, table, there, Want(since=since))
    if where:  # what was put in since need not be new itself: it may be an import
        where += f" OR rowid > (SELECT max(rowid) FROM {table}) - {_LAST_PUT_IN}"
    wanted = ("directory", "agent", "time_updated", "title")
    directory, agent, updated, title = (c if c in there else "NULL" for c in wanted)
    cut = f"CASE WHEN length({title}) < {LONGEST_NAME} THEN {title}"
    cut += f" ELSE substr({title}, 1, {LONGEST_NAME}) END"
    query = (
        f"SELECT {directory}, {agent}, max({updated}), group_concat({cut}, char(0))"
        f" FROM {table}{where} GROUP BY 1, 2"
    )
    rows = connection.execute(query, values).fetchall()
    return Names(
        titles=Names.cut(title for row in rows for title in (string(row[3]) or "").split("\0")),
        directories=Names.cut(row[0] for row in rows),
        agents=Names.cut(row[1] for row in rows),
        newest=max((row[2] for row in rows if isinstance(row[2], int)), default=None),
    )


class _Listing:
    """One connection's view. `problems` are those found on the way."""

    def __init__(self, connection: sqlite3.Connection, path: Path, tool: str) -> None:
        self.connection = connection
        self.tables: Tables = sqlite.tables(connection)
        self.path = path
        self.store = str(path)
        self.tool = tool
        self.problems: list[Problem] = []
        check(self.tables, str(path))

    def found(self, want: Want | None) -> list[Session | Problem]:
        seen: set[str] = set()
        sessions: list[Session] = []
        for table in self._session_tables():
            for row in self._rows(table, want):
                session = self._header(table, row, want)
                # A session in both tables is one session; the first table is the one in use.
                if session is not None and session.ref.id not in seen:
                    seen.add(session.ref.id)
                    sessions.append(session)
        self.problems += unknown_tables(self.connection, self.tables, str(self.path))
        return [*_newest(sessions, want), *self.problems]

    def outlines(self, want: Want | None) -> list[Outline | Problem] | None:
        judged, newest = (want.judged, want.newest) if want is not None else (False, None)
        needed = _JUDGED if judged else _JUDGED[:3]
        found: dict[str, Outline] = {}
        for table in self._session_tables():
            there = self.tables[table]
            if not set(needed) <= set(there) or (judged and "data" in there):
                return None
            where, values = condition(self.connection, table, there, want)
            if newest is not None:
                where += " ORDER BY time_updated DESC LIMIT ?"
                # To sort whole rows takes twice as long.
                where = f" WHERE rowid IN (SELECT rowid FROM {table}{where})"
                values.append(newest)
            query = f"SELECT {', '.join(needed)} FROM {table}{where}"
            rows = self.connection.execute(query, values)
            rows.row_factory = None
            for value, parent, updated, *rest in rows:
                identifier = self._identifier(value)
                if identifier is not None and identifier not in found:
                    same = found[parent].id if parent in found else string(parent) or None
                    fields = self._judged(identifier, rest) if judged else ()
                    found[identifier] = Outline(identifier, same, integer(updated), *fields)
        self.problems += unknown_tables(self.connection, self.tables, str(self.path))
        return [*_newest(list(found.values()), want), *self.problems]

    def _judged(
        self, identifier: str, values: list[Any]
    ) -> tuple[int | None, str | None, str | None, str | None, str | None, bool]:
        """The further fields of an outline."""
        created, title, directory, agent, model, archived = values
        worked = self._where_and_who(identifier, directory, agent, model)
        return integer(created), string(title) or None, *worked, _put_away(archived)

    def children(self, parents: Sequence[str]) -> Iterator[Session]:
        for table in self._session_tables():
            if "parent_id" not in self.tables[table]:
                continue
            for some in sqlite.chunks(list(parents)):
                marks = ",".join("?" * len(some))
                query = (
                    f"{self._select(table, False)} WHERE s.parent_id IN ({marks}) ORDER BY s.rowid"
                )
                for row in self.connection.execute(query, some).fetchall():
                    session = self._header(table, row, Want(raw=False))
                    if session is not None:
                        yield session

    def _session_tables(self) -> list[str]:
        return [table for table in SESSION_TABLES if "id" in self.tables.get(table, ())]

    def _select(self, table: str, raw: bool) -> str:
        there = self.tables[table]
        # The rows of the newer table keep some of it in a column of JSON.
        columns = there if raw or "data" in there else _BRIEF
        names = ", ".join(f"s.{sqlite.quoted(c)}" if c in there else "NULL" for c in columns)
        return f"SELECT {names}, {self._count()} AS message_count FROM {table} s"

    def _count(self) -> str:
        """How many messages a session has, as SQL."""
        counts = []
        if "session_id" in self.tables.get("message", ()):
            counts.append("(SELECT count(*) FROM message m WHERE m.session_id = s.id)")
        if "session_id" in self.tables.get("session_message", ()):
            types = ", ".join(f"'{name}'" for name in MESSAGE_TYPES)
            counts.append(
                "(SELECT count(*) FROM session_message v WHERE v.session_id = s.id"
                f" AND v.type IN ({types})"
                + (" AND NOT EXISTS (SELECT 1 FROM message m WHERE m.id = v.id)" if counts else "")
                + ")"
            )
        return " + ".join(counts) or "NULL"

    def _rows(self, table: str, want: Want | None) -> list[sqlite3.Row]:
        where, values = condition(self.connection, table, self.tables[table], want)
        newest = want.newest if want and "time_updated" in self.tables[table] else None
        if newest is not None:
            where, values = last_updated(self.connection, table, where, values, newest)
            # The count is worked out for the rows that are kept only.
            where = f" WHERE s.rowid IN (SELECT rowid FROM {table}{where})"
        query = self._select(table, want is None or want.raw) + where
        return self.connection.execute(query, values).fetchall()

    def _header(self, table: str, row: sqlite3.Row, want: Want | None) -> Session | None:
        keep_raw = want is None or want.raw
        if not keep_raw and "data" not in self.tables[table]:
            return self._brief(row)
        raw, problem = _record(table, row) if keep_raw else (_shallow(row), None)
        count = raw.pop("message_count", None)
        identifier = self._identifier(raw.get("id"))
        if identifier is None:
            return None
        if problem is not None:
            self._wrong(identifier, f"session {identifier}: {problem}")
        info = _info(raw)
        said = self._said_by_messages(identifier, info)
        return header(
            Ref(self.tool, self.store, identifier),
            info,
            raw=raw if keep_raw else None,
            messages=count,
            directory=said.get("directory"),
            agent=said.get("agent"),
            model=said.get("model"),
        )

    def _brief(self, row: sqlite3.Row) -> Session | None:
        """The header of a row of the columns in `_BRIEF`: there may be very many."""
        value, title, folder, parent, who, what, created, updated, archived, revert, count = row
        identifier = self._identifier(value)
        if identifier is None:
            return None
        directory, agent, model = self._where_and_who(identifier, folder, who, what)
        return brief(
            Ref(self.tool, self.store, identifier),
            title=title,
            directory=directory,
            parent=parent,
            agent=agent,
            model=model,
            created=created,
            updated=updated,
            archived=archived,
            reverted=bool(revert),
            messages=count,
        )

    def _where_and_who(
        self, identifier: str, directory: Any, agent: Any, model: Any
    ) -> tuple[str | None, str | None, str | None]:
        """Directory, agent and model, from the columns, else from the messages."""
        named = _model(model) if isinstance(model, str) else None
        said: dict[str, str | None] = {}
        if not (directory and agent and named):
            info = {"directory": directory, "agent": agent, "model": named or _parsed(model)}
            said = self._said_by_messages(identifier, info)
        return (
            string(directory) or said.get("directory"),
            string(agent) or said.get("agent"),
            named or said.get("model"),
        )

    def _identifier(self, value: object) -> str | None:
        """A session's id, if it has one by which it can be asked for."""
        if not isinstance(value, str) or not value:
            wrong = "without an id"
        elif len(value) > LONGEST_ID:
            wrong = f"whose id has {len(value):,} characters"
        elif not sqlite.is_text(value):
            wrong = "whose id is no valid text"
        else:
            return value
        shown = ascii(value[:40] if isinstance(value, str | bytes) else value)
        self._wrong(shown, f"a session row {wrong}")  # of one row: the store is well
        return None

    def _wrong(self, record: str, what: str) -> None:
        self.problems.append(
            Problem(kind="corrupt", path=str(self.path), message=what, record=record)
        )

    def _said_by_messages(self, identifier: str, info: JsonObject) -> dict[str, str | None]:
        """Directory, agent and model of the messages, where the session row has them not.

        1.2 has no columns for agent and model; a session migrated from 0.5 has no directory.
        """
        if info.get("directory") and info.get("agent") and info.get("model"):
            return {}
        if not {"session_id", "data", "time_created"} <= set(self.tables.get("message", ())):
            return {}
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


def _record(table: str, row: sqlite3.Row) -> tuple[JsonObject, str | None]:
    from adapters.opencode.rows import record

    return record(table, row)


def _data(text: Any) -> JsonObject:
    from finder import jsonio

    try:
        return mapping(jsonio.loads(text))
    except (ValueError, TypeError, AttributeError):
        return {}


@lru_cache(maxsize=256)
def _flat(text: str) -> JsonObject:
    """A JSON object; one of plain texts only without the JSON parser, which takes 4 ms to load."""
    if "\\" in text or text.count("{") != 1:
        return _data(text)
    return dict(re.findall(r'"(\w+)"\s*:\s*"([^"]*)"', text))


def _newest(found: list[T], want: Want | None) -> list[T]:
    """Of each of two tables the newest were asked for: of these only so many are surely it."""
    if want is None or want.newest is None or len(found) <= want.newest:
        return found
    return sorted(found, key=lambda one: -(one.updated or 0))[: want.newest]


def _put_away(archived: object) -> bool:
    return bool(archived) or integer(archived) is not None


def _parsed(model: object) -> object:
    return _flat(model) if isinstance(model, str) else model


@lru_cache(maxsize=256)
def _model(text: str) -> str | None:
    """The model's name, from the JSON of its column: few models made very many sessions."""
    return model_name({"model": _flat(text)})


def _shallow(row: sqlite3.Row) -> JsonObject:
    """The row without its large columns, and with `model` parsed."""
    found: JsonObject = {key: row[key] for key in row.keys() if key != "summary_diffs"}  # noqa: SIM118
    if "model" in found:
        found["model"] = _parsed(found["model"])
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
