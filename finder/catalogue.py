"""What a store's files have told before, kept in our cache folder while they stay the same.

A store of many files is walked for each search. What was made of some of them is known again as
long as each of these has its time, size and inode; so a walk looks at the files' states and reads
only those that have changed. An adapter asks with what it sees now:

    known = catalogue.known(key, paths)     what was made of these paths, and maybe others; or None
    seen = Seen(); seen(path); …            before a file is read, a folder listed, or either missed
    catalogue.keep(key, seen, values)

`session` and `keep_session` are the same for headers.

What is kept is never needed. It is left out where it is damaged, of another version or of another
store, and where a file was changed so short a time ago that a second change might look the same.
What a walk did not come to stays, unless it came to all there is.

The file: a heading; the paths with their states, each once; the entries, which name them by number.
It is no JSON, since loading a parser takes longer than all else here.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast
from zlib import crc32

from finder import files
from finder.errors import FinderError
from finder.model import Labels, Ref, Session

_HEAD = "finder catalogue 1"
_MOST_BYTES = 256 << 20
_SECTION, _ENTRY, _FIELD, _PART = "\x1c", "\x1e", "\x1f", "\x1d"
_SEPARATORS = (_SECTION, _ENTRY, _FIELD, _PART)
_UNSETTLED_NS = 2_000_000_000  # the coarsest clock of a file system
_ABSENT = "-"
_KEPT_SECONDS = 90 * 86_400


class Seen:
    """The files and folders that something is made of, each as it was before it was looked at.

    `settled`: none of them was changed just now.
    """

    def __init__(self, others: Seen | None = None) -> None:
        """With all of the others to begin with."""
        self.states: dict[str, str] = dict(others.states) if others else {}
        self.settled: bool = others is None or others.settled
        self._latest = time.time_ns() - _UNSETTLED_NS

    def __call__(self, path: str | Path) -> None:
        text = str(path)
        if text not in self.states:
            self.states[text], changed = _state(text)
            self.settled = self.settled and changed < self._latest


class Catalogue:
    """Of one store, for one walk over it."""

    def __init__(
        self, file: Path | None, store: str, watch: Callable[[int, int | None], None] | None = None
    ) -> None:
        """`file`: where it is kept, None: nowhere; `watch` is told how far the walk has come."""
        self._file = file
        self._store = store
        self._head = f"{_HEAD}\n{store!r}\n"
        self._watch = watch
        self._total: int | None = None
        self._asked = 0
        self._kept: dict[str, tuple[dict[str, str], Sequence[str]]] = {}
        self._known: set[str] = set()
        self._pairs, self._entries = (file and _read(file, self._head)) or ([], {})
        self._holds: dict[int, bool] = {}

    def expect(self, total: int) -> None:
        """Say how many keys the walk comes to."""
        self._total = total

    def known(self, key: str, paths: Iterable[str | Path]) -> list[str] | None:
        """What was made of these paths, if they, and all that it was made of, are unchanged."""
        self._asked += 1
        if self._watch is not None:
            self._watch(self._asked, self._total)
        numbers, values = self._entries.get(key, ((), None))
        made_of = {self._pairs[number][0] for number in numbers}
        if not made_of or not made_of.issuperset(map(str, paths)):
            return None
        if not all(map(self._still_holds, numbers)):
            return None
        self._known.add(key)
        return [] if values is None else values.split(_FIELD)

    def _still_holds(self, number: int) -> bool:
        if number not in self._holds:
            path, state = self._pairs[number]
            self._holds[number] = _state(path)[0] == state
        return self._holds[number]

    def keep(self, key: str, seen: Seen, values: Sequence[str]) -> None:
        """Keep what was made of what was seen. Values that would not come back are not kept."""
        text = "".join([key, *values, *seen.states])
        separable = not any(separator in text for separator in _SEPARATORS)
        if seen.settled and seen.states and separable:
            self._kept[key] = dict(seen.states), values

    def session(self, key: str, paths: Iterable[str | Path], tool: str) -> Session | None:
        """Like `known`, for a header of a tool's session."""
        values = self.known(key, paths)
        return None if values is None else _session(values, tool, self._store)

    def keep_session(self, key: str, seen: Seen, session: Session) -> None:
        """Like `keep`, for a header; not for one with its native record, or of two stores."""
        parent = session.parent
        alone = parent is None or parent[:2] == session.ref[:2]
        if alone and session.raw is None and session.origin is None:
            self.keep(key, seen, _values(session))

    def save(self, *, whole: bool) -> None:
        """Write what was learned. With `whole` what the walk did not come to is gone."""
        left = self._entries.keys() - self._known - self._kept.keys()
        if self._file is None or not (self._kept or (whole and left)):
            return
        stay = self._entries.keys() - self._kept.keys() - (left if whole else set())
        body = _SECTION.join(self._written(stay)).encode("utf-8", "surrogatepass")
        head = f"{self._head}{crc32(body)}\n".encode("utf-8", "surrogatepass")
        # A cache folder that cannot be written costs time, nothing else.
        with contextlib.suppress(FinderError, OSError):
            files.write(self._file, head + body, mode=0o600, replace=True)
            _forget_old(self._file.parent)

    def _written(self, stay: set[str]) -> Iterator[str]:
        numbers: dict[tuple[str, str], int] = {}

        def numbered(pairs: Iterable[tuple[str, str]]) -> str:
            return _PART.join(str(numbers.setdefault(pair, len(numbers))) for pair in pairs)

        entries = []
        for key in stay:
            old, values = self._entries[key]
            pairs = numbered(self._pairs[number] for number in old)
            entries.append(_FIELD.join([key, pairs, *([] if values is None else [values])]))
        for key, (states, new) in self._kept.items():
            entries.append(_FIELD.join([key, numbered(states.items()), *new]))
        yield _ENTRY.join(_FIELD.join(pair) for pair in numbers)
        yield _ENTRY.join(entries)


_Pairs = list[tuple[str, str]]
_Entries = dict[str, tuple[tuple[int, ...], str | None]]


def _read(file: Path, head: str) -> tuple[_Pairs, _Entries] | None:
    """The paths with their states; by key the numbers of some, and the values in one piece."""
    try:
        data = files.read(file, _MOST_BYTES)
        start = head.encode("utf-8", "surrogatepass")
        if not data.startswith(start):
            return None
        checksum, _, body = data[len(start) :].partition(b"\n")
        if int(checksum) != crc32(body):
            return None
        pairs, entries = body.decode("utf-8", "surrogatepass").split(_SECTION)
        parted = [pair.partition(_FIELD) for pair in pairs.split(_ENTRY)]
        found: _Entries = {}
        for entry in entries.split(_ENTRY):
            key, numbers, *values = entry.split(_FIELD, 2)
            found[key] = tuple(map(int, numbers.split(_PART))), values[0] if values else None
    except (FinderError, ValueError):
        return None
    return [(path, state) for path, _, state in parted], found


def _values(session: Session) -> list[str]:
    optional = (
        session.title,
        session.directory,
        session.created,
        session.updated,
        session.parent.id if session.parent else None,
        session.agent,
        session.model,
        session.messages,
        session.archived,
        session.stamp,
    )
    shown = ["" if value is None else f"={value}" for value in optional]
    return [session.ref.id, *shown, ",".join(session.labels), *session.also_in]


def _session(values: list[str], tool: str, store: str) -> Session:
    optional = [value[1:] if value else None for value in values[1:11]]
    title, directory, created, updated, parent, agent, model, messages, archived, stamp = optional
    return Session(
        ref=Ref(tool, store, values[0]),
        title=title,
        directory=directory,
        created=_int(created),
        updated=_int(updated),
        parent=None if parent is None else Ref(tool, store, parent),
        agent=agent,
        model=model,
        messages=_int(messages),
        archived=_int(archived),
        labels=cast("Labels", tuple(filter(None, values[11].split(",")))),
        also_in=tuple(values[12:]),
        stamp=stamp,
    )


def _state(path: str) -> tuple[str, int]:
    """A file's state as one text, and when it was changed last, in nanoseconds."""
    try:
        found = os.stat(path)  # noqa: PTH116  (Path.stat takes three times as long)
    except (OSError, ValueError):
        return _ABSENT, 0
    # The last tells of a file that was given its old time back. On Windows it never changes.
    state = f"{found.st_mtime_ns}.{found.st_size}.{found.st_ino}.{found.st_ctime_ns}"
    return state, found.st_mtime_ns


def _int(text: str | None) -> int | None:
    return None if text is None else int(text)


def _forget_old(folder: Path) -> None:
    """Delete the catalogues that nothing was added to for long: their stores may be gone."""
    oldest = time.time() - _KEPT_SECONDS
    for entry in os.scandir(folder):
        if entry.stat(follow_symlinks=False).st_mtime < oldest:
            Path(entry).unlink(missing_ok=True)


def file_of(cache: Path, adapter: str, store: Path) -> Path:
    """Where a store's catalogue is kept. Others may have the same name; the file says whose."""
    name = crc32(os.fsencode(store.absolute()))
    return cache / "catalogue" / f"{adapter}-{name:08x}.txt"
