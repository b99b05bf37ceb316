"""Tool results: what came back, how it ended, and what the tool put into it.

A result is a string, mostly JSON text. A failure is ``{"error": …}`` or, of a shell command,
``{"exit_code": 2, "success": false, …}``; a refused call ``{"error": "Tool use denied by user.
…", "action_performed": false}``. While todos are open a reminder is put into other tools'
results: a key ``_todo_reminder``, or text behind a plain result. See agent/tool_executor.rb.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from adapters.clacky.parts import Common, attachment, merged, unknown_block
from finder import jsonio
from finder.dataclass import maker
from finder.jsonio import array, integer, mapping, string
from finder.model import (
    Event,
    Json,
    JsonObject,
    Labels,
    Notice,
    Status,
    Subagent,
    ToolCall,
    ToolResult,
)

_result = maker(ToolResult)  # a story has very many
_REMINDER = (
    r"\n\n📋 REMINDER: You have \d+ pending TODO\(s\)\. After completing each task, remember to"
    r" mark it as complete using todo_manager with action 'complete' and the task id\.\Z"
)
_END_OF_REMINDER = "and the task id."
_DENIED = "Tool use denied by user"
_MISSING = "Tool result missing (interrupted)"
_SUBAGENT_STOPPED = "was interrupted by the user before completing.]"
_SUBAGENT_SUMMARY = "[SUBAGENT SUMMARY]"
# How a result begins or ends that may tell of more than what came back.
_TELLING = ("{", _SUBAGENT_SUMMARY)
_ENDING = ("]", _END_OF_REMINDER)
_CUT = (  # each ends in a bracket
    r"\n\[Content truncated - exceeded \d+ characters\]\Z"
    r"|\n\n\[Tool result truncated: \d+ chars total[^\]]*\]\Z"
    r"|\n\.\.\. \[truncated, \d+ chars total\]\Z"
)
_LONGEST_MARK = 500  # characters of the end of a result


def _outcome(output: str, answer: JsonObject, *, failed: bool) -> Status:
    """How a call ended, as far as its result tells; `answer` is that as an object."""
    error = answer.get("error")
    if error == _MISSING or output.rstrip().endswith(_SUBAGENT_STOPPED):
        return "interrupted"
    if not answer:
        cut = output.startswith("{") and _cut_failure(output)
        return "error" if failed or cut else "ok"
    code = integer(answer.get("exit_code"))
    bad = failed or bool(error) or answer.get("success") is False or code not in (None, 0)
    if _SUBAGENT_STOPPED in (string(answer.get("result")) or ""):
        return "interrupted"
    return "error" if bad else "ok"


def _as_object(output: str) -> JsonObject:
    try:
        return mapping(jsonio.loads(output))
    except ValueError:
        return {}


def _cut_failure(output: str) -> bool:
    """Whether JSON text that was cut speaks of a failure in what is left."""
    code = re.search(r'"exit_code":\s*(-?\d+)', output)
    return output.startswith('{"error":"') or (code is not None and int(code[1]) != 0)


def events(
    call: str,
    content: Json,
    common: Common,
    labels: Labels,
    calls: Mapping[str, ToolCall],
    *,
    failed: bool = False,
) -> list[Event]:
    """The events of one result. `calls` are those told so far, by id."""
    if not isinstance(content, str):
        blocks = [mapping(block) for block in array(content)]
        output = _output(content, blocks)
    elif _is_plain(content):  # as most are
        status: Status = "error" if failed else "ok"
        return [_told(call, content, status, common, labels, _labels_of(content, call, calls))]
    else:
        blocks, output = [], content
    reminder: str | None = None
    answer: JsonObject = {}
    if output.startswith("{"):  # a reminder stands within it
        answer = _as_object(output)
    elif output.endswith(_END_OF_REMINDER):
        output, reminder = _without_reminder(output)
    status = _outcome(output, answer, failed=failed)
    by_words = _labels_of(output, call, calls)
    result = _told(call, output, status, common, labels, by_words)
    found: list[Event] = [result]
    for place, block in enumerate(blocks):
        if "_todo_reminder" in block:
            reminder = string(block["_todo_reminder"])
        elif block.get("type") in ("image_url", "image", "document"):
            found.append(attachment(block, common, labels))
        elif block.get("type") != "text":
            found.append(unknown_block(block, place, common, labels))
    if answer or reminder:
        found += _asides(answer, reminder, common, labels)
    if _is_of_subagent(answer, output):
        told = answer or {"result": output}
        found.append(_subagent(calls.get(call), call, told, result.status, common, labels))
    return found


def _is_plain(output: str) -> bool:
    """Whether a text is plainly no JSON object, and has nothing of the tool's own in it."""
    if output.startswith(_TELLING) or output.endswith(_ENDING):
        return False
    return not output[-1:].isspace() or not output.rstrip().endswith("]")


def _told(
    call: str,
    output: str,
    status: Status,
    common: Common,
    labels: Labels,
    by_words: Labels,
) -> ToolResult:
    return _result(
        record=common["record"],
        message=common["message"],
        role=common["role"],
        at=common["at"],
        labels=merged(labels, by_words) if by_words else labels,
        call=call,
        output=output,
        status=status,
    )


def _output(content: Json, blocks: list[JsonObject]) -> str:
    """What came back, as a text, where it is none."""
    if content is not None and not isinstance(content, list):
        return jsonio.dumps(content).decode("utf-8", "replace")
    return "\n".join(b["text"] for b in blocks if isinstance(b.get("text"), str))


def _without_reminder(output: str) -> tuple[str, str | None]:
    """A plain result and the reminder behind it."""
    found = re.search(_REMINDER, output)
    return (output[: found.start()], found[0]) if found else (output, None)


def _labels_of(output: str, call: str, calls: Mapping[str, ToolCall]) -> Labels:
    if output.endswith("]") and re.search(_CUT, output[-_LONGEST_MARK:]):
        return ("truncated", "inferred")
    # Its call was archived or thrown away.
    return () if call in calls else ("truncated", "inferred")


def _asides(
    answer: JsonObject, reminder: str | None, common: Common, labels: Labels
) -> Iterator[Notice]:
    in_json = string(answer.get("_todo_reminder"))
    if in_json or reminder:
        known: Labels = ("synthetic",) if in_json else ("synthetic", "inferred")
        text = in_json or reminder
        yield Notice(**common, labels=merged(labels, known), kind="todo", text=text)
    error = string(answer.get("error")) or ""
    if error.startswith(_DENIED):
        marked = merged(labels, ("synthetic",))
        yield Notice(**common, labels=marked, kind="permission", text=error)


def _is_of_subagent(answer: JsonObject, output: str) -> bool:
    if not answer:
        return output.startswith(_SUBAGENT_SUMMARY)
    result = string(answer.get("result")) or output
    return answer.get("skill_type") == "subagent" or result.startswith(_SUBAGENT_SUMMARY)


def _subagent(
    call: ToolCall | None,
    call_id: str,
    answer: JsonObject,
    status: Status,
    common: Common,
    labels: Labels,
) -> Subagent:
    asked = mapping(call.input) if call is not None else {}
    return Subagent(
        **common,
        labels=labels,
        call=call_id,
        agent=string(asked.get("skill_name")),
        prompt=string(asked.get("task")),
        result=string(answer.get("result")),
        status=status,
    )


def told_subagent(message: JsonObject, common: Common, labels: Labels) -> Subagent:
    """The subagent whose outcome the tool put in the place of its instructions."""
    return Subagent(
        **common,
        labels=labels,
        agent=string(message.get("skill_name")),
        result=string(message.get("content")),
        status="interrupted" if message.get("interrupted") else "ok",
    )
