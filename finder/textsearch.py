"""Finding sessions by what was said and done in them.

The stores propose sessions, the last updated first; each is read, and the words are looked for in
what `get` shows of it. A session that only what the tool put in makes fit comes after all others.
So the search ends as soon as there are rows enough whose words were said or done; only where
there are fewer, those others fill the room that is left.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from finder.adapter import Candidate, latest_first
from finder.find import ORDERS, Answer, Heard, Query, Row, find, is_archived
from finder.library import Key, Library, key_of
from finder.source import Source
from finder.textindex import candidates
from finder.words import Sought

_AT_ONCE = 32  # candidates whose headers are asked for together
_MOST_IDS = 5_000  # that a store is asked for; beyond that it is quicker to look at what it gives


def find_text(library: Library, query: Query, sought: Sought) -> Answer:
    """The sessions that fit the query and have what is sought in their text.

    The last updated come first, unless the query asks for another order; those that have it only
    in what neither a person nor a model said come last. For a row speaks the one session, of its
    own and those below it, that has it and was updated last.
    """
    search = _TextSearch(library, query, sought)
    rows, more = search.rows()
    return Answer.of(library, rows, more=more, by_text=True)


class _TextSearch:
    """One search. `said` and `put_in` hold what was found so far, by the rows that tell it."""

    def __init__(self, library: Library, query: Query, sought: Sought) -> None:
        self.library = library
        self.query = query
        self.sought = sought
        self.said: dict[Key, Heard] = {}
        self.put_in: dict[Key, Heard] = {}
        self.within: dict[Key, Row] | None = None  # the rows that the query's words leave

    def rows(self) -> tuple[list[Row], bool]:
        """The rows to show, and whether there may be more."""
        if self.query.words:
            named = find(self.library, self.query._replace(limit=0, sort=None)).rows
            self.within = {key_of(row.session): row for row in named}
        ordered = self.query.sort not in {None, "updated"}
        ended = self._search(0 if ordered else self.query.limit)
        rows = list(self._made())
        if ordered:
            rows.sort(key=self._order)
        limit = self.query.limit or len(rows)
        return self._with_subagents(rows[:limit]), not ended or len(rows) > limit

    def _search(self, limit: int) -> bool:
        """Look for rows until there are enough; whether all sessions were looked at."""
        merged = heapq.merge(*self._streams(), key=lambda found: latest_first(found[1]))
        with self.library.kept_open():
            while batch := list(islice(merged, _AT_ONCE)):
                if self._are_enough(batch, limit):
                    return False
        return True

    def _are_enough(self, batch: Sequence[tuple[Source, Candidate]], limit: int) -> bool:
        """Look into these, until there are rows enough."""
        keys = [(c.ref.tool, c.ref.id) for _, c in batch]
        self.library.and_above(keys)
        for (source, candidate), key in zip(batch, keys, strict=True):
            self._look(source, candidate, key)
            if limit and len(self.said) >= limit:
                return True
        return False

    def _streams(self) -> Iterator[Iterator[tuple[Source, Candidate]]]:
        want = self.query.narrowed
        for source in self.library.sources:
            asked = want._replace(ids=self._ids(source.store.tool))
            if asked.ids != ():
                found = candidates(source, self.library.cache, self.sought, asked)
                yield _with(source, found)

    def _ids(self, tool: str) -> tuple[str, ...] | None:
        """The sessions that come into question at all; None: any."""
        if self.within is None:
            return None
        ids: set[str] = set()
        for row in self.within.values():
            sessions = [row.session, *(below.session for below in row.subagents)]
            ids.update(session.ref.id for session in sessions if session.ref.tool == tool)
        return tuple(sorted(ids)) if len(ids) <= _MOST_IDS else None

    def _look(self, source: Source, candidate: Candidate, key: Key) -> None:
        """Look into one session, unless a newer one speaks for its row."""
        entry = self.library.entry(key)
        # Of several copies only the one that is believed counts.
        if entry is None or entry.session.ref != candidate.ref:
            return
        row = self._row_of(key) if self.query.fits(entry.session) else None
        if row is None or row in self.said:
            return
        hit = source.hit(candidate.ref, self.sought)
        if hit is None:
            return
        heard = Heard(entry.session, hit)
        if hit.synthetic:
            self.put_in.setdefault(row, heard)
        else:
            self.put_in.pop(row, None)
            self.said[row] = heard

    def _row_of(self, key: Key) -> Key | None:
        """The row that tells of a session: its own or that of a session above it."""
        lineage = [key] if self.query.subagents else self.library.lineage(key)
        if self.within is not None:
            lineage = [one for one in lineage if one in self.within]
        top = self.library.entry(lineage[-1]) if lineage else None
        if top is None or not (self.query.archived or not is_archived(top.session)):
            return None
        return lineage[-1]

    def _made(self) -> Iterator[Row]:
        for key, heard in [*self.said.items(), *self.put_in.items()]:
            entry = self.library.entry(key)
            if entry is not None:
                row = self.within[key] if self.within is not None else Row(entry=entry)
                yield row._replace(heard=heard)

    def _order(self, row: Row) -> tuple[object, ...]:
        assert row.heard is not None
        apart = self.query.sort == "relevance" and not row.heard.hit.together
        return row.heard.hit.synthetic, apart, ORDERS[self.query.order](row)

    def _with_subagents(self, rows: list[Row]) -> list[Row]:
        trees = self.library.trees(key_of(row.session) for row in rows)
        made = []
        for row in rows:
            below = tuple(trees[key_of(row.session)])
            heard = row.heard and row.heard.session.ref
            matched = tuple(b for b in below if b.session.ref == heard)
            made.append(row._replace(subagents=below, matched_subagents=matched))
        return made


def _with(source: Source, candidates: Iterable[Candidate]) -> Iterator[tuple[Source, Candidate]]:
    return ((source, candidate) for candidate in candidates)
