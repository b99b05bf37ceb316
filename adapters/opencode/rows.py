"""Rows of an OpenCode database as records: the row's columns, with JSON columns parsed."""

from __future__ import annotations

import sqlite3
from typing import Any

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
    found: JsonObject = {"table": table}
    problem = None
    for column in row.keys():  # noqa: SIM118  (a Row iterates over its values)
        value: Any = row[column]
        if isinstance(value, bytes):
            value = value.decode("utf-8", "surrogateescape")
        if column in _JSON_COLUMNS[table] and isinstance(value, str) and value:
            value, wrong = _parsed(value)
            problem = problem or (f"column {column} {wrong}" if wrong else None)
        found[column] = value
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
