"""Listing all sessions, however many, in little memory: rows that are made as they are looked at.

Of each session only its outline is held: the parent and the time, by which rows are ordered and
subagents counted. Headers are looked up for some hundreds of rows at a time, and let go of again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice

from finder.find import ORDERS, Query, Row, is_archived
from finder.library import Below, Key, Library, key_of, lineage

_CHUNK = 500


class Listing(Sequence[Row]):
    """The rows of a query without words, filters and limit.

    They are meant to be gone through from the first to the last. One that has gone from its store
    in the meantime is passed over.
    """

    def __init__(self, library: Library, query: Query) -> None:
        self._library = library
        self._query = query
        self._outlines = library.outlines()
        self._below = Counter[Key]()  # how many sessions there are below one
        self._keys = self._ordered(self._rows())

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, place: int) -> Row:  # type: ignore[override]  # no slices
        for row in islice(self, range(len(self))[place], None):
            return row
        raise IndexError(place)

    def __iter__(self) -> Iterator[Row]:
        for keys in _chunks(self._keys):
            self._library.lookup(keys)
            entries = [entry for entry in map(self._library.entry, keys) if entry]
            self._library.forget(keys)
            for entry in entries:
                key = key_of(entry.session)
                below = _Below(self._library, key, self._below[key])
                yield Row(entry=entry, subagents=below)

    def _rows(self) -> list[Key]:
        """The sessions that are rows; on the way those below them are counted."""
        if self._query.subagents:
            for key in self._outlines:
                self._below.update(self._above(key))
            return list(self._outlines)
        tops = []
        for key in self._outlines:
            top = lineage(key, self._parent)[-1]
            if top == key:
                tops.append(key)
            else:
                self._below[top] += 1
        return tops

    def _parent(self, key: Key) -> Key | None:
        parent = self._outlines[key].parent
        if parent is None:
            return None
        above = (key[0], parent)
        return above if above in self._outlines else None

    def _above(self, key: Key) -> Iterator[Key]:
        seen = {key}  # parent links may form a circle
        while (parent := self._parent(key)) and parent not in seen:
            yield parent
            seen.add(parent)
            key = parent

    def _ordered(self, keys: list[Key]) -> list[Key]:
        if self._query.order == "updated" and self._query.archived:
            times = ((key, self._outlines[key].updated) for key in keys)
            places = {key: (-time if time is not None else float("inf")) for key, time in times}
            return sorted(keys, key=lambda key: (places[key], key[1], key[0]))
        order = ORDERS[self._query.order]
        found = {}
        for some in _chunks(keys):
            self._library.lookup(some)
            for entry in filter(None, map(self._library.entry, some)):
                if self._query.archived or not is_archived(entry.session):
                    found[key_of(entry.session)] = order(Row(entry=entry))
            self._library.forget(some)
        return sorted(found, key=found.__getitem__)


class _Below(Sequence[Below]):
    """The sessions below one: how many is known, and they are looked up when looked at."""

    def __init__(self, library: Library, top: Key, count: int) -> None:
        self._library = library
        self._top = top
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: int) -> Below:  # type: ignore[override]  # no slices
        return self._found[place]

    @cached_property
    def _found(self) -> list[Below]:
        return self._library.trees([self._top])[self._top]


def _chunks(keys: Iterable[Key]) -> Iterator[list[Key]]:
    rest = iter(keys)
    while some := list(islice(rest, _CHUNK)):
        yield some
