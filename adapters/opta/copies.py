"""Which files hold which session, and what each session file says.

A session's files are its *documents*, which hold the conversation, and its *logs* (events.jsonl),
which hold what happened around it. The documents of one id are copies of one conversation, of which
one is told: the richest. Ids are the names of files or folders, as Opta itself looks them up; only
a file that is a store by itself is asked for the id inside.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from adapters.opta.times import milliseconds
from finder import files, jsonio
from finder.dataclass import dataclass, field
from finder.errors import StoreError
from finder.jsonio import array, string
from finder.model import Json, JsonObject, Problem

ROLES = frozenset({"system", "user", "assistant", "tool"})
MASK = "[Tool result truncated: "  # stands for an older tool result (core/context.ts)

# Where the same is said in several forms, the one that holds most beside the messages comes first.
_PREFERENCE = ("chat", "snapshot", "documented", "recovery", "share")
_DOCUMENT_NAMES = ("snapshot.json", "session.json")
_LOG_NAME = "events.jsonl"
_METADATA_NAME = "metadata.json"


@dataclass(slots=True)
class Files:
    """The files of one session. `id` is None where only the document itself knows it."""

    id: str | None
    documents: list[Path] = field(default_factory=list)
    logs: list[Path] = field(default_factory=list)
    metadata: Path | None = None

    def all(self) -> list[Path]:
        """Every file of the session."""
        return [*self.documents, *self.logs, *([self.metadata] if self.metadata else [])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file with a conversation.

    Attributes:
        kind: one of chat, snapshot, documented, recovery, share.
        id: the session's, as the document has it.
        items: its messages or, if documented, its events, as stored.
        header: all else, as stored.
        created, updated: milliseconds UTC.
    """

    path: Path
    kind: str
    id: str
    items: list[Json]
    header: JsonObject
    created: int | None
    updated: int | None

    @property
    def title(self) -> str | None:
        """What the session is called; None for the empty title of one without a turn."""
        return string(self.header.get("title")) or None

    @property
    def model(self) -> str | None:
        """The model that the session was begun with."""
        return string(self.header.get("model")) or None

    @property
    def directory(self) -> str | None:
        """The working directory, where the document has it."""
        return string(self.header.get("cwd")) or None

    def richness(self) -> tuple[int, int, int]:
        """Grows with what it holds: messages beside the system's, then unmasked ones."""
        said = [item for item in self.items if isinstance(item, dict) and not _by_system(item)]
        masked = sum(_is_masked(item.get("content")) for item in said)
        return len(said), -masked, -_PREFERENCE.index(self.kind)


def _is_masked(content: Json) -> bool:
    return isinstance(content, str) and content.startswith(MASK)


def _by_system(item: JsonObject) -> bool:
    return item.get("role") == "system"


def scan(store: Path, id_: str | None = None) -> Iterator[Files | Problem]:
    """The files of each session in a store, without opening any; and what cannot be listed.

    With an id those of that one, without listing the others.

    Raises:
        StoreError: the store is not there or cannot be listed.
    """
    try:
        if not stat.S_ISDIR(store.stat().st_mode):
            log = store.suffix == ".jsonl"
            yield Files(None, [] if log else [store], [store] if log else [])
            return
        own = _in_folder(store)
    except OSError as error:
        raise StoreError(files.problem_of(store, error)) from None
    if own.documents or own.logs:
        yield own
        return
    found: dict[str, Files] = {}
    for folder in _session_folders(store):
        try:
            entries = listing(folder) if id_ is None else _named(folder, id_)
        except OSError as error:
            yield files.problem_of(folder, error)
            continue
        for entry in entries:
            try:
                _sort_in(entry, found)
            except OSError as error:
                yield files.problem_of(Path(entry), error)
    for session in found.values():
        if session.documents or session.logs:
            yield session
        elif session.metadata:
            missing = session.metadata.with_name("session.json")
            message = f"is missing beside {_METADATA_NAME}; the conversation is gone"
            yield Problem(kind="gone", path=str(missing), message=message, record=session.id)


def _session_folders(store: Path) -> list[Path]:
    inner = [store / "sessions", store / "daemon" / "sessions"]
    return [folder for folder in inner if os.path.lexists(folder)] or [store]


def listing(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, by name; not what is hidden (no id begins with a point)."""
    with os.scandir(folder) as entries:
        seen = [entry for entry in entries if not entry.name.startswith(".")]
    return sorted(seen, key=lambda entry: entry.name)


def _named(folder: Path, id_: str) -> list[Path]:
    """What of a folder's entries a session of this id may be in."""
    if id_.startswith(".") or set(id_) & set("/\\\0"):  # no name, but perhaps a path
        return []
    return [path for path in (folder / id_, folder / f"{id_}.json") if os.path.lexists(path)]


def _sort_in(entry: os.DirEntry[str] | Path, found: dict[str, Files]) -> None:
    path = Path(entry)
    if entry.name.endswith(".json"):  # also a folder of that name: reading it names the problem
        if entry.name != "index.json":
            found.setdefault(path.stem, Files(path.stem)).documents.append(path)
    elif entry.is_dir():
        inside = _in_folder(path)
        if inside.all():
            known = found.setdefault(entry.name, Files(entry.name))
            known.documents += inside.documents
            known.logs += inside.logs
            known.metadata = known.metadata or inside.metadata


def _in_folder(folder: Path) -> Files:
    names = {entry.name for entry in listing(folder)}
    return Files(
        id=folder.name,
        documents=[folder / name for name in _DOCUMENT_NAMES if name in names],
        logs=[folder / _LOG_NAME] if _LOG_NAME in names else [],
        metadata=folder / _METADATA_NAME if _METADATA_NAME in names else None,
    )


def layouts(store: Path) -> list[str]:
    """Which layouts the store has, in words."""
    found = set()
    try:
        for session in scan(store):
            if isinstance(session, Files):
                found |= {_layout(path) for path in session.all()}
    except StoreError:
        return []
    return sorted(found - {""})


def _layout(path: Path) -> str:
    named = {"snapshot.json": "daemon", "session.json": "documented form", _METADATA_NAME: ""}
    if path.name == _LOG_NAME:
        return "" if path.with_name("snapshot.json").exists() else "desktop logs"
    return named.get(path.name, "recovery" if path.parent.name == "recovery" else "chat")


def read(path: Path) -> Document:
    """The document in a file.

    Raises:
        StoreError: it cannot be read, or is none of Opta's.
    """
    body = jsonio.read_object(path)
    kind = _kind(body)
    if kind is None:
        message = "is JSON, but none of the forms in which Opta keeps a session"
        raise StoreError(Problem(kind="unknown-schema", path=str(path), message=message))
    key = "events" if kind == "documented" else "messages"
    header = {name: value for name, value in body.items() if name != key}
    created = header.get("created", header.get("createdAt"))
    updated = header.get("updated", header.get("updatedAt", header.get("savedAt")))
    return Document(
        path=path,
        kind=kind,
        id=string(header.get("sessionId")) or string(header.get("id")) or path.stem,
        items=array(body.get(key)),
        header=header,
        created=milliseconds(created),
        updated=milliseconds(updated),
    )


def _kind(body: JsonObject) -> str | None:
    if isinstance(body.get("messages"), list):
        if "savedAt" in body:
            return "recovery"
        if "sessionId" in body:
            return "snapshot"
        if "id" in body:
            return "chat" if "cwd" in body or "updated" in body else "share"
    if isinstance(body.get("events"), list) and "sessionId" in body:
        return "documented"
    return None
