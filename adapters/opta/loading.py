"""What `opta chat --resume` demands of a chat file before it loads it (memory/store.ts).

Of a file that has less, or one message of another form, the tool says that there is no such
session; only `tags` may be missing.
"""

from __future__ import annotations

from adapters.opta.copies import ROLES, Document
from finder import files
from finder.errors import StoreError
from finder.jsonio import array, mapping
from finder.model import Json, JsonObject

_BOM = b"\xef\xbb\xbf"
_STRINGS = ("id", "created", "updated", "model", "cwd", "title")


def is_loadable(document: Document) -> bool:
    """Whether the tool would load this file."""
    return (
        document.kind == "chat"
        and _is_header(document.header)
        and all(map(_is_message, document.items))
        and not _has_mark(document)
    )


def _has_mark(document: Document) -> bool:
    try:
        return files.head(document.path, len(_BOM)) == _BOM
    except StoreError:  # gone a moment after it was read
        return True


def _is_header(header: JsonObject) -> bool:
    count = header.get("toolCallCount")
    return (
        all(isinstance(header.get(key), str) for key in _STRINGS)
        and isinstance(count, int | float)
        and not isinstance(count, bool)
        and isinstance(header.get("compacted"), bool)
        and _are(header.get("tags", []), str)
    )


def _are(value: Json, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


def _is_message(item: Json) -> bool:
    message = mapping(item)
    content, calls = message.get("content", 0), message.get("tool_calls", [])
    if not isinstance(message.get("role"), str) or message["role"] not in ROLES:
        return False
    if not isinstance(content, str | list | None) or not all(map(_is_part, array(content))):
        return False
    if not isinstance(calls, list) or not all(map(_is_call, calls)):
        return False
    return isinstance(message.get("tool_call_id", ""), str)


def _is_part(item: Json) -> bool:
    part = mapping(item)
    if part.get("type") == "text":
        return isinstance(part.get("text"), str)
    url = mapping(part.get("image_url")).get("url")
    return part.get("type") == "image_url" and isinstance(url, str)


def _is_call(item: Json) -> bool:
    call = mapping(item)
    function = mapping(call.get("function"))
    texts = (call.get("id"), function.get("name"), function.get("arguments"))
    return call.get("type") == "function" and all(isinstance(text, str) for text in texts)
