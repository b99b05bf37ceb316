"""Why a search found nothing: what it would have found, had less been asked, or been spelled so.

It is worked out only where there is no row to show, so it may cost as much as a few searches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from itertools import chain, islice, product
from typing import Any, NamedTuple

from finder.find import Answer, Query, find, is_archived, looks_like_id
from finder.library import Library
from finder.words import folded

_LEAST_OF_ID = 6  # characters of its own part
_MOST_WORDS = 6  # of a query that each of its words is left out of in turn
_SHORTEST, _LEAST_ALIKE, _ALIKE_TRIED, _TRIED = 3, 0.59, 3, 12
# What narrows a search besides its words, and the query without it.
_NARROWING: dict[str, dict[str, Any]] = {
    "--cwd": {"directories": ()},
    "--agent": {"agent": None},
    "--model": {"model": None},
    "--since": {"since": None},
    "--until": {"until": None},
    "--no-archived": {"archived": True},
}
_TOOL = "--tool"


class Wider(NamedTuple):
    """A search like the one that found nothing, which finds something.

    Attributes:
        words: its words.
        left_out: the options, as a call has them, or the word, that it does without.
        sessions: how many rows it has; `more`: and further ones.
        archived, trashed: how many of these the user has put away.
    """

    words: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    sessions: int = 0
    more: bool = False
    archived: int = 0
    trashed: int = 0


class Explanation(NamedTuple):
    """Why there is no row.

    Attributes:
        without: the same search without an option, or a word, that keeps it from finding.
        meant: the same search with other words, which are there and look alike.
    """

    without: tuple[Wider, ...] = ()
    meant: tuple[Wider, ...] = ()


Search = Callable[[Library, Query], Answer]
MOST = 1_000  # rows are counted so far


def explain(
    library: Library,
    query: Query,
    everywhere: Library | None = None,
    *,
    search: Search = find,
    most: int = MOST,
) -> Explanation:
    """What a query that finds nothing in a library would find otherwise.

    `everywhere`: the stores of all tools, where the library has those of some. Of what is found,
    so many rows at `most` are counted.
    """
    query = query._replace(limit=most, sort=None)
    return _Explaining(library, query, everywhere, search).explanation()


class _Explaining:
    def __init__(
        self, library: Library, query: Query, everywhere: Library | None, search: Search
    ) -> None:
        self._search = search
        self._library = library
        self._everywhere = everywhere
        self._query = query
        tool = [] if everywhere is None else [_TOOL]
        self._options = tool + [option for option in _NARROWING if self._has(option)]

    def _has(self, option: str) -> bool:
        unused = Query()
        return any(getattr(self._query, n) != getattr(unused, n) for n in _NARROWING[option])

    def explanation(self) -> Explanation:
        if without := tuple(self._without_options()):
            return Explanation(without)
        if meant := tuple(self._meant()):
            return Explanation(meant=meant)
        return Explanation(tuple(self._without_a_word()))

    def _without_options(self) -> Iterator[Wider]:
        """Each option left out by itself; where that is not enough, all of them."""
        words = self._query.words
        together = self._wider(words, tuple(self._options)) if self._options else None
        if together is None:
            return
        if len(self._options) == 1:
            yield together
            return
        singly = [self._wider(words, (option,)) for option in self._options]
        yield from filter(None, singly) if any(singly) else [together]

    def _without_a_word(self) -> Iterator[Wider]:
        words = self._query.words
        for at in range(len(words)) if 1 < len(words) <= _MOST_WORDS else ():
            rest = words[:at] + words[at + 1 :]
            options = tuple(self._options)
            if found := self._wider(rest) or (options and self._wider(rest, options)):
                yield found._replace(left_out=(*found.left_out, words[at]))

    def _meant(self) -> Iterator[Wider]:
        """The query with its unknown words replaced; the first spelling that finds something."""
        others = (w for w in product(*self._spellings()) if w != self._query.words)
        for words in islice(chain(self._shorter_id(), others), _TRIED):
            found = self._wider(words)
            if not found and self._options:
                found = self._wider(words, tuple(self._options))
            if found:
                yield found
                return

    def _shorter_id(self) -> Iterator[tuple[str, ...]]:
        """For an id that is not there: as much of it as some id begins with."""
        words = self._query.words
        if len(words) != 1 or not looks_like_id(words[0]):
            return
        tool, colon, rest = words[0].rpartition(":")
        least = max(rest.find("_") + 1 + _LEAST_OF_ID, len(rest) // 2)
        for end in range(len(rest) - 1, least - 1, -1):
            if (self._everywhere or self._library).prefixed(rest[:end], tool or None):
                yield (f"{tool}{colon}{rest[:end]}",)
                return

    def _spellings(self) -> list[tuple[str, ...]]:
        """Each word of the query; one that no title has, after those that look like it."""
        words = self._query.words
        library = self._everywhere or self._library
        known = library.vocabulary().words if any(map(_may_be_misspelled, words)) else set()
        return [(*_alike(folded(word), known), word) for word in words]

    def _wider(self, words: tuple[str, ...], left_out: tuple[str, ...] = ()) -> Wider | None:
        library = self._library
        if _TOOL in left_out and self._everywhere is not None:
            library = self._everywhere
        given = {n: v for o in left_out if o != _TOOL for n, v in _NARROWING[o].items()}
        answer = self._search(library, self._query._replace(words=words, **given))
        if not answer.rows:
            return None
        return Wider(
            words=words,
            left_out=left_out,
            sessions=len(answer.rows),
            more=answer.more,
            archived=_count(answer, archived=True),
            trashed=_count(answer, archived=False),
        )


def _count(answer: Answer, *, archived: bool) -> int:
    sessions = [row.session for row in answer.rows]
    return sum(is_archived(s) if archived else "trashed" in s.labels for s in sessions)


def _may_be_misspelled(word: str) -> bool:
    # Another number is another thing, not a slip.
    return len(word) >= _SHORTEST and not any(character.isdigit() for character in word)


def _alike(word: str, known: Collection[str]) -> list[str]:
    """The known words that look most like one that none of them has in it."""
    if not known or not _may_be_misspelled(word) or any(word in one for one in known):
        return []
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    near = process.extract(
        word,
        sorted(one for one in known if re.search(r"[^\W\d]", one)),
        scorer=OSA.normalized_similarity,
        score_cutoff=_LEAST_ALIKE,
        limit=_ALIKE_TRIED,
    )
    return [found for found, _, _ in near]
