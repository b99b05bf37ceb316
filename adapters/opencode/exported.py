"""The sessions in an export or a share of OpenCode; the shapes are told in `export`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

from adapters.opencode.beside import changed_files, tool_output
from adapters.opencode.records import story
from adapters.opencode.sessions import header, model_name
from adapters.opencode.stored import ReadLater, StoredMessage, StoredPart, known_by_parts
from finder import files, jsonio
from finder.errors import NotFoundError, StoreError
from finder.jsonio import array, integer, json_type, mapping, string
from finder.model import Event, Json, JsonObject, Notice, Opaque, Problem, Ref, Session


class _Export(NamedTuple):
    """One session of a file.

    Attributes:
        infos: the records of its messages that say who spoke, in order.
        content: its messages, and what is in it besides messages and parts; made when asked for,
            since a header takes neither.
    """

    id: str
    info: JsonObject
    infos: list[JsonObject]
    content: Callable[[], tuple[list[StoredMessage], list[Event]]]


def headers(path: Path, tool: str) -> Iterator[Session | Problem]:
    """The sessions of a file."""
    exports, problem, _ = _exports(path)
    for export in exports:
        yield header(
            Ref(tool, str(path), export.id),
            export.info,
            raw=export.info or None,
            messages=len(export.infos),
            **_said(export.infos),
        )
    if problem is not None:
        yield problem


def events(ref: Ref) -> Iterator[Event]:
    """The events of one session of a file."""
    path = Path(ref.store)
    exports, problem, rest = _exports(path)
    export = next((e for e in exports if e.id == ref.id), None)
    if export is None:
        raise NotFoundError(f"{ref.store} has no session {ref.id}")
    messages, others = export.content()
    yield from story(
        ref,
        messages,
        revert=export.info.get("revert"),
        # Sessions made before 1.1 have no slug. The summaries of those before 1.0.185 cut
        # the context by themselves.
        old_summaries_count=not export.info.get("slug"),
        # Full texts of tool results are not in the file; their path still says that they were.
        attached=tool_output(path.parent),
    )
    yield from others
    if problem is not None and export is exports[-1]:
        yield Opaque(kind="export", problem=problem.message, raw=rest)


def _exports(path: Path) -> tuple[list[_Export], Problem | None, str]:
    """The sessions in a file; what is wrong with it as a whole, if anything; what is not whole.

    Raises:
        StoreError: it cannot be read, or there is no session in it.
    """
    value, problem, rest = _value(path)
    exports = _from_share(value) if isinstance(value, list) else _from_export(value, path.stem)
    if not exports:
        message = f"holds a JSON {json_type(value)} without a session of OpenCode"
        wrong = problem or Problem(kind="foreign", path=str(path), message=message)
        raise StoreError(wrong, hint="export the session again, into a file" if problem else None)
    return exports, problem, rest


def _value(path: Path) -> tuple[Json, Problem | None, str]:
    """The file's value. Of a damaged file: all that is whole, what is wrong, and the rest."""
    try:
        return jsonio.read(path), None, ""
    except StoreError as error:
        if error.problem.kind != "corrupt":
            raise
        broken = error
    from adapters.opencode.cut import whole_part

    text = files.read(path).decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    value, rest = whole_part(text)
    message = (
        f"{broken.problem.message}; read up to where it breaks. OpenCode cuts an export that goes"
        " through a pipe: export it again, straight into a file"
    )
    return value, Problem(kind="corrupt", path=str(path), message=message), rest


# -- {"info", "messages"} ----------------------------------------------------------------


def _from_export(value: Json, name: str) -> list[_Export]:
    fields = mapping(value)
    info, items = mapping(fields.get("info")), array(fields.get("messages"))
    if not info and not items:
        return []
    given = (item.get("info") for item in items if isinstance(item, dict))
    infos = [one for one in given if isinstance(one, dict) and isinstance(one.get("role"), str)]
    named = (string(one.get("sessionID")) for one in infos)
    identifier = string(info.get("id")) or next((n for n in named if n), None) or name
    return [_Export(identifier, info, infos, lambda: _content(fields, items))]


def _content(fields: JsonObject, items: list[Json]) -> tuple[list[StoredMessage], list[Event]]:
    messages: list[StoredMessage] = []
    others = list(_unknown_keys(fields, _OF_A_SESSION, None))
    for number, item in enumerate(items):
        info = item.get("info") if isinstance(item, dict) else None
        if not isinstance(info, dict):
            problem = f"item {number} of messages is no message: it has no info"
            raw = "null" if item is None else item
            messages.append(StoredMessage(id=f"#{number}", info={}, raw=raw, problem=problem))
            continue
        parts = item.get("parts")
        message = _stored(info, _parts(array(parts)), f"#{number}")
        messages.append(message)
        if len(item) > len(_OF_A_MESSAGE) or not isinstance(parts, list):
            others += _unknown_keys(item, _OF_A_MESSAGE, message.id)
    return messages, others


_OF_A_SESSION: dict[str, type] = {"info": dict, "messages": list}
_OF_A_MESSAGE: dict[str, type] = {"info": dict, "parts": list}


def _unknown_keys(
    fields: JsonObject, known: dict[str, type], message: str | None
) -> Iterator[Event]:
    for key, value in fields.items():
        if not isinstance(value, known.get(key, ())):
            yield Opaque(kind=key, message=message, raw={key: value})


def _parts(parts: list[Json]) -> ReadLater:
    return ReadLater(lambda: map(_part, parts, count()))


def _stored(info: JsonObject, parts: Iterable[StoredPart], otherwise: str) -> StoredMessage:
    identifier = string(info.get("id")) or otherwise
    if not isinstance(info.get("role"), str):
        return known_by_parts(identifier, list(parts), "a message without a role", raw=info)
    at = integer(mapping(info.get("time")).get("created"))
    return StoredMessage(id=identifier, info=info, raw=info, parts=parts, at=at)


def _part(part: Json, number: int) -> StoredPart:
    if isinstance(part, dict):
        identifier = part.get("id")
        if identifier and isinstance(identifier, str) and isinstance(part.get("type"), str):
            return StoredPart(identifier, part, part)
    return _odd_part(part, number)


def _odd_part(part: Json, number: int) -> StoredPart:
    """A part without an id or a type."""
    info = mapping(part)
    identifier = string(info.get("id")) or f"#{number}"
    problem = None if isinstance(info.get("type"), str) else "a part without a type"
    return StoredPart(identifier, info, "null" if part is None else part, problem)


def _said(infos: list[JsonObject]) -> dict[str, str | None]:
    """Agent and model of the newest answer, for sessions that do not say them."""
    for info in reversed(infos):
        model = model_name(info)
        if model and info.get("summary") is not True:
            return {"agent": string(info.get("agent")), "model": model}
    return {}


# -- [{"type", "data"}] ------------------------------------------------------------------


def _from_share(items: list[Json]) -> list[_Export]:
    """One session for each item of that type; what names no session goes to the first."""
    sessions: dict[str, JsonObject] = {}
    infos: dict[str, list[JsonObject]] = {}
    parts: dict[str, dict[str, list[StoredPart]]] = {}
    others: list[Event] = []
    for number, item in enumerate(items):
        fields = mapping(item)
        data = mapping(fields.get("data"))
        named = string(data.get("sessionID"))
        kind = fields.get("type")
        if kind == "session" and isinstance(identifier := data.get("id"), str):
            sessions.setdefault(identifier, data)
        elif kind == "message" and named and "id" in data:
            infos.setdefault(named, []).append(data)
        elif kind == "part" and named and isinstance(message := data.get("messageID"), str):
            parts.setdefault(named, {}).setdefault(message, []).append(_part(data, number))
        else:
            others.append(_other(item, number))
    for session in {**infos, **parts}:
        sessions.setdefault(session, {})
    found: list[_Export] = []
    for session, info in sessions.items():
        messages = _joined(infos.get(session, []), parts.get(session, {}))
        found.append(_shared(session, info, messages, [] if found else others))
    return found


def _shared(
    session: str, info: JsonObject, messages: list[StoredMessage], others: list[Event]
) -> _Export:
    told = [message.info for message in messages if message.problem is None]
    return _Export(session, info, told, lambda: (messages, others))


def _joined(infos: list[JsonObject], parts: dict[str, list[StoredPart]]) -> list[StoredMessage]:
    """Messages in order, each with its parts; then the parts of messages that are not there."""
    messages = []
    for number, info in enumerate(infos):
        own = parts.pop(string(info.get("id")) or "", [])
        messages.append(_stored(info, sorted(own, key=lambda part: part.id), f"#{number}"))
    messages.sort(key=lambda message: (message.at or 0, message.id))
    gone = "the message is not in the file; these parts are all that it has of it"
    return messages + [known_by_parts(name, own, gone) for name, own in sorted(parts.items())]


def _other(item: Json, number: int) -> Event:
    fields = mapping(item)
    kind = string(fields.get("type"))
    if kind == "session_diff":
        return Notice(
            kind="diff", text=changed_files(fields.get("data")), record=f"#{number}", raw=item
        )
    known = kind is not None and "data" in fields
    return Opaque(
        kind=kind or "item",
        problem=None if known else f"item {number} is none of a shared session",
        record=f"#{number}",
        raw="null" if item is None else item,
    )
