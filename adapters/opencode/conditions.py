"""What is wanted of a listing, as conditions on the rows of a session table.

They keep every row that fits, and perhaps more: the caller looks at what it is given.
"""

from __future__ import annotations

from itertools import product
from typing import Any

from adapters.opencode.needles import not_ascii, quickest, untouched
from finder.adapter import Want
from finder.words import folded

_SHORTEST = 3  # a shorter part of a word is in nearly every title
_MOST_LETTERS = 6  # whose two cases are looked up in the index: 64 ranges


def condition(columns: tuple[str, ...], want: Want | None) -> tuple[str, list[Any]]:
    """A WHERE clause that keeps at least the sessions that fit."""
    if want is None:
        return "", []
    clauses: list[str] = []
    values: list[Any] = []
    if want.ids is not None:
        clauses.append(f"id IN ({','.join('?' * len(want.ids))})")
        values += want.ids
    if want.prefix:
        clauses.append(_begins(want.prefix, values))
    for group in (*((word,) for word in want.words), *want.spellings):
        tests = [_has(word, columns, values) for word in group]
        clauses.append(f"({' OR '.join(tests)})")
    if want.roots and "parent_id" in columns:
        clauses.append("parent_id IS NULL")
    if want.since is not None and "time_updated" in columns:
        clauses.append("time_updated >= ?")
        values.append(want.since)
    if want.until is not None and "time_updated" in columns:
        clauses.append("time_updated <= ?")
        values.append(want.until)
    if want.directory is not None and "directory" in columns:
        # Substring, not equality: how a folder is spelt is for the caller to judge.
        clauses.append("(directory = '' OR directory LIKE ? ESCAPE '\\')")
        values.append(f"{_escaped(want.directory)}%")
    return (" WHERE " + " AND ".join(clauses) if clauses else ""), values


def _begins(prefix: str, values: list[Any]) -> str:
    """That an id begins so, in any case. LIKE alone cannot use the index of the ids."""
    letters = [at for at, letter in enumerate(prefix) if letter.lower() != letter.upper()]
    head = prefix[: letters[_MOST_LETTERS]] if len(letters) > _MOST_LETTERS else prefix
    ranges = []
    if head.isascii():
        spellings = product(*(sorted({letter.lower(), letter.upper()}) for letter in head))
        for spelling in map("".join, spellings):
            ranges.append("id BETWEEN ? AND ?")
            values += [spelling, f"{spelling}\U0010ffff"]
    values.append(f"{_escaped(prefix)}%")
    return f"({' OR '.join(ranges) or '1'}) AND id LIKE ? ESCAPE '\\'"


def _has(word: str, columns: tuple[str, ...], values: list[Any]) -> str:
    """That a word stands in title, directory or agent, or at a beginning in the id."""
    compared = folded(word)
    needle = untouched(compared)
    sure = needle == compared or len(needle) >= _SHORTEST
    pattern = f"%{_escaped(quickest(needle) if sure else compared)}%"
    tests = []
    for column in ("title", "directory", "agent"):
        if column in columns:
            tests.append(_like(column, pattern, values))
            if not sure:
                tests.append(not_ascii(column))
    if "directory" in columns:
        tests.append("directory = ''")  # where its messages may name one
    if word.isascii():
        tests += [_like("id", f"{_escaped(word)}%", values)]
        tests += [_like("id", f"%\\_{_escaped(word)}%", values)]
    return f"({' OR '.join(tests)})"


def _like(column: str, pattern: str, values: list[Any]) -> str:
    values.append(pattern)
    # LIKE is faster where nothing needs to be escaped.
    return f"{column} LIKE ?" + (" ESCAPE '\\'" if "\\" in pattern else "")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
