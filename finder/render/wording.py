"""What a document says about sessions and events besides their texts, as plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from finder import jsonio
from finder.model import (
    Attachment,
    Compaction,
    Json,
    Message,
    Opaque,
    Reasoning,
    Session,
    ToolCall,
    ToolResult,
)

Fact = tuple[str, str]
"""A name and a value."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATA_URL = r"(?i)data:([^,]*),"


def facts(session: Session) -> Iterator[Fact]:
    """What is known about a session, as names and values."""
    known = [
        ("Tool", session.ref.tool),
        ("Session", session.ref.id),
        ("Title", session.title),
        ("Directory", session.directory),
        ("Created", None if session.created is None else moment(session.created)),
        ("Updated", None if session.updated is None else moment(session.updated)),
        ("Agent", session.agent),
        ("Model", session.model),
        ("Messages", None if session.messages is None else str(session.messages)),
        ("Subagent of", str(session.parent) if session.parent else None),
        ("Archived", None if session.archived is None else moment(session.archived)),
        ("Labels", ", ".join(session.labels)),
        ("Store", session.ref.store),
        ("Also in", ", ".join(session.also_in)),
    ]
    return ((name, value) for name, value in known if value)


def said_of(message: Message) -> Iterator[str]:
    """When a message was said, by whom, for how much; as words."""
    if message.at is not None:
        yield moment(message.at)
    if message.at is not None and message.finished is not None and message.finished > message.at:
        yield f"took {duration(message.finished - message.at)}"
    yield from (name for name in (message.agent, message.model) if name)
    if message.usage:
        counts = {
            "in": message.usage.input,
            "out": message.usage.output,
            "reasoning": message.usage.reasoning,
            "read from cache": message.usage.cache_read,
            "written to cache": message.usage.cache_write,
            "in total": message.usage.total,
        }
        known = [f"{count:,} {word}" for word, count in counts.items() if count]
        if known:
            yield f"tokens: {', '.join(known)}"
    if message.cost:
        yield f"${message.cost:.6g}"


def outcome(result: ToolResult | None, call: ToolCall | None) -> Iterator[str]:
    """A tool result's status, duration, time and title, as words."""
    if result is None:
        yield "no result"
        return
    yield result.status
    time = took(result, call)
    if time:
        yield duration(time)
    if result.at is not None:
        yield moment(result.at)
    if result.title:
        yield result.title


def took(result: ToolResult, call: ToolCall | None) -> int | None:
    """How long a tool ran, in milliseconds, where that is known."""
    began = result.started if result.started is not None or call is None else call.at
    if result.at is None or began is None or result.at < began:
        return None
    return result.at - began


def arguments(value: Json) -> Iterator[tuple[str | None, str, str]]:
    """A tool's input as blocks: name, text and language.

    Texts of several lines stand by themselves under their name, since JSON would show them as
    one long line; all other arguments together are one block of JSON.
    """
    if value is None:
        return
    if isinstance(value, str):
        yield None, value, ""
        return
    if not isinstance(value, dict):
        yield None, pretty(value), "json"
        return
    texts = {name: v for name, v in value.items() if isinstance(v, str) and "\n" in v}
    rest = {name: v for name, v in value.items() if name not in texts}
    if rest or not texts:
        yield None, pretty(rest), "json"
    for name, text in texts.items():
        yield name, text, ""


def pretty(value: Json) -> str:
    """JSON for the eye."""
    return jsonio.dumps(value, indent=True).decode()


def payload(event: Attachment) -> tuple[str | None, bytes | None]:
    """An attachment's type and bytes, from its data or from a data URL; None: not there."""
    mime, data = event.mime, event.data
    url = re.match(_DATA_URL, event.url or "")
    if data is None and url and event.url and url[1].lower().endswith(";base64"):
        mime = mime or url[1].split(";")[0]
        data = event.url[url.end() :]
    if data is None:
        return mime, None
    from base64 import b64decode

    try:
        return mime, b64decode("".join(data.split()), validate=True)
    except ValueError:
        return mime, None


def attached(event: Attachment) -> Iterator[str]:
    """An attachment's name, type, size and place, as words."""
    mime, content = payload(event)
    if event.name:
        yield event.name
    if mime:
        yield mime
    if content is not None:
        yield f"{len(content):,} bytes"
    elif event.data is not None:
        yield f"{len(event.data):,} characters that are not valid base64"
    if event.path and event.path != event.name:
        yield event.path
    if event.url and content is None:
        yield event.url
    if not (event.name or mime or content or event.path or event.url):
        yield "of unknown kind"


def compacted(event: Compaction, kept: int | None) -> Iterator[str]:
    """What a compaction did, as words; `kept` is the number of the first message kept."""
    how = {True: "by the tool itself", False: "asked for", None: "not known by whom"}
    yield f"the live context starts anew ({how[event.auto]})"
    if event.keep is not None:
        from_ = f"message {kept}" if kept else f"record {event.keep}"
        yield f"kept from {from_} on"
    if event.archive:
        yield f"what left it is in {event.archive}"


def thought(event: Reasoning) -> str:
    """Reasoning, or why there is none to read."""
    return event.text or ("(the tool keeps it unreadable)" if event.redacted else "")


def record(event: Opaque) -> str:
    """An unreadable record as far as the store has it."""
    if event.raw is None:
        return ""
    return event.raw if isinstance(event.raw, str) else pretty(event.raw)


def moment(time: int) -> str:
    """Milliseconds UTC as ``2026-09-21 14:03:05 UTC``."""
    try:
        return (_EPOCH + timedelta(milliseconds=time)).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError):
        return f"{time} ms after 1970"  # beyond the calendar


def duration(time: int) -> str:
    """Milliseconds as ``340 ms``, ``2.4 s``, ``3 min 5 s``, ``2 h 0 min``."""
    if time < 1000:
        return f"{time} ms"
    if time < 60_000:
        return f"{time / 1000:.1f} s"
    minutes, seconds = divmod(time // 1000, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    return f"{minutes // 60:,} h {minutes % 60} min"
