"""One search in headers: judged, ranked and folded by outlines; rows are made of those shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from finder.adapter import Outline, Want, Word
from finder.find import PLACES, Query, Row, looks_like_id
from finder.library import Key, Library, key_of, lineage
from finder.match import WHOLE, Match, Matcher, Score, below

if TYPE_CHECKING:
    from finder.vocabulary import Words

# How many sessions a database is asked for at first, as a multiple of the rows wanted: most
# sessions are subagents, and those are folded away.
_FIRST_ASK, _LEAST_ASK, _GROWTH = 6, 100, 4
_MOST_RECENT = 4_000  # sessions to look at because they are newer than others
_MOST_RECENT_HITS = 3_000


class _Place(NamedTuple):
    """One row that may be shown: whose it is, and its place among the others."""

    key: Key
    order: tuple[object, ...]
    score: float | None
    matched: tuple[Match, ...]


class Search:
    """One query over one library. `scores` holds what matched so far.

    Sessions are judged by their outlines; headers are looked up for the rows that are shown.
    """

    def __init__(self, library: Library, query: Query) -> None:
        self.library = library
        self.query = query
        self.scores: dict[Key, Score | None] = {}
        self.outlines: dict[Key, Outline] = {}  # of these, and of those above them
        self.want = query.narrowed._replace(judged=True)
        self.own_rows: set[Key] = set()  # subagents that were asked for by their id

    def rows(self) -> tuple[list[Row], bool]:
        """The rows to show, and whether there are more."""
        limit = self.query.limit
        rows: list[_Place] | None = None
        if self.query.words:
            rows = self._by_id() or self._by_words()
        elif limit and self.query.order == "updated":
            rows = self._newest(limit)
            if rows and self.query.filters and not self.query.subagents:
                rows = self._with_newer_tops(rows, limit)
        if rows is None:
            self._judge(self.library.outlines(self.want), lambda _: None)
            rows = self._folded()
        shown = rows[:limit] if limit else rows
        return self._rows(shown), len(rows) > len(shown)

    def _judge(
        self,
        outlines: Mapping[Key, Outline],
        score: Callable[[Outline], Score | None],
        *,
        must: bool = False,
    ) -> None:
        """Keep those that fit; with `must`, only those that have a score."""
        for key, outline in outlines.items():
            if not self.query.fits(outline):
                continue
            value = score(outline)
            if value is not None or not must:
                self.scores[key] = value
                self.outlines[key] = outline

    def _known(self, keys: Iterable[Key]) -> dict[Key, Outline]:
        """Outlines of sessions of which few are needed, or the headers known already."""
        keys = list(keys)
        self.library.lookup(keys)
        entries = ((key, self.library.entry(key)) for key in keys)
        return {key: Outline.of(e.session, judged=True) for key, e in entries if e}

    def _by_id(self) -> list[_Place]:
        """The sessions that the query names by id; they win outright."""
        word = self.query.words[0]
        if len(self.query.words) > 1 or not looks_like_id(word):
            return []
        tool, _, rest = word.rpartition(":")
        found = self.library.prefixed(rest, tool or None)
        exact = [key for key in found if key[1].casefold() == rest.casefold()]
        match = Match(word=word, field="id", tier="exact" if exact else "prefix")
        score = Score(value=1.0 if exact else 0.95, matched=(match,))
        self._judge(self._known(exact or found), lambda _: score)
        if exact or len(self.scores) == 1:
            self.own_rows.update(self.scores)
        return self._folded()

    def _by_words(self) -> list[_Place]:
        matcher = Matcher(self.query.words)
        want = self.want
        kept = self.library.kept_words()
        placed = kept.placed if kept else Word
        literally = tuple((placed(word),) for word in matcher.words)
        rows = self._of_newest(matcher, literally)
        if rows is None:
            found = self.library.outlines(want._replace(words=literally))
            self._judge(found, matcher.literal, must=True)
            rows = self._folded()
        # What is as it was typed comes first; typing errors fill what room is left.
        if not matcher.forgives or (self.query.limit and len(rows) >= self.query.limit):
            return rows
        vocabulary = kept or self.library.vocabulary()
        rows = self._forgiving(matcher, want, vocabulary)
        if rows or vocabulary.sure:
            return rows
        return self._forgiving(matcher, want, self.library.vocabulary(anew=True))

    def _of_newest(
        self, matcher: Matcher, words: tuple[tuple[Word, ...], ...]
    ) -> list[_Place] | None:
        """The rows for one word, where the newest sessions that have it decide; else None.

        Before a title with the word in it there is no row but those in which it is all of a field,
        which are all looked at, and those of the caller's folder; of these, too, the newest are.
        """
        limit = self.query.limit
        if len(self.query.words) > 1 or not limit or self.query.order != "relevance":
            return None
        newest = self.want._replace(words=words, newest=_MOST_RECENT_HITS)
        floor = self._given(newest, matcher)
        if floor is None:
            return self._folded()
        alone = tuple(tuple(word._replace(alone=True) for word in group) for group in words)
        self._given(self.want._replace(words=alone), matcher)
        here = (newest._replace(directory=folder) for folder in self.query.here)
        near = [given for want in here if (given := self._given(want, matcher)) is not None]
        rows = self._folded()
        if len(rows) <= limit or (rows[limit].score or 0) < WHOLE:
            return None
        last = self.outlines[rows[limit].key]
        if self.query.is_near(last):
            floor = max(near, default=None)
        elif near:
            return None
        if floor is not None and (last.updated or 0) <= floor:
            return None
        # Why a row matches, and which of the sessions below it do, is told, too.
        trees = self.library.and_below(row.key for row in rows[:limit])
        self._judge(self._known(trees), matcher.literal, must=True)
        return self._folded()

    def _given(self, want: Want, matcher: Matcher) -> int | None:
        """Judge what is given of these; what none of the others is newer than, as `_floor`."""
        self._judge(self.library.outlines(want), matcher.literal, must=True)
        return self._floor()

    def _floor(self) -> int | None:
        """What no session that was not given is newer than; None: all were given."""
        floors = (source.floor for source in self.library.sources)
        return max((floor for floor in floors if floor is not None), default=None)

    def _forgiving(self, matcher: Matcher, want: Want, vocabulary: Words) -> list[_Place]:
        """What matches but for typing errors."""
        matcher.learn_words(vocabulary.words)
        if matcher.knows_others:
            placed = vocabulary.placed
            nearly = tuple(
                (placed(word), *(placed(o, ("title", "directory")) for o in matcher.others(word)))
                for word in matcher.words
            )
            found = self.library.outlines(want._replace(words=nearly))
            self._judge(found, matcher.fuzzy, must=True)
        return self._folded()

    def _newest(self, limit: int) -> list[_Place] | None:
        """The rows updated last, without listing all that a database has.

        Each store gives its newest sessions. A row is certain once it is newer than all that
        any store has not given; until enough are, the stores are asked for more. None: for too
        many to look at their headers.
        """
        ask = max(limit * _FIRST_ASK, _LEAST_ASK)
        given = [0] * len(self.library.sources)
        while True:
            want = self.query.narrowed._replace(newest=ask)
            keys: set[Key] = set()
            for index, source in enumerate(self.library.sources):
                sessions = source.newest(want, given[index])
                given[index] = len(sessions)
                keys.update(map(key_of, sessions))
            self._judge(self._known(keys), lambda _: None)
            rows = self._folded()
            floor = self._floor()
            # One row more than is shown tells whether there are more.
            if floor is None or self._certain(rows, limit + 1, floor):
                return rows
            ask *= _GROWTH
            if ask > _MOST_RECENT:
                return None

    def _with_newer_tops(self, rows: list[_Place], limit: int) -> list[_Place] | None:
        """The rows, with those for which only a subagent fits, one much older than its parent.

        To be among the first they are newer than the last of these, so all that is as new is
        looked at, with all below it. None: that would be too much.
        """
        if all(source.floor is None for source in self.library.sources):
            return rows  # all that fits has been looked at
        last = self.outlines[rows[limit].key].updated or 0
        outlines = self.library.outlines(Want(since=last))
        recent = [key for key, outline in outlines.items() if (outline.updated or 0) >= last]
        if len(recent) > _MOST_RECENT:
            return None
        self._judge(self._known(self.library.and_below(recent)), lambda _: None)
        return self._folded()

    def _certain(self, rows: list[_Place], count: int, floor: int) -> bool:
        if len(rows) < count:
            return False
        last = self.outlines[rows[count - 1].key].updated
        return last is not None and last > floor

    def _folded(self) -> list[_Place]:
        """What matched so far as rows, in order."""
        groups: dict[Key, list[Key]] = {}
        if self.query.subagents:
            groups = {key: [key] for key in self.scores}
        else:
            self._look_above()
            for key in self.scores:
                top = key if key in self.own_rows else lineage(key, self._parent)[-1]
                groups.setdefault(top, []).append(key)
        rows = [
            self._place(top, members)
            for top, members in groups.items()
            if self.query.archived or not self.outlines[top].archived
        ]
        return sorted(rows, key=lambda row: row.order)

    def _look_above(self) -> None:
        """The outlines of all sessions above those that matched."""
        pending = set(self.scores)
        while pending:
            parents = {(key[0], p) for key in pending if (p := self.outlines[key].parent)}
            found = self.library.outlines_of(parents - self.outlines.keys(), judged=True)
            self.outlines |= found
            pending = set(found)

    def _parent(self, key: Key) -> Key | None:
        parent = self.outlines[key].parent
        return above if parent and (above := (key[0], parent)) in self.outlines else None

    def _place(self, top: Key, members: list[Key]) -> _Place:
        own = self.scores.get(top)
        others = (self.scores.get(key) for key in members if key != top)
        best = max(filter(None, others), key=lambda s: s.value, default=None)
        values = ([own.value] if own else []) + ([below(best.value)] if best else [])
        why = own or best
        score = max(values, default=None)
        outline = self.outlines[top]
        order = PLACES[self.query.order](score, outline)
        if self.query.order == "relevance":
            first, *rest = order
            order = first, not self.query.is_near(outline), *rest
        return _Place(top, (*order, top[1], top[0]), score, why.matched if why else ())

    def _rows(self, places: list[_Place]) -> list[Row]:
        trees = self.library.trees(place.key for place in places)
        matching = set(self.scores) if self.query.words or self.query.filters else set()
        rows = []
        for place in places:
            entry = self.library.entry(place.key)
            if entry is None:  # it was there a moment ago
                continue
            tree = tuple(trees[place.key])
            matched = tuple(b for b in tree if key_of(b.session) in matching)
            rows.append(
                Row(
                    entry=entry,
                    score=place.score,
                    matched=place.matched,
                    subagents=tree,
                    matched_subagents=matched,
                )
            )
        return rows
