"""Converting sessions: read once, written in the target's form, checked, and then put in place.

    trees ──read──▶ staging (a private folder; see `finder.staging`) ──▶ placed | installed
                       └──▶ receipts: what the target could not hold

Until all sessions have been written and compared, nothing outside of the private folder changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from finder import compare, jsonio
from finder.adapter import Want
from finder.dataclass import dataclass, field, replace
from finder.errors import BugError, RefusedError, StoreError
from finder.get import subagents
from finder.library import Entry, Library
from finder.model import Event, Problem, Ref, Session
from finder.registry import Registry
from finder.staging import Receipt, Staging, UnforeseenError, at_home, planned, tried
from finder.writing import Plan

__all__ = ["planned", "tried"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A session and those below it that are written with it, parents first.

    Attributes:
        read: gives a session's events, and the name of the adapter that they come from.
        stores: paths of the stores that references to these sessions may name.
    """

    sessions: tuple[Session, ...]
    read: Callable[[Session], tuple[str, Iterator[Event]]]
    stores: tuple[str, ...]

    @property
    def top(self) -> Session:
        """The session that was asked for."""
        return self.sessions[0]


def tree_of(registry: Registry, library: Library, entry: Entry, *, below: bool) -> Tree:
    """A session as it was found, with its subagents or without."""

    def read(session: Session) -> tuple[str, Iterator[Event]]:
        ref = session.ref
        name = next(
            source.store.adapter
            for source in library.sources
            if (str(source.store.path), source.store.tool) == (ref.store, ref.tool)
        )
        return name, registry.adapter(name).events(ref)

    children = subagents(library, entry) if below else []
    stores = dict.fromkeys(str(source.store.path) for source in library.sources)
    return Tree(
        sessions=(entry.session, *_with_records(library, [item.session for item in children])),
        read=read,
        stores=tuple(stores),
    )


def _with_records(library: Library, sessions: list[Session]) -> Iterator[Session]:
    """The sessions with their own records, which a listing of subagents may leave out."""
    found = {session.ref: session for session in sessions}
    for source in library.sources:
        place = str(source.store.path), source.store.tool
        bare = [r.id for r, s in found.items() if s.raw is None and (r.store, r.tool) == place]
        for whole in source.adapter.sessions(source.store, Want(ids=tuple(bare))) if bare else ():
            if isinstance(whole, Session) and whole.ref in found:
                found[whole.ref] = whole
    yield from found.values()


def plans(tree: Tree, target: Staging, *, salt: str, directory: str | None, now: int) -> list[Plan]:
    """What is decided about each session of a tree before any of them is written.

    Raises:
        BugError: the target's adapter gives two of them one id.
    """
    own = {s.ref: target.identifier(at_home(s), salt) for s in tree.sessions}
    if len(set(own.values())) < len(own):
        raise BugError(f"two sessions below {tree.top.ref} would have one id in the target")
    ids: dict[Ref, str] = {}
    for session in tree.sessions:
        tools = {session.ref.tool, at_home(session).ref.tool}
        for store in (*tree.stores, session.ref.store):
            ids.update({Ref(tool, store, session.ref.id): own[session.ref] for tool in tools})
    return [
        Plan(
            id=own[session.ref],
            ids=ids,
            top=own[tree.top.ref],
            # The top one's own parent is not written, though a circle may lead there.
            parent=session.parent if session.parent in ids and session is not tree.top else None,
            directory=directory,
            now=now,
        )
        for session in tree.sessions
    ]


@dataclass(slots=True, kw_only=True)
class Conversion:
    """Trees that were written into private folders, and what came of it.

    Attributes:
        staged: a staging for each tree.
        sidecars: for each tree one of our own, or none at all.
        receipts: one for each session.
    """

    trees: Sequence[Tree]
    staged: list[Staging] = field(default_factory=list)
    sidecars: list[Staging] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)

    def lost(self) -> list[str]:
        """The kinds of loss that a strict conversion does not accept, with their number."""
        counts: dict[str, int] = {}
        for account in self.receipts:
            for loss in account.losses:
                if loss.kind in {"dropped", "changed"}:
                    counts[loss.kind] = counts.get(loss.kind, 0) + loss.count
        return [f"{count} {kind}" for kind, count in counts.items()]

    def refuse_losses(self) -> None:
        """
        Raises:
            RefusedError: something is dropped or changed.
        """
        if lost := self.lost():
            raise RefusedError(
                f"the target cannot hold all of it ({', '.join(lost)}); nothing was written",
                hint="--dry-run shows what; without --strict it is written all the same",
            )


def convert(
    trees: Sequence[Tree],
    staging_for: Callable[[int], Staging],
    *,
    sidecar_for: Callable[[int], Staging] | None = None,
    salt: str = "",
    directory: str | None = None,
    now: int,
) -> Conversion:
    """Write the trees into private folders and compare what is there with the sources.

    Args:
        staging_for: makes the staging for a tree, by its number from 0.
        salt: makes other ids than those that the sessions would always get.
        directory: a working directory that takes the place of the sessions' own.
        now: milliseconds UTC.

    Raises:
        BugError: something differs that should not.
        StoreError: the same, in a file whose events and records contradict each other.
    """
    jsonio.expect_much()
    done = Conversion(trees=trees)
    for number, tree in enumerate(trees):
        target = staging_for(number)
        done.staged.append(target)
        ways = [(target, plans(tree, target, salt=salt, directory=directory, now=now))]
        if sidecar_for is not None:
            sidecar = sidecar_for(number)
            done.sidecars.append(sidecar)
            ways.append((sidecar, plans(tree, sidecar, salt="", directory=None, now=now)))
        for place, session in enumerate(tree.sessions):
            source, stream = tree.read(session)
            home = at_home(session)
            with_records = any(way.uses_records(home) for way, _ in ways)
            events = list(stream if with_records else map(compare.without_record, stream))
            for way, planned_ in ways:
                way.write(home, events, planned_[place], source)
            for event in events if with_records else ():
                compare.without_record(event)
            with _blaming([session]):
                for way, _ in ways:
                    way.check()
            del events
        with _blaming(tree.sessions):
            accounts = target.finish()
        done.receipts += [
            replace(account, source=session.ref)
            for account, session in zip(accounts, tree.sessions, strict=True)
        ]
        for sidecar in done.sidecars[number:]:
            sidecar.finish()
    return done


@contextmanager
def _blaming(sessions: Sequence[Session]) -> Iterator[None]:
    """Say it of the source, where that tells of one thing in two ways.

    A file of our own has the events and, beside them, the records of another tool. In its own
    form a session is written from the records.
    """
    try:
        yield
    except UnforeseenError as error:
        source = next((s.ref.store for s in sessions if s.origin is not None), None)
        if source is None:
            raise
        message = f"some events and their own records (raw) say different things:{error.shown}"
        hint = (
            "if they were changed by hand, take the records out (jq -c 'del(.raw, .session.raw)'),"
            " and the events alone are converted; if not, report it, please, with these lines"
        )
        problem = Problem(kind="corrupt", path=source, message=message)
        raise StoreError(problem, hint=hint) from error
