"""Lines for fzf and its like: columns parted by tabs, the first of them for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from finder.find import Row
from finder.render.table import age, marks
from finder.render.text import cut, home_short, line, padded, width

_TITLE = 60


def feed(rows: Sequence[Row], *, now: int, home: str) -> Iterator[str]:
    """For each row ``tool:id``, folder, store, and then what is shown: tool, title, age, folder.

    What is shown is filled up with spaces, so that the tabs of all lines reach the same columns.
    """
    tools = max((width(line(row.session.ref.tool)) for row in rows), default=0)
    for row in rows:
        session = row.session
        labels = marks(session)
        title = ("↳ " if session.parent is not None else "") + line(session.title or "(no title)")
        shown = cut(title, max(_TITLE - width(labels), 4)) + labels
        columns = [
            line(str(session.ref)),
            line(session.directory or ""),
            line(session.ref.store),
            padded(line(session.ref.tool), tools),
            padded(cut(shown, _TITLE), _TITLE),
            f"{age(session.updated, now):>4}",
            line(home_short(session.directory or "", home)),
        ]
        yield "\t".join(columns)
