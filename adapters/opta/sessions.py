"""Sessions put together from the copies and logs that a store has of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from adapters.opta import copies, log, records
from adapters.opta import story as stories
from adapters.opta.copies import Document, Files
from adapters.opta.loading import is_loadable
from finder import files, jsonio
from finder.adapter import Resume, Want
from finder.catalogue import Catalogue, Seen
from finder.dataclass import dataclass, field
from finder.errors import NotFoundError, StoreError
from finder.jsonio import mapping, string
from finder.model import Event, JsonObject, Label, Message, Opaque, Problem, Ref, Session

_TOOL = "opta"
_DIRECTORY = r"(?m)^Working directory: (.+)$"
_IN_HOME = r"(?:/home/|/Users/|[A-Za-z]:[\\/]Users[\\/])[^\\/]+[\\/](.+)"


@dataclass(slots=True)
class _Found:
    """One session: its readable copies, the richest first, and what could not be read."""

    files: Files
    documents: list[Document] = field(default_factory=list)
    metadata: JsonObject = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def id(self) -> str | None:
        return self.files.id or next((document.id for document in self.documents), None)


def headers(store: Path, want: Want | None) -> Iterator[Session | Problem]:
    """The sessions of a store, and what hindered reading them."""
    for item in copies.scan(store):
        if isinstance(item, Problem):
            yield item
        elif item.id is None or want is None or want.admits(item.id):
            yield from _known(item, store, want and want.catalogue)


def _known(item: Files, store: Path, catalogue: Catalogue | None) -> Iterator[Session | Problem]:
    """A session as it was told before where none of its files has changed."""
    if item.id is None or catalogue is None:
        yield from _told(item, store, Seen())
        return
    known = catalogue.session(item.id, item.all(), _TOOL)
    if known is not None:
        yield known
        return
    seen = Seen()
    found = list(_told(item, store, seen))
    yield from found
    if len(found) == 1 and isinstance(found[0], Session):
        catalogue.keep_session(item.id, seen, found[0]._replace(raw=None))


def _told(item: Files, store: Path, seen: Seen) -> Iterator[Session | Problem]:
    found = _load(item, store, seen)
    yield from found.problems
    session = _header(found, store)
    if isinstance(session, Session):
        yield from _log_problems(found)
    if session is not None:
        yield session


def story(store: Path, id_: str) -> Iterator[Event]:
    """One session's events. What of it could not be read comes first.

    Raises:
        NotFoundError: there is no such session.
        StoreError: nothing of it can be read.
    """
    for item in copies.scan(store, id_):
        if isinstance(item, Problem) or item.id not in (None, id_):
            continue
        found = _load(item, store, Seen())
        entries, unread = log.read(item.logs)
        if item.id is None and _id_of(found, entries) != id_:
            break
        if not found.documents and not any(entry.event for entry in entries):
            raise StoreError([*found.problems, *unread, _nothing(store)][0])
        for problem in (*found.problems, *unread):
            text = f"{problem.path}: {problem.message}"
            yield Opaque(kind="file", problem=text, record=problem.path, raw="")
        yield from stories.events(found.documents, entries)
        return
    raise NotFoundError(f"{store} has no session {id_!r}")


def resume(session: Session) -> Resume | None:
    """The command for a session whose chat file Opta would load and which is the copy told."""
    path = Path(session.ref.store) / "sessions" / f"{session.ref.id}.json"
    try:
        document = copies.read(path)
    except StoreError:
        return None
    if len(document.items) != session.messages or not is_loadable(document):
        return None
    id_ = session.ref.id
    # With a leading minus it would be taken for an option.
    named = (f"--resume={id_}",) if id_.startswith("-") else ("--resume", id_)
    return Resume(argv=("opta", "chat", *named), cwd=session.directory)


def _nothing(path: Path) -> Problem:
    message = "holds no session that can be read"
    return Problem(kind="unknown-schema", path=str(path), message=message)


def _load(item: Files, store: Path, seen: Seen) -> _Found:
    found = _Found(item)
    for path in item.all():
        seen(path)
    for path in item.documents:
        _read(path, found)
    if item.id is not None:
        for path in _recovery_files(found, store, seen):
            item.documents.append(path)
            _read(path, found)
    if len(found.documents) > 1:
        found.documents.sort(key=Document.richness, reverse=True)
    if item.metadata is not None:
        try:
            found.metadata = jsonio.read_object(item.metadata)
        except StoreError as error:
            found.problems.append(error.problem)
    return found


def _read(path: Path, found: _Found) -> None:
    try:
        found.documents.append(copies.read(path))
    except StoreError as error:
        found.problems.append(error.problem)


def _recovery_files(found: _Found, store: Path, seen: Seen) -> list[Path]:
    """What a crashed turn left in the session's working directory, if that is on this machine."""
    folders = {document.directory for document in found.documents}
    name = Path(".opta", "recovery", f"{found.files.id}.json")
    paths = [folder / name for text in folders if text for folder in _here(text, store)]
    for path in paths:
        seen(path)
    # `store` may be such a folder itself.
    return [path for path in sorted(set(paths)) if path.parent != store and os.path.lexists(path)]


def _here(directory: str, store: Path) -> list[Path]:
    """Where a working directory may be: in its own place, or in the home that the store is in.

    The second is for a home that was copied or mounted elsewhere.
    """
    found = []
    if Path(directory).is_absolute() and not directory.startswith(("//", "\\\\")):
        found.append(Path(directory))  # but never over a network
    in_home = re.fullmatch(_IN_HOME, directory)
    if in_home and ".." not in directory and store.parent.name in {".config", "Roaming"}:
        levels = 1 if store.parent.name == ".config" else 2
        found.append(store.parents[levels].joinpath(*re.split(r"[\\/]", in_home[1])))
    return found


def _id_of(found: _Found, entries: list[log.Entry]) -> str | None:
    """The id of a session in a file of its own."""
    envelopes = (mapping(entry.raw) for entry in entries)
    named = (string(envelope.get("sessionId")) for envelope in envelopes)
    return found.id or next((id_ for id_ in named if id_), None)


def _header(found: _Found, store: Path) -> Session | Problem | None:
    if not found.documents:
        return _header_of_log(found, store) if found.files.logs else None
    told = found.documents[0]
    metadata = found.metadata
    directory = told.directory or _elsewhere(found.documents)
    labels: list[Label] = []
    if told.kind == "recovery":
        labels.append("interrupted")
    if told.kind == "share":
        labels.append("truncated")  # an export of the texts alone
    if directory and not any(document.directory for document in found.documents):
        labels.append("inferred")
    raw = {"session.json": told.header, "metadata.json": metadata} if metadata else told.header
    return Session(
        ref=Ref(_TOOL, str(store), found.id or told.id),
        title=_first(document.title for document in found.documents)
        or string(metadata.get("title")),
        directory=directory,
        created=min((d.created for d in found.documents if d.created is not None), default=None),
        updated=max((d.updated for d in found.documents if d.updated is not None), default=None),
        model=_first(document.model for document in found.documents),
        messages=_count(told),
        labels=tuple(labels),
        also_in=tuple(str(path) for path in found.files.all() if path != told.path),
        stamp=_stamp(found.files),
        raw=raw,
    )


def _header_of_log(found: _Found, store: Path) -> Session | Problem | None:
    entries, unread = log.read(found.files.logs)
    id_ = _id_of(found, entries)
    known = [entry for entry in entries if entry.event]
    if unread or not known or id_ is None:
        return [*unread, _nothing(found.files.logs[0])][0]
    made = next(
        (mapping(e.payload.get("snapshot")) for e in known if e.payload.get("snapshot")), {}
    )
    before = log.turns(entries)[0]
    directory = _working_directory(log.initial_messages(before))
    times = [entry.at for entry in known if entry.at is not None]
    return Session(
        ref=Ref(_TOOL, str(store), id_),
        title=string(made.get("title")) or None,
        directory=directory,
        created=min(times, default=None),
        updated=max(times, default=None),
        model=string(made.get("model")) or None,
        messages=sum(isinstance(event, Message) for event in stories.events((), entries)),
        # A log holds no word of the user.
        labels=("truncated", "inferred") if directory else ("truncated",),
        also_in=tuple(str(path) for path in found.files.all()[1:]),
        stamp=_stamp(found.files),
    )


def _log_problems(found: _Found) -> Iterator[Problem]:
    """The logs that cannot be opened. What is wrong within is told by the story."""
    if not found.documents:
        return
    for path in found.files.logs:
        try:
            if not files.head(path, 1):
                yield Problem(kind="empty", path=str(path), message="the log is empty")
        except StoreError as error:
            yield error.problem


def _count(told: Document) -> int:
    if told.kind == "documented":
        return sum(isinstance(event, Message) for event in stories.events([told], []))
    return sum(map(records.is_message, told.items))


def _elsewhere(documents: list[Document]) -> str | None:
    return _first(document.directory for document in documents) or _first(
        _working_directory(document.items) for document in documents
    )


def _working_directory(items: list[object]) -> str | None:
    """What the system prompt says, which is the first message."""
    first = items[0] if items else None
    if not isinstance(first, dict) or first.get("role") != "system":
        return None
    match = re.search(_DIRECTORY, records.text_of(first))
    return match[1] if match else None


def _first(values: Iterator[str | None]) -> str | None:
    return next((value for value in values if value), None)


def _stamp(item: Files) -> str:
    found = []
    for path in item.all():
        try:
            status = path.stat()
            found.append(f"{status.st_size}:{status.st_mtime_ns}")
        except OSError:
            found.append("-")
    return ";".join(found)
