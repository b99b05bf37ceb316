"""Searching while the words are still being typed: `finder.find` over sessions held in memory.

The answer has the rows and the order that `find` gives for the same words. What makes it quick:
the texts are folded once; a query that goes on from an earlier one looks only at what that one
left; the sessions are kept in the order of an answer, so that it needs no sorting by time; of each
only the outline is held, and headers are looked up for the rows that are looked at.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from finder.adapter import Outline, Want
from finder.find import PLACES, Query, Row, looks_like_id
from finder.library import Entry, Key, Library, key_of, lineage
from finder.match import Fields, Matcher, below
from finder.model import Ref, Session
from finder.words import folded

_CHUNK = 2_000  # sessions between two looks at whether the answer is still wanted
_MADE = 64  # rows at once
_REMEMBERED = 32  # earlier queries


class SupersededError(Exception):
    """The answer is not wanted any more."""


class _Hits(NamedTuple):
    """Rows before they are made: sessions by their numbers.

    Attributes:
        tops: the rows, in order.
        members: for each of them those of its tree that match.
        scores: the best of each tree; None: there are no words.
    """

    tops: Sequence[int]
    members: Mapping[int, Sequence[int]]
    scores: Mapping[int, float] | None


class Found(Sequence[Row]):
    """The rows of an answer, made when they are asked for, some at once."""

    def __init__(self, index: Index, hits: _Hits, *, counts: bool) -> None:
        self._index = index
        self._hits = hits
        self._counts = counts
        self._made: dict[int, Row] = {}

    def __len__(self) -> int:
        return len(self._hits.tops)

    def __getitem__(self, place: int) -> Row:  # type: ignore[override]  # no slices
        place = range(len(self))[place]
        if place not in self._made:
            start = place - place % _MADE
            tops = self._hits.tops[start : start + _MADE]
            self._made.update(enumerate(map(self._row, tops, self._index.bare(tops)), start))
        return self._made[place]

    def _row(self, top: int, row: Row) -> Row:
        """A row as `find` would make it, but for why it matched."""
        score = None if self._hits.scores is None else self._hits.scores[top]
        keys = self._index.keys_of(self._hits.members[top]) if self._counts else ()
        matched = tuple(below for below in row.subagents if key_of(below.session) in keys)
        return row._replace(score=score, matched_subagents=matched)


class Index:
    """The sessions of a library, ready to be searched again and again.

    Attributes:
        whole: these are all sessions that fit.
    """

    def __init__(
        self,
        library: Library,
        query: Query | None = None,
        newest: int | None = None,
        lock: threading.Lock | None = None,
    ) -> None:
        """With `query` only the sessions that fit it; its words are not looked at.

        With `newest` at least so many of those that were updated last, if there are more. `lock`
        is held while the library is asked for rows, by those who search and those who draw.
        """
        self._library = library
        self._query = query or Query()
        self._lock = lock or threading.Lock()
        self.whole = newest is None
        if newest is None:
            outlines = library.outlines(Want(judged=True))
        else:
            outlines, self.whole = _newest(library, self._query, newest)
        place = PLACES["updated"]
        found = sorted(outlines, key=lambda key: (place(None, outlines[key]), key[1], key[0]))
        self._keys = found
        self._outlines = [outlines[key] for key in found]
        self._fields = [Fields.of(outline) for outline in self._outlines]
        self._texts = ["\n".join(fields) for fields in self._fields]
        self._tops = self._outermost()
        self._fitting = [n for n, one in enumerate(self._outlines) if self._query.fits(one)]
        self._near = self._places_near()
        self._left: dict[tuple[str, ...], list[int]] = {}

    def __len__(self) -> int:
        return len(self._fitting)

    def prepare(self) -> None:
        """Make now what else the first query with few rows would wait for."""
        _ = self._vocabulary

    # -- searching ---------------------------------------------------------------------------

    def left(self, words: Sequence[str]) -> int:
        """How many sessions have to be looked at for these words."""
        return len(self._candidates(tuple(map(folded, words))))

    def search(
        self,
        words: Sequence[str],
        wanted: Callable[[], bool] = lambda: True,
        newest: int | None = None,
    ) -> Found:
        """The rows for these words; with `newest` of no more than so many sessions.

        Raises:
            SupersededError: `wanted` has said no.
        """
        if not words:
            return self._answer(dict.fromkeys(self._fitting[:newest]), words)
        by_id, own = self._by_id(words)
        if by_id:
            found = self._answer(by_id, words, own)
            if found:
                return found
        matcher = Matcher(words)
        scores = self._judged(matcher, self._literal(matcher, newest), wanted)
        found = self._answer(scores, words)
        limit = self._query.limit
        if matcher.forgives and not newest and not (limit and len(found) >= limit):
            nearly = self._nearly(matcher) - scores.keys()
            scores |= self._judged(matcher, sorted(nearly), wanted, fuzzy=True)
            found = self._answer(scores, words)
        return found

    def _by_id(self, words: Sequence[str]) -> tuple[dict[int, float | None], bool]:
        """The sessions that an id names, and whether they are rows even as subagents."""
        if len(words) > 1 or not looks_like_id(words[0]):
            return {}, False
        tool, _, rest = words[0].rpartition(":")
        wanted = rest.casefold()
        named = [
            (n, key[1].casefold() == wanted)
            for n, key in enumerate(self._keys)
            if tool in {"", key[0]} and key[1].casefold().startswith(wanted)
        ]
        exact = [n for n, whole in named if whole]
        fitting = set(self._fitting)
        kept = [n for n in exact or [n for n, _ in named] if n in fitting]
        return dict.fromkeys(kept, 1.0 if exact else 0.95), bool(exact) or len(kept) == 1

    def _literal(self, matcher: Matcher, newest: int | None) -> list[int]:
        """The sessions that have all of the words in them somewhere."""
        left = self._candidates(matcher.words)[:newest]
        for word in matcher.words:
            texts = self._texts
            left = [n for n in left if word in texts[n]]
        if newest is None:
            self._remember(matcher.words, left)
        return left

    def _judged(
        self,
        matcher: Matcher,
        places: Sequence[int],
        wanted: Callable[[], bool],
        *,
        fuzzy: bool = False,
    ) -> dict[int, float | None]:
        """The scores of those that match."""
        scores: dict[int, float | None] = {}
        for start in range(0, len(places), _CHUNK):
            if not wanted():
                raise SupersededError
            some = places[start : start + _CHUNK]
            values = matcher.values([self._fields[place] for place in some], fuzzy=fuzzy)
            scores |= {place: value for place, value in zip(some, values, strict=True) if value}
        return scores

    def _candidates(self, words: tuple[str, ...]) -> list[int]:
        """What the narrowest of the earlier queries that lead here has left."""
        lists = [
            left
            for earlier, left in list(self._left.items())
            if all(any(one in word for word in words) for one in earlier)
        ]
        return min(lists, key=len, default=self._fitting)

    def _remember(self, words: tuple[str, ...], left: list[int]) -> None:
        self._left.pop(words, None)
        self._left[words] = left
        while len(self._left) > _REMEMBERED:
            del self._left[next(iter(self._left))]

    def _nearly(self, matcher: Matcher) -> set[int]:
        """The sessions that may have all of the words but for typing errors."""
        matcher.learn_words(self._vocabulary)
        near = set(self._fitting)
        for word in matcher.words:
            places = {n for close in matcher.close(word) for n in self._vocabulary[close]}
            earlier = self._left.get(matcher.words, []) if len(matcher.words) == 1 else None
            if earlier is None:
                earlier = [n for n in self._fitting if word in self._texts[n]]
            near &= places.union(earlier)
        return near

    @cached_property
    def _vocabulary(self) -> dict[str, list[int]]:
        """Which sessions have a word."""
        found: dict[str, list[int]] = {}
        for place, fields in enumerate(self._fields):
            for word in fields.vocabulary():
                found.setdefault(word, []).append(place)
        return found

    # -- folding -----------------------------------------------------------------------------

    def _answer(
        self, scores: dict[int, float | None], words: Sequence[str], own: bool = False
    ) -> Found:
        """What matched, as rows in order; with `own` a subagent is a row of its own."""
        members: dict[int, list[int]] = {}
        best: dict[int, float] = {}
        for place, score in scores.items():
            top = place if own else self._tops[place]
            members.setdefault(top, []).append(place)
            if score is not None:
                worth = score if place == top else below(score)
                best[top] = max(best.get(top, 0.0), worth)
        tops = sorted(members)  # the numbers are in the order of an answer without words
        if not self._query.archived:
            tops = [top for top in tops if not self._outlines[top].archived]
        if words:
            tops.sort(key=self._near.__contains__, reverse=True)
            tops.sort(key=best.__getitem__, reverse=True)
        hits = _Hits(tops=tops, members=members, scores=best if words else None)
        return Found(self, hits, counts=bool(words) or self._query.filters)

    def keys_of(self, places: Sequence[int]) -> set[Key]:
        """The keys of sessions, by their numbers."""
        return {self._keys[place] for place in places}

    def bare(self, tops: Sequence[int]) -> list[Row]:
        """Rows with their subagents."""
        keys = [self._keys[top] for top in tops]
        with self._lock:
            trees = self._library.trees(keys)
            entries = [self._library.entry(key) for key in keys]
        return [
            Row(entry=entry or self._gone(top), subagents=tuple(trees[key]))
            for top, key, entry in zip(tops, keys, entries, strict=True)
        ]

    def _gone(self, place: int) -> Entry:
        """What is known of a session that was there a moment ago."""
        outline = self._outlines[place]
        tool = self._keys[place][0]
        stores = (source.store for source in self._library.sources)
        path = next(str(store.path) for store in stores if store.tool == tool)
        ref = Ref(tool, path, outline.id)
        session = Session(
            ref=ref, title=outline.title, directory=outline.directory, updated=outline.updated
        )
        return Entry(session=session, copies=(session,), also_in=())

    def _outermost(self) -> list[int]:
        """For each session the number of the outermost one above it that any store has."""
        places = {key: place for place, key in enumerate(self._keys)}

        def parent(key: Key) -> Key | None:
            above = self._outlines[places[key]].parent
            return found if above and (found := (key[0], above)) in places else None

        return [places[lineage(key, parent)[-1]] for key in self._keys]

    def _places_near(self) -> frozenset[int]:
        """The sessions of the caller's folder."""
        near = (n for n, outline in enumerate(self._outlines) if self._query.is_near(outline))
        return frozenset(near) if self._query.here else frozenset()


def _newest(library: Library, query: Query, count: int) -> tuple[dict[Key, Outline], bool]:
    """The sessions that were updated last, with those above them; and whether these are all."""
    want = query.narrowed._replace(newest=count)
    given = [session for source in library.sources for session in source.newest(want, 0)]
    keys = library.and_above(map(key_of, given))
    entries = ((key, library.entry(key)) for key in keys)
    found = {key: Outline.of(entry.session, judged=True) for key, entry in entries if entry}
    limited = any(source.floor is not None for source in library.sources)
    return found, not (limited or query.filters)
