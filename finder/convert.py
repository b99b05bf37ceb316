"""Writing sessions in another format: encoded, staged, read back, compared, and then placed.

Nothing is believed of what an encoder says it did. Its draft is put into a private folder, read
back through the adapter, and compared with the source; the account of loss is what was measured
there. A difference for which the encoder gave no reason is a bug, and the target never appears.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from finder import compare
from finder.adapter import Adapter, Store, Want
from finder.errors import BugError
from finder.model import Event, Ref, Session
from finder.writing import Draft, Loss, Plan, Report


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
        stage(draft, root)
        written, back = read_back(adapter, root, draft)
    found = compare.header_differences(session, written, plan)
    found += compare.differences(events, back, report=report, ids=plan.ids)
    losses, unexplained = compare.explained(found, report)
    return Tried(draft, losses, unexplained, written, back)


def at_home(session: Session) -> Session:
    """The session under its address in the tool whose records its `raw` are.

    So an encoder sees no difference between a session of its own tool and one that went
    through our own files.
    """
    if session.origin is None:
        return session
    ref = Ref(session.origin, session.ref.store, session.ref.id)
    return replace(session, ref=ref, origin=None)


def planned(adapter: Adapter, session: Session) -> Plan:
    """The plan for one session alone."""
    import time

    identifier = adapter.target_id(session)
    now = time.time_ns() // 1_000_000
    return Plan(id=identifier, ids={session.ref: identifier}, top=identifier, now=now)


def stage(draft: Draft, root: Path) -> None:
    """Write a draft's files below a private folder."""
    for file in draft.files:
        path = root / safe(file.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab" if file.appended else "xb") as out:
            out.write(file.data)


def safe(path: str) -> Path:
    """A path of a draft, which must stay below the root that it is put under.

    Raises:
        BugError: it does not. An adapter never makes paths from what a session says.
    """
    from pathlib import PurePosixPath

    pure = PurePosixPath(path)
    odd = any(c in path for c in "\\\0:") or any(ord(c) < 32 for c in path)
    if not pure.parts or pure.is_absolute() or ".." in pure.parts or odd:
        raise BugError(f"an adapter chose the path {path!r} to write to")
    return Path(*pure.parts)


def read_back(adapter: Adapter, root: Path, draft: Draft) -> tuple[Session, list[Event]]:
    """The session as the adapter reads it from a folder with a draft's files.

    Raises:
        BugError: it does not find it there.
    """
    place = root if draft.store == "." else root / safe(draft.store)
    store = adapter.detect(place)
    if store is None:
        raise BugError(f"adapter {adapter.name!r} does not know what it wrote as {draft.store!r}")
    session = _found(adapter, store, draft.id)
    if session is None:
        raise BugError(f"adapter {adapter.name!r} does not find the session that it wrote")
    return session, list(adapter.events(session.ref))


def _found(adapter: Adapter, store: Store, identifier: str) -> Session | None:
    for item in adapter.sessions(store, Want(ids=(identifier,))):
        if isinstance(item, Session) and item.ref.id == identifier:
            return item
    return None
