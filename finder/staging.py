"""A private folder where sessions are written, read back and compared, before anybody sees them.

Nothing is believed of what an encoder says it did. Its draft is put into the folder, read back
through an adapter, and compared with the source; the account of loss is what was measured there.
A difference for which the encoder gave no reason is a bug, and the target never appears.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol

from finder import compare, jsonio
from finder.adapter import Adapter, Store, Want
from finder.dataclass import dataclass, field, replace
from finder.errors import BugError, WriteError
from finder.model import Event, Ref, Session
from finder.registry import Registry
from finder.writing import Draft, Installation, Loss, Plan, Report

_MOST_SHOWN = 5
_BUFFER = 1 << 18  # many small pieces written in few large ones take half the time
_Taken = tuple[Session, Sequence[Event], Plan, Report]


class UnforeseenError(BugError):
    """What was read back differs from its source, and the encoder gave no reason for it.

    `shown`: the first of the differences, a line each.
    """

    def __init__(self, session: Session, differences: Sequence[compare.Difference]) -> None:
        self.shown = "".join(f"\n  {item}" for item in differences[:_MOST_SHOWN])
        super().__init__(
            f"{session.ref} would differ in the target in {len(differences)} unforeseen ways, so "
            f"nothing was written:{self.shown}",
            hint="this is a bug of the target's adapter; report it, please, with these lines",
        )


class Tried(NamedTuple):
    """What came of encoding one session and reading it back.

    Attributes:
        unexplained: differences that the encoder gave no reason for: bugs.
        session, events: as read back.
    """

    draft: Draft
    losses: list[Loss]
    unexplained: list[compare.Difference]
    session: Session
    events: list[Event]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of one session.

    Attributes:
        source: its address.
        session: as the target has it.
        events: how many the source has.
        losses: how the target differs from the source.
        measured: it was read back and compared; else `losses` are what is known of the format.
        exact: the native records are the same ones; None: they are not of the same format.
    """

    source: Ref
    session: Session
    events: int
    losses: tuple[Loss, ...]
    measured: bool = True
    exact: bool | None = None


class Part(NamedTuple):
    """A file in a private folder: its place below the folder, and its permissions.

    `visible`: it makes a session visible. `shared`: see `finder.writing.File`.
    """

    path: Path
    mode: int
    visible: bool = True
    shared: bool = False


class Staging(Protocol):
    """Takes in the sessions of one tree, parents first, and then has them in its target's form.

    Each session is written and then checked; in between its native records may be let go, which
    take much memory and which nothing but writing needs.

    Attributes:
        root: the private folder.
    """

    root: Path

    def identifier(self, session: Session, salt: str) -> str:
        """The session's id in the target."""

    def uses_records(self, session: Session) -> bool:
        """Whether writing it takes its native records."""

    def write(self, session: Session, events: Sequence[Event], plan: Plan, source: str) -> None:
        """Write one session; `source` is the name of the adapter that it was read with."""

    def check(self) -> None:
        """Read back what was written last, and compare."""

    def finish(self) -> list[Receipt]:
        """One account for each session."""

    def parts(self) -> list[Part]:
        """The files below `root`, in the order in which they are to appear."""

    def owned(self) -> list[Path]:
        """What below `root` may not outlive these sessions: their folders, and caches."""


def at_home(session: Session) -> Session:
    """The session under its address in the tool whose records its `raw` are.

    So an encoder sees no difference between a session of its own tool and one that went
    through our own files.
    """
    if session.origin is None:
        return session
    ref = Ref(session.origin, session.ref.store, session.ref.id)
    return session._replace(ref=ref, origin=None)


def uses_records(adapter: Adapter, session: Session) -> bool:
    """Whether an adapter writes the session with the help of its native records."""
    return adapter.foreign_records or session.ref.tool == adapter.tool


# -- files -----------------------------------------------------------------------------------


@dataclass(slots=True)
class FileStaging:
    """For formats that are files: they are laid out as they will be below the target's root."""

    adapter: Adapter
    root: Path
    drafts: list[Draft] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    _taken: tuple[_Taken, list[bytes] | None] | None = None

    def identifier(self, session: Session, salt: str) -> str:
        return self.adapter.target_id(session, salt)

    def uses_records(self, session: Session) -> bool:
        return uses_records(self.adapter, session)

    def write(self, session: Session, events: Sequence[Event], plan: Plan, source: str) -> None:
        report = Report()
        draft = self.adapter.encode(session, events, plan, report)
        laid_out(draft, self.root)
        # What is in the files need not be in memory too.
        draft = replace(draft, files=tuple(replace(file, data=b"") for file in draft.files))
        self.drafts.append(draft)
        same_format = source == self.adapter.name
        records = compare.prints(events) if same_format else None
        self._taken = (session, events, plan, report), records

    def check(self) -> None:
        if self._taken is not None:
            taken, records = self._taken
            store = _detected(self.adapter, self.root, self.drafts[-1])
            self.receipts.append(
                receipt(self.adapter, store, self.drafts[-1], taken, records, self.root)
            )
            self._taken = None

    def finish(self) -> list[Receipt]:
        return self.receipts

    def parts(self) -> list[Part]:
        """What makes a session visible comes last, and of the sessions the top one."""
        hidden = [file for draft in self.drafts for file in draft.files[:-1]]
        visible = [file for draft in reversed(self.drafts) for file in draft.files[-1:]]
        found = {p.path: p for p in (Part(safe(f.path), f.mode) for f in visible)}
        behind = [Part(safe(f.path), f.mode, visible=False, shared=f.shared) for f in hidden]
        return [*{p.path: p for p in behind if p.path not in found}.values(), *found.values()]

    def owned(self) -> list[Path]:
        every = [path for draft in self.drafts for path in (*draft.owned, *draft.caches)]
        return [_with_end(safe(path.removesuffix("*")), path) for path in every]


def _with_end(path: Path, named: str) -> Path:
    return path.with_name(f"{path.name}*") if named.endswith("*") else path


def laid_out(draft: Draft, root: Path) -> None:
    """Write a draft's files below a private folder.

    Sessions that are written together may have a file in common, if they agree about it.

    Raises:
        BugError: they do not agree.
        WriteError: there is no room for them.
    """
    with in_private(root):
        for file in draft.files:
            path = root / safe(file.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            if file.appended or not path.exists():
                with path.open("ab", _BUFFER) as out:
                    out.writelines(file.pieces)
            elif path.read_bytes() != b"".join(file.pieces):
                raise BugError(f"two sessions have different things to write to {file.path!r}")


@contextmanager
def in_private(root: Path) -> Iterator[None]:
    """Within, what is written goes below a private folder; where that fails, it is said of it.

    Raises:
        WriteError: it failed.
    """
    try:
        yield
    except OSError as error:
        message = f"{root} cannot be written: {error.strerror or error}; nothing was written"
        raise WriteError(message, hint="TMPDIR names another folder for temporary files") from None


def safe(path: str) -> Path:
    """A path of a draft, which must stay below the root that it is put under.

    Raises:
        BugError: it does not. An adapter never makes paths from what a session says.
    """
    pure = PurePosixPath(path)
    odd = any(c in '\\:*?"<>|' or ord(c) < 32 for c in path)
    if not pure.parts or pure.is_absolute() or ".." in pure.parts or odd:
        raise BugError(f"an adapter chose the path {path!r} to write to")
    return Path(*pure.parts)


def _detected(adapter: Adapter, root: Path, draft: Draft) -> Store:
    store = adapter.detect(root if draft.store == "." else root / safe(draft.store))
    if store is None:
        raise BugError(f"adapter {adapter.name!r} does not know what it wrote as {draft.store!r}")
    return store


# -- stores ----------------------------------------------------------------------------------


@dataclass(slots=True)
class StoreStaging:
    """For stores that sessions come into by other means: a store of the same form stands in."""

    adapter: Adapter
    installation: Installation
    registry: Registry
    root: Path
    drafts: list[Draft] = field(default_factory=list)
    _taken: list[tuple[Session, Sequence[Event], Plan, Report]] = field(default_factory=list)

    def identifier(self, session: Session, salt: str) -> str:
        return self.adapter.target_id(session, salt)

    def uses_records(self, session: Session) -> bool:
        return uses_records(self.adapter, session)

    def write(self, session: Session, events: Sequence[Event], plan: Plan, source: str) -> None:
        report = Report()
        self.drafts.append(self.installation.encode(session, events, plan, report))
        self._taken.append((session, events, plan, report))

    def check(self) -> None:
        """All at once, when the store is made."""

    def finish(self) -> list[Receipt]:
        self.root.mkdir(parents=True, exist_ok=True)
        path = self.installation.stage(self.drafts, self.root)
        adapter, store = reader(self.registry, path)
        receipts = [
            receipt(adapter, store, draft, taken, None, self.root)
            for draft, taken in zip(self.drafts, self._taken, strict=True)
        ]
        self._taken.clear()
        return receipts

    def parts(self) -> list[Part]:
        return []

    def owned(self) -> list[Path]:
        return []


def reader(registry: Registry, path: Path) -> tuple[Adapter, Store]:
    """The adapter that reads what is at a path.

    Raises:
        BugError: none does, although one wrote it.
    """
    stores = registry.detect(path)
    if not stores:
        raise BugError(f"no adapter knows what was written as {path}")
    return registry.adapter(stores[0].adapter), stores[0]


# -- comparing -------------------------------------------------------------------------------


def _compared(adapter: Adapter, store: Store, draft: Draft, taken: _Taken) -> Tried:
    session, events, plan, report = taken
    written = _written(adapter, store, draft)
    back = list(adapter.events(written.ref))
    losses, unexplained = _accounted(taken, written, back)
    return Tried(draft, losses, unexplained, written, back)


def _written(adapter: Adapter, store: Store, draft: Draft, *, raw: bool = True) -> Session:
    written = found(adapter, store, draft.id, raw=raw)
    if written is None:
        raise BugError(f"adapter {adapter.name!r} does not find the session that it wrote")
    return written


def _accounted(
    taken: _Taken, written: Session, back: Sequence[Event]
) -> tuple[list[Loss], list[compare.Difference]]:
    session, events, plan, report = taken
    seen = compare.header_differences(session, written, plan)
    seen += compare.differences(events, back, report=report, ids=plan.ids)
    return compare.explained(seen, report)


def found(adapter: Adapter, store: Store, identifier: str, *, raw: bool = True) -> Session | None:
    """One session's header in a store; `raw`: with its native record."""
    for item in adapter.sessions(store, Want(ids=(identifier,), raw=raw)):
        if isinstance(item, Session) and item.ref.id == identifier:
            return item
    return None


def receipt(
    adapter: Adapter,
    store: Store,
    draft: Draft,
    taken: _Taken,
    records: list[bytes] | None,
    root: Path,
) -> Receipt:
    """Read a session back and account for it.

    Args:
        records: fingerprints of its native records, if they were to be written as they are.
        root: the private folder that it is in.

    Raises:
        BugError: there is a difference without a reason.
    """
    session, events, plan, report = taken
    found_records: list[bytes] = []

    def printed(event: Event) -> Event:
        found_records.extend(compare.prints([event]))
        return event

    with jsonio.read_twice(root):
        written = _written(adapter, store, draft, raw=False)
        if written.title == session.title:  # of megabytes, perhaps: one of them is enough
            written = written._replace(title=session.title)
        stream = adapter.events(written.ref)
        stream = stream if records is None else map(printed, stream)
        back = compare.recognised(events, stream, report, plan.ids)
    losses, unexplained = _accounted(taken, written, back)
    if unexplained:
        raise UnforeseenError(session, unexplained)
    return Receipt(
        source=session.ref,
        session=written,
        events=len(events),
        losses=tuple(losses),
        exact=None if records is None else found_records == records,
    )


def tried(
    adapter: Adapter,
    session: Session,
    events: Sequence[Event],
    *,
    plan: Plan | None = None,
    folder: Path | None = None,
) -> Tried:
    """Encode one session, stage it, read it back and compare.

    Args:
        plan: by default the session alone, with the id that the adapter gives it.
        folder: where to stage it; by default a temporary one that is removed again.

    Raises:
        BugError: what was written is not found by the adapter's own reading.
    """
    import tempfile

    session = at_home(session)
    plan = plan or planned(adapter, session)
    report = Report()
    draft = adapter.encode(session, events, plan, report)
    with tempfile.TemporaryDirectory(prefix="finder-") as temporary:
        root = folder or Path(temporary)
        laid_out(draft, root)
        store = _detected(adapter, root, draft)
        return _compared(adapter, store, draft, (session, events, plan, report))


def planned(adapter: Adapter, session: Session) -> Plan:
    """The plan for one session alone."""
    import time

    identifier = adapter.target_id(session)
    now = time.time_ns() // 1_000_000
    return Plan(id=identifier, ids={session.ref: identifier}, top=identifier, now=now)
