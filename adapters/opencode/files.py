"""OpenCode's sessions as files, 0.1 to 1.1, in each of their layouts (`adapters.opencode.layouts`).

One store is one ``storage/`` folder, one ``project/<name>/storage`` folder, or one root of the
published layout; or a session's own file in one of these. Records are JSON, one to a file:

    session   {id, slug, version, projectID, directory, title, parentID?, share?, summary?,
               permission?, revert?, time{created, updated, compacting?, archived?}}
              0.5: without slug, projectID, directory; 0.1: without parentID, too
    message   {id, sessionID, role, time{created, completed?}, …}; 0.1: `adapters.opencode.v1`
    part      {id, sessionID, messageID, type, …}
    todo      [{id, content, status, priority}]      one file for each session that has some
    diff      [{file, before, after, additions, deletions, status?}]

Versions seen: 0.1.174, 0.5.29, 1.1.65. Later versions keep a database, and leave these files
where they are: stale where the database knows the session too, else the only copy there is.

A session of these files cannot be continued by a command: 1.2 and later do not read them, and
1.17 and later, started beside them, make an empty database that stands in their way for good.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from finder.adapter import Adapter, Can, Store, Want
from finder.errors import StoreError
from finder.model import Problem, Ref, Session

if TYPE_CHECKING:
    from adapters.opencode.layouts import Layout
    from finder.model import Event
    from finder.places import Places
    from finder.writing import Draft, Plan, Report

# A newer layout is believed before an older one, and the database (2) before both.
_RANKS = {"storage": 1, "published": 1, "project": 0}


class OpenCodeFiles(Adapter):
    """Reads ``storage/``, ``project/*/storage`` and the published layout."""

    name: ClassVar[str] = "opencode-files"
    tool: ClassVar[str] = "opencode"
    title: ClassVar[str] = "OpenCode session files (0.1 to 1.1)"
    target: ClassVar[str | None] = "opencode-files"
    foreign_records: ClassVar[bool] = False
    can: ClassVar[Can] = Can(
        subagents=True,
        compaction=True,
        reasoning=True,
        attachments=True,
        usage=True,
        times=True,
        labels=True,
        archive=True,
    )

    def homes(self, places: Places) -> Sequence[Path]:
        from adapters.opencode.homes import data_folder

        data = data_folder(places)
        return data / "storage", data / "project", places.home / ".opencode"

    def discover(self, places: Places) -> Iterator[Store | Problem]:
        from adapters.opencode import homes
        from finder import files

        try:
            folders: Sequence[Path] = homes.legacy_folders(places)
        except OSError as error:
            yield files.problem_of(Path(error.filename or homes.data_folder(places)), error)
            folders = (homes.data_folder(places) / "storage", places.home / ".opencode")
        for folder in folders:
            try:
                store = self._store(folder)
            except OSError as error:
                yield files.problem_of(Path(error.filename or folder), error)
                continue
            if store is not None:
                yield store

    def detect(self, path: Path) -> Store | None:
        try:
            return self._store(path) if path.is_dir() or _is_session_file(path) else None
        except (OSError, ValueError):
            return None

    def _store(self, path: Path) -> Store | None:
        from adapters.opencode.layouts import layout_of

        layout = layout_of(path)
        if layout is None:
            return None
        return Store(
            adapter=self.name,
            tool=self.tool,
            path=path,
            kind="files" if layout.only is None else "file",
            rank=_RANKS[layout.kind],
            superseded_by=(*layout.databases(), *_newer_files(layout)),
        )

    def sessions(self, store: Store, want: Want | None = None) -> Iterator[Session | Problem]:
        from adapters.opencode.files_listing import Listing

        layout = _layout(store.path)
        listing = Listing(layout, str(store.path), self.tool, want or Want())
        try:
            yield from listing.found()
        except OSError as error:
            raise _unreadable(layout.root, error) from error

    def events(self, ref: Ref) -> Iterator[Event]:
        from adapters.opencode.files_content import events

        layout = _layout(Path(ref.store))
        try:
            yield from events(layout, ref)
        except OSError as error:
            raise _unreadable(layout.root, error) from error

    def count(self, store: Store) -> int | None:
        from adapters.opencode.files_listing import Listing

        layout = _layout(store.path)
        try:
            return Listing(layout, str(store.path), self.tool, Want()).count()
        except OSError as error:
            raise _unreadable(layout.root, error) from error

    def generation(self, store: Store) -> str | None:
        return _layout(store.path).generation()

    def target_id(self, session: Session, salt: str = "") -> str:
        from adapters.opencode.ids import session_id

        return session_id(session, salt)

    def encode(
        self, session: Session, events: Sequence[Event], plan: Plan, report: Report
    ) -> Draft:
        from adapters.opencode.encode import files_draft

        return files_draft(session, events, plan, report)

    def root(self, places: Places) -> Path | None:
        from adapters.opencode import homes
        from finder.errors import WriteError

        if found := homes.databases(places):
            raise WriteError(
                f"OpenCode reads {found[0]} here, and not session files any more",
                hint="convert to opencode instead: --to opencode --install",
            )
        return homes.data_folder(places)


def _layout(path: Path) -> Layout:
    """The layout of a store that was found before.

    Raises:
        StoreError: it is gone, or cannot be looked into.
    """
    from adapters.opencode.layouts import layout_of

    try:
        path.stat()
        layout = layout_of(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    if layout is None:
        message = "holds no session files of OpenCode"
        raise StoreError(Problem(kind="foreign", path=str(path), message=message))
    return layout


def _unreadable(path: Path, error: OSError) -> StoreError:
    from finder import files

    return StoreError(files.problem_of(Path(error.filename or path), error))


def _newer_files(layout: Layout) -> tuple[Path, ...]:
    """The ``storage/`` that the program reads instead of ``project/``, once it is there."""
    from adapters.opencode.layouts import layout_of

    path = layout.data / "storage"
    if layout.kind != "project" or path == layout.root:
        return ()
    newer = layout_of(path)
    return () if newer is None or newer.kind != "storage" else (path,)


def _is_session_file(path: Path) -> bool:
    """Whether the file looks like a session's record, and not like an export of one."""
    from finder import files

    if path.suffix != ".json" or not path.name.startswith("ses_"):
        return False
    try:
        start = files.head(path, 4096).lstrip(b"\xef\xbb\xbf \t\r\n")
    except StoreError:
        return False
    return start[:1] == b"{" and start[1:].lstrip()[:6] != b'"info"'
