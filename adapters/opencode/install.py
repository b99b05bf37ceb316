"""Sessions into OpenCode's live database: as rows, in one transaction.

``opencode import`` has no transaction, skips what has an id that is there already without a word,
and imports no subagents; so the rows are written here, and read again before they are committed.
The program may be running beside: its database lets one write at a time, and it finds new sessions
at its next look.

What it keeps as files beside the database (full tool outputs, file changes) is put in place before
the rows that refer to it are there, and taken away if they cannot be.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from adapters.opencode import renew, tables
from adapters.opencode.encode import DATABASE, OLDER_DATABASE, Encoded, encoded, side_files
from adapters.opencode.ids import Ids
from adapters.opencode.own import Form
from adapters.opencode.project import GLOBAL, Project, project_of
from adapters.opencode.tables import CONTENT, Schema
from finder import files, sqlite
from finder.dataclass import dataclass, field, replace
from finder.errors import WriteError
from finder.jsonio import mapping, string
from finder.model import Event, JsonObject, Session
from finder.places import Places
from finder.writing import Draft, File, Installation, Plan, Report

# An answer that is not finished, and was changed so lately, may be being written.
_RUNNING_SECONDS = 15 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseDraft(Draft):
    """A session's records; `files` are those beside the database, below the data folder."""

    made: Encoded


@dataclass(slots=True)
class LiveDatabase(Installation):
    """The database of the user's OpenCode.

    Attributes:
        data: the program's data folder, where the files are that go with sessions.
        folder: the working directory of sessions that have none.
        form: what this version of the database holds.
    """

    store: Path
    data: Path
    folder: Path
    form: Form
    _projects: dict[str, Project] = field(default_factory=dict)

    def encode(
        self, session: Session, events: Sequence[Event], plan: Plan, report: Report
    ) -> DatabaseDraft:
        made = encoded(session, events, plan, report, self.form)
        if not string(made.info.get("directory")):
            made = made._replace(info={**made.info, "directory": str(self.folder)})
            report.rule("invented", "session", "directory", "OpenCode has no session without one")
        beside = tuple(side_files(made, plan))
        return DatabaseDraft(id=plan.id, files=beside, store=self.store.name, made=made)

    def stage(self, drafts: Sequence[Draft], folder: Path) -> Path:
        path = folder / self.store.name
        statements = sqlite.read(self.store, _statements)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()
        for file in _files(drafts):
            files.write(folder / file.path, b"".join(file.pieces), mode=file.mode)
        sqlite.transaction(path, lambda c: self._insert(c, drafts, replace_=False))
        return path

    def commit(self, drafts: Sequence[Draft], *, replace: bool) -> None:
        beside = _Beside(self.data)
        try:
            beside.place(drafts, replace)
            sqlite.transaction(self.store, lambda c: self._insert(c, drafts, replace_=replace))
        except BaseException:
            beside.undo()
            raise

    def _insert(
        self, connection: sqlite3.Connection, drafts: Sequence[Draft], *, replace_: bool
    ) -> None:
        schema = Schema(connection, str(self.store))
        for draft in drafts:
            assert isinstance(draft, DatabaseDraft)
            writer = _Writer(connection, schema, str(self.store))
            made = writer.with_free_ids(draft.made)
            project = self._project(made, writer)
            writer.write(made, project, replace_)

    def _project(self, made: Encoded, writer: _Writer) -> Project:
        """The project of the session's folder; of one that is gone, the one that it had."""
        directory = str(made.info.get("directory") or "")
        if directory not in self._projects:
            by_remote = writer.schema.by_remote
            self._projects[directory] = project_of(directory, by_remote=by_remote)
        project = self._projects[directory]
        had = string(made.info.get("projectID")) or GLOBAL
        if project.id == GLOBAL and not files.is_folder(Path(directory)):
            return writer.known_project(had) or writer.known_project(GLOBAL) or project
        return writer.known_project(project.id) or project


@dataclass(slots=True)
class _Writer:
    """Writes sessions within one transaction."""

    connection: sqlite3.Connection
    schema: Schema
    path: str

    def known_project(self, identifier: str) -> Project | None:
        query = "SELECT * FROM project WHERE id = ?"
        row = self.connection.execute(query, (identifier,)).fetchone()
        if row is None:
            return None
        vcs = row["vcs"] if "vcs" in self.schema.columns["project"] else None
        return Project(row["id"], row["worktree"], vcs)

    def with_free_ids(self, made: Encoded) -> Encoded:
        """The records under ids that no other session uses: they are unique in a database."""
        own = str(made.info["id"])
        wanted = {
            "message": [kept.id for kept in made.messages],
            "part": [str(part["id"]) for kept in made.messages for part in kept.parts],
        }
        taken = any(self._is_taken(table, ids, own) for table, ids in wanted.items())
        for one in made.beside:
            if one.kind == "row" and self._is_taken(one.value["table"], [one.value.get("id")], own):
                raise WriteError(
                    f"{self.path} has record {one.value.get('id')!r} in another session already",
                    hint="write a file with --out instead",
                )
        if not taken:
            return made
        messages = [replace(kept, parts=[dict(p) for p in kept.parts]) for kept in made.messages]
        for kept in messages:
            kept.info = kept.info and dict(kept.info)
        info = dict(made.info)
        renew.renew(messages, info, Ids(own, "again"))
        return made._replace(info=info, messages=messages)

    def _is_taken(self, table: str, ids: Sequence[str | None], session: str) -> bool:
        if not {"id", "session_id"} <= {*self.schema.columns.get(table, ())}:
            return False
        for some in sqlite.chunks([one for one in ids if one]):
            marks = ",".join("?" * len(some))
            query = f"SELECT 1 FROM {table} WHERE id IN ({marks}) AND session_id <> ? LIMIT 1"
            if self.connection.execute(query, (*some, session)).fetchone():
                return True
        return False

    def write(self, made: Encoded, project: Project, replace_: bool) -> None:
        identifier = str(made.info["id"])
        there = self._session(identifier)
        if there is not None:
            if not replace_:
                raise WriteError(
                    f"{self.path} has session {identifier} already",
                    hint="replace it with --replace, or write a copy with --new-id",
                )
            self._refuse_running(identifier)
            self._clear(identifier)
        if self.known_project(project.id) is None:
            now = time.time_ns() // 1_000_000
            self._put(iter([tables.project_row(project, now)]))
        written = self._put(tables.session_rows(made, project), there is not None)
        self._check(identifier, written)

    def _session(self, identifier: str) -> sqlite3.Row | None:
        query = "SELECT * FROM session WHERE id = ?"
        row: sqlite3.Row | None = self.connection.execute(query, (identifier,)).fetchone()
        return row

    def _refuse_running(self, identifier: str) -> None:
        """
        Raises:
            WriteError: the session's newest answer looks as if it were being written.
        """
        query = (
            "SELECT data, max(time_updated, coalesce((SELECT max(p.time_updated) FROM part p"
            " WHERE p.message_id = m.id), 0)) AS changed"
            " FROM message m WHERE session_id = ? ORDER BY time_created DESC, id DESC LIMIT 1"
        )
        row = self.connection.execute(query, (identifier,)).fetchone()
        info = _data(row["data"]) if row is not None else {}
        ended = mapping(info.get("time")).get("completed") or info.get("error")
        lately = row is not None and row["changed"] > (time.time() - _RUNNING_SECONDS) * 1000
        if info.get("role") == "assistant" and not ended and lately:
            raise WriteError(
                f"session {identifier} is in the middle of a turn",
                hint="wait for its end, or write a copy with --new-id",
            )

    def _clear(self, identifier: str) -> None:
        """Take out the content of a session; its own row stays, with all that refers to it."""
        for table in CONTENT:
            if "session_id" in self.schema.columns.get(table, ()):
                self.connection.execute(f"DELETE FROM {table} WHERE session_id = ?", (identifier,))
        for table in ("event", "event_sequence"):
            if "aggregate_id" in self.schema.columns.get(table, ()):
                query = f"DELETE FROM {table} WHERE aggregate_id = ?"
                self.connection.execute(query, (identifier,))

    def _put(
        self, rows: Iterator[tables.Row], is_there: bool = False
    ) -> dict[str, dict[str, JsonObject]]:
        """Write rows; gives them back by table and id."""
        written: dict[str, dict[str, JsonObject]] = {}
        for table, row in self.schema.fitting(rows):
            columns = [*row]
            if table == "session" and is_there:
                # A link under which it was shared stays.
                columns = [c for c in columns if c not in ("share_url", "workspace_id")]
                marks = ", ".join(f"{sqlite.quoted(c)} = ?" for c in columns)
                query = f"UPDATE session SET {marks} WHERE id = ?"
                self.connection.execute(query, [*(row[c] for c in columns), row["id"]])
            else:
                names = ", ".join(map(sqlite.quoted, columns))
                marks = ",".join("?" * len(columns))
                query = f"INSERT INTO {table} ({names}) VALUES ({marks})"
                self.connection.execute(query, [row[c] for c in columns])
            if table in ("message", "part"):
                written.setdefault(table, {})[row["id"]] = row
        return written

    def _check(self, identifier: str, written: dict[str, dict[str, JsonObject]]) -> None:
        """
        Raises:
            WriteError: the rows that are there are not those that were written.
        """
        for table in ("message", "part"):
            query = f"SELECT * FROM {table} WHERE session_id = ?"
            there = {row["id"]: row for row in self.connection.execute(query, (identifier,))}
            rows = written.get(table, {})
            same = there.keys() == rows.keys() and all(
                there[key][column] == value
                for key, row in rows.items()
                for column, value in row.items()
            )
            if not same:
                raise WriteError(
                    f"{self.path}: table {table} does not keep what is written to it;"
                    " nothing was changed"
                )


def _statements(connection: sqlite3.Connection) -> list[str]:
    """What makes the tables and indexes of the database."""
    query = (
        "SELECT sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL"
        " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type DESC, rowid"
    )
    return [row["sql"] for row in connection.execute(query).fetchall()]


def _data(text: object) -> JsonObject:
    from finder import jsonio

    try:
        return mapping(jsonio.loads(text)) if isinstance(text, str) else {}
    except ValueError:
        return {}


def _files(drafts: Sequence[Draft]) -> Iterator[File]:
    for draft in drafts:
        yield from draft.files


@dataclass(slots=True)
class _Beside:
    """The files beside the database that were placed, with what stood there before."""

    data: Path
    before: list[tuple[Path, bytes | None]] = field(default_factory=list)

    def place(self, drafts: Sequence[Draft], replace_: bool) -> None:
        """
        Raises:
            WriteError: another file is there and is not to be replaced, or it cannot be written.
        """
        for draft in drafts:
            diff = self.data / "storage" / "session_diff" / f"{draft.id}.json"
            wanted = {self.data / file.path: file for file in draft.files}
            if replace_ and diff not in wanted and diff.exists():
                self.before.append((diff, files.read(diff)))
                diff.unlink()
            for path, file in wanted.items():
                self._place(path, file, replace_)

    def _place(self, path: Path, file: File, replace_: bool) -> None:
        stood = files.read(path) if path.exists() else None
        data = b"".join(file.pieces)
        if stood == data:
            return
        self.before.append((path, stood))
        files.write(path, data, mode=file.mode, replace=replace_)

    def undo(self) -> None:
        """Put everything back as it was."""
        for path, stood in reversed(self.before):
            if stood is None:
                path.unlink(missing_ok=True)
            else:
                files.write(path, stood, replace=True)


def live_database(places: Places) -> LiveDatabase:
    """The database that the program uses.

    Raises:
        WriteError: there is none, it is not clear which, or its version is not known.
    """
    from adapters.opencode import homes

    own, found = homes.own_database(places), homes.databases(places)
    if own is None or not own.is_file():
        own = found[0] if len(found) == 1 else None
    if own is None:
        names = ", ".join(str(path) for path in found)
        raise WriteError(
            f"it is not clear which database is OpenCode's: {names}"
            if found
            else f"OpenCode has no database in {homes.data_folder(places)} yet",
            hint="name it in OPENCODE_DB" if found else "start opencode once, then try again",
        )
    path = own
    columns = sqlite.read(path, lambda connection: Schema(connection, str(path)).columns)
    form = DATABASE if "session_input" in columns else OLDER_DATABASE
    return LiveDatabase(path, homes.data_folder(places), places.cwd, form)
