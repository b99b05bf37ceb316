"""Calling the command line in this process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from finder import jsonio
from finder.cli import run
from finder.cli.setting import Setting
from finder.places import Places
from finder.registry import Registry
from tests.memory import Memory, Shelf

NOW = 1_800_000_000_000  # 2027-01-15T08:00:00Z


@dataclass(frozen=True)
class Done:
    """What a call left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON value on stdout."""
        return jsonio.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """The JSON values on stdout, one a line."""
        return [jsonio.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class Caller:
    """Calls `finder` in a given setting."""

    setting: Setting
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *args: str) -> Done:
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run(args, self.setting)
        out, err = self.capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, out, err)


def caller(
    capsys: pytest.CaptureFixture[str],
    home: Path,
    *shelves: Shelf,
    registry: Registry | None = None,
    columns: int | None = None,
    env: dict[str, str] | None = None,
    screen: str | None = None,
    asks: bool = False,
) -> Caller:
    """A caller at home in a folder, with these shelves; with `columns` on a terminal.

    `screen` names that terminal; with `asks` somebody sits there and can answer.
    """
    setting = Setting(
        places=Places(home=home, cwd=home, env=env or {}),
        registry=registry or Registry.of(Memory(*shelves)),
        now=NOW,
        terminal=columns is not None,
        columns=columns or 80,
        lines=24,
        screen=screen,
        asks=asks,
    )
    return Caller(setting, capsys)
