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
from functools import cached_property
from typing import Literal

from adapters.clacky import header, injected, results
from adapters.clacky.messages import texts
from adapters.clacky.parts import Common, merged
from adapters.clacky.stored import File
from finder.dataclass import dataclass
from finder.errors import StoreError
from finder.model import Compaction, Event, Json, Labels, Message, Opaque, Role, Text, ToolCall

_SUMMARISED = r" \[Compressed Summary — original conversation at: (?P<archive>.+)\]"
_HEADING = rf"(?:## User|## Assistant(?:{_SUMMARISED})?|### Tool Result: .*)"
# One with an empty line before and after it; in a text that begins with two line breaks.
_SECTION = rf"\n\n(?P<heading>{_HEADING})(?=\n\n|\n?\Z)"
# The line that closes a result's fence: the first after which a section can begin.
_END_OF_FENCE = rf"\n```(?=\n*\Z|\n\n+{_HEADING}(?:\n|\Z))"
_HEAD = r"---\n(?:(.*?)\n)??---(?:\n|\Z)"
_CALLS = r"_Tool calls: (.+)_"
_ARCHIVED: Labels = ("compacted", "truncated")
_IMAGE = r"(?m)^\[(?:image_url|image|document)\]$"


@dataclass(frozen=True, slots=True)
class Section:
    """One archived message. `archive`: the one that a summary names."""

    role: Literal["user", "assistant", "tool"]
    body: str
    archive: str | None = None


class Archive:
    """One archive file, read when it is asked for, and no further than that needs."""

    def __init__(self, file: File) -> None:
        self.file = file

    @cached_property
    def head(self) -> dict[str, str]:
        """What stands between the first two ``---``; empty if it is damaged or unreadable."""
        try:
            return _pairs(_decoded(self.file.head())) or _pairs(self.text)
        except StoreError:
            return {}

    @cached_property
    def _read(self) -> tuple[str, str | None]:
        try:
            return _decoded(self.file.read()), None
        except StoreError as error:
            return "", error.problem.message

    @property
    def text(self) -> str:
        """All of it, as it stands in the file."""
        return self._read[0]

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The messages."""
        return tuple(_sections(self.text))

    @property
    def problem(self) -> str | None:
        """What is wrong with it, in words."""
        text, unreadable = self._read
        return unreadable or _problem(text, self.head, self.sections)

    @property
    def session_id(self) -> str:
        """Whose it is: by its head, else the part of the id that its name has."""
        return self.head.get("session_id") or self.file.base[-8:]

    @property
    def archived(self) -> int | None:
        """When it was written, milliseconds UTC."""
        return header.milliseconds(self.head.get("archived_at"))

    @property
    def topics(self) -> str | None:
        return self.head.get("topics") or None


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


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


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n")


def _pairs(text: str) -> dict[str, str]:
    found = re.match(_HEAD, _unix(text), re.DOTALL)
    lines = (found[1] or "").split("\n") if found else []
    pairs = (line.partition(":") for line in lines)
    return {key.strip(): value.strip() for key, _, value in pairs if key.strip()}


def _sections(text: str) -> Iterator[Section]:
    unix = _unix(text)
    head = re.match(_HEAD, unix, re.DOTALL)
    body = "\n\n" + unix[head.end() if head else 0 :]
    headings = list(_headings(body))
    starts = [found.start() + 1 for found in headings]
    for found, end in zip(headings, [*starts[1:], len(body)], strict=False):
        role: Literal["user", "assistant", "tool"] = "assistant"
        if _is_result(found):
            role = "tool"
        elif found["heading"] == "## User":
            role = "user"
        yield Section(role, body[found.end() + 1 : end], found["archive"])


def _is_result(heading: re.Match[str]) -> bool:
    return heading["heading"].startswith("###")


def _headings(body: str) -> Iterator[re.Match[str]]:
    """The headings of sections: not those within a tool result's fence."""
    place = 0
    while found := re.compile(_SECTION).search(body, place):
        yield found
        place = found.end()
        if _is_result(found):
            opened = body.find("\n", place + 2)
            closed = re.compile(_END_OF_FENCE).search(body, opened) if opened > 0 else None
            place = closed.end() if closed else place


def told_model(archives: list[Archive]) -> str | None:
    """The last model that the archived session contexts name."""
    named = (header.told_models(one.text) for one in reversed(archives))
    return next((models[-1] for models in named if models), None)


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
    # By places in the line, which may be long: no pattern here looks back, nothing is copied.
    place = 0
    while place < len(line):
        found = re.compile("[;|]").search(line, place)
        end = found.start() if found else len(line)
        name = line[place:end].strip()
        if found is None or found[0] == ";":
            place = end + 1
            if name:
                yield name, None
            continue
        begin = _after_spaces(line, end + 1)
        if not line.startswith("{", begin):
            yield line[place:].strip(), None
            return
        try:
            arguments, end = json.JSONDecoder().raw_decode(line, begin)
        except (ValueError, RecursionError):
            yield name, line[begin:].strip()
            return
        place = _after_spaces(line, end)
        place += line.startswith(";", place)
        if name:
            yield name, arguments


def _after_spaces(line: str, place: int) -> int:
    found = re.compile(r"\s*").match(line, place)
    return found.end() if found else place


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
