"""Words that are looked for in what was said and done, and when a text has them.

All of Unicode is compared without case and with accents composed. A phrase is several words in
quotes; between them any white space may stand, such as the end of a line.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

# All letters and signs beyond ASCII that are equal to ASCII ones where case is ignored: ss, s, k,
# ligatures, ʼn, i̇, aʾ, and what is ; and ` in other places of the table.
EQUAL_TO_ASCII = "ßẞſ\u212aﬀﬁﬂﬃﬄﬅﬆŉİẚ\u037e\u1fef"


def folded(text: str) -> str:
    """Text in the form in which it is compared: without case, accents composed."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


class Span(NamedTuple):
    """A stretch of a text: from `start` to before `end`."""

    start: int
    end: int


class Term:
    """One word or phrase; `words` are folded."""

    __slots__ = ("_pattern", "words")

    def __init__(self, text: str) -> None:
        self.words = tuple(folded(text).split())
        self._pattern: re.Pattern[str] | None = None
        if len(self.words) > 1:
            self._pattern = re.compile(r"\s+".join(map(re.escape, self.words)))

    def __repr__(self) -> str:
        return f"Term({' '.join(self.words)!r})"

    def find(self, text: str, start: int = 0) -> Span | None:
        """Where the term first stands in a folded text."""
        if self._pattern is None:
            at = text.find(self.words[0], start)
            return None if at < 0 else Span(at, at + len(self.words[0]))
        found = self._pattern.search(text, start)
        return Span(*found.span()) if found else None

    @property
    def pieces(self) -> tuple[str, ...]:
        """The runs of letters and digits in it, the longest first.

        However a store escapes, quotes or joins what it keeps, these stand in it as they are.
        """
        found = dict.fromkeys(run for word in self.words for run in re.findall(r"[^\W_]+", word))
        return tuple(sorted(found, key=len, reverse=True))


class Sought(NamedTuple):
    """What is looked for: all of the terms, each anywhere in the same session.

    `synthetic`: whether what neither a person nor a model said counts too.
    """

    terms: tuple[Term, ...]
    synthetic: bool = True

    @classmethod
    def of(cls, texts: Iterable[str], *, synthetic: bool = True) -> Sought:
        """The terms of some texts: their words, and their phrases in double quotes."""
        terms: dict[tuple[str, ...], Term] = {}
        for text in texts:
            for phrase, word in re.findall(r'"([^"]*)"?|([^\s"]+)', text):
                term = Term(phrase or word)
                if term.words:
                    terms.setdefault(term.words, term)
        return cls(tuple(terms.values()), synthetic)
