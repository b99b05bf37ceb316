"""One session of picking: the screen, the workers, and what is between them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prompt_toolkit.input import Input
from prompt_toolkit.input.defaults import create_input
from prompt_toolkit.output import Output
from prompt_toolkit.output.defaults import create_output

from finder.cli.picker.screen import CUT, Preview, Screen, View
from finder.cli.picker.state import Answer, Choice, Deed, State, Target
from finder.cli.picker.work import Searching, Wanted, Worker, portions
from finder.cli.setting import Setting
from finder.errors import FinderError, WriteError
from finder.find import Row
from finder.library import Library
from finder.render.text import line

if TYPE_CHECKING:
    from finder.get import Numbered

_MOST_MESSAGES, _MOST_LINES = 100, 2_000  # of a story in the preview; the pager shows all
_DOCUMENTS = ("html", "markdown")
_PAUSE = 0.1  # seconds without a key, after which the stores are asked


@dataclass(slots=True, kw_only=True)
class Picker:
    """The picker over one library.

    Attributes:
        fresh: opens the same stores again, for the thread that takes all sessions into memory.
        empty: what is said where there are no sessions.
    """

    setting: Setting
    searching: Searching
    state: State
    empty: Sequence[str] = ()
    main_deed: Deed = "resume"
    source: Input | None = None
    output: Output | None = None
    failed: Exception | None = None
    screen: Screen | None = None
    _stands: Screen | None = None
    _begun: bool = False
    _held: Library | None = None
    _searcher: Worker[str] = field(init=False)
    _asker: Worker[str] = field(init=False)
    _reader: Worker[bool] = field(init=False)
    _previewer: Worker[tuple[Row, int, int]] = field(init=False)

    def __post_init__(self) -> None:
        self.state.answer = self.searching.first(self.state.text)
        self.state.problems = tuple(self.searching.library.problems)
        self._searcher = Worker(self._search, self._fail)
        self._asker = Worker(self._ask, self._fail)
        self._previewer = Worker(self._preview, self._fail)
        self._reader = Worker(self._read, self._fail)

    def run(self) -> Choice | None:
        """Show the screen until something is chosen.

        Raises:
            Leave: nothing was chosen.
            KeyboardInterrupt: ^C.
        """
        screen = Screen(
            state=self.state,
            view=View(
                now=self.setting.now,
                home=self.setting.home,
                env=self.setting.places.env,
                tools=sorted({s.store.tool for s in self.searching.library.sources}),
                colour=coloured(self.setting),
                empty=self.empty,
            ),
            output=self.output or create_output(always_prefer_tty=True),
            ask=self._typed,
            drawn=self._drawn,
            reading=lambda: not self.searching.whole,
            targets=lambda: targets(self.setting),
            main_deed=self.main_deed,
        )
        screen.build(self.source or create_input(always_prefer_tty=True))
        self.screen = screen
        kept = sys.getswitchinterval()
        sys.setswitchinterval(0.001)  # a key waits so long for a thread that computes
        try:
            choice = screen.run()
        finally:
            sys.setswitchinterval(kept)
        if self.failed is not None:
            raise self.failed
        return choice

    def seen(self) -> Setting:
        """The setting, with the screen as large as it was last."""
        if self.screen is None:
            return self.setting
        size = self.screen.output.get_size()
        return self.setting._replace(columns=size.columns, lines=size.rows)

    def end(self) -> None:
        """No thread is needed any more."""
        for worker in (self._searcher, self._asker, self._reader, self._previewer):
            worker.end()

    # -- the threads -----------------------------------------------------------------------------

    def _read(self, _: bool, wanted: Wanted) -> None:
        self._known(self.searching.begin())
        if not self.searching.whole:
            self._known(self.searching.read())
        if self.searching.index is not None:
            self.searching.index.prepare()

    def _known(self, library: Library) -> None:
        """More sessions are in memory: what is shown is asked for anew."""
        self._held = library

        def known() -> None:
            self.state.problems = tuple(library.problems)
            self._searcher.ask(self.state.text)

        self._post(known)

    def _typed(self, text: str) -> None:
        self._searcher.ask(text)
        self._asker.ask(text)

    def _search(self, text: str, wanted: Wanted) -> None:
        for answer in self.searching.answers(text, wanted):
            if wanted():
                self._post(lambda answer=answer: self._answered(answer))  # type: ignore[misc]

    def _ask(self, text: str, wanted: Wanted) -> None:
        time.sleep(_PAUSE)
        answer = self.searching.ask(text) if wanted() else None
        if answer is not None and wanted() and not self.searching.whole:
            self._post(lambda: self._answered(answer))

    def _answered(self, answer: Answer) -> None:
        if self.screen is not None:
            self.screen.take(answer)

    def _drawn(self, screen: Screen) -> None:
        if self.failed is not None and not screen.app.is_done:
            screen.app.exit(result=None)
            return
        if self._stands is not screen:
            self._stands = screen
            self._begin()
        self._peek(screen)

    def _begin(self) -> None:
        """The screen stands: only now may other work take the time."""
        if self._held is not None:  # what came while the pager stood there was not shown
            self._known(self._held)
        elif not self._begun:
            self._begun = True
            self._reader.ask(True)

    def _peek(self, screen: Screen) -> None:
        """Have the selected session read, if that has not been asked for yet."""
        row = self.state.row
        if row is None or not screen.shows_preview:
            return
        width, height = screen.preview_size
        key = (row.session.ref, row.session.stamp, width, len(row.subagents))
        if screen.preview.key != key:
            screen.preview = Preview(key=key, lines=(), whole=True)
            self._previewer.ask((row, width, height))

    def _preview(self, asked: tuple[Row, int, int], wanted: Wanted) -> None:
        row, width, height = asked
        row = row._replace(subagents=())  # a long list of them would stand before the story
        lines = story_lines(self.setting, self.searching.library, row, width, _MOST_MESSAGES)
        part: list[str] = []
        try:
            for part, whole in portions(lines, height, _MOST_LINES):
                if not wanted():
                    return
                self._post(lambda part=part, whole=whole: self._shown(part, whole, wanted))  # type: ignore[misc]
        except Exception as error:  # an adapter's or ours: the other sessions can still be seen
            broken = [*part, line(f"! a bug in finder: {type(error).__name__}: {error}")]
            self._post(lambda: self._shown(broken, True, wanted))

    def _shown(self, lines: list[str], whole: bool, wanted: Wanted) -> None:
        if wanted() and self.screen is not None:
            self.screen.preview.lines = lines
            self.screen.preview.whole = whole

    def _post(self, deed: Callable[[], None]) -> None:
        if self.screen is not None:
            self.screen.post(deed)

    def _fail(self, error: Exception) -> None:
        """A worker broke: the picker ends, and the error is told as any other."""
        self.failed = error
        self._post(lambda: None)  # drawing then sees it


def coloured(setting: Setting) -> bool:
    """Whether the screen has colours; it may be one although stdout is none."""
    env = setting.places.env
    return not env.get("NO_COLOR") and env.get("TERM") != "dumb"


def story_lines(
    setting: Setting, library: Library, row: Row, width: int, most: int | None = None
) -> Iterator[str]:
    """A session's transcript; what cannot be read of it is said in its place.

    With `most` only so many messages are read, and `CUT` is the last line if there are more.
    """
    # Imported for the first story, not for the first screen.
    from finder.get import Choice as Events
    from finder.get import Left, story
    from finder.render import transcript
    from finder.render.look import Look
    from finder.render.look import coloured as paint

    look = Look(room=width)
    if coloured(setting):
        from finder.render import screen

        look = Look(room=width, paint=paint, prose=screen.prose)
    yield from transcript.heading(
        row.entry, row.subagents, home=setting.home, paint=look.paint, room=width, listed=False
    )
    ended: list[str] = []
    left = Left()

    def told() -> Iterator[Numbered]:
        """What a store's failure leaves of it."""
        try:
            chosen = Events(first=most)
            yield from story(setting.registry, library, row.session.ref, chosen, left)
            if left.messages != 0:
                ended.append(CUT)
        except FinderError as error:
            ended.extend(("", *look.text(f"! {error.message}", "warn")))

    for block in transcript.blocks(told(), look, below=row.subagents):
        yield from block.lines
    yield from ended


def targets(setting: Setting) -> list[Target]:
    """What a session can be converted to, the documents first."""
    adapters = [a for a in setting.registry.adapters() if a.target is not None]
    found = [Target(to=name) for name in _DOCUMENTS]
    for adapter in adapters:
        assert adapter.target is not None
        try:
            live = adapter.root(setting.places) or adapter.installation(setting.places)
        except WriteError:  # no store of its own is there yet
            live = None
        if live:
            found.append(Target(to=adapter.target, install=True))
        found.append(Target(to=adapter.target))
    return found
