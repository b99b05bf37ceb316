"""A message of Clacky's as events: OpenAI's chat message, with the tool's own flags.

    {role, content, task_id, created_at, …}                        user
    {role, content, tool_calls[], reasoning_content, token_usage, latency}    assistant
    {role: "tool", tool_call_id, content}                          the result of one call

`content` is a string, null, or parts: ``text``, ``image_url``; up to 0.9.2 with Anthropic's
models also their blocks (``tool_result`` in a user message, ``image``, ``document``). Only a
user's own messages have a time (float seconds, from 0.7.9 on); an answer has the time at which
it was complete and how long it took, from 1.0 on. `adapters.clacky.results` reads tool results.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from adapters.clacky import header, injected, results
from adapters.clacky.parts import Common, as_text, attachment, file_name, merged, unknown_block
from finder import jsonio
from finder.dataclass import dataclass, field, maker
from finder.jsonio import array, integer, mapping, number, string
from finder.model import (
    Attachment,
    Compaction,
    Event,
    Json,
    JsonObject,
    Label,
    Labels,
    Message,
    Opaque,
    Reasoning,
    Role,
    Text,
    ToolCall,
    Usage,
)

# Of these a story has very many.
_message, _text, _call, _counted = maker(Message), maker(Text), maker(ToolCall), maker(Usage)
_ROLES = ("tool", "assistant", "user", "system")  # by how many messages they have
# The keys by which a message is more than what its content and its calls are.
_MARKS = injected.FLAGS | {"interrupted", "truncated", "display_files", "display_text"}


@dataclass(slots=True)
class Told:
    """What the story has told so far, and what is known of what follows.

    Attributes:
        calls: the tool calls, by id.
        unanswered: labels of those that no result follows, by message position and number.
        archived: when each archive was written, by its name.
    """

    calls: dict[str, ToolCall] = field(default_factory=dict)
    unanswered: Mapping[tuple[int, int], Labels] = field(default_factory=dict)
    archived: Mapping[str, int | None] = field(default_factory=dict)


def position(index: int) -> str:
    """The record id of a message: messages have none of their own."""
    return f"messages[{index}]"


def is_message(value: Json) -> bool:
    """Whether `events` will open a message for it."""
    return isinstance(value, dict) and value.get("role") in _ROLES


def events(value: Json, index: int, labels: Labels, told: Told) -> list[Event]:
    """The events of the message at a position; `labels` apply to all of them."""
    record = position(index)
    if not is_message(value):
        return [_no_message(value, record, labels)]
    message: JsonObject = value
    role, content = message["role"], message.get("content")
    at = header.from_seconds(message.get("created_at"))
    common: Common = {
        "record": record,
        "message": record,
        "role": _role(role, content) if isinstance(content, list) else role,
        "at": _began(message) if at is None and "latency" in message else at,
    }
    summary = isinstance(content, str) and injected.is_summary_text(content)
    if summary or role == "system" or not _MARKS.isdisjoint(message):
        by_flags, found = _marked(message, common, labels, told)
        labels = merged(labels, by_flags)
    else:
        found = _said(message, common, labels, told)
    if "tool_calls" in message:
        found += _calls(message, index, common, labels, told)
    by_tool_alone = _only_synthetic(found)
    opened = merged(labels, by_tool_alone) if by_tool_alone else labels
    return [_opening(message, common, opened), *found]


def _no_message(value: Json, record: str, labels: Labels) -> Opaque:
    problem = (
        f"has the unknown role {value.get('role')!r}"
        if isinstance(value, dict)
        else f"is a JSON {jsonio.json_type(value)} where a message is expected"
    )
    raw = "null" if value is None else value
    return Opaque(kind="message", problem=problem, record=record, labels=labels, raw=raw)


def _only_synthetic(content: list[Event]) -> Labels:
    """The labels of a message in which nobody but the tool speaks."""
    first: Event | None = None
    for event in content:
        if event.type not in ("notice", "compaction"):
            if "synthetic" not in event.labels:
                return ()
            first = first or event
    return () if first is None else tuple(one for one in first.labels if one in _SPREADING)


_SPREADING = ("synthetic", "summary", "inferred")


def _opening(message: JsonObject, common: Common, labels: Labels) -> Message:
    latency: JsonObject = mapping(message["latency"]) if "latency" in message else {}
    usage: JsonObject = mapping(message["token_usage"]) if "token_usage" in message else {}
    return _message(
        record=common["record"],
        message=common["message"],
        role=common["role"],
        at=common["at"],
        labels=labels,
        model=string(latency.get("model")) if latency else None,
        usage=_usage(usage) if usage else None,
        cost=number(usage.get("cost")) if usage else None,
        finished=header.from_seconds(latency.get("measured_at")) if latency else None,
        raw=message,
    )


def _role(role: Role, blocks: list[Json]) -> Role:
    """Who speaks. Anthropic's format puts tool results into the user's mouth."""
    if blocks and all(mapping(block).get("type") == "tool_result" for block in blocks):
        return "tool"
    return role


def _began(message: JsonObject) -> int | None:
    """When an answer was begun, of which the end and how long it took are known."""
    latency = mapping(message["latency"])
    finished = header.from_seconds(latency.get("measured_at"))
    took = integer(latency.get("duration_ms"))
    return None if finished is None or took is None else finished - took


def _usage(usage: JsonObject) -> Usage:
    return _counted(
        input=integer(usage.get("prompt_tokens")),
        output=integer(usage.get("completion_tokens")),
        cache_read=integer(usage.get("cache_read")),
        cache_write=integer(usage.get("cache_write")),
        total=integer(usage.get("total_tokens")),
    )


def _marked(
    message: JsonObject, common: Common, labels: Labels, told: Told
) -> tuple[Labels, list[Event]]:
    """What a message tells, but for its calls, that may be more than words and results.

    Also the labels that it gets by its flags.
    """
    by_tool, summary = injected.is_flagged(message), injected.is_summary(message)
    by_flags = _labels_of(message, summary=by_tool and summary)
    labels = merged(labels, by_flags)
    found: list[Event] = []
    if summary:
        by_words: Labels = () if message.get("compressed_summary") else ("inferred",)
        found.append(_compaction(message, common, merged(_beyond_flags(labels), by_words), told))
    found += _said(message, common, labels, told, by_tool=by_tool)
    if "display_files" in message:
        found += _files(message, common, labels)
    if message.get("subagent_result"):
        found.append(results.told_subagent(message, common, labels))
    return by_flags, found


def _labels_of(message: JsonObject, *, summary: bool) -> Labels:
    """The labels that the message's flags stand for, besides `synthetic`."""
    found: list[Label] = []
    if summary:
        found.append("summary")
    if message.get("interrupted"):
        found.append("interrupted")
    if message.get("truncated"):
        # An answer was cut here, or thrown away, for being too long.
        found.append("truncated")
    return tuple(found)


def _said(
    message: JsonObject, common: Common, labels: Labels, told: Told, *, by_tool: bool = False
) -> list[Event]:
    """What was thought, and what a message's content tells."""
    found: list[Event] = []
    if "reasoning_content" in message and (reasoning := string(message["reasoning_content"])):
        found.append(Reasoning(**common, labels=labels, text=reasoning))
    content = message.get("content")
    if message["role"] == "tool":
        call = string(message.get("tool_call_id")) or common["record"]
        found += results.events(call, content, common, labels, told.calls)
    elif isinstance(content, list):
        for place, block in enumerate(content):
            found += _block(block, place, common, labels, told, by_tool)
    elif content is not None:
        shown = string(message["display_text"]) if "display_text" in message else None
        found += texts(as_text(content), common, labels, flagged=by_tool, shown=shown)
    return found


def _compaction(message: JsonObject, common: Common, labels: Labels, told: Told) -> Compaction:
    archive = string(message.get("chunk_path"))
    at = told.archived.get(file_name(archive) or "")
    return Compaction(
        record=common["record"],
        message=common["message"],
        role=common["role"],
        at=at,
        labels=labels,
        archive=archive,
    )


def texts(
    text: str, common: Common, labels: Labels, *, flagged: bool, shown: str | None = None
) -> list[Text]:
    """A text as events, one for each that speaks in it."""
    # What a person says within the tool's message is no summary and was not cut.
    persons = _beyond_flags(labels) if flagged and labels else labels
    return [
        _text(
            record=common["record"],
            message=common["message"],
            at=common["at"],
            role=role,
            labels=merged(labels if marks else persons, marks),
            text=said,
        )
        for said, role, marks in injected.pieces(text, common["role"], flagged=flagged, shown=shown)
    ]


def _beyond_flags(labels: Labels) -> Labels:
    return tuple(label for label in labels if label not in (*_SPREADING, "truncated"))


def _block(
    value: Json, place: int, common: Common, labels: Labels, told: Told, flagged: bool
) -> Iterator[Event]:
    block = {"type": "text", "text": value} if isinstance(value, str) else mapping(value)
    nameless = f"{common['record']}.content[{place}]"
    kind = string(block.get("type"))
    by_tool: Labels = ("synthetic",) if flagged else ()
    if kind == "text" and isinstance(block.get("text"), str):
        yield from texts(block["text"], common, labels, flagged=flagged)
    elif kind in ("image_url", "image", "document"):
        yield attachment(block, common, merged(labels, by_tool))
    elif kind == "tool_result":
        call = string(block.get("tool_use_id")) or nameless
        failed = block.get("is_error") is True
        yield from results.events(
            call, block.get("content"), common, labels, told.calls, failed=failed
        )
    elif kind == "tool_use":
        call = string(block.get("id")) or nameless
        name = string(block.get("name")) or ""
        made = ToolCall(**common, labels=labels, call=call, name=name, input=block.get("input"))
        told.calls[call] = made
        yield made
    elif kind == "thinking":
        signature = string(block.get("signature"))
        text = string(block.get("thinking")) or ""
        yield Reasoning(**common, labels=labels, text=text, signature=signature)
    else:
        yield unknown_block(value, place, common, labels)


def _files(message: JsonObject, common: Common, labels: Labels) -> Iterator[Attachment]:
    """Files that the user added and that are not inline: only their places are kept."""
    for value in array(message.get("display_files")):
        file = mapping(value)
        path = string(file.get("path")) or string(file.get("preview_path"))
        yield Attachment(**common, labels=labels, name=string(file.get("name")), path=path)


def _calls(
    message: JsonObject, index: int, common: Common, labels: Labels, told: Told
) -> list[ToolCall]:
    found = []
    for count, value in enumerate(array(message["tool_calls"])):
        item = mapping(value)
        function = mapping(item.get("function")) or item  # some providers' calls came flat
        unanswered = told.unanswered.get((index, count), ()) if told.unanswered else ()
        call = _call(
            record=common["record"],
            message=common["message"],
            role=common["role"],
            at=common["at"],
            labels=merged(labels, unanswered) if unanswered else labels,
            call=call_id(item, index, count),
            name=string(function.get("name")) or "",
            input=arguments(function.get("arguments")),
        )
        told.calls[call.call] = call
        found.append(call)
    return found


def call_id(item: JsonObject, index: int, count: int) -> str:
    return string(item.get("id")) or f"{position(index)}.{count}"


def arguments(value: Json) -> Json:
    """A call's arguments: a string of JSON that the model may have left invalid."""
    if not isinstance(value, str):
        return value
    try:
        return jsonio.loads(value)
    except ValueError:
        return value


def unanswered(messages: list[Json], labels: Labels) -> dict[tuple[int, int], Labels]:
    """The tool calls without a result, by message position and number, with their labels.

    `labels` are those of calls in the last message; for others it is deduced that the call was
    interrupted.
    """
    pending: dict[str, tuple[int, int]] = {}
    found: set[tuple[int, int]] = set()
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            continue
        if "tool_calls" in message:
            for count, item in enumerate(array(message["tool_calls"])):
                call = call_id(mapping(item), index, count)
                if call in pending:  # an id used again: the earlier call got no result
                    found.add(pending[call])
                pending[call] = (index, count)
        if not pending:
            continue
        if "tool_call_id" in message and message.get("role") == "tool":
            pending.pop(string(message["tool_call_id"]) or "", None)
        if isinstance(content := message.get("content"), list):
            for block in content:
                pending.pop(string(mapping(block).get("tool_use_id")) or "", None)
    found.update(pending.values())
    last = len(messages) - 1
    return {
        place: labels if place[0] == last and labels else ("interrupted", "inferred")
        for place in found
    }
