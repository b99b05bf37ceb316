"""The event model: what every session of every tool is read into.

A session is a header (`Session`) and a flat stream of events in the order of the story.
Times are integer milliseconds since 1970 in UTC; None means that the store does not say.

Raw exactly once: each native record of a store rides, as `raw`, on the first event it gives
rise to, and the session's own record on `Session.raw`. So the `raw` values of a stream that
are not None are the store's records in order, with every field nobody has heard of yet.

This module imports the standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

Label = Literal[
    "synthetic",  # put in by the tool: said neither by the user nor by the model
    "summary",  # made by compaction; the model may have written it, but not to the user
    "compacted",  # has left the live context
    "hidden",  # kept, but neither sent to the model nor shown
    "truncated",  # the store cut it
    "interrupted",
    "inferred",  # the other labels were deduced from text, not read from a flag
    # on sessions only:
    "archived",
    "trashed",
    "reverted",
    "forked",
    "unmigrated",  # its own tool no longer sees it
    "headers-only",  # the content could not be read, only a listing
]
LABELS: frozenset[str] = frozenset(get_args(Label))

Labels = tuple[Label, ...]
Role = Literal["user", "assistant", "system", "tool"]
Status = Literal["ok", "error", "running", "pending", "interrupted"]

Json = Any  # a JSON value: dict, list, str, int, float, bool or None
JsonObject = dict[str, Any]


class Ref(NamedTuple):
    """The address of a session: which tool, which store (its path), which id there."""

    tool: str
    store: str
    id: str

    def __str__(self) -> str:
        """The short form that users type: ``opencode:ses_1a2b``."""
        return f"{self.tool}:{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that could not be read. A problem is data: work goes on around it.

    Attributes:
        kind: what is wrong, in one word (see `finder.errors.PROBLEM_KINDS`).
        path: the file, folder or database concerned.
        message: what was seen there and what to do next, for a person.
        record: the native record's id or position, where one record is concerned.
    """

    kind: str
    path: str
    message: str
    record: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session's header. None means that the store does not say, or not cheaply.

    Attributes:
        directory: the working directory, as the store spells it.
        created, updated, archived: milliseconds UTC.
        parent: the session that started this one as its subagent.
        model: ``provider/model`` where the store knows both, else the model's name.
        messages: how many messages the store holds for it.
        also_in: paths of further copies and pieces of it within the store, besides the copy
            that is told.
        stamp: changes whenever the stored session changes; for caches.
        raw: the store's own record of the session.
        origin: the tool whose records `raw` are, where that is not the tool of `ref`: a session
            that finder itself wrote down.
    """

    ref: Ref
    title: str | None = None
    directory: str | None = None
    created: int | None = None
    updated: int | None = None
    parent: Ref | None = None
    agent: str | None = None
    model: str | None = None
    messages: int | None = None
    archived: int | None = None
    labels: Labels = ()
    also_in: tuple[str, ...] = ()
    stamp: str | None = None
    raw: Json = None
    origin: str | None = None


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
