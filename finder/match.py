"""How well a session fits the words of a query.

All words must match. Each word is judged by itself, by the best of the session's fields:

    exact      it is the whole title, id or directory
    whole      it stands there as a whole word
    prefix     a word begins with it; of an id: the id does
    substring  it is inside a word
    fuzzy      a word is one or two typing errors away from it

A session's score is that of its worst word, raised a little by the others. The gaps between the
tiers are wider than all that can be gained within one, so no better tier is ever outranked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from finder.model import Session

_VALUES = {"exact": 1.0, "whole": 0.9, "prefix": 0.7, "substring": 0.5, "fuzzy": 0.25}
_PHRASE = 0.95  # several words, standing side by side in the title
_BESIDE_TITLE = 0.05  # what a hit in a directory or an agent's name counts less than in a title
_SHORTEST_ID_PREFIX = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Where and how one word of the query was found."""

    word: str
    field: str
    tier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How well a session fits: 0 to 1, and why."""

    value: float
    matched: tuple[Match, ...]


def folded(text: str) -> str:
    """Text in the form in which it is compared: without case, accents composed."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def typos_allowed(word: str) -> int:
    """How many typing errors a word may hide. Short words and numbers: none."""
    if len(word) < 4 or any(character.isdigit() for character in word):
        return 0
    return 1 if len(word) < 8 else 2


class Matcher:
    """The words of one query, ready to be compared with many sessions."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(dict.fromkeys(folded(word) for word in words))
        self._phrase = " ".join(folded(word) for word in words)
        self._whole = [re.compile(_starting(word) + r"(?![^\W_])") for word in self.words]
        self._start = [re.compile(_starting(word)) for word in self.words]
        self._phrase_there = re.compile(_starting(self._phrase) + r"(?![^\W_])")
        self._close: dict[str, frozenset[str]] = {}

    @property
    def forgives(self) -> bool:
        """Whether any of the words is long enough to be forgiven a typing error."""
        return any(typos_allowed(word) for word in self.words)

    def literal(self, session: Session) -> Score | None:
        """The score, if every word is there as it was typed."""
        return self._score(session, fuzzy=False)

    def fuzzy(self, session: Session) -> Score | None:
        """The score, if every word is there or nearly so; see `learn`."""
        return self._score(session, fuzzy=True)

    def learn(self, sessions: Iterable[Session]) -> None:
        """Find out which words of these sessions are typing errors away from the query's.

        Comparing the query with each distinct word once is far less work than with each title.
        """
        vocabulary = list({word for session in sessions for word in _vocabulary(session)})
        if not vocabulary:
            return
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        for word in self.words:
            allowed = typos_allowed(word)
            near: list[tuple[str, int, int]] = (
                process.extract(
                    word, vocabulary, scorer=OSA.distance, score_cutoff=allowed, limit=None
                )
                if allowed
                else []
            )
            self._close[word] = frozenset(
                found for found, distance, _ in near if distance <= typos_allowed(found)
            )

    def _score(self, session: Session, *, fuzzy: bool) -> Score | None:
        fields = [
            (name, folded(text))
            for name, text in (
                ("title", session.title),
                ("id", session.ref.id),
                ("agent", session.agent),
                ("directory", session.directory),
            )
            if text
        ]
        values, matched = [], []
        for index, word in enumerate(self.words):
            best = self._best(index, word, fields)
            if best is None and fuzzy:
                best = self._nearly(word, session)
            if best is None:
                return None
            values.append(best[0])
            matched.append(Match(word=word, field=best[1], tier=best[2]))
        value = 0.75 * min(values) + 0.25 * sum(values) / len(values)
        if session.title and min(values) > _VALUES["fuzzy"]:
            value = max(value, self._phrase_value(folded(session.title)))
        return Score(value=round(value, 4), matched=tuple(matched))

    def _phrase_value(self, title: str) -> float:
        if title == self._phrase:
            return 1.0
        return _PHRASE if len(self.words) > 1 and self._phrase_there.search(title) else 0.0

    def _best(
        self, index: int, word: str, fields: list[tuple[str, str]]
    ) -> tuple[float, str, str] | None:
        best: tuple[float, str, str] | None = None
        for name, text in fields:
            if word not in text:
                continue
            tier = _id_tier(word, text) if name == "id" else self._tier(index, word, name, text)
            # Any two letters are in some agent's name: "ui" is in "build".
            if tier is None or (tier == "substring" and name == "agent"):
                continue
            value = _VALUES[tier] - (0 if name in {"title", "id"} else _BESIDE_TITLE)
            if best is None or value > best[0]:
                best = (value, name, tier)
        return best

    def _tier(self, index: int, word: str, name: str, text: str) -> str:
        # Being the agent "build" is no closer a match than the word "build" in a title.
        if text == word and name != "agent":
            return "exact"
        if self._whole[index].search(text):
            return "whole"
        return "prefix" if self._start[index].search(text) else "substring"

    def _nearly(self, word: str, session: Session) -> tuple[float, str, str] | None:
        close = self._close.get(word)
        if close and not close.isdisjoint(_vocabulary(session)):
            field = "title" if not close.isdisjoint(_words(session.title)) else "directory"
            return _VALUES["fuzzy"], field, "fuzzy"
        return None


def _starting(word: str) -> str:
    """A pattern of the word where a word begins: an underscore separates, as in names of code."""
    return r"(?<![^\W_])" + re.escape(word)


def _id_tier(word: str, text: str) -> str | None:
    # Inside of an id any few letters stand by chance, and many ids begin with the same ones.
    if word == text:
        return "exact"
    own_part = text.partition("_")[2] or text
    if len(word) >= _SHORTEST_ID_PREFIX and (
        own_part.startswith(word) or (text.startswith(word) and len(word) > text.find("_") + 1)
    ):
        return "prefix"
    return None


@cache
def _word() -> re.Pattern[str]:
    return re.compile(r"[^\W_]+")


def _words(text: str | None) -> list[str]:
    return _word().findall(folded(text)) if text else []


def _vocabulary(session: Session) -> list[str]:
    """The words of a session that a query may have mistyped: of title and innermost folder."""
    folder = (session.directory or "").rstrip("/\\").replace("\\", "/").rpartition("/")[2]
    return _words(session.title) + _words(folder)
