"""Why a session in Opta's form differs from its source: what the report says by rules.

What is done to single events is said where it is done.
"""

from __future__ import annotations

from finder.writing import LossKind, Report

_Rules = tuple[tuple[LossKind, str, str | None, str], ...]
_DROPPED: LossKind = "dropped"
_ALTERED: tuple[LossKind, ...] = ("dropped", "changed", "invented")

_WORDS = "Opta knows it by the words alone"
_NO_TIMES = "Opta's messages have no times"
_NOT_A_MESSAGE = "Opta's messages have a role and their content, nothing else"
_DEMANDED = "Opta demands it"
_ROLES = "who speaks is said by the message that it stands in"

# Of every form that Opta has.
_ALL: _Rules = (
    *((_DROPPED, "*", name, _NO_TIMES) for name in ("at", "started", "finished")),
    *((_DROPPED, "message", name, _NOT_A_MESSAGE)
      for name in ("model", "agent", "usage", "cost", "error")),
    ("dropped", "tool_result", "title", _NOT_A_MESSAGE),
    ("dropped", "notice", None, "beside the conversation: a record of another form"),
    ("lowered", "notice", None, "beside the conversation: a record of another form"),
    ("dropped", "opaque", None, "a record of another form"),
    ("dropped", "message", None, "nothing is left of it that Opta could keep"),
    ("invented", "tool_call", None, "Opta keeps no result, and no subagent, without a call"),
    ("lowered", "*", "labels", "Opta has no such mark"),
    ("invented", "*", "labels", _WORDS),
    ("changed", "*", "role", _ROLES),
    ("invented", "*", "role", _ROLES),
    ("changed", "*", "order", "a summary comes first, and a result directly behind its call"),
    ("invented", "tool_call", "input", _DEMANDED),
    ("changed", "tool_call", "call", "a call needs an id"),
    ("changed", "tool_call", "name", "a tool needs a name"),
    ("changed", "tool_result", "call", "a call needs an id"),
    ("changed", "tool_result", "status", _WORDS),
    ("dropped", "session", "title", "an empty title is none"),
    ("dropped", "session", "model", "an empty name is none"),
    ("dropped", "session", "directory", "an empty path is none"),
    ("dropped", "session", "agent", "Opta has no agents to choose from"),
    ("dropped", "session", "archived", "Opta has no archive"),
    ("dropped", "session", "parent", "Opta has no subagents; a tag names it, if it is written too"),
    ("lowered", "session", "labels", "Opta has no such mark for a session"),
    ("invented", "session", "created", _DEMANDED),
    ("invented", "session", "updated", _DEMANDED),
    ("changed", "session", "created", "Opta's times have four digits for the year"),
    ("changed", "session", "updated", "Opta's times have four digits for the year"),
)  # fmt: skip

# Of sessions as messages.
_MESSAGES: _Rules = (
    ("invented", "message", None, "an answer is one text and then calls; the prompt comes first"),
    ("invented", "text", None, "a prompt without which Opta sends none; a summary's first words"),
    ("changed", "message", "role", "Opta's user brings the summary, and all images"),
    ("invented", "tool_result", None, "what Opta writes for a call that came to nothing"),
    ("invented", "attachment", None, "an image of no bytes is known by its place alone"),
    ("dropped", "attachment", "name", "Opta's images have no names"),
    ("dropped", "attachment", "path", "Opta has the image, not its path"),
    ("dropped", "attachment", "url", "the bytes themselves are there"),
    ("invented", "attachment", "mime", "it stands in its URL"),
    ("dropped", "attachment", "mime", "of an image by its URL Opta keeps the URL alone"),
    ("changed", "attachment", "order", "images stand in a message of the user's, behind results"),
    ("dropped", "compaction", None, "Opta tells it by the summary, and there is none"),
    ("invented", "compaction", None, _WORDS),
    ("dropped", "compaction", "archive", "Opta keeps none of what a summary stands for"),
    *((kind, "compaction", name, "Opta compacts by itself, and keeps its prompt")
      for kind in _ALTERED
      for name in ("auto", "keep")),
    ("changed", "compaction", "role", "a summary is a user's message"),
    ("invented", "subagent", None, "Opta takes every call of this tool for a subagent"),
    *((kind, "subagent", name, "Opta tells a subagent by its call and its result")
      for kind in _ALTERED
      for name in ("call", "agent", "prompt", "result", "status")),
    ("dropped", "subagent", "child", "a tag names the session, if it is written too"),
    ("changed", "subagent", "child", "a tag names the session, if it is written too"),
)  # fmt: skip

_DAEMON: _Rules = tuple(
    (kind, "session", "directory", "the daemon keeps none; its prompt may name one")
    for kind in _ALTERED
)

_DOCUMENTED: _Rules = (
    ("invented", "message", None, "where a message begins, the manual does not say"),
    ("dropped", "session", "model", "the manual knows no place for it"),
    ("dropped", "session", "directory", "the manual knows no place for it"),
    ("dropped", "compaction", None, "the manual knows no such event"),
    ("invented", "tool_result", None, "what Opta writes for a call that came to nothing"),
)

_OWN: _Rules = (
    ("lowered", "session", "labels", "told of where it was kept, not of the session"),
    ("invented", "session", "created", _DEMANDED),
    ("invented", "session", "updated", _DEMANDED),
    ("invented", "session", "labels", "its working directory is told by its prompt alone"),
    *((kind, type_, name, "told by a log, which fits another copy of the messages")
      for kind in _ALTERED
      for type_, name in (
          ("*", "at"), ("*", "started"), ("*", "finished"), ("message", "usage"),
          ("*", "labels"), ("*", "order"))),
)  # fmt: skip


def of_messages(report: Report) -> None:
    """Of sessions that are made from events."""
    _state(report, _ALL, _MESSAGES)


def of_documented(report: Report) -> None:
    """Of sessions in the form that the manual describes."""
    _state(report, _ALL, _DOCUMENTED)


def of_daemon(report: Report) -> None:
    """Of sessions that the daemon keeps, besides."""
    _state(report, _DAEMON)


def of_own(report: Report) -> None:
    """Of Opta's own messages."""
    _state(report, _OWN)


def _state(report: Report, *rules: _Rules) -> None:
    for kind, type_, name, note in (one for group in rules for one in group):
        report.rule(kind, type_, name, note)
