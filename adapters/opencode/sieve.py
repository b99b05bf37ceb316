"""Which rows may have a term in them: tests in SQL and in Python that never let one slip.

A row's JSON text and the text that a person sees differ: characters are escaped, fields are
joined, numbers are written anew. So only the term's pieces, its runs of letters, digits and signs
that none of this changes, are looked for, all of them anywhere in the row. What passes is then read
as events and looked at closely.

In SQL a part of the piece is looked for that no letter beyond ASCII can stand for (see
`adapters.opencode.needles`); a row that has it but not the whole piece passes if it has any letter
beyond ASCII. Pieces that have such letters themselves are looked for in Python, in the rows that
have some of these letters.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import NamedTuple

from adapters.opencode.needles import not_ascii, quickest, rarity, untouched_parts
from finder.sqlite import is_text
from finder.words import Term, folded

_SHORTEST = 3  # a shorter needle is in nearly every row
_LONGEST = 1_000  # SQLite takes no LIKE over 50,000 bytes
_MOST_PIECES, _MOST_LETTERS, _MOST_NEEDLES = 3, 4, 2
_MOST_LIKES = 6  # of letters beyond ASCII: more take longer than to look in Python
# What JSON escapes, what finder puts between fields and numbers have in them, LIKE's own signs, and
# those that others beyond ASCII are equal to.
_BETWEEN = r"[\s\x00-\x1f\"\\/:,.+\-{}\[\]()%_;`]+"
# JSON may write any letter as an escape. Programs escape control characters (\u001b) and, if at
# all, what is beyond ASCII; an escaped ASCII letter or digit is legal all the same.
_ESCAPED_ASCII = r"*\u00[2-7]*"
_IN_ESCAPED_ASCII = "%00%"  # told sooner, and of most texts enough
# Any escape but that of a control character; told sooner by the first.
_ESCAPED = r"*\u*"
_OTHERS_ESCAPED = r"*\u[1-9A-Fa-f]*", r"*\u0[1-9A-Fa-f]*", r"*\u00[2-9A-Fa-f]*"
_ESCAPE = re.compile(r"\\u(?!00[01])[0-9A-Fa-f]{4}")
_ODD = "ßẞſ\u212aﬀﬁﬂﬃﬄﬅﬆŉİẚ"
# Where the letters are that are not their own folded form.
CHANGED = (
    (0xB5, 0x587), (0x958, 0xB5D), (0xF43, 0x10CD), (0x13F8, 0x13FD), (0x1C80, 0x1CBF),
    (0x1E00, 0x2001), (0x2126, 0x2183), (0x2329, 0x232A), (0x24B6, 0x24CF), (0x2ADC, 0x2ADC),
    (0x2C00, 0x2CF2), (0xA640, 0xA7F5), (0xAB70, 0xABBF), (0xF900, 0xFB4E), (0xFF21, 0xFF3A),
    (0x10400, 0x10595), (0x10C80, 0x10CB2), (0x118A0, 0x118BF), (0x16E40, 0x16E5F),
    (0x1D15E, 0x1D1C0), (0x1E900, 0x1E921), (0x2F800, 0x2FA1D),
)  # fmt: skip


class Test(NamedTuple):
    """Conditions in SQL on a column, with the values to bind.

    Attributes:
        may: true for every text that has the term, and for some that have not.
        plainly: true for those that have its pieces in ASCII letters.
    """

    may: str
    plainly: str
    values: dict[str, str]


class Sieve:
    """The tests for one term.

    Attributes:
        pieces: what of it stands in every text that has it, the longest first; a term without any
            passes every test.
        percent: whether a URL has something of it in other letters, behind percent signs.
    """

    def __init__(self, term: Term) -> None:
        self.term = term
        runs = (run for word in term.words for run in re.split(_BETWEEN, word))
        pieces = dict.fromkeys(piece for piece in map(_without_first_accents, runs) if piece)
        self.pieces = tuple(sorted(pieces, key=len, reverse=True))
        # Of the letters that are equal to ASCII ones, names of files have ß.
        self.percent = not all(
            piece.isascii() and piece.isalnum() and "ss" not in piece for piece in self.pieces
        )
        self._is_plain = bool(self.pieces) and all(piece.isascii() for piece in self.pieces)
        letters = frozenset("".join(self.pieces))
        self._odd = [letter for letter in _ODD if not letters.isdisjoint(folded(letter))]

    def test(self, column: str, name: str) -> Test:
        """The test in SQL; the names of its values begin with `name`."""
        values: dict[str, str] = {}
        may, plainly = dict[str, None](), dict[str, None]()  # each condition once
        for number, piece in enumerate(self.pieces[:_MOST_PIECES]):
            label = f"{name}_{number}"
            has = "0"
            if piece.isascii():
                values[label] = f"%{piece[:_LONGEST]}%"
                has = f"{column} LIKE :{label}"
            plainly[has] = None
            may[_may_have(column, piece, label, has, values)] = None
        if not may:
            return Test("1", "0", values)
        return Test(
            f"({' AND '.join(may)}"
            f" OR ({column} LIKE '{_IN_ESCAPED_ASCII}' AND {column} GLOB '{_ESCAPED_ASCII}'))",
            f"({' AND '.join(plainly)})",
            values,
        )

    def may_hold(self, text: str, *, not_plainly: bool = False) -> bool:
        """Whether a JSON text may hold the term; SQL may have said that it does not plainly."""
        if "\\u" in text and _ESCAPE.search(text):
            return True
        if self._is_plain and not_plainly and not any(letter in text for letter in self._odd):
            return False
        if not all(any(letter in text for letter in group) for group in self._watched()):
            return False
        comparable = folded(text)
        return all(piece in comparable for piece in self.pieces)

    def _watched(self) -> list[frozenset[str]]:
        """For some of the term's letters beyond ASCII: what of each must stand in a text."""
        return _watched("".join(self.pieces))


def _without_first_accents(run: str) -> str:
    """An accent behind a line feed is, in JSON, one behind the n that this is escaped with."""
    starts = (at for at, letter in enumerate(run) if not unicodedata.combining(letter))
    return run[next(starts, len(run)) :]


def _watched(piece: str) -> list[frozenset[str]]:
    # An accent that stands alone may be a part of any letter: folding puts accents in order.
    letters = dict.fromkeys(
        letter for letter in piece if not letter.isascii() and not unicodedata.combining(letter)
    )
    return [_sources(letter) for letter in list(letters)[:_MOST_LETTERS]]


@cache
def _sources(letter: str) -> frozenset[str]:
    """The letters of which one stands in every text that has this one when folded.

    It is there itself, or made by folding another letter, or composed with an accent.
    """
    wanted = {letter, *_accents(letter)}
    ranges = (range(start, end + 1) for start, end in CHANGED)
    changed = (chr(code) for numbers in ranges for code in numbers)
    made_from = {other for other in changed if not wanted.isdisjoint(folded(other))}
    return frozenset(wanted.union(made_from, *map(_accents, made_from)))


def _accents(letter: str) -> str:
    """All but the base of a letter that can be written as a base and accents."""
    return unicodedata.normalize("NFD", letter)[1:]


def _may_have(column: str, piece: str, label: str, has: str, values: dict[str, str]) -> str:
    """That a text has a piece, or may have it in other letters; what is told soonest first."""
    parts = untouched_parts(piece)
    needles = sorted({quickest(part) for part in parts if len(part) >= _SHORTEST}, key=rarity)
    tests = []
    for number, needle in enumerate(needles[:_MOST_NEEDLES]):
        if needle != piece:
            values[f"{label}n{number}"] = f"%{needle[:_LONGEST]}%"
            tests.append(f"{column} LIKE :{label}n{number}")
    if parts == [piece]:
        tests.append(has)
    elif is_text(piece):  # what is none is found in Python alone
        odd = _has_letters(column, piece, label, values) or not_ascii(column)
        others = " OR ".join(f"{column} GLOB '{escaped}'" for escaped in _OTHERS_ESCAPED)
        odd = f"({column} GLOB '{_ESCAPED}' AND ({others})) OR {odd}"
        tests.append(f"({has} OR {odd})" if piece.isascii() else f"({odd})")
    return f"({' AND '.join(tests) or '1'})"


def _has_letters(column: str, piece: str, label: str, values: dict[str, str]) -> str:
    """That a text has some of the letters beyond ASCII; "": they are too many to ask for."""
    tests = []
    for group in sorted(_watched(piece), key=len):
        if len(values) + len(group) > _MOST_LIKES:
            break
        names = [f"{label}l{len(values) + number}" for number in range(len(group))]
        values.update(zip(names, (f"%{letter}%" for letter in sorted(group)), strict=True))
        tests.append(f"({' OR '.join(f'{column} LIKE :{name}' for name in names)})")
    return f"({' AND '.join(tests)})" if tests else ""
