"""Another program's SQLite database: reading it without a trace, and adding to it in one step.

How a database is opened for reading depends on what lies beside it:

* with ``-wal`` and ``-shm``: ``mode=ro``, which sees all that was committed. ``readonly_shm=1``
  keeps SQLite from writing its bookkeeping into the program's ``-shm`` file.
* without ``-wal``: ``immutable=1``, which takes no lock and creates no file. If a ``-wal`` has
  appeared or the file has changed by the time the reading is done, it is read again.
* else (``-wal`` without ``-shm``, a rollback journal, a folder where none of this works): a
  private copy of the database and its log, taken while neither changes.

Plain ``mode=ro`` would create ``-wal`` and ``-shm`` and leave them; ``immutable=1`` on a live
database would silently miss all that is still in the log.

What is written goes in as one transaction, which SQLite makes whole or undone whatever happens,
also beside the program that uses the database.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

from finder import files
from finder.errors import StoreError, WriteError
from finder.model import Problem

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_MAGIC = b"SQLite format 3\x00"
_TRIES = 6
_BUSY_SECONDS = 2.0
_MOST_SCHEMAS = 16
_SETTLED_NS = 2_000_000_000  # two steps of the coarsest clock, that of FAT
_LOCK_SECONDS = 10.0  # to wait for another writer, which may be in the middle of a turn
# A hostile schema can make one statement run for ever; this many seconds is a hang.
_STATEMENT_SECONDS = 60.0


_known_tables: dict[tuple[tuple[str, str], ...], dict[str, tuple[str, ...]]] = {}


def is_database(path: Path) -> bool:
    """Whether the file starts as every SQLite database does."""
    try:
        return files.head(path, len(_MAGIC)) == _MAGIC
    except StoreError:
        return False


def read(path: Path, work: Work[T]) -> T:
    """Run `work` on a read-only connection, which is closed before this returns.

    `work` may be run more than once, when the database changes under it, so it must only
    read and return.

    Raises:
        StoreError: locked, corrupt, not permitted, gone, or no database at all.
    """
    if files.head(path, len(_MAGIC)) != _MAGIC:
        size = path.stat().st_size
        message = "the file is empty" if not size else "is not an SQLite database"
        kind = "foreign" if size else "empty"
        raise StoreError(Problem(kind=kind, path=str(path), message=message))
    try:
        return _read_as_it_lies(path, work)
    except UnicodeError:
        raise
    except sqlite3.Error as error:
        raise StoreError(_problem(path, error)) from error
    except OSError as error:
        raise StoreError(files.problem_of(path, error)) from error


def _read_as_it_lies(path: Path, work: Work[T]) -> T:
    for _ in range(_TRIES):
        before = _signature(path)
        try:
            if _beside(path, "-wal").exists():
                if not _beside(path, "-shm").exists():
                    break
                return _run(path, "mode=ro&readonly_shm=1", work)
            if _beside(path, "-journal").exists():
                break
            result = _run(path, "mode=ro&immutable=1", work)
        except sqlite3.OperationalError as error:
            if "interrupted" in str(error) or "locked" in str(error):
                raise
            if _signature(path) == before:
                break  # a live database's folder that we may not use: copy
            continue
        except sqlite3.DatabaseError:
            if _signature(path) == before:
                raise
            continue
        if _signature(path) == before:
            return result
    return _read_copy(path, work)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def stamp(path: Path) -> str:
    """Changes whenever the database does, also where another takes its place, as large and old."""
    found = map(_status, (path, _beside(path, "-wal")))
    which = (None if one is None else (one.st_ino, one.st_ctime_ns) for one in found)
    return str((_signature(path), *which))


def is_settled(path: Path) -> bool:
    """Whether it was last changed long enough ago for any change to come to change its stamp.

    File systems tell times in steps of some milliseconds.
    """
    latest = max((found[1] for found in _signature(path) if found is not None), default=0)
    return latest < time.time_ns() - _SETTLED_NS


def _signature(path: Path) -> tuple[tuple[int, int] | None, ...]:
    """Size and modification time of the database and of the logs beside it."""
    found = map(_status, (path, _beside(path, "-wal"), _beside(path, "-journal")))
    return tuple(None if one is None else (one.st_size, one.st_mtime_ns) for one in found)


def _status(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except OSError:
        return None


def _read_copy(path: Path, work: Work[T]) -> T:
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory(prefix="session-finder-") as folder:
        copy = Path(folder) / "copy.db"
        for _ in range(_TRIES):
            before = _signature(path)
            shutil.copyfile(path, copy)
            for suffix in ("-wal", "-journal"):
                _beside(copy, suffix).unlink(missing_ok=True)
                if _beside(path, suffix).exists():
                    shutil.copyfile(_beside(path, suffix), _beside(copy, suffix))
            if _signature(path) == before:
                break
            time.sleep(0.05)
        return _run(copy, "mode=rw", work)


class _Connection(sqlite3.Connection):
    """Takes any text as a value: what no valid text equals is found nowhere, and is no error.

    And what SQLite says of damage is always one of its errors, whatever it quotes.
    """

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        try:
            return super().execute(sql, parameters)
        except UnicodeDecodeError as error:  # its message has a damaged name in it
            said = error.object.decode("utf-8", "replace")
            raise sqlite3.DatabaseError(said) from None
        except UnicodeEncodeError:  # from an argument in another encoding, or a damaged record
            if not is_text(sql):
                raise sqlite3.DatabaseError("a name in its schema is no valid text") from None
            if isinstance(parameters, Mapping):
                return super().execute(sql, {k: _value(v) for k, v in parameters.items()})
            return super().execute(sql, tuple(map(_value, parameters)))


def _value(value: Any) -> Any:
    if not isinstance(value, str) or is_text(value):
        return value
    return value.encode("utf-8", "surrogatepass")  # a blob, which no text equals


def is_text(value: str) -> bool:
    """Whether it can stand in a database as text: lone surrogates cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextlib.contextmanager
def kept_open() -> Iterator[None]:
    """Within this, in this thread, a database is opened once for all reads, while it is the same.

    Between the reads nothing is locked.
    """
    kept: _Kept = {}
    token = _kept.set(kept)
    try:
        yield
    finally:
        _kept.reset(token)
        for _, connection in kept.values():
            connection.close()


_Kept = dict[str, tuple[Any, sqlite3.Connection]]  # by URI: what the file was like, and opened
_kept: ContextVar[_Kept | None] = ContextVar("kept", default=None)


def _run(path: Path, parameters: str, work: Work[T]) -> T:
    # as_uri quotes ? # and %, which would otherwise end the file's name.
    uri = f"{path.absolute().as_uri()}?{parameters}"
    kept = _kept.get()
    if kept is None or "mode=ro" not in parameters:
        with contextlib.closing(_opened(uri)) as connection:
            return _done(connection, work)
    stamped = _signature(path)
    if uri not in kept or kept[uri][0] != stamped:
        _close(kept, uri)
        kept[uri] = stamped, _opened(uri)
    try:
        return _done(kept[uri][1], work)
    except BaseException:
        _close(kept, uri)
        raise


def _close(kept: _Kept, uri: str) -> None:
    if uri in kept:
        kept.pop(uri)[1].close()


def _opened(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, factory=_Connection)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA query_only=ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _done(connection: sqlite3.Connection, work: Work[T]) -> T:
    deadline = time.monotonic() + _STATEMENT_SECONDS
    connection.set_progress_handler(lambda: int(time.monotonic() > deadline), 1_000_000)
    try:
        return work(connection)
    except sqlite3.OperationalError as error:
        if "decode to UTF-8" not in str(error):
            raise
        # Text that is not UTF-8: keep its bytes as surrogate escapes. The callback
        # is slower than the built-in decoder, so it is used only here.
        connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
        return work(connection)


def transaction(path: Path, work: Work[T]) -> T:
    """Run `work` in one transaction on a database that is there; what it raises undoes it.

    Foreign keys are enforced. A writer in another process is waited for, some seconds.

    Raises:
        WriteError: locked, not permitted, full, damaged, or refused by the schema. Then the
            database is as it was.
    """
    uri = f"{path.absolute().as_uri()}?mode=rw"
    try:
        with contextlib.closing(
            sqlite3.connect(uri, uri=True, timeout=_LOCK_SECONDS, isolation_level=None)
        ) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA trusted_schema=OFF")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            return result
    except sqlite3.Error as error:
        reason = _problem(path, error).message if _is_busy(error) else str(error)
        raise WriteError(f"{path} is not changed: {reason}") from error


def _is_busy(error: sqlite3.Error) -> bool:
    return "locked" in str(error) or "busy" in str(error)


def tables(connection: sqlite3.Connection) -> Mapping[str, tuple[str, ...]]:
    """The real tables, each with the names of its stored columns.

    Views, virtual tables and generated columns are left out: what they compute is not a
    record, and a hostile file could make the computation endless.
    """
    # What a table's columns are follows from how it was made: asked once, for that takes as long
    # as all the rest of a short read.
    made = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
    schema = tuple(map(tuple, made.fetchall()))
    if schema not in _known_tables:
        if len(_known_tables) >= _MOST_SCHEMAS:
            _known_tables.clear()
        _known_tables[schema] = _tables(connection)
    return _known_tables[schema]


def _tables(connection: sqlite3.Connection) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    # In one statement: asking for each table by itself takes as long as a search.
    columns = connection.execute(
        "SELECT t.name, c.name FROM sqlite_master t"
        " CROSS JOIN pragma_table_xinfo(t.name) c ON c.hidden = 0 WHERE t.type = 'table'"
        " AND trim(t.sql, ' ' || char(9, 10, 13)) NOT LIKE 'CREATE VIRTUAL%'"
    )
    for table, column in columns.fetchall():
        found.setdefault(table, []).append(column)
    return {table: tuple(names) for table, names in found.items()}


def quoted(name: str) -> str:
    """An identifier, quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def chunks(items: list[str], size: int = 500) -> Iterator[list[str]]:
    """Lists short enough to be bound as the values of one statement."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _problem(path: Path, error: sqlite3.Error) -> Problem:
    reason = str(error)
    if "locked" in reason or "busy" in reason:
        message = "is locked by another program; try again when that has finished"
        return Problem(kind="locked", path=str(path), message=message)
    if "interrupted" in reason:
        message = f"a read took more than {_STATEMENT_SECONDS:.0f} s; the database may be damaged"
        return Problem(kind="corrupt", path=str(path), message=message)
    if "unable to open" in reason:
        message = "cannot be opened; check the permissions of the file and of its folder"
        return Problem(kind="permission", path=str(path), message=message)
    message = f"the database is damaged: {reason}"
    return Problem(kind="corrupt", path=str(path), message=message)
