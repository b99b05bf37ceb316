"""One session of an OpenCode file store: its records, and its story.

Messages are ordered by (time.created, id): by id alone, as the program does, those of before
and after 14 August 2026, when the ids wrapped, would change places. Parts are ordered by id.

Records say themselves which message they belong to, and folders do too. Where the two differ
and the named message is there, the record is believed.

The program deletes messages and sessions without all of their part files: up to 0.5 a deleted
session's parts all stay. What is left is told at the end of its session, labelled hidden.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from adapters.opencode import beside, v1
from adapters.opencode.layouts import Layout, json_names, names
from adapters.opencode.records import story
from adapters.opencode.stored import StoredMessage, StoredPart, known_by_parts
from finder import files, jsonio
from finder.catalogue import Seen
from finder.dataclass import dataclass, replace
from finder.errors import NotFoundError, StoreError
from finder.jsonio import integer, mapping, string
from finder.model import Event, Json, JsonObject, Opaque, Ref

_MISSING = "the message's file is missing; these parts are all that is left of it"


def events(layout: Layout, ref: Ref) -> Iterator[Event]:
    """The events of a session.

    Raises:
        NotFoundError: the store has no such session.
    """
    info, unreadable = session_record(layout, ref.id)
    messages = [*stored_messages(layout, ref.id), *left_parts(layout, ref.id)]
    if info is None and unreadable is None and not messages:
        raise NotFoundError(f"{ref.store} has no session {ref.id}")
    if unreadable is not None:
        yield unreadable
    yield from story(
        ref,
        messages,
        revert=(info or {}).get("revert"),
        attached=beside.tool_output(layout.data),
    )
    if layout.kind == "storage":
        for told in (
            beside.todo_file(layout.root / "todo" / f"{ref.id}.json"),
            beside.diff_file(layout.root / "session_diff" / f"{ref.id}.json"),
        ):
            if told is not None:
                yield told


def session_record(layout: Layout, session: str) -> tuple[JsonObject | None, Opaque | None]:
    """A session's own record, from the newest of its files; or what is unreadable of it."""
    best: JsonObject | None = None
    unreadable: Opaque | None = None
    for path in layout.files_of(session) if is_plain(session) else []:
        info, raw, problem = record(layout, path)
        if problem is None:
            if best is None or updated(info) > updated(best):
                best = info
        else:
            unreadable = Opaque(kind="session", problem=problem, record=session, raw=raw)
    return (best, None) if best is not None else (None, unreadable)


def updated(info: JsonObject) -> int:
    """When the session was last used; 0 if it does not say."""
    return integer(mapping(info.get("time")).get("updated")) or 0


def is_plain(name: str) -> bool:
    """Whether a name can be that of a record: it may come from anywhere and become a path."""
    return bool(name) and name not in {".", ".."} and not set(name) & set('/\\\0:*?"<>|')


def record(layout: Layout, path: Path) -> tuple[JsonObject, Json, str | None]:
    """A file's object, what to keep as `raw`, and what is wrong with it, if anything."""
    try:
        value = jsonio.read(path)
    except StoreError as error:
        return {}, beside.text_of(path), _said(layout, path, error.problem.message)
    if isinstance(value, dict):
        return value, value, None
    wrong = f"holds a JSON {jsonio.json_type(value)} where an object is expected"
    return {}, "null" if value is None else value, _said(layout, path, wrong)


def _said(layout: Layout, path: Path, message: str) -> str:
    return f"{path.relative_to(layout.root).as_posix()}: {message}"


# -- messages ---------------------------------------------------------------------------


def stored_messages(layout: Layout, session: str) -> list[StoredMessage]:
    """A session's messages with their parts, in order."""
    if not is_plain(session):
        return []
    folder = layout.messages / session
    try:
        stems = json_names(folder)
    except OSError as error:
        problem = _said(layout, folder, files.problem_of(folder, error).message)
        return [StoredMessage(id=session, info={}, raw="", problem=problem)]
    return _in_order(_rejoined([_message(layout, session, stem) for stem in stems]))


def _message(layout: Layout, session: str, stem: str) -> StoredMessage:
    path = layout.messages / session / f"{stem}.json"
    found, raw, problem = record(layout, path)
    identifier = string(found.get("id")) or stem
    parts: list[StoredPart] = []
    info = found
    if v1.has_inline_parts(found):
        info = v1.info(found)
        parts = v1.parts(identifier, found)
    # The folder has the file's name; only a hand could give the record another id.
    for name in dict.fromkeys((stem, identifier)):
        parts += _parts(layout, session, name)
    if problem is None and not isinstance(info.get("role"), str):
        problem = _said(layout, path, "is no message: it has no role")
    if problem is not None:
        return known_by_parts(identifier, parts, problem, raw=raw)
    return StoredMessage(
        id=identifier,
        info=info,
        raw=raw,
        parts=parts,
        at=integer(mapping(info.get("time")).get("created")),
    )


def _parts(layout: Layout, session: str, message: str) -> list[StoredPart]:
    if not is_plain(message):
        return []
    folder = layout.part_folder(session, message)
    try:
        stems = json_names(folder)
    except OSError as error:
        problem = _said(layout, folder, files.problem_of(folder, error).message)
        return [StoredPart(id=message, info={}, raw="", problem=problem)]
    return [_part(layout, folder / f"{stem}.json") for stem in stems]


def _part(layout: Layout, path: Path) -> StoredPart:
    info, raw, problem = record(layout, path)
    if problem is None and not isinstance(info.get("type"), str):
        problem = _said(layout, path, "is no part: it has no type")
    return StoredPart(id=string(info.get("id")) or path.stem, info=info, raw=raw, problem=problem)


def _rejoined(messages: list[StoredMessage]) -> list[StoredMessage]:
    """Parts moved to the message that they name, where that is one of these."""
    known = {message.id for message in messages}
    moved: dict[str, list[StoredPart]] = {}
    for message in messages:
        for part in message.parts:
            named = part.info.get("messageID")
            if named != message.id and isinstance(named, str) and named in known:
                moved.setdefault(named, []).append(part)
    if not moved:
        return messages
    away = {id(part) for parts in moved.values() for part in parts}
    found = []
    for message in messages:
        stay = [part for part in message.parts if id(part) not in away]
        came = moved.get(message.id, [])
        parts = sorted([*stay, *came], key=lambda part: part.id) if came else stay
        found.append(replace(message, parts=parts))
    return found


def _in_order(messages: list[StoredMessage]) -> list[StoredMessage]:
    """By (time, id). A message without a time stays after the one before it by name."""
    times = [message.at for message in messages]
    known = next((at for at in times if at is not None), 0)
    keyed = []
    for message, at in zip(messages, times, strict=True):
        known = known if at is None else at
        keyed.append((known, message.id, message))
    return [message for _, _, message in sorted(keyed, key=lambda item: item[:2])]


# -- parts whose message is gone --------------------------------------------------------


def left_parts(layout: Layout, session: str) -> list[StoredMessage]:
    """What is left of messages of a session whose own file is gone."""
    if not is_plain(session):
        return []
    if layout.parts_by_session:
        folders = _without_message(layout, session)
    else:
        index = _index(layout)
        folders = [name for name in index.left if owner(layout, name) == session]
        # One that had its message when the index was made may have lost it since.
        now = set(_readable(layout.messages / session))
        folders += [name for name in index.of_session.get(session, ()) if name not in now]
    found = []
    for name in folders:
        parts = _parts(layout, session, name)
        if parts:
            problem = _said(layout, layout.messages / session / f"{name}.json", _MISSING)
            found.append(known_by_parts(name, parts, problem, labels=("hidden",)))
    return found


def left_by_session(
    layout: Layout, names_left: Sequence[str] | None = None
) -> dict[str | None, list[Path]]:
    """The folders with parts of messages that are gone, by session; None: nothing names it.

    `names_left`: see `left`, where that is known.
    """
    found: dict[str | None, list[Path]] = {}
    if layout.parts_by_session:
        for session in names(layout.parts):
            for name in _without_message(layout, session):
                found.setdefault(session, []).append(layout.parts / session / name)
        return found
    for name in _index(layout).left if names_left is None else names_left:
        folder = layout.parts / name
        if _readable(folder):
            found.setdefault(owner(layout, name), []).append(folder)
    return found


def left(layout: Layout, seen: Seen, listed: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The folders of parts that do not say their session and are of no message that is there.

    `listed`: the messages of sessions whose folders are among what is `seen`.
    """
    seen(layout.messages)
    seen(layout.parts)
    found = set(names(layout.parts))
    for session in names(layout.messages):
        messages = listed.get(session)
        if messages is None:
            seen(layout.messages / session)
            messages = _readable(layout.messages / session)
        found.difference_update(messages)
    return sorted(found)


def _without_message(layout: Layout, session: str) -> list[str]:
    known = set(_readable(layout.messages / session))
    return [name for name in _readable(layout.parts / session, "") if name not in known]


def _readable(folder: Path, suffix: str = ".json") -> list[str]:
    """Like `json_names`; a folder that cannot be looked into is told by who reads it."""
    try:
        return [n.removesuffix(suffix) for n in names(folder) if n.endswith(suffix)]
    except OSError:
        return []


def owner(layout: Layout, message: str) -> str | None:
    """The session that a message's parts name."""
    folder = layout.parts / message
    for stem in _readable(folder):
        session = string(record(layout, folder / f"{stem}.json")[0].get("sessionID"))
        if session is not None and is_plain(session):
            return session
    return None


@dataclass(frozen=True, slots=True)
class _Index:
    """Whose message a part folder is of: of none (`left`), or of a session's."""

    left: tuple[str, ...]
    of_session: dict[str, list[str]]


def _index(layout: Layout) -> _Index:
    """The folders below ``part/``, which do not say their session, by those below ``message/``.

    This needs a listing of all messages, so it is kept while no folder comes or goes; but not
    within two seconds of a change, as a second change might bear the same time.
    """
    stamps = tuple(_changed(folder) for folder in (layout.messages, layout.parts))
    if time.time_ns() - max(stamps) < 2_000_000_000:
        return _listed_index(layout.messages, layout.parts)
    return _kept_index(layout.messages, layout.parts, stamps)


@lru_cache(maxsize=4)
def _kept_index(messages: Path, parts: Path, _: tuple[int, ...]) -> _Index:
    return _listed_index(messages, parts)


def _listed_index(messages: Path, parts: Path) -> _Index:
    of_session = {session: _readable(messages / session) for session in names(messages)}
    left = set(names(parts)).difference(*of_session.values())
    return _Index(tuple(sorted(left)), of_session)


def _changed(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0
