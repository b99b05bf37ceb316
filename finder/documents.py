"""Documents that people read: written like any other format, but nothing reads them back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from finder.dataclass import dataclass, field
from finder.model import Event, Ref, Session
from finder.staging import Part, Receipt, in_private, safe
from finder.writing import Loss, Plan, safe_name

Render = Callable[
    [Session, Sequence[Event], Sequence[tuple[int, Session, list[Event]]]], Iterator[str]
]


@dataclass(slots=True)
class DocumentStaging:
    """For documents that people read: one for a whole tree, and nothing reads them back."""

    ending: str
    render: Render
    root: Path
    _sessions: list[tuple[int, Session, list[Event]]] = field(default_factory=list)
    _depths: dict[Ref | None, int] = field(default_factory=dict)
    _name: str = ""

    def identifier(self, session: Session, salt: str) -> str:
        return session.ref.id

    def uses_records(self, session: Session) -> bool:
        return False

    def write(self, session: Session, events: Sequence[Event], plan: Plan, source: str) -> None:
        depth = self._depths.get(plan.parent, -1) + 1 if plan.parent else 0
        for ref, identifier in plan.ids.items():
            if identifier == plan.id:
                self._depths[ref] = depth
        self._name = self._name or f"{safe_name(plan.top)}{self.ending}"
        self._sessions.append((depth, session, list(events)))

    def check(self) -> None:
        """Nothing reads it back."""

    def finish(self) -> list[Receipt]:
        (_, session, events), *below = self._sessions
        path = self.root / safe(self._name)
        with in_private(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            # In pieces: a page is some times as large as its session, which is in memory already.
            with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
                file.writelines(self.render(session, events, below))
        return [_stated(session, events) for _, session, events in self._sessions]

    def parts(self) -> list[Part]:
        return [Part(safe(self._name), 0o644)]

    def owned(self) -> list[Path]:
        return []


def _stated(session: Session, events: Sequence[Event]) -> Receipt:
    """What is known of documents: they are made for people, and cannot be read back."""
    counts: dict[str, list[Event]] = {}
    for event in events:
        counts.setdefault(event.type, []).append(event)
    lowered = "told as text for people; no program reads it back"
    losses = []
    for kind, found in counts.items():
        gone = kind == "opaque"
        note = "records that are not made for people are only counted" if gone else lowered
        loss = Loss(
            kind="dropped" if gone else "lowered",
            type=kind,
            field=None,
            count=len(found),
            first=found[0].record,
            note=note,
        )
        losses.append(loss)
    return Receipt(
        source=session.ref,
        session=session,
        events=len(events),
        losses=tuple(losses),
        measured=False,
    )
