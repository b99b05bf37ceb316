"""The events of the form that Opta's manual describes and no version of it was seen to write.

    {type: user.message | assistant.message, content, seq}
    {type: tool.call, toolName, args, seq}

The manual says that tool results are among them and does not show one. Read as: tool.result with
`content`, `result` or `output`, in the order of the calls where it does not name its call. Written
with the id of the call and `content`. It is a record that no program sends to a model, so all of a
story is written, whatever has left the context.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from finder.jsonio import integer, mapping, string
from finder.model import Event, Json, JsonObject, Message, Opaque, Text, ToolCall, ToolResult
from finder.writing import CONTENT_TYPES, Report, answers, turns

_CALL_IDS = ("callId", "toolCallId")
_IDS = (*_CALL_IDS, "id")  # which may also be the event's own
_OUTPUTS = ("content", "result", "output")


def events(items: list[Json]) -> Iterator[Event]:
    """What the events of a document tell, in the order of their `seq`."""
    numbered = list(enumerate(items))
    if all(integer(mapping(item).get("seq")) is not None for item in items):
        numbered.sort(key=lambda pair: integer(pair[1].get("seq")) or 0)
    teller = _Teller()
    for index, item in numbered:
        yield from teller.event(f"events/{index}", item)


class _Teller:
    """Keeps which message is open and which calls wait for their result."""

    def __init__(self) -> None:
        self.message: str | None = None  # the assistant's that is open
        self.waiting: list[tuple[str, str]] = []  # call, tool

    def event(self, record: str, item: Json) -> Iterator[Event]:
        kind = string(mapping(item).get("type")) or ""
        content = string(mapping(item).get("content"))
        if kind in {"user.message", "assistant.message"} and content is not None:
            role: Literal["user", "assistant"] = "user" if kind[0] == "u" else "assistant"
            self.message = record if role == "assistant" else None
            yield Message(record=record, message=record, role=role, raw=item)
            yield Text(text=content, record=record, message=record, role=role)
        elif kind == "tool.call":
            yield from self._call(record, item)
        elif kind == "tool.result":
            yield self._result(record, item)
        else:
            problem = None if kind and not kind.endswith(".message") else "an event without content"
            yield Opaque(kind=kind or "event", problem=problem, record=record, raw=item)

    def _call(self, record: str, item: JsonObject) -> Iterator[Event]:
        name = string(item.get("toolName")) or ""
        call = _first(item, _IDS) or record
        self.waiting.append((call, name))
        opens = self.message is None
        if opens:
            self.message = record
            yield Message(record=record, message=record, role="assistant", raw=item)
        yield ToolCall(
            call=call,
            name=name,
            input=item.get("args"),
            record=record,
            message=self.message,
            role="assistant",
            raw=None if opens else item,
        )

    def _result(self, record: str, item: JsonObject) -> ToolResult:
        named, tool = _first(item, _IDS), string(item.get("toolName"))
        known = [pair for pair in self.waiting if named == pair[0]]
        fits = known
        if not known and _first(item, _CALL_IDS) is None:
            fits = [pair for pair in self.waiting if tool in (None, pair[1])]
        if fits:
            self.waiting.remove(fits[0])
        failed = item.get("isError") is True or item.get("error") not in (None, False)
        return ToolResult(
            call=fits[0][0] if fits else named or record,
            output=_first(item, _OUTPUTS),
            status="error" if failed else "ok",
            record=record,
            message=self.message,
            role="tool",
            labels=() if known else ("inferred",),
            raw=item,
        )


def _first(item: JsonObject, keys: tuple[str, ...]) -> str | None:
    return next((found for key in keys if (found := string(item.get(key))) is not None), None)


def written(told: Sequence[Event], report: Report) -> list[Json]:
    """The events of a document that tells a story; what it cannot tell is reported."""
    items: list[JsonObject] = []
    names: dict[str, str] = {}
    ids = _ids(told, report)
    for event in told:
        match event:
            case Text() if event.role != "system":
                role = "assistant" if event.role == "assistant" else "user"
                items.append({"type": f"{role}.message", "content": event.text})
            case ToolCall():
                call = ids[id(event)]
                names[call] = event.name
                named = {"toolName": event.name, "args": event.input, "callId": call}
                items.append({"type": "tool.call", **named})
            case ToolResult():
                items.append({"type": "tool.result", **_outcome(event, ids[id(event)], names)})
            case _ if event.type in CONTENT_TYPES:
                report.dropped(event, note="the manual knows no such event")
    for turn in turns(told):
        if turn.message is not None and not any(map(_opens, turn.content)):
            report.dropped(turn.message, note="the manual knows no message without text or calls")
    return [{**item, "seq": number} for number, item in enumerate(items, 1)]


def _opens(event: Event) -> bool:
    """Whether a message is there because of it."""
    return event.type == "tool_call" or (event.type == "text" and event.role != "system")


def _ids(told: Sequence[Event], report: Report) -> dict[int, str]:
    """The id of each call and each result, by `id()`; those without one get one together."""
    called = [event for event in told if isinstance(event, ToolCall | ToolResult)]
    found = {id(e): e.call or f"call_{number}" for number, e in enumerate(called, 1)}
    for call, result in answers(told).items():
        found[id(told[result])] = found[id(told[call])]
    for event in called:
        report.renamed(event, found[id(event)], note="a call needs an id")
    return found


def _outcome(event: ToolResult, call: str, names: dict[str, str]) -> JsonObject:
    found: JsonObject = {"callId": call}
    if call in names:
        found["toolName"] = names[call]
    if event.output is not None:
        found["content"] = event.output
    if event.status == "error":
        found["isError"] = True
    return found
