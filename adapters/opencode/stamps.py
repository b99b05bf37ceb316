"""What changes whenever the story of a session does, without reading the story.

Each row of content has the time of its last change; so how many rows a session has, the sum of
these times and the place of the last row tell. (The latest of the times would not: a row that is
given a time of its own, as by an import, need not be the latest.) What this does not tell is that
somebody else has changed a row and left its time. The diffs of a session are in a file of its own.
A tool's full output in a file is written before the part that names it, and never changed.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

from adapters.opencode.schema import SESSION_TABLES, check
from finder import sqlite

# The tables of content, each with the column that changes with a row.
_CONTENT = dict.fromkeys(("message", "part", "session_message", "todo"), "time_updated")
# Rows of these are replaced, but not changed except for marks.
_WRITTEN_ONCE = {"session_input": "time_created", "session_context_epoch": "baseline_seq"}
_LOW = 0xFFFFFFFF  # the part of a time that any change changes; sums of it stay numbers


def store_stamp(path: Path) -> str:
    """Changes whenever anything does."""
    diffs = crc32(repr(sorted(_diffs(path.parent))).encode("utf-8", "surrogateescape"))
    return f"{sqlite.stamp(path)} {diffs} {_changed(path.parent / 'tool-output')}"


def stamps(path: Path) -> dict[str, str] | None:
    """For each session what changes with its story; None: the columns do not tell."""
    found = sqlite.read(path, _stamps)
    if found is None:
        return None
    for session, stamp in _diffs(path.parent):
        if session in found:
            found[session] += f" {stamp}"
    return found


def _stamps(connection: sqlite3.Connection) -> dict[str, str] | None:
    tables = sqlite.tables(connection)
    check(tables, "")
    found: dict[str, str] = {}
    for table in SESSION_TABLES:
        if "id" in tables.get(table, ()):
            ids = connection.execute(f"SELECT id FROM {table}").fetchall()
            found.update((session, "") for (session,) in ids if isinstance(session, str))
    for table, column in {**_CONTENT, **_WRITTEN_ONCE}.items():
        columns = tables.get(table, ())
        if not columns:
            continue
        if "session_id" not in columns or (table in _CONTENT and column not in columns):
            return None
        changed = f"sum({column} & {_LOW})" if column in columns else "0"
        query = f"SELECT session_id, count(*), {changed}, max(rowid) FROM {table} GROUP BY 1"
        for session, count, at, last in connection.execute(query).fetchall():
            if session in found:
                found[session] += f" {table} {count} {at} {last}"
    return found


def _diffs(folder: Path) -> Iterator[tuple[str, str]]:
    """Each session that has a file of diffs, and what changes with that."""
    try:
        with os.scandir(folder / "storage" / "session_diff") as entries:
            for entry in entries:
                found = entry.stat()
                stem = entry.name.removesuffix(".json")
                yield stem, f"diff {found.st_size} {found.st_mtime_ns}"
    except OSError:
        return


def _changed(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0
