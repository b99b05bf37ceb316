"""Finding sessions: list, filter, rank, and fold subagents under their parents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple

from finder.adapter import Store, Want, Word
from finder.library import Below, Entry, Key, Library, key_of
from finder.match import Match, Matcher, Score, below
from finder.model import Problem, Session

if TYPE_CHECKING:
    from finder.content import Hit
    from finder.vocabulary import Words

Sort = Literal["relevance", "updated", "created", "title"]

# How many sessions a database is asked for at first, as a multiple of the rows wanted: most
# sessions are subagents, and those are folded away.
_FIRST_ASK, _LEAST_ASK, _GROWTH = 6, 100, 4
_MOST_RECENT = 4_000  # sessions to look at because they are newer than others
_LONG_ENOUGH_FOR_AN_ID = 6


class Query(NamedTuple):
    """What to find. Each field narrows; None and empty do not.

    Attributes:
        words: all of them must match; see `finder.match`.
        directories: spellings of one folder: sessions in it or below it.
        agent: the agent's name, in any case.
        model: part of the model's name, in any case.
        since, until: `updated` within these, milliseconds UTC.
        archived: False leaves archived sessions out.
        subagents: they are rows of their own, not folded under their parents.
        limit: at most so many rows; 0: all.
        sort: default: by relevance where there are words, else the last updated first.
        here: spellings of the caller's folder: of equally relevant sessions those in it or below
            it come first.
    """

    words: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    agent: str | None = None
    model: str | None = None
    since: int | None = None
    until: int | None = None
    archived: bool = True
    subagents: bool = False
    limit: int = 20
    sort: Sort | None = None
    here: tuple[str, ...] = ()

    @property
    def order(self) -> Sort:
        """The order of the rows."""
        return self.sort or ("relevance" if self.words else "updated")

    @property
    def filters(self) -> bool:
        """Whether some sessions are left out, apart from the words."""
        narrowing = (self.directories, self.agent, self.model)
        return any(narrowing) or self.since is not None or self.until is not None

    @property
    def narrowed(self) -> Want:
        """What of this an adapter can be asked for, without the words."""
        # Of a folder with two spellings, such as one behind a link, only we can tell.
        directory = self.directories[0] if len(self.directories) == 1 else None
        return Want(directory=directory, since=self.since, until=self.until)

    def is_near(self, session: Session) -> bool:
        """Whether a session is one of the caller's folder."""
        return _is_inside(session.directory, self.here)

    def fits(self, session: Session) -> bool:
        """Whether a session passes all but the words."""
        if self.directories and not _is_inside(session.directory, self.directories):
            return False
        if self.agent and (session.agent or "").casefold() != self.agent.casefold():
            return False
        if self.model and self.model.casefold() not in (session.model or "").casefold():
            return False
        if self.since is not None and (session.updated is None or session.updated < self.since):
            return False
        return self.until is None or (session.updated is not None and session.updated <= self.until)


class Heard(NamedTuple):
    """A session in whose text the words stand, and where."""

    session: Session
    hit: Hit


class Row(NamedTuple):
    """One result.

    Attributes:
        score: 0 to 1; None where the query has no words.
        matched: how each word was found: here, or else in the best of the subagents.
        subagents: all sessions below this one.
        matched_subagents: those of them that match by themselves.
        heard: where text was searched: of this session and those below it, the one that has the
            words and was updated last.
    """

    entry: Entry
    score: float | None = None
    matched: tuple[Match, ...] = ()
    subagents: Sequence[Below] = ()
    matched_subagents: tuple[Below, ...] = ()
    heard: Heard | None = None

    @property
    def session(self) -> Session:
        """The copy of the session that is believed."""
        return self.entry.session


class Searched(NamedTuple):
    """One store that was searched. `sessions`: how many it holds; None: not quickly told."""

    store: Store
    sessions: int | None
    failed: bool


class Answer(NamedTuple):
    """What was found, where it was looked for, and what could not be read.

    `by_text`: in what was said and done, not only in titles, ids and folders.
    """

    rows: Sequence[Row]
    more: bool
    searched: tuple[Searched, ...]
    problems: tuple[Problem, ...]
    incomplete: bool
    silent: bool
    by_text: bool = False

    @classmethod
    def of(
        cls, library: Library, rows: Sequence[Row], *, more: bool = False, by_text: bool = False
    ) -> Answer:
        """These rows, and what the library says about the search."""
        searched = tuple(
            Searched(store=s.store, sessions=s.count(), failed=s.failed) for s in library.sources
        )
        return cls(
            rows=rows,
            more=more,
            searched=searched,
            problems=tuple(library.problems),
            incomplete=library.incomplete,
            silent=library.silent,
            by_text=by_text,
        )


def find(library: Library, query: Query) -> Answer:
    """The sessions that fit the query, in its order."""
    few = query.limit and query.order == "updated"
    if not (query.words or query.filters or few):
        from finder.listing import Listing

        rows = Listing(library, query)
        first = tuple(islice(rows, query.limit)) if query.limit else rows
        return Answer.of(library, first, more=len(rows) > len(first))
    found, more = _Search(library, query).rows()
    return Answer.of(library, tuple(found), more=more)


class _Search:
    """One query over one library. `scores` holds what matched so far."""

    def __init__(self, library: Library, query: Query) -> None:
        self.library = library
        self.query = query
        self.scores: dict[Key, Score | None] = {}
        self.own_rows: set[Key] = set()  # subagents that were asked for by their id

    def rows(self) -> tuple[list[Row], bool]:
        """The rows to show, and whether there are more."""
        limit = self.query.limit
        rows: list[Row] | None = None
        if self.query.words:
            rows = self._by_id() or self._by_words()
        elif limit and self.query.order == "updated":
            rows = self._newest(limit)
            if self.query.filters and not self.query.subagents:
                rows = self._with_newer_tops(rows, limit)
        if rows is None:
            self._judge(self.library.keys(self.query.narrowed), lambda _: None)
            rows = self._folded()
        shown = rows[:limit] if limit else rows
        return self._with_subagents(shown), len(rows) > len(shown)

    def _judge(
        self, keys: Iterable[Key], score: Callable[[Session], Score | None], *, must: bool = False
    ) -> None:
        """Keep those that fit; with `must`, only those that have a score."""
        keys = list(keys)
        self.library.lookup(keys)
        for key in keys:
            entry = self.library.entry(key)
            if entry is None or not self.query.fits(entry.session):
                continue
            value = score(entry.session)
            if value is not None or not must:
                self.scores[key] = value

    def _by_id(self) -> list[Row]:
        """The sessions that the query names by id; they win outright."""
        word = self.query.words[0]
        if len(self.query.words) > 1 or not looks_like_id(word):
            return []
        tool, _, rest = word.rpartition(":")
        found = self.library.prefixed(rest, tool or None)
        exact = [key for key in found if key[1].casefold() == rest.casefold()]
        match = Match(word=word, field="id", tier="exact" if exact else "prefix")
        score = Score(value=1.0 if exact else 0.95, matched=(match,))
        self._judge(exact or found, lambda _: score)
        if exact or len(self.scores) == 1:
            self.own_rows.update(self.scores)
        return self._folded()

    def _by_words(self) -> list[Row]:
        matcher = Matcher(self.query.words)
        want = self.query.narrowed
        kept = self.library.kept_words()
        placed = kept.placed if kept else Word
        literally = tuple((placed(word),) for word in matcher.words)
        self._judge(self.library.keys(want._replace(words=literally)), matcher.literal, must=True)
        rows = self._folded()
        # What is as it was typed comes first; typing errors fill what room is left.
        if not matcher.forgives or (self.query.limit and len(rows) >= self.query.limit):
            return rows
        vocabulary = kept or self.library.vocabulary()
        rows = self._forgiving(matcher, want, vocabulary)
        if rows or vocabulary.sure:
            return rows
        return self._forgiving(matcher, want, self.library.vocabulary(anew=True))

    def _forgiving(self, matcher: Matcher, want: Want, vocabulary: Words) -> list[Row]:
        """What matches but for typing errors."""
        matcher.learn_words(vocabulary.words)
        if matcher.knows_others:
            placed = vocabulary.placed
            nearly = tuple(
                (placed(word), *(placed(o, ("title", "directory")) for o in matcher.others(word)))
                for word in matcher.words
            )
            self._judge(self.library.keys(want._replace(words=nearly)), matcher.fuzzy, must=True)
        return self._folded()

    def _newest(self, limit: int) -> list[Row]:
        """The rows updated last, without listing all that a database has.

        Each store gives its newest sessions. A row is certain once it is newer than all that
        any store has not given; until enough are, the stores are asked for more.
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
            self._judge(keys, lambda _: None)
            rows = self._folded()
            floors = [s.floor for s in self.library.sources if s.floor is not None]
            # One row more than is shown tells whether there are more.
            if not floors or self._certain(rows, limit + 1, max(floors)):
                return rows
            ask *= _GROWTH

    def _with_newer_tops(self, rows: list[Row], limit: int) -> list[Row] | None:
        """The rows, with those for which only a subagent fits, one much older than its parent.

        To be among the first they are newer than the last of these, so all that is as new is
        looked at, with all below it. None: that would be too much.
        """
        if all(source.floor is None for source in self.library.sources):
            return rows  # all that fits has been looked at
        last = rows[limit].session.updated or 0
        outlines = self.library.outlines(Want(since=last))
        recent = [key for key, outline in outlines.items() if (outline.updated or 0) >= last]
        if len(recent) > _MOST_RECENT:
            return None
        self._judge(self.library.and_below(recent), lambda _: None)
        return self._folded()

    @staticmethod
    def _certain(rows: list[Row], count: int, floor: int) -> bool:
        if len(rows) < count:
            return False
        last = rows[count - 1].session.updated
        return last is not None and last > floor

    def _folded(self) -> list[Row]:
        """What matched so far as rows, in order."""
        groups: dict[Key, list[Key]] = {}
        if self.query.subagents:
            groups = {key: [key] for key in self.scores}
        else:
            self.library.lookup_above(self.scores)
            for key in self.scores:
                top = key if key in self.own_rows else self.library.lineage(key)[-1]
                groups.setdefault(top, []).append(key)
        rows = [self._row(top, members) for top, members in groups.items()]
        kept = [row for row in rows if self.query.archived or not is_archived(row.session)]
        return sorted(kept, key=self._order)

    def _order(self, row: Row) -> tuple[object, ...]:
        order = ORDERS[self.query.order](row)
        if self.query.order != "relevance":
            return order
        best, *rest = order
        return best, not self.query.is_near(row.session), *rest

    def _row(self, top: Key, members: list[Key]) -> Row:
        entry = self.library.entry(top)
        assert entry is not None  # it matched, or was looked up as an ancestor
        own = self.scores.get(top)
        others = (self.scores.get(key) for key in members if key != top)
        best = max(filter(None, others), key=lambda s: s.value, default=None)
        values = ([own.value] if own else []) + ([below(best.value)] if best else [])
        why = own or best
        return Row(
            entry=entry,
            score=max(values, default=None),
            matched=why.matched if why else (),
        )

    def _with_subagents(self, rows: list[Row]) -> list[Row]:
        trees = self.library.trees(key_of(row.session) for row in rows)
        matching = set(self.scores) if self.query.words or self.query.filters else set()
        counted = []
        for row in rows:
            tree = tuple(trees[key_of(row.session)])
            matched = tuple(b for b in tree if key_of(b.session) in matching)
            counted.append(row._replace(subagents=tree, matched_subagents=matched))
        return counted


def _latest_first(time: int | None) -> float:
    return -time if time is not None else float("inf")


def _last(row: Row) -> tuple[str, str]:
    """What tells rows apart that are equal otherwise, so that each run has the same order."""
    return row.session.ref.id, row.session.ref.tool


ORDERS: dict[Sort, Callable[[Row], tuple[object, ...]]] = {
    "relevance": lambda r: (-(r.score or 0), _latest_first(r.session.updated), *_last(r)),
    "updated": lambda r: (_latest_first(r.session.updated), *_last(r)),
    "created": lambda r: (_latest_first(r.session.created), *_last(r)),
    "title": lambda r: ((r.session.title or "\U0010ffff").casefold(), *_last(r)),
}


def is_archived(session: Session) -> bool:
    """Whether the user has put it away."""
    return session.archived is not None or "archived" in session.labels


def _is_inside(directory: str | None, folders: tuple[str, ...]) -> bool:
    if directory is None:
        return False
    for folder in folders:
        stem = folder.rstrip("/\\")
        if directory.rstrip("/\\") == stem or directory.startswith((stem + "/", stem + "\\")):
            return True
    return False


def looks_like_id(word: str) -> bool:
    """Long enough, and with a digit, which tells an id from a word such as "decade"."""
    _, _, rest = word.rpartition(":")
    return len(rest) >= _LONG_ENOUGH_FOR_AN_ID and any(c.isdigit() for c in rest)
