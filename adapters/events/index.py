"""Where the sessions of a file stand in it.

A file may hold thousands, and to go through it from its beginning for each would take as long as
all of them, each time. What is known of a file is kept while the program runs, and believed only
where the line itself says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from finder import files, jsonio
from finder.dataclass import dataclass, field
from finder.errors import NotFoundError, StoreError

EVENT = b'{"type":"'  # as a line begins that was written here, and most are
_SESSION = re.compile(rb'\s*\{\s*"session"\s*:')
_ID = re.compile(rb'"id"\s*:\s*("(?:[^"\\]++|\\.)*+")')
_MOST_FILES = 64


def opens_session(line: bytes) -> bool:
    """Whether a session begins with this line."""
    return _SESSION.match(line) is not None


def identifier(line: bytes) -> str | None:
    """The id in a session's line, also in a damaged one."""
    match = _ID.search(line)
    try:
        return jsonio.string(jsonio.loads(match[1])) if match else None
    except ValueError:
        return None


class Spot(NamedTuple):
    """A line of a file: the place of its first byte, and its number from 1."""

    start: int
    number: int


_FIRST = Spot(0, 1)


@dataclass(slots=True)
class Index:
    """The sessions of one file, as far as it was read.

    Attributes:
        state: inode, size and time of change, as they were when it was looked at last.
        whole: it was read to the end that it had then.
    """

    path: Path
    state: tuple[int, int, int]
    spots: dict[str, Spot] = field(default_factory=dict)
    unread: Spot = _FIRST
    whole: bool = False

    def spot(self, wanted: str) -> Spot | None:
        """Where a session begins; the file is read until it is found."""
        if wanted not in self.spots:
            next((name for name in self._read() if name == wanted), None)
        return self.spots.get(wanted)

    def ids(self) -> dict[str, Spot]:
        """All sessions in the file."""
        for _ in self._read():
            pass
        return self.spots

    def _read(self) -> Iterator[str]:
        if self.whole:
            return
        _, size, _ = self.state
        start, number = self.unread
        for line in files.lines(self.path, start=start):
            here, start, number = Spot(start, number), start + len(line) + 1, number + 1
            if start <= size:  # a line without an end may be one that is still being written
                self.unread = Spot(start, number)
            if not line.startswith(EVENT) and opens_session(line):
                name = identifier(line) or ""
                self.spots.setdefault(name, here)
                yield name
        self.whole = True


_known: dict[Path, Index] = {}


def index_of(path: Path, *, anew: bool = False) -> Index:
    """What is known of a file; of one that has only grown, what was known before is."""
    try:
        found = path.stat()
    except OSError as error:
        raise StoreError(files.problem_of(path, error)) from None
    state = found.st_ino, found.st_size, found.st_mtime_ns
    index = None if anew else _known.get(path)
    if index is not None and index.state != state:
        same = index.state[0] == state[0] and index.state[1] < state[1]
        index.state, index.whole = state, False
        index = index if same else None
    if index is None:
        while len(_known) >= _MOST_FILES:
            del _known[next(iter(_known))]
        index = _known[path] = Index(path, state)
    return index


def opened(path: Path, wanted: str) -> tuple[int, bytes, Iterator[bytes]]:
    """The line that opens this session: its number, itself, and all lines behind it.

    Raises:
        NotFoundError: there is none.
        StoreError: the file cannot be read.
    """
    for anew in (False, True):
        if spot := index_of(path, anew=anew).spot(wanted):
            lines = files.lines(path, start=spot.start)
            first = next(lines, b"")
            if opens_session(first) and identifier(first) == wanted:
                return spot.number, first, lines
    raise NotFoundError(f"{path} holds no session {wanted!r}")
