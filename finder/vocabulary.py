"""Which words stand in the titles and folders of a store: for telling typing errors quickly.

It is kept in our cache folder, one file for each database, which only its user may read. It is
checked against the store: where that has changed, what was updated since is read, and added. Where
that leads to nothing, or nothing is kept, or it is damaged, all sessions are asked what they are
called. It only proposes words to look for; the store is asked what it has.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from finder import files
from finder.errors import FinderError
from finder.words import folded

if TYPE_CHECKING:
    from finder.adapter import Named
    from finder.source import Source

_HEAD = "finder vocabulary 1"
_MOST_BYTES = 64 << 20


class _Kept(NamedTuple):
    """What the file holds: the store's stamp, the newest session's time, all words in lines."""

    stamp: str
    newest: int
    text: str


class Words(NamedTuple):
    """Words of titles and of innermost folders; `sure`: all that there are."""

    words: set[str]
    sure: bool


def words_of(source: Source, cache: Path | None, *, anew: bool = False) -> Words:
    """The words of one store; with `anew` nothing that was kept is believed."""
    if cache is None or source.store.kind != "database" or source.whole:
        return Words(_words(source.names()), True)
    path = _file(cache, source.store.path)
    stamp = source.stamp()
    kept = None if anew else _read(path)
    if kept is not None and kept.stamp == stamp:
        return Words(set(kept.text.split("\n")), True)
    known = set(kept.text.split("\n")) if kept else set()
    named = source.names(kept.newest if kept else None)
    newest = max((one.updated or 0 for one in named), default=kept.newest if kept else 0)
    words = known | _words(named)
    if not source.failed:
        # A cache folder that cannot be written costs time, nothing else.
        with contextlib.suppress(FinderError):
            data = "\n".join([_HEAD, stamp, str(newest), *sorted(words)])
            files.write(path, data.encode("utf-8", "surrogatepass"), mode=0o600, replace=True)
    return Words(words, kept is None)


def _words(named: Iterable[Named]) -> set[str]:
    """Many titles are taken apart at once: one by one that takes five times as long."""
    titles = {one.title for one in named if one.title}
    folders = {one.directory for one in named if one.directory}
    inner = {folder.rstrip("/\\").replace("\\", "/").rpartition("/")[2] for folder in folders}
    return set(re.findall(r"[^\W_]+", folded("\n".join([*titles, *inner]))))


def _file(cache: Path, store: Path) -> Path:
    import hashlib

    name = hashlib.sha256(str(store.absolute()).encode("utf-8", "surrogateescape")).hexdigest()
    return cache / "words" / f"{name[:24]}.txt"


def _read(path: Path) -> _Kept | None:
    try:
        text = files.read(path, _MOST_BYTES).decode("utf-8", "surrogatepass")
        head, stamp, newest, words = text.split("\n", 3)
        return _Kept(stamp, int(newest), words) if head == _HEAD else None
    except (FinderError, ValueError):
        return None
