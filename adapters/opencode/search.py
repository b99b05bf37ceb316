"""Which sessions of an OpenCode database may have what is sought, the last updated first.

The sessions are gone through in chunks, each in one short read, so that the first are told at
once and neither memory nor the program that is writing has to wait for the last. In a chunk SQL
names the rows that may have a term (see `adapters.opencode.sieve`); of the sessions that may have
all of them the rows are read as events, until each term was seen.

Where nearly all sessions of a chunk have the terms, those of the next are told unseen: whoever
asked will look at a few of them, and that is less work than to look at all here.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from adapters.opencode import beside, v2
from adapters.opencode.conditions import condition, last_updated
from adapters.opencode.fetch import message_of, part_of, row_of
from adapters.opencode.records import story
from adapters.opencode.rows import record
from adapters.opencode.schema import SESSION_TABLES, Tables, check
from adapters.opencode.sieve import Sieve
from adapters.opencode.stored import StoredMessage
from finder import files, sqlite
from finder.adapter import Candidate, Want
from finder.content import fields
from finder.errors import StoreError
from finder.model import Event, Ref
from finder.words import Sought, Term, folded

_FIRST_CHUNK, _LARGEST_CHUNK, _GROWTH = 8, 256, 4
_COMMON = 0.75  # of a chunk's sessions
_MOST_THREADS = 4
_MOST_TERMS = 32  # that SQL is asked for; it takes no more than a thousand conditions in a row
_FIRST_PAGE = _FIRST_CHUNK * (1 + _GROWTH + _GROWTH**2)


def candidates(path: Path, tool: str, sought: Sought, want: Want | None) -> Iterator[Candidate]:
    """The sessions that may have all terms, the last updated first."""
    # What has no pieces, such as "::", stands nearly everywhere.
    telling = [sieve for sieve in map(Sieve, sought.terms) if sieve.pieces]
    sieves = sorted(telling, key=lambda sieve: -len(sieve.pieces[0]))[:_MOST_TERMS]
    beside_it = _Files.of(path.parent)

    def having(chunk: Sequence[_Dated]) -> set[str]:
        if not sieves:
            return {identifier for identifier, _ in chunk}
        return sqlite.read(path, _Search(path, sieves, beside_it, chunk).having)

    for page in _pages(path, want):
        for identifier, updated in _passing(page, having):
            yield Candidate(Ref(tool, str(path), identifier), updated)


_Dated = tuple[str, int | None]  # a session's id, and when it was updated
_Having = Callable[[Sequence[_Dated]], set[str]]


def _passing(page: Sequence[_Dated], having: _Having) -> Iterator[_Dated]:
    """Those of the sessions that may have all terms, in their order."""
    start, size = 0, _FIRST_CHUNK
    while start < len(page) and size < _LARGEST_CHUNK:
        chunk = page[start : start + size]
        ids = having(chunk)
        yield from (dated for dated in chunk if dated[0] in ids)
        start += size
        if len(ids) >= _COMMON * len(chunk):
            yield from page[start : start + _LARGEST_CHUNK]
            start += _LARGEST_CHUNK
        else:  # small at first, so that the first answers come soon
            size = min(size * _GROWTH, _LARGEST_CHUNK)
    chunks = (page[at : at + size] for at in range(start, len(page), size))
    for chunk, ids in _at_once(having, chunks):
        yield from (dated for dated in chunk if dated[0] in ids)


def _at_once(
    having: _Having, chunks: Iterator[Sequence[_Dated]]
) -> Iterator[tuple[Sequence[_Dated], set[str]]]:
    """Each chunk with its answer; as many at once as there are processors.

    SQLite works without Python's lock, so that threads share the work.
    """
    first = next(chunks, None)
    if first is None:
        return
    from concurrent.futures import Future, ThreadPoolExecutor

    count = min(os.cpu_count() or 1, _MOST_THREADS)
    asked: list[tuple[Sequence[_Dated], Future[set[str]]]] = []
    with ThreadPoolExecutor(count) as threads:
        for chunk in chain([first], chunks):
            asked.append((chunk, threads.submit(having, chunk)))
            if len(asked) > count:  # one waits, so that no thread has to
                done, answer = asked.pop(0)
                yield done, answer.result()
        yield from ((done, answer.result()) for done, answer in asked)


def _pages(path: Path, want: Want | None) -> Iterator[list[_Dated]]:
    """All sessions, the last updated first: at first a few of them, then the others."""
    first = sqlite.read(path, lambda connection: _dated(connection, path, want, _FIRST_PAGE))
    yield first
    if len(first) == _FIRST_PAGE:
        known = {identifier for identifier, _ in first}
        every = sqlite.read(path, lambda connection: _dated(connection, path, want))
        yield [dated for dated in every if dated[0] not in known]


def _dated(
    connection: sqlite3.Connection, path: Path, want: Want | None, most: int | None = None
) -> list[_Dated]:
    tables = sqlite.tables(connection)
    check(tables, str(path))
    found: dict[str, int | None] = {}
    for table in SESSION_TABLES:
        columns = tables.get(table, ())
        if "id" not in columns:
            continue
        where, values = condition(connection, table, columns, want)
        # A row without an id is no session, and must not count as one of the newest.
        where += f"{' AND' if where else ' WHERE'} typeof(id) = 'text'"
        updated = "time_updated" if "time_updated" in columns else "NULL"
        if most is not None and updated != "NULL":
            where, values = last_updated(connection, table, where, values, most)
        query = f"SELECT id, {updated} AS at FROM {table}{where}"
        for identifier, at in connection.execute(query, values).fetchall():
            found.setdefault(identifier, at if isinstance(at, int) else None)
    newest = sorted(found.items(), key=lambda dated: -(dated[1] or 0))
    return newest[:most]


class _Files(NamedTuple):
    """What lies beside the database: sessions with a file of diffs; whether outputs are kept."""

    folder: Path
    diffs: frozenset[str]
    outputs: bool

    @classmethod
    def of(cls, folder: Path) -> _Files:
        diffs = (Path(name).stem for name in _names(folder / "storage" / "session_diff"))
        return cls(folder, frozenset(diffs), any(_names(folder / "tool-output")))


def _names(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in entries)
    except OSError:
        return


class _Source(NamedTuple):
    """A table that holds content.

    Attributes:
        tables: what to select from; `session`, `row` and `text` are columns of it.
        needs: the columns that must be there.
        hidden: conditions on rows that say more than stands in `text`.
        events: reads a row of `table`; None: what passes the sieve is believed to have the term.
    """

    table: str
    needs: tuple[str, ...]
    tables: str
    session: str
    row: str
    text: str
    only: str = ""
    hidden: tuple[str, ...] = ()
    events: Callable[[sqlite3.Row, Ref, Path], Iterable[Event]] | None = None


def _part_events(row: sqlite3.Row, ref: Ref, folder: Path) -> Iterable[Event]:
    message = StoredMessage(id="", info={}, raw=None, parts=[part_of(record("part", row))])
    return story(ref, [message], attached=beside.tool_output(folder))


def _message_events(row: sqlite3.Row, ref: Ref, folder: Path) -> Iterable[Event]:
    return story(ref, [message_of(record("message", row), {})])


def _row_events(row: sqlite3.Row, ref: Ref, folder: Path) -> Iterable[Event]:
    return v2.row_events(row_of(record("session_message", row)))


_PARTS = _Source(
    "part",
    ("message_id", "data"),
    # In this order: the sessions are few, their messages and parts are found by index.
    "message m CROSS JOIN part p ON p.message_id = m.id",
    "m.session_id",
    "p.rowid",
    "p.data",
    events=_part_events,
)
_SOURCES = (
    _PARTS,
    _Source(
        "message",
        ("session_id", "data"),
        "message m",
        "m.session_id",
        "m.rowid",
        "m.data",
        # Of a message itself only its error is searched; of one that cannot be parsed, all.
        only=" AND (m.data LIKE '%error%' OR NOT json_valid(CAST(m.data AS TEXT)))",
        events=_message_events,
    ),
    _Source(
        "session_message",
        ("session_id", "data"),
        "session_message v",
        "v.session_id",
        "v.rowid",
        "v.data",
        hidden=("v.type GLOB '*-switched'",),
        events=_row_events,
    ),
    _Source(
        "session_input",
        ("session_id", "prompt"),
        "session_input i",
        "i.session_id",
        "i.rowid",
        "i.prompt",
    ),
    _Source(
        "session_context_epoch",
        ("session_id", "baseline"),
        "session_context_epoch e",
        "e.session_id",
        "e.rowid",
        "e.baseline",
    ),
    _Source(
        "todo",
        ("session_id", "content", "status", "priority"),
        "todo t",
        "t.session_id",
        "t.rowid",
        "(t.status || ' ' || t.content || ' ' || coalesce(t.priority, ''))",
    ),
)


class _Mark(NamedTuple):
    """A row that may have a term. `plainly`: it has its pieces in ASCII letters."""

    source: _Source
    row: int
    term: Term
    plainly: bool


class _Search:
    """The search in one chunk of sessions."""

    def __init__(
        self, path: Path, sieves: Sequence[Sieve], files: _Files, chunk: Sequence[_Dated]
    ) -> None:
        self.path = path
        self.sieves = sieves
        self.files = files
        self.chunk = chunk

    def having(self, connection: sqlite3.Connection) -> set[str]:
        """The ids of those sessions that may have all terms."""
        tables = sqlite.tables(connection)
        marked: dict[str, list[_Mark]] = {}
        for source in _SOURCES:
            if _is_there(source, tables) and _has_rows(connection, source):
                for session, mark in self._marks(connection, source):
                    marked.setdefault(session, []).append(mark)
        return {
            identifier
            for identifier, _ in self.chunk
            if self._has(connection, identifier, marked.get(identifier, []))
        }

    def _marks(
        self, connection: sqlite3.Connection, source: _Source
    ) -> Iterator[tuple[str, _Mark]]:
        """The rows of one table that may have some of the terms, with their sessions."""
        tests = [sieve.test(source.text, f"t{n}") for n, sieve in enumerate(self.sieves)]
        values = {name: value for test in tests for name, value in test.values.items()}
        # 1: it is there; 0: it is not; the text: Python has to look. Of one term only the rows
        # that may have it are told, and what takes long is not tested twice.
        asked = [
            f"CASE WHEN {t.plainly} THEN 1 WHEN {'1' if len(tests) == 1 else t.may}"
            f" THEN {source.text} ELSE 0 END"
            for t in tests
        ]
        hidden = self._hidden(source)
        asked.append(hidden)
        either = " OR ".join([*(test.may for test in tests), hidden])
        for some in sqlite.chunks([identifier for identifier, _ in self.chunk]):
            ids = {f"s{number}": identifier for number, identifier in enumerate(some)}
            query = (
                f"SELECT {source.session}, {source.row}, {', '.join(asked)} FROM {source.tables}"
                f" WHERE {source.session} IN ({','.join(f':{name}' for name in ids)})"
                f" AND ({either}){source.only}"
            )
            # Not fetched at once: most of the texts pass in SQL only.
            for session, row, *said, hides in connection.execute(query, {**values, **ids}):
                for sieve, has in zip(self.sieves, said, strict=True):
                    if has == 1 or hides or (has and sieve.may_hold(_text(has), not_plainly=True)):
                        yield session, _Mark(source, row, sieve.term, has == 1)

    def _hidden(self, source: _Source) -> str:
        """The condition that a row says something in other letters than those it is kept in."""
        text = source.text
        hidden = [f"{text} GLOB '*;base64,*' AND {text} GLOB '*data:text*'", *source.hidden]
        hidden.append(f"typeof({text}) = 'blob'")  # LIKE and GLOB may not look into it
        if source is _PARTS and self.files.outputs:
            # The full text of a result that was cut is in a file, which the part names.
            hidden.append(f"{text} GLOB '*Path\"*tool_*'")
        if any(sieve.percent for sieve in self.sieves):
            hidden.append(f"{text} GLOB '*file:*%*'")  # the slashes may be escaped
        return f"({' OR '.join(hidden)})"

    def _has(self, connection: sqlite3.Connection, session: str, marks: list[_Mark]) -> bool:
        """Whether one session may have all terms."""
        left = {sieve.term for sieve in self.sieves}
        has_diff = session in self.files.diffs
        if not has_diff and len({mark.term for mark in marks}) < len(left):
            return False
        # What stands there plainly is nearly always there; one such row settles the term.
        for mark in sorted(marks, key=lambda m: not m.plainly):
            if mark.term in left and self._is_seen(connection, session, mark):
                left.discard(mark.term)
        if left and has_diff:
            left -= self._seen_in_diff(session)
        return not left

    def _is_seen(self, connection: sqlite3.Connection, session: str, mark: _Mark) -> bool:
        """Whether a row has the term, read as events."""
        source = mark.source
        if source.events is None:
            return True
        query = f"SELECT * FROM {source.table} WHERE rowid = ?"
        row = connection.execute(query, (mark.row,)).fetchone()
        if row is None:
            return False
        events = source.events(row, Ref("", str(self.path), session), self.path.parent)
        return mark.term in _seen(events, [mark.term])

    def _seen_in_diff(self, session: str) -> set[Term]:
        path = self.path.parent / "storage" / "session_diff" / f"{session}.json"
        try:
            text = files.read(path).decode("utf-8", "surrogateescape")
        except StoreError:
            return set()
        possible = [sieve.term for sieve in self.sieves if sieve.may_hold(text)]
        event = beside.diff_file(path) if possible else None
        return _seen([event], possible) if event else set()


def _is_there(source: _Source, tables: Tables) -> bool:
    needed = {source.table: source.needs}
    if source is _PARTS:
        needed["message"] = ("id", "session_id")
    return all(set(columns) <= set(tables.get(table, ())) for table, columns in needed.items())


def _has_rows(connection: sqlite3.Connection, source: _Source) -> bool:
    # Even of an empty table, to ask for hundreds of sessions takes a millisecond.
    return connection.execute(f"SELECT 1 FROM {source.table} LIMIT 1").fetchone() is not None


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")


def _seen(events: Iterable[Event], terms: Sequence[Term]) -> set[Term]:
    """Those of the terms that stand in some field of the events."""
    seen: set[Term] = set()
    for event in events:
        for _, text in fields(event):
            comparable = folded(text)
            seen.update(term for term in terms if term not in seen and term.find(comparable))
        if len(seen) == len(terms):
            break
    return seen
