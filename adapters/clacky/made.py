"""What Clacky's messages are made of, made from events.

What the program takes (0.9.19 and 1.5.1): arguments as a text that is a JSON object; images as
``image_url`` with a ``data:`` or http URL, of the four types that it sends itself; no text that
is not UTF-8, since Ruby's JSON refuses to write it again; numbers that JSON has.
"""

from __future__ import annotations

import json
import re
from math import isfinite

from adapters.clacky.parts import file_name
from finder import jsonio
from finder.model import Attachment, Json, JsonObject, Message, Usage

# Types of images that Clacky reads from files (utils/file_processor.rb) and providers take.
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_DEEPEST = 90  # Ruby's JSON reads 100 levels
_ARGUMENTS = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_CALL_ID = r"[A-Za-z0-9_-]{1,128}"  # Anthropic's rule


def clean(text: str) -> str:
    """A text that is Unicode: halves of characters joined where they belong together."""
    if text.isascii():
        return text
    try:
        text.encode("utf-16")  # a half is found in half the time that UTF-8 takes
    except UnicodeEncodeError:
        data = text.encode("utf-16-le", "surrogatepass")
        return data.decode("utf-16-le", "replace")
    return text


def is_call_id(text: str) -> bool:
    """Whether all providers take it as the id of a call."""
    return re.fullmatch(_CALL_ID, text) is not None


def tool_name(name: str) -> str:
    """The name of a called tool; providers take no empty one."""
    return clean(name) or "unknown"


def arguments(value: Json) -> tuple[str, bool]:
    """A call's arguments as Clacky keeps them, and whether they are just these.

    Whatever is no object stands within one: providers demand an object, and 0.9.19 stops at a
    text that is not JSON.
    """
    if value is None:
        return "{}", False
    if isinstance(value, dict):
        try:
            text = _ARGUMENTS.encode(value)
        except (ValueError, RecursionError):  # a number that JSON does not have
            text = ""
        brackets = text.count("{") + text.count("[")
        if text and (brackets <= _DEEPEST or jsonio.depth(value) <= _DEEPEST):
            cleaned = clean(text)
            return cleaned, cleaned == text
    text = value if isinstance(value, str) else jsonio.dumps(value).decode()
    return json.dumps({"arguments": clean(text)}, ensure_ascii=False), False


def image(event: Attachment) -> JsonObject | None:
    """The content part of an image that can be sent to a model; None if it is no such image."""
    if event.mime not in _IMAGES:
        return None
    if event.data is not None:
        url = f"data:{event.mime};base64,{clean(event.data)}"
    elif event.url is not None and event.url.startswith(("http://", "https://", _inline(event))):
        url = clean(event.url)
    else:
        return None
    return {"type": "image_url", "image_url": {"url": url}}


def _inline(event: Attachment) -> str:
    return f"data:{event.mime};base64,"


def display_file(event: Attachment) -> JsonObject | None:
    """What the interface shows of a file that is not in the message; None: nothing is known."""
    name = event.name or file_name(event.path)
    if not name:
        return None
    path = None if event.path is None else clean(event.path)
    return {"name": clean(name), "type": "file", "path": path, "preview_path": None}


def token_usage(message: Message) -> JsonObject | None:
    """The tokens and cost of an answer.

    The terminal interface calculates with the tokens of the cache and with `delta_tokens`, what
    the answer added, so that these must be numbers.
    """
    if message.usage is None and message.cost is None:
        return None
    usage = message.usage or Usage()
    added = (usage.input or 0) + (usage.output or 0) if usage.total is None else usage.total
    return {
        "delta_tokens": added,
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.total,
        "cache_write": usage.cache_write or 0,
        "cache_read": usage.cache_read or 0,
        "cost": cost(message),
    }


def cost(message: Message) -> float | None:
    """What an answer cost, as a number that JSON has."""
    return message.cost if message.cost is not None and isfinite(message.cost) else None
