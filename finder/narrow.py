"""Searching while the words are still being typed: `finder.find` over sessions held in memory.

The answer has the rows and the order that `find` gives for the same words. What makes it quick:
the texts are folded once; a query that goes on from an earlier one looks only at what that one
left; the sessions are kept in the order of an answer, so that it needs no sorting by time; and a
row is made when it is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from finder.find import ORDERS, Query, Row, is_archived, looks_like_id
from finder.library import Below, Library, key_of, parent_of
from finder.match import Fields, Matcher, below

_CHUNK = 2_000  # sessions between two looks at whether the answer is still wanted
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
    """The rows of an answer, each made when it is asked for."""

    def __init__(self, index: Index, hits: _Hits, *, counts: bool) -> None:
        self._index = index
        self._hits = hits
        self._counts = counts

    def __len__(self) -> int:
        return len(self._hits.tops)

    def __getitem__(self, place: int) -> Row:  # type: ignore[override]  # no slices
        top = self._hits.tops[place]
        score = None if self._hits.scores is None else self._hits.scores[top]
        matching = self._hits.members[top] if self._counts else ()
        return self._index.row(top, score, matching)


class Index:
    """All sessions of a library, ready to be searched again and again."""

    def __init__(self, library: Library, query: Query | None = None) -> None:
        """With `query` only the sessions that fit it; its words are not looked at."""
        self._query = query or Query()
        keys = library.keys()
        library.lookup(keys)
        entries = [entry for entry in map(library.entry, keys) if entry]
        entries.sort(key=lambda entry: ORDERS["updated"](Row(entry=entry)))
        self._entries = entries
        self._fields = [Fields.of(entry.session) for entry in entries]
        self._texts = ["\n".join(fields) for fields in self._fields]
        self._parents = self._links()
        self._tops = [self._top(place) for place in range(len(entries))]
        self._fitting = [n for n, entry in enumerate(entries) if self._query.fits(entry.session)]
        self._near = self._places_near()
        self._children = self._families()
        self._left: dict[tuple[str, ...], list[int]] = {}

    def __len__(self) -> int:
        return len(self._fitting)

    def prepare(self) -> None:
        """Make now what else the first query with few rows would wait for."""
        _ = self._vocabulary

    # -- searching ---------------------------------------------------------------------------

    def search(self, words: Sequence[str], wanted: Callable[[], bool] = lambda: True) -> Found:
        """The rows for these words.

        Raises:
            SupersededError: `wanted` has said no.
        """
        if not words:
            return self._answer(dict.fromkeys(self._fitting), words)
        by_id, own = self._by_id(words)
        if by_id:
            found = self._answer(by_id, words, own)
            if found:
                return found
        matcher = Matcher(words)
        scores: dict[int, float | None] = dict(self._literal(matcher, wanted))
        found = self._answer(scores, words)
        limit = self._query.limit
        if matcher.forgives and not (limit and len(found) >= limit):
            scores.update(self._forgiving(matcher, scores, wanted))
            found = self._answer(scores, words)
        return found

    def _by_id(self, words: Sequence[str]) -> tuple[dict[int, float | None], bool]:
        """The sessions that an id names, and whether they are rows even as subagents."""
        if len(words) > 1 or not looks_like_id(words[0]):
            return {}, False
        tool, _, rest = words[0].rpartition(":")
        wanted = rest.casefold()
        ids = ((n, self._entries[n].session.ref) for n in range(len(self._entries)))
        named = [
            (n, ref.id.casefold() == wanted)
            for n, ref in ids
            if tool in {"", ref.tool} and ref.id.casefold().startswith(wanted)
        ]
        exact = [n for n, whole in named if whole]
        fitting = set(self._fitting)
        kept = [n for n in exact or [n for n, _ in named] if n in fitting]
        return dict.fromkeys(kept, 1.0 if exact else 0.95), bool(exact) or len(kept) == 1

    def _literal(self, matcher: Matcher, wanted: Callable[[], bool]) -> Iterator[tuple[int, float]]:
        left = self._candidates(matcher.words)
        for word in matcher.words:
            texts = self._texts
            left = [n for n in left if word in texts[n]]
        self._remember(matcher.words, left)
        for place in _while_wanted(left, wanted):
            value = matcher.value(self._fields[place])
            if value is not None:
                yield place, value

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

    def _forgiving(
        self, matcher: Matcher, scores: dict[int, float | None], wanted: Callable[[], bool]
    ) -> Iterator[tuple[int, float]]:
        """What matches but for typing errors, of those that do not match as it was typed."""
        matcher.learn_words(self._vocabulary)
        near: set[int] | None = None
        for word in matcher.words:
            places = {n for close in matcher.close(word) for n in self._vocabulary[close]}
            earlier = self._left.get(matcher.words, []) if len(matcher.words) == 1 else None
            if earlier is None:
                earlier = [n for n in self._fitting if word in self._texts[n]]
            places.update(earlier)
            near = places if near is None else near & places
        rest = sorted((near or set()) - scores.keys())
        fitting = set(self._fitting)
        for place in _while_wanted(rest, wanted):
            value = matcher.value(self._fields[place], fuzzy=True)
            if value is not None and place in fitting:
                yield place, value

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
            tops = [top for top in tops if not is_archived(self._entries[top].session)]
        if words:
            tops.sort(key=self._near.__contains__, reverse=True)
            tops.sort(key=best.__getitem__, reverse=True)
        hits = _Hits(tops=tops, members=members, scores=best if words else None)
        return Found(self, hits, counts=bool(words) or self._query.filters)

    def row(self, top: int, score: float | None, matching: Sequence[int]) -> Row:
        """A row as `find` would make it, but for why it matched."""
        tree = tuple(self._below(top))
        keys = {key_of(self._entries[place].session) for place in matching}
        return Row(
            entry=self._entries[top],
            score=score,
            subagents=tree,
            matched_subagents=tuple(b for b in tree if key_of(b.session) in keys),
        )

    def _top(self, place: int) -> int:
        """The outermost session above this one that any store has."""
        path = [place]
        while (parent := self._parents[path[-1]]) is not None:
            if parent in path:  # parent links in a circle: any fixed one of them will do
                circle = path[path.index(parent) :]
                return min(circle, key=lambda n: key_of(self._entries[n].session))
            path.append(parent)
        return path[-1]

    def _links(self) -> list[int | None]:
        """For each session the number of its parent, if any store has it."""
        sessions = [entry.session for entry in self._entries]
        places = {key_of(session): n for n, session in enumerate(sessions)}
        return [key and places.get(key) for key in map(parent_of, sessions)]

    def _places_near(self) -> frozenset[int]:
        """The sessions of the caller's folder."""
        sessions = (entry.session for entry in self._entries)
        near = (n for n, session in enumerate(sessions) if self._query.is_near(session))
        return frozenset(near) if self._query.here else frozenset()

    def _families(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for place, parent in enumerate(self._parents):
            if parent is not None:
                found.setdefault(parent, []).append(place)
        for siblings in found.values():
            siblings.sort(key=self._age)
        return found

    def _age(self, place: int) -> tuple[int, str]:
        session = self._entries[place].session
        return session.created or 0, session.ref.id

    def _below(self, top: int) -> Iterator[Below]:
        """All sessions below one, depth first, the older before the younger."""
        seen = {top}
        stack = [(place, 1) for place in reversed(self._children.get(top, ()))]
        while stack:
            place, depth = stack.pop()
            if place in seen:
                continue
            seen.add(place)
            yield Below(session=self._entries[place].session, depth=depth)
            inner = reversed(self._children.get(place, ()))
            stack += [(child, depth + 1) for child in inner]


def _while_wanted(places: Sequence[int], wanted: Callable[[], bool]) -> Iterator[int]:
    for start in range(0, len(places), _CHUNK):
        if not wanted():
            raise SupersededError
        yield from places[start : start + _CHUNK]
