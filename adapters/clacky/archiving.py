"""What left a session's context, written as the archive that Clacky would have made of it.

The form is that of 1.x (see `adapters.clacky.archive`), but nothing is cut. All compactions of a
session share one archive: what a summary within it stands for is in the same file, above it. So
no version shows anything twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from adapters.clacky import archive
from adapters.clacky.entry import Answer, AnyEntry, Entry
from adapters.clacky.made import tool_name
from adapters.clacky.stored import File
from finder.jsonio import string
from finder.model import (
    Compaction,
    Event,
    ToolCall,
    ToolResult,
)
from finder.writing import Report

_NOTE = "its archives are Markdown, and what looks like a heading there is one"
_CALL = "its archives keep no ids of calls"


def written(
    entries: Sequence[AnyEntry], session_id: str, name: str, at: str, report: Report
) -> str:
    """An archive of these messages; `at` is when it was made, in ISO 8601."""
    sections = [_section(entry, name) for entry in entries]
    level = 1 + sum(entry.summary for entry in entries)
    head = (
        f"---\nsession_id: {session_id}\nchunk: 1\ncompression_level: {level}\n"
        f"archived_at: {at}\nmessage_count: {len(sections)}\n---\n\n# Session Chunk 1\n\n"
        "> This file contains the original conversation archived during compression.\n"
        "> Use `file_reader` to recall specific details from this conversation.\n\n"
    )
    text = head + "\n".join(sections)
    read = _by_section(text, name)
    for entry, section in zip(entries, sections, strict=True):
        parts = [next(read) for _ in _archive(section, name).sections]
        _account(entry, [event for part in parts for event in part], report)
    return text


def _archive(text: str, name: str) -> archive.Archive:
    return archive.Archive(File(Path(name), data=text.encode("utf-8", "surrogatepass")))


def _by_section(text: str, name: str) -> Iterator[list[Event]]:
    """What the archive will be read as: a message and its content at a time."""
    told = (event for event in archive.events(_archive(text, name)) if event.type != "opaque")
    return (list(group) for _, group in groupby(told, key=lambda event: event.message))


def _section(entry: AnyEntry, name: str) -> str:
    if isinstance(entry, Answer):
        return f"### Tool Result: tool\n\n```\n{entry.output}\n```\n"
    if entry.role != "assistant":
        return f"## User\n\n{_text(entry)}\n"
    title = f" [Compressed Summary — original conversation at: {name}]" if entry.summary else ""
    lines = [f"## Assistant{title}\n"]
    if entry.calls:
        lines.append(f"_Tool calls: {'; '.join(map(_called, entry.calls, entry.arguments))}_\n")
    return "\n".join([*lines, f"{_text(entry)}\n"])


def _text(entry: Entry) -> str:
    return "\n".join(string(part.get("text")) or "" for part in entry.texts)


def _called(call: ToolCall, arguments: str) -> str:
    """A call as it stands in the line above an answer."""
    name = tool_name(call.name)
    return name if arguments == "{}" else f"{name} | {arguments}"


# -- account ---------------------------------------------------------------------------------


def _account(entry: AnyEntry, read: Sequence[Event], report: Report) -> None:
    """Report how the events of one entry will be read: an archive has no ids and few marks."""
    ours = entry.events
    started = 2 if entry.summary and not isinstance(ours[0], Compaction) else 1
    theirs = read[started:]
    if _types(ours) == _types(theirs):
        for event, other in zip(ours, theirs, strict=True):
            _compare(event, other, report)
    else:
        for event in ours:
            report.reshaped(event, *_FIELDS.get(event.type, ()), "labels", None, note=_NOTE)
        for event in read:
            report.rule("invented", event.type, None, _NOTE)
    _account_for_message(entry, report)


def _types(events: Sequence[Event]) -> list[str]:
    return [event.type for event in events]


def _compare(event: Event, other: Event, report: Report) -> None:
    if event.type != other.type:
        return
    for name in _FIELDS.get(event.type, ()):
        if getattr(event, name) != getattr(other, name):
            report.changed(event, name, note=_NOTE)
            if getattr(other, name) is None:
                report.dropped(event, name, note="its archives have no empty arguments")
    if isinstance(other, ToolCall | ToolResult):
        report.renamed(event, other.call, note=_CALL)
    if event.at is not None:
        report.dropped(event, "at", note="its archives have no times")
    for label in event.labels:
        if label not in other.labels:
            report.lowered(event, f"labels.{label}", note="its archives have no flags")
    for label in (*other.labels, "inferred"):
        if label not in event.labels:
            note = "OpenClacky cuts what it archives: nobody can tell whether it is whole"
            report.invented(event, f"labels.{label}", note=note)


_FIELDS = {
    "text": ("text",),
    "tool_call": ("name", "input"),
    "tool_result": ("output", "status"),
    "compaction": ("archive",),
}


def _account_for_message(entry: AnyEntry, report: Report) -> None:
    if entry.message is not None:
        for name in ("at", "usage", "cost"):
            if getattr(entry.message, name) is not None:
                report.dropped(entry.message, name, note="its archives have words only")
