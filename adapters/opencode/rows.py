"""Rows of an OpenCode database as records: the row's columns, with JSON columns parsed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from finder import jsonio
from finder.model import Json, JsonObject

Record = tuple[JsonObject, str | None]  # and what is wrong with it, if anything

# Columns that hold JSON text, by table.
JSON_COLUMNS = {
    "session": ("summary_diffs", "metadata", "revert", "permission", "model"),
    "session_v2": ("summary_diffs", "metadata", "revert", "permission", "model", "data"),
    "message": ("data",),
    "part": ("data",),
    "session_message": ("data",),
    "session_input": ("prompt",),
    "session_context_epoch": ("snapshot",),
    "todo": (),
}
_TEXTS = frozenset({str, bytes})


class Reader:
    """Reads the rows of one table, whose columns are these in this order."""

    def __init__(self, table: str, columns: Sequence[str]) -> None:
        self._empty: JsonObject = {"table": table, **dict.fromkeys(columns)}
        self._columns = [(column, column in JSON_COLUMNS[table]) for column in columns]

    def __call__(self, rows: Iterable[Iterable[Any]]) -> Iterator[Record]:
        """Each row as ``{"table": …, column: value, …}``, and what is wrong with it, if anything.

        A column that should hold JSON and does not keeps its text.
        """
        empty, columns = self._empty, self._columns
        for row in rows:
            problem: str | None = None
            found = empty.copy()
            # A row has all columns; to have that looked at takes as long as some of its values.
            for (column, in_json), value in zip(columns, row):  # noqa: B905
                if in_json and value and type(value) in _TEXTS:
                    try:
                        found[column] = jsonio.loads(value)
                    except ValueError as error:
                        found[column] = text(value)
                        problem = problem or f"column {column} is not valid JSON: {error}"
                else:
                    found[column] = text(value) if type(value) is bytes else value
            yield found, problem


def record(table: str, row: sqlite3.Row) -> Record:
    """One row by itself; see `Reader`."""
    return next(Reader(table, row.keys())([row]))


def text(value: Json | bytes) -> Json:
    """A value of a row; one that was put there as bytes is a text all the same."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def data_of(found: Record) -> Record:
    """The ``data`` object of a record, and what is wrong with either."""
    raw, problem = found
    data = raw.get("data")
    if isinstance(data, dict):
        return data, problem
    wrong = f"column data holds a JSON {jsonio.json_type(data)} where an object is expected"
    return {}, problem or wrong
