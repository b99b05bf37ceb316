"""The words of all sessions of a store, kept in our cache folder by ``finder index``.

It only proposes: each session that it names is read, and each that it does not know as it is now
is looked for in the store itself. It is an SQLite database with two FTS5 tables:

    said  for each session, by number, its words: runs of letters and digits, folded. Contentless.
    word  all the words, by their trigrams: so a word is found within others too.

A very long word is kept in pieces that overlap, so that each part of it no longer than `LONGEST`
is within one. Beside the database lies a seal, with its size and time: an index that was not
finished, or that somebody else has written to, is not believed.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from finder import files
from finder.adapter import Candidate, Want, latest_first
from finder.errors import FinderError

if TYPE_CHECKING:
    import sqlite3

    from finder.source import Source
    from finder.words import Sought

VERSION = "finder text index 1"
LONGEST = 32  # letters of a word that are looked for together
SHORTEST = 3  # a trigram
_MOST_WORDS = 2_000  # that have a word in them; of so common ones the scan finds some at once
_MOST_SESSIONS = 1_000
_AT_ONCE = 200


def candidates(
    source: Source, cache: Path | None, sought: Sought, want: Want
) -> Iterator[Candidate]:
    """Like `Source.candidates`, by the index of the store where there is one."""
    told = _told(source, cache, sought)
    if told is None:
        yield from source.candidates(sought, want)
        return
    if want.ids is not None:
        told = _Told(told.having & set(want.ids), told.changed & set(want.ids))
    source.lookup(told.having)
    found = (source.known[one] for one in told.having if one in source.known)
    unchanged = sorted((Candidate(s.ref, s.updated) for s in found), key=latest_first)
    if not told.changed:
        yield from unchanged
        return
    changed = source.candidates(sought, want._replace(ids=tuple(sorted(told.changed))))
    yield from heapq.merge(unchanged, changed, key=latest_first)


class _Told(NamedTuple):
    """Sessions that the index knows to have all words; and those that it does not know."""

    having: set[str]
    changed: set[str]


def _told(source: Source, cache: Path | None, sought: Sought) -> _Told | None:
    """What the index says, where it is of use."""
    path = None if cache is None else file_of(cache, source.store.path)
    if path is None or not is_sealed(path):
        return None
    from finder import sqlite

    state = source.state()
    try:
        kept = sqlite.read(path, lambda connection: _asked(connection, sought, state))
    except FinderError:  # damaged: as if there were none
        return None
    if kept is None or not is_sealed(path):
        return None
    having, stamps = kept
    if stamps is None:
        return _Told(having, set())
    now = source.stamps()
    if now is None:
        return None
    changed = {session for session, stamp in now.items() if stamps.get(session) != stamp}
    # Very many are looked for as quickly among all.
    few = len(changed) <= max(_MOST_SESSIONS, len(now) // 10)
    return _Told(having - changed, changed) if few else None


def _asked(
    connection: sqlite3.Connection, sought: Sought, state: str | None
) -> tuple[set[str], dict[str, str] | None] | None:
    """The sessions that have all words; and the stamps of all, if the store has changed since."""
    numbers = _having(connection, sought)
    if numbers is None or len(numbers) > _MOST_SESSIONS:
        return None
    having = {
        session
        for number in numbers
        for (session,) in connection.execute("SELECT session FROM doc WHERE number = ?", [number])
    }
    kept = connection.execute("SELECT value FROM meta WHERE name = 'state'").fetchone()
    if state is not None and kept is not None and kept[0] == state:
        return having, None
    return having, stamps_of(connection)


def stamps_of(connection: sqlite3.Connection) -> dict[str, str]:
    """For each session that is kept what it was like."""
    return dict(map(tuple, connection.execute("SELECT session, stamp FROM doc").fetchall()))


def _having(connection: sqlite3.Connection, sought: Sought) -> set[int] | None:
    """The numbers of those that have all the words; None: the words are too short or common."""
    having: set[int] | None = None
    for piece in (piece for term in sought.terms for piece in term.pieces):
        if len(piece) < SHORTEST:
            continue
        words = connection.execute(
            "SELECT text FROM word WHERE word MATCH ? LIMIT ?",
            [f'"{piece[:LONGEST]}"', _MOST_WORDS + 1],
        ).fetchall()
        if len(words) > _MOST_WORDS:
            continue
        found: set[int] = set()
        for start in range(0, len(words), _AT_ONCE):
            any_of = " OR ".join(f'"{word}"' for (word,) in words[start : start + _AT_ONCE])
            rows = connection.execute("SELECT rowid FROM said WHERE said MATCH ?", [any_of])
            found.update(number for (number,) in rows)
        having = found if having is None else having & found
    return having


# -- where it is -----------------------------------------------------------------------------


def folder_of(cache: Path) -> Path:
    """Where all indexes are."""
    return cache / "text"


def file_of(cache: Path, store: Path) -> Path:
    """The index of one store."""
    name = crc32(str(store.absolute()).encode("utf-8", "surrogateescape"))
    return folder_of(cache) / f"{name:08x}.db"


def seal_of(path: Path) -> Path:
    """The file that says that an index is whole."""
    return path.with_suffix(".seal")


def is_sealed(path: Path) -> bool:
    """Whether an index is there, and just as it was left."""
    try:
        return files.read(seal_of(path), 1_000).decode() == look(path)
    except (FinderError, OSError, ValueError):
        return False


def look(path: Path) -> str:
    """What changes whenever an index is written to.

    Raises:
        OSError: it is not there.
    """
    found = path.stat()
    return f"{VERSION} {found.st_size} {found.st_mtime_ns}"
