"""How well a session fits the words of a query.

All words must match. Each word is judged by itself, by the best of the session's fields:

    exact      it is the whole title, id or directory
    whole      it stands there as a whole word
    prefix     a word begins with it; of an id: the id does
    substring  it is inside a word
    fuzzy      a word is one or two typing errors away from it; or where none is, the beginning of
               a word is one error away

A session's score is that of its worst word, raised a little by the others. The gaps between the
tiers are wider than all that can be gained within one, so no better tier is ever outranked, but
by several words that stand in the title side by side, just as they were typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from finder.adapter import LONGEST_NAME, Outline
from finder.model import Session
from finder.words import folded

WHOLE = 0.9  # a whole word in the title
_VALUES = {"exact": 1.0, "whole": WHOLE, "prefix": 0.7, "substring": 0.5}
_FUZZY = (0.25, 0.25, 0.2, 0.15)  # by the number of errors
_IN_BEGINNING = 3  # so many an error in the beginning of a word counts
_SHORTEST_BEGINNING = 5
# Several words, standing side by side in the title; the last one may be the beginning of a word.
_PHRASE, _PHRASE_BEGUN = 0.95, 0.92
_BELOW = 0.02  # what a hit in a subagent counts less for the session above it
# A hit in a directory or an agent's name counts a little less than one in a title.
_BESIDE_TITLE = {"exact": 0.95, "whole": 0.85, "prefix": 0.65, "substring": 0.45}
_SHORTEST_ID_PREFIX = 4
_Hit = tuple[float, str, str]  # of one word: its value, field and tier
_NAMES = ("title", "id", "agent", "directory")


class Match(NamedTuple):
    """Where and how one word of the query was found."""

    word: str
    field: str
    tier: str


class Score(NamedTuple):
    """How well a session fits: 0 to 1, and why."""

    value: float
    matched: tuple[Match, ...]


class Fields(NamedTuple):
    """What of a session is searched, folded; empty: the store does not say."""

    title: str
    id: str
    agent: str
    directory: str

    @classmethod
    def of(cls, session: Session | Outline) -> Fields:
        """Those of a session."""
        return cls(
            folded(session.title or ""),
            folded(session.id if isinstance(session, Outline) else session.ref.id),
            folded(session.agent or ""),
            folded(session.directory or ""),
        )

    def vocabulary(self) -> list[str]:
        """The words that a query may have mistyped: of title and innermost folder."""
        folder = self.directory.rstrip("/\\").replace("\\", "/").rpartition("/")[2]
        return _words(self.title) + _words(folder)


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
        self._phrase_begun = re.compile(_starting(self._phrase))
        self._close: dict[str, dict[str, int]] = {}
        self._tiers: dict[tuple[int, str, str], str] = {}  # few agents and folders stand often

    @property
    def forgives(self) -> bool:
        """Whether any of the words is long enough to be forgiven a typing error."""
        return any(typos_allowed(word) for word in self.words)

    def literal(self, session: Session | Outline) -> Score | None:
        """The score, if every word is there as it was typed."""
        return self.score(Fields.of(session))

    def fuzzy(self, session: Session | Outline) -> Score | None:
        """The score, if every word is there or nearly so; see `learn`."""
        return self.score(Fields.of(session), fuzzy=True)

    def learn(self, sessions: Iterable[Session]) -> None:
        """Find out which words of these sessions are typing errors away from the query's."""
        self.learn_words({word for s in sessions for word in Fields.of(s).vocabulary()})

    def learn_words(self, words: Iterable[str]) -> None:
        """Like `learn`, from all words that the sessions have.

        Comparing the query with each distinct word once is far less work than with each title.
        """
        vocabulary = list(words)
        for word in self.words:
            self._close[word] = _near(word, vocabulary) or _begun_nearly(word, vocabulary)

    @property
    def knows_others(self) -> bool:
        """Whether any of the words has another one near it, once learned."""
        return any(self.others(word) for word in self.words)

    def others(self, word: str) -> list[str]:
        """The other words that are a typing error away from this one, once learned."""
        return sorted(self.close(word).keys() - {word})

    def close(self, word: str) -> Mapping[str, int]:
        """The words that are typing errors away from this one, once learned; how many errors."""
        return self._close.get(word, {})

    def score(self, fields: Fields, *, fuzzy: bool = False) -> Score | None:
        """The score, if every word is there; with `fuzzy` or nearly so."""
        found = self._found(fields, fuzzy)
        if found is None:
            return None
        matched = [
            Match(word=word, field=name, tier=tier)
            for word, (_, name, tier) in zip(self.words, found, strict=True)
        ]
        return Score(value=self._value(fields, found), matched=tuple(matched))

    def values(self, many: Sequence[Fields], *, fuzzy: bool = False) -> list[float | None]:
        """Like `score`, the numbers alone, of very many sessions."""
        if len(self.words) == 1 and not fuzzy:
            # As in most queries; and the first letter is in nearly every session.
            texts = zip(*many, strict=True)
            worth = [self._worth(name, kind) for name, kind in zip(_NAMES, texts, strict=True)]
            return [best or None for best in map(max, *worth)]
        found = ((fields, self._found(fields, fuzzy)) for fields in many)
        return [None if hits is None else self._value(fields, hits) for fields, hits in found]

    def _worth(self, name: str, texts: Sequence[str]) -> list[float]:
        """What the one word is worth in each text of a field; 0: it is not there."""
        word = self.words[0]
        if name == "id" and len(word) < _SHORTEST_ID_PREFIX:  # it is in nearly every one
            return [_VALUES["exact"] if text == word else 0.0 for text in texts]
        there = {text for text in texts if word in text}
        known = {text: self._worth_of(name, text) for text in there}
        return [known.get(text, 0.0) for text in texts]

    def _worth_of(self, name: str, text: str) -> float:
        hit = self._hit(0, self.words[0], name, text)
        return hit[0] if hit else 0.0

    def _found(self, fields: Fields, fuzzy: bool) -> list[_Hit] | None:
        found = []
        for index, word in enumerate(self.words):
            best = self._best(index, word, fields)
            if best is None and fuzzy:
                best = self._nearly(word, fields)
            if best is None:
                return None
            found.append(best)
        return found

    def _value(self, fields: Fields, found: list[_Hit]) -> float:
        values = [hit[0] for hit in found]
        least = min(values)
        value = 0.75 * least + 0.25 * sum(values) / len(values)
        if fields.title and least > _FUZZY[0]:
            value = max(value, self._phrase_value(fields.title))
        return round(value, 4)

    def _phrase_value(self, title: str) -> float:
        if title == self._phrase:
            return 1.0
        if len(self.words) == 1 or self._phrase not in title:
            return 0.0
        if self._phrase_there.search(title):
            return _PHRASE
        return _PHRASE_BEGUN if self._phrase_begun.search(title) else 0.0

    def _best(self, index: int, word: str, fields: Fields) -> _Hit | None:
        best: _Hit | None = None
        for name, text in zip(_NAMES, fields, strict=True):
            hit = self._hit(index, word, name, text) if word in text else None
            if hit and (best is None or hit[0] > best[0]):
                best = hit
        return best

    def _hit(self, index: int, word: str, name: str, text: str) -> _Hit | None:
        tier = _id_tier(word, text) if name == "id" else self._tier(index, word, name, text)
        # Any two letters are in some agent's name: "ui" is in "build".
        if tier is None or (tier == "substring" and name == "agent"):
            return None
        return (_VALUES if name in {"title", "id"} else _BESIDE_TITLE)[tier], name, tier

    def _tier(self, index: int, word: str, name: str, text: str) -> str:
        if name == "title":
            return self._judged(index, word, name, text)
        key = (index, name, text)
        if key not in self._tiers:
            self._tiers[key] = self._judged(index, word, name, text)
        return self._tiers[key]

    def _judged(self, index: int, word: str, name: str, text: str) -> str:
        # Being the agent "build" is no closer a match than the word "build" in a title.
        if text == word and name != "agent":
            return "exact"
        if not self._start[index].search(text):
            return "substring"
        return "whole" if self._whole[index].search(text) else "prefix"

    def _nearly(self, word: str, fields: Fields) -> _Hit | None:
        close = self.close(word)
        there = close.keys() & fields.vocabulary() if close else ()
        if not there:
            return None
        errors = min(close[other] for other in there)
        field = "directory" if there.isdisjoint(_words(fields.title)) else "title"
        return _FUZZY[errors], field, "fuzzy"


def below(value: float) -> float:
    """What a subagent's score is worth to the session above it: its own title says more."""
    return round(value - _BELOW, 4)


def _near(word: str, vocabulary: Sequence[str]) -> dict[str, int]:
    """The words that are typing errors away from this one, as far as both allow; also itself."""
    allowed = typos_allowed(word)
    alike = _alike(word, allowed, vocabulary) if allowed else []
    errors = {other: _errors(word, other, allowed) for other in alike}
    return {o: count for o, count in errors.items() if count <= min(allowed, typos_allowed(o))}


def _begun_nearly(word: str, vocabulary: Sequence[str]) -> dict[str, int]:
    """The words whose beginnings are one typing error away from this one, if none has it in it."""
    size, letters = len(word), set(word)
    if size < _SHORTEST_BEGINNING or not typos_allowed(word):
        return {}
    if any(word in other for other in vocabulary):
        return {}
    longer = [
        other
        for other in vocabulary
        if len(other) > size
        and other[0] in word[:2]  # the first letter is seldom wrong
        and len(letters.difference(other[: size + 1])) <= 1
    ]
    lengths = size - 1, size, size + 1
    return {
        other: _IN_BEGINNING
        for other in longer
        if any(_errors(word, other[:length], 1) <= 1 for length in lengths)
    }


def _alike(word: str, errors: int, vocabulary: Sequence[str]) -> list[str]:
    """All words that may be so many typing errors away from this one, and few others.

    Each error takes one letter away, or adds one, or both; swapped neighbours do neither.
    """
    size, letters = len(word), set(word)
    return [
        other
        for other in vocabulary
        if abs(len(other) - size) <= errors
        and len(letters.difference(other)) <= errors - max(len(other) - size, 0)
        and len(set(other) - letters) <= errors - max(size - len(other), 0)
    ]


def _errors(one: str, other: str, most: int) -> int:
    """How many letters are too many, missing, wrong or swapped with the next; or more than `most`.

    The words here are few and much alike; to load what counts for any words takes 10 ms.
    """
    same = 0
    for letter, its in zip(one, other, strict=False):
        if letter != its:
            break
        same += 1
    one, other = one[same:], other[same:]
    if not (one and other and most):
        return min(max(len(one), len(other)), most + 1)
    rests = [(one[1:], other), (one, other[1:]), (one[1:], other[1:])]
    if one[:2] == other[1::-1]:
        rests.append((one[2:], other[2:]))
    return 1 + min(_errors(*rest, most - 1) for rest in rests)


def _starting(word: str) -> str:
    """A pattern of the word where a word begins: an underscore separates, as in names of code."""
    # What is before it is looked at last: then the word itself is searched for, which is quick.
    escaped = re.escape(word)
    return rf"{escaped}(?<![^\W_]{escaped})"


def _id_tier(word: str, text: str) -> str | None:
    # Inside of an id any few letters stand by chance, and many ids begin with the same ones.
    if word == text:
        return "exact"
    if len(word) < _SHORTEST_ID_PREFIX:
        return None
    own_part = text.partition("_")[2] or text
    if own_part.startswith(word) or (text.startswith(word) and len(word) > text.find("_") + 1):
        return "prefix"
    return None


@cache
def _word() -> re.Pattern[str]:
    return re.compile(r"[^\W_]+")


def _words(text: str) -> list[str]:
    return _word().findall(text, 0, LONGEST_NAME)
