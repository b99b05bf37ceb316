"""The rows of one session of an OpenCode database, as what its story is told from."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from adapters.opencode import v2
from adapters.opencode.rows import JSON_COLUMNS, Reader, Record, data_of, text
from adapters.opencode.schema import Tables
from adapters.opencode.stored import ReadLater, StoredMessage, StoredPart
from finder import sqlite
from finder.dataclass import maker
from finder.jsonio import integer, mapping, string
from finder.model import Json

IN_ORDER = ("time_created", "id")  # of messages
# By the id of their message, what reads them in order.
Parts = Mapping[Json, Callable[[], Iterator[StoredPart]]]

Values = sqlite3.Row | tuple[Any, ...]
"""Those of a row, in the order of the columns."""

_message = maker(StoredMessage)


class Fetch(NamedTuple):
    """Reads the rows of one session, from tables that may not be there.

    Attributes:
        utf8: the database's texts are in UTF-8.
    """

    connection: sqlite3.Connection
    tables: Tables
    session: str
    utf8: bool

    @classmethod
    def of(cls, connection: sqlite3.Connection, tables: Tables, session: str) -> Fetch:
        """From a database whose tables are known."""
        encoding = connection.execute("PRAGMA encoding").fetchone()
        return cls(connection, tables, session, utf8=encoding[0] == "UTF-8")

    def __call__(
        self, table: str, key: str, *order: str, where: str = "", most: int | None = None
    ) -> list[sqlite3.Row]:
        """The first rows of a table. `key`: the column that has the session's id."""
        columns = self.tables.get(table, ())
        if key not in columns:
            return []
        query = f"{self.select(table)} WHERE {key} = ?{where}"
        by = [sqlite.quoted(column) for column in order if column in columns]
        if by:
            query += f" ORDER BY {', '.join(by)}"
        if most is not None:
            query += f" LIMIT {most}"
        return self.connection.execute(query, (self.session,)).fetchall()

    def having(
        self, table: str, key: str, values: Sequence[str], more: str = ""
    ) -> Iterator[sqlite3.Row]:
        """The rows of any session that have one of these values in a column of a table."""
        if key not in self.tables.get(table, ()):
            return
        for some in sqlite.chunks(list(values)):
            marks = ", ".join("?" * len(some))
            query = f"{self.select(table)} WHERE {key} IN ({marks}){more}"
            yield from self.connection.execute(query, some)

    def tuples(self, query: str) -> list[tuple[Any, ...]]:
        """What a query gives that names the session `?1`, without the names of the columns."""
        cursor = self.connection.execute(query, (self.session,))
        cursor.row_factory = None
        return cursor.fetchall()

    def reader(self, table: str) -> Reader:
        """What makes records of a table's rows."""
        return Reader(table, self.tables.get(table, ()))

    def select(self, table: str) -> str:
        """What asks for all columns of a table that is there.

        JSON comes as the bytes that its parser takes: as a text it would be decoded first, and
        then encoded again.
        """
        names = {column: sqlite.quoted(column) for column in self.tables[table]}
        as_bytes = JSON_COLUMNS[table] if self.utf8 else ()
        asked = [
            f"CAST({name} AS BLOB) AS {name}" if column in as_bytes else name
            for column, name in names.items()
        ]
        return f"SELECT {', '.join(asked)} FROM {table}"


def messages(fetch: Fetch) -> tuple[list[StoredMessage], list[StoredPart]]:
    """All messages with their parts, and the parts whose message is gone."""
    parts = parts_of(fetch, _parts(fetch))
    rows = fetch("message", "session_id", *IN_ORDER)
    found = [message_of(one, parts) for one in fetch.reader("message")(rows)]
    known = {message.raw["id"] for message in found}
    return found, [part for of, read in parts.items() if of not in known for part in read()]


def _parts(fetch: Fetch) -> Sequence[Values]:
    """Parts by their message's session; those of no message by their own."""
    columns = fetch.tables.get("part", ())
    if "message_id" not in columns or "session_id" not in fetch.tables.get("message", ()):
        return fetch("part", "session_id", "id")
    select, session = fetch.select("part"), (fetch.session,)
    # In the order of the index on both: to have all of them sorted takes as long as parsing them.
    query = (
        f"{select} WHERE message_id IN (SELECT id FROM message WHERE session_id = ?1)"
        " ORDER BY message_id, id"
    )
    found = fetch.tuples(query)
    if "session_id" not in columns:
        return found
    # To look for the message of each takes far longer than to count whether any is left.
    query = "SELECT count(*) FROM part WHERE session_id = ?1"
    (own,) = fetch.connection.execute(query, session).fetchone()
    session_of = itemgetter(columns.index("session_id"))
    if own > list(map(session_of, found)).count(fetch.session):
        query = (
            f"{select} WHERE session_id = ?1"
            " AND NOT EXISTS (SELECT 1 FROM message WHERE message.id = part.message_id)"
            " ORDER BY message_id, id"
        )
        found += fetch.tuples(query)
    return found


def parts_of(fetch: Fetch, rows: Iterable[Values]) -> Parts:
    """Rows of ``part`` by the message that they belong to."""
    read, columns = fetch.reader("part"), fetch.tables.get("part", ())
    there = "message_id" in columns
    message_of = itemgetter(columns.index("message_id")) if there else lambda _: None
    found: dict[Json, list[Values]] = {}
    for message, own in groupby(rows, message_of):  # mostly they are in this order
        found.setdefault(text(message), []).extend(own)
    return {message: partial(_read, read, own) for message, own in found.items()}


def parts_for(message: Json, parts: Parts) -> Iterable[StoredPart]:
    """Those of a message with this id, which may be none, or that of another one too."""
    read = parts.get(message)
    return () if read is None else ReadLater(read)


def _read(read: Reader, rows: list[Values]) -> Iterator[StoredPart]:
    return map(part_of, read(rows))


def message_of(found: Record, parts: Parts) -> StoredMessage:
    """A record of ``message`` and those of these parts that are its own."""
    raw, _ = found
    data, problem = data_of(found)
    return _message(
        id=str(raw["id"]),
        info=data,
        raw=raw,
        parts=parts_for(raw["id"], parts),
        at=integer(raw.get("time_created")) or integer(mapping(data.get("time")).get("created")),
        problem=problem,
    )


def part_of(found: Record) -> StoredPart:
    """A record of ``part``."""
    raw, problem = found
    data = raw.get("data")
    if not isinstance(data, dict):
        data, problem = data_of(found)
    return StoredPart(str(raw["id"]), data, raw, problem)


def row_of(found: Record) -> v2.StoredRow:
    """A record of ``session_message``."""
    raw, _ = found
    data, problem = data_of(found)
    return v2.StoredRow(
        id=str(raw["id"]),
        type=string(raw.get("type")) or "unknown",
        info=data,
        raw=raw,
        at=integer(raw.get("time_created")),
        problem=problem,
    )


def column(row: sqlite3.Row, name: str) -> Json:
    """A value of a row; None where it has no such column."""
    return row[name] if name in row.keys() else None  # noqa: SIM118
