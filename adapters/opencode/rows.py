"""Rows of an OpenCode database as records: the row's columns, with JSON columns parsed."""

from __future__ import annotations

import sqlite3

from finder import jsonio
from finder.model import Json, JsonObject

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


def record(table: str, row: sqlite3.Row) -> tuple[JsonObject, str | None]:
    """A row as ``{"table": …, column: value, …}``, and what is wrong with it, if anything.

    A column that should hold JSON and does not keeps its text.
    """
    found: JsonObject = {"table": table}
    found.update(zip(row.keys(), row, strict=True))
    problem = None
    for column in JSON_COLUMNS[table]:
        value = found.get(column)
        if value and isinstance(value, str | bytes):
            found[column], wrong = _parsed(value)
            problem = problem or (f"column {column} {wrong}" if wrong else None)
    if bytes in map(type, found.values()):
        found = {column: text(value) for column, value in found.items()}
    return found, problem


def text(value: Json | bytes) -> Json:
    """A value of a row; one that was put there as bytes is a text all the same."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def _parsed(value: str | bytes) -> tuple[Json, str | None]:
    try:
        return jsonio.loads(value), None
    except ValueError as error:
        return text(value), f"is not valid JSON: {error}"


def data_of(found: JsonObject) -> tuple[JsonObject, str | None]:
    """The ``data`` object of a record, and what is wrong if it is none."""
    data = found.get("data")
    if isinstance(data, dict):
        return data, None
    return {}, f"column data holds a JSON {jsonio.json_type(data)} where an object is expected"
