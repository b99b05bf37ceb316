"""Opta's other forms, written on demand: one that the daemon loads, and one that nothing does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from adapters.opta import Opta
from finder.adapter import Adapter, Can, Resume
from finder.model import Event, Session
from finder.places import Places

if TYPE_CHECKING:
    from finder.writing import Draft, Plan, Report


class OptaDaemon(Opta):
    """Writes the sessions of Opta's daemon, which its own clients see, and not `opta chat`."""

    target: ClassVar[str | None] = "opta-daemon"
    can: ClassVar[Can] = Can(compaction=True, attachments=True)

    def targets(self) -> Mapping[str, Adapter]:
        return {"opta-daemon": self}

    def encode(
        self, session: Session, events: Sequence[Event], plan: Plan, report: Report
    ) -> Draft:
        from adapters.opta import encode

        return encode.daemon_draft(session, events, plan, report)

    def resume(self, session: Session) -> Resume | None:
        return None


class OptaDocumented(Opta):
    """Writes the folder of a session that Opta's manual describes, and no version reads."""

    target: ClassVar[str | None] = "opta-documented"
    can: ClassVar[Can] = Can(live=False)

    def targets(self) -> Mapping[str, Adapter]:
        return {"opta-documented": self}

    def encode(
        self, session: Session, events: Sequence[Event], plan: Plan, report: Report
    ) -> Draft:
        from adapters.opta import encode

        return encode.documented_draft(session, events, plan, report)

    def root(self, places: Places) -> Path | None:
        return None

    def resume(self, session: Session) -> Resume | None:
        return None
