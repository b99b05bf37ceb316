"""Opta's message records, as events.

A message is an OpenAI chat message and nothing else: {role, content, tool_calls?, tool_call_id?},
without id, time, model or usage. Its content is a text, null, or a list of {type: text, text} and
{type: image_url, image_url: {url}}. What a log knows of a message comes in as `Beside`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from adapters.opta import injected
from adapters.opta.copies import ROLES
from adapters.opta.masked import Outputs
from finder import jsonio
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

# The tools that start a subagent, and their argument with the task.
SUBAGENT_TOOLS = {"spawn_agent": "task", "delegate_task": "plan"}
_DATA_URL = re.compile(r"data:([\w.+/-]*);base64,", re.ASCII)
_IMAGE = re.compile(r"image/[\w.+-]+", re.ASCII)


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
        tools: call id to the tool's name.
        results: call id to what came back.
        outputs: what other copies and the logs still have.
        system: record id of the system prompt, which compaction leaves where it is.
        shared: it is what `/share` writes, without calls and their ids.
    """

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
        tools, results = {}, {}
        for item in items:
            if isinstance(item, dict):
                tools.update({id_: name for id_, name, _ in calls(item)})
                if item.get("role") == "tool":
                    results[string(item.get("tool_call_id")) or ""] = text_of(item)
        first = items[0] if items else None
        system = isinstance(first, dict) and first.get("role") == "system"
        return cls(tools, results, Outputs(outputs), record_id(0) if system else None, shared)


def record_id(index: int) -> str:
    """The id of a message record: its place, for it has no name of its own."""
    return f"messages/{index}"


def is_message(item: Json) -> bool:
    """Whether an item gives rise to a `Message`."""
    return isinstance(item, dict) and isinstance(item.get("role"), str) and item["role"] in ROLES


def text_of(item: JsonObject) -> str:
    """A message's text, of all its parts."""
    content = item.get("content")
    if isinstance(content, str):
        return content
    return "".join(string(mapping(part).get("text")) or "" for part in array(content))


def calls(item: JsonObject) -> list[tuple[str, str, Json]]:
    """The tool calls in a message: id, name, and the arguments as stored."""
    found = []
    for call in array(item.get("tool_calls")):
        function = mapping(mapping(call).get("function"))
        id_ = string(mapping(call).get("id")) or ""
        found.append((id_, string(function.get("name")) or "", function.get("arguments")))
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
        fits = _IMAGE.fullmatch(event.mime or "")
        url = f"data:{event.mime};base64,{event.data}" if fits else None
    else:
        fits = _IMAGE.fullmatch(event.mime or "image/png")
        reachable = (event.url or "").startswith(("http://", "https://", "data:image/"))
        url = event.url if fits and reachable else None
    return None if url is None else {"type": "image_url", "image_url": {"url": url}}


def events(item: Json, index: int, story: Story, beside: Beside) -> Iterator[Event]:
    """What one message record says."""
    record = record_id(index)
    if not isinstance(item, dict) or not is_message(item):
        what = "an item without a known role" if isinstance(item, dict) else "not an object"
        yield Opaque(kind="message", problem=what, record=record, raw=item)
        return
    yield from _Writer(item, record, story, beside).events()


@dataclass(slots=True)
class _Writer:
    item: JsonObject
    record: str
    story: Story
    beside: Beside

    @property
    def role(self) -> Role:
        return cast("Role", self.item["role"])

    def events(self) -> Iterator[Event]:
        odd = "; ".join(_oddities(self.item, self.story))
        if odd:  # what can be read of it follows
            yield Opaque(kind="message", problem=odd, raw=self.item, **self._place())
        yield Message(
            raw=None if odd else self.item,
            at=self.beside.at,
            finished=self.beside.finished,
            usage=self.beside.usage,
            labels=self._message_labels(),
            **self._place(),
        )
        yield from self.beside.inner
        if self.role == "tool":
            yield self._result()
        yield from self._content()
        for id_, name, stored in calls(self.item):
            at = self.beside.called.get(id_)
            yield ToolCall(call=id_, name=name, input=arguments(stored), at=at, **self._place())
            yield from self._subagent(id_, name, stored)

    def _place(self) -> dict[str, Json]:
        return {"record": self.record, "message": self.record, "role": self.role}

    def _message_labels(self) -> Labels:
        interrupted: Labels = ("interrupted",) if self.beside.cancelled else ()
        if self.role == "tool":
            return interrupted
        if self._is_summary():
            return injected.SUMMARY_LABELS
        whole = [piece.labels for text in self._texts() for piece in self._pieces(text)]
        if not whole or not all("synthetic" in labels for labels in whole):
            return interrupted
        return tuple(dict.fromkeys([label for labels in whole for label in labels]))

    def _texts(self) -> list[str]:
        content = self.item.get("content")
        if isinstance(content, str):
            return [content]
        return [part["text"] for part in array(content) if _is_text(part)]

    def _is_summary(self) -> bool:
        """Whether it is what compaction left; all its texts are that then."""
        return self.role == "user" and any(map(injected.is_summary, self._texts()[:1]))

    def _content(self) -> Iterator[Event]:
        if self._is_summary():
            yield Compaction(
                auto=True, keep=self.story.system, labels=("inferred",), **self._place()
            )
        content = self.item.get("content")
        for part in [content] if isinstance(content, str) else array(content):
            if isinstance(url := _image_url(part), str):
                yield _attachment(url, self._place())
            elif isinstance(part, str) or _is_text(part):
                yield from self._text(part if isinstance(part, str) else part["text"])

    def _text(self, text: str) -> Iterator[Text]:
        if self.role == "tool":  # told by its `ToolResult`
            return
        more: Labels = ("interrupted",) if self.beside.cancelled else ()
        if self._is_summary():
            yield Text(text=text, labels=(*injected.SUMMARY_LABELS, *more), **self._place())
            return
        for piece in self._pieces(text):
            yield Text(text=piece.text, labels=(*piece.labels, *more), **self._place())

    def _pieces(self, text: str) -> list[injected.Piece]:
        if self.story.shared and text == injected.NO_TEXT:
            return [injected.Piece(text, injected.NO_TEXT_LABELS)]
        return injected.pieces(text, self.role)

    def _result(self) -> ToolResult:
        call = string(self.item.get("tool_call_id")) or ""
        output = self.story.outputs.whole(call, text_of(self.item))
        status = injected.status(output, self.story.tools.get(call, ""))
        labels: list[str] = []
        if injected.mask(output) or call not in self.story.tools:
            labels.append("truncated")  # the output, or the call that it answers
        if labels or status != "ok":
            labels.append("inferred")
        return ToolResult(
            call=call,
            output=output,
            status=status,
            at=self.beside.at,
            started=self.beside.called.get(call),
            labels=tuple(labels),  # type: ignore[arg-type]
            **self._place(),
        )

    def _subagent(self, call: str, name: str, stored: Json) -> Iterator[Subagent]:
        if name not in SUBAGENT_TOOLS:
            return
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


def _is_text(part: Json) -> bool:
    return (
        isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)
    )


def _image_url(part: Json) -> Json:
    part = mapping(part)
    return mapping(part.get("image_url")).get("url") if part.get("type") == "image_url" else None


def _attachment(url: str, place: dict[str, Json]) -> Attachment:
    data = _DATA_URL.match(url)
    if data is None:
        return Attachment(url=url, **place)
    return Attachment(mime=data[1] or None, data=url[data.end() :], **place)


def _oddities(item: JsonObject, story: Story) -> Iterator[str]:
    """What of a message cannot be told as an event of its own."""
    content = item.get("content")
    if "content" not in item:
        yield "a message without content"
    elif not isinstance(content, str | list | None):
        yield f"content that is a JSON {jsonio.json_type(content)}"
    for part in array(content):
        if not _is_text(part) and not isinstance(_image_url(part), str):
            kind = mapping(part).get("type")
            yield f"a part that is no text or image (its type: {kind!r})"
    if not isinstance(item.get("tool_calls", []), list | None):
        yield "tool calls that are no list"
    for id_, name, _ in calls(item):
        if not id_ or not name:
            yield "a tool call without an id or a name"
    named = isinstance(item.get("tool_call_id"), str) or story.shared
    if item["role"] == "tool" and not named:
        yield "a tool result without the id of its call"
