"""What a command works in: the places, the adapters, the time and the terminal."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from finder.library import Library
from finder.places import Places
from finder.registry import Registry
from finder.source import Watch, quietly

if TYPE_CHECKING:
    import click


class Setting(NamedTuple):
    """All that a command takes from outside of its call. Tests give their own.

    Attributes:
        now: milliseconds UTC.
        terminal: the answer goes to a person's screen, of so many columns and lines.
        screen: what tells that terminal from the user's others; None: there is none.
        asks: there is a person who can answer a question.
    """

    places: Places
    registry: Registry
    now: int
    terminal: bool = False
    columns: int = 80
    lines: int = 24
    screen: str | None = None
    asks: bool = False

    @classmethod
    def here(cls) -> Setting:
        """The real one."""
        terminal = sys.stdout.isatty()
        columns, lines = _size() if terminal else (80, 24)
        return cls(
            places=Places.here(),
            registry=Registry.installed(),
            now=int(time.time() * 1000),
            terminal=terminal,
            columns=columns,
            lines=lines,
            screen=_screen(),
            asks=_is_terminal(sys.stdin) and _is_terminal(sys.stderr),
        )

    @property
    def room(self) -> int | None:
        """How wide a line may be; in a pipe as wide as it likes."""
        return self.columns if self.terminal else None

    @property
    def colour(self) -> bool:
        """Whether styles may be used."""
        env = self.places.env
        return self.terminal and not env.get("NO_COLOR") and env.get("TERM") != "dumb"

    @property
    def home(self) -> str:
        """The home folder's path."""
        return str(self.places.home)

    def path(self, named: str) -> Path:
        """A path as the user wrote it in the call."""
        if named == "~" or named.startswith(("~/", "~\\")):
            return self.places.home / named[2:]
        path = self.places.cwd / named
        return Path(os.path.normpath(path)) if ".." in path.parts else path

    def library(
        self,
        roots: Sequence[str],
        tools: Sequence[str] = (),
        *,
        raw: bool = False,
        quiet: bool = False,
    ) -> Library:
        """The stores that a call is about; `quiet`: nothing is shown while files are read."""
        folders = [self.path(root) for root in roots]
        progress = quietly if quiet else _reading
        return Library.open(self.registry, self.places, folders, tools, raw=raw, progress=progress)


def _reading() -> AbstractContextManager[Watch]:
    from finder.render.progress import Progress

    return Progress("Reading sessions")


def _size() -> tuple[int, int]:
    import shutil

    return shutil.get_terminal_size()


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


def _screen() -> str | None:
    """The controlling terminal and the login on it: terminals' names are used again."""
    if not hasattr(os, "ttyname"):  # Windows
        return str(os.getppid()) if _is_terminal(sys.stdout) else None
    for descriptor in (0, 1, 2):
        with contextlib.suppress(OSError):
            return f"{os.ttyname(descriptor)} {os.getsid(0)}"
    return None


def with_setting(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as click calls it: with the values alone."""

    def called(**values: Any) -> Any:
        import click

        return function(setting_of(click.get_current_context()), **values)

    return called


def setting_of(ctx: click.Context) -> Setting:
    """The setting of a call."""
    root = ctx.find_root()
    if root.obj is None:
        root.obj = Setting.here()
    found: Setting = root.obj
    return found
