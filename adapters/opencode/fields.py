"""Fields of OpenCode's records in the model's terms: tool states, files, tokens, errors."""

from __future__ import annotations

from finder import jsonio
from finder.dataclass import maker
from finder.jsonio import array, integer, mapping, string
from finder.model import Attachment, Json, JsonObject, Label, Labels, Role, Status, Usage

_usage = maker(Usage)  # one for each answer


def notice_of(info: JsonObject) -> tuple[str, str | None]:
    """What a part of type patch, retry or subtask says: kind and text of a `Notice`."""
    kind = info.get("type")
    if kind == "patch":
        return "diff", "\n".join(str(name) for name in array(info.get("files")))
    if kind == "retry":
        return "retry", error_text(info.get("error"))
    # The task tool call that follows carries the prompt and names the child.
    said = [string(info.get("description")), string(info.get("prompt"))]
    return "state", ": ".join(text for text in said if text)


def tool_input(state: JsonObject) -> Json:
    """The arguments of a call; of one still being written, their text as far as it came."""
    given = state.get("input")
    return given or string(state.get("raw")) or given


def tool_status(
    name: str, state: JsonObject, interrupted: bool
) -> tuple[Status, tuple[Label, ...]]:
    """A tool part's status, and how it was known."""
    stored = state.get("status")
    if stored == "completed":
        if name == "invalid":  # OpenCode's stand-in for an unknown tool or broken arguments
            return "error", ()
        if interrupted and _was_killed(state):
            return "interrupted", ("inferred",)
        return "ok", ()
    if stored == "error":
        if mapping(state.get("metadata")).get("interrupted") is True:
            return "interrupted", ()
        aborted = string(state.get("error")) in {"Tool execution aborted", "Aborted"}
        return ("interrupted", ("inferred",)) if aborted else ("error", ())
    unfinished: Status = "pending" if stored == "pending" else "running"
    return ("interrupted", ()) if interrupted else (unfinished, ())


def _was_killed(state: JsonObject) -> bool:
    """Whether a command of an aborted answer was ended with it: it says so, or has no exit code."""
    metadata = mapping(state.get("metadata"))
    said = "User aborted the command" in (string(state.get("output")) or "")
    return said or ("exit" in metadata and metadata["exit"] is None)


def was_truncated(state: JsonObject) -> bool:
    """Whether the store has only a part of the output."""
    metadata = mapping(state.get("metadata"))
    return metadata.get("truncated") is True or "outputPath" in metadata


def tool_output(state: JsonObject) -> str | None:
    """What the tool gave back: its output or its error; while it runs, what it said so far.

    Of a call that was cut off the program tells the model what it had said, not the error.
    """
    output = state.get("output")
    if isinstance(output, str) and state.get("status") != "error":
        return output
    metadata = mapping(state.get("metadata"))
    if state.get("status") == "error" and metadata.get("interrupted") is True:
        said = string(metadata.get("output"))
        if said is not None:
            return said
    for value in (output, state.get("error")):
        if isinstance(value, str):
            return value
        if value is not None:
            return jsonio.dumps(value).decode()
    return string(metadata.get("output"))


def child_id(state: JsonObject) -> str | None:
    """The session that a ``task`` call started, in each place that a version used for it."""
    metadata = mapping(state.get("metadata"))
    named = string(metadata.get("sessionId")) or string(metadata.get("sessionID"))
    if named:
        return named
    for item in array(metadata.get("summary")):  # 0.5: only in the parts of the child's messages
        named = string(mapping(item).get("sessionID"))
        if named:
            return named
    return None


def file_attachment(
    info: JsonObject,
    *,
    record: str,
    message: str,
    role: Role | None,
    at: int | None = None,
    labels: Labels = (),
    raw: Json = None,
) -> Attachment:
    """A ``file`` part: its bytes where its URL holds them, else where they are."""
    mime = string(info.get("mime")) or string(info.get("mediaType"))
    url = string(info.get("url"))
    data = path = None
    if url is not None and mime is not None and url.startswith(f"data:{mime};base64,"):
        data, url = url.partition(",")[2], None
    elif url is not None and url.startswith("file://"):
        from urllib.parse import unquote, urlsplit

        try:
            path = unquote(urlsplit(url).path)
        except ValueError:
            path = None
    return Attachment(
        name=string(info.get("filename")),
        mime=mime,
        data=data,
        url=url,
        path=path,
        record=record,
        message=message,
        role=role,
        at=at,
        labels=labels,
        raw=raw,
    )


def provider_data(metadata: Json) -> tuple[str | None, bool]:
    """Signature of a reasoning part, and whether it is redacted; providers name them alike."""
    signature, redacted = None, False
    for provider in mapping(metadata).values():
        fields = mapping(provider)
        signature = signature or string(fields.get("signature"))
        redacted = redacted or "redactedData" in fields
    return signature, redacted


def usage(tokens: Json) -> Usage | None:
    """A ``tokens`` object; None where nothing was counted."""
    counted = mapping(tokens)
    if not counted:
        return None
    cache = mapping(counted.get("cache"))
    return _usage(
        input=integer(counted.get("input")),
        output=integer(counted.get("output")),
        reasoning=integer(counted.get("reasoning")),
        cache_read=integer(cache.get("read")),
        cache_write=integer(cache.get("write")),
        total=integer(counted.get("total")),
    )


def error_text(error: Json) -> str | None:
    """``Name: message`` of an error object."""
    if error is None:
        return None
    fields = mapping(error)
    name = string(fields.get("name")) or "Error"
    message = string(mapping(fields.get("data")).get("message")) or string(fields.get("message"))
    return f"{name}: {message}" if message else name
