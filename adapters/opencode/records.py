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

from collections.abc import Callable, Iterable, Iterator, Sequence

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
from adapters.opencode.stored import StoredMessage, StoredPart
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


def story(
    ref: Ref,
    messages: Sequence[StoredMessage],
    *,
    revert: Json = None,
    old_summaries_count: bool = True,
    attached: Callable[[JsonObject], Attachment | None] | None = None,
) -> Iterator[Event]:
    """A session's events, in the order of its messages and of their parts.

    Args:
        revert: the session's ``revert`` object, if it has one.
        old_summaries_count: whether a summary without a compaction part cuts the context, as
            it does up to 1.0.0. The program that uses the database sends the whole history.
        attached: finds the file with the full text of a truncated tool result.
    """
    context = Context.of(messages, mapping(revert), old_summaries_count)
    for position, message in enumerate(messages):
        yield from _Writer(ref, message, context, position, attached).events()


class _Writer:
    """Turns one stored message into events.

    `role` is who speaks; None for the parts of a message that could not be read.
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
        self.context = context
        self.position = position
        self.attached = attached
        self.role = _ROLES.get(string(stored.info.get("role")) or "")
        self.labels = self._labelled(context.labels(position, None))
        # Of a message that was taken back in part, each part has labels of its own.
        self.parts_differ = context.hides_parts_of(position)

    def events(self) -> Iterator[Event]:
        stored = self.stored
        if stored.problem is not None:
            yield Opaque(
                kind="message",
                problem=stored.problem,
                record=stored.id,
                message=stored.id,
                raw=stored.raw,
                labels=self._labels(),
            )
        else:
            yield self._message()
            if self.context.starts_summary(self.position):
                yield Compaction(
                    record=stored.id,
                    message=stored.id,
                    role=self.role,
                    at=stored.at,
                    labels=self._labels(),
                )
        for part in stored.parts:
            yield from self._part(part)

    def _labelled(self, found: Labels) -> Labels:
        return tuple(dict.fromkeys((*found, *self.stored.labels)))

    def _labels(self, *more: Label, part: str | None = None) -> Labels:
        labels = self.labels
        if self.parts_differ and part is not None:
            labels = self._labelled(self.context.labels(self.position, part))
        return tuple(dict.fromkeys((*labels, *more))) if more else labels

    def _message(self) -> Message:
        info = self.stored.info
        time = mapping(info.get("time"))
        interrupted = self.context.was_interrupted(self.position)
        return Message(
            record=self.stored.id,
            message=self.stored.id,
            role=self.role,
            at=self.stored.at,
            labels=self._labels(*(("interrupted",) if interrupted else ())),
            raw=self.stored.raw,
            model=model_name(info),
            agent=string(info.get("agent")) or string(info.get("mode")),
            usage=usage(info.get("tokens")),
            cost=number(info.get("cost")),
            finished=integer(time.get("completed")),
            error=error_text(info.get("error")),
        )

    def _part(self, part: StoredPart) -> Iterable[Event]:
        if part.problem is not None:
            return (self._opaque(part, "part", part.problem),)
        kind = string(part.info.get("type")) or "part"
        if kind == "tool":
            return self._tool(part)
        tell = _TELLERS.get(kind)
        return (tell(self, part) if tell else self._other(part, kind),)

    def _other(self, part: StoredPart, kind: str) -> Notice | Opaque:
        notice = notice_of(kind, part.info)
        if notice is None:
            return self._opaque(part, kind, None)
        return Notice(
            kind=notice[0],
            text=notice[1],
            record=part.id,
            message=self.stored.id,
            role=self.role,
            labels=self._labels(part=part.id),
            raw=part.raw,
        )

    def _opaque(self, part: StoredPart, kind: str, problem: str | None) -> Opaque:
        return Opaque(
            kind=kind,
            problem=problem,
            record=part.id,
            message=self.stored.id,
            role=self.role,
            labels=self._labels(part=part.id),
            raw=part.raw,
        )

    def _text(self, part: StoredPart) -> Text | Opaque:
        info = part.info
        text = string(info.get("text"))
        if text is None:
            return self._opaque(part, "text", "a text part without text")
        more: list[Label] = []
        if info.get("synthetic"):
            more.append("synthetic")
        if info.get("ignored"):
            more.append("hidden")
        if self.stored.info.get("summary") is True and self.role == "assistant":
            # The model wrote it, but at the tool's bidding and in the place of what was said.
            more += ["synthetic", "summary"]
        if self.context.is_replayed(self.position):
            more += ["synthetic", "inferred"]
        return Text(
            text=text,
            record=part.id,
            message=self.stored.id,
            role=self.role,
            at=integer(mapping(info.get("time")).get("start")) or self.stored.at,
            labels=self._labels(*more, part=part.id),
            raw=part.raw,
        )

    def _reasoning(self, part: StoredPart) -> Reasoning:
        signature, redacted = provider_data(part.info.get("metadata"))
        return Reasoning(
            text=string(part.info.get("text")) or "",
            redacted=redacted,
            signature=signature,
            record=part.id,
            message=self.stored.id,
            role=self.role,
            at=integer(mapping(part.info.get("time")).get("start")) or self.stored.at,
            labels=self._labels(part=part.id),
            raw=part.raw,
        )

    def _file(self, part: StoredPart) -> Attachment:
        more: tuple[Label, ...] = ("synthetic",) if part.info.get("synthetic") else ()
        return file_attachment(
            part.info,
            record=part.id,
            message=self.stored.id,
            role=self.role,
            at=self.stored.at,
            labels=self._labels(*more, part=part.id),
            raw=part.raw,
        )

    def _compaction(self, part: StoredPart) -> Compaction:
        auto = part.info.get("auto")
        return Compaction(
            auto=auto if isinstance(auto, bool) else None,
            keep=string(part.info.get("tail_start_id")),
            record=part.id,
            message=self.stored.id,
            role=self.role,
            at=self.stored.at,
            labels=self._labels(part=part.id),
            raw=part.raw,
        )

    def _tool(self, part: StoredPart) -> Iterator[Event]:
        state = mapping(part.info.get("state"))
        time = mapping(state.get("time"))
        call = string(part.info.get("callID")) or part.id
        name = string(part.info.get("tool")) or "unknown"
        labels = self._labels(part=part.id)
        yield ToolCall(
            call=call,
            name=name,
            input=tool_input(state),
            record=part.id,
            message=self.stored.id,
            role="assistant",
            at=integer(time.get("start")) or self.stored.at,
            labels=labels,
            raw=part.raw,
        )
        status, marks = tool_status(name, state, self.context.was_interrupted(self.position))
        if name == "task":
            yield self._subagent(part, call, state, status)
        if status == "pending":
            return
        extra: list[Label] = [*marks]
        if time.get("compacted"):
            extra.append("compacted")
        if was_truncated(state):
            extra.append("truncated")
        yield ToolResult(
            call=call,
            output=tool_output(state),
            status=status,
            title=string(state.get("title")),
            started=integer(time.get("start")),
            record=part.id,
            message=self.stored.id,
            role="tool",
            at=integer(time.get("end")),
            labels=self._labels(*extra, part=part.id),
        )
        yield from self._tool_files(part, state)

    def _tool_files(self, part: StoredPart, state: JsonObject) -> Iterator[Event]:
        """Files that a tool result came with, and the full text of one that was cut."""
        for attached in array(state.get("attachments")):
            yield file_attachment(
                mapping(attached),
                record=part.id,
                message=self.stored.id,
                role="tool",
                labels=self._labels(part=part.id),
            )
        full = self.attached(state) if self.attached is not None else None
        if full is not None:
            from dataclasses import replace

            yield replace(
                full, record=part.id, message=self.stored.id, labels=self._labels(part=part.id)
            )

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
            message=self.stored.id,
            role="assistant",
            at=integer(mapping(state.get("time")).get("start")),
            labels=self._labels(part=part.id),
        )


_TELLERS: dict[str, Callable[[_Writer, StoredPart], Event]] = {
    "text": _Writer._text,
    "reasoning": _Writer._reasoning,
    "file": _Writer._file,
    "compaction": _Writer._compaction,
}
