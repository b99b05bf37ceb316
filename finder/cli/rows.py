"""The rows of the list that was shown last in a terminal, so that a number can name one.

Kept in our cache folder, one small file for each terminal, which only its user may read. All of
it is disposable: a list that cannot be written is not remembered, and one that is damaged, old
or somebody else's was never there.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from finder.cli.setting import Setting
from finder.errors import FinderError
from finder.files import read
from finder.library import Entry
from finder.model import Json

_MOST_ROWS = 999
_MOST_BYTES = 1 << 20
_KEPT_SECONDS = 7 * 86_400


class Shown(NamedTuple):
    """A row: the session's tool and id, and the roots that the list was made of."""

    tool: str
    id: str
    roots: tuple[str, ...]


def remember(setting: Setting, entries: Iterable[Entry], roots: Sequence[str]) -> None:
    """Keep the rows that are being shown on the user's terminal."""
    if setting.screen is None or not setting.terminal:
        return
    shown = [entry.session.ref for entry in islice(entries, _MOST_ROWS)]
    if not shown:
        return
    from finder import jsonio

    path = _file(setting, setting.screen)
    refs = [(ref.tool, ref.id) for ref in shown]
    kept = {"roots": [str(setting.path(root)) for root in roots], "rows": refs}
    temporary = path.with_name(f"{path.stem}.{os.getpid()}.tmp")
    # A cache folder that cannot be written is no reason to keep the list from the user.
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _forget_old(path.parent)
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(jsonio.dumps(kept))
        temporary.replace(path)


def recalled(setting: Setting, word: str, roots: Sequence[str]) -> Shown | None:
    """The row that a word of the call names by its number; None: it names none."""
    if not _is_number(word) or setting.screen is None:
        return None
    kept = _kept(_file(setting, setting.screen))
    if kept is None:
        return None
    named = tuple(str(setting.path(root)) for root in roots)
    if named not in {(), kept[0].roots} or int(word) > len(kept):
        return None
    return kept[int(word) - 1]


def hint(setting: Setting, word: str) -> str | None:
    """Why a number names no row; None: it is no such number."""
    if not _is_number(word):
        return None
    kept = _kept(_file(setting, setting.screen)) if setting.screen is not None else None
    if kept is None:
        return "no list was shown on this terminal; finder find shows one"
    return f"the last list on this terminal had {len(kept)} row{'' if len(kept) == 1 else 's'}"


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and word[0] != "0" and len(word) <= 3


def _file(setting: Setting, screen: str) -> Path:
    import hashlib

    name = hashlib.sha256(screen.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return setting.places.cache() / "rows" / f"{name}.json"


def _kept(path: Path) -> list[Shown] | None:
    from finder import jsonio

    try:
        if hasattr(os, "getuid") and path.lstat().st_uid != os.getuid():
            return None
        value: Json = jsonio.loads(read(path, _MOST_BYTES))
        roots, rows = value["roots"], value["rows"]
        given = [Shown(tool, identifier, tuple(roots)) for tool, identifier in rows]
    except (OSError, FinderError, ValueError, TypeError, KeyError):
        return None
    words = [word for row in given for word in (row.tool, row.id, *row.roots)]
    return given if given and all(isinstance(word, str) for word in words) else None


def _forget_old(folder: Path) -> None:
    oldest = time.time() - _KEPT_SECONDS
    for entry in os.scandir(folder):
        if entry.stat(follow_symlinks=False).st_mtime < oldest:
            Path(entry).unlink(missing_ok=True)
