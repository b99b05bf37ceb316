"""What the picker holds between two keys. No terminal is needed for any of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from finder.find import Row
from finder.library import key_of
from finder.model import Problem

Deed = Literal["resume", "read", "convert", "print"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One answer to the question where a session is to be converted to.

    Attributes:
        to: the format.
        install: into the tool's own home, else as files in the current folder.
    """

    to: str
    install: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the user chose to do with which session; `target` is that of a conversion."""

    deed: Deed
    row: Row
    target: Target | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The rows for one query.

    Attributes:
        rows: in order; there may be more than these, as `more` says.
        held: how many sessions were searched; None: not known yet.
        sure: these are the first of all; otherwise those of some sessions, and others will come.
    """

    text: str
    rows: Sequence[Row]
    more: bool = False
    held: int | None = None
    sure: bool = True


@dataclass(slots=True, kw_only=True)
class State:
    """The query, its answer, what is selected, and what is said in the status line.

    Attributes:
        text: the query as it stands in the line; `answer` may still be that of an earlier one.
        waiting: a deed that waits for the answer to `text`: who types fast and presses Enter
            means the first row of what was typed, not of what is still shown.
        targets: the open question about a conversion, or none.
        said: one remark; gone with the next key.
    """

    text: str = ""
    answer: Answer = field(default_factory=lambda: Answer(text="", rows=()))
    selected: int = 0
    problems: tuple[Problem, ...] = ()
    waiting: Deed | None = None
    converting: Row | None = None
    targets: Sequence[Target] = ()
    target: int = 0
    said: str = ""
    preview: bool = True

    @property
    def row(self) -> Row | None:
        """The row that is selected."""
        rows = self.answer.rows
        return rows[self.selected] if 0 <= self.selected < len(rows) else None

    @property
    def behind(self) -> bool:
        """Whether the rows are still those of an earlier query."""
        return self.answer.text.split() != self.text.split()

    def typed(self, text: str) -> bool:
        """Another query; whether it asks for something else than before."""
        other = text.split() != self.text.split()
        self.text = text
        self.said = ""
        if other:
            self.waiting = None
        return other

    def move(self, by: int) -> None:
        """Select another row, or another target."""
        self.said = ""
        if self.converting is not None:
            self.target = (self.target + by) % len(self.targets)
            return
        self.selected = max(min(self.selected + by, len(self.answer.rows) - 1), 0)

    def turn_preview(self) -> None:
        """Show it, or leave its room to the list."""
        self.preview = not self.preview

    def take(self, answer: Answer) -> Choice | None:
        """An answer has come; what it lets happen, if a deed waited for it.

        The selection stays on its session where the same query is answered anew.
        """
        if answer.text.split() != self.text.split():
            return None
        same = answer.text.split() == self.answer.text.split()
        if same and self.answer.sure and not answer.sure:
            return None
        kept = self.row if same and self.selected else None
        self.answer = answer
        self.selected = _place(answer.rows, kept, self.selected) if kept else 0
        if self.waiting is None or not answer.sure:
            return None
        waiting, self.waiting = self.waiting, None
        return self.want(waiting)

    def want(self, deed: Deed) -> Choice | None:
        """Do something with the selected session; None: not now."""
        if self.behind:
            self.waiting = deed
            return None
        row = self.row
        if row is None:
            self.said = "no session is selected"
            return None
        if deed == "convert":
            self.converting, self.target = row, 0
            return None
        return Choice(deed=deed, row=row)

    def decided(self) -> Choice | None:
        """The target of the conversion is chosen."""
        row, self.converting = self.converting, None
        if row is None:
            return None
        return Choice(deed="convert", row=row, target=self.targets[self.target])


def _place(rows: Sequence[Row], wanted: Row, near: int) -> int:
    """Where a session stands now, looked for around where it stood."""
    key = key_of(wanted.session)
    end = min(len(rows), near + 200)
    return next((n for n in range(end) if key_of(rows[n].session) == key), 0)
