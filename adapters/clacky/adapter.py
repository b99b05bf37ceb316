"""The adapter for OpenClacky's sessions; the format stands in `adapters.clacky`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from adapters.clacky import layout
from finder.adapter import Adapter, Can, Resume, Store, Want
from finder.model import Problem, Ref, Session
from finder.places import Places

if TYPE_CHECKING:
    from finder.model import Event
    from finder.writing import Draft, Plan, Report


class Clacky(Adapter):
    """Reads Clacky's home, a folder of its sessions, one session's file, or an export."""

    name: ClassVar[str] = "clacky"
    tool: ClassVar[str] = "clacky"
    target: ClassVar[str | None] = "clacky"
    foreign_records: ClassVar[bool] = False
    title: ClassVar[str] = "OpenClacky: sessions, archives, trash, exports"
    can: ClassVar[Can] = Can(
        compaction=True,
        reasoning=True,
        attachments=True,
        usage=True,
        times=False,  # only of the user's messages
        labels=True,
        resume=True,
    )

    def discover(self, places: Places) -> Iterator[Store | Problem]:
        (home,) = self.homes(places)
        problem = layout.closed(home)
        if problem is not None:
            yield problem
        elif layout.is_home(home):
            yield self._store(home, "files")

    def homes(self, places: Places) -> Sequence[Path]:
        return (places.home / ".clacky",)

    def detect(self, path: Path) -> Store | None:
        try:
            kind = layout.kind(path)
        except (OSError, ValueError):
            return None
        return self._store(path, kind) if kind else None

    def _store(self, path: Path, kind: str) -> Store:
        return Store(adapter=self.name, tool=self.tool, path=path, kind=kind)

    def sessions(self, store: Store, want: Want | None = None) -> Iterator[Session | Problem]:
        from adapters.clacky import catalog

        yield from catalog.sessions(store, wanted(want), want)

    def events(self, ref: Ref) -> Iterator[Event]:
        from adapters.clacky import catalog

        return catalog.events(ref)

    def generation(self, store: Store) -> str | None:
        from adapters.clacky import catalog

        return catalog.generation(store)

    def resume(self, session: Session) -> Resume | None:
        """``clacky -a <id>``, where the tool still lists the session."""
        store = Path(session.ref.store)
        # A stray archive is labelled compacted: the tool has no session to it.
        if {"trashed", "compacted"} & set(session.labels) or store.name.endswith(".zip"):
            return None
        argument = _argument(session.ref.id, _bases(store, layout.stamp(store)))
        # What had no directory when it was written has ".", which is nowhere.
        cwd = None if session.directory == "." else session.directory
        return Resume(argv=("clacky", "-a", argument), cwd=cwd) if argument else None

    def target_id(self, session: Session, salt: str = "") -> str:
        from adapters.clacky import encode

        return encode.target_id(session, salt)

    def encode(
        self, session: Session, events: Sequence[Event], plan: Plan, report: Report
    ) -> Draft:
        from adapters.clacky import encode

        return encode.encode(session, events, plan, report)

    def root(self, places: Places) -> Path:
        (home,) = self.homes(places)
        return home

    def cautions(self, places: Places, sessions: Sequence[Session]) -> Iterator[str]:
        from adapters.clacky import retention

        return retention.cautions(self.root(places) / "sessions", sessions)


@lru_cache(maxsize=4)
def _bases(store: Path, _stamp: object) -> tuple[str, ...]:
    """What the names of a store's session files begin with; each of its sessions asks for them."""
    return tuple(file.base for file in layout.listing(store).sessions)


def _argument(session_id: str, bases: Sequence[str]) -> str | None:
    """What names the session to ``clacky -a``: a prefix that fits no other.

    Digits alone that make a number up to 99 are taken for a place in the list (cli.rb).
    """
    short = session_id[:8]
    alike = {base for base in bases if base.endswith(short)}
    for argument in (short, session_id) if len(alike) < 2 else (session_id,):
        if not re.fullmatch(r"0*\d{1,2}", argument, re.ASCII):
            return argument
    return None


def wanted(want: Want | None) -> Callable[[str], bool] | None:
    """Whether the caller may want a session of an id; None if he wants all."""
    return None if want is None or (want.ids is None and not want.prefix) else want.admits
