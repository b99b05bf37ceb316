"""Opta's message records, as events.

A message is an OpenAI chat message and nothing else: {role, content, tool_calls?, tool_call_id?},
without id, time, model or usage. Its content is a text, null, or a list of {type: text, text} and
{type: image_url, image_url: {url}}. What a log knows of a message comes in as `Beside`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from adapters.opta import injected
from adapters.opta.copies import ROLES
from adapters.opta.masked import Outputs
from finder import jsonio
from finder.dataclass import dataclass, field, maker
from finder.jsonio import array, mapping, string
from finder.model import (
    Attachment,
    Compaction,
    Event,
    Json,
    JsonObject,
    Labels,
    Message,
    Opaque,
    Role,
    Status,
    Subagent,
    Text,
    ToolCall,
    ToolResult,
    Usage,
)

# Of these a story has very many.
_message, _text, _call, _result = maker(Message), maker(Text), maker(ToolCall), maker(ToolResult)

Called = tuple[str, str, Json]  # a call's id, its tool's name, the arguments as stored

# The tools that start a subagent, and their argument with the task.
SUBAGENT_TOOLS = {"spawn_agent": "task", "delegate_task": "plan"}
_DATA_URL = r"(?a)data:([\w.+/-]*);base64,"
_IMAGE = r"(?a)image/[\w.+-]+"


@dataclass(slots=True)
class Beside:
    """What the log knows of one message. Times are milliseconds UTC."""

    at: int | None = None
    finished: int | None = None
    usage: Usage | None = None
    cancelled: bool = False
    called: dict[str, int] = field(default_factory=dict)  # call id to when it began
    inner: list[Event] = field(default_factory=list)  # between the message and its content


@dataclass(frozen=True, slots=True)
class Story:
    """What the messages of one document say of each other.

    Attributes:
        calls: place of a message to the calls in it: see `calls`.
        tools: call id to the tool's name.
        results: call id to what came back, where any call starts a subagent.
        outputs: what other copies and the logs still have.
        system: record id of the system prompt, which compaction leaves where it is.
        shared: it is what `/share` writes, without calls and their ids.
    """

    calls: Mapping[int, Sequence[Called]]
    tools: Mapping[str, str]
    results: Mapping[str, str]
    outputs: Outputs
    system: str | None
    shared: bool

    @classmethod
    def of(
        cls, items: list[Json], outputs: Mapping[str, list[str]], *, shared: bool = False
    ) -> Story:
        """Reads the messages through once. `outputs`: by the ids of their calls."""
        called = {
            index: calls(item)
            for index, item in enumerate(items)
            if isinstance(item, dict) and "tool_calls" in item
        }
        tools: dict[str, str] = {}
        starts_any = False
        for made in called.values():
            for id_, name, _ in made:
                tools[id_] = name
                starts_any = starts_any or name in SUBAGENT_TOOLS
        results = _results(items) if starts_any else {}
        first = items[0] if items else None
        system = record_id(0) if isinstance(first, dict) and first.get("role") == "system" else None
        return cls(called, tools, results, Outputs(outputs), system, shared)


def _results(items: list[Json]) -> dict[str, str]:
    answers = (item for item in items if isinstance(item, dict) and item.get("role") == "tool")
    return {string(item.get("tool_call_id")) or "": text_of(item) for item in answers}


def record_id(index: int) -> str:
    """The id of a message record: its place, for it has no name of its own."""
    return f"messages/{index}"


def is_message(item: Json) -> bool:
    """Whether an item gives rise to a `Message`."""
    if not isinstance(item, dict):
        return False
    role = item.get("role")
    return isinstance(role, str) and role in ROLES


def text_of(item: JsonObject) -> str:
    """A message's text, of all its parts."""
    content = item.get("content")
    if isinstance(content, str):
        return content
    return "".join(string(mapping(part).get("text")) or "" for part in array(content))


def calls(item: JsonObject) -> list[Called]:
    """The tool calls in a message."""
    found: list[Called] = []
    stored = item.get("tool_calls")
    for call in stored if isinstance(stored, list) else ():
        fields = mapping(call)
        function = mapping(fields.get("function"))
        id_, name = string(fields.get("id")), string(function.get("name"))
        found.append((id_ or "", name or "", function.get("arguments")))
    return found


def arguments(stored: Json) -> Json:
    """A call's arguments parsed; the text as the model sent it where that is not JSON."""
    if not isinstance(stored, str):
        return stored
    try:
        return jsonio.loads(stored)
    except ValueError:
        return stored


def argument_text(value: Json) -> str:
    """Arguments as a call has them: what `arguments` reads, written."""
    if isinstance(value, str) and arguments(value) == value:
        return value  # not JSON, but what the model sent
    return jsonio.dumps(value).decode()


def text_part(text: str) -> JsonObject:
    """A text in a list of parts."""
    return {"type": "text", "text": text}


def image_part(event: Attachment) -> JsonObject | None:
    """An image in a list of parts; None for what is no image, or only named."""
    if event.data is not None:
        fits = re.fullmatch(_IMAGE, event.mime or "")
        url = f"data:{event.mime};base64,{event.data}" if fits else None
    else:
        fits = re.fullmatch(_IMAGE, event.mime or "image/png")
        reachable = (event.url or "").startswith(("http://", "https://", "data:image/"))
        url = event.url if fits and reachable else None
    return None if url is None else {"type": "image_url", "image_url": {"url": url}}


def events(item: Json, index: int, story: Story, beside: Beside) -> Sequence[Event]:
    """What one message record says."""
    record = record_id(index)
    if not is_message(item):
        what = "an item without a known role" if isinstance(item, dict) else "not an object"
        return (Opaque(kind="message", problem=what, record=record, raw=item),)
    return _Writer(item, record, story, beside).events(story.calls.get(index, ()))


class _Writer:
    """Turns one message into events."""

    __slots__ = ("beside", "interrupted", "is_summary", "item", "record", "role", "story")

    def __init__(self, item: JsonObject, record: str, story: Story, beside: Beside) -> None:
        self.item = item
        self.record = record
        self.story = story
        self.beside = beside
        self.role: Role = item["role"]
        self.interrupted: Labels = ("interrupted",) if beside.cancelled else ()
        # What compaction left: all its texts are that then.
        self.is_summary = self.role == "user" and injected.is_summary(_first_text(item))

    def events(self, called: Sequence[Called]) -> list[Event]:
        record, role, beside = self.record, self.role, self.beside
        odd = _oddities(self.item, called, self.story)
        content, labels = self._content()
        found: list[Event] = []
        if odd:  # what can be read of it follows
            problem = "; ".join(odd)
            found.append(Opaque(kind="message", problem=problem, raw=self.item, **self._place()))
        found.append(
            _message(
                record=record,
                at=beside.at,
                message=record,
                role=role,
                labels=labels,
                raw=None if odd else self.item,
                usage=beside.usage,
                finished=beside.finished,
            )
        )
        found += beside.inner
        if role == "tool":
            found.append(self._result())
        found += content
        for id_, name, stored in called:
            found.append(
                _call(
                    call=id_,
                    name=name,
                    input=arguments(stored),
                    record=record,
                    at=beside.called.get(id_),
                    message=record,
                    role=role,
                )
            )
            if name in SUBAGENT_TOOLS:
                found += self._subagent(id_, name, stored)
        return found

    def _place(self) -> dict[str, Json]:
        return {"record": self.record, "message": self.record, "role": self.role}

    def _content(self) -> tuple[list[Event], Labels]:
        """The events of its content, and the labels of the message that go by its texts."""
        told: list[Event] = []
        texts: list[Labels] = []
        if self.is_summary:
            mark = Compaction(
                auto=True, keep=self.story.system, labels=("inferred",), **self._place()
            )
            told.append(mark)
        content = self.item.get("content")
        if isinstance(content, str):
            if self.role == "tool":  # told by its `ToolResult`
                return told, self.interrupted
            texts = self._text(content, told)
        else:
            for part in array(content):
                if _is_text(part):
                    texts += self._text(part["text"], told)
                elif isinstance(part, str):
                    self._text(part, told)
                elif isinstance(url := _image_url(part), str):
                    told.append(_attachment(url, self._place()))
        if not all(texts) or not texts or not all("synthetic" in labels for labels in texts):
            return told, self.interrupted
        return told, tuple(dict.fromkeys(label for labels in texts for label in labels))

    def _text(self, text: str, told: list[Event]) -> list[Labels]:
        """Tell a text; the labels of its pieces."""
        if self.role == "tool":  # told by its `ToolResult`
            return []
        record, role, interrupted = self.record, self.role, self.interrupted
        if injected.is_own(text, role) and not self.is_summary and not self.story.shared:
            told.append(
                _text(text=text, record=record, message=record, role=role, labels=interrupted)
            )
            return [()]
        pieces = self._pieces(text)
        told += [
            _text(
                text=piece.text,
                record=record,
                message=record,
                role=role,
                labels=(*piece.labels, *interrupted),
            )
            for piece in pieces
        ]
        return [piece.labels for piece in pieces]

    def _pieces(self, text: str) -> list[injected.Piece]:
        if self.is_summary:
            return [injected.Piece(text, injected.SUMMARY_LABELS)]
        if self.story.shared and text == injected.NO_TEXT:
            return [injected.Piece(text, injected.NO_TEXT_LABELS)]
        return injected.pieces(text, self.role)

    def _result(self) -> ToolResult:
        call = string(self.item.get("tool_call_id")) or ""
        output = self.story.outputs.whole(call, text_of(self.item))
        tool = self.story.tools.get(call)
        status = injected.status(output, tool or "")
        labels: Labels = () if status == "ok" else ("inferred",)
        if tool is None or injected.mask(output):
            labels = ("truncated", "inferred")  # the call that it answers, or the output
        return _result(
            call=call,
            output=output,
            status=status,
            record=self.record,
            at=self.beside.at,
            started=self.beside.called.get(call),
            message=self.record,
            role=self.role,
            labels=labels,
        )

    def _subagent(self, call: str, name: str, stored: Json) -> Iterator[Subagent]:
        result = self.story.results.get(call)
        if result is not None:
            result = self.story.outputs.whole(call, result)
            if injected.is_denied(result):  # none was started
                return
        status: Status | None = None if result is None else injected.status(result, name)
        yield Subagent(
            call=call,
            prompt=string(mapping(arguments(stored)).get(SUBAGENT_TOOLS[name])),
            result=result,
            status=status,
            labels=() if status in (None, "ok") else ("inferred",),
            **self._place(),
        )


def _first_text(item: JsonObject) -> str:
    content = item.get("content")
    if isinstance(content, str):
        return content
    return next((part["text"] for part in array(content) if _is_text(part)), "")


def _is_text(part: Json) -> bool:
    return (
        isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)
    )


def _image_url(part: Json) -> Json:
    part = mapping(part)
    return mapping(part.get("image_url")).get("url") if part.get("type") == "image_url" else None


def _attachment(url: str, place: dict[str, Json]) -> Attachment:
    data = re.match(_DATA_URL, url)
    if data is None:
        return Attachment(url=url, **place)
    return Attachment(mime=data[1] or None, data=url[data.end() :], **place)


def _oddities(item: JsonObject, called: Sequence[Called], story: Story) -> list[str]:
    """What of a message cannot be told as an event of its own."""
    found: list[str] = []
    content = item.get("content")
    if content is None:
        if "content" not in item:
            found.append("a message without content")
    elif not isinstance(content, str):
        found += _odd_content(content)
    if "tool_calls" in item:
        if not isinstance(item["tool_calls"], list) and item["tool_calls"] is not None:
            found.append("tool calls that are no list")
        for id_, name, _ in called:
            if not id_ or not name:
                found.append("a tool call without an id or a name")
    if item["role"] == "tool" and not story.shared and not _is_named(item):
        found.append("a tool result without the id of its call")
    return found


def _is_named(item: JsonObject) -> bool:
    return isinstance(item.get("tool_call_id"), str)


def _odd_content(content: Json) -> Iterator[str]:
    if not isinstance(content, list):
        yield f"content that is a JSON {jsonio.json_type(content)}"
    for part in array(content):
        if not _is_text(part) and not isinstance(_image_url(part), str):
            kind = mapping(part).get("type")
            yield f"a part that is no text or image (its type: {kind!r})"
