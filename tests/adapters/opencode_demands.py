"""What `opencode import` of 1.18.33 demands of a file, apart from the code that it judges.

Held against the program itself in tests/real: files with one fault each, and every fixture.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Demands = Mapping[str, Any]

_TEXT, _OBJECT, _LIST = str, dict, list
_WHOLE = "a whole number from 0"
_TOKENS: Demands = {
    "input": float,
    "output": float,
    "reasoning": float,
    "cache": {"read": float, "write": float},
}
_INFO: Demands = {
    "id": re.compile("ses.*"),
    "slug": _TEXT,
    "title": _TEXT,
    "version": _TEXT,
    "time": {"created": _WHOLE, "updated": _WHOLE},
}
_USER: Demands = {
    "id": re.compile("msg.*"),
    "sessionID": re.compile("ses.*"),
    "time": {"created": _WHOLE},
    "agent": _TEXT,
    "model": {"providerID": _TEXT, "modelID": _TEXT},
}
_ASSISTANT: Demands = {
    "id": re.compile("msg.*"),
    "sessionID": re.compile("ses.*"),
    "time": {"created": _WHOLE},
    "parentID": re.compile("msg.*"),
    "modelID": _TEXT,
    "providerID": _TEXT,
    "mode": _TEXT,
    "agent": _TEXT,
    "path": {"cwd": _TEXT, "root": _TEXT},
    "cost": float,
    "tokens": _TOKENS,
}
_PARTS: Mapping[str, Demands] = {
    "text": {"text": _TEXT},
    "reasoning": {"text": _TEXT, "time": {"start": _WHOLE}},
    "file": {"mime": _TEXT, "url": _TEXT},
    "agent": {"name": _TEXT},
    "subtask": {"prompt": _TEXT, "description": _TEXT, "agent": _TEXT},
    "step-start": {},
    "step-finish": {"reason": _TEXT, "cost": float, "tokens": _TOKENS},
    "patch": {"hash": _TEXT, "files": _LIST},
    "snapshot": {"snapshot": _TEXT},
    "retry": {"attempt": float, "error": _OBJECT, "time": {"created": _WHOLE}},
    "compaction": {"auto": bool},
    "tool": {"tool": _TEXT, "callID": _TEXT, "state": {"status": _TEXT, "input": _OBJECT}},
}
_SPAN: Demands = {"start": _WHOLE, "end": _WHOLE}
_STATES: Mapping[str, Demands] = {
    "pending": {"raw": _TEXT},
    "running": {"time": {"start": _WHOLE}},
    "completed": {"output": _TEXT, "title": _TEXT, "metadata": _OBJECT, "time": _SPAN},
    "error": {"error": _TEXT, "time": _SPAN},
}


def refusals(document: Any) -> Iterator[str]:
    """Why the program would not import the file, or would leave some of it out without a word."""
    yield from _faults(document["info"], _INFO, "info")
    if not isinstance(document["messages"], list):
        yield "messages is no list"
        return
    ids: set[str] = set()
    for number, message in enumerate(document["messages"]):
        where = f"messages[{number}]"
        info = message["info"]
        demanded = {"user": _USER, "assistant": _ASSISTANT}.get(info.get("role"))
        yield from _faults(info, demanded, where) if demanded else [f"{where} has no role"]
        yield from _taken(info.get("id"), ids, where)
        for part in message["parts"]:
            yield from _part_faults(part, f"{where} {part.get('id')}")
            yield from _taken(part.get("id"), ids, where)
            if part.get("messageID") != info.get("id"):
                yield f"{where} has a part of another message"
    keys = [(m["info"]["time"]["created"], m["info"]["id"]) for m in document["messages"]]
    if keys != sorted(keys):
        yield "the messages are not in the order in which the program reads them"


def _taken(identifier: Any, ids: set[str], where: str) -> Iterator[str]:
    if identifier in ids:
        yield f"{where}: {identifier} is there twice"
    ids.add(identifier)


def _part_faults(part: Any, where: str) -> Iterator[str]:
    demanded = _PARTS.get(part.get("type"))
    if demanded is None:
        yield f"{where} is of the unknown type {part.get('type')!r}"
        return
    owner = {"id": re.compile("prt.*"), "messageID": _TEXT, "sessionID": _TEXT}
    yield from _faults(part, {**owner, **demanded}, where)
    if part["type"] == "tool":
        state = part.get("state", {})
        yield from _faults(state, _STATES.get(state.get("status"), {"status": None}), where)
        for file in state.get("attachments", ()):
            yield from _part_faults(file, f"{where} attachment")


def _faults(value: Any, demanded: Any, where: str) -> Iterator[str]:
    """What of a value is not as demanded; null is refused for every key, needed or not."""
    if isinstance(demanded, Mapping):
        if not isinstance(value, dict):
            yield f"{where} is no object"
            return
        for key, inner in demanded.items():
            yield from _faults(value.get(key), inner, f"{where}.{key}")
        yield from (f"{where}.{key} is null" for key, inner in value.items() if inner is None)
    elif isinstance(demanded, re.Pattern):
        if not isinstance(value, str) or not demanded.fullmatch(value):
            yield f"{where} is {value!r}"
    elif demanded is float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield f"{where} is no number"
    elif demanded is _WHOLE:
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            yield f"{where} is not {_WHOLE}"
    elif demanded is None or not isinstance(value, demanded):
        yield f"{where} is {value!r}"
