"""Stores of OpenCode of any size: databases, and the tree of JSON files of before.

A database has the schema and the migrations of the newest fixture: its file is copied, its
sessions are deleted, and new ones are put in.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from finder import jsonio
from tests.bench.sessions import MODELS, MadeMessage, MadeSession, Shape, made, planted

_FIXTURES = Path(__file__).parents[2] / "fixtures"
_FIXTURE = _FIXTURES / "opencode-db/1.18.33/store/.local/share/opencode/opencode.db"
_DATA = Path(".local/share/opencode")
_PROJECT = "8f58db568bd2a07a94d2fb4b51fe70421090927d"

_INSERT_SESSION = """
    INSERT INTO session (id, project_id, parent_id, slug, directory, path, title, version,
                         agent, model, time_created, time_updated, time_archived)
    VALUES (?, ?, ?, ?, ?, '', ?, '1.18.33', ?, ?, ?, ?, ?)
"""


def make_database(home: Path, shape: Shape) -> dict[str, str]:
    """A home folder with a database; the ids of what is planted in it."""
    sessions, contents = made(shape)
    write_database(home, sessions, contents, shape.seed)
    return planted(sessions)


def write_database(
    home: Path,
    sessions: list[MadeSession],
    contents: Iterable[tuple[MadeSession, list[MadeMessage]]] = (),
    seed: int = 1,
) -> None:
    """A home folder with a database of these sessions."""
    path = home / _DATA / "opencode.db"
    path.parent.mkdir(parents=True)
    shutil.copyfile(_FIXTURE, path)
    path.chmod(0o644)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF")
        projects = _emptied(connection)
        chosen = random.Random(seed)
        connection.executemany(_INSERT_SESSION, (_row(s, projects, chosen) for s in sessions))
        for session, messages in contents:
            _put(connection, session, messages)
        connection.commit()
        connection.execute("VACUUM")


def _emptied(connection: sqlite3.Connection) -> list[str]:
    """Delete what is of sessions; the ids of the projects, which stay."""
    contents = ("part", "message", "todo", "session_message", "session_input")
    for table in (*contents, "session_context_epoch", "session"):
        connection.execute(f"DELETE FROM {table}")
    return [row[0] for row in connection.execute("SELECT id FROM project ORDER BY id")]


def _put(connection: sqlite3.Connection, session: MadeSession, messages: list[MadeMessage]) -> None:
    connection.executemany(
        "INSERT INTO message VALUES (?, ?, ?, ?, ?)",
        ((m.id, session.id, m.at, m.at, _json(m.data)) for m in messages),
    )
    connection.executemany(
        "INSERT INTO part VALUES (?, ?, ?, ?, ?, ?)",
        (
            (identifier, message.id, session.id, message.at, message.at, _json(part))
            for message in messages
            for identifier, part in message.parts
        ),
    )


def _json(value: object) -> str:
    return jsonio.dumps(value).decode()


def _row(session: MadeSession, projects: list[str], chosen: random.Random) -> tuple[object, ...]:
    provider, model = chosen.choice(MODELS)
    archived = session.updated if session.parent is None and chosen.random() < 0.05 else None
    return (
        session.id,
        chosen.choice(projects),
        session.parent,
        f"slug-{chosen.getrandbits(24):06x}",
        session.directory,
        session.title,
        session.agent,
        _json({"id": model, "providerID": provider, "variant": "default"}),
        session.created,
        session.updated,
        archived,
    )


def make_tree(home: Path, shape: Shape) -> dict[str, str]:
    """A home folder with the JSON files of 1.1: one for each session, message and part."""
    storage = home / _DATA / "storage"
    storage.mkdir(parents=True)
    (storage / "migration").write_text("2")
    project = {"id": _PROJECT, "worktree": "/home/dev/code", "vcs": "git", "sandboxes": []}
    _write(storage / "project" / f"{_PROJECT}.json", {**project, "time": {"created": 1}})
    sessions, contents = made(shape)
    for session, messages in contents:
        _write(storage / "session" / _PROJECT / f"{session.id}.json", _info(session))
        for message in messages:
            owner = {"id": message.id, "sessionID": session.id}
            path = storage / "message" / session.id / f"{message.id}.json"
            _write(path, {**owner, **message.data})
            for identifier, part in message.parts:
                ids = {"id": identifier, "sessionID": session.id, "messageID": message.id}
                _write(storage / "part" / message.id / f"{identifier}.json", {**ids, **part})
    return planted(sessions)


def _info(session: MadeSession) -> dict[str, object]:
    info: dict[str, object] = {
        "id": session.id,
        "slug": "jolly-cactus",
        "version": "1.1.65",
        "projectID": _PROJECT,
        "directory": session.directory,
        "title": session.title,
        "time": {"created": session.created, "updated": session.updated},
        "summary": {"additions": 0, "deletions": 0, "files": 0},
    }
    return {**info, "parentID": session.parent} if session.parent else info


def _write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jsonio.dumps(value, indent=True))
