"""Rows of ``session_message``: sessions of OpenCode's newer ("v2") API, from 1.17 on.

A session made through that API has its content only here; ``message`` and ``part`` are empty, and
OpenCode's own export shows none of it. Rows are ordered by ``seq``; ``data`` by ``type``:

    user             {time{created}, text, files?}
    assistant        {time{created, completed}, agent, model{id, providerID}, finish, cost, tokens,
                      snapshot, content[]} with content of type
                        text {id, text} · reasoning {id, text, time} ·
                        tool {id, name, state{status, input, content[], structured, error?,
                              result?}, time{created, ran, completed}}
    synthetic        {text}: put in by the program
    compaction       {summary or text, reason}
    shell            {command, output, callID}
    agent-switched, model-switched   markers; normal sessions of 1.15 and 1.17 have them too

user, assistant and the markers were seen in stores of 1.15.13 to 1.18.33; synthetic,
compaction and shell are told of by the program's own types and were not seen.
A prompt that was accepted but not yet begun lies in ``session_input`` (``promoted_seq`` null).
"""

from __future__ import annotations

from collections.abc import Iterator

from adapters.opencode.fields import error_text, file_attachment, usage
from adapters.opencode.sessions import model_name
from finder import jsonio
from finder.dataclass import dataclass
from finder.jsonio import array, integer, mapping, number, string
from finder.model import (
    Compaction,
    Event,
    Json,
    JsonObject,
    Labels,
    Message,
    Notice,
    Opaque,
    Reasoning,
    Role,
    Status,
    Text,
    ToolCall,
    ToolResult,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRow:
    """One row: its id and type, `data` parsed, and the whole row as `raw`."""

    id: str
    type: str
    info: JsonObject
    raw: Json
    at: int | None = None
    problem: str | None = None


def row_events(row: StoredRow, labels: Labels = ()) -> Iterator[Event]:
    """The events of one row. `labels` are those that the session gives it."""
    readers = {
        "user": _user,
        "assistant": _assistant,
        "synthetic": _synthetic,
        "compaction": _compaction,
        "shell": _shell,
    }
    if row.problem is not None:
        yield Opaque(
            kind=row.type,
            problem=row.problem,
            record=row.id,
            message=row.id,
            raw=row.raw,
            labels=labels,
        )
    elif row.type in readers:
        yield from readers[row.type](row, labels)
    elif row.type in {"agent-switched", "model-switched"}:
        now = string(row.info.get("agent")) or model_name(row.info) or ""
        yield Notice(
            kind="state",
            text=f"{row.type.replace('-', ' ')} to {now}".removesuffix(" to "),
            record=row.id,
            at=row.at,
            labels=labels,
            raw=row.raw,
        )
    else:
        yield Opaque(kind=row.type, record=row.id, at=row.at, raw=row.raw, labels=labels)


def compacted_before(rows: list[StoredRow]) -> int:
    """How many of the rows the newest compaction took out of the live context."""
    marks = [position for position, row in enumerate(rows) if row.type == "compaction"]
    return marks[-1] if marks else 0


def _opened(row: StoredRow, role: Role, labels: Labels) -> Message:
    time = mapping(row.info.get("time"))
    return Message(
        record=row.id,
        message=row.id,
        role=role,
        at=integer(time.get("created")) or row.at,
        labels=labels,
        raw=row.raw,
        model=model_name(row.info),
        agent=string(row.info.get("agent")),
        usage=usage(row.info.get("tokens")),
        cost=number(row.info.get("cost")),
        finished=integer(time.get("completed")),
        error=error_text(row.info.get("error")),
    )


def _text(row: StoredRow, role: Role, text: str, labels: Labels) -> Text:
    return Text(text=text, record=row.id, message=row.id, role=role, at=row.at, labels=labels)


def _user(row: StoredRow, labels: Labels) -> Iterator[Event]:
    yield _opened(row, "user", labels)
    text = string(row.info.get("text"))
    if text is not None:
        yield _text(row, "user", text, labels)
    for file in array(row.info.get("files")):
        info = mapping(file)
        shape = {**info, "url": info.get("url") or info.get("uri"), "filename": info.get("name")}
        yield file_attachment(shape, record=row.id, message=row.id, role="user", labels=labels)


def _synthetic(row: StoredRow, labels: Labels) -> Iterator[Event]:
    marked: Labels = (*labels, "synthetic")
    yield _opened(row, "user", marked)
    yield _text(row, "user", string(row.info.get("text")) or "", marked)


def _compaction(row: StoredRow, labels: Labels) -> Iterator[Event]:
    yield _opened(row, "assistant", labels)
    yield Compaction(
        auto=row.info.get("reason") == "auto",
        record=row.id,
        message=row.id,
        role="assistant",
        at=row.at,
        labels=labels,
    )
    summary = string(row.info.get("summary")) or string(row.info.get("text"))
    if summary:
        yield _text(row, "assistant", summary, (*labels, "synthetic", "summary"))


def _shell(row: StoredRow, labels: Labels) -> Iterator[Event]:
    """A command that the user ran from within the session."""
    call = string(row.info.get("callID")) or row.id
    given = {"command": row.info.get("command")}
    output = string(row.info.get("output"))
    yield _opened(row, "user", labels)
    yield ToolCall(
        call=call,
        name="shell",
        input=given,
        record=row.id,
        message=row.id,
        role="user",
        at=row.at,
        labels=labels,
    )
    if output is not None:
        yield ToolResult(
            call=call,
            output=output,
            record=row.id,
            message=row.id,
            role="tool",
            at=integer(mapping(row.info.get("time")).get("completed")),
            labels=labels,
        )


def _assistant(row: StoredRow, labels: Labels) -> Iterator[Event]:
    yield _opened(row, "assistant", labels)
    for item in array(row.info.get("content")):
        content = mapping(item)
        kind = content.get("type")
        text = string(content.get("text")) or ""
        if kind == "text":
            yield _text(row, "assistant", text, labels)
        elif kind == "reasoning":
            at = integer(mapping(content.get("time")).get("created")) or row.at
            yield Reasoning(
                text=text,
                record=row.id,
                message=row.id,
                role="assistant",
                at=at,
                labels=labels,
            )
        elif kind == "tool":
            yield from _tool(row, content, labels)
        else:
            # Not modelled: its fields are in the row's raw; say at least that it is there.
            named = string(kind) or "content"
            yield Notice(
                kind="state",
                text=f"content of type {named}",
                record=row.id,
                message=row.id,
                role="assistant",
                labels=labels,
            )


_STATUS: dict[Json, Status] = {"completed": "ok", "error": "error", "pending": "pending"}


def _tool(row: StoredRow, content: JsonObject, labels: Labels) -> Iterator[Event]:
    state = mapping(content.get("state"))
    time = mapping(content.get("time"))
    call = string(content.get("id")) or row.id
    yield ToolCall(
        call=call,
        name=string(content.get("name")) or "unknown",
        input=state.get("input"),
        record=row.id,
        message=row.id,
        role="assistant",
        at=integer(time.get("created")) or row.at,
        labels=labels,
    )
    status = _STATUS.get(string(state.get("status")), "running")
    if status == "pending":
        return
    yield ToolResult(
        call=call,
        output=_output(state),
        status=status,
        started=integer(time.get("ran")),
        record=row.id,
        message=row.id,
        role="tool",
        at=integer(time.get("completed")),
        labels=labels,
    )
    for item in array(state.get("content")):
        file = mapping(item)
        if file.get("type") not in ("text", None):
            shape = {**file, "url": file.get("url") or file.get("uri")}
            yield file_attachment(shape, record=row.id, message=row.id, role="tool", labels=labels)


def _output(state: JsonObject) -> str | None:
    """The texts of the result; else its error; else the structured value as JSON."""
    texts = [string(mapping(item).get("text")) for item in array(state.get("content"))]
    said = "\n".join(text for text in texts if text is not None)
    if said:
        return said
    error = state.get("error")
    if error is not None:
        return string(mapping(error).get("message")) or error_text(error)
    structured = state.get("structured")
    return jsonio.dumps(structured).decode() if structured else None
