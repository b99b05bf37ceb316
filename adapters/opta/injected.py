"""Texts that the tool put in, known by their words alone.

Opta marks nothing: what it injects stands under the role `user` or `assistant` like anybody's
words, so all that is recognised here carries the label `inferred`. Where the tool wraps what a
person typed, the text is cut so that these words stay theirs; the pieces joined are the text.

From the program's code, 0.5.0: core/agent.ts, agent-setup.ts, atpo.ts, fileref.ts, subagent.ts,
agent-permissions.ts, commands/slash/*.ts, daemon/session-manager.ts, tui/hooks/useSubmitHandler.ts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from adapters.opta.copies import MASK
from finder.model import Labels, Status

SUMMARY = "[Previous conversation summary]\n"
SUMMARY_LABELS: Labels = ("synthetic", "summary", "inferred")
# What `/share` puts in the place of content that is no text.
NO_TEXT = "[multimodal]"
NO_TEXT_LABELS: Labels = ("synthetic", "truncated", "inferred")
# What stands for the result of a call that came to none (core/agent-execution.ts).
NO_RESULT = "Error: no result"
_SYNTHETIC: Labels = ("synthetic", "inferred")

# What the tool says wholly by itself, as the user's message.
_OPENINGS = (
    "System Warning: Your previous edit caused the following LSP errors in ",
    "<atpo_correction>",
    "Analyze this project and generate an OPTA.md project context file.",  # /init
)
_BEGINNINGS = ("[", *_OPENINGS)  # of all that is a user's message only by its role
# As the model's answer.
_ANSWERS = (
    "Autonomy runtime budget reached (",
    "Tool-call protocol error: model returned pseudo tool tags",
)
# `/review calc.py`, `/research quantum sorting`: what follows is what the person typed.
_QUOTES = (
    r"\[System: (?:Review mode activated\. Please review the following file for .*?: "
    r"|Research mode activated\. Research topic: )"
)
# What is appended to a person's words: a block per @file, a note per trigger, a daemon's demand.
_APPENDED = (
    r'\n\n(?:<file path="[^"\n]*">\n'
    r"|\[System: (?:Trigger router resolved mode|Browser trigger is active)"
    r"|Output requirement: (?:respond in plain text only\.|return valid JSON only\.))"
)
_MASKED = r"(?s)\[Tool result truncated: (\d+) chars, first line: (.*)\]"
_EXIT_CODE = r"(?:^|\n)\[exit code: (\w+)\]$"
_DENIED = (
    r"User declined (?:this action|spawning an Opta Browser session)\.$"
    r"|Permission denied(?:\.$| by configuration\.$| \(sub-agent cannot |: tool \")"
    r"|Denied by (?:browser )?policy: |Denied shell browser automation command"
    r"|Tool blocked by hook: "
)
_DENIALS = ("User declined ", "Permission denied", "Denied ", "Tool blocked by hook: ")
_FAILED = (
    "Error:",
    "Browser runtime session scan failed: ",
    "Failed to spawn Opta Browser session",
)
# How results begin that tell how their call ended.
_TELLING = ("[", *_FAILED, *_DENIALS)
_SUBAGENT = r"\[(ERROR|BUDGET EXCEEDED|TIMEOUT|CANCELLED)\] Sub-agent result \("


class Piece(NamedTuple):
    """A stretch of a message's text, and whose it is: no labels means the role's own words."""

    text: str
    labels: Labels = ()


class Mask(NamedTuple):
    """What stands for a tool result that Opta dropped: its length in UTF-16 units, its start."""

    length: int
    first_line: str


def pieces(text: str, role: str) -> list[Piece]:
    """A text cut into what the role said and what the tool put in."""
    if role == "system":
        return [Piece(text, ("synthetic",))]
    if role == "user":
        return list(_user_pieces(text))
    if role == "assistant" and text.startswith(_ANSWERS):
        return [Piece(text, _SYNTHETIC)]
    return [Piece(text)]


def is_summary(text: str) -> bool:
    """Whether a user's message is what compaction put in the place of older ones."""
    return text.startswith(SUMMARY)


def is_injected(text: str) -> bool:
    """Whether a user's message came from the tool, though it may hold words of a person."""
    if is_summary(text) or text.startswith(_OPENINGS):
        return True
    return text.startswith("[System: ") and text.endswith("]")


def is_own(text: str, role: str) -> bool:
    """Whether a text is plainly its role's own words alone."""
    if role == "assistant":
        return not text.startswith(_ANSWERS)
    return role == "user" and not text.startswith(_BEGINNINGS) and "\n\n" not in text


def _user_pieces(text: str) -> Iterator[Piece]:
    if is_summary(text):
        yield Piece(text, SUMMARY_LABELS)
    elif not is_injected(text):
        yield from _with_appended(text)
    elif quote := re.match(_QUOTES, text):
        yield Piece(quote[0], _SYNTHETIC)
        if words := text[quote.end() : -1]:
            yield Piece(words)
        yield Piece(text[-1], _SYNTHETIC)
    else:
        yield Piece(text, _SYNTHETIC)


def _with_appended(text: str) -> Iterator[Piece]:
    starts = [match.start() for match in re.finditer(_APPENDED, text)]
    cuts = starts[:1]
    for start in starts[1:]:
        # A file may quote such a beginning: only where one ends does the next begin.
        if _closes(text, cuts[-1], start):
            cuts.append(start)
    if not cuts or not _closes(text, cuts[-1], len(text)):
        yield Piece(text)  # also where somebody pasted a block and wrote on below it
        return
    if own := text[: cuts[0]]:
        yield Piece(own)
    for start, end in zip(cuts, [*cuts[1:], len(text)], strict=True):
        yield Piece(text[start:end], _SYNTHETIC)


def _closes(text: str, start: int, end: int) -> bool:
    """Whether what was appended at `start` is whole at `end`."""
    if text.startswith("<file", start + 2):
        return text.endswith("\n</file>\n", start, end)
    return text.endswith(("]", "."), start, end) and text.find("\n", start + 2, end) < 0


def mask(text: str) -> Mask | None:
    """What is known of a tool result that was replaced by a note, if the text is that note."""
    match = re.fullmatch(_MASKED, text) if text.startswith(MASK) else None
    return Mask(int(match[1]), match[2]) if match and len(match[1]) < 16 else None


def is_denied(text: str) -> bool:
    """Whether a tool result says that the tool was not allowed to run."""
    return text.startswith(_DENIALS) and re.match(_DENIED, text) is not None


def status(text: str, tool: str) -> Status:
    """How a tool call ended, by the words of its result: Opta keeps no flag of it."""
    if text.startswith(_TELLING):
        masked = mask(text)
        text = masked.first_line if masked else text
        if text.startswith(_FAILED) or is_denied(text):
            return "error"
        if text.startswith("[") and (ended := re.match(_SUBAGENT, text)):
            return "error" if ended[1] == "ERROR" else "interrupted"
    if tool == "run_command" or tool.startswith("custom__"):
        code = re.search(_EXIT_CODE, text)
        if code and code[1] != "0":  # undefined: killed, by its time limit or a cancelled turn
            return "error" if code[1].isdigit() else "interrupted"
    return "ok"
