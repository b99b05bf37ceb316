"""The contract between finder and an adapter: one adapter for each kind of store.

An adapter has no state, reads no environment (it is given `Places`), holds no cursor or lock
across a ``yield``, and opens databases only through `finder.sqlite`, files only through
`finder.files` and `finder.jsonio`. Its module docstring is the format: files, schema, versions
seen, and where each fact comes from.

`finder.testing.AdapterContract` is this contract as a test class.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from finder.model import Problem, Ref, Session
from finder.places import Places

if TYPE_CHECKING:  # searching writes nothing, so it does not pay for this
    from finder.catalogue import Catalogue
    from finder.model import Event
    from finder.words import Sought
    from finder.writing import Draft, Installation, Plan, Report


# These are named tuples because making a dataclass takes a millisecond, and a search a few. They
# are made with keywords all the same.


class Can(NamedTuple):
    """What the format can hold. Shared code decides by these, never by an adapter's name."""

    subagents: bool = False  # sessions that are children of others
    compaction: bool = False  # a mark where the live context was cut
    reasoning: bool = False
    attachments: bool = False
    usage: bool = False  # tokens and cost
    times: bool = False  # a time for each message
    labels: bool = False  # a flag for text that no person and no model said
    archive: bool = False
    resume: bool = False  # its tool can continue a session by id
    live: bool = True  # the tool's own store; False for exports and copies


class Store(NamedTuple):
    """One place on disk that an adapter understands.

    Attributes:
        adapter, tool: names, as in ``finder formats``.
        path: the database, folder or file; the `store` of every `Ref` into it.
        kind: ``database``, ``files``, ``file`` or ``archive``.
        rank: of two stores that hold the same session, the higher one is believed.
        superseded_by: newer stores that the tool reads instead of this one. A session that is
            only here is one that its own tool no longer sees.
        program: the tool's own executable, where the adapter may ask it as a last resort.
    """

    adapter: str
    tool: str
    path: Path
    kind: str
    rank: int = 0
    superseded_by: tuple[Path, ...] = ()
    program: Path | None = None


ALL_FIELDS = ("title", "directory", "agent", "id")


class Word(NamedTuple):
    """A word that is looked for in the fields of a header, in any case.

    Attributes:
        fields: where it may stand: anywhere in title, directory and agent; at the beginning of
            an id, or behind its first underscore. It is known not to stand in the others.
        plain: it is known to stand there in ASCII letters only, such as "ss" and not "ß".
        alone: only where it is all of the field.
    """

    text: str
    fields: tuple[str, ...] = ALL_FIELDS
    plain: bool = False
    alone: bool = False


class Want(NamedTuple):
    """What the caller will keep of a listing, so that an adapter may read less.

    Every field narrows; None, empty or False does not. An adapter may ignore any of it and
    yield more, but must yield every session that fits.

    Attributes:
        ids: sessions with exactly these ids.
        prefix: sessions whose id starts so, in any case.
        words: of each of these groups any one word.
        roots: no subagents.
        directory: in this folder or below it.
        since, until: `updated` within these, milliseconds UTC.
        newest: the newest so many (by `updated`) of what fits all of the above.
        raw: whether `Session.raw` is used; False lets an adapter leave it out.
        judged: outlines are wanted with all their fields.
        beyond: sessions that fit this are known already, and not wanted.
        catalogue: what files that may not have changed have told before; see there.
    """

    ids: tuple[str, ...] | None = None
    prefix: str | None = None
    words: tuple[tuple[Word, ...], ...] = ()
    roots: bool = False
    directory: str | None = None
    since: int | None = None
    until: int | None = None
    newest: int | None = None
    raw: bool = True
    judged: bool = False
    beyond: Want | None = None
    catalogue: Catalogue | None = None

    def admits(self, session_id: str) -> bool:
        """Whether `ids` and `prefix` leave in a session of this id."""
        if self.ids is not None and session_id not in self.ids:
            return False
        return session_id.casefold().startswith((self.prefix or "").casefold())


class Resume(NamedTuple):
    """The tool's own command that continues a session, and the folder to run it in."""

    argv: tuple[str, ...]
    cwd: str | None


class Candidate(NamedTuple):
    """A session that may have what is sought; `updated`: milliseconds UTC."""

    ref: Ref
    updated: int | None


def latest_first(candidate: Candidate) -> int:
    """What candidates are ordered by."""
    return -(candidate.updated or 0)


class Outline(NamedTuple):
    """Where a session stands in a listing; `parent`: its id; `updated`: milliseconds UTC.

    The others, by which a session is judged, are told where that is wanted (`Want.judged`), and
    are what the header says; `archived`: whether its user has put it away.
    """

    id: str
    parent: str | None
    updated: int | None
    created: int | None = None
    title: str | None = None
    directory: str | None = None
    agent: str | None = None
    model: str | None = None
    archived: bool = False

    @classmethod
    def of(cls, session: Session, *, judged: bool) -> Outline:
        """That of a header."""
        parent = session.parent.id if session.parent else None
        if not judged:
            return cls(session.ref.id, parent, session.updated)
        return cls(
            id=session.ref.id,
            parent=parent,
            updated=session.updated,
            created=session.created,
            title=session.title,
            directory=session.directory,
            agent=session.agent,
            model=session.model,
            archived=session.archived is not None or "archived" in session.labels,
        )


# Characters. No tool makes ids that are nearly so long, and none could be asked for in a call.
LONGEST_ID = 10_000
LONGEST_NAME = 100_000


class Names(NamedTuple):
    """What sessions are called, where they worked and with which agents; each text once.

    Of a text of LONGEST_NAME characters and more, so many.

    Attributes:
        newest: when the last of them was updated, milliseconds UTC.
    """

    titles: frozenset[str]
    directories: frozenset[str]
    agents: frozenset[str]
    newest: int | None

    @property
    def whole(self) -> bool:
        """Whether no text is cut."""
        return all(len(text) < LONGEST_NAME for texts in self[:3] for text in texts)

    @classmethod
    def of(cls, sessions: Iterable[Session]) -> Names:
        """Those of some sessions."""
        every = list(sessions)
        return cls(
            titles=cls.cut(session.title for session in every),
            directories=cls.cut(session.directory for session in every),
            agents=cls.cut(session.agent for session in every),
            newest=max((s.updated for s in every if s.updated is not None), default=None),
        )

    @staticmethod
    def cut(texts: Iterable[object]) -> frozenset[str]:
        """Those that are texts, each once."""
        return frozenset(text[:LONGEST_NAME] for text in texts if isinstance(text, str))


class Adapter(ABC):
    """Reads one kind of store. Instances are made without arguments and keep nothing."""

    name: ClassVar[str]
    tool: ClassVar[str]
    title: ClassVar[str]
    can: ClassVar[Can]
    # What ``convert --to`` calls this format; None if it is only read.
    target: ClassVar[str | None] = None
    # Whether `encode` uses the records (`raw`) of other tools' sessions, too. One that does not
    # should say so: without them a session takes half of the memory while it is converted.
    foreign_records: ClassVar[bool] = True

    @abstractmethod
    def discover(self, places: Places) -> Iterator[Store | Problem]:
        """The stores at their usual homes below `places`; by stat and listing only.

        A home that cannot be looked into is a problem: that is not the same as an empty one.
        """

    def homes(self, places: Places) -> Sequence[Path]:
        """Where `discover` looks, whether anything is there or not; told to who finds nothing."""
        return ()

    @abstractmethod
    def detect(self, path: Path) -> Store | None:
        """The store that this very file or folder is, or None.

        Looks at names, first bytes, table names and keys; never parses a whole file, and never
        raises for what it cannot read.
        """

    @abstractmethod
    def sessions(self, store: Store, want: Want | None = None) -> Iterator[Session | Problem]:
        """The headers of all sessions, subagents included, in any order; cheap.

        Raises:
            StoreError: the store as a whole cannot be read. One bad record is a `Problem`.
        """

    @abstractmethod
    def events(self, ref: Ref) -> Iterator[Event]:
        """One session's story; its subagents' stories are not included.

        The events are made anew in each call: the caller may alter them.

        Raises:
            NotFoundError: the store has no such session.
            StoreError: the store cannot be read. One bad record is an `Opaque` with a problem.
        """

    def beginning(self, ref: Ref, messages: int) -> Iterator[Event]:
        """Like `events`, for one who looks at no more than so many messages.

        Up to where the message after them opens, the events are the same. What comes then may be
        less than the store has, or nothing.
        """
        return self.events(ref)

    def descendants(self, store: Store, ids: Sequence[str]) -> Iterator[Session]:
        """Every session below these, at any depth: parents before their children."""
        if not self.can.subagents:
            return
        below: dict[str, list[Session]] = {}
        for session in self.sessions(store):
            if isinstance(session, Session) and session.parent is not None:
                below.setdefault(session.parent.id, []).append(session)
        seen = set(ids)
        queue = list(ids)
        while queue:
            for session in below.get(queue.pop(0), ()):
                if session.ref.id not in seen:  # parent links may form a circle
                    seen.add(session.ref.id)
                    queue.append(session.ref.id)
                    yield session

    def candidates(
        self, store: Store, sought: Sought, want: Want | None = None
    ) -> Iterator[Candidate | Problem]:
        """The sessions that may have all that is sought, the last updated first.

        Every session that has it must be among them, where `finder.content.fields` says what is
        searched; the caller reads the events of each to see. Those without a time come last.

        Raises:
            StoreError: the store as a whole cannot be read.
        """
        sessions: list[Candidate] = []
        for found in self.sessions(store, want):
            if isinstance(found, Problem):
                yield found
            else:
                sessions.append(Candidate(found.ref, found.updated))
        yield from sorted(sessions, key=latest_first)

    def outlines(self, store: Store, want: Want | None = None) -> Iterator[Outline | Problem]:
        """Like `sessions`, for a listing of very many: their headers are asked for in turn.

        Raises:
            StoreError: the store cannot be read.
        """
        asked = (want or Want())._replace(raw=False)
        for found in self.sessions(store, asked):
            if isinstance(found, Problem):
                yield found
            else:
                yield Outline.of(found, judged=asked.judged)

    def names(self, store: Store, since: int | None = None) -> Names:
        """What sessions are called and where they worked; of those updated `since` then, or all.

        Raises:
            StoreError: the store cannot be read.
        """
        found = self.sessions(store, Want(since=since, raw=False))
        return Names.of(item for item in found if isinstance(item, Session))

    def count(self, store: Store) -> int | None:
        """How many sessions the store holds, subagents included; None: only a listing tells.

        Raises:
            StoreError: the store cannot be read.
        """
        return None

    def stamp(self, store: Store) -> str | None:
        """Changes whenever anything in the store does; None: only a listing would tell.

        Raises:
            StoreError: the store cannot be read.
        """
        return None

    def stamps(self, store: Store) -> Mapping[str, str] | None:
        """By the sessions' ids: what changes whenever `events` may tell something else of it.

        None: that cannot be told in less time than it takes to read all.

        Raises:
            StoreError: the store cannot be read.
        """
        return None

    def generation(self, store: Store) -> str | None:
        """Which version or layout of the format this store has, in a few words."""
        return None

    def resume(self, session: Session) -> Resume | None:
        """How the tool itself continues the session, or None if it cannot."""
        return None

    def targets(self) -> Mapping[str, Adapter]:
        """All that is written here, by what ``convert --to`` calls it.

        For a tool that has several forms and one way to read them: each form is an adapter that
        reads as this one does.
        """
        return {} if self.target is None else {self.target: self}

    def target_id(self, session: Session, salt: str = "") -> str:
        """The id that a session gets when it is written in this format.

        The same session always gives the same id, so that writing it again finds it. A session of
        this very tool keeps its own, unless `salt` asks for a copy's.
        """
        raise NotImplementedError(f"{self.name} does not write")

    def encode(
        self, session: Session, events: Sequence[Event], plan: Plan, report: Report
    ) -> Draft:
        """The session in this format, in memory. Pure: it writes nothing, and reads nothing but
        to which project the working directory belongs.

        Records of this very format are written back as they are (`raw`), with an empty report.
        """
        raise NotImplementedError(f"{self.name} does not write")

    def root(self, places: Places) -> Path | None:
        """The folder below which a draft's files make a session that the tool itself lists.

        None where installing is not a matter of placing files (see `installation`), or not
        possible.
        """
        return None

    def cautions(self, places: Places, sessions: Sequence[Session]) -> Iterator[str]:
        """What its user should know before these sessions are installed, one sentence each."""
        return iter(())

    def installation(self, places: Places) -> Installation | None:
        """The tool's live store, if sessions come into it by other means than files in `root`.

        Raises:
            WriteError: there is no such store yet, or it is of a form that is not known.
        """
        return None
