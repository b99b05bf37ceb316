"""Markdown on a terminal, rendered with rich.

The text is foreign. What rich would leave out or fetch from elsewhere (HTML, definitions, images,
titles of links) is shown as it is written, and what comes out is made harmless once more, since
Markdown can spell any character by its number. If a letter of the source is missing then, the
source is shown instead. Only the terminal's own colours are used, and of these (see `look`) those
that can be read on light and on dark.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from copy import copy
from typing import ClassVar

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich import box
from rich.color import ColorSystem
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, ListItem, Markdown, MarkdownElement, TableElement
from rich.padding import Padding
from rich.segment import Segment
from rich.style import Style
from rich.syntax import ANSISyntaxTheme, Syntax
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from finder.render.text import block, wrapped

_MOST_RENDERED = 64 * 1024  # characters; a larger text is not written for the eye
_MOST_HIGHLIGHTED = 16 * 1024
_NARROWEST_COLUMN = 6
# What makes a text more than lines of words.
_MARKED = re.compile(r"[*_`#|>~\[\\]|^\s*(?:[-+]|\d+[.)])\s|^\s*[-=]{2,}\s*$|^ {4}", re.MULTILINE)

_THEME = Theme(
    {
        "markdown.h1": "bold underline",
        "markdown.h2": "bold",
        "markdown.h3": "bold italic",
        "markdown.h4": "italic",
        "markdown.h5": "italic",
        "markdown.h6": "italic",
        "markdown.strong": "bold",
        "markdown.em": "italic",
        "markdown.s": "strike",
        "markdown.code": "magenta",
        "markdown.a": "underline",
        "markdown.block_quote": "none",
        "markdown.item.bullet": "none",
        "markdown.item.number": "none",
        "markdown.hr": "dim",
        "markdown.table.header": "bold",
        "markdown.table.border": "dim",
    }
)
# By the names of pygments' kinds of token.
_CODE = ANSISyntaxTheme(
    {
        ("Comment",): Style(italic=True),
        ("Keyword",): Style(bold=True),
        ("Operator", "Word"): Style(bold=True),
        ("Literal",): Style(color="magenta"),
        ("Name", "Function"): Style(underline=True),
        ("Name", "Class"): Style(underline=True),
        ("Name", "Tag"): Style(bold=True),
        ("Generic", "Inserted"): Style(color="green"),
        ("Generic", "Deleted"): Style(color="red"),
        ("Generic", "Heading"): Style(bold=True),
        ("Generic", "Subheading"): Style(bold=True),
    }
)


def prose(text: str, columns: int, *, filled: bool = False) -> Iterator[str]:
    """A text as a model wrote it, in lines of at most so many columns, with styles.

    With `filled` the lines of a paragraph are filled anew, as is meant in a text that was broken
    at some other width.
    """
    shown = block(text).strip("\n")
    rendered = None
    if len(shown) <= _MOST_RENDERED and _MARKED.search(shown):
        rendered = _rendered(shown, max(columns, 20), filled)
    if rendered is not None:
        yield from rendered
        return
    for one in shown.split("\n"):
        yield from wrapped(one.expandtabs(), columns)


def _rendered(text: str, columns: int, filled: bool) -> list[str] | None:
    """The lines; None where something of the text would be missing in them."""
    console = Console(
        file=io.StringIO(), width=columns, theme=_THEME, force_terminal=True, highlight=False,
        markup=False, emoji=False, color_system="standard", legacy_windows=False, no_color=False,
    )  # fmt: skip
    try:
        found = console.render_lines(_Markdown(text, filled), pad=False)
    except Exception:  # rich does not foresee every nesting of blocks
        return None
    lines = [[_harmless(segment) for segment in found_line] for found_line in found]
    letters = Counter("".join(segment.text for one in lines for segment in one))
    if any(c.isalpha() and n > letters[c] for c, n in Counter(text).items()):
        return None
    styled = [_styled(one) for one in lines]
    while styled and not styled[0]:
        del styled[0]
    while styled and not styled[-1]:
        del styled[-1]
    return styled


def _harmless(segment: Segment) -> Segment:
    return Segment(block(segment.text).replace("\n", "␊"), segment.style)


def _styled(segments: list[Segment]) -> str:
    """One line as the terminal takes it, without what is blank at its end."""
    kept = [segment for segment in segments if segment.text]
    while kept and not kept[-1].text.strip():
        del kept[-1]
    if kept:
        kept[-1] = Segment(kept[-1].text.rstrip(), kept[-1].style)
    return "".join(
        style.render(text, color_system=ColorSystem.STANDARD) if style else text
        for text, style, _ in kept
    )


def _tokens(text: str, filled: bool) -> list[Token]:
    parser = MarkdownIt("commonmark", {"html": False})
    parser.enable(["table", "strikethrough"])
    parser.disable(["entity", "reference", "image"])
    # Addresses are shown, not followed: as they are written.
    for name, rule in (("normalizeLink", str), ("normalizeLinkText", str), ("validateLink", bool)):
        setattr(parser, name, rule)
    tokens = parser.parse(text)
    for token in tokens:
        if token.children:
            token.children = list(_inline(token.children, filled))
    return tokens


def _inline(tokens: list[Token], filled: bool) -> Iterator[Token]:
    """Addresses stand after what links to them, and line breaks stay where they are."""
    opened: list[tuple[Token, int]] = []
    said = ""
    for token in tokens:
        if token.type == "softbreak" and not filled:
            token.type = "hardbreak"
        said += token.content
        if token.type == "link_open":
            opened.append((token, len(said)))
            yield _renamed(token, "anchor_open")
        elif token.type == "link_close":
            yield _renamed(token, "anchor_close")
            link, start = opened.pop()
            title = f' "{link.attrs["title"]}"' if link.attrs.get("title") else ""
            address = f"{link.attrs.get('href', '')}{title}"
            if address != said[start:]:
                yield Token("text", "", 0, content=f" ({address})")
        else:
            yield token


def _renamed(token: Token, name: str) -> Token:
    renamed = copy(token)
    renamed.type, renamed.tag = name, "a"
    return renamed


class _Heading(Heading):
    """A heading at the left, like the text below it."""

    LEVEL_ALIGN = dict.fromkeys(Heading.LEVEL_ALIGN, "left")


class _Item(ListItem):
    """An item of a list; a number has the full stop that it was written with."""

    def render_number(
        self, console: Console, options: ConsoleOptions, number: int, last_number: int
    ) -> RenderResult:
        for place, piece in enumerate(super().render_number(console, options, number, last_number)):
            if place == 0 and isinstance(piece, Segment):
                numeral = f"{number}.".rjust(len(piece.text) - 1) + " "
                yield Segment(numeral, piece.style)
            else:
                yield piece


class _Code(CodeBlock):
    """Code, two columns in, below what its fence says about it."""

    @classmethod
    def create(cls, markdown: Markdown, token: Token) -> _Code:
        made = cls("text", "")
        made.said = token.info.strip()
        return made

    said = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = str(self.text).rstrip("\n").expandtabs(4)
        shown = Text(code)
        words = self.said.split()
        if words and len(code) <= _MOST_HIGHLIGHTED:
            lexer = words[0].strip("{}.").lower()
            shown = Syntax(code, lexer, theme=_CODE, background_color="default").highlight(code)
            shown.rstrip()
        shown.overflow, shown.no_wrap = "fold", False
        if self.said:
            yield Padding(Text(self.said, style="dim"), (0, 0, 0, 2))
        yield Padding(shown, (0, 0, 0, 2))


class _Table(TableElement):
    """A table whose cells are folded, never cut; without room for that, its source."""

    source = ""

    @classmethod
    def create(cls, markdown: Markdown, token: Token) -> _Table:
        made = cls()
        if token.map:
            made.source = "\n".join(markdown.markup.split("\n")[slice(*token.map)])
        return made

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        heads = self.header.row.cells if self.header and self.header.row else []
        if len(heads) * _NARROWEST_COLUMN > options.max_width:
            yield Text(self.source, overflow="fold")
            return
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, style="dim")
        for head in heads:
            table.add_column(head.content, justify=head.justify, overflow="fold")
        for row in self.body.rows if self.body else []:
            table.add_row(*(cell.content for cell in row.cells))
        yield table


class _Markdown(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _Heading,
        "list_item_open": _Item,
        "fence": _Code,
        "code_block": _Code,
        "table_open": _Table,
    }
    inlines = Markdown.inlines | {"a"}

    def __init__(self, text: str, filled: bool) -> None:
        super().__init__("", hyperlinks=False)
        self.markup, self.parsed = text, _tokens(text, filled)
