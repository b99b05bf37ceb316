"""``clacky-session-<id8>.zip``, the web interface's export, read without unpacking it.

It holds ``session.json``, the session's archives under their own names, and a log. One that was
packed again by hand may have them in a folder.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

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

# What reading a damaged, encrypted or oddly packed archive raises.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)
# A browser may put a number behind the name of a second download.
_NAME = r"clacky-session-[0-9a-f]{8}(?: ?\(\d+\))?\.zip"
_MAX_BYTES = files.MAX_FILE_BYTES


def is_export(path: Path) -> bool:
    """Whether this is a zip archive with a session of Clacky's in it.

    Under the name that the tool gives it, it is one even when it is damaged.
    """
    if re.fullmatch(_NAME, path.name):
        return os.path.lexists(path)
    try:
        if not files.head(path, 4).startswith(b"PK"):
            return False
        with zipfile.ZipFile(path) as archive:
            return any(
                is_ours(name) or _begins_as_session(archive, member)
                for member, name in _members(archive)
            )
    except (StoreError, *_DAMAGE):
        return False


def _begins_as_session(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    with archive.open(member) as file:
        return begins_as_session(file.read(HEAD_BYTES))


def _members(archive: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, str]]:
    for member in archive.infolist():
        name = PurePosixPath(member.filename).name
        if not member.is_dir() and (name == EXPORTED or is_ours(name)):
            yield member, name


def listing(path: Path) -> Listing:
    """The files in it; a member that cannot be read is named when it is read.

    Raises:
        StoreError: it is no zip archive, or a damaged one.
    """
    found = Listing()
    try:
        with zipfile.ZipFile(io.BytesIO(files.read(path))) as archive:
            room = _MAX_BYTES
            for member, name in _members(archive):
                file = _file(path / name, archive, member, room)
                room -= len(file.data or b"")
                kept = found.archives if is_archive(name) else found.sessions
                kept.append(file)
    except _DAMAGE as error:
        message = f"cannot be unpacked ({error}); the export may be incomplete, make it again"
        raise StoreError(Problem(kind="corrupt", path=str(path), message=message)) from None
    found.archives.sort(key=lambda file: file.number)
    return found


def _file(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, room: int) -> File:
    """A member, if it has at most `room` bytes: all of them are held at once."""
    if member.file_size > room:  # zipfile gives no more of it than the directory says
        message = f"with it the export unpacks to more than {_MAX_BYTES:,} bytes"
        return File(path, problem=Problem(kind="too-large", path=str(path), message=message))
    try:
        return File(path, data=archive.read(member))
    except _DAMAGE as error:
        message = f"cannot be unpacked: {error}"
        return File(path, problem=Problem(kind="corrupt", path=str(path), message=message))
