"""Why a session in OpenCode's form differs from its source: what the report says by rules.

What is done to single events is said where it is done.
"""

from __future__ import annotations

from adapters.opencode.own import Form, Kept, Records
from finder.writing import LossKind, Report

_Rules = tuple[tuple[LossKind, str, str | None, str], ...]
_ALTERED: tuple[LossKind, ...] = ("dropped", "changed", "invented")

_TIMES = "OpenCode orders by time: times never fall, and none is later than now"
_NO_TIME = "OpenCode demands a time"
_LABELS = "OpenCode has no such mark here"
_DEMANDED = "OpenCode demands it"

_FOREIGN: _Rules = (
    ("invented", "*", "at", _NO_TIME),
    ("changed", "*", "at", _TIMES),
    ("dropped", "attachment", "at", "files that came with a result have no time of their own"),
    ("dropped", "compaction", "archive", "OpenCode keeps what was compacted in the session"),
    ("changed", "compaction", "keep", "the message that it names may be several here"),
    ("invented", "compaction", "auto", _DEMANDED),
    ("invented", "compaction", "role", "a compaction is a user's message"),
    ("changed", "compaction", "role", "a compaction is a user's message"),
    ("dropped", "notice", None, "beside the conversation: another tool's own record"),
    ("dropped", "opaque", None, "another tool's own record"),
    ("invented", "opaque", None, "OpenCode parts the steps of an answer by a record"),
    ("invented", "message", None, "OpenCode keeps this in a message of its own"),
    ("invented", "tool_result", None, "what OpenCode writes for a call that was cut off"),
    ("invented", "tool_call", None, "OpenCode has results and subagents with a call alone"),
    ("changed", "message", "role", "in OpenCode the user or the model speaks"),
    ("invented", "message", "role", "in OpenCode the user or the model speaks"),
    ("changed", "*", "role", "who speaks is said by the message that it stands in"),
    ("invented", "*", "role", "who speaks is said by the message that it stands in"),
    ("changed", "*", "order", "OpenCode keeps a result, and a subagent, with its call"),
    *((kind, "message", name, "OpenCode demands it, and it stands with the message's content")
      for kind in _ALTERED
      for name in ("agent", "model", "usage", "cost")),
    ("dropped", "message", None, "its content stands with other messages"),
    ("invented", "message", "finished", "an answer without it is shown as unfinished"),
    ("invented", "message", "error", "so OpenCode marks an answer that was interrupted"),
    ("dropped", "message", "error", "only OpenCode's answers have errors"),
    ("changed", "message", "error", "OpenCode names every error"),
    ("dropped", "message", "finished", "only OpenCode's answers have it"),
    ("changed", "message", "finished", _TIMES),
    ("invented", "attachment", "mime", _DEMANDED),
    ("changed", "attachment", "mime", _DEMANDED),
    ("invented", "attachment", "url", "OpenCode has URLs only"),
    ("dropped", "attachment", "url", "the bytes themselves are there"),
    ("dropped", "attachment", "path", "OpenCode keeps one address of a file"),
    ("changed", "attachment", "path", "the path is written as a URL"),
    ("invented", "attachment", "path", "it was in the URL"),
    ("changed", "tool_call", "call", "a call needs an id"),
    ("changed", "tool_call", "name", "a tool needs a name"),
    ("changed", "tool_result", "call", "a call needs an id"),
    ("invented", "tool_result", "title", _DEMANDED),
    ("dropped", "tool_result", "title", "only a result that was completed has one"),
    ("invented", "tool_result", "started", _NO_TIME),
    ("changed", "tool_result", "started", _TIMES),
    ("invented", "subagent", None, "OpenCode takes every task for a subagent"),
    *((kind, "subagent", name, "OpenCode tells a subagent by its call and result")
      for kind in _ALTERED
      for name in ("call", "agent", "prompt", "result", "status")),
    ("dropped", "subagent", "child", "its transcript is not written with this session"),
    *(("lowered", "*", f"labels.{name}", _LABELS)
      for name in ("synthetic", "summary", "truncated", "interrupted", "inferred")),
    ("lowered", "*", "labels.compacted", "OpenCode: what stands before the newest summary"),
    ("invented", "*", "labels.compacted", "OpenCode: what stands before the newest summary"),
    ("lowered", "*", "labels.hidden", "OpenCode hides texts of the user, and the end of a session"),
    ("invented", "*", "labels.hidden", "kept, but not sent: OpenCode has its own system prompt"),
    ("invented", "text", "labels.synthetic", "neither the user nor the model said it"),
    ("invented", "text", "labels.summary", "all texts of OpenCode's summary message are one"),
    ("invented", "message", "labels.interrupted", "so OpenCode tells an unfinished answer"),
    ("invented", "tool_result", "labels.inferred", "it is deduced from what OpenCode keeps"),
    ("invented", "tool_result", "labels.interrupted", "it is deduced from what OpenCode keeps"),
    ("dropped", "session", "parent", "its parent is not written with it"),
    ("invented", "session", "parent", "it is written with the one that started it"),
    *(("invented", "session", name, _DEMANDED) for name in ("title", "created", "updated")),
    ("changed", "session", "title", "a session without a title gets OpenCode's usual one"),
    *(("changed", "session", name, _TIMES) for name in ("created", "updated", "archived")),
    *((kind, "session", name, "said by its messages")
      for kind in _ALTERED
      for name in ("agent", "model")),
    ("invented", "session", "archived", "OpenCode marks it by a time"),
    ("invented", "session", "labels", "so OpenCode tells it"),
    ("lowered", "session", "labels", "OpenCode has no such mark for a session"),
)  # fmt: skip


def of_foreign(report: Report) -> None:
    """Of sessions that are made from events."""
    for kind, type_, name, note in _FOREIGN:
        report.rule(kind, type_, name, note)


_TODOS = "a todo list is one record in a file, and one for each item in a database"
_MADE_UP = "its message's record is missing or damaged, and is made up"
_ROW_TIMES = "the record itself has none that can be, or another than its row"

_OWN: _Rules = (
    ("invented", "*", "at", _NO_TIME),
    ("invented", "message", None, _MADE_UP),
    ("changed", "*", "at", _ROW_TIMES),
    ("dropped", "*", "at", _ROW_TIMES),
    *(("changed", "session", name, _ROW_TIMES) for name in ("created", "updated")),
    *(("lowered", "*", f"labels.{name}", _MADE_UP) for name in ("hidden", "inferred")),
    ("changed", "opaque", "problem", "it names a file, which has another name here"),
    ("invented", "tool_result", "title", _DEMANDED),
    ("dropped", "tool_result", "title", "since 0.5 only a result that was completed has one"),
    ("invented", "tool_result", "started", _DEMANDED),
    *(("invented", "session", name, _DEMANDED) for name in ("title", "created", "updated")),
    *((kind, "session", name, "said by its messages")
      for kind in _ALTERED
      for name in ("agent", "model")),
    ("lowered", "session", "labels", "told of the store, not of the session"),
    ("dropped", "notice", None, _TODOS),
    ("invented", "notice", None, _TODOS),
)  # fmt: skip

# Where the record of any message is damaged, or does not say who spoke.
_DAMAGED: _Rules = (
    ("changed", "*", "role", _MADE_UP),
    ("invented", "*", "role", _MADE_UP),
    ("changed", "*", "order", _MADE_UP),
    ("invented", "*", "labels.inferred", _MADE_UP),
    ("invented", "message", "labels.interrupted", _MADE_UP),
    ("invented", "opaque", None, _MADE_UP),
)  # fmt: skip

_MARKED = "since 1.0.185 a user's message marks a compaction, and the answer to it sums up"

_OLDER: _Rules = (
    *((kind, "message", name, "demanded since 1.0.185")
      for kind in _ALTERED
      for name in ("agent", "model", "usage", "cost")),
    ("invented", "message", None, _MARKED),
    *((kind, "message", name, _MARKED) for kind in _ALTERED for name in ("role", "finished")),
    ("invented", "compaction", "auto", _MARKED),
    ("changed", "compaction", "role", _MARKED),
    ("changed", "compaction", "order", _MARKED),
    ("invented", "*", "labels.compacted", _MARKED),
)  # fmt: skip


def of_own(report: Report, records: Records, form: Form) -> list[Kept]:
    """Of OpenCode's own records in another of its forms; the messages that have a place there."""
    for event in records.left:
        report.dropped(event, note="the record cannot be read, or belongs to none that can")
    for one in records.beside:
        if one.kind == "output" and one.kind not in form.beside:
            report.dropped(one.event, "data", note=f"{form.name} has only the path of it")
        elif one.kind not in form.beside:
            report.dropped(one.event, note=f"{form.name} has no place for it")
        elif one.kind == "todo" and isinstance(one.value, dict) is not form.todo_rows:
            report.changed(one.event, "text", note=_TODOS)
    damaged = () if all(message.says_who_spoke for message in records.messages) else _DAMAGED
    for kind, type_, name, note in (*_OWN, *damaged, *(_OLDER if form.current else ())):
        report.rule(kind, type_, name, note)
    kept = []
    # Of a session that was deleted as a whole, all that is left of it is brought back.
    lives = any(message.info is not None for message in records.messages)
    for message in records.messages:
        left_over = form.current and lives and message.is_left_over
        if message.info is None and (not message.parts or left_over):
            for event in message.events:
                report.dropped(event, note="left over from a message that was deleted")
        else:
            kept.append(message)
    return kept
