"""What no person and no model said, told from what they did.

Newer versions flag a message that the tool made (``system_injected`` and some more); older ones,
and the archives, leave only its text. What is known by a flag is `synthetic`, what is known by
its words `synthetic` and `inferred`. Two kinds of such messages hold a person's own words: the
feedback that came with a refused tool call, and a chat message with the group's talk before it.
The pieces of a text always add up to the text.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from finder.model import JsonObject, Labels, Role

# Flags that only the tool's own messages have; see agent.rb, message_history.rb,
# skill_manager.rb.
FLAGS = frozenset(
    (
        "system_injected",
        "session_context",
        "compressed_summary",
        "memory_update",
        "subagent_instructions",
        "subagent_result",
        "chunk_index",
    )
)
_SUMMARIES = (
    "[SYSTEM] Previous conversation summary",
    "[SYSTEM][COMPRESSION LEVEL",
    "[Compressed conversation summary — previous turns archived]",
)
_OPENINGS = (
    "[SYSTEM]",
    "[Session context: ",
    "CRITICAL: TASK CONTEXT SWITCH - FORKED SUBAGENT MODE",
    "Your previous reply contained tool-call XML written as text ",
    "[Compressed conversation summary — previous turns archived]",
)
_ASKING = ("STOP. The user has a question", "The user has a question")
# How all that is known by its words begins.
_BEGINNINGS = ("[", "CRITICAL: ", "Your previous reply ", *_ASKING)
_FILE_BLOCK = r"\[File: [^\n]+\]\nType: "
_FEEDBACK = (
    r"((?:STOP\. )?The user has a question/feedback for you: )(.*)"
    r"(\n\nPlease respond to the user's question/feedback before continuing with any actions\.)"
)


class Piece(NamedTuple):
    """A part of a text, who said it, and what marks it."""

    text: str
    role: Role
    labels: Labels


def is_flagged(message: JsonObject) -> bool:
    """Whether the tool marked the message as its own."""
    role = message.get("role")
    # `truncated` on a user message is the notice that asks the model to repeat a cut answer.
    noticed = role == "user" and bool(message.get("truncated"))
    if role == "system" or noticed:
        return True
    return not FLAGS.isdisjoint(message) and any(map(message.get, FLAGS))


def is_summary(message: JsonObject) -> bool:
    """Whether a compaction made the message; by its flag or, before 0.8.1, by its text."""
    if message.get("compressed_summary"):
        return True
    text = message.get("content")
    if not isinstance(text, str) or not is_summary_text(text):
        return False
    return message.get("role") in ("user", "assistant")


def is_summary_text(text: str) -> bool:
    return text.startswith(_SUMMARIES)


def is_own(text: str) -> bool:
    """Whether the words of a message without a flag are plainly none of the tool's."""
    return not text.startswith(_BEGINNINGS)


def pieces(text: str, role: Role, *, flagged: bool, shown: str | None = None) -> list[Piece]:
    """A message's text, cut where somebody else begins to speak.

    `flagged`: the tool marked the message. `shown`: what its interface shows in the text's place
    (``display_text``), which is what the person wrote.
    """
    if not text:
        return []
    if not flagged and not shown and is_own(text):  # as nearly always
        return [Piece(text, role, ())]
    by_tool: Labels = ("synthetic",) if flagged else ("synthetic", "inferred")
    asks = role == "user" and text.startswith(_ASKING)
    if asks and (feedback := re.fullmatch(_FEEDBACK, text, re.DOTALL)):
        before, said, after = feedback.groups()
        return _joined(before, said, after, by_tool)
    if flagged:
        return [Piece(text, role, by_tool)]
    if _is_known(text, role):
        labels: Labels = ("synthetic", "summary", "inferred") if is_summary_text(text) else by_tool
        return [Piece(text, role, labels)]
    if shown and shown != text and shown in text:
        before, said, after = text.rpartition(shown)
        return _joined(before, said, after, by_tool)
    return [Piece(text, role, ())]


def _is_known(text: str, role: Role) -> bool:
    if role not in ("user", "assistant"):
        return False
    return text.startswith(_OPENINGS) or (
        role == "user" and re.match(_FILE_BLOCK, text) is not None
    )


def _joined(before: str, said: str, after: str, by_tool: Labels) -> list[Piece]:
    found = [
        Piece(before, "user", by_tool),
        Piece(said, "user", ()),
        Piece(after, "user", by_tool),
    ]
    return [piece for piece in found if piece.text]
