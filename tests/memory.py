"""An adapter over sessions in memory, which gives exactly what it is asked for and no more.

So a search that is right with it does not lean on an adapter that gives too much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path

from finder.adapter import Adapter, Can, Resume, Store, Want, Word
from finder.errors import NotFoundError, StoreError
from finder.library import Library
from finder.model import Event, Problem, Ref, Session
from finder.places import Places
from finder.registry import Registry
from finder.words import folded


@dataclass
class Shelf:
    """One store: its sessions, and how it fails."""

    path: Path
    sessions: list[Session] = field(default_factory=list)
    stories: dict[str, list[Event]] = field(default_factory=dict)
    kind: str = "database"
    rank: int = 0
    superseded_by: tuple[Path, ...] = ()
    problems: list[Problem] = field(default_factory=list)
    error: Exception | None = None
    asked: list[Want] = field(default_factory=list)

    def add(self, session_id: str, title: str | None = None, **rest: object) -> Session:
        """Put a session into the store; `parent` is an id."""
        tool = str(rest.pop("tool", "mem"))
        parent = rest.pop("parent", None)
        session = Session(
            ref=Ref(tool, str(self.path), session_id),
            title=title,
            parent=Ref(tool, str(self.path), str(parent)) if parent else None,
            **rest,  # type: ignore[arg-type]
        )
        self.sessions.append(session)
        return session


class Memory(Adapter):
    """Reads shelves."""

    name = "memory"
    tool = "mem"
    title = "Sessions in memory"
    can = Can(subagents=True, resume=True)

    def __init__(self, *shelves: Shelf, name: str = "memory", tool: str = "mem") -> None:
        self.shelves = {shelf.path: shelf for shelf in shelves}
        self.name = name  # type: ignore[misc]
        self.tool = tool  # type: ignore[misc]

    def store(self, shelf: Shelf) -> Store:
        """A shelf's address."""
        return Store(
            adapter=self.name,
            tool=self.tool,
            path=shelf.path,
            kind=shelf.kind,
            rank=shelf.rank,
            superseded_by=shelf.superseded_by,
        )

    def discover(self, places: Places) -> Iterator[Store | Problem]:
        for shelf in self.shelves.values():
            yield self.store(shelf)

    def homes(self, places: Places) -> Sequence[Path]:
        return [places.home / ".memory"]

    def detect(self, path: Path) -> Store | None:
        shelf = self.shelves.get(path)
        return self.store(shelf) if shelf else None

    def sessions(self, store: Store, want: Want | None = None) -> Iterator[Session | Problem]:
        shelf = self.shelves[store.path]
        shelf.asked.append(want or Want())
        if shelf.error is not None:
            raise shelf.error
        yield from shelf.problems
        yield from narrowed(shelf.sessions, want or Want())

    def descendants(self, store: Store, ids: Sequence[str]) -> Iterator[Session]:
        children: dict[str, list[Session]] = {}
        for session in self.shelves[store.path].sessions:
            if session.parent is not None:
                children.setdefault(session.parent.id, []).append(session)
        seen, queue = set(ids), list(ids)
        for parent in queue:
            for session in children.get(parent, ()):
                if session.ref.id not in seen:
                    seen.add(session.ref.id)
                    queue.append(session.ref.id)
                    yield session

    def events(self, ref: Ref) -> Iterator[Event]:
        shelf = self.shelves[Path(ref.store)]
        if ref.id not in {session.ref.id for session in shelf.sessions}:
            raise NotFoundError(f"{ref} is not there")
        yield from map(copy, shelf.stories.get(ref.id, []))

    def count(self, store: Store) -> int | None:
        return len(self.shelves[store.path].sessions)

    def generation(self, store: Store) -> str | None:
        return "1"

    def resume(self, session: Session) -> Resume | None:
        return Resume(argv=("mem", "--go", session.ref.id), cwd=session.directory)


def narrowed(sessions: list[Session], want: Want) -> list[Session]:
    """What fits, to the letter."""
    fitting = [session for session in sessions if _fits(session, want)]
    if want.newest is not None:
        fitting.sort(key=lambda s: (s.updated is not None, s.updated or 0), reverse=True)
        fitting = fitting[: want.newest]
    return fitting


def _fits(session: Session, want: Want) -> bool:
    directory = session.directory or ""
    return all(
        (
            want.ids is None or session.ref.id in want.ids,
            want.prefix is None or session.ref.id.lower().startswith(want.prefix.lower()),
            all(any(_stands(word, session) for word in group) for group in want.words),
            not want.roots or session.parent is None,
            want.beyond is None or not _fits(session, want.beyond),
            want.directory is None
            or directory == want.directory
            or directory.startswith(want.directory.rstrip("/") + "/"),
            want.since is None or (session.updated is not None and session.updated >= want.since),
            want.until is None or (session.updated is not None and session.updated <= want.until),
        )
    )


def _stands(word: Word, session: Session) -> bool:
    texts = {**session._asdict(), "id": session.ref.id}
    fields = [folded(texts[field] or "") for field in word.fields]
    return word.text in fields if word.alone else any(word.text in text for text in fields)


def library(*shelves: Shelf) -> Library:
    """These shelves, opened."""
    adapter = Memory(*shelves)
    return Library(Registry.of(adapter), [adapter.store(shelf) for shelf in shelves])


def unreadable(path: Path) -> StoreError:
    """What an adapter raises for a store that is locked."""
    return StoreError(Problem(kind="locked", path=str(path), message="is locked"))
