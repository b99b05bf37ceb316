"""How a transcript's lines are made: their width, their styles, and what is folded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from finder.dataclass import dataclass, replace
from finder.render.text import block, cut, line, width, wrapped

Paint = Callable[[str, str], str]
"""Gives a text a style (see `coloured`), or leaves it as it is."""

Prose = Callable[[str, int], Iterable[str]]
"""Renders Markdown in so many columns; the lines come with their styles."""

_WIDEST = 120  # columns of running text; the eye loses longer lines
FOLDED = 100  # columns of a folded line where the terminal does not say
# Cyan, yellow and bright colours are hardly read on many a light screen, blue on a dark one. Green
# is where everybody expects it, as in git's differences. Dim is little more than the background on
# many: it is for what may be passed over.
_STYLES = {
    "bold": "1",
    "dim": "2",
    "thought": "3",
    "warn": "35",
    "user": "1;35",
    "tool": "1",
    "bad": "31",
    "came": "32",
    "went": "31",
}


def plain(text: str, _style: str) -> str:
    """No style at all, as a pipe wants it."""
    return text


def coloured(text: str, style: str) -> str:
    """Styles in a terminal's own colours, those that can be read on light and on dark."""
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How lines are made.

    Attributes:
        room: the terminal's width; None: lines may be of any length.
        prose: how the model's Markdown is rendered; None: as it is written.
        whole: nothing is folded.
    """

    room: int | None = None
    paint: Paint = plain
    prose: Prose | None = None
    whole: bool = False

    @property
    def columns(self) -> int:
        """How long a folded line may be."""
        return self.room or FOLDED

    def narrower(self, columns: int) -> Look:
        """The same with so many columns less."""
        room = None if self.room is None else max(self.room - columns, 20)
        return replace(self, room=room)

    def text(self, text: str, style: str = "") -> Iterator[str]:
        """A text as it is written."""
        for one in block(text).split("\n"):
            pieces = wrapped(one.expandtabs(), min(self.room, _WIDEST)) if self.room else [one]
            for piece in pieces:
                yield self.paint(piece, style) if style and piece else piece

    def markdown(self, text: str) -> Iterable[str]:
        """A text that a model wrote."""
        if self.prose is None:
            return self.text(text)
        return self.prose(text, min(self.columns, _WIDEST))

    def folded(self, text: str, more: str = "", indent: str = "") -> str:
        """One line, cut to the room that `indent` and `more` leave."""
        room = self.columns - width(indent + more)
        return indent + cut(line(text), max(room, 12)) + more

    def some(self, lines: Sequence[str], most: int, what: str) -> Iterator[str]:
        """The first of many lines, as they are broken here, and how many more there are."""
        if self.whole or len(lines) <= most + 1:
            yield from lines
            return
        yield from lines[:most]
        more = f"{len(lines) - most:,} more lines of {what}"
        yield self.paint(f"  … ({more}; --full shows all)", "dim")
