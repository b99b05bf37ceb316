"""Ways in which one file of a store can be damaged, for the adapters' tests.

Each takes the path of a good file and leaves something else there. What is cut or flipped is
chosen by numbers, so that a failure can be repeated.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Damage = Callable[[Path], None]


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def zeroed(path: Path) -> None:
    """Of the right size, without content: what a crash may leave."""
    path.write_bytes(b"\0" * path.stat().st_size)


def enlarged(path: Path) -> None:
    """200 MB of nothing; a hole on the disk."""
    emptied(path)
    os.truncate(path, 200 * 1024 * 1024)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_pipe(path: Path) -> None:
    """Opening it for reading would wait for a writer for ever."""
    path.unlink()
    os.mkfifo(path)


def a_dead_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


def a_circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def another_text(path: Path) -> None:
    path.write_text("Dear diary,\n", encoding="utf-8")


IN_PLACE_OF_A_FILE: tuple[Damage, ...] = (
    emptied,
    zeroed,
    enlarged,
    a_folder,
    a_pipe,
    a_dead_link,
    a_circle,
    another_text,
)


def cuts(data: bytes) -> Iterator[bytes]:
    """The data cut at every tenth of it."""
    return (data[: len(data) * part // 10] for part in range(10))


def flipped(data: bytes, seed: int) -> bytes:
    """The data with one bit of one byte turned; with another `seed` elsewhere."""
    place = seed * 7919 % len(data)
    return data[:place] + bytes([data[place] ^ (1 << seed % 8)]) + data[place + 1 :]


def forbid(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """As with permissions 000. The mode alone does not keep root out."""
    path.chmod(0)
    real_open = os.open

    def refusing(name: str | Path, *arguments: int, **options: int | None) -> int:
        if Path(name) == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(name))
        return real_open(name, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refusing)
