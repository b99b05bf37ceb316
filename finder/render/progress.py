"""A bar on a person's stderr for work that takes long; in a pipe nothing at all.

    with Progress("Reading sessions") as progress:
        for number, path in enumerate(paths):
            progress(number, len(paths))

It appears after a second and leaves no trace. Until then a call costs a look at the clock, and
nothing is imported. Where nobody tells how far the work is, `Waiting` shows that it goes on.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, TextIO

if TYPE_CHECKING:
    from threading import Event, Thread

    from rich.progress import Progress as Bar
    from rich.progress import TaskID

_AFTER = 1.0  # seconds of work before it is worth a bar
_PERIOD = 0.1  # seconds from one picture to the next


class Progress:
    """Call it with how much is done, and of how much where that is known.

    One is shown at a time: what a longer piece of work consists of shows nothing of its own.
    """

    _one_is_shown: ClassVar[bool] = False

    def __init__(self, title: str, *, stream: TextIO | None = None, after: float = _AFTER) -> None:
        """`stream`: instead of stderr; `after`: seconds."""
        self._title = title
        self._counts = True
        self._stream = sys.stderr if stream is None else stream
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._next = time.monotonic() + after if self._stream.isatty() else float("inf")

    def __enter__(self) -> Progress:
        return self

    def __call__(self, done: int, total: int | None = None) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _PERIOD
        if self._bar is None:
            self._begin()
        if self._bar is None or self._task is None:
            return
        self._bar.update(self._task, completed=done, total=total)
        self._bar.refresh()

    def _begin(self) -> None:
        from rich import progress
        from rich.console import Console

        console = Console(file=self._stream)
        if console.is_dumb_terminal or Progress._one_is_shown:
            self._next = float("inf")
            return
        counted = (progress.MofNCompleteColumn(), progress.TimeRemainingColumn())
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            *(counted if self._counts else (progress.TimeElapsedColumn(),)),
            console=console,
            transient=True,
            auto_refresh=False,  # no thread: who works tells how far it is
            redirect_stdout=False,
            redirect_stderr=False,
        )
        Progress._one_is_shown = True
        self._bar.start()
        self._task = self._bar.add_task(self._title, total=None)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
            Progress._one_is_shown = False
        self._next = float("inf")


class Waiting:
    """Shows that something goes on while the caller is busy with it."""

    def __init__(self, title: str, *, stream: TextIO | None = None, after: float = _AFTER) -> None:
        """Like `Progress`."""
        self._progress = Progress(title, stream=stream, after=0)
        self._progress._counts = False
        self._shown = (sys.stderr if stream is None else stream).isatty()
        self._after = after
        self._ended: Event | None = None
        self._thread: Thread | None = None

    def __enter__(self) -> Waiting:
        if self._shown:
            from threading import Event, Thread

            self._ended = Event()
            self._thread = Thread(target=self._show, args=(self._ended,), daemon=True)
            self._thread.start()
        return self

    def _show(self, ended: Event) -> None:
        wait = self._after
        with self._progress as progress:
            while not ended.wait(wait):
                progress(0)
                wait = _PERIOD

    def __exit__(self, *_: object) -> None:
        if self._ended is not None and self._thread is not None:
            self._ended.set()
            self._thread.join()
