"""OpenCode's oldest message records (0.1): one file with the parts inline.

    {id, role, parts[], metadata{time{created, completed?}, sessionID, error?{name, data},
     tool{<callId>: {title, time{start, end}, error?, message?, …}},
     assistant?{system[], path{cwd, root}, cost, tokens, modelID, providerID, summary?}}}
    parts  text, step-start, reasoning, file{mediaType, filename, url},
           tool-invocation{toolInvocation{state, toolCallId, toolName, args, result?}}

`state` is partial-call, call or result; a tool that failed is a result whose text is the error,
and ``metadata.tool[callId].error`` is true if it had begun. They are brought into the shape of
the later records here, and then told as those are. Seen in stores of 0.1.174.
"""

from __future__ import annotations

from adapters.opencode.stored import StoredPart
from finder.jsonio import array, mapping, string
from finder.model import Json, JsonObject

# Of a call that the program gave up before the tool began: such a call has no tool metadata.
_NEVER_RUN = ("request was aborted", "Error")


def has_inline_parts(record: JsonObject) -> bool:
    """Whether the parts stand in the message itself."""
    return isinstance(record.get("parts"), list)


def info(record: JsonObject) -> JsonObject:
    """The message in the shape of the later records, without its parts."""
    metadata = mapping(record.get("metadata"))
    if not metadata:
        return {key: value for key, value in record.items() if key != "parts"}
    assistant = mapping(metadata.get("assistant"))
    return {
        **{key: value for key, value in assistant.items() if key != "system"},
        "id": record.get("id"),
        "role": record.get("role"),
        "sessionID": metadata.get("sessionID"),
        "time": metadata.get("time"),
        "error": metadata.get("error"),
    }


def parts(message: str, record: JsonObject) -> list[StoredPart]:
    """The inline parts in the shape of the later records; their raw is the message's.

    They have no ids; ``<message>#<index>`` is said instead.
    """
    tools = mapping(mapping(record.get("metadata")).get("tool"))
    found = []
    for index, item in enumerate(array(record.get("parts"))):
        part = mapping(item)
        found.append(
            StoredPart(
                id=string(part.get("id")) or f"{message}#{index}",
                info=_part(part, tools),
                raw=None,
                problem=None if isinstance(part.get("type"), str) else "a part without a type",
            )
        )
    return found


def _part(part: JsonObject, tools: JsonObject) -> JsonObject:
    kind = part.get("type")
    if kind == "tool-invocation":
        return _tool(mapping(part.get("toolInvocation")), tools)
    if kind == "reasoning" and "metadata" not in part:
        return {**part, "metadata": part.get("providerMetadata")}
    return part


def _tool(invocation: JsonObject, tools: JsonObject) -> JsonObject:
    call = string(invocation.get("toolCallId")) or ""
    known = mapping(tools.get(call))
    state: JsonObject = {
        "input": invocation.get("args"),
        "title": known.get("title"),
        "time": known.get("time"),
        "metadata": {key: known[key] for key in known if key not in {"title", "time"}},
    }
    result = invocation.get("result")
    if invocation.get("state") == "result":
        failed = known.get("error") is True or (not known and _is_refusal(result))
        state["status"] = "error" if failed else "completed"
        state["error" if failed else "output"] = result
    else:
        state["status"] = "pending" if invocation.get("state") == "partial-call" else "running"
    return {"type": "tool", "tool": invocation.get("toolName"), "callID": call, "state": state}


def _is_refusal(result: Json) -> bool:
    return isinstance(result, str) and result.startswith(_NEVER_RUN)
