"""Several stores asked as one: the copies of a session joined, the subagents found."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from finder import files
from finder.adapter import Outline, Store, Want
from finder.errors import ExitCode, FinderError, NotFoundError, StoreError
from finder.model import Problem, Session
from finder.places import Places
from finder.registry import Registry
from finder.source import Progress, Source, quietly

if TYPE_CHECKING:
    from finder.vocabulary import Words

Key = tuple[str, str]
"""What makes two copies one session: the tool and the id."""


def key_of(session: Session) -> Key:
    """The key of a session."""
    return session.ref.tool, session.ref.id


def parent_of(session: Session) -> Key | None:
    """The key of a session's parent."""
    return (session.parent.tool, session.parent.id) if session.parent else None


class Entry(NamedTuple):
    """One session, wherever it was found.

    Attributes:
        session: the copy that is believed, with the labels that only all stores together give.
        copies: all of them, the believed one first.
        also_in: paths of the stores, and of files within them, that hold it besides.
    """

    session: Session
    copies: tuple[Session, ...]
    also_in: tuple[str, ...]


class Below(NamedTuple):
    """A session in the tree below another one; `depth` 1 is a child."""

    session: Session
    depth: int


class Library:
    """The stores that a command works on."""

    def __init__(
        self,
        registry: Registry,
        found: Iterable[Store | Problem],
        tools: Collection[str] = (),
        *,
        raw: bool = True,
        cache: Path | None = None,
        progress: Progress = quietly,
    ) -> None:
        """With `raw` the sessions come with their native records, which costs time.

        `cache`: a folder for what makes later runs faster; None: nothing is kept. `progress`
        shows a person how far it is while files are read.
        """
        self.sources: list[Source] = []
        self.cache = cache
        self._registry = registry
        self._hindrances: list[Problem] = []
        self._by_tool: dict[str, list[Source]] = {}
        self._holders: dict[Key, list[Source]] = {}  # only of tools with several stores
        self._entries: dict[Key, Entry] = {}
        seen: set[tuple[str, str]] = set()
        for item in found:
            if isinstance(item, Problem):
                self._hindrances.append(item)
                continue
            place = (item.adapter, os.path.realpath(item.path))
            if place not in seen and (not tools or item.tool in tools):
                seen.add(place)
                adapter = registry.adapter(item.adapter)
                source = Source(adapter, item, len(seen), raw, cache=cache, progress=progress)
                self.sources.append(source)
                self._by_tool.setdefault(item.tool, []).append(source)

    @classmethod
    def open(
        cls,
        registry: Registry,
        places: Places,
        roots: Sequence[Path] = (),
        tools: Collection[str] = (),
        *,
        raw: bool = True,
        progress: Progress = quietly,
    ) -> Library:
        """The stores below the roots, or where there are none, at the tools' usual homes.

        Raises:
            NotFoundError, StoreError: there is nothing at a root that any adapter knows.
        """
        cache = places.cache()
        if not roots:
            found_there = registry.discover(places)
            return cls(registry, found_there, tools, raw=raw, cache=cache, progress=progress)
        found: list[Store | Problem] = []
        for root in roots:
            below = list(registry.below(root))
            if not below:
                raise unrecognised(root)
            found += below
        return cls(registry, found, tools, raw=raw, cache=cache, progress=progress)

    @property
    def problems(self) -> list[Problem]:
        """All that could not be read so far, each thing once."""
        found = [*self._registry.problems, *self._hindrances]
        for source in self.sources:
            found += source.problems
        return list(dict.fromkeys(found))

    @property
    def incomplete(self) -> bool:
        """Whether something as large as a store is missing from the answers."""
        whole_ones = [*self._registry.problems, *self._hindrances]
        return bool(whole_ones) or any(source.failed for source in self.sources)

    @property
    def silent(self) -> bool:
        """Whether something failed and no store answered."""
        return self.incomplete and all(source.failed for source in self.sources)

    def status(self) -> ExitCode:
        """The exit status of a command that showed all it could read."""
        if self.silent:
            return ExitCode.UNREADABLE
        return ExitCode.PARTIAL if self.incomplete else ExitCode.DONE

    def kept_open(self) -> AbstractContextManager[None]:
        """Within this each database is opened once; see `finder.sqlite.kept_open`."""
        if all(source.store.kind != "database" for source in self.sources):
            return nullcontext()
        from finder import sqlite

        return sqlite.kept_open()

    def keys(self, want: Want | None = None) -> set[Key]:
        """The keys of the sessions that fit in any store, and perhaps more."""
        listings = (source.listing(want or Want()) for source in self.sources)
        return {key_of(session) for listing in listings for session in listing}

    def outlines(self, want: Want | None = None) -> dict[Key, Outline]:
        """Where sessions stand, at least those that fit, by the copy that is believed."""
        found = self._believed((source, want or Want()) for source in self.sources)
        if not want or want == Want(judged=want.judged):
            return found
        # The copy that is believed may be another one than that which fits.
        shared = [key for key in found if len(self._by_tool[key[0]]) > 1]
        return found | self.outlines_of(shared, judged=want.judged)

    def outlines_of(self, keys: Iterable[Key], *, judged: bool = False) -> dict[Key, Outline]:
        """Where these sessions stand."""
        wanted = _by_tool(keys)
        asked = ((source, wanted.get(source.store.tool)) for source in self.sources)
        return self._believed(
            (source, Want(ids=tuple(sorted(ids)), judged=judged)) for source, ids in asked if ids
        )

    def _believed(self, asked: Iterable[tuple[Source, Want]]) -> dict[Key, Outline]:
        found: dict[Key, Outline] = {}
        holders: dict[Key, Source] = {}
        for source, want in asked:
            tool = source.store.tool
            alone = len(self._by_tool[tool]) == 1
            for outline in source.outlines(want):
                key = tool, outline.id
                if not alone:
                    other = holders.get(key)
                    if other and _trust(other, found[key]) >= _trust(source, outline):
                        continue
                    holders[key] = source
                found[key] = outline
        return found

    def vocabulary(self, *, anew: bool = False) -> Words:
        """The words of all titles and of the innermost folders; see `finder.vocabulary`."""
        from finder.vocabulary import Words, words_of

        found = [words_of(source, self.cache, anew=anew) for source in self.sources]
        return Words.all_of(found)

    def kept_words(self) -> Words | None:
        """Like `vocabulary`, where nothing has to be asked for it."""
        from finder.vocabulary import Words, kept_words

        found = [kept_words(source, self.cache) for source in self.sources]
        kept = [words for words in found if words is not None]
        return Words.all_of(kept) if kept and len(kept) == len(found) else None

    def lookup(self, keys: Iterable[Key]) -> None:
        """Ask each store for what it has of these, so that `entry` knows all copies."""
        wanted = _by_tool(keys)
        for source in self.sources:
            source.lookup(wanted.get(source.store.tool, ()))
            self._take_note(source)

    def forget(self, keys: Iterable[Key]) -> None:
        """Let go of what was looked up, where there is much more to come."""
        for key in keys:
            self._entries.pop(key, None)
            for source in self._by_tool.get(key[0], ()):
                source.forget(key[1])

    def _take_note(self, source: Source) -> None:
        """Forget what was joined before this source told more."""
        tool = source.store.tool
        alone = len(self._by_tool[tool]) == 1
        for session_id in source.learned:
            key = tool, session_id
            self._entries.pop(key, None)
            if not alone and source not in (holders := self._holders.setdefault(key, [])):
                holders.append(source)
        source.learned.clear()

    def prefixed(self, prefix: str, tool: str | None = None) -> list[Key]:
        """The keys of the sessions whose id starts so, in any case."""
        sources = [s for s in self.sources if tool in {None, s.store.tool}]
        found = ((s.store.tool, i) for s in sources for i in s.prefixed(prefix))
        return list(dict.fromkeys(found))

    def entry(self, key: Key) -> Entry | None:
        """The session as far as it was looked up; None: no store has it."""
        if key not in self._entries:
            entry = self._joined(key)
            if entry is None:
                return None
            self._entries[key] = entry
        return self._entries[key]

    def _joined(self, key: Key) -> Entry | None:
        tool, session_id = key
        sources = self._by_tool.get(tool, [])
        if len(sources) > 1:
            sources = self._holders.get(key, [])
        holders = [source for source in sources if session_id in source.known]
        if not holders:
            return None
        if len(holders) > 1:
            holders.sort(key=lambda s: _trust(s, s.known[session_id]), reverse=True)
        copies = tuple([source.known[session_id] for source in holders])
        places = [c.ref.store for c in copies[1:]] + [p for c in copies for p in c.also_in]
        session = copies[0]
        # Most stores have no newer one, and a hundred thousand sessions are asked this.
        if holders[0].store.superseded_by and all(
            self._is_left_behind(source, session_id) for source in holders
        ):
            session = session._replace(labels=(*session.labels, "unmigrated"))
        return Entry(session=session, copies=copies, also_in=tuple(dict.fromkeys(places)))

    def _is_left_behind(self, source: Source, session_id: str) -> bool:
        """Whether its tool now reads newer stores, and certainly none of them has it."""
        newer = source.store.superseded_by
        if not newer or "unmigrated" in source.known[session_id].labels:
            return False
        asked = {s.store.path: s for s in self.sources}
        return all(
            path in asked
            and session_id not in asked[path].known
            and not asked[path].hides(session_id)
            for path in newer
        )

    def and_above(self, keys: Iterable[Key]) -> set[Key]:
        """Look up these and all sessions above them."""
        pending = set(keys)
        self.lookup(pending)
        seen = set(pending)
        while pending:
            parents = {p for p in map(self._parent, pending) if p is not None} - seen
            self.lookup(parents)
            seen |= parents
            pending = parents
        return seen

    def lineage(self, key: Key) -> list[Key]:
        """This session, its parent, and so on to the outermost that any store has."""
        return lineage(key, lambda k: p if (p := self._parent(k)) and self.entry(p) else None)

    def _parent(self, key: Key) -> Key | None:
        entry = self.entry(key)
        return parent_of(entry.session) if entry else None

    def and_below(self, keys: Iterable[Key]) -> set[Key]:
        """Look up these and all sessions below them."""
        nodes = set(keys)
        fresh = set(nodes)
        while fresh:
            found: set[Key] = set()
            for source in self.sources:
                ids = [i for tool, i in fresh if tool == source.store.tool]
                found.update(key_of(session) for session in source.below(ids))
            fresh = found - nodes
            nodes |= fresh
        self.lookup(nodes)
        return nodes

    def trees(self, keys: Iterable[Key]) -> dict[Key, list[Below]]:
        """For each session all those below it, depth first, the older before the younger."""
        tops = list(keys)
        nodes = self.and_below(tops)
        children: dict[Key, list[Session]] = {}
        for node in nodes:
            entry = self.entry(node)
            parent = parent_of(entry.session) if entry else None
            if entry and parent:
                children.setdefault(parent, []).append(entry.session)
        for siblings in children.values():
            siblings.sort(key=lambda s: (s.created or 0, s.ref.id))
        return {top: list(_walk(top, children)) for top in tops}


def lineage(key: Key, parent_of: Callable[[Key], Key | None]) -> list[Key]:
    """This session, its parent, and so on to the outermost."""
    path = [key]
    while parent := parent_of(path[-1]):
        if parent in path:  # parent links in a circle: any fixed one of them will do
            top = min(path[path.index(parent) :])
            return path[: path.index(top) + 1]
        path.append(parent)
    return path


def _by_tool(keys: Iterable[Key]) -> dict[str, set[str]]:
    ids: dict[str, set[str]] = {}
    for tool, session_id in keys:
        ids.setdefault(tool, set()).add(session_id)
    return ids


def _trust(source: Source, copy: Session | Outline) -> tuple[int, int, int]:
    """The greater, the more is a copy of a session believed."""
    return source.store.rank, copy.updated or 0, -source.place


def _walk(top: Key, children: dict[Key, list[Session]]) -> Iterator[Below]:
    seen = {top}  # parent links may form a circle
    stack = [Below(session=s, depth=1) for s in reversed(children.get(top, ()))]
    while stack:
        below = stack.pop()
        key = key_of(below.session)
        if key in seen:
            continue
        seen.add(key)
        yield below
        inner = reversed(children.get(key, ()))
        stack += [Below(session=s, depth=below.depth + 1) for s in inner]


def unrecognised(path: Path) -> FinderError:
    """Why no adapter knows what is at a path that the user named."""
    hint = "finder formats lists what is recognised"
    try:
        os.lstat(path)
        if path.is_dir():
            next(path.iterdir(), None)
            return NotFoundError(f"{path}: no session store is in this folder", hint=hint)
        seen = _content(path)
    except (FileNotFoundError, NotADirectoryError):
        return NotFoundError(f"{path} does not exist")
    except OSError as error:
        return StoreError(files.problem_of(path, error))
    except StoreError as error:
        return error
    return NotFoundError(f"{path}: {seen}, in no layout that an adapter knows", hint=hint)


def _content(path: Path) -> str:
    from finder import jsonio, sqlite

    if not files.head(path, 1):
        raise StoreError(Problem(kind="empty", path=str(path), message="the file is empty"))
    if sqlite.is_database(path):
        names = sorted(sqlite.read(path, sqlite.tables))
        shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
        message = f"is an SQLite database of no known program; its tables: {shown or 'none'}"
        raise StoreError(Problem(kind="unknown-schema", path=str(path), message=message))
    if path.suffix == ".json":
        return f"a JSON {jsonio.json_type(jsonio.read(path))}"
    return "a file"
