"""Where Clacky's files lie: in its home, in a folder of sessions, alone, or in an export."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from adapters.clacky.stored import (
    EXPORTED,
    HEAD_BYTES,
    File,
    Listing,
    begins_as_session,
    is_archive,
    is_ours,
)
from finder import files
from finder.errors import StoreError
from finder.model import Problem


def kind(path: Path) -> str | None:
    """What kind of store a path is (see `finder.adapter.Store`), or None."""
    if files.is_folder(path):
        return "files" if is_home(path) or _is_sessions(path) else None
    if is_ours(path.name):
        return "file" if os.path.lexists(path) else None
    if path.name.endswith(".zip"):
        from adapters.clacky import export

        return "archive" if export.is_export(path) else None
    return "file" if path.name.endswith(".json") and looks_like_session(path) else None


def closed(home: Path) -> Problem | None:
    """Why a home that is there cannot be looked into."""
    try:
        os.scandir(home).close()
        if files.is_folder(home / "sessions"):
            os.scandir(home / "sessions").close()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return files.problem_of(home, error)
    return None


def is_home(path: Path) -> bool:
    """Whether this is a ``.clacky`` folder, under whatever name."""
    folders = list(_session_folders(path))
    if path.name == ".clacky":
        return any(os.path.lexists(folder) for folder, _ in folders)
    return any(_holds_sessions(folder) for folder, _ in folders)


def _session_folders(home: Path) -> Iterator[tuple[Path, bool]]:
    yield home / "sessions", False
    yield home / "trash" / "sessions-trash", True


def _is_sessions(path: Path) -> bool:
    return _holds_sessions(path) or looks_like_session(path / EXPORTED)


def _holds_sessions(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(is_ours(entry.name) for entry in entries)
    except OSError:
        return False


def looks_like_session(path: Path) -> bool:
    """Whether a file of any name begins as Clacky's sessions do."""
    try:
        return begins_as_session(files.head(path, HEAD_BYTES))
    except StoreError:
        return False


def listing(path: Path) -> Listing:
    """The files of a store.

    Raises:
        StoreError: it is not there or cannot be listed.
    """
    if files.is_folder(path):
        return _listed_home(path) if is_home(path) else _listed_folder(path)
    if path.name.endswith(".zip"):
        from adapters.clacky import export

        return export.listing(path)
    return _listed_file(path)


def stamp(path: Path) -> tuple[int, ...]:
    """Changes whenever a file appears in a store, or goes."""
    found = []
    for folder in (path, *(folder for folder, _ in _session_folders(path))):
        try:
            found.append(folder.stat().st_mtime_ns)
        except OSError:
            found.append(0)
    return tuple(found)


def _listed_home(home: Path) -> Listing:
    found = Listing()
    for folder, trashed in _session_folders(home):
        if not os.path.lexists(folder):
            continue
        try:
            entries = _names(folder)
        except StoreError as error:
            found.problems.append(error.problem)
            continue
        # As Clacky does, take every *.json here for a session; one that is none is a problem.
        found.sessions += [File(folder / n, trashed) for n in entries if n.endswith(".json")]
        found.archives += [File(folder / n, trashed) for n in entries if is_archive(n)]
    return found


def _listed_folder(folder: Path) -> Listing:
    trashed = folder.name == "sessions-trash"
    entries = _names(folder)
    return Listing(
        sessions=[
            File(folder / name, trashed)
            for name in entries
            if name.endswith(".json") and (is_ours(name) or looks_like_session(folder / name))
        ],
        archives=[File(folder / name, trashed) for name in entries if is_archive(name)],
    )


def _listed_file(path: Path) -> Listing:
    if not os.path.lexists(path):
        raise StoreError(files.problem_of(path, FileNotFoundError()))
    if is_archive(path.name):
        return Listing(archives=[File(path)])
    found = Listing([File(path)], strays=False)
    try:
        found.archives = [File(path.with_name(n)) for n in _names(path.parent) if is_archive(n)]
    except StoreError as error:
        found.problems.append(error.problem)
    return found


def _names(folder: Path) -> list[str]:
    """The names in a folder, sorted, without hidden ones (Ruby's ``*`` skips them too)."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if not entry.name.startswith("."))
    except NotADirectoryError:
        message = "is a file where a folder is expected"
        raise StoreError(Problem(kind="foreign", path=str(folder), message=message)) from None
    except OSError as error:
        raise StoreError(files.problem_of(folder, error)) from None
