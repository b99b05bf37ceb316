"""Answers as tables of text, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from finder.model import Session
from finder.render.text import cut, cut_start, home_short, line, padded, width

if TYPE_CHECKING:
    from finder.find import Row

_GAP = "  "
_NARROWEST = 4
_WIDEST_TITLE = 80
_ROOM_BESIDE_IDS = 70  # columns
_WIDEST = 200  # to which columns are filled up in a pipe
_UNITS = (
    ("y", 365 * 86_400),
    ("mo", 30 * 86_400),
    ("w", 7 * 86_400),
    ("d", 86_400),
    ("h", 3_600),
    ("m", 60),
)


class Column(NamedTuple):
    """One column. Where the room is short, those with a `least` width give way.

    Attributes:
        most: how wide it may be at all.
        keep_end: what is cut off is the beginning, as of a path.
        kept: it is not left out where the room is too short even for the least widths.
        share: of the room that is left, how much it takes in proportion to the others.
        whole: a cell that is wider than the column is not cut.
    """

    title: str
    least: int | None = None
    most: int | None = None
    keep_end: bool = False
    kept: bool = False
    right: bool = False
    share: int = 1
    whole: bool = False


def age(time: int | None, now: int) -> str:
    """How long ago, in one unit: ``3h``, ``2d``. Times are milliseconds UTC."""
    if time is None:
        return "?"
    seconds = (now - time) // 1000
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return "now"


def marks(session: Session) -> str:
    """A session's labels, as words after its title."""
    return "".join(f" [{label}]" for label in session.labels if label != "inferred")


def session_table(
    rows: Sequence[Row],
    *,
    now: int,
    home: str,
    room: int | None,
    numbered: bool = False,
    placed: bool = True,
) -> Iterator[str]:
    """The results of a search.

    Args:
        now: milliseconds UTC.
        room: the terminal's width; None: as wide as needed.
        numbered: rows can be named by their numbers, so that ids may be left out.
        placed: with their directories.
    """
    with_subagents = any(row.subagents for row in rows)
    longest = max((width(line(row.session.ref.id)) for row in rows), default=0)
    wanted = {
        "#": numbered,
        "SUB": with_subagents,
        "MSGS": numbered,
        "DIRECTORY": placed,
        # What is cut of an id names nothing, and titles tell more.
        "ID": not numbered or room is None or room - longest >= _ROOM_BESIDE_IDS,
    }
    columns = [
        Column(title="#", right=True),
        Column(title="TOOL"),
        Column(title="TITLE", least=24 if numbered else 14, most=_WIDEST_TITLE, share=5, kept=True),
        Column(title="SUB", right=True),
        Column(title="MSGS", right=True, least=4),
        Column(title="AGE", right=True),
        Column(title="DIRECTORY", least=9, keep_end=True, share=2),
        Column(title="ID"),
    ]
    shown = [index for index, column in enumerate(columns) if wanted.get(column.title, True)]
    lines = [_cells(number, row, now, home) for number, row in enumerate(rows, 1)]
    return table(
        [columns[index] for index in shown],
        [[cells[index] for index in shown] for cells in lines],
        room=room,
    )


def _cells(number: int, row: Row, now: int, home: str) -> list[str]:
    session = row.session
    return [
        str(number),
        session.ref.tool,
        _title(session),
        _subagents(row),
        "?" if session.messages is None else f"{session.messages:,}",
        age(session.updated, now),
        home_short(session.directory or "", home),
        session.ref.id,
    ]


def _title(session: Session) -> str:
    title = line(session.title or "(no title)")
    if session.parent is not None:
        title = f"↳ {title}"
    labels = marks(session)
    return cut(title, _WIDEST_TITLE - width(labels)) + labels  # what is cut is not the labels


def _subagents(row: Row) -> str:
    if not row.subagents:
        return ""
    counted = row.matched_subagents and row.heard is None  # of a text only one is looked for
    matched = f"{len(row.matched_subagents)}/" if counted else ""
    return f"{matched}{len(row.subagents)}"


def table(
    columns: Sequence[Column], lines: Sequence[Sequence[str]], *, room: int | None
) -> Iterator[str]:
    """Aligned columns below a heading. Cells are foreign text and are made harmless here."""
    cells = [[line(cell) for cell in cells] for cells in lines]
    widths = [
        max([width(column.title), *(width(row[index]) for row in cells)])
        for index, column in enumerate(columns)
    ]
    widths = [min(w, c.most or room or _WIDEST) for w, c in zip(widths, columns, strict=True)]
    if room is None:
        columns = [column._replace(whole=column.most is None) for column in columns]
    else:
        widths = _fitted(columns, widths, room)
    heading = [column._replace(keep_end=False) for column in columns]
    yield _joined([column.title for column in columns], heading, widths)
    for row in cells:
        yield _joined(row, columns, widths)


def _joined(row: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    shown = [_aligned(*cell) for cell in zip(row, columns, widths, strict=True) if cell[2]]
    return _GAP.join(shown).rstrip()


def _fitted(columns: Sequence[Column], widths: list[int], room: int) -> list[int]:
    """Narrow the columns that may be narrowed; where that is not enough, leave the last out."""
    flexible = [i for i, c in enumerate(columns) if c.least is not None and widths[i]]
    fitted = list(widths)
    excess = sum(widths) + len(_GAP) * (sum(w > 0 for w in widths) - 1) - room
    while excess > 0:
        wider = [i for i in flexible if fitted[i] > (columns[i].least or 0)]
        if not wider:
            break
        fitted[max(wider, key=lambda i: fitted[i] / columns[i].share)] -= 1
        excess -= 1
    if excess <= 0 or not flexible:
        return fitted
    spare = [i for i in flexible[1:] if not columns[i].kept]
    if spare:
        return _fitted(columns, [0 if i == spare[-1] else w for i, w in enumerate(widths)], room)
    fitted[flexible[0]] = max(fitted[flexible[0]] - excess, _NARROWEST)
    return fitted


def _aligned(text: str, column: Column, columns: int) -> str:
    shorten = cut_start if column.keep_end else cut
    shown = text if column.whole else shorten(text, columns)
    return " " * (columns - width(shown)) + shown if column.right else padded(shown, columns)
