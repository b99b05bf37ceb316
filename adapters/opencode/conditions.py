"""What is wanted of a listing, as conditions on the rows of a session table.

They keep every row that fits, and perhaps more: the caller looks at what it is given.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from finder.adapter import Want, Word

if TYPE_CHECKING:
    import sqlite3

_SHORTEST = 3  # a shorter part of a word is in nearly every title
_MOST_LETTERS = 6  # whose two cases are looked up in the index: 64 ranges
_FEW_ROWS = 1_000  # that can be named one by one
_FEW_LETTERS = 2  # of a word: that leaves one id of a thousand to be compared
# SQLite takes no more than a thousand conditions in a row, and no LIKE over 50,000 bytes.
_MOST_GROUPS, _MOST_TESTS, _LONGEST = 32, 500, 1_000
_MOST_COMPOSED = 4  # characters of a text that are one when it is folded
_OWN, _AFTER_OWN = "ses_", "ses`"  # between these two lie the ids that OpenCode makes


def condition(
    connection: sqlite3.Connection, table: str, columns: tuple[str, ...], want: Want | None
) -> tuple[str, list[Any]]:
    """A WHERE clause that keeps at least the sessions of a table that fit."""
    if want is None:
        return "", []
    clauses: list[str] = []
    values: list[Any] = []
    if want.ids is not None:
        clauses.append(f"id IN ({','.join('?' * len(want.ids))})")
        values += want.ids
    if want.prefix:
        clauses.append(_begins("", want.prefix, values))
    # What is quickly told, and fits few, first: most rows are then not looked at any further.
    for group in sorted(want.words, key=_effort)[:_MOST_GROUPS]:
        bound: list[Any] = []
        tests = [test for word in group for test in _has(word, columns, bound)]
        tests += filter(None, (_in_id(connection, word, table, bound) for word in group))
        if len(tests) <= _MOST_TESTS:
            clauses.append(f"({' OR '.join(tests) or '0'})")
            values += bound
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
    if want.beyond is not None:
        known, bound = condition(connection, table, columns, want.beyond)
        clauses.append(f"({known.removeprefix(' WHERE ') or '1'}) IS NOT TRUE")
        values += bound
    return (" WHERE " + " AND ".join(clauses) if clauses else ""), values


def _effort(group: tuple[Word, ...]) -> tuple[int, int]:
    tests = sum(1 for word in group for field in word.fields if field != "id")
    return tests, -min((len(word.text) for word in group), default=0)


def last_updated(
    connection: sqlite3.Connection, table: str, where: str, values: list[Any], count: int
) -> tuple[str, list[Any]]:
    """A condition, narrowed to the last updated so many, in their order.

    Sorting all would take longer than reading them. Those put in last are mostly the ones
    updated last; as many as are wanted are not older than the oldest of them.
    """
    inserted = f"SELECT rowid, time_updated FROM {table}{where} ORDER BY rowid DESC LIMIT ?"
    rows = connection.execute(inserted, [*values, 4 * count]).fetchall()
    if len(rows) < min(4 * count, _FEW_ROWS):  # those are all
        named = ",".join("?" * len(rows))
        where, values = f" WHERE rowid IN ({named})", [row[0] for row in rows]
    times = sorted((time for _, time in rows if isinstance(time, int)), reverse=True)
    if len(times) >= count:
        where += f"{' AND' if where else ' WHERE'} time_updated >= ?"
        values = [*values, times[count - 1]]
    return f"{where} ORDER BY time_updated DESC LIMIT ?", [*values, count]


def _begins(own: str, prefix: str, values: list[Any], most: int = _MOST_LETTERS) -> str:
    """That an id begins so, after `own` in any case. LIKE alone cannot use the index of the ids."""
    letters = [at for at, letter in enumerate(prefix) if letter.lower() != letter.upper()]
    head = prefix[: letters[most]] if len(letters) > most else prefix
    ranges = []
    if head.isascii():
        spellings = product(*(sorted({letter.lower(), letter.upper()}) for letter in head))
        for spelling in map("".join, spellings):
            ranges.append("id BETWEEN ? AND ?")
            values += [own + spelling, f"{own}{spelling}\U0010ffff"]
    values.append(f"{_escaped(own + prefix)}%")
    return f"({' OR '.join(ranges) or '1'}) AND id LIKE ? ESCAPE '\\'"


def _in_id(connection: sqlite3.Connection, word: Word, table: str, values: list[Any]) -> str:
    """That an id, or what is behind its first underscore, begins so; "": that of none does.

    It is looked up now, in the index of the ids. Most words begin none, and to test each row for
    that takes a third of a search.
    """
    from finder.words import folded

    compared = folded(word.text)
    if "id" not in word.fields or not compared.isascii():
        return ""
    bound: list[Any] = []
    own = _begins(_OWN, compared, bound, _FEW_LETTERS)
    whole = _begins("", compared, bound, _FEW_LETTERS)
    part = _like("id", f"%\\_{_escaped(compared)}%", bound)
    foreign = f"(id < '{_OWN}' OR id >= '{_AFTER_OWN}') AND {part}"
    found = (f"SELECT rowid FROM {table} WHERE {test}" for test in (own, whole, foreign))
    query = " UNION ALL ".join(found)
    rows = connection.execute(f"{query} LIMIT {_FEW_ROWS}", bound).fetchall()
    if len(rows) == _FEW_ROWS:
        values += bound
        return f"rowid IN ({query})"
    return f"rowid IN ({','.join(str(row[0]) for row in rows)})" if rows else ""


def _has(word: Word, columns: tuple[str, ...], values: list[Any]) -> list[str]:
    """That a word stands in one of its fields but the id: any of these tests."""
    from adapters.opencode.needles import not_ascii, odd, quickest, untouched
    from finder.words import folded

    compared = folded(word.text)
    needle = compared if word.plain else untouched(compared)
    sure = needle == compared or len(needle) >= _SHORTEST
    pattern = f"%{_escaped(quickest(needle) if sure else compared)}%"
    tests = []
    alone = f" AND length({{}}) <= {_MOST_COMPOSED * len(compared)}" if word.alone else ""
    for column in ("title", "directory", "agent"):
        if column in columns and column in word.fields:
            test = _like(column, pattern, values)
            if not sure:
                test = f"({test} OR {odd(column) if compared.isascii() else not_ascii(column)})"
            tests.append(test + alone.format(column))
    if "directory" in columns and "directory" in word.fields:
        tests.append("directory = ''")  # where its messages may name one
    return tests


def _like(column: str, pattern: str, values: list[Any]) -> str:
    values.append(pattern)
    # LIKE is faster where nothing needs to be escaped.
    return f"{column} LIKE ?" + (" ESCAPE '\\'" if "\\" in pattern else "")


def _escaped(text: str) -> str:
    """For LIKE: as much of a text as it takes."""
    text = text[:_LONGEST]
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
