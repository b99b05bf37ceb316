"""Which sessions a store holds, and which of its files tells each.

The same id may stand in two files: the name is computed from the content on each save, so that
a session of 0.5, or one that was renamed by hand, gets a second file when it is continued. The
one with the newer ``updated_at`` is the session, the rest are named in `Session.also_in`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from operator import itemgetter
from pathlib import Path

from adapters.clacky import archive, header, layout, story
from adapters.clacky.archive import Archive
from adapters.clacky.stored import File, Listing
from finder import jsonio
from finder.adapter import Store, Want
from finder.catalogue import Seen
from finder.dataclass import dataclass
from finder.errors import NotFoundError, StoreError
from finder.jsonio import mapping, string
from finder.model import Event, JsonObject, Problem, Ref, Session

Wanted = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class _Archives:
    """A store's archives, each read at most once, and only as far as it is asked."""

    files: list[File]
    known: dict[Path, Archive]

    def beside(self, file: File) -> list[Archive]:
        """Those in the same folder."""
        return [self.of(one) for one in self.files if one.path.parent == file.path.parent]

    def of(self, file: File) -> Archive:
        if file.path not in self.known:
            self.known[file.path] = Archive(file)
        return self.known[file.path]


class _Headers:
    """The headers that the session files of a store tell.

    One is known from before where neither its file nor an archive beside that has changed.
    `owners` collects the ids and file bases of all sessions that are there.
    """

    def __init__(self, store: Store, listing: Listing, wanted: Wanted | None, want: Want) -> None:
        self.archives = _Archives(listing.archives, {})
        self.owners: set[str] = set()
        self._store = store
        self._wanted = wanted
        self._raw = want.raw
        self._catalogue = want.catalogue
        self._beside: dict[Path, Seen] = {}
        if self._catalogue is not None:
            self._catalogue.expect(len(listing.sessions))
            for one in listing.archives:  # before any of them is read
                self._beside.setdefault(one.path.parent, Seen())(one.path)

    def of(self, file: File) -> Iterator[Session | Problem]:
        """The header that a file tells, and what is wrong with it."""
        if self._catalogue is None:
            yield from self._read(file)
            return
        seen = Seen(self._beside.get(file.path.parent))
        seen(file.path)
        known = self._catalogue.session(str(file.path), seen.states, self._store.tool)
        if known is not None:
            self.owners |= {known.ref.id, file.base}
            if self._wanted is None or self._wanted(known.ref.id):
                yield known
            return
        found = list(self._read(file))
        yield from found
        if len(found) == 1 and isinstance(found[0], Session):
            self._catalogue.keep_session(str(file.path), seen, found[0])

    def _read(self, file: File) -> Iterator[Session | Problem]:
        for _, found in _records([file], self._wanted, self.owners):
            if isinstance(found, Problem):
                yield found
                continue
            session = _session(self._store, file, found, self.archives)
            yield session._replace(raw=header.redacted(found)) if self._raw else session


def sessions(
    store: Store, wanted: Wanted | None, want: Want | None = None
) -> Iterator[Session | Problem]:
    """The wanted sessions of a store, or all; each file is read once."""
    listing = layout.listing(store.path)
    yield from listing.problems
    headers = _Headers(store, listing, wanted, want or Want())
    copies: dict[str, list[tuple[_Precedence, Session]]] = {}
    for file in listing.sessions:
        for found in headers.of(file):
            if isinstance(found, Problem):
                yield found
            else:
                copy = _precedence(found.updated, file), found
                copies.setdefault(found.ref.id, []).append(copy)
    for alike in copies.values():
        yield _first(alike)
    if listing.strays:
        for id_, stray in _stray_archives(headers.archives, headers.owners).items():
            if wanted is None or wanted(id_):
                yield _stray(store, id_, stray)


def _records(
    listed: Iterable[File], wanted: Wanted | None, owners: set[str]
) -> Iterator[tuple[File, JsonObject | Problem]]:
    """The wanted records, and what is wrong with those that may have been.

    `owners` collects the ids and file bases of all sessions that are there. A file that begins
    with the id of another session is read no further.
    """
    for file in listed:
        id_ = file.session_id() if wanted is not None else None
        if wanted is not None and id_ is not None and not wanted(id_):
            owners |= {id_, file.base}
            continue
        try:
            record, damage = read(file)
        except StoreError as error:
            yield file, error.problem
            continue
        id_ = str(record["session_id"])
        owners |= {id_, file.base}
        if wanted is None or wanted(id_):
            yield from ((file, problem) for problem in damage)
            yield file, record


_Precedence = tuple[int, bool]


def _precedence(updated: int | None, file: File) -> _Precedence:
    """Of files with one id, the one for which this is greatest is the session.

    That is the newest, and of equally new ones the one that is not in the trash.
    """
    return updated or 0, not file.trashed


def _first(alike: list[tuple[_Precedence, Session]]) -> Session:
    """Of sessions with one id the one that is told; it names the others."""
    _, best = max(alike, key=itemgetter(0))
    others = tuple(path for _, one in alike if one is not best for path in one.also_in)
    return best._replace(also_in=others)


def read(file: File) -> tuple[JsonObject, list[Problem]]:
    """A session's record, and what is damaged in it all the same.

    Raises:
        StoreError: the file cannot be read, or is not a session.
    """
    known = jsonio.kept(file.path)
    data = b"" if known is not None and known.strict else file.read()
    path = str(file.path)
    record, strict = known or _parsed(file.path, data)
    if not isinstance(record, dict):
        message = f"holds a JSON {jsonio.json_type(record)} where a session is expected"
        raise StoreError(Problem(kind="foreign", path=path, message=message))
    if not string(record.get("session_id")) or not isinstance(record.get("messages"), list):
        message = "is JSON but no session: it lacks a session_id or the list of messages"
        raise StoreError(Problem(kind="foreign", path=path, message=message))
    return record, list(_oddities(path, record, None if strict else data))


def _parsed(path: Path, data: bytes) -> jsonio.Parsed:
    if jsonio.is_blank(data):
        raise StoreError(Problem(kind="empty", path=str(path), message="the file is empty"))
    try:
        return jsonio.parsed(data)
    except ValueError as error:
        message = f"not valid JSON ({error}); it may be damaged or still being written"
        raise StoreError(Problem(kind="corrupt", path=str(path), message=message)) from None


def _oddities(path: str, record: JsonObject, data: bytes | None) -> Iterator[Problem]:
    """What is damaged in a session; `data` may not be UTF-8."""
    for key in ("created_at", "updated_at"):
        value = record.get(key)
        if value is not None and header.milliseconds(value) is None:
            message = f"its {key} is {str(value)[:60]!r}, which is no time with an offset from UTC"
            yield Problem(kind="corrupt", path=path, message=message, record=key)
    if data is not None and (place := jsonio.not_utf8(data)) is not None:
        # The tool cannot write this: Ruby's JSON refuses such strings.
        message = f"byte {place:,} and maybe more are not UTF-8: some text is damaged"
        yield Problem(kind="corrupt", path=path, message=message)


def _session(store: Store, file: File, record: JsonObject, archives: _Archives) -> Session:
    """The header without its raw. `also_in` has the file's own path for now: see `_first`."""
    told = story.archives_of(record, file, archives.beside(file))
    messages = record["messages"]
    stamps = [file.stamp(), *(one.file.stamp() for one in told)]
    return Session(
        ref=Ref(store.tool, str(store.path), str(record["session_id"])),
        title=header.title(record, messages),
        directory=string(record.get("working_dir")),
        created=header.milliseconds(record.get("created_at")),
        updated=header.milliseconds(record.get("updated_at")),
        agent=string(record.get("agent_profile")) or None,
        model=header.model(record, messages) or archive.told_model(told),
        messages=story.count(record, told),
        labels=header.labels(
            record,
            trashed=file.trashed,
            forked=header.is_fork(record) or story.borrows(record, told),
            reverted=story.is_reverted(record),
        ),
        also_in=(str(file.path),),
        stamp=" ".join(stamps),
    )


def _stray_archives(archives: _Archives, owners: set[str]) -> dict[str, list[Archive]]:
    """Archives without a session: a subagent's, or one whose session is gone or unreadable."""
    found: dict[str, list[Archive]] = {}
    for file in archives.files:
        if file.base not in owners:
            one = archives.of(file)
            if one.session_id not in owners:
                found.setdefault(one.session_id, []).append(one)
    return {id_: story.in_order(alike) for id_, alike in found.items()}


def _stray(store: Store, id_: str, alike: list[Archive]) -> Session:
    trashed = any(one.file.trashed for one in alike)
    return Session(
        ref=Ref(store.tool, str(store.path), id_),
        title=next((one.topics for one in reversed(alike) if one.topics), None),
        updated=max((one.archived for one in alike if one.archived), default=None),
        messages=archive.count(alike),
        labels=("compacted", "truncated", "trashed") if trashed else ("compacted", "truncated"),
        stamp=" ".join(one.file.stamp() for one in alike),
    )


def events(ref: Ref) -> Iterator[Event]:
    """One session's story.

    Raises:
        NotFoundError: the store has no such session.
        StoreError: its file, or the store, cannot be read.
    """
    listing, ids = _looked_through(Path(ref.store))
    archives = _Archives(listing.archives, {})
    owners: set[str] = set()
    copies: list[tuple[_Precedence, File, JsonObject]] = []
    problems: list[Problem] = []
    own = [f for f, id_ in zip(listing.sessions, ids, strict=True) if id_ in {None, ref.id}]
    for file, found in _records(own, lambda id_: id_ == ref.id, owners):
        if not isinstance(found, Problem):
            updated = header.milliseconds(found.get("updated_at"))
            copies.append((_precedence(updated, file), file, found))
        elif ref.id[:8] in file.name:
            problems.append(found)
    if copies:
        _, file, record = max(copies, key=itemgetter(0))
        yield from story.events(record, story.archives_of(record, file, archives.beside(file)))
        return
    owners.update(id_ for id_ in ids if id_ is not None)
    owners.update(file.base for file in listing.sessions if file not in own)
    strays = _stray_archives(archives, owners).get(ref.id) if listing.strays else None
    if strays is None:
        if problems:
            raise StoreError(problems[0])
        raise NotFoundError(f"{ref.store} has no session {ref.id}")
    for one in strays:
        yield from archive.events(one)


_Ids = list[str | None]  # of the session files, where it stands at the beginning


def _looked_through(store: Path) -> tuple[Listing, _Ids]:
    """The files of a store, and whose they are.

    To look at the beginning of every file for each session of a store takes very long, so this is
    kept while no file comes or goes; but not within two seconds of that, as a second change might
    bear the same time.
    """
    stamp = layout.stamp(store)
    if time.time_ns() - max(stamp) < 2_000_000_000 or not store.is_dir():
        return _looked_at(store)
    return _kept(store, stamp)


@lru_cache(maxsize=4)
def _kept(store: Path, _: tuple[int, ...]) -> tuple[Listing, _Ids]:
    return _looked_at(store)


def _looked_at(store: Path) -> tuple[Listing, _Ids]:
    listing = layout.listing(store)
    return listing, [file.session_id() for file in listing.sessions]


def generation(store: Store) -> str | None:
    """The oldest and newest form among a few of the store's sessions, by what only they have."""
    try:
        files = layout.listing(store.path).sessions
    except StoreError:
        return None
    forms = []
    for file in (files[0], files[-1]) if files else ():
        try:
            forms.append(_form(file, read(file)[0]))
        except StoreError:
            continue
    return " to ".join(dict.fromkeys(forms)) or None


def _form(file: File, record: JsonObject) -> str:
    config = mapping(record.get("config"))
    signs = (
        ("1.x", "model_name" in config),
        ("0.9.8 and later", "source" in record),
        ("0.8.9 and later", "name" in record),
        ("0.7.1 and later", "time_machine" in record or "models" in config),
        ("0.5", file.base[10:11] == "_"),
    )
    return next((form for form, there in signs if there), "0.6 and later")
