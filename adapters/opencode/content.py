"""One session of an OpenCode database: its story."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from adapters.opencode import beside, v2
from adapters.opencode.beginning import beginning
from adapters.opencode.fetch import Fetch, column, messages, row_of
from adapters.opencode.records import story
from adapters.opencode.rows import record
from adapters.opencode.schema import SESSION_TABLES, check
from adapters.opencode.stored import StoredMessage, StoredPart
from finder import sqlite
from finder.errors import NotFoundError
from finder.jsonio import integer, mapping, string
from finder.model import Event, Json, JsonObject, Label, Notice, Opaque, Ref, Text


class _Rest(NamedTuple):
    """What is told after all messages."""

    orphans: list[StoredPart]
    waiting: list[tuple[JsonObject, str | None]]
    todos: list[JsonObject]


class _Content(NamedTuple):
    """All rows that a story is told from, fetched at once so that no read stays open.

    `rest` None: the messages are those that its beginning needs.
    """

    epochs: list[JsonObject]
    revert: Json
    messages: list[StoredMessage]
    rows: list[v2.StoredRow]
    rest: _Rest | None


def events(ref: Ref, first: int | None = None) -> Iterator[Event]:
    """The events of a session.

    Args:
        first: where it has more messages, the story may end with the opening of the next one.

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
    if content.rows:
        told = _merged(told, content.rows)
    if content.rest is None and first is not None:
        told = _until(told, content.messages[first].id)
    yield from told
    if content.rest is not None:
        yield from _last(content.rest)
        diff = beside.session_diff(path.parent, ref.id)
        if diff is not None:
            yield diff


def _until(told: Iterator[Event], message: str) -> Iterator[Event]:
    """Up to where this message opens."""
    for event in told:
        yield event
        if event.type == "message" and event.message == message:
            return


def _last(rest: _Rest) -> Iterator[Event]:
    for part in rest.orphans:
        problem = part.problem or "its message is not in the database"
        yield Opaque(kind="part", problem=problem, record=part.id, raw=part.raw)
    for row, wrong in rest.waiting:
        yield _waiting_prompt(row, wrong)
    for todo in rest.todos:
        yield beside.todo_notice(str(todo.get("position")), todo, todo)


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
    fetch = Fetch.of(connection, tables, ref.id)
    revert = _session_record(fetch, ref).get("revert")
    epochs = fetch("session_context_epoch", "session_id", "session_id")
    early = None if first is None else beginning(fetch, first)
    found, orphans = messages(fetch) if early is None else (early, [])
    rows = _rows(fetch)
    return _Content(
        epochs=[record("session_context_epoch", row)[0] for row in epochs],
        revert=revert,
        messages=found,
        rows=rows,
        rest=_rest(fetch, orphans, {m.id for m in found} | {row.id for row in rows})
        if early is None
        else None,
    )


def _session_record(fetch: Fetch, ref: Ref) -> JsonObject:
    for table in SESSION_TABLES:
        for row in fetch(table, "id", most=1):
            return record(table, row)[0]
    raise NotFoundError(f"{ref.store} has no session {ref.id}")


def _rows(fetch: Fetch) -> list[v2.StoredRow]:
    """The rows of ``session_message`` that are no messages besides."""
    rows = fetch("session_message", "session_id", "seq", "time_created", "id")
    found = [row_of(one) for one in fetch.reader("session_message")(rows)]
    same = fetch.having("message", "id", [row.id for row in found])
    known = {str(row["id"]) for row in same if column(row, "session_id") == fetch.session}
    return [row for row in found if row.id not in known]


def _rest(fetch: Fetch, orphans: list[StoredPart], done: set[str]) -> _Rest:
    inputs = fetch("session_input", "session_id", "admitted_seq")
    return _Rest(
        orphans=orphans,
        waiting=[
            record("session_input", row)
            for row in inputs
            if row["id"] not in done and column(row, "promoted_seq") is None
        ],
        todos=[record("todo", row)[0] for row in fetch("todo", "session_id", "position")],
    )


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
