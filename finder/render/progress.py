"""A bar on a person's stderr for work that takes long; in a pipe nothing at all.

    with Progress("Reading sessions") as progress:
        for number, path in enumerate(paths):
            progress(number, len(paths))

It appears after a second and leaves no trace. Until then a call costs a look at the clock, and
nothing is imported.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

_AFTER = 1.0  # seconds of work before it is worth a bar
_PERIOD = 0.1  # seconds from one picture to the next


class Progress:
    """Call it with how much is done, and of how much where that is known."""

    def __init__(self, title: str, *, stream: TextIO | None = None, after: float = _AFTER) -> None:
        """`stream`: instead of stderr; `after`: seconds."""
        self._title = title
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
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        console = Console(file=self._stream)
        if console.is_dumb_terminal:
            self._next = float("inf")
            return
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            auto_refresh=False,  # no thread: who works tells how far it is
            redirect_stdout=False,
            redirect_stderr=False,
        )
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
        self._next = float("inf")
