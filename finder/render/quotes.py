"""What was found in a session's text, as lines below its row, the found words highlighted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from finder.find import Heard, Row
from finder.model import Ref
from finder.render.text import block, cut, cut_start, line, width

if TYPE_CHECKING:
    from finder.content import Quote

_INDENT = "    "
_NARROWEST = 20  # columns of a snippet
_FOUND, _OFF = "\x1b[1;31m", "\x1b[0m"
_FIELDS = {
    "input": "tool input",
    "output": "tool output",
    "file": "file",
    "error": "error",
    "notice": "notice",
    "unread": "unreadable",
}


def quoted(
    table: Iterable[str], rows: Sequence[Row], *, room: int | None, colour: bool
) -> Iterator[str]:
    """A table of these rows, with a heading, and below each row what was found in its text."""
    for number, shown in enumerate(table):
        yield shown
        heard = rows[number - 1].heard if number else None
        if heard is not None:
            yield from quotes(rows[number - 1], heard, room=room, colour=colour)


def quotes(row: Row, heard: Heard, *, room: int | None, colour: bool) -> Iterator[str]:
    """Where the words stand in a session; which, if it is not the row's own."""
    if heard.session.ref != row.session.ref:
        named = _subagent(heard.session.ref, heard.session.agent)
        yield named if room is None else cut(named, room)
    for quote in heard.hit.quotes:
        before = f"{_INDENT}{where(quote)}: "
        columns = None if room is None else max(room - width(before), _NARROWEST)
        yield before + snippet(quote, columns, (_FOUND, _OFF) if colour else ("", ""))


def _subagent(ref: Ref, agent: str | None) -> str:
    return f"{_INDENT}↳ {line(ref.id)}{f' ({line(agent)})' if agent else ''}"


def where(quote: Quote) -> str:
    """An event's number, who speaks or what it is, and its labels."""
    what = _FIELDS.get(quote.field) or quote.field
    if quote.field == "text":
        what = quote.role or quote.type
    labels = "".join(f" [{label}]" for label in quote.labels if label != "inferred")
    return f"#{quote.seq} {what}{labels}"


def snippet(quote: Quote, columns: int | None, marks: tuple[str, str] = ("", "")) -> str:
    """The snippet on one line, harmless, in so many columns; each found word between `marks`."""
    pieces = _pieces(quote)
    if columns is not None:
        pieces = _fitted(pieces, columns)
    on, off = marks
    return "".join(f"{on}{text}{off}" if found and text else text for text, found in pieces)


def _pieces(quote: Quote) -> list[tuple[str, bool]]:
    """The text before, in, between and after the found words, made harmless; which are found."""
    pieces: list[tuple[str, bool]] = []
    done = 0
    for span in quote.spans:
        start = max(span.start, done)  # of two words one may stand within the other
        pieces.append((_harmless(quote.snippet[done:start]), False))
        pieces.append((_harmless(quote.snippet[start : span.end]), True))
        done = max(span.end, done)
    pieces.append((_harmless(quote.snippet[done:]), False))
    pieces[0] = ("…" * quote.cut_before + pieces[0][0].lstrip(), False)
    pieces[-1] = (pieces[-1][0].rstrip() + "…" * quote.cut_after, False)
    return pieces


def _harmless(text: str) -> str:
    return block(re.sub(r"\s+", " ", text))


def _fitted(pieces: Sequence[tuple[str, bool]], columns: int) -> list[tuple[str, bool]]:
    """As much as there is room for, with the first found word in it."""
    if sum(width(text) for text, _ in pieces) <= columns:
        return list(pieces)
    after = sum(width(text) for text, _ in pieces[1:])
    first = cut_start(pieces[0][0], max(columns // 3, columns - after))
    fitted, room = [], columns
    for text, found in [(first, False), *pieces[1:]]:
        shown = cut(text, room)
        fitted.append((shown, found))
        room -= width(shown)
        if shown != text or room <= 0:
            break
    return fitted
