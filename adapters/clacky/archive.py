"""``…-chunk-<N>.md``: what a compaction took out of a session, as Markdown.

    ---
    session_id, chunk, compression_level, archived_at, message_count, from 1.x on topics
    ---
    ## User
    ## Assistant                      first line from 0.9.23 on: _Tool calls: name | {json}; …_
                                      before: _Tool calls: name, name_
    ## Assistant [Compressed Summary — original conversation at: <archive>]
    ### Tool Result: tool             fenced, cut at 500 characters

Each message is one section. Ids, times, images (``[image_url]``) and long arguments are lost. A
heading within a message's text looks like a section's: one is taken for a heading only between
empty lines and outside a tool result. See agent/message_compressor_helper.rb.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from adapters.clacky import header, injected, results
from adapters.clacky.messages import texts
from adapters.clacky.parts import Common, merged
from adapters.clacky.stored import File
from finder.errors import StoreError
from finder.model import Compaction, Event, Json, Labels, Message, Opaque, Role, Text, ToolCall

_HEADING = (
    r"## User|## Assistant(?: \[Compressed Summary — original conversation at: (?P<archive>.+)\])?"
    r"|### Tool Result: .*"
)
_CALLS = r"_Tool calls: (.+)_"
_ARCHIVED: Labels = ("compacted", "truncated")
_IMAGE = r"(?m)^\[(?:image_url|image|document)\]$"


@dataclass(frozen=True, slots=True)
class Section:
    """One archived message. `archive`: the one that a summary names."""

    role: Literal["user", "assistant", "tool"]
    body: str
    archive: str | None = None


@dataclass(frozen=True, slots=True)
class Archive:
    """One archive file, read. `problem`: what is wrong with it, in words."""

    file: File
    head: dict[str, str]
    sections: tuple[Section, ...]
    text: str
    problem: str | None

    @property
    def session_id(self) -> str:
        """Whose it is: by its head, else the part of the id that its name has."""
        return self.head.get("session_id") or self.file.base[-8:]

    @property
    def archived(self) -> int | None:
        return header.milliseconds(self.head.get("archived_at"))

    @property
    def topics(self) -> str | None:
        return self.head.get("topics") or None


def read(file: File) -> Archive:
    """An archive, whatever is left of it; it never raises."""
    try:
        text = file.read().decode("utf-8", "surrogateescape")
    except StoreError as error:
        return Archive(file, {}, (), "", error.problem.message)
    lines = text.replace("\r\n", "\n").split("\n")
    head, start = _head(lines)
    sections = tuple(_sections(lines[start:]))
    return Archive(file, head, sections, text, _problem(text, head, sections))


def _problem(text: str, head: dict[str, str], sections: tuple[Section, ...]) -> str | None:
    if not text.strip("\0 \t\r\n"):
        return "the archive is empty"
    if not head:
        return "the archive has no head; it may be damaged"
    counted = _counted(head)
    if counted is None:
        return "the archive's head does not say how many messages it has; it may be damaged"
    if len(sections) < counted:
        return f"the archive has {len(sections)} of the {counted} messages that its head counts"
    return None


def _counted(head: dict[str, str]) -> int | None:
    """How many messages the head says that there are."""
    text = head.get("message_count", "")
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _head(lines: list[str]) -> tuple[dict[str, str], int]:
    """The lines between the first two ``---``, and where the rest begins."""
    if lines[0] != "---" or "---" not in lines[1:]:
        return {}, 0
    end = lines.index("---", 1)
    pairs = (line.partition(":") for line in lines[1:end])
    return {key.strip(): value.strip() for key, _, value in pairs if key.strip()}, end + 1


def _sections(lines: list[str]) -> Iterator[Section]:
    places = list(_headings(lines))
    for number, (place, found) in enumerate(places):
        end = places[number + 1][0] if number + 1 < len(places) else len(lines)
        body = "\n".join(lines[place + 1 : end])
        role: Literal["user", "assistant", "tool"] = "assistant"
        if found[0].startswith("###"):
            role = "tool"
        elif found[0] == "## User":
            role = "user"
        yield Section(role, body, found["archive"])


def _headings(lines: list[str]) -> Iterator[tuple[int, re.Match[str]]]:
    place = 0
    while place < len(lines):
        found = re.fullmatch(_HEADING, lines[place])
        if found and _is_empty(lines, place - 1) and _is_empty(lines, place + 1):
            yield place, found
            if found[0].startswith("###"):
                place = _end_of_fence(lines, place + 1)
        place += 1


def _is_empty(lines: list[str], place: int) -> bool:
    return not 0 <= place < len(lines) or not lines[place]


def _end_of_fence(lines: list[str], start: int) -> int:
    """The line that closes a result's fence: the first after which a section can begin."""
    for place in range(start + 2, len(lines)):
        if lines[place] == "```" and _is_empty(lines, place + 1):
            rest = next((line for line in lines[place + 1 :] if line), None)
            if rest is None or re.fullmatch(_HEADING, rest):
                return place
    return start


def told_model(archives: list[Archive]) -> str | None:
    """The last model that the archived session contexts name."""
    named = [name for one in archives for name in header.told_models(one.text)]
    return named[-1] if named else None


def count(archives: list[Archive]) -> int:
    """How many messages `events` opens for them."""
    return sum(len(archive.sections) for archive in archives)


def events(archive: Archive) -> Iterator[Event]:
    """What an archive tells. All of it has left the context, and most of it was cut."""
    raw: Json = archive.text
    if archive.problem is not None:
        record = archive.file.name
        yield Opaque(
            kind="archive", problem=archive.problem, record=record, labels=_ARCHIVED, raw=raw
        )
        raw = None
    # More sections than messages: some message has a heading of its own, and was divided.
    counted = _counted(archive.head)
    divided = counted is not None and len(archive.sections) > counted
    labels = merged(_ARCHIVED, ("inferred",)) if divided else _ARCHIVED
    pending: list[ToolCall] = []
    for number, section in enumerate(archive.sections):
        record = f"{archive.file.name}#{number}"
        common: Common = {"record": record, "message": record, "role": section.role, "at": None}
        content = list(_content(section, common, labels, pending))
        if section.role != "tool":
            pending = [event for event in content if isinstance(event, ToolCall)]
        own = _spoken_by_the_tool(section, content)
        yield Message(**common, labels=merged(labels, own), raw=raw)
        raw = None
        yield from content


def _spoken_by_the_tool(section: Section, content: list[Event]) -> Labels:
    said = [event for event in content if isinstance(event, Text | ToolCall)]
    if section.role != "tool" and said and all("synthetic" in event.labels for event in said):
        return said[0].labels
    return ()


def _content(
    section: Section, common: Common, labels: Labels, pending: list[ToolCall]
) -> Iterator[Event]:
    if section.role == "tool":
        yield from _result(section, common, labels, pending)
        return
    body = section.body.removeprefix("\n")
    calls = re.match(_CALLS + r"(?:\n|\Z)", body) if section.role == "assistant" else None
    if calls:
        body = body[calls.end() :].removeprefix("\n")
    text = _without_end(body)
    if section.archive or injected.is_summary_text(text):
        yield Compaction(**common, labels=labels, archive=section.archive)
    if section.archive:
        labels = merged(labels, ("synthetic", "summary"))
        yield Text(**common, labels=labels, text=text)
    else:
        yield from _texts(text, common, labels)
    if calls:
        yield from _calls(calls[1], common, merged(labels, ("inferred",)))


def _without_end(body: str) -> str:
    """A section's text without the empty line that follows it."""
    return body.removesuffix("\n")


def _texts(text: str, common: Common, labels: Labels) -> Iterator[Text]:
    """A text, and the marks that stand in it for images as the tool's."""
    place = 0
    role: Role = common["role"]
    for mark in re.finditer(_IMAGE, text) if role == "user" else ():
        yield from texts(text[place : mark.start()], common, labels, flagged=False)
        synthetic = merged(labels, ("synthetic", "inferred"))
        yield Text(**common, labels=synthetic, text=mark[0])
        place = mark.end()
    yield from texts(text[place:], common, labels, flagged=False)


def _calls(line: str, common: Common, labels: Labels) -> Iterator[ToolCall]:
    for number, (name, arguments) in enumerate(called(line)):
        call = f"{common['record']}.{number}"
        yield ToolCall(**common, labels=labels, call=call, name=name, input=arguments)


def called(line: str) -> Iterator[tuple[str, Json]]:
    """The calls in ``name | {json}; name``, or in the older ``name, name``."""
    if " | {" not in line and ";" not in line:
        yield from ((name.strip(), None) for name in line.split(",") if name.strip())
        return
    while line:
        found = re.match(r"\s*([^;|]*?)\s*(?:(\|)\s*(?=\{)|;|\Z)", line)
        if found is None:
            yield line.strip(), None
            return
        name, line = found[1], line[found.end() :]
        arguments: Json = None
        if found[2]:
            try:
                arguments, end = json.JSONDecoder().raw_decode(line)
            except (ValueError, RecursionError):
                yield name, line.strip()
                return
            line = line[end:].lstrip(" ").removeprefix(";")
        if name:
            yield name, arguments


def _result(
    section: Section, common: Common, labels: Labels, pending: list[ToolCall]
) -> Iterator[Event]:
    body = section.body.removeprefix("\n").removeprefix("```\n")
    output = re.sub(r"\n?```\n*\Z", "", body)
    # Results have no ids; they stand in the order of the calls before them.
    call = pending.pop(0) if pending else None
    name = call.call if call else common["record"]
    known = {call.call: call} if call else {}
    yield from results.events(name, output, common, merged(labels, ("inferred",)), known)
