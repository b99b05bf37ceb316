"""Rows of an OpenCode database as records: the row's columns, with JSON columns parsed."""

from __future__ import annotations

import sqlite3

from finder import jsonio
from finder.model import Json, JsonObject

# Columns that hold JSON text, by table.
_JSON_COLUMNS = {
    "session": ("summary_diffs", "metadata", "revert", "permission", "model"),
    "session_v2": ("summary_diffs", "metadata", "revert", "permission", "model", "data"),
    "message": ("data",),
    "part": ("data",),
    "session_message": ("data",),
    "session_input": ("prompt",),
    "session_context_epoch": ("snapshot",),
    "todo": (),
}


def record(table: str, row: sqlite3.Row) -> tuple[JsonObject, str | None]:
    """A row as ``{"table": …, column: value, …}``, and what is wrong with it, if anything.

    A column that should hold JSON and does not keeps its text.
    """
    found: JsonObject = {"table": table, **dict(zip(row.keys(), row, strict=True))}
    problem = None
    if bytes in map(type, row):
        for column, value in found.items():
            if isinstance(value, bytes):
                found[column] = value.decode("utf-8", "surrogateescape")
    for column in _JSON_COLUMNS[table]:
        value = found.get(column)
        if isinstance(value, str) and value:
            found[column], wrong = _parsed(value)
            problem = problem or (f"column {column} {wrong}" if wrong else None)
    return found, problem


def _parsed(text: str) -> tuple[Json, str | None]:
    try:
        return jsonio.loads(text), None
    except ValueError as error:
        return text, f"is not valid JSON: {error}"


def data_of(found: JsonObject) -> tuple[JsonObject, str | None]:
    """The ``data`` object of a record, and what is wrong if it is none."""
    data = found.get("data")
    if isinstance(data, dict):
        return data, None
    return {}, f"column data holds a JSON {jsonio.json_type(data)} where an object is expected"
