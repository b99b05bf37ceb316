"""The events of a session: the second half of the model.

They are a module of their own because a search of headers has no use for them. Import them from
`finder.model`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from finder.dataclass import dataclass
from finder.model import Json, Labels, Ref, Role, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens, as the tool counted them. None: not recorded."""

    input: int | None = None
    output: int | None = None
    reasoning: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    """What all events have.

    Attributes:
        record: id of the native record (row, file, array item) that this was read from.
        at: when it happened, milliseconds UTC.
        message: id of the message that it belongs to: the `record` of a `Message` event.
        role: who speaks: the message's role.
        raw: the native record, on the first of the events that come from it.
    """

    type: str
    record: str | None = None
    at: int | None = None
    message: str | None = None
    role: Role | None = None
    labels: Labels = ()
    raw: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(_Event):
    """Opens a message; the events of its content follow.

    Attributes:
        finished: when the message was complete, milliseconds UTC.
        cost: in US dollars.
        error: why the answer failed, where it did.
    """

    type: Literal["message"] = "message"
    model: str | None = None
    agent: str | None = None
    usage: Usage | None = None
    cost: float | None = None
    finished: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(_Event):
    """Words of the user, the model or, labelled so, the tool."""

    type: Literal["text"] = "text"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning(_Event):
    """What the model thought. `redacted`: the store has only a placeholder or a cipher."""

    type: Literal["reasoning"] = "reasoning"
    text: str
    redacted: bool = False
    signature: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall(_Event):
    """The model calls a tool.

    `call` pairs it with its `ToolResult`. `input` is the parsed arguments; where they are not
    valid JSON it is the text as the model sent it.
    """

    type: Literal["tool_call"] = "tool_call"
    call: str
    name: str
    input: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult(_Event):
    """What came back. `at` is when it ended; `started` when it began, where that is known."""

    type: Literal["tool_result"] = "tool_result"
    call: str
    output: str | None = None
    status: Status = "ok"
    title: str | None = None
    started: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment(_Event):
    """A file or image in the conversation: its bytes (`data`, base64), or where they are."""

    type: Literal["attachment"] = "attachment"
    name: str | None = None
    mime: str | None = None
    data: str | None = None
    url: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subagent(_Event):
    """The session started a subagent. `child` None: the tool keeps no transcript of it.

    `call` is the tool call that started it, where there was one.
    """

    type: Literal["subagent"] = "subagent"
    call: str | None = None
    child: Ref | None = None
    agent: str | None = None
    prompt: str | None = None
    result: str | None = None
    status: Status | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compaction(_Event):
    """What came before left the live context.

    Attributes:
        auto: the tool did it by itself (True), the user asked for it (False).
        keep: record id of the first message before this point that stays live, if any.
        archive: where the tool put what left, if it did.
    """

    type: Literal["compaction"] = "compaction"
    auto: bool | None = None
    keep: str | None = None
    archive: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(_Event):
    """Something beside the conversation: a retry, an error, a permission, a todo list.

    `kind` is one of NOTICE_KINDS.
    """

    type: Literal["notice"] = "notice"
    kind: str
    text: str | None = None


NOTICE_KINDS = ("retry", "error", "permission", "state", "todo", "diff", "share")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opaque(_Event):
    """A record that is known but not modelled, or unreadable (`problem` says why).

    It has `raw`: where the record could not be parsed, its text. Only where it is an item inside
    a message's record does that stand in the `raw` of its `Message` alone, since raw is given once.
    """

    type: Literal["opaque"] = "opaque"
    kind: str
    problem: str | None = None


Event = (
    Message
    | Text
    | Reasoning
    | ToolCall
    | ToolResult
    | Attachment
    | Subagent
    | Compaction
    | Notice
    | Opaque
)

EVENT_TYPES: dict[str, type[Event]] = {
    "message": Message,
    "text": Text,
    "reasoning": Reasoning,
    "tool_call": ToolCall,
    "tool_result": ToolResult,
    "attachment": Attachment,
    "subagent": Subagent,
    "compaction": Compaction,
    "notice": Notice,
    "opaque": Opaque,
}


def spoken(events: Iterable[Event]) -> Iterator[tuple[Event, Role | None]]:
    """Each event with who speaks: those that do not say it have the role of their message."""
    message: str | None = None
    role: Role | None = None
    for event in events:
        if isinstance(event, Message):
            message, role = event.record, event.role
        # What names no message, such as what a session cost, belongs to none.
        belongs = event.role is None and event.message is not None and event.message == message
        yield event, role if belongs else event.role
