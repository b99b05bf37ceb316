"""One session of an OpenCode database: its story."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from adapters.opencode import beside, v2
from adapters.opencode.records import story
from adapters.opencode.rows import data_of, record
from adapters.opencode.schema import SESSION_TABLES, Tables, check
from adapters.opencode.stored import StoredMessage, StoredPart
from finder import sqlite
from finder.errors import NotFoundError
from finder.jsonio import integer, mapping, string
from finder.model import Event, Json, JsonObject, Label, Notice, Opaque, Ref, Text


@dataclass(slots=True)
class _Content:
    """All rows of one session, fetched at once so that no read stays open."""

    revert: Json
    messages: list[StoredMessage]
    orphans: list[StoredPart]
    rows: list[v2.StoredRow]
    waiting: list[tuple[JsonObject, str | None]]
    epochs: list[JsonObject]
    todos: list[JsonObject]


def events(ref: Ref, first: int | None = None) -> Iterator[Event]:
    """The events of a session.

    Args:
        first: of the messages after so many, the parts are not read.

    Raises:
        NotFoundError: the database has no such session.
    """
    path = Path(ref.store)
    content = sqlite.read(path, lambda connection: _fetched(connection, ref, first))
    for epoch in content.epochs:
        yield _epoch_notice(epoch)
    told = story(
        ref,
        content.messages,
        revert=content.revert,
        old_summaries_count=False,
        attached=beside.tool_output(path.parent),
    )
    yield from _merged(told, content.rows)
    for part in content.orphans:
        problem = part.problem or "its message is not in the database"
        yield Opaque(kind="part", problem=problem, record=part.id, raw=part.raw)
    for row, wrong in content.waiting:
        yield _waiting_prompt(row, wrong)
    for todo in content.todos:
        yield beside.todo_notice(str(todo.get("position")), todo, todo)
    diff = beside.session_diff(path.parent, ref.id)
    if diff is not None:
        yield diff


def _merged(told: Iterator[Event], rows: list[v2.StoredRow]) -> Iterator[Event]:
    """Events of message/part, and of session_message rows at their time between them."""
    cut = v2.compacted_before(rows)
    waiting = list(enumerate(rows))
    for event in told:
        while waiting and event.type == "message" and _is_before(waiting[0][1], event.at):
            yield from _row(waiting.pop(0), cut)
        yield event
    for item in waiting:
        yield from _row(item, cut)


def _is_before(row: v2.StoredRow, at: int | None) -> bool:
    return row.at is not None and at is not None and row.at <= at


def _row(item: tuple[int, v2.StoredRow], cut: int) -> Iterator[Event]:
    position, row = item
    labels: tuple[Label, ...] = ("compacted",) if position < cut else ()
    return v2.row_events(row, labels)


def _fetched(connection: sqlite3.Connection, ref: Ref, first: int | None) -> _Content:
    tables = sqlite.tables(connection)
    check(tables, ref.store)
    session = _session_record(connection, tables, ref)
    fetch = _Fetch(connection, tables, ref.id)
    messages, orphans = _messages(fetch, first)
    known = {message.id for message in messages}
    rows = [row for row in _rows(fetch) if row.id not in known]
    done = {row.id for row in rows} | known
    waiting = [
        record("session_input", row)
        for row in fetch("session_input", "session_id", "admitted_seq")
        if row["id"] not in done and _column(row, "promoted_seq") is None
    ]
    return _Content(
        revert=session.get("revert"),
        messages=messages,
        orphans=orphans,
        rows=rows,
        waiting=waiting,
        epochs=[
            record("session_context_epoch", row)[0]
            for row in fetch("session_context_epoch", "session_id", "session_id")
        ],
        todos=[record("todo", row)[0] for row in fetch("todo", "session_id", "position")],
    )


@dataclass(slots=True)
class _Fetch:
    """Rows of one session from a table that may not be there."""

    connection: sqlite3.Connection
    tables: Tables
    session: str

    def __call__(self, table: str, key: str, *order: str) -> list[sqlite3.Row]:
        columns = self.tables.get(table, ())
        if key not in columns:
            return []
        by = [sqlite.quoted(column) for column in order if column in columns]
        query = f"SELECT {_all(columns)} FROM {table} WHERE {key} = ?"
        if by:
            query += f" ORDER BY {', '.join(by)}"
        return self.connection.execute(query, (self.session,)).fetchall()


def _all(columns: tuple[str, ...]) -> str:
    return ", ".join(sqlite.quoted(column) for column in columns)


def _session_record(connection: sqlite3.Connection, tables: Tables, ref: Ref) -> JsonObject:
    for table in SESSION_TABLES:
        columns = tables.get(table, ())
        if "id" not in columns:
            continue
        query = f"SELECT {_all(columns)} FROM {table} WHERE id = ?"
        row = connection.execute(query, (ref.id,)).fetchone()
        if row is not None:
            return record(table, row)[0]
    raise NotFoundError(f"{ref.store} has no session {ref.id}")


def _messages(fetch: _Fetch, first: int | None) -> tuple[list[StoredMessage], list[StoredPart]]:
    """The messages with their parts, and the parts whose message is gone."""
    found: list[StoredMessage] = []
    parts: dict[Json, list[StoredPart]] = {}
    for row in fetch("message", "session_id", "time_created", "id"):
        own: list[StoredPart] = []
        found.append(message_of(row, own))
        parts[found[-1].raw["id"]] = own
    some = None if first is None or first >= len(found) else _of_interest(found, first)
    orphans: list[StoredPart] = []
    for row in _part_rows(fetch, some):
        part = part_of(row)
        parts.get(part.raw.get("message_id"), orphans).append(part)
    return found, orphans


def _of_interest(messages: list[StoredMessage], first: int) -> list[str]:
    """The first messages; and what was asked for, if there was a compaction: there it is marked,
    and what it cut off has labels."""
    compacted = any(message.info.get("summary") is True for message in messages)
    return [
        message.id
        for number, message in enumerate(messages)
        if number < first or (compacted and message.info.get("role") == "user")
    ]


def _part_rows(fetch: _Fetch, messages: list[str] | None) -> Iterator[sqlite3.Row]:
    """Parts by their message's session; those of no message by their own.

    `messages`: only the parts of these.
    """
    columns = fetch.tables.get("part", ())
    if "message_id" not in columns or "session_id" not in fetch.tables.get("message", ()):
        yield from fetch("part", "session_id", "id")
        return
    query = f"SELECT {_all(columns)} FROM part WHERE message_id IN "
    if messages is not None:
        for some in sqlite.chunks(messages):
            marks = ", ".join("?" * len(some))
            yield from fetch.connection.execute(f"{query} ({marks}) ORDER BY id", some)
        return
    # In the order of the index on both: to have all of them sorted takes as long as parsing them.
    query += "(SELECT id FROM message WHERE session_id = ?1) ORDER BY message_id, id"
    yield from fetch.connection.execute(query, (fetch.session,))
    if "session_id" in columns:
        query = (
            f"SELECT {_all(columns)} FROM part WHERE session_id = ?1"
            " AND message_id NOT IN (SELECT id FROM message) ORDER BY message_id, id"
        )
        yield from fetch.connection.execute(query, (fetch.session,))


def message_of(row: sqlite3.Row, parts: list[StoredPart]) -> StoredMessage:
    """A row of ``message`` and its parts."""
    raw, problem = record("message", row)
    data, wrong = data_of(raw)
    return StoredMessage(
        id=str(row["id"]),
        info={**data, "id": row["id"], "sessionID": row["session_id"]},
        raw=raw,
        parts=parts,
        at=integer(_column(row, "time_created"))
        or integer(mapping(data.get("time")).get("created")),
        problem=problem or wrong,
    )


def part_of(row: sqlite3.Row) -> StoredPart:
    """A row of ``part``."""
    raw, problem = record("part", row)
    data, wrong = data_of(raw)
    return StoredPart(id=str(row["id"]), info=data, raw=raw, problem=problem or wrong)


def _rows(fetch: _Fetch) -> Iterator[v2.StoredRow]:
    return map(row_of, fetch("session_message", "session_id", "seq", "time_created", "id"))


def row_of(row: sqlite3.Row) -> v2.StoredRow:
    """A row of ``session_message``."""
    raw, problem = record("session_message", row)
    data, wrong = data_of(raw)
    return v2.StoredRow(
        id=str(row["id"]),
        type=string(_column(row, "type")) or "unknown",
        info=data,
        raw=raw,
        at=integer(_column(row, "time_created")),
        problem=problem or wrong,
    )


def _column(row: sqlite3.Row, name: str) -> Json:
    return row[name] if name in row.keys() else None  # noqa: SIM118


def _waiting_prompt(row: JsonObject, problem: str | None) -> Event:
    """A prompt that the user sent and the model has not been given yet."""
    identifier = str(row.get("id"))
    at = integer(row.get("time_created"))
    text = string(mapping(row.get("prompt")).get("text"))
    if text is None or problem is not None:
        wrong = problem or "a prompt without text"
        return Opaque(kind="session_input", problem=wrong, record=identifier, raw=row)
    return Text(text=text, record=identifier, role="user", at=at, raw=row)


def _epoch_notice(row: JsonObject) -> Notice:
    return Notice(
        kind="state",
        text=string(row.get("baseline")),
        record="session_context_epoch",
        labels=("synthetic",),
        raw=row,
    )
