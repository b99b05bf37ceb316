"""Sessions that OpenCode handed out as one JSON file. They have no usual home.

    export   {"info": session, "messages": [{"info": message, "parts": [part, …]}, …]}
             what ``opencode export`` prints, 1.0.0 to 1.18.33; children are not in it
    share    [{"type": "session", "data": session}, {"type": "message", "data": message},
              {"type": "part", "data": part}, …]
             what a shared session's link answers with; other types may be among the items

Records are those of the session files (`adapters.opencode.files`). An export keeps the order
of the program; a share is ordered by (time.created, id). Sessions of the newer API are
exported without their messages by OpenCode itself.

Through a pipe the program cuts an export after a multiple of 64 KiB, without a word. Of such a
file all whole messages are read, and the rest is named.
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
    from finder.writing import Draft, Installation, Plan, Report

_HEAD_BYTES = 64 * 1024


class OpenCodeExport(Adapter):
    """Reads what ``opencode export`` and a shared session's link give."""

    name: ClassVar[str] = "opencode-export"
    tool: ClassVar[str] = "opencode"
    title: ClassVar[str] = "OpenCode export or share, one JSON file"
    target: ClassVar[str | None] = "opencode"
    foreign_records: ClassVar[bool] = False
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
        yield from ()

    def detect(self, path: Path) -> Store | None:
        from finder import files
        from finder.errors import StoreError

        try:
            found = _shape(files.head(path, _HEAD_BYTES)) if path.is_file() else None
        except (StoreError, OSError, ValueError):
            return None
        return Store(adapter=self.name, tool=self.tool, path=path, kind="file") if found else None

    def sessions(self, store: Store, want: Want | None = None) -> Iterator[Session | Problem]:
        from adapters.opencode.exported import headers

        yield from headers(store.path, self.tool)

    def events(self, ref: Ref) -> Iterator[Event]:
        from adapters.opencode.exported import events

        yield from events(ref)

    def generation(self, store: Store) -> str | None:
        from finder import files

        return _shape(files.head(store.path, _HEAD_BYTES))

    def target_id(self, session: Session, salt: str = "") -> str:
        from adapters.opencode.ids import session_id

        return session_id(session, salt)

    def encode(
        self, session: Session, events: Sequence[Event], plan: Plan, report: Report
    ) -> Draft:
        from adapters.opencode.encode import export_draft

        return export_draft(session, events, plan, report)

    def cautions(self, places: Places, sessions: Sequence[Session]) -> Iterator[str]:
        for session in sessions:
            if session.parent is None and "/" not in (session.model or ""):
                yield (
                    f"{session.ref.id} names no provider of its model: start it with"
                    f" opencode -s {session.ref.id} -m PROVIDER/MODEL"
                )

    def installation(self, places: Places) -> Installation:
        from adapters.opencode.install import live_database

        return live_database(places)


def _shape(head: bytes) -> str | None:
    """Which of the two shapes a file has that starts so: the keys tell."""
    import re

    start = head.removeprefix(b"\xef\xbb\xbf")
    if re.match(rb'\s*\{\s*"info"\s*:\s*\{', start):
        known = re.search(rb'"(?:slug|projectID|version|id)"\s*:', start)
        return "export" if known and re.search(rb'"ses|"messages"\s*:', start) else None
    if re.match(rb'\s*\{\s*"messages"\s*:\s*\[\s*\{\s*"(?:info|parts)"\s*:', start):
        return "export" if b'"ses' in start else None
    if re.match(rb'\s*\[\s*\{\s*"(?:type|data)"\s*:', start):
        typed = re.search(rb'"type"\s*:\s*"(?:session|message|part)"', start)
        return "share" if typed and re.search(rb'"data"\s*:', start) and b'"ses' in start else None
    return None
