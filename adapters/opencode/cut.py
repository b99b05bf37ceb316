"""What is whole in a JSON text that breaks off, item by item.

OpenCode cuts its export at a multiple of 64 KiB when its output goes through a pipe, and exits
with 0 (1.0.0 to 1.18.33). All messages before the cut are whole.
"""

from __future__ import annotations

import json

from finder.model import Json, JsonObject

_SPACE = " \t\r\n"


def whole_part(text: str) -> tuple[Json, str]:
    """The value with all that is whole in it, and the text from where it breaks.

    Gives up items of the outermost array, or of the arrays in the outermost object, no more.
    """
    start = _after_space(text, 0)
    if text[start : start + 1] == "[":
        items, end = _items(text, start)
        return items, text[end:]
    if text[start : start + 1] == "{":
        fields, end = _fields(text, start)
        return fields, text[end:]
    return None, text


def _fields(text: str, at: int) -> tuple[JsonObject, int]:
    found: JsonObject = {}
    while text[at : at + 1] in {"{", ","}:
        key, colon = _value(text, at + 1)
        if not isinstance(key, str) or text[colon : colon + 1] != ":":
            break
        start = _after_space(text, colon + 1)
        if text[start : start + 1] == "[":
            found[key], end = _items(text, start)
            if text[end - 1 : end] != "]":
                return found, end
            at = _after_space(text, end)
            continue
        value, end = _value(text, start)
        if end == start:
            break
        found[key], at = value, end
    return found, at


def _items(text: str, at: int) -> tuple[list[Json], int]:
    """The whole items of the array that starts at a position; and the position behind it."""
    found: list[Json] = []
    if text[_after_space(text, at + 1) :][:1] == "]":
        return found, _after_space(text, at + 1) + 1
    while text[at : at + 1] in {"[", ","}:
        value, end = _value(text, at + 1)
        if end == at + 1:
            return found, at
        found.append(value)
        at = end
    return found, at + 1 if text[at : at + 1] == "]" else at


def _value(text: str, at: int) -> tuple[Json, int]:
    """The value that starts at a position, and where to go on; the same position if none does."""
    try:
        value, end = json.JSONDecoder().raw_decode(text, _after_space(text, at))
    except (ValueError, RecursionError):
        return None, at
    return value, _after_space(text, end)


def _after_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at
