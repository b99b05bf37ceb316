"""The picker's screen: the query above, the list, the preview beside or below it, the status."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.data_structures import Point
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import ANSI, StyleAndTextTuples, to_formatted_text
from prompt_toolkit.input import Input
from prompt_toolkit.layout import Dimension, HSplit, Layout, VSplit, Window
from prompt_toolkit.layout.containers import DynamicContainer
from prompt_toolkit.layout.controls import BufferControl, FormattedTextControl, UIContent, UIControl
from prompt_toolkit.layout.processors import (
    BeforeInput,
    ConditionalProcessor,
    Processor,
    Transformation,
    TransformationInput,
)
from prompt_toolkit.output import ColorDepth, Output
from prompt_toolkit.styles import Style

from finder.cli.picker import clipboard, show
from finder.cli.picker.keys import bindings
from finder.cli.picker.state import Answer, Choice, Deed, State, Target
from finder.render.text import line
from finder.words import folded

CUT = "… ^O reads on"
_BESIDE = 110  # columns from which the preview stands beside the list
_BELOW = 14  # lines from which it stands below
# As in `finder.render.look`: nothing that is to be read is dim, or of a colour that light or dark
# screens swallow.
_STYLE = Style.from_dict(
    {
        "prompt": "bold",
        "pointer": "ansimagenta bold",
        "selected": "reverse",
        "match": "bold underline",
        "label": "ansimagenta",
        "said": "bold",
        "warn": "ansimagenta",
        "border": "dim",
    }
)
_PLAIN = Style.from_dict({"prompt": "bold", "selected": "reverse", "match": "underline"})


class Leave(Exception):  # noqa: N818  (no error: the user has seen enough)
    """The user leaves without choosing."""


@dataclass(slots=True)
class Preview:
    """What is shown of the selected session. `whole`: the story has no more lines."""

    key: object = None
    lines: Sequence[str] = ()
    whole: bool = True
    scroll: int = 0

    def by(self, lines: int) -> None:
        """Scroll."""
        self.scroll = max(min(self.scroll + lines, len(self.lines) - 1), 0)


@dataclass(slots=True, kw_only=True)
class View:
    """What the screen depends on besides the state: the clock, the environment, the tools."""

    now: int
    home: str
    env: Mapping[str, str]
    tools: Sequence[str]
    colour: bool
    empty: Sequence[str]  # what is said where there is no session at all


class _List(UIControl):
    """The rows, or the targets of a conversion; a line is made when it is seen."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def is_focusable(self) -> bool:
        return False

    def create_content(self, width: int, height: int) -> UIContent:
        state, view = self._screen.state, self._screen.view
        self._screen.page = max(height - 1, 1)
        if state.converting is not None:
            return UIContent(
                get_line=lambda n: _pieces(
                    show.target_line(state.targets[n], selected=n == state.target)
                ),
                line_count=len(state.targets),
                cursor_position=Point(0, state.target),
                show_cursor=False,
            )
        rows, selected = state.answer.rows, state.selected
        if not rows:
            said = show.in_place_of_rows(state, view.empty, view.home, width)
            return UIContent(get_line=lambda n: [("", said[n])], line_count=len(said))
        layout = show.Layout.of(width, view.tools)
        words = [folded(word) for word in state.answer.text.split()]
        return UIContent(
            get_line=lambda n: _pieces(
                show.row_line(
                    rows[n], layout, words, selected=n == selected, now=view.now, home=view.home
                )
            ),
            line_count=len(rows),
            cursor_position=Point(0, selected),
            show_cursor=False,
        )


class _Story(UIControl):
    """The preview from where it was scrolled to."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def is_focusable(self) -> bool:
        return False

    def create_content(self, width: int, height: int) -> UIContent:
        preview = self._screen.preview if self._screen.state.row else Preview()
        self._screen.preview_size = (width, height)
        lines = preview.lines[preview.scroll :]
        most = width * height  # what is longer fills the window; the pager shows all of it
        return UIContent(
            get_line=lambda n: _ansi(lines[n], most) if n < len(lines) else _end(preview),
            line_count=len(lines) + 1,
        )


class _Hidden(Processor):
    """The query, while something else is asked in its line."""

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        return Transformation([], lambda _: 0, lambda _: 0)


def _pieces(pieces: Sequence[show.Piece]) -> StyleAndTextTuples:
    return list(pieces)


def _ansi(text: str, most: int) -> StyleAndTextTuples:
    shown = text if len(text) <= most else text[:most] + "…"
    return to_formatted_text(ANSI(shown))


def _end(preview: Preview) -> StyleAndTextTuples:
    return [("", "" if preview.whole else CUT)]


@dataclass(slots=True, kw_only=True)
class Screen:
    """One run of the picker.

    Attributes:
        ask: called with the query when it changes.
        drawn: called after the screen was drawn.
        reading: whether sessions are still being taken into memory.
        targets: what a session can be converted to.
        main_deed: what Enter does.
    """

    state: State
    view: View
    output: Output
    ask: Callable[[str], None]
    drawn: Callable[[Screen], None]
    reading: Callable[[], bool]
    targets: Callable[[], Sequence[Target]]
    main_deed: Deed = "resume"
    preview: Preview = field(default_factory=Preview)
    preview_size: tuple[int, int] = (80, 20)
    page: int = 10
    app: Application[Choice | None] = field(init=False)
    buffer: Buffer = field(init=False)

    def build(self, source: Input) -> None:
        """Make the application."""
        self.buffer = Buffer(multiline=False, on_text_changed=lambda _: self._typed())
        self.buffer.text = self.state.text
        self.buffer.cursor_position = len(self.state.text)
        self.app = Application(
            layout=Layout(self._layout()),
            key_bindings=bindings(self),
            style=_STYLE if self.view.colour else _PLAIN,
            color_depth=None if self.view.colour else ColorDepth.MONOCHROME,
            full_screen=True,
            input=source,
            output=self.output,
            after_render=lambda _: self.drawn(self),
        )
        self.app.ttimeoutlen = 0.05  # Esc alone leaves, without half a second of thought
        self.app.timeoutlen = 0.05

    def run(self) -> Choice | None:
        """Show it until something is chosen. What goes wrong in it is raised, and ends it."""

        def guard() -> None:
            asyncio.get_running_loop().set_exception_handler(self._broken)

        return self.app.run(pre_run=guard, set_exception_handler=False)

    def _broken(self, _: object, context: dict[str, Any]) -> None:
        if not self.app.is_done:
            self.app.exit(exception=context.get("exception") or RuntimeError(context["message"]))

    # -- what comes from the threads ------------------------------------------------------------

    def post(self, deed: Callable[[], None]) -> None:
        """Have something done by the screen's own thread, and show what it changed."""

        def run() -> None:
            if self.app.is_running and not self.app.is_done:
                deed()
                self.app.invalidate()

        loop = self.app.loop
        if loop is not None:
            with suppress(RuntimeError):  # the loop may be closed this moment: all is over
                loop.call_soon_threadsafe(run)

    def take(self, answer: Answer) -> None:
        """An answer has come."""
        self.finish(self.state.take(answer))

    def finish(self, choice: Choice | None) -> None:
        """End, if something was chosen."""
        if choice is not None:
            self.app.exit(result=choice)

    # -- what the keys do ------------------------------------------------------------------------

    def _typed(self) -> None:
        if self.state.typed(self.buffer.text):
            self.ask(self.state.text)

    def copy(self) -> None:
        """Put the selected session's id on the clipboard."""
        row = self.state.row
        if row is None:
            self.state.said = "no session is selected"
            return
        name = line(str(row.session.ref))
        if clipboard.given_away(name, self.view.env):
            self.state.said = f"copied {name}"
            return
        self.output.write_raw(clipboard.request(name))
        self.output.flush()
        self.state.said = f"asked the terminal to copy {name}"

    def convert(self) -> None:
        """Ask where to."""
        self.state.targets = self.targets()
        self.finish(self.state.want("convert"))

    def leave(self) -> None:
        """Close the question that is open, or all."""
        if self.state.converting is not None:
            self.state.converting = None
        else:
            self.app.exit(exception=Leave)

    # -- how it looks ----------------------------------------------------------------------------

    def _layout(self) -> HSplit:
        choosing = Condition(lambda: self.state.converting is not None)
        shown = [ConditionalProcessor(_Hidden(), choosing), BeforeInput(self._prompt)]
        query = Window(BufferControl(self.buffer, input_processors=shown), height=1)
        status = Window(FormattedTextControl(self._status), height=1)
        keys = Window(FormattedTextControl(self._keys), height=1)
        return HSplit([query, self._middle(), status, keys])

    def _middle(self) -> DynamicContainer:
        """The list, and where there is room the preview beside or below it."""
        rows = Window(
            _List(self), width=self._list_width, height=self._list_height, always_hide_cursor=True
        )
        story = Window(_Story(self), wrap_lines=True, always_hide_cursor=True)
        upright = Window(width=1, char="│", style="class:border")
        level = Window(height=1, char="─", style="class:border")
        arrangements = {
            "alone": HSplit([rows]),
            "beside": VSplit([rows, upright, story]),
            "below": HSplit([rows, level, story]),
        }
        return DynamicContainer(lambda: arrangements[self._arrangement()])

    def _arrangement(self) -> str:
        size = self.output.get_size()
        if self.state.preview and size.columns >= _BESIDE:
            return "beside"
        return "below" if self.state.preview and size.rows >= _BELOW else "alone"

    def _list_width(self) -> Dimension:
        if self._arrangement() != "beside":
            return Dimension()
        return Dimension.exact(self.output.get_size().columns * 11 // 20)

    def _list_height(self) -> Dimension:
        if self._arrangement() != "below":
            return Dimension()
        return Dimension.exact(max((self.output.get_size().rows - 4) * 2 // 5, 4))

    @property
    def shows_preview(self) -> bool:
        """Whether it is wanted, and there is room for it."""
        return self._arrangement() != "alone"

    def _prompt(self) -> StyleAndTextTuples:
        row = self.state.converting
        if row is None:
            return [("class:prompt", "> ")]
        return [("class:prompt", f"Convert {line(str(row.session.ref))} to: ")]

    def _status(self) -> StyleAndTextTuples:
        reading = self.reading()
        return _pieces(show.status_line(self.state, reading=reading, home=self.view.home))

    def _keys(self) -> StyleAndTextTuples:
        columns = self.output.get_size().columns
        return _pieces(show.keys_line(self.state, self.main_deed, columns))
