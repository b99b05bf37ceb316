"""OpenCode's SQLite database, 1.2 to 1.18 and the channels' own (``opencode-dev.db``).

Tables read, where they are there (columns come and go; the schema is asked, never assumed):

    session          one row a session; `session_v2` is read alike, by the columns it shares
    message, part    content; ``data`` is JSON without the ids, which are columns
    session_message  content of sessions made through the newer API (see `adapters.opencode.v2`)
    session_input    prompts accepted; only those not yet begun are not in session_message too
    session_context_epoch   the environment text that the newer API gives the model
    todo             the session's todo list

Not read: `event` (a second full copy of all content), `session_share`, `account`, `credential`
(secrets). Messages are ordered by (time_created, id) as 1.2.27 and later do; parts by id within
their message. Ids wrapped in August 2026, so nothing else is ever ordered by them.
Schemas seen: 1.2.1, 1.2.27, 1.3.2, 1.14.41, 1.15.13, 1.17.0, 1.18.33 and a development build.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from finder.adapter import Adapter, Can, Candidate, Names, Outline, Resume, Store, Want
from finder.errors import StoreError
from finder.model import Problem, Ref, Session

if TYPE_CHECKING:
    from finder.model import Event
    from finder.places import Places
    from finder.words import Sought

RANK = 2  # believed before the files that it was migrated from


class OpenCodeDatabase(Adapter):
    """Reads ``opencode.db``."""

    name: ClassVar[str] = "opencode-db"
    tool: ClassVar[str] = "opencode"
    title: ClassVar[str] = "OpenCode database (1.2 and later)"
    can: ClassVar[Can] = Can(
        subagents=True,
        compaction=True,
        reasoning=True,
        attachments=True,
        usage=True,
        times=True,
        labels=True,
        archive=True,
        resume=True,
    )

    def discover(self, places: Places) -> Iterator[Store | Problem]:
        from adapters.opencode import homes

        try:
            found = homes.databases(places)
            if not found and not homes.legacy_folders(places):
                found = self._told(places)
        except OSError as error:
            from finder import files

            yield files.problem_of(homes.data_folder(places), error)
            return
        for path in found:
            yield self._store(path, _program(places))

    def _told(self, places: Places) -> list[Path]:
        """Databases at the place that the installed program names, where it is another."""
        program = _program(places)
        if program is None:
            return []
        from adapters.opencode import homes
        from adapters.opencode.program import told_data_folder

        folder = told_data_folder(program, places)
        if folder is None or folder == homes.data_folder(places):
            return []
        there = {**places.env, "XDG_DATA_HOME": str(folder.parent)}
        return homes.databases(places._replace(env=there))

    def homes(self, places: Places) -> Sequence[Path]:
        from adapters.opencode import homes

        usual = homes.data_folder(places) / "opencode*.db"
        own = homes.own_database(places)
        return [usual] if own is None or own.parent == usual.parent else [own, usual]

    def detect(self, path: Path) -> Store | None:
        from finder import sqlite

        if not path.is_file() or not sqlite.is_database(path):
            return None
        from adapters.opencode.schema import is_opencode

        try:
            claimed = sqlite.read(path, lambda c: is_opencode(sqlite.tables(c), path.name))
        except StoreError:
            # Damaged or locked: claim it by its name, so that the user is told.
            claimed = path.name.startswith("opencode") and path.suffix == ".db"
        return self._store(path) if claimed else None

    def _store(self, path: Path, program: Path | None = None) -> Store:
        return Store(
            adapter=self.name,
            tool=self.tool,
            path=path,
            kind="database",
            rank=RANK,
            program=program,
        )

    def sessions(self, store: Store, want: Want | None = None) -> Iterator[Session | Problem]:
        from adapters.opencode.listing import listed

        try:
            yield from listed(store.path, self.tool, want)
        except StoreError as error:
            if store.program is None or error.problem.kind != "unknown-schema":
                raise
            from adapters.opencode.program import listed_by_program

            yield error.problem
            yield from listed_by_program(store.program, store.path, self.tool)

    def outlines(self, store: Store, want: Want | None = None) -> Iterator[Outline | Problem]:
        from adapters.opencode.listing import outlines

        try:
            found = outlines(store.path, want)
        except StoreError as error:
            if error.problem.kind != "unknown-schema":
                raise
            found = None  # where nothing else helps, `sessions` asks the program
        yield from super().outlines(store, want) if found is None else found

    def candidates(
        self, store: Store, sought: Sought, want: Want | None = None
    ) -> Iterator[Candidate | Problem]:
        from adapters.opencode.search import candidates

        yield from candidates(store.path, self.tool, sought, want)

    def names(self, store: Store, since: int | None = None) -> Names:
        from adapters.opencode.listing import names

        return names(store.path, since)

    def descendants(self, store: Store, ids: Sequence[str]) -> Iterator[Session]:
        from adapters.opencode.listing import descendants

        yield from descendants(store.path, self.tool, ids)

    def events(self, ref: Ref) -> Iterator[Event]:
        from adapters.opencode.content import events

        return events(ref)

    def beginning(self, ref: Ref, messages: int) -> Iterator[Event]:
        from adapters.opencode.content import events

        return events(ref, messages)

    def count(self, store: Store) -> int | None:
        from adapters.opencode.listing import count

        return count(store.path)

    def stamp(self, store: Store) -> str | None:
        from adapters.opencode.stamps import store_stamp

        return store_stamp(store.path)

    def stamps(self, store: Store) -> Mapping[str, str] | None:
        from adapters.opencode.stamps import stamps

        return stamps(store.path)

    def generation(self, store: Store) -> str | None:
        from adapters.opencode.schema import generation
        from finder import sqlite

        return sqlite.read(store.path, generation)

    def resume(self, session: Session) -> Resume | None:
        # From another folder than the session's own, 1.18.33 hangs without a word.
        return Resume(argv=("opencode", "-s", session.ref.id), cwd=session.directory)


def _program(places: Places) -> Path | None:
    """The installed ``opencode``; looked for without importing anything heavy."""
    for folder in places.env.get("PATH", "").split(os.pathsep):
        program = Path(folder, "opencode")
        if folder and program.is_file() and os.access(program, os.X_OK):
            return program
    return None
