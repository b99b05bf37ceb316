"""OpenCode's message and part records, as events. Shared by all of its stores.

A message is ``{id, sessionID, role, time, …}``, a part ``{id, messageID, type, …}``. The file
stores (1.0 to 1.1) keep them as they are; the database keeps the ids in columns and the rest in
``data``. Shapes: read in 1.0.0 to 1.18.33, and seen in stores of 0.5.29 to 1.18.33.

    user       role, time{created}, agent, model{providerID, modelID}, summary, system, format
    assistant  role, parentID, modelID, providerID, mode, agent, path{cwd, root}, cost, tokens,
               time{created, completed}, finish, summary: true, error{name, data}, structured
    parts      text, reasoning, tool, file, agent, subtask, step-start, step-finish, patch,
               snapshot, retry, compaction

What a whole session says about its messages (what a compaction took out of the context, what a
revert hides) is worked out in `story`, which gives the labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from adapters.opencode.context import Context
from adapters.opencode.fields import (
    child_id,
    error_text,
    file_attachment,
    notice_of,
    provider_data,
    tool_input,
    tool_output,
    tool_status,
    usage,
    was_truncated,
)
from adapters.opencode.sessions import model_name
from adapters.opencode.stored import ReadLater, StoredMessage, StoredPart
from finder.dataclass import maker, replace
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
    Notice,
    Opaque,
    Reasoning,
    Ref,
    Role,
    Status,
    Subagent,
    Text,
    ToolCall,
    ToolResult,
)

TOOL = "opencode"
_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}
# Of these a story has very many.
_message, _text, _call = maker(Message), maker(Text), maker(ToolCall)
_result, _opaque = maker(ToolResult), maker(Opaque)


def story(
    ref: Ref,
    messages: Sequence[StoredMessage],
    *,
    revert: Json = None,
    old_summaries_count: bool = True,
    attached: Callable[[JsonObject], Attachment | None] | None = None,
) -> Iterator[Event]:
    """A session's events, in the order of its messages and of their parts.

    Parts that are read only now are read for the last time.

    Args:
        revert: the session's ``revert`` object, if it has one.
        old_summaries_count: whether a summary without a compaction part cuts the context, as
            it does up to 1.0.0. The program that uses the database sends the whole history.
        attached: finds the file with the full text of a truncated tool result.
    """
    context = Context.of(messages, mapping(revert), old_summaries_count)
    return chain.from_iterable(
        _Writer(ref, message, context, position, attached).events()
        for position, message in enumerate(messages)
    )


class _Writer:
    """Turns one stored message into events.

    `role` is who speaks; None for the parts of a message that could not be read. `labels` are
    those of what is being told.
    """

    def __init__(
        self,
        ref: Ref,
        stored: StoredMessage,
        context: Context,
        position: int,
        attached: Callable[[JsonObject], Attachment | None] | None,
    ) -> None:
        self.ref = ref
        self.stored = stored
        self.id = stored.id
        self.at = stored.at
        self.context = context
        self.position = position
        self.attached = attached
        self.role = _ROLES.get(string(stored.info.get("role")) or "")
        self.interrupted = position in context.interrupted
        self.labels = self._labelled(None)
        self.of_texts = self._labels_of_texts()

    def events(self) -> Iterator[Event]:
        yield self._opening()
        if self.position in self.context.old_summaries and self.stored.problem is None:
            yield Compaction(
                record=self.id, message=self.id, role=self.role, at=self.at, labels=self.labels
            )
        # Of a message that was taken back in part, each part has labels of its own.
        parts_differ = self.context.hides_parts_of(self.position)
        parts = self.stored.parts
        for part in parts.last() if isinstance(parts, ReadLater) else parts:
            if parts_differ:
                self.labels = self._labelled(part.id)
            kind = part.info.get("type")
            if part.problem is not None:
                yield self._opaque(part, "part", part.problem)
            elif kind == "tool":
                yield from self._tool(part)
            elif isinstance(kind, str) and kind in _TELLERS:
                yield _TELLERS[kind](self, part)
            else:
                yield self._opaque(part, string(kind) or "part")

    def _labelled(self, part: str | None) -> Labels:
        found = self.context.labels(self.position, part)
        own = self.stored.labels
        return tuple(dict.fromkeys((*found, *own))) if own else found

    def _labels_and(self, more: Sequence[Label]) -> Labels:
        return tuple(dict.fromkeys((*self.labels, *more)))

    def _labels_of_texts(self) -> list[Label]:
        """What the message as a whole says of each of its texts."""
        found: list[Label] = []
        if self.stored.info.get("summary") is True and self.role == "assistant":
            # The model wrote it, but at the tool's bidding and in the place of what was said.
            found += ["synthetic", "summary"]
        if self.position in self.context.replayed:
            found += ["synthetic", "inferred"]
        return found

    def _opening(self) -> Message | Opaque:
        stored, info = self.stored, self.stored.info
        if stored.problem is not None:
            return Opaque(
                kind="message",
                problem=stored.problem,
                record=self.id,
                message=self.id,
                raw=stored.raw,
                labels=self.labels,
            )
        return _message(
            record=self.id,
            message=self.id,
            role=self.role,
            at=self.at,
            labels=self._labels_and(["interrupted"]) if self.interrupted else self.labels,
            raw=stored.raw,
            model=model_name(info),
            agent=string(info.get("agent")) or string(info.get("mode")),
            usage=usage(info.get("tokens")),
            cost=number(info.get("cost")),
            finished=integer(mapping(info.get("time")).get("completed")),
            error=error_text(info.get("error")),
        )

    def _notice(self, part: StoredPart) -> Notice:
        kind, text = notice_of(part.info)
        return Notice(
            kind=kind,
            text=text,
            record=part.id,
            message=self.id,
            role=self.role,
            labels=self.labels,
            raw=part.raw,
        )

    def _opaque(self, part: StoredPart, kind: str, problem: str | None = None) -> Opaque:
        return _opaque(
            kind=kind,
            problem=problem,
            record=part.id,
            message=self.id,
            role=self.role,
            labels=self.labels,
            raw=part.raw,
        )

    def _text(self, part: StoredPart) -> Text | Opaque:
        info = part.info
        text = info.get("text")
        if not isinstance(text, str):
            return self._opaque(part, "text", "a text part without text")
        more = self.of_texts
        if info.get("ignored"):
            more = ["hidden", *more]
        if info.get("synthetic"):
            more = ["synthetic", *more]
        return _text(
            text=text,
            record=part.id,
            message=self.id,
            role=self.role,
            at=self._began(info),
            labels=self._labels_and(more) if more else self.labels,
            raw=part.raw,
        )

    def _began(self, info: JsonObject) -> int | None:
        """When a part, or the state of a tool, says that it began; else when its message did."""
        time = info.get("time")
        return (integer(time.get("start")) if isinstance(time, dict) else None) or self.at

    def _reasoning(self, part: StoredPart) -> Reasoning:
        info = part.info
        signature, redacted = provider_data(info.get("metadata"))
        return Reasoning(
            text=string(info.get("text")) or "",
            redacted=redacted,
            signature=signature,
            record=part.id,
            message=self.id,
            role=self.role,
            at=self._began(info),
            labels=self.labels,
            raw=part.raw,
        )

    def _file(self, part: StoredPart) -> Attachment:
        return file_attachment(
            part.info,
            record=part.id,
            message=self.id,
            role=self.role,
            at=self.at,
            labels=self._labels_and(["synthetic"]) if part.info.get("synthetic") else self.labels,
            raw=part.raw,
        )

    def _compaction(self, part: StoredPart) -> Compaction:
        auto = part.info.get("auto")
        return Compaction(
            auto=auto if isinstance(auto, bool) else None,
            keep=string(part.info.get("tail_start_id")),
            record=part.id,
            message=self.id,
            role=self.role,
            at=self.at,
            labels=self.labels,
            raw=part.raw,
        )

    def _tool(self, part: StoredPart) -> Iterator[Event]:
        info = part.info
        state = mapping(info.get("state"))
        time = mapping(state.get("time"))
        start = integer(time.get("start"))
        call = string(info.get("callID")) or part.id
        name = string(info.get("tool")) or "unknown"
        yield _call(
            call=call,
            name=name,
            input=tool_input(state),
            record=part.id,
            message=self.id,
            role="assistant",
            at=start or self.at,
            labels=self.labels,
            raw=part.raw,
        )
        status, marks = tool_status(name, state, self.interrupted)
        if name == "task":
            yield self._subagent(part, call, state, status)
        if status == "pending":
            return
        more: list[Label] = [*marks]
        if time.get("compacted"):
            more.append("compacted")
        truncated = was_truncated(state)
        if truncated:
            more.append("truncated")
        yield _result(
            call=call,
            output=tool_output(state),
            status=status,
            title=string(state.get("title")),
            started=start,
            record=part.id,
            message=self.id,
            role="tool",
            at=integer(time.get("end")),
            labels=self._labels_and(more) if more else self.labels,
        )
        if truncated or "attachments" in state:
            yield from self._tool_files(part, state)

    def _tool_files(self, part: StoredPart, state: JsonObject) -> Iterator[Event]:
        """Files that a tool result came with, and the full text of one that was cut."""
        for attached in array(state.get("attachments")):
            yield file_attachment(
                mapping(attached),
                record=part.id,
                message=self.id,
                role="tool",
                labels=self.labels,
            )
        full = self.attached(state) if self.attached is not None else None
        if full is not None:
            yield replace(full, record=part.id, message=self.id, labels=self.labels)

    def _subagent(self, part: StoredPart, call: str, state: JsonObject, status: Status) -> Subagent:
        given = mapping(state.get("input"))
        child = child_id(state)
        return Subagent(
            call=call,
            child=Ref(self.ref.tool, self.ref.store, child) if child else None,
            agent=string(given.get("subagent_type")),
            prompt=string(given.get("prompt")),
            result=tool_output(state),
            status=status,
            record=part.id,
            message=self.id,
            role="assistant",
            at=integer(mapping(state.get("time")).get("start")),
            labels=self.labels,
        )


_TELLERS: dict[str, Callable[[_Writer, StoredPart], Event]] = {
    "text": _Writer._text,
    "reasoning": _Writer._reasoning,
    "file": _Writer._file,
    "compaction": _Writer._compaction,
    **dict.fromkeys(("patch", "retry", "subtask"), _Writer._notice),
}
