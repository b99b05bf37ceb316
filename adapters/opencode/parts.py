"""Events of other tools as OpenCode's parts. Ids are put in by the caller.

What the program demands of a part that it will load and go on from (1.18.33): the keys set here;
tool parts completed or failed; URLs of files that it sends to the model ``data:``. Any other it
would fetch at each turn, and not go on once that fails. It sends no files of type text/plain.
"""

from __future__ import annotations

from collections.abc import Sequence

from finder.dataclass import dataclass, field
from finder.model import (
    Attachment,
    Json,
    JsonObject,
    Reasoning,
    Subagent,
    Text,
    ToolCall,
    ToolResult,
)
from finder.writing import Report

# What the program itself writes as the error of a call that was cut off.
ABORTED = "Tool execution aborted"
CUT_OFF = frozenset({ABORTED, "Aborted"})  # errors by which one is known
_UNSENT = "text/plain"
_NAMED = "a file that is only named is kept, not sent: OpenCode could not go on without it"


def text_part(event: Text, at: int) -> JsonObject:
    """A text. `at`: when its message was made; the text has a time only if that is another."""
    part: JsonObject = {"type": "text", "text": event.text}
    if "synthetic" in event.labels:
        part["synthetic"] = True
    if event.at is not None and event.at > 0 and event.at != at:
        part["time"] = {"start": event.at, "end": event.at}
    return part


def reasoning_part(event: Reasoning, at: int, provider: str, report: Report) -> JsonObject:
    """A thought. A provider's signature stands under the provider's name."""
    start = event.at if event.at is not None and event.at > 0 else at
    part: JsonObject = {"type": "reasoning", "text": event.text, "time": {"start": start}}
    if event.signature:
        part["metadata"] = {provider or "unknown": {"signature": event.signature}}
    elif event.signature is not None:
        report.dropped(event, "signature", note="an empty signature is none")
    if event.redacted:
        report.changed(event, "redacted", note="OpenCode marks this by the hidden text itself")
    return part


def file_part(event: Attachment, report: Report) -> JsonObject:
    """A file or image: its bytes as a data: URL, else where it is."""
    mime = event.mime or None
    if event.data is not None:
        mime = mime or "application/octet-stream"
        url = f"data:{mime};base64,{event.data}"
    else:
        url = event.url if event.url is not None else _file_url(event.path)
        if mime is not None and url.startswith(f"data:{mime};base64,"):
            report.invented(event, "data", note="the bytes were in the URL")
        if mime is None or (mime != _UNSENT and not url.startswith("data:")):
            # Sent as what it is, it would make every further turn fail.
            report.changed(event, "mime", note=_NAMED)
            mime = _UNSENT
    part: JsonObject = {"type": "file", "mime": mime, "url": url}
    if event.name is not None:
        part["filename"] = event.name
    return part


def _file_url(path: str | None) -> str:
    from urllib.parse import quote

    if path is None:
        return ""
    start = "" if path.startswith("/") else "/"
    return f"file://{quote(start + path, errors='surrogatepass')}"


@dataclass(slots=True)
class Called:
    """A tool call with all that belongs to it.

    Attributes:
        answered: the place in the stream of its result, or its own if there is none.
        at: when its message was made, milliseconds UTC.
        child: the id, in the target, of the session that it started.
    """

    call: ToolCall
    answered: int
    at: int = 0
    result: ToolResult | None = None
    attachments: Sequence[Attachment] = ()
    subagent: Subagent | None = None
    child: str | None = None
    loose: list[Attachment] = field(default_factory=list)  # that its result cannot hold


def tool_part(called: Called, report: Report) -> JsonObject:
    """A tool call with its result; one that was never answered, as the program would end it."""
    call = called.call
    return {
        "type": "tool",
        "tool": _name(called, report),
        "callID": call.call,
        "state": {"input": _input(call, report), **_outcome(called, report)},
    }


def _name(called: Called, report: Report) -> str:
    call = called.call
    if called.child is not None and call.name != "task":
        report.changed(call, "name", note="OpenCode knows subagents by the tool task alone")
        return "task"
    return call.name or "unknown"


def _input(call: ToolCall, report: Report) -> JsonObject:
    if isinstance(call.input, dict):
        return call.input
    if call.input is None:
        report.invented(call, "input", note="OpenCode demands an object of arguments")
        return {}
    report.changed(call, "input", note="OpenCode demands an object: the arguments stand within it")
    return {"arguments": call.input}


def _outcome(called: Called, report: Report) -> JsonObject:
    result = called.result
    start = _known(result.started if result else None, called.call.at, called.at)
    end = _known(result.at if result else None, start)
    time: JsonObject = {"start": start, "end": max(start, end)}
    metadata: JsonObject = {}
    if called.child is not None:
        metadata["sessionId"] = called.child
    if result is None:
        metadata["interrupted"] = True
        return {"status": "error", "error": ABORTED, "metadata": metadata, "time": time}
    if "truncated" in result.labels:
        metadata["truncated"] = True
    if result.status == "ok":
        return _completed(called, result, metadata, time, report)
    called.loose = list(called.attachments)
    if result.output is None:
        report.invented(result, "output", note="OpenCode demands the text of an error")
    if result.status == "error":
        error = result.output or ""
        if error in CUT_OFF:
            report.changed(result, "status", note="OpenCode tells a call that was cut off so")
    else:
        # So the program keeps, and tells the model, what a call said before it was stopped.
        error = ABORTED
        metadata["interrupted"] = True
        if result.output is not None:
            metadata["output"] = result.output
        if result.status != "interrupted":
            report.changed(result, "status", note="a call that has not ended was interrupted")
    return {"status": "error", "error": error, "metadata": metadata, "time": time}


def _completed(
    called: Called, result: ToolResult, metadata: JsonObject, time: JsonObject, report: Report
) -> JsonObject:
    if result.output is None:
        report.invented(result, "output", note="OpenCode demands an output, if an empty one")
    if called.call.name == "invalid":
        report.changed(result, "status", note="OpenCode calls what failed by this name")
    if "compacted" in result.labels and "compacted" not in called.call.labels:
        time["compacted"] = time["end"]  # the output alone has left the context
    state: JsonObject = {
        "status": "completed",
        "output": result.output or "",
        "title": result.title or "",
        "metadata": metadata,
        "time": time,
    }
    if called.attachments:
        state["attachments"] = [file_part(one, report) for one in called.attachments]
    return state


def _known(*times: int | None) -> int:
    return next((time for time in times if time is not None and time > 0), 0)


def task_call(event: Subagent) -> ToolCall:
    """The call that OpenCode would have made for a subagent that no call is known of."""
    given: Json = {"description": event.agent or "subagent", "prompt": event.prompt or ""}
    given["subagent_type"] = event.agent or "general"
    return ToolCall(
        call=event.call or f"task_{event.record}",
        name="task",
        input=given,
        at=event.at,
        record=event.record,
        message=event.message,
        role="assistant",
        labels=event.labels,
    )


def task_result(event: Subagent, call: str) -> ToolResult | None:
    """What came of a subagent that no call is known of."""
    if event.result is None and event.status in (None, "running", "pending"):
        return None
    return ToolResult(
        call=call,
        output=event.result,
        status=event.status or "ok",
        record=event.record,
        message=event.message,
        role="tool",
    )
