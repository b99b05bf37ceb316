"""Which tables and columns an OpenCode database has, and what that tells."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping

from finder import sqlite
from finder.errors import StoreError
from finder.model import Problem

Tables = Mapping[str, tuple[str, ...]]

SESSION_TABLES = ("session", "session_v2")
# Types of rows of session_message that are messages; the others are marks between them.
MESSAGE_TYPES = ("user", "assistant", "synthetic", "shell", "compaction")

# Every table of 1.2.1 to 1.18.33, so that one nobody has heard of is noticed.
_KNOWN = frozenset(
    "account account_state control_account credential data_migration event event_sequence"
    " message migration part permission project project_directory session"
    " session_context_epoch session_entry session_input session_message session_share"
    " session_v2 todo workspace __drizzle_migrations".split()
)
_TELLING = ("session", "message", "part", "conversation", "chat", "turn")


def is_opencode(tables: Tables, name: str) -> bool:
    """Whether a database with these tables, of this file name, is to be read here.

    One that is named like ours but is another program's is claimed too, so that it is named
    as a problem instead of being passed over.
    """
    if any(table in tables for table in SESSION_TABLES):
        columns = tables.get("session") or tables["session_v2"]
        return "id" in columns and ("message" in tables or "session_message" in tables)
    return name.startswith("opencode") and name.endswith(".db")


def check(tables: Tables, path: str) -> None:
    """Raise for a database that holds no sessions of the kind we know.

    Raises:
        StoreError: names the tables that were seen.
    """
    if any("id" in tables.get(table, ()) for table in SESSION_TABLES):
        return
    seen = ", ".join(sorted(tables)) or "none"
    if {"sessions", "messages", "files"} <= set(tables):
        message = (
            "is a database of the older, unrelated OpenCode written in Go (later Crush);"
            f" its tables are {seen}"
        )
        raise StoreError(Problem(kind="foreign", path=path, message=message))
    message = f"has no session table of a version that is known; its tables are: {seen}"
    raise StoreError(Problem(kind="unknown-schema", path=path, message=message))


def unknown_tables(connection: sqlite3.Connection, tables: Tables, path: str) -> Iterator[Problem]:
    """A problem for each table that may hold sessions and is not one we read."""
    for name in sorted(set(tables) - _KNOWN):
        if not any(word in name.lower() for word in _TELLING):
            continue
        row = connection.execute(f"SELECT 1 FROM {sqlite.quoted(name)} LIMIT 1").fetchone()
        if row is not None:
            message = (
                f"table {name!r} has rows and is not known to this version of finder;"
                " sessions in it are not shown"
            )
            yield Problem(kind="unknown-schema", path=path, message=message, record=name)


def generation(connection: sqlite3.Connection) -> str | None:
    """The version that a database's columns tell of, and the last that wrote a session."""
    tables = sqlite.tables(connection)
    columns = tables.get("session", ())
    if "session_v2" in tables:
        since = "session_v2"
    elif "session_input" in tables:
        since = "1.17+"
    elif "cost" in columns:
        since = "1.15+"
    elif "agent" in columns:
        since = "1.14+"
    elif "workspace_id" in columns:
        since = "1.2.27+"
    elif columns:
        since = "1.2"
    else:
        return None
    if "version" not in columns or "time_updated" not in columns:
        return since
    row = connection.execute(
        "SELECT version FROM session ORDER BY time_updated DESC LIMIT 1"
    ).fetchone()
    return f"{since}, newest session by {row[0]}" if row else f"{since}, empty"
