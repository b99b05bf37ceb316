"""finder's own JSONL: the model written down, with the native records in it.

One session, or one with all its subagents (each after its parent), in one file:

    {"schema": "session-finder-events/1", "target"?: {…}}
    {"session": {"id", "tool", "title", …, "events": 57, "raw"}}
    {"type": "message", "record", "at", …, "raw"}
    {"type": "text", "text", …}

A line has the fields of the class in `finder.model`, without those that have their default. Times
are integer milliseconds UTC, as in the model: the ISO form has no place for every number that
stands in a store. `tool` of a session says whose records (`raw`) these are, `events` how many lines
follow. What refers to a session in the same file is {"id"}, else {"tool", "store", "id"}. A record
that is nested deeper than JSON readers go stands as a text in `raw_json`. `target` makes the file
a sidecar of another one (see `finder.sidecar`).

Written by `finder convert --to events`; version 1 is the only one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from finder.adapter import Adapter, Can, Store, Want
from finder.model import Problem, Ref, Session

if TYPE_CHECKING:
    from finder.model import Event
    from finder.places import Places
    from finder.writing import Draft, Plan, Report

TOOL = "events"
SCHEMA = "session-finder-events/1"
# The fields of a session that stand in its line as they are.
HEADER = ("title", "directory", "created", "updated", "agent", "model", "messages", "archived")
_START = b'{"schema":"session-finder-events/'


class Events(Adapter):
    """Reads and writes finder's own JSONL."""

    name: ClassVar[str] = "events"
    tool: ClassVar[str] = TOOL
    title: ClassVar[str] = "finder's own JSONL (everything, with the native records)"
    target: ClassVar[str | None] = "events"
    can: ClassVar[Can] = Can(
        subagents=True,
        compaction=True,
        reasoning=True,
        attachments=True,
        usage=True,
        times=True,
        labels=True,
        archive=True,
        live=False,
    )

    def discover(self, places: Places) -> Iterator[Store | Problem]:
        return iter(())  # these files are wherever their user put them

    def detect(self, path: Path) -> Store | None:
        from finder import files
        from finder.errors import StoreError

        if not path.is_file():
            return None
        try:
            first = files.head(path, 200)
        except StoreError:
            return None
        if not b"".join(first.split(b"\n")[0].split()).startswith(_START):
            return None
        return Store(adapter=self.name, tool=self.tool, path=path, kind="file")

    def sessions(self, store: Store, want: Want | None = None) -> Iterator[Session | Problem]:
        from adapters.events.lines import sessions

        want = want or Want()
        return sessions(store.path, want.ids, raw=want.raw)

    def events(self, ref: Ref) -> Iterator[Event]:
        from adapters.events.lines import events

        return events(ref)

    def generation(self, store: Store) -> str | None:
        return SCHEMA

    def target_id(self, session: Session, salt: str = "") -> str:
        from finder.writing import derived_id

        if not salt:
            return session.ref.id
        return f"{session.ref.id}-{derived_id(session.ref, 8, '0123456789abcdef', salt)}"

    def encode(
        self, session: Session, events: Sequence[Event], plan: Plan, report: Report
    ) -> Draft:
        from adapters.events.encode import encoded

        return encoded(session, events, plan)
