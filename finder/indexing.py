"""Making and refreshing the index of a store's texts (see `finder.textindex`).

What was read is kept even if the work is interrupted; the next call goes on from there.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from finder import files
from finder.errors import FinderError, WriteError
from finder.model import Ref
from finder.source import Source
from finder.sqlite import is_text
from finder.textindex import (
    LONGEST,
    SHORTEST,
    file_of,
    folder_of,
    is_sealed,
    look,
    seal_of,
    stamps_of,
)
from finder.words import folded

_PORTION = 200  # sessions that are kept at once
_BUSY = "another finder index may be at work on it"
_SECONDS = 1.0  # to wait for another one who writes
_MOST_WASTE = 0.5  # of what is kept, of sessions as they were once
_TABLES = """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE doc (
        session TEXT PRIMARY KEY, number INTEGER UNIQUE NOT NULL, stamp TEXT NOT NULL);
    CREATE VIRTUAL TABLE said USING fts5 (
        text, content = '', detail = none, columnsize = 0, tokenize = 'ascii');
    CREATE VIRTUAL TABLE word USING fts5 (
        text, columnsize = 0, tokenize = 'trigram case_sensitive 1');
"""
_LETTERS = bytes(
    ord(chr(code).lower()) if chr(code).isalnum() and code < 128 else 32 for code in range(256)
)

Progress = Callable[[int, int], None]
"""Is told how many sessions are done, of how many."""


class Indexed(NamedTuple):
    """What was done for one store.

    Attributes:
        sessions: how many are in the index.
        read: how many of them were read now.
        size: of the index, in bytes.
    """

    sessions: int
    read: int
    size: int


def refresh(source: Source, cache: Path, progress: Progress) -> Indexed | None:
    """Bring the index of a store up to date, or make it; None: the store is of a kind without.

    Raises:
        WriteError: it cannot be written.
    """
    state = source.state() if source.settled() else None
    told = source.stamps()
    if told is None:
        return None
    # A damaged id cannot be kept; what stays unknown here is looked for in the store.
    stamps = {session: stamp for session, stamp in told.items() if is_text(session)}
    path = file_of(cache, source.store.path)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(path), _opened(path) as connection:
            read = _Refreshing(connection, source, stamps, progress).done(state)
            sessions = len(stamps_of(connection))
        return Indexed(sessions, read, path.stat().st_size)
    except sqlite3.Error as error:
        hint = _BUSY if "locked" in str(error) else None
        raise WriteError(f"{path} cannot be written: {error}", hint=hint) from error
    except OSError as error:
        raise WriteError(f"{path} cannot be written: {error.strerror or error}") from None


def drop(cache: Path, stores: Iterable[Path]) -> int:
    """Remove the indexes of these stores; how many there were.

    Raises:
        WriteError: one cannot be removed.
    """
    removed = 0
    for store in stores:
        path = file_of(cache, store)
        there = path.exists()
        try:
            _remove(path)
            _lock_of(path).unlink(missing_ok=True)
        except NotADirectoryError:  # nothing was ever kept there
            continue
        except OSError as error:
            raise WriteError(f"{path} cannot be removed: {error.strerror or error}") from None
        removed += there
    with contextlib.suppress(OSError):
        folder_of(cache).rmdir()
    return removed


def _remove(path: Path) -> None:
    for one in (seal_of(path), path, path.with_name(f"{path.name}-journal")):
        one.unlink(missing_ok=True)


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock")


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Nobody else makes this index meanwhile: SQLite holds a lock, which ends with the process."""
    with contextlib.closing(
        sqlite3.connect(_lock_of(path), isolation_level=None, timeout=_SECONDS)
    ) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        yield


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The index, in a transaction, ready to be added to; sealed at the end, also if interrupted."""
    connection = _begun(path)
    try:
        seal_of(path).unlink(missing_ok=True)
        yield connection
        connection.execute("COMMIT")
    except sqlite3.DatabaseError:
        connection.close()
        _remove(path)
        raise
    finally:
        connection.close()  # what was not committed is undone
        if path.exists():
            files.write(seal_of(path), look(path).encode(), mode=0o600, replace=True)


def _begun(path: Path) -> sqlite3.Connection:
    """One that is whole, else a new one; in a transaction, so that nobody else writes to it."""
    if path.exists():
        connection = sqlite3.connect(path, isolation_level=None, timeout=_SECONDS)
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.DatabaseError as error:
            connection.close()
            if "locked" in str(error):  # somebody else is making it
                raise
        else:
            if is_sealed(path):
                return connection
            connection.close()
        _remove(path)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    connection = sqlite3.connect(path, isolation_level=None, timeout=_SECONDS)
    connection.execute("BEGIN IMMEDIATE")
    for statement in _TABLES.split(";")[:-1]:
        connection.execute(statement)
    return connection


class _Refreshing:
    """One store being read. `words`: those that are kept already."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        source: Source,
        stamps: Mapping[str, str],
        progress: Progress,
    ) -> None:
        self.connection = connection
        self.source = source
        self.stamps = stamps
        self.progress = progress
        self._clear_waste()
        self.number = self._last_number()
        self.words = {word for (word,) in connection.execute("SELECT text FROM word")}

    def done(self, state: str | None) -> int:
        """How many sessions were read. `state`: the store's, while the stamps were taken."""
        kept = stamps_of(self.connection)
        gone = [(session,) for session in kept if session not in self.stamps]
        self.connection.executemany("DELETE FROM doc WHERE session = ?", gone)
        self._say("state", "")
        new = [session for session, stamp in self.stamps.items() if kept.get(session) != stamp]
        for done, session in enumerate(new):
            self.progress(done, len(new))
            if done % _PORTION == 0:
                self.connection.execute("COMMIT")
                self.connection.execute("BEGIN IMMEDIATE")
            self._read(session)
        if len(new) > len(kept):
            for table in ("said", "word"):  # into one piece each, which is searched the quickest
                self.connection.execute(f"INSERT INTO {table}({table}) VALUES ('optimize')")
        self._say("state", state or "")
        return len(new)

    def _read(self, session: str) -> None:
        self.connection.execute("DELETE FROM doc WHERE session = ?", [session])
        store = self.source.store
        try:
            words = words_of(self.source.texts(Ref(store.tool, str(store.path), session)))
        except FinderError:  # it stays unknown here, and so is looked for in the store
            return
        new = [(word,) for word in words - self.words]
        self.words |= words
        self.number += 1
        self._say("number", str(self.number))
        self.connection.executemany("INSERT INTO word(text) VALUES (?)", new)
        row = [self.number, " ".join(words)]
        self.connection.execute("INSERT INTO said(rowid, text) VALUES (?, ?)", row)
        row = [session, self.number, self.stamps[session]]
        self.connection.execute("INSERT INTO doc(session, number, stamp) VALUES (?, ?, ?)", row)

    def _clear_waste(self) -> None:
        """Begin anew where much of what is kept is of sessions as they were once."""
        (kept,) = self.connection.execute("SELECT count(*) FROM doc").fetchone()
        if self._last_number() - kept <= max(_PORTION, _MOST_WASTE * kept):
            return
        self.connection.execute("INSERT INTO said(said) VALUES ('delete-all')")
        for table in ("word", "doc", "meta"):
            self.connection.execute(f"DELETE FROM {table}")

    def _last_number(self) -> int:
        """The last that was ever given."""
        row = self.connection.execute("SELECT value FROM meta WHERE name = 'number'").fetchone()
        return int(row[0]) if row else 0

    def _say(self, name: str, value: str) -> None:
        self.connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [name, value])


def words_of(texts: Iterable[str]) -> set[str]:
    """The runs of letters and digits in some texts, folded; of very long ones pieces."""
    plain: set[bytes] = set()
    words: set[str] = set()
    for text in texts:
        if text.isascii():
            plain.update(text.encode().translate(_LETTERS).split())
        else:
            words.update(re.findall(r"[^\W_]+", folded(text)))
    words.update(word.decode() for word in plain)
    odd = [word for word in words if not SHORTEST <= len(word) <= 2 * LONGEST]
    words.difference_update(odd)
    for word in odd:
        # Each next one begins `LONGEST` later: any part no longer than that is within one.
        starts = range(0, len(word) - LONGEST, LONGEST)
        words.update(word[start : start + 2 * LONGEST] for start in starts)
    return words
