"""New ids for a session's records, and all that refers to them.

The ids of messages and parts are unique in a whole database: a copy of a session needs its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.opencode.ids import Ids, are_ids
from adapters.opencode.own import Kept
from finder.jsonio import array, mapping, string
from finder.model import JsonObject


def are_fit(messages: Sequence[Kept]) -> bool:
    """Whether all ids have the program's form and none is there twice."""
    own = [kept.id for kept in messages]
    inner = [part.get("id") for kept in messages for part in kept.parts]
    fit = are_ids("msg", own) and are_ids("prt", inner)
    return fit and len({*own}) == len(own) and len({*inner}) == len(inner)


def renew(messages: Sequence[Kept], info: JsonObject, ids: Ids) -> None:
    """Give all messages and parts new ids, which rise in the order of the story."""
    names: dict[str, str] = {}
    for kept in messages:
        names[kept.id] = ids.message()
        for part in kept.parts:
            names[str(part.get("id"))] = part["id"] = ids.part()
            state = mapping(part.get("state"))
            files = array(state.get("attachments"))
            if files:
                renewed = [{**f, "id": ids.part()} if isinstance(f, dict) else f for f in files]
                part["state"] = {**state, "attachments": renewed}
    for kept in messages:
        kept.times = {names.get(old, old): times for old, times in kept.times.items()}
        kept.id = names[kept.id]
        if kept.info is not None:
            kept.info["id"] = kept.id
            _rename(kept.info, "parentID", names)
        for part in kept.parts:
            part["messageID"] = kept.id
            _rename(part, "tail_start_id", names)
    revert = info.get("revert")
    if isinstance(revert, dict):
        info["revert"] = revert = dict(revert)
        _rename(revert, "messageID", names)
        _rename(revert, "partID", names)


def _rename(fields: JsonObject, key: str, names: Mapping[str, str]) -> None:
    if isinstance(fields.get(key), str):
        fields[key] = names.get(fields[key], fields[key])


def adopt(messages: Sequence[Kept], session: str, children: Mapping[str, str]) -> None:
    """Make the records those of a session, and their links to subagents those to its own.

    Args:
        children: the ids that subagents' sessions have in the target, by their ids in the source.
    """
    for kept in messages:
        if kept.info is not None:
            kept.info["sessionID"] = session
        for part in kept.parts:
            part["sessionID"] = session
            state = part.get("state")
            if isinstance(state, dict):
                part["state"] = _linked(state, kept.id, session, children)


def _linked(
    state: JsonObject, message: str, session: str, children: Mapping[str, str]
) -> JsonObject:
    renewed: JsonObject = {}
    files, metadata = state.get("attachments"), state.get("metadata")
    if isinstance(files, list):
        owner = {"sessionID": session, "messageID": message}
        renewed["attachments"] = [
            {key: owner.get(key, value) for key, value in file.items()}
            if isinstance(file, dict)
            else file
            for file in files
        ]
    if isinstance(metadata, dict) and not _LINKS.isdisjoint(metadata):
        renewed["metadata"] = _metadata(metadata, session, children)
    return {**state, **renewed} if renewed else state


_LINKS = frozenset({"sessionId", "sessionID", "parentSessionId", "summary"})


def _metadata(metadata: JsonObject, session: str, children: Mapping[str, str]) -> dict[str, Any]:
    found = dict(metadata)
    for key in ("sessionId", "sessionID"):
        _rename(found, key, children)
    if string(found.get("parentSessionId")):
        found["parentSessionId"] = session
    summary = found.get("summary")
    if isinstance(summary, list):  # 0.5: the parts of the child's messages
        found["summary"] = [dict(item) if isinstance(item, dict) else item for item in summary]
        for item in found["summary"]:
            if isinstance(item, dict):
                _rename(item, "sessionID", children)
    return found
