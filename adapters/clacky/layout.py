"""Where Clacky's files lie: in its home, in a folder of sessions, alone, or in an export."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from finder import files
from finder.errors import StoreError
from finder.model import Problem

_BASE = r"\d{4}-\d\d-\d\d(?:-\d\d-\d\d-\d\d-|_)[0-9a-f]{8}"
_SESSION_NAME = rf"{_BASE}\.json"
_ARCHIVE_NAME = rf"({_BASE})-chunk-(\d+)\.md"
_EXPORTED = "session.json"  # a session's name within an export
_HEAD_BYTES = 4096
_LARGE_BYTES = 32 * 1024 * 1024
# The tool writes session_id as the first key, and these among the next.
_ID = rb'(?:\xef\xbb\xbf)?\s*\{\s*"session_id"\s*:\s*"([^"\\]*)"'
_KEYS = (b'"created_at"', b'"working_dir"')


class File(NamedTuple):
    """A session or archive: a file on the disk, or a member of an export (then with `data`)."""

    path: Path
    trashed: bool = False
    data: bytes | None = None
    problem: Problem | None = None

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def base(self) -> str:
        """What a session and its archives have in common: the name without what follows id8."""
        found = re.fullmatch(_ARCHIVE_NAME, self.name)
        return found[1] if found else self.path.stem

    @property
    def number(self) -> int:
        """An archive's number, 0 if it has none."""
        found = re.fullmatch(_ARCHIVE_NAME, self.name)
        return int(found[2]) if found else 0

    def read(self) -> bytes:
        """All of it; raises `StoreError`."""
        if self.problem is not None:
            raise StoreError(self.problem)
        if self.data is not None:
            return self.data
        self._check_size()
        return files.read(self.path)

    def _check_size(self) -> None:
        """Refuses what is large and plainly no session, before all of it is in memory."""
        try:
            large = self.path.stat().st_size > _LARGE_BYTES
        except OSError:
            return  # reading says why
        if large and files.head(self.path, _HEAD_BYTES).lstrip()[:1] not in (b"{", b"-", b"\xef"):
            message = "is large and begins neither as a session nor as an archive"
            raise StoreError(Problem(kind="corrupt", path=str(self.path), message=message))

    def session_id(self) -> str | None:
        """The id if it stands, as usual, at the very beginning; reads only that."""
        try:
            head = files.head(self.path, _HEAD_BYTES) if self.data is None else self.data
        except StoreError:
            return None
        found = re.match(_ID, head)
        return found[1].decode("utf-8", "replace") if found else None

    def stamp(self) -> str:
        """Changes whenever the file does."""
        on_disk = self.path if self.data is None and self.problem is None else self.path.parent
        try:
            status = on_disk.stat()
        except OSError:
            return ""
        return f"{status.st_mtime_ns}.{status.st_size}"


class Listing:
    """The files of one store. `strays`: archives whose session is not in the store count."""

    def __init__(
        self,
        sessions: Iterable[File] = (),
        archives: Iterable[File] = (),
        problems: Iterable[Problem] = (),
        strays: bool = True,
    ) -> None:
        self.sessions = list(sessions)
        self.archives = list(archives)
        self.problems = list(problems)
        self.strays = strays


def kind(path: Path) -> str | None:
    """What kind of store a path is (see `finder.adapter.Store`), or None."""
    if _is_folder(path):
        return "files" if is_home(path) or _is_sessions(path) else None
    if re.fullmatch(_SESSION_NAME, path.name) or re.fullmatch(_ARCHIVE_NAME, path.name):
        return "file" if os.path.lexists(path) else None
    if path.name.endswith(".zip"):
        from adapters.clacky import export

        return "archive" if export.is_export(path) else None
    return "file" if path.name.endswith(".json") and looks_like_session(path) else None


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def closed(home: Path) -> Problem | None:
    """Why a home that is there cannot be looked into."""
    try:
        os.scandir(home).close()
        if _is_folder(home / "sessions"):
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
    return _holds_sessions(path) or looks_like_session(path / _EXPORTED)


def _holds_sessions(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(is_ours(entry.name) for entry in entries)
    except OSError:
        return False


def is_ours(name: str) -> bool:
    """Whether Clacky names its files so."""
    return bool(re.fullmatch(_SESSION_NAME, name) or re.fullmatch(_ARCHIVE_NAME, name))


def is_session(name: str) -> bool:
    return bool(re.fullmatch(_SESSION_NAME, name))


def is_archive(name: str) -> bool:
    return bool(re.fullmatch(_ARCHIVE_NAME, name))


def looks_like_session(path: Path) -> bool:
    """Whether a file of any name begins as Clacky's sessions do."""
    try:
        return begins_as_session(files.head(path, _HEAD_BYTES))
    except StoreError:
        return False


def begins_as_session(head: bytes) -> bool:
    return bool(re.match(_ID, head)) and all(key in head[:_HEAD_BYTES] for key in _KEYS)


def listing(path: Path) -> Listing:
    """The files of a store.

    Raises:
        StoreError: it is not there or cannot be listed.
    """
    if _is_folder(path):
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
