"""One store in one run of the program: what its adapter said is remembered.

A database answers narrow questions quickly and is asked those; a store of files has to be
walked whole for nearly any question, so it is walked once. What an adapter raises, which may
be anybody's code, becomes a problem here, and the other stores go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from finder.adapter import (
    LONGEST_ID,
    Adapter,
    Candidate,
    Names,
    Outline,
    Store,
    Want,
    latest_first,
)
from finder.errors import NotFoundError, StoreError
from finder.model import Problem, Ref, Session

if TYPE_CHECKING:
    from pathlib import Path

    from finder.content import Hit
    from finder.model import Event
    from finder.words import Sought

_BEGINNING = 4  # messages

T = TypeVar("T")

Watch = Callable[[int, "int | None"], None]
"""Told how much is done, and of how much where that is known."""
Progress = Callable[[], AbstractContextManager[Watch]]
"""Shows a person how far it is while something lasts."""


def quietly() -> AbstractContextManager[Watch]:
    """Shows nothing."""
    return nullcontext(lambda _done, _total: None)


class _Told(NamedTuple):
    """What is known of one search in texts, for another one of the same that is less narrow.

    Attributes:
        candidates: by what was wanted, where they were told to the end.
        hits: of the sessions that were read.
    """

    candidates: dict[Want, list[Candidate]]
    hits: dict[Ref, Hit | None]


class Source:
    """One store, and what it said so far.

    Attributes:
        place: its number in the order of discovery.
        raw: whether the sessions' own records are wanted with them.
        failed: it could not be read, or not to the end.
        whole: all its sessions are in `known`.
        learned: ids that became known, or known better, since somebody last emptied this.
        floor: after the newest were asked for: sessions that were not given are not newer than
            this; None: all were given.
    """

    def __init__(
        self,
        adapter: Adapter,
        store: Store,
        place: int = 0,
        raw: bool = True,
        *,
        cache: Path | None = None,
        progress: Progress = quietly,
    ) -> None:
        """`cache`: a folder for what makes later runs faster; `progress`: see `Progress`."""
        self.adapter = adapter
        self.store = store
        self.place = place
        self.raw = raw
        self.failed = False
        self.whole = False
        self.floor: int | None = None
        self.known: dict[str, Session] = {}
        self.learned: set[str] = set()
        self.problems: dict[Problem, None] = {}
        self._cache = cache
        self._progress = progress
        self._absent: set[str] = set()
        self._below_known: set[str] = set()
        self._told: tuple[Sought, _Told] | None = None
        self._given = 0  # when it was last asked: problems, too, each of which may be a session

    def listing(self, want: Want) -> list[Session]:
        """The sessions that fit, and perhaps more."""
        if not self.whole and (want == Want() or self.store.kind != "database"):
            self._ask(Want())
            self.whole = True
        return list(self.known.values()) if self.whole else self._ask(want)

    def outlines(self, want: Want) -> list[Outline]:
        """Where sessions stand, at least those that fit; of a database without their headers."""
        if want.newest is not None:
            self.floor = None
        if not self.whole and self.store.kind == "database":
            found = self._read(lambda: self.adapter.outlines(self.store, want))
            if want.newest is not None and self._given >= want.newest and not self.failed:
                self.floor = _oldest(found)
            return found
        if want.ids is None:
            sessions = self.listing(Want())
        else:
            self.lookup(want.ids)
            sessions = [self.known[i] for i in want.ids if i in self.known]
        return [Outline.of(session, judged=want.judged) for session in sessions]

    def forget(self, session_id: str) -> None:
        """Let go of a header; a store that was read whole keeps it."""
        if not self.whole:
            self.known.pop(session_id, None)
            self._absent.discard(session_id)
            self._below_known.discard(session_id)

    def newest(self, want: Want, before: int) -> list[Session]:
        """Like `listing`, for a `want` with `newest`; `before` sessions were given last time."""
        given = self.listing(want)
        limited = not (self.whole or self.failed)
        exhausted = not limited or self._given < (want.newest or 0) or len(given) == before
        self.floor = None if exhausted else _oldest(given)
        return given

    def lookup(self, ids: Iterable[str]) -> None:
        """Make `known` hold those of these ids that are in the store."""
        if self.whole:
            return
        unknown = sorted({i for i in ids if i not in self.known and i not in self._absent})
        if unknown:
            self._ask(Want(ids=tuple(unknown)))
            self._absent.update(i for i in unknown if i not in self.known)

    def prefixed(self, prefix: str) -> list[str]:
        """The ids that start so, in any case."""
        if not self.whole:
            self._ask(Want(prefix=prefix))
        folded = prefix.casefold()
        return [i for i in self.known if i.casefold().startswith(folded)]

    def below(self, ids: Sequence[str]) -> list[Session]:
        """Every session below these."""
        if not ids or not self.adapter.can.subagents:
            return []
        if type(self.adapter).descendants is Adapter.descendants:
            self.listing(Want())
        unknown = [] if self.whole else [i for i in ids if i not in self._below_known]
        if unknown:
            found = self._collect(lambda: self.adapter.descendants(self.store, unknown))
            self._below_known.update(unknown, (session.ref.id for session in found))
        return self._below_in_memory(ids)

    def _below_in_memory(self, ids: Sequence[str]) -> list[Session]:
        children: dict[str, list[Session]] = {}
        for session in self.known.values():
            if session.parent is not None:
                children.setdefault(session.parent.id, []).append(session)
        found, seen, queue = [], set(ids), list(ids)
        for parent in queue:
            for session in children.get(parent, ()):
                if session.ref.id not in seen:
                    seen.add(session.ref.id)
                    queue.append(session.ref.id)
                    found.append(session)
        return found

    def candidates(self, sought: Sought, want: Want) -> Iterator[Candidate]:
        """The sessions that may have what is sought, the last updated first, and perhaps more.

        In a search after a narrower one only those are looked for that were not looked at.
        """
        import heapq

        known = self._told_of(sought).candidates
        for wanted in (want, Want()):
            if wanted in known:
                yield from known[wanted]
                return
        earlier = next((one for one in known if one.ids is None and want.ids is None), None)
        others = self._proposed(sought, want._replace(beyond=earlier))
        given: list[Candidate] = []
        for candidate in heapq.merge(known.get(earlier or want, ()), others, key=latest_first):
            given.append(candidate)
            yield candidate
        if not self.failed:
            known[want] = given

    def _told_of(self, sought: Sought) -> _Told:
        if self._told is None or self._told[0] is not sought:
            self._told = sought, _Told({}, {})
        return self._told[1]

    def _proposed(self, sought: Sought, want: Want) -> Iterator[Candidate]:
        if type(self.adapter).candidates is Adapter.candidates:
            sessions = self.listing(want)
            found = [Candidate(session.ref, session.updated) for session in sessions]
            yield from sorted(found, key=latest_first)
            return
        candidates = self.adapter.candidates(self.store, sought, want)
        given: list[Candidate | Problem] = []
        while not self.failed:
            self._guarded(lambda: given.extend(islice(candidates, 1)))
            if not given:
                return
            item = given.pop()
            if isinstance(item, Problem):
                self._note(item)
            else:
                yield item

    def hit(self, ref: Ref, sought: Sought) -> Hit | None:
        """Where what is sought stands in a session's story; None: not all of it does."""
        hits = self._told_of(sought).hits
        if ref not in hits:
            hits[ref] = self._heard(ref, sought)
        return hits[ref]

    def _heard(self, ref: Ref, sought: Sought) -> Hit | None:
        from finder import content

        try:
            if type(self.adapter).beginning is not Adapter.beginning:
                # What is asked for is often said early, and then little has to be read.
                early = _first(self.adapter.beginning(ref, _BEGINNING), _BEGINNING)
                found = content.hit(early, sought, sure=True)
                if found is not None:
                    return found
            return content.hit(self.adapter.events(ref), sought)
        except NotFoundError:  # it was there a moment ago
            return None
        except StoreError as error:
            self._note(error.problem)
        except Exception as error:
            self._note(self._failure(error, ref.id))
        return None

    def state(self) -> str | None:
        """Changes whenever anything in the store does; None: that is not quickly told."""
        told: list[str | None] = []
        self._guarded(lambda: told.append(self.adapter.stamp(self.store)))
        return told[0] if told else None

    def stamps(self) -> Mapping[str, str] | None:
        """By the sessions' ids: what changes with their stories; None: that is not told."""
        told: list[Mapping[str, str] | None] = []
        self._guarded(lambda: told.append(self.adapter.stamps(self.store)))
        return told[0] if told else None

    def texts(self, ref: Ref) -> Iterator[str]:
        """All of a session's story in which is searched.

        Raises:
            FinderError: it cannot be read.
        """
        from finder.content import fields

        for event in self.adapter.events(ref):
            yield from (text for _, text in fields(event))

    def names(self, since: int | None = None) -> Names:
        """What the sessions are called; of a database those updated since then."""
        if self.whole or self.store.kind != "database":
            return Names.of(self.listing(Want()))
        told: list[Names] = []
        self._guarded(lambda: told.append(self.adapter.names(self.store, since)))
        return told[0] if told else Names.of(())

    def stamp(self) -> str:
        """Changes whenever the database does; it is taken before what is read."""
        from finder import sqlite

        return sqlite.stamp(self.store.path)

    def settled(self) -> bool:
        """Whether no change can come that leaves the stamp as it is."""
        from finder import sqlite

        return sqlite.is_settled(self.store.path)

    def count(self) -> int | None:
        """How many sessions the store holds, where that is known or quickly told."""
        if self.failed:
            return None
        if self.whole:
            return len(self.known)
        counted: list[int | None] = []
        self._guarded(lambda: counted.append(self.adapter.count(self.store)))
        return counted[0] if counted else None

    def generation(self) -> str | None:
        """Which version or layout of the format the store has."""
        told: list[str | None] = []
        if not self.failed:
            self._guarded(lambda: told.append(self.adapter.generation(self.store)))
        return told[0] if told else None

    def hides(self, session_id: str) -> bool:
        """Whether the store may hold this session although it did not show it."""
        return self.failed or any(p.record in {None, session_id} for p in self.problems)

    def _ask(self, want: Want) -> list[Session]:
        if self.store.kind != "files" or self.raw:
            asked = want._replace(raw=self.raw)
            return self._collect(lambda: self.adapter.sessions(self.store, asked))
        from finder.catalogue import Catalogue, file_of

        path = self.store.path
        file = None if self._cache is None else file_of(self._cache, self.adapter.name, path)
        with self._progress() as watch:
            catalogue = Catalogue(file, str(path), watch)
            asked = want._replace(raw=False, catalogue=catalogue)
            given = self._collect(lambda: self.adapter.sessions(self.store, asked))
        catalogue.save(whole=want == Want() and not self.failed and not self.problems)
        return given

    def _collect(self, ask: Callable[[], Iterable[Session | Problem]]) -> list[Session]:
        given = []
        for session in self._read(ask):
            identifier = session.ref.id
            if len(identifier) > LONGEST_ID:
                self._note(_of_long_id(session))
                continue
            given.append(session)
            known = self.known.get(identifier)
            if known is None or (session.updated or 0) > (known.updated or 0):
                self.known[identifier] = session
                self.learned.add(identifier)
        return given

    def _read(self, ask: Callable[[], Iterable[T | Problem]]) -> list[T]:
        given: list[T] = []
        self._given = 0

        def read() -> None:
            for item in ask():
                self._given += 1
                if isinstance(item, Problem):
                    self._note(item)
                else:
                    given.append(item)

        if not self.failed:
            self._guarded(read)
        return given

    def _guarded(self, ask: Callable[[], None]) -> None:
        """Ask the adapter, which may be anybody's code: what it raises becomes a problem."""
        try:
            ask()
        except StoreError as error:
            self.failed = True
            self.problems.setdefault(error.problem)
        except Exception as error:
            self.failed = True
            self.problems.setdefault(self._failure(error))

    def _failure(self, error: Exception, record: str | None = None) -> Problem:
        name = self.adapter.name
        message = f"adapter {name!r} failed here: {type(error).__name__}: {error}"
        path = str(self.store.path)
        return Problem(kind="adapter", path=path, message=message, record=record)

    def _note(self, problem: Problem) -> None:
        self.problems.setdefault(problem)
        if problem.path == str(self.store.path) and problem.record is None:
            self.failed = True  # not one record, but the store


def _oldest(given: Sequence[Session | Outline]) -> int:
    """What no session is newer than that the newest so many leave out.

    Some stores sort a time that is none before all others, so that it tells nothing.
    """
    return min((one.updated for one in given if one.updated is not None), default=0)


def _of_long_id(session: Session) -> Problem:
    ref = session.ref
    message = f"a session whose id has {len(ref.id):,} characters, so that it cannot be asked for"
    return Problem(kind="corrupt", path=ref.store, message=message, record=ascii(ref.id[:40]))


def _first(events: Iterable[Event], messages: int) -> Iterator[Event]:
    """Up to where the message after so many opens."""
    for event in events:
        messages -= event.type == "message"
        if messages < 0:
            return
        yield event
