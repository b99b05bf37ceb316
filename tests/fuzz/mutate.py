"""Ways in which a store can be wrong. Each takes a random generator and changes files on disk.

Most know the structure of what they change (a JSON tree, a table), since a random byte nearly
always ends in "not JSON" and reaches nothing behind the parser.
"""

from __future__ import annotations

import copy
import json
import os
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

Mutation = Callable[[random.Random, Path], str]


class Literal(str):
    """A text that is written into JSON as it is: a number that no parser likes."""


_DEEP: list[Any] = []
for _ in range(100):
    _DEEP = [_DEEP]

NASTY: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**63,
    10**30,
    -(10**400),
    1.5,
    Literal("1e400"),
    Literal("-1e400"),
    Literal("NaN"),
    "",
    "\x00",
    "\x1b]0;owned\x07\x1b[2J",
    "\u202egnp.exe\u2066",
    "\ud800",
    "../../../../etc/passwd",
    "a\nb\rc",
    "%s%n{0}${x}`id`",
    "text",
    "user",
    "assistant",
    "tool",
    "9" * 5000,
    "x" * 200_000,
    [],
    [[]],
    {},
    {"": {"": []}},
    {"type": "text", "text": 7},
    _DEEP,
)


# What texts of fifty megabytes are made of.
_MUCH = ("y", "many words, a line of them\n", "\n", "é", "\U0001f9ad ", "<b> **x** `y` | ``` ")


def nasty(chance: random.Random) -> Any:
    """A value that nobody expects; once in a long while a very large one."""
    if chance.random() < 0.001:
        much = chance.choice(_MUCH)
        return much * (50_000_000 // len(much.encode()))
    # A copy: what is put into a tree may itself be changed next, and must not hold itself.
    return copy.deepcopy(chance.choice(NASTY))


# -- JSON -------------------------------------------------------------------------------


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a JSON tree, as (container, key)."""
    found = []
    waiting = [value]
    while waiting:
        container = waiting.pop()
        keys = container if isinstance(container, dict) else range(len(container))
        for key in keys:
            found.append((container, key))
            if isinstance(container[key], dict | list):
                waiting.append(container[key])
    return found


def mutated(chance: random.Random, value: Any) -> Any:
    """A JSON tree with one to three places changed: retyped, lost, doubled, swapped."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        places = _places(value) if isinstance(value, dict | list) else []
        if not places:
            return nasty(chance)
        container, key = chance.choice(places)
        deed = chance.randrange(6)
        if deed <= 2:
            container[key] = nasty(chance)
        elif deed == 3:
            other, there = chance.choice(places)
            container[key] = copy.deepcopy(other[there])  # an id twice, a parent that is its child
        elif deed == 4 and isinstance(container, list):
            container.insert(key, copy.deepcopy(container[key]))
        elif isinstance(container, dict):
            del container[key]
    return value


def _written(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=True, default=str)
    for literal in ("1e400", "-1e400", "NaN"):
        text = text.replace(f'"{literal}"', literal)
    return text.encode()


def json_tree(chance: random.Random, path: Path) -> str:
    """Change the tree of a JSON file, or of one line of a JSON Lines file."""
    data = path.read_bytes()
    if path.suffix == ".jsonl":
        lines = data.splitlines()
        if lines:
            at = chance.randrange(len(lines))
            lines[at] = _written(mutated(chance, json.loads(lines[at])))
            path.write_bytes(b"\n".join(lines) + b"\n")
    else:
        path.write_bytes(_written(mutated(chance, json.loads(data))))
    return "json tree"


# -- bytes ------------------------------------------------------------------------------


def some_bytes(chance: random.Random, path: Path) -> str:
    """Cut, flip, insert or wrap bytes."""
    data = bytearray(path.read_bytes())
    deed = chance.randrange(7)
    at = chance.randrange(len(data) + 1)
    if deed == 0:
        del data[at:]
    elif deed == 1 and data:
        for _ in range(chance.randrange(1, 20)):
            data[chance.randrange(len(data))] = chance.randrange(256)
    elif deed == 2:
        data[at:at] = chance.choice((b"\x00" * 100, b"\xff\xfe", b"\xed\xa0\x80", b"}{][", b'"'))
    elif deed == 3:
        data[:0] = b"\xef\xbb\xbf"
    elif deed == 4:
        data = bytearray(data.decode("utf-8", "replace").encode("utf-16"))
    elif deed == 5:
        data.clear()
    else:
        data[at:at] = data[: chance.randrange(len(data) + 1)]
    path.write_bytes(data)
    return "bytes"


# -- what stands in the place of a file ----------------------------------------------------


def other_kind(chance: random.Random, path: Path) -> str:
    """A folder, a named pipe, a link to itself or to nowhere in the file's place."""
    path.unlink()
    deed = chance.randrange(5)
    if deed == 0:
        path.mkdir()
    elif deed == 1:
        os.mkfifo(path)
    elif deed == 2:
        path.symlink_to(path.name)
    elif deed == 3:
        path.symlink_to("/nowhere/at/all")
    else:
        path.symlink_to("..", target_is_directory=True)
    return "other kind of file"


def other_name(chance: random.Random, path: Path) -> str:
    """A name that a careless program prints or splits."""
    name = chance.choice(("a\nb", "\x1b[31m", "$(id)", "-rf", " ", "ses_", "x" * 200, "…\u202e"))
    path.rename(path.with_name(name + path.suffix))
    return "name"


# -- SQLite -----------------------------------------------------------------------------


def _tables(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return [name for (name,) in rows]


def database_cell(chance: random.Random, path: Path) -> str:
    """Change cells of rows: JSON inside them by its tree, others to anything."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA foreign_keys=OFF")
    filled = [t for t in _tables(connection) if t in {"session", "message", "part", "todo"}]
    filled.append("session_message")
    table = chance.choice([t for t in filled if t in _tables(connection)])
    rows = connection.execute(f'SELECT rowid, * FROM "{table}"').fetchall()
    columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
    for row in chance.sample(rows, min(len(rows), chance.choice((1, 1, 5, len(rows))))):
        at = chance.randrange(len(columns))
        value: Any = _cell(chance, row[at + 1])
        try:
            statement = f'UPDATE OR IGNORE "{table}" SET "{columns[at]}" = ? WHERE rowid = ?'
            connection.execute(statement, (value, row[0]))
        except (sqlite3.Error, OverflowError, UnicodeEncodeError):
            continue
    return _closed(connection, f"cell of {table}")


def _cell(chance: random.Random, value: Any) -> Any:
    if isinstance(value, str) and value[:1] in "{[" and chance.random() < 0.8:
        return _written(mutated(chance, json.loads(value))).decode()
    if chance.random() < 0.2:
        return chance.choice((b"\xff\xfe\x00", b"{", b"\x80abc"))
    chosen = nasty(chance)
    return chosen if isinstance(chosen, str | int | float | None) else json.dumps(chosen)


def database_parents(chance: random.Random, path: Path) -> str:
    """Parent links in circles, and to nobody."""
    connection = sqlite3.connect(path)
    ids = [row[0] for row in connection.execute("SELECT id FROM session")]
    for identifier in ids:
        parent = chance.choice([*ids, "ses_nobody", identifier])
        statement = "UPDATE session SET parent_id = ? WHERE id = ?"
        connection.execute(statement, (parent, identifier))
    return _closed(connection, "parents")


_SCHEMAS = (
    "DROP TABLE part",
    "DROP TABLE message",
    "DROP TABLE session",
    "ALTER TABLE session RENAME TO sessions",
    "ALTER TABLE session RENAME COLUMN id TO key",
    "ALTER TABLE message RENAME COLUMN data TO content",
    "ALTER TABLE part RENAME COLUMN message_id TO message",
    "ALTER TABLE session ADD COLUMN big GENERATED ALWAYS AS (hex(zeroblob(100000000)))",
    "CREATE TABLE session_v2 (id BLOB, data TEXT)",
    "CREATE TABLE session_v2 AS SELECT * FROM session",
    "CREATE TABLE part_v3 AS SELECT * FROM part",
)
_ENDLESS = "WITH RECURSIVE n(id) AS (SELECT 'a' UNION ALL SELECT id FROM n) SELECT id FROM n"


def database_schema(chance: random.Random, path: Path) -> str:
    """Tables lost, renamed, or replaced by views that never end."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA foreign_keys=OFF")
    statement = chance.choice((*_SCHEMAS, "view"))
    try:
        if statement == "view":
            table = chance.choice(("session", "message", "part"))
            connection.execute(f"DROP TABLE {table}")
            connection.execute(f"CREATE VIEW {table} AS {_ENDLESS}")
        else:
            connection.execute(statement)
    except sqlite3.Error:
        pass
    return _closed(connection, "schema")


def _closed(connection: sqlite3.Connection, what: str) -> str:
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return what


def mutations_for(path: Path) -> list[Mutation]:
    """What can be done to a file, the fruitful things more often."""
    anything: list[Mutation] = [some_bytes, other_kind, other_name]
    if path.suffix == ".db":
        database = [database_cell] * 8 + [database_parents, database_schema, database_schema]
        return [*database, *anything]
    if path.suffix in {".json", ".jsonl"}:
        return [*[json_tree] * 8, *anything]
    return [some_bytes, some_bytes, *anything]
