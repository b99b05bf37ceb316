"""What a model must be told of a session, worked out from its events alone; and what it was told.

Both sides are brought to one form: texts of one speaker in a row are one text, and of calls and
results in a row the calls come first, since those of one step are made together.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from finder.model import Event, Json, ToolCall, ToolResult
from finder.writing import answers

from .model_server import JsonObject

# What the real program itself says in these places.
SUMMARY_PROMPT = "What did we do so far?"
USER_TOOL = "The following tool was executed by the user"
ABORTED = "Tool execution aborted"
UNFINISHED = "[Tool execution was interrupted]"
PLAN_ENDED = "<system-reminder>\nYour operational mode has changed from plan to build."
CLEARED = "[Old tool result content cleared]"
FROM_A_TOOL = "Attached media from tool result:"


class Said(NamedTuple):
    """One piece: ``user``, ``assistant``, ``call`` (name and arguments) or ``result``."""

    kind: str
    text: str


def expected(events: Sequence[Event], prompt: str, *, own: bool) -> list[Said]:
    """What the model must be told when the session is continued with a prompt.

    Args:
        own: the records are OpenCode's own, so unfinished calls are told as it tells them.
    """
    pieces = [*_live(_as_sent(_conversation(events, own)), own), Said("user", prompt)]
    return _merged(Said(kind, _whole(text)) for kind, text in pieces)


def _whole(text: str) -> str:
    """The text as JavaScript sends it: half a surrogate pair is sent as U+FFFD."""
    return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text)


def _conversation(events: Sequence[Event], own: bool) -> list[Event]:
    """What is carried over of another tool's: its own prompts, which stand before all that is
    said, are not sent, and a compaction without a summary is none."""
    found: list[Event] = []
    begun = False
    spoken, opened = None, None
    summaries = [place for place, event in enumerate(events) if "summary" in event.labels]
    for place, event in enumerate(events):
        if event.type == "compaction" and not own and place > max(summaries, default=-1):
            continue
        if event.type == "message":
            spoken, opened = event.role, event.record
        role = spoken if event.message == opened else event.role
        prompt = event.type == "text" and role == "system"
        begun = begun or (event.type in {"reasoning", "tool_call", "text"} and not prompt)
        if begun or not prompt:
            found.append(event)
    return found


def _as_sent(events: Sequence[Event]) -> list[Event]:
    """With what the newest compaction keeps behind its summary, where the program sends it."""
    marks = [place for place, event in enumerate(events) if event.type == "compaction"]
    kept = getattr(events[marks[-1]], "keep", None) if marks else None
    places = [place for place, event in enumerate(events) if event.record == kept is not None]
    if not marks or not places or places[0] > marks[-1]:
        return list(events)
    asked = _opening(events, marks[-1])
    last = max((p for p, event in enumerate(events) if "summary" in event.labels), default=asked)
    after = next((p for p in range(last + 1, len(events)) if events[p].type == "message"), None)
    end = len(events) if after is None else after
    tail = events[places[0] : asked]
    return [*events[: places[0]], *events[asked:end], *tail, *events[end:]]


def _opening(events: Sequence[Event], place: int) -> int:
    while place and events[place].type != "message":
        place -= 1
    return place


def told(conversation: Iterable[JsonObject]) -> list[Said]:
    """What a request told the model; fails where a call and its result are not paired."""
    return _merged(_requested(list(conversation)))


def images(conversation: Iterable[JsonObject]) -> int:
    """How many images a request showed the model."""
    contents = [m["content"] for m in conversation if isinstance(m.get("content"), list)]
    return sum(part["type"] == "image_url" for content in contents for part in content)


def expected_images(events: Sequence[Event]) -> int:
    """How many images the model must be shown."""
    return sum(
        event.type == "attachment"
        and (event.mime or "").startswith("image/")
        and (event.data is not None or (event.url or "").startswith("data:"))
        for event in _in_context(events)
    )


def _in_context(events: Sequence[Event]) -> Iterator[Event]:
    """Without what was undone, and without what the newest compaction took out."""
    cut = any(event.type == "compaction" for event in events)
    failed: str | None = None
    for event in events:
        if event.type == "message":
            interrupted = (event.error or "").startswith("MessageAbortedError")
            failed = event.record if event.error and not interrupted else None
        gone = "hidden" in event.labels or (cut and "compacted" in event.labels)
        is_pruned = event.type == "tool_result" and not _is_gone_with_its_call(event, events, cut)
        if (not gone or (is_pruned and "hidden" not in event.labels)) and (
            failed is None or event.message != failed
        ):
            yield event


def _is_gone_with_its_call(result: ToolResult, events: Sequence[Event], cut: bool) -> bool:
    calls = [e for e in events if e.type == "tool_call" and e.call == result.call]
    return cut and bool(calls) and all("compacted" in call.labels for call in calls)


def _live(events: Sequence[Event], own: bool) -> Iterator[Said]:
    answered = {id(events[c]): events[r] for c, r in answers(events).items()}
    results = {id(result) for result in answered.values()}
    spoken, opened = None, None
    for event in _in_context(events):
        # What stands outside of messages says itself who speaks.
        role = spoken if event.message == opened else event.role
        match event.type:
            case "message":
                spoken, opened = event.role, event.record
            case "compaction":
                yield Said("user", SUMMARY_PROMPT)
            case "text":
                said_by_model = role == "assistant" or "summary" in event.labels
                yield Said("assistant" if said_by_model else "user", event.text)
            case "reasoning" if event.text.strip():
                yield Said("assistant", event.text)
            case "tool_call":
                yield Said("call", _called(event.name or "unknown", event.input))
                yield Said("result", _result(event, answered.get(id(event)), own))
            case "tool_result" if id(event) not in results:
                yield Said("call", _called("unknown", {}))
                yield Said("result", event.output or "")
            case "notice" if isinstance(event.raw, dict) and _part(event.raw) == "subtask":
                yield Said("user", USER_TOOL)


def _part(raw: JsonObject) -> Any:
    data = raw.get("data", raw)
    return data.get("type") if isinstance(data, dict) else None


def _result(call: ToolCall, result: Event | None, own: bool) -> str:
    if not isinstance(result, ToolResult):
        return UNFINISHED if own else ABORTED
    if own and result.status in ("running", "pending", "interrupted") and not _ended(call):
        return UNFINISHED
    if "compacted" in result.labels and "compacted" not in call.labels:
        return CLEARED
    if result.status in ("ok", "error"):
        return result.output or ""
    return ABORTED if result.output is None else result.output


def _ended(call: ToolCall) -> bool:
    """Whether a part of OpenCode's says that its call has ended."""
    raw = call.raw if isinstance(call.raw, dict) else {}
    state = raw.get("data", raw).get("state", {})
    return state.get("status") in ("completed", "error")


def _called(name: str, given: Json) -> str:
    if not isinstance(given, dict):
        given = {} if given is None else {"arguments": given}
    return f"{name} {json.dumps(given, sort_keys=True)}"


def _requested(conversation: list[JsonObject]) -> Iterator[Said]:
    waiting: list[str] = []
    for message in conversation:
        if message["role"] == "tool":
            assert message["tool_call_id"] in waiting, "a result without its call"
            waiting.remove(message["tool_call_id"])
            yield Said("result", _text(message))
            continue
        assert not waiting, f"calls without results: {waiting}"
        if _text(message) != FROM_A_TOOL or message["role"] != "user":
            yield Said(message["role"], _text(message))
        for call in message.get("tool_calls") or ():
            waiting.append(call["id"])
            function = call["function"]
            yield Said("call", _called(function["name"], json.loads(function["arguments"])))
    assert not waiting, f"calls without results: {waiting}"


def _text(message: JsonObject) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    texts = (part["text"] for part in content if part["type"] == "text")
    return "".join(text for text in texts if not text.startswith(PLAN_ENDED))


def _merged(pieces: Iterable[Said]) -> list[Said]:
    found: list[Said] = []
    run: list[Said] = []
    for piece in pieces:
        if piece.kind in ("call", "result"):
            run.append(piece)
            continue
        if not piece.text:
            continue
        found += sorted(run, key=lambda said: said.kind)
        run = []
        if found and found[-1].kind == piece.kind:
            found[-1] = Said(piece.kind, found[-1].text + piece.text)
        else:
            found.append(piece)
    return found + sorted(run, key=lambda said: said.kind)
