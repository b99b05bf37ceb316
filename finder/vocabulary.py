"""Which words stand in the titles, folders and agents of a store: to tell typing errors quickly.

It is kept in our cache folder, one file for each database, which only its user may read. It is
checked against the store: where that has changed, what was updated since is read, and added. All
sessions are asked what they are called where that leads to nothing, where nothing is kept, or
something damaged, and once when the store has come to rest after a change. It only proposes words
to look for; the store is asked what it has.

Where a store is as it was when all of its sessions were asked, what is kept also tells in which
fields a word can stand, so that the store need not look into the others.
"""

from __future__ import annotations

import contextlib
import re
import time
from binascii import crc32
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from finder import files
from finder.adapter import ALL_FIELDS, Word
from finder.errors import FinderError
from finder.words import EQUAL_TO_ASCII, folded

if TYPE_CHECKING:
    from finder.adapter import Names
    from finder.source import Source

_HEAD = "finder vocabulary 3"
_MOST_BYTES = 64 << 20
_PIECE = 1 << 20  # characters that are taken apart at once
_RUN = r"[^\W_]+"
_EQUAL = frozenset(EQUAL_TO_ASCII)


class Words(NamedTuple):
    """What stands in some stores, folded.

    Attributes:
        text: the words of all titles and innermost folders, one a line.
        directories, agents: each with a line break after it.
        disguised: words of all of these in which other letters are equal to ASCII ones, such as
            "strasse" for "Straße".
        sure: this is all there is.
    """

    text: str
    directories: str
    agents: str
    disguised: str
    sure: bool

    @classmethod
    def all_of(cls, several: Sequence[Words]) -> Words:
        """Those of several stores together."""
        return cls(
            text="\n".join(one.text for one in several),
            directories="".join(one.directories for one in several),
            agents="".join(one.agents for one in several),
            disguised="".join(one.disguised for one in several),
            sure=all(one.sure for one in several),
        )

    @property
    def words(self) -> set[str]:
        """All words, as a query may have mistyped them."""
        return set(self.text.split())

    def placed(self, word: str, fields: Sequence[str] = ALL_FIELDS) -> Word:
        """A word with those of the fields in which it can stand, as far as this tells."""
        if not self.sure:
            return Word(word, tuple(fields))
        runs = re.findall(_RUN, word)
        there = {
            "title": all(run in self.text for run in runs),
            # Where a session has no directory, its messages may name one.
            "directory": word in self.directories or "\n\n" in f"\n{self.directories}",
            "agent": word in self.agents,
            "id": True,
        }
        parts = [*runs, *set(word).intersection(";`")]
        plain = word.isascii() and not any(part in self.disguised for part in parts)
        return Word(word, tuple(field for field in fields if there[field]), plain)


class _Kept(NamedTuple):
    """What the file holds: the store's stamp, the newest session's time, the words."""

    stamp: str
    newest: int
    words: Words


def kept_words(source: Source, cache: Path | None) -> Words | None:
    """All words of a store that has not changed since they were kept; None: it is not certain."""
    if source.store.kind != "database":  # it is read whole for any words
        return words_of(source, cache)
    if cache is None:
        return None
    kept = _read(_file(cache, source.store.path), source.store.path)
    sure = kept is not None and kept.words.sure and kept.stamp == source.stamp()
    return kept.words if kept is not None and sure else None


def words_of(source: Source, cache: Path | None, *, anew: bool = False) -> Words:
    """The words of one store; with `anew` nothing that was kept is believed."""
    if cache is None or source.store.kind != "database" or source.whole:
        return _words(source.names(), sure=True)
    path = _file(cache, source.store.path)
    # One that was written to just now may be written to again and look the same.
    stamp, settled, now = source.stamp(), source.settled(), int(time.time() * 1000)
    kept = None if anew else _read(path, source.store.path)
    if kept is not None and kept.stamp == stamp:
        if kept.words.sure or not settled:
            return kept.words
        kept = None  # The store has come to rest: now it pays to ask for all.
    named = source.names(kept.newest if kept else None)
    # Of a time to come nothing newer would be asked for until then.
    newest = min(max(named.newest or 0, kept.newest if kept else 0), now)
    words = _words(named, sure=kept is None)
    if kept is not None:
        text = "\n".join(sorted(kept.words.words | words.words))
        words = Words(text, "", "", "", sure=False)
    if not source.failed:
        proven = words._replace(sure=words.sure and settled)
        _write(path, source.store.path, _Kept(stamp, newest, proven))
    return words


def _words(named: Names, *, sure: bool) -> Words:
    """Many titles are taken apart at once: one by one that takes five times as long."""
    folders = (folder.rstrip("/\\").replace("\\", "/") for folder in named.directories)
    inner = {folder.rpartition("/")[2] for folder in folders}
    words: set[str] = set()
    for piece in _pieces(folded("\n".join([*named.titles, *inner]))):
        words.update(re.findall(_RUN, piece))
    others = (text for texts in named[:3] for text in texts if not text.isascii())
    spaced = {word for text in others for word in text.split()}
    disguised = {word for word in spaced if not _EQUAL.isdisjoint(word)}
    return Words(
        text="\n".join(sorted(words)),
        directories=_lines(named.directories),
        agents=_lines(named.agents),
        disguised=_lines(disguised),
        sure=sure and named.whole,
    )


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces of about the same size, none of which ends inside a word."""
    start = 0
    while start < len(text):
        end = start + _PIECE
        while end < len(text) and text[end].isalnum():
            end += 1
        yield text[start:end]
        start = end


def _lines(texts: Iterable[str]) -> str:
    return "".join(sorted({f"{folded(text)}\n" for text in texts}))


def _file(cache: Path, store: Path) -> Path:
    # Two stores may get the same name; the file says which of them it is of.
    name = crc32(str(store.absolute()).encode("utf-8", "surrogateescape"))
    return cache / "words" / f"{name:08x}.txt"


def _read(path: Path, store: Path) -> _Kept | None:
    try:
        data = files.read(path, _MOST_BYTES).decode("utf-8", "surrogatepass")
        head, of, stamp, newest, sure, rest = data.split("\n", 5)
        text, directories, agents, disguised = rest.split("\0")
        if head != _HEAD or of != repr(str(store.absolute())):
            return None
        words = Words(text, directories, agents, disguised, sure == "sure")
        return _Kept(stamp, int(newest), words)
    except (FinderError, ValueError):
        return None


def _write(path: Path, store: Path, kept: _Kept) -> None:
    of, sure = repr(str(store.absolute())), "sure" if kept.words.sure else "not sure"
    texts = (text.replace("\0", " ") for text in kept.words[:4])
    data = "\n".join([_HEAD, of, kept.stamp, str(kept.newest), sure, "\0".join(texts)])
    # A cache folder that cannot be written costs time, nothing else.
    with contextlib.suppress(FinderError):
        files.write(path, data.encode("utf-8", "surrogatepass"), mode=0o600, replace=True)
