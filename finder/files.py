"""Reading files that may be anything, and writes that are whole or not there.

Writes go to a temporary file in the target's folder, are flushed to the disk, and only then
take the target's name. An existing target is an error unless its replacement was asked for.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from finder.errors import StoreError, WriteError
from finder.model import Problem

if TYPE_CHECKING:
    from mmap import mmap

# A session file larger than this is named as a problem, not read into memory.
MAX_FILE_BYTES = 512 * 1024 * 1024
_LONG = 1 << 20  # bytes of a line that are read at once
_FIRST = 1 << 16  # bytes that are read at once, where perhaps a few are enough


def read(path: Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """All bytes of a regular file.

    Opens without blocking, so a FIFO in the place of a file cannot hang us.

    Raises:
        StoreError: gone, not permitted, not a regular file, or larger than `limit` bytes.
    """
    with _opened(path, limit) as descriptor:
        size = os.fstat(descriptor).st_size
        pieces = [os.read(descriptor, size + 1)]  # nearly always all: to join pieces takes twice
        while pieces[-1]:
            pieces.append(os.read(descriptor, 1 << 20))
    return pieces[0] if len(pieces) < 3 else b"".join(pieces)


@contextlib.contextmanager
def mapped(path: Path, limit: int = MAX_FILE_BYTES) -> Iterator[bytes | mmap]:
    """All bytes of a regular file that nobody writes meanwhile; of many there is no copy made.

    Raises:
        StoreError: like `read`.
    """
    with _opened(path, limit) as descriptor:
        if os.fstat(descriptor).st_size < _FIRST:
            yield os.read(descriptor, _FIRST)
            return
        from mmap import ACCESS_READ, mmap

        with mmap(descriptor, 0, access=ACCESS_READ) as data:
            yield data


def head(path: Path, size: int) -> bytes:
    """The first `size` bytes of a regular file; raises like `read`."""
    with _opened(path, None) as descriptor:
        return os.read(descriptor, size)


def lines(path: Path, limit: int = MAX_FILE_BYTES, start: int = 0) -> Iterator[bytes]:
    """The lines of a regular file, without their ends, one at a time; raises like `read`.

    `start`: the first byte of the first of them.
    """
    with _opened(path, limit) as descriptor:
        os.lseek(descriptor, start, os.SEEK_SET)
        with os.fdopen(descriptor, "rb", _FIRST, closefd=False) as stream:
            read = partial(stream.readline, _LONG)
            while line := read():
                if line.endswith(b"\n"):
                    yield line[:-1]
                else:
                    yield _whole(line, read)


def _whole(first: bytes, read: Callable[[], bytes]) -> bytes:
    """All of a long line, or of the last one, that began so.

    To let the stream join its many small pieces would take up to twice the memory.
    """
    pieces = [first]
    while not pieces[-1].endswith(b"\n") and (piece := read()):
        pieces.append(piece)
    pieces[-1] = pieces[-1].removesuffix(b"\n")
    return b"".join(pieces)


def chunks(path: Path, limit: int = MAX_FILE_BYTES, start: int = 0) -> Iterator[bytes]:
    """The bytes of a regular file from one on, in pieces that grow to a megabyte; like `read`."""
    size = _FIRST
    with _opened(path, limit) as descriptor:
        os.lseek(descriptor, start, os.SEEK_SET)
        while chunk := os.read(descriptor, size):
            yield chunk
            size = min(2 * size, 1 << 20)


@contextlib.contextmanager
def _opened(path: Path, limit: int | None) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | BINARY)
    except (OSError, ValueError) as error:
        raise StoreError(problem_of(path, error)) from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            message = f"is {kind_of(found.st_mode)} where a file is expected"
            raise StoreError(Problem(kind="foreign", path=str(path), message=message))
        if limit is not None and found.st_size > limit:
            message = f"has {found.st_size:,} bytes; files over {limit:,} bytes are not read"
            raise StoreError(Problem(kind="too-large", path=str(path), message=message))
        yield descriptor
    except OSError as error:
        raise StoreError(problem_of(path, error)) from None
    finally:
        os.close(descriptor)


BINARY = getattr(os, "O_BINARY", 0)  # Windows translates line ends without it


def is_folder(path: Path) -> bool:
    """Whether there is a folder that can be reached.

    Unlike `Path.is_dir`, which raises for a name that is too long and below a closed folder.
    """
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def kind_of(mode: int) -> str:
    """What kind of file a stat mode speaks of, in words."""
    for test, name in (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    ):
        if test(mode):
            return name
    return "no regular file"


def problem_of(path: Path, error: Exception) -> Problem:
    """The problem that an operating-system error is, for the user."""
    if isinstance(error, FileNotFoundError):
        return Problem(kind="gone", path=str(path), message="does not exist (any more)")
    if isinstance(error, PermissionError):
        message = "may not be read by this user; check its permissions and its owner"
        return Problem(kind="permission", path=str(path), message=message)
    reason = getattr(error, "strerror", None) or str(error)
    return Problem(kind="corrupt", path=str(path), message=f"cannot be read: {reason}")


def write(path: Path, data: bytes, *, mode: int = 0o644, replace: bool = False) -> None:
    """Put a file in place, whole or not at all.

    Raises:
        WriteError: the target exists and `replace` is not set, or the write failed. Then the
            old state stands.
    """
    temporary = path.with_name(f".{path.name[:80]}.{os.urandom(6).hex()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_flushed(temporary, data, mode)
        if replace:
            temporary.replace(path)
        else:
            # A link fails where the name is taken; a rename would silently replace it.
            _claim(temporary, path)
        flush_folder(path.parent)
    except FileExistsError:
        hint = "choose another place, or replace it with --replace"
        raise WriteError(f"{path} exists already", hint=hint) from None
    except OSError as error:
        raise WriteError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _write_flushed(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _claim(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError(path) from None
        temporary.rename(path)


def flush_folder(folder: Path) -> None:
    """Have the names in a folder written to the disk."""
    if os.name == "nt":  # folders cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
