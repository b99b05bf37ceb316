"""5,000 sessions as a developer might have them: the same ones in every run."""

from __future__ import annotations

import random
from pathlib import Path

from tests.bench.sessions import FOLDERS, Clock, MadeSession
from tests.bench.titles import distinct_titles

HERE = Path(__file__).parent
NOW = 1_792_000_000_000  # milliseconds UTC
CODE = "/home/dev/code"
_DAY = 86_400_000
_COUNT = 5_000
_CROWD_DAYS = (30, 700)


def rows(path: Path) -> list[list[str]]:
    """The cells of a Markdown file's tables, without their heads."""
    found: list[list[str]] = []
    heading = True
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            heading = True
        elif heading:
            heading = False
        elif not line.startswith("|--"):
            found.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return found


def sessions() -> list[MadeSession]:
    """The sessions of `sessions.md`, and the crowd around them."""
    chosen = random.Random(20_261_120)
    clock = Clock(chosen)
    found: list[MadeSession] = []
    for days, folder, text in rows(HERE / "sessions.md"):
        title, _, named = text.partition(" (id:")
        parent = found[-1].id if title.startswith("↳ ") else None
        made = _session(clock, title.removeprefix("↳ "), float(days), folder, parent)
        made.id = named.rstrip(")") or made.id
        found.append(made)
    for title in distinct_titles()[: _COUNT - len(found)]:
        days = chosen.uniform(*_CROWD_DAYS)
        found.append(_session(clock, title, days, chosen.choice(FOLDERS), None))
    return found


def _session(clock: Clock, title: str, days: float, folder: str, parent: str | None) -> MadeSession:
    at = NOW - int(days * _DAY)
    return MadeSession(
        id=clock.id("ses", at),
        title=title,
        directory=f"{CODE}/{folder}",
        created=at - 3_600_000,
        updated=at,
        agent="explore" if parent else "build",
        parent=parent,
        text=0,
        children=[],
    )
