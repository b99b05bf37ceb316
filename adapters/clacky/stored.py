"""One file of Clacky's, by its name and its first bytes, and the files of one store."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from finder import files
from finder.errors import StoreError
from finder.model import Problem

_BASE = r"\d{4}-\d\d-\d\d(?:-\d\d-\d\d-\d\d-|_)[0-9a-f]{8}"
_SESSION_NAME = rf"{_BASE}\.json"
_ARCHIVE_NAME = rf"({_BASE})-chunk-(\d+)\.md"
EXPORTED = "session.json"  # a session's name within an export
HEAD_BYTES = 4096
_LARGE_BYTES = 32 * 1024 * 1024
# The tool writes session_id as the first key, and these among the next.
_ID = rb'(?:\xef\xbb\xbf)?\s*\{\s*"session_id"\s*:\s*"([^"\\]*)"'
_KEYS = (b'"created_at"', b'"working_dir"')


def is_ours(name: str) -> bool:
    """Whether Clacky names its files so."""
    return is_session(name) or is_archive(name)


def is_session(name: str) -> bool:
    return bool(re.fullmatch(_SESSION_NAME, name))


def is_archive(name: str) -> bool:
    return _archive_name(name) is not None


def _archive_name(name: str) -> re.Match[str] | None:
    """An archive's base and number."""
    return re.fullmatch(_ARCHIVE_NAME, name) if name.endswith(".md") else None


def begins_as_session(head: bytes) -> bool:
    return bool(re.match(_ID, head)) and all(key in head[:HEAD_BYTES] for key in _KEYS)


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
        found = _archive_name(self.name)
        return found[1] if found else self.path.stem

    @property
    def number(self) -> int:
        """An archive's number, 0 if it has none."""
        found = _archive_name(self.name)
        return int(found[2]) if found else 0

    def read(self) -> bytes:
        """All of it; raises `StoreError`."""
        if self.problem is not None:
            raise StoreError(self.problem)
        if self.data is not None:
            return self.data
        self._check_size()
        return files.read(self.path)

    def head(self) -> bytes:
        """Its first bytes; raises `StoreError`."""
        if self.problem is not None:
            raise StoreError(self.problem)
        return files.head(self.path, HEAD_BYTES) if self.data is None else self.data[:HEAD_BYTES]

    def _check_size(self) -> None:
        """Refuses what is large and plainly no session, before all of it is in memory."""
        try:
            large = self.path.stat().st_size > _LARGE_BYTES
        except OSError:
            return  # reading says why
        if large and self.head().lstrip()[:1] not in (b"{", b"-", b"\xef"):
            message = "is large and begins neither as a session nor as an archive"
            raise StoreError(Problem(kind="corrupt", path=str(self.path), message=message))

    def session_id(self) -> str | None:
        """The id if it stands, as usual, at the very beginning; reads only that."""
        try:
            found = re.match(_ID, self.head())
        except StoreError:
            return None
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
