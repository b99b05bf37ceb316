"""Finding sessions: list, filter, rank, and fold subagents under their parents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple

from finder.adapter import Outline, Store, Want
from finder.library import Below, Entry, Library
from finder.match import Match
from finder.model import Problem, Session

if TYPE_CHECKING:
    from finder.content import Hit
    from finder.source import Source

Sort = Literal["relevance", "updated", "created", "title"]

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

    def is_near(self, session: Session | Outline) -> bool:
        """Whether a session is one of the caller's folder."""
        return _is_inside(session.directory, self.here)

    def fits(self, session: Session | Outline) -> bool:
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
    """One store that was searched."""

    source: Source

    @property
    def store(self) -> Store:
        """Where it is."""
        return self.source.store

    @property
    def sessions(self) -> int | None:
        """How many it holds, counted now; None: that is not quickly told."""
        return self.source.count()

    @property
    def failed(self) -> bool:
        """Whether it could not be read, or not to the end."""
        return self.source.failed


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
        return cls(
            rows=rows,
            more=more,
            searched=tuple(map(Searched, library.sources)),
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
    from finder.search import Search

    with library.kept_open():
        found, more = Search(library, query).rows()
    return Answer.of(library, tuple(found), more=more)


def _latest_first(time: int | None) -> float:
    return -time if time is not None else float("inf")


# The order of rows, by score and header.
PLACES: dict[Sort, Callable[[float | None, Session | Outline], tuple[object, ...]]] = {
    "relevance": lambda score, s: (-(score or 0), _latest_first(s.updated)),
    "updated": lambda _, s: (_latest_first(s.updated),),
    "created": lambda _, s: (_latest_first(s.created),),
    "title": lambda _, s: ((s.title or "\U0010ffff").casefold(),),
}


def _order(sort: Sort, row: Row) -> tuple[object, ...]:
    """What rows are ordered by; those that are equal otherwise in the same order in each run."""
    ref = row.session.ref
    return *PLACES[sort](row.score, row.session), ref.id, ref.tool


ORDERS: dict[Sort, Callable[[Row], tuple[object, ...]]] = {
    sort: partial(_order, sort) for sort in PLACES
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
