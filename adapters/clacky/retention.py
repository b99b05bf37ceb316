"""Clacky deletes sessions: at every save, the oldest beyond 200 (session_manager.rb).

Up to 1.2.17 the oldest by the time of creation, from 1.2.18 on by the last update; from 1.2.9 on
into the trash, but for pinned ones, before for good.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from adapters.clacky import stored
from finder.model import Session

_KEPT = 200
_TIME = "%Y-%m-%d-%H-%M-%S"


def cautions(folder: Path, sessions: Sequence[Session]) -> Iterator[str]:
    """What is going to be deleted, once these sessions are in a folder too.

    The folder is only listed: the names of its files begin with when their sessions were made.
    """
    try:
        there = [name for name in os.listdir(folder) if stored.is_session(name)]
    except OSError:
        return
    own = {session.ref.id[:8] for session in sessions}
    made = sorted((name for name in there if name[-13:-5] not in own), reverse=True)
    total = len(made) + len(sessions)
    if total <= _KEPT:
        return
    yield (
        f"OpenClacky keeps its newest {_KEPT} sessions and deletes the rest whenever it saves one; "
        f"with what is installed now there are {total:,}"
    )
    names = sorted([*made, *map(_name, sessions)], reverse=True)
    gone = {name for name in map(_name, sessions) if name in names[_KEPT:]}
    if gone:
        yield (
            f"up to version 1.2.17 it goes by when a session was made, and would delete {len(gone)}"
            f" of the installed ones at once; from 1.2.18 on by its last update"
        )


def _name(session: Session) -> str:
    created = datetime.fromtimestamp((session.created or 0) / 1000, UTC)
    return f"{created:{_TIME}}-{session.ref.id[:8]}.json"
