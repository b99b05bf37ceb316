"""What OpenClacky (0.9.19, 1.5.1) demands of a session's file, apart from the code that it judges.

From the program's own code, by hand: session_manager.rb, agent.rb, agent/session_serializer.rb,
message_history.rb, message_format/*.rb. Held against what it wrote itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

_ROLES = ("system", "user", "assistant", "tool")
# What is sent to the model, and what the program takes out before it sends a message.
_SENT = {"role", "content", "tool_calls", "tool_call_id", "reasoning_content"}
_KEPT_BACK = {
    "task_id",
    "created_at",
    "system_injected",
    "token_usage",
    "compressed_summary",
    "chunk_path",
}
_SHOWN = {"display_files"}  # sent too, with every message of a person that the program writes
_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,|https?://")


def breaks(path: Path) -> Iterator[str]:
    """What would make the program stop, or not find the session, when it lists or opens it."""
    try:
        # Ruby's JSON takes no NaN, and a lone surrogate only until it writes it again.
        record = json.loads(path.read_bytes(), parse_constant=_no_number)
    except ValueError as error:
        yield f"no JSON: {error}"
        return
    if not isinstance(record, dict):
        yield "no object"
        return
    created = _time(record.get("created_at"))
    if created is None:
        yield "created_at cannot be parsed"
    identifier = record.get("session_id")
    if not isinstance(identifier, str) or len(identifier) < 8:
        yield "no session_id"
    elif created and path.name != f"{created:%Y-%m-%d-%H-%M-%S}-{identifier[:8]}.json":
        yield "saved again, it would get another file"
    if "updated_at" in record and _time(record["updated_at"]) is None:
        yield "updated_at cannot be parsed"
    if not isinstance(record.get("working_dir"), str):
        yield "no working directory"
    if not isinstance(record.get("messages"), list):
        yield "no messages"
    if record.get("agent_profile", "") not in ("", "coding", "general"):
        yield "its profile is not known"


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _time(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None


def unfit(record: dict[str, Any]) -> Iterator[str]:
    """Why the program would not go on from where a session ended, all of it before its eyes."""
    if not re.fullmatch(r"[0-9a-f]{16}", record["session_id"]):
        yield "its id is not of 16 hexadecimal digits"
    if record["session_id"].isdecimal() or re.fullmatch(r"0*\d{1,2}", record["session_id"][:8]):
        yield "its id may be taken for a place in the list"
    if not isinstance(record.get("name"), str):
        yield "it has no name"
    if record["stats"].get("last_status") != "success":
        yield "the last turn may be taken back"
    yield from _of_tasks(record)
    messages = record["messages"]
    for place, message in enumerate(messages):
        yield from (f"messages[{place}]: {what}" for what in _of_message(message, place))
    yield from _of_calls(messages)
    yield from _of_times(messages)


def _of_tasks(record: dict[str, Any]) -> Iterator[str]:
    """Messages of a task that is not active are not sent; 1.x sends those of its ancestors."""
    machine = record["time_machine"]
    tasks = {m["task_id"] for m in record["messages"] if "task_id" in m}
    known = {int(task) for task in machine["task_parents"]}
    if tasks - known or known - set(range(1, machine["current_task_id"] + 1)):
        yield "tasks that nobody knows"
    if tasks and machine["active_task_id"] in tasks:
        yield "what was undone is active"


def _of_message(message: dict[str, Any], place: int) -> Iterator[str]:
    if unknown := set(message) - _SENT - _KEPT_BACK - _SHOWN:
        yield f"keys that are sent to the model: {sorted(unknown)}"
    if message.get("role") not in _ROLES:
        yield "no role"
    if (message["role"] == "system") != (place == 0) and message["role"] == "system":
        yield "a system message that would be replaced, or is not first"
    if "display_files" in message and message["role"] != "user":
        yield "files that nobody shows"
    if message.get("compressed_summary") and not message.get("system_injected"):
        yield "a summary that looks like a person's words"
    yield from _of_content(message)
    for call in message.get("tool_calls", ()):
        yield from _of_call(call)
    for name in ("delta_tokens", "cache_read", "cache_write") if "token_usage" in message else ():
        if not isinstance(message["token_usage"][name], int):
            yield f"the interface calculates with {name}"


def _of_content(message: dict[str, Any]) -> Iterator[str]:
    content = message["content"]
    if isinstance(content, list) and message["role"] in ("user", "system"):
        for part in content:
            if part["type"] == "text" and isinstance(part["text"], str) and part["text"]:
                continue
            if part["type"] != "image_url" or not _IMAGE.match(part["image_url"]["url"]):
                yield f"a part that no provider takes: {str(part)[:60]}"
    elif not isinstance(content, str):
        yield "no text"
    said = content or message.get("tool_calls") or message.get("reasoning_content")
    if not (said or message.get("display_files") or message["role"] == "tool"):
        yield "an empty message"


def _of_call(call: dict[str, Any]) -> Iterator[str]:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", call["id"]) or call["type"] != "function":
        yield "a call that providers refuse"
    function = call["function"]
    if not isinstance(function["arguments"], str) or not function["name"]:
        yield "a call without arguments as text, or without a name"
        return
    try:
        given = json.loads(function["arguments"], parse_constant=_no_number)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        yield "arguments that are no object"


def _of_calls(messages: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Each call is answered once, directly after its message, and no result stands alone."""
    waiting: list[str] = []
    for place, message in enumerate(messages):
        if message["role"] == "tool":
            if not waiting or waiting.pop(0) != message["tool_call_id"]:
                yield f"messages[{place}]: a result without its call"
            continue
        if waiting:
            yield f"messages[{place}]: stands before the results of {waiting}"
        waiting = [call["id"] for call in message.get("tool_calls", ())]
        if len(set(waiting)) < len(waiting):
            yield f"messages[{place}]: an id twice"
    if waiting:
        yield f"never answered: {waiting}"


def _of_times(messages: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The web interface pages by the times of what a person said, and tells them apart by these."""
    said = [m for m in messages if _is_a_persons(m)]
    times: list[Any] = [message.get("created_at") for message in said]
    if not all(isinstance(at, float) for at in times):
        yield "what a person said has no time"
    elif times != sorted(set(times)):
        yield "times that do not rise"


def _is_a_persons(message: dict[str, Any]) -> bool:
    """By the program's own rule."""
    if message["role"] != "user" or message.get("system_injected"):
        return False
    return not str(message["content"]).startswith("[SYSTEM]")
