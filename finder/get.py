"""Getting one session: from an id, a prefix or a path to its story and its subagents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from finder.adapter import Want
from finder.dataclass import dataclass, replace
from finder.errors import AmbiguousError, NotFoundError, StoreError
from finder.event import spoken
from finder.library import Below, Entry, Key, Library, key_of, parent_of
from finder.model import Event, Ref, Session
from finder.registry import Registry

_MOST_CANDIDATES = 20
_MOST_SUGGESTIONS = 5


class Numbered(NamedTuple):
    """An event and its place in the whole stream, from 0."""

    seq: int
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which events of a story are wanted.

    Attributes:
        live: only what is in the live context: not what left it by compaction.
        first, last: only so many messages, with what belongs to them.
        synthetic: False leaves out what was said neither by a person nor by a model.
    """

    live: bool = False
    first: int | None = None
    last: int | None = None
    synthetic: bool = True


class Left:
    """What `first` or `last` left out, known once the rest has been read.

    Attributes:
        messages: how many; None: some, but only reading them would tell.
    """

    def __init__(self) -> None:
        self.messages: int | None = 0


def resolve(library: Library, target: str) -> Entry:
    """The session that an id, a unique prefix of one, or ``tool:`` and either stands for.

    Raises:
        NotFoundError: no session has such an id; the candidates are the nearest ones.
        AmbiguousError: several have; the candidates are these.
        StoreError: nothing could be read.
    """
    if not target.strip():
        raise NotFoundError("an empty id names no session")
    tool, _, session_id = target.rpartition(":")
    found = _named(library, session_id, tool or None)
    if len(found) == 1:
        return _entry(library, found[0])
    if found:
        hint = "give more of the id, or the tool before it, as in the list"
        raise AmbiguousError(
            f"{target!r} fits {_several(len(found))}", hint=hint, candidates=_listed(library, found)
        )
    if library.silent:
        raise StoreError(library.problems[0])
    raise NotFoundError(
        f"no session has an id that begins with {target!r}",
        hint=_hint(library),
        candidates=_nearest(library, target),
    )


def resolve_path(library: Library, path: Path) -> Entry:
    """The one session that is stored at a path, for a library of what is there.

    Raises:
        NotFoundError, AmbiguousError, StoreError: like `resolve`.
    """
    keys = library.keys()
    library.lookup(keys)
    entries = [entry for entry in map(library.entry, keys) if entry]
    tops = [key_of(e.session) for e in entries if parent_of(e.session) not in keys]
    if len(tops) == 1:
        return _entry(library, tops[0])
    if tops:
        import shlex

        root = f"--root {shlex.quote(str(path))}"
        raise AmbiguousError(
            f"{path} holds {_several(len(tops))}",
            hint=f"finder find {root} lists them; finder get {root} ID shows one",
            candidates=_listed(library, tops),
        )
    if library.problems:
        raise StoreError(library.problems[0])
    raise NotFoundError(f"{path} holds no session")


def _named(library: Library, session_id: str, tool: str | None) -> list[Key]:
    found = library.prefixed(session_id, tool)
    exact = [key for key in found if key[1] == session_id]
    if len(exact) > 1:
        exact = _originals(library, exact)
    return exact or [key for key in found if key[1].casefold() == session_id.casefold()] or found


def _originals(library: Library, keys: Sequence[Key]) -> list[Key]:
    """These without the copies that finder itself wrote of others of them."""
    library.lookup(keys)
    entries = [(key, library.entry(key)) for key in keys]
    return [key for key, e in entries if not (e and (e.session.origin, key[1]) in keys)]


def _entry(library: Library, key: Key) -> Entry:
    library.lookup([key])
    entry = library.entry(key)
    if entry is None:  # it was there a moment ago
        raise NotFoundError(f"{key[0]}:{key[1]} has vanished while it was looked up")
    return entry


def _hint(library: Library) -> str:
    if not library.sources:
        return "no session store was found at all; finder stores says where was looked"
    if library.incomplete:
        return "some stores could not be read, and it may be in one of these"
    return "finder find WORDS searches titles, ids and directories"


def _several(count: int) -> str:
    shown = f"; the newest {_MOST_CANDIDATES}" if count > _MOST_CANDIDATES else ""
    return f"{count} sessions{shown}"


def _listed(library: Library, keys: Sequence[Key]) -> list[str]:
    library.lookup(keys)
    entries = [entry for entry in map(library.entry, keys) if entry]
    entries.sort(key=lambda e: (-(e.session.updated or 0), e.session.ref.id))
    return [_described(entry.session) for entry in entries[:_MOST_CANDIDATES]]


def _described(session: Session) -> str:
    return f"{session.ref}  {session.title}" if session.title else str(session.ref)


def _nearest(library: Library, target: str) -> list[str]:
    """The sessions whose id or title is most like what was asked for."""
    from rapidfuzz import fuzz, process, utils
    from rapidfuzz.distance import JaroWinkler

    tool, _, wanted = target.rpartition(":")
    keys = library.keys(Want())
    library.lookup(keys)
    sessions = [
        e.session for e in map(library.entry, keys) if e and tool in {"", e.session.ref.tool}
    ]
    sessions.sort(key=lambda s: (-(s.updated or 0), s.ref.id))
    ids = process.extract(
        wanted,
        [s.ref.id for s in sessions],
        scorer=JaroWinkler.normalized_similarity,
        score_cutoff=0.75,
        limit=_MOST_SUGGESTIONS,
    )
    titles = process.extract(
        wanted,
        [s.title or "" for s in sessions],
        scorer=fuzz.WRatio,
        processor=utils.default_process,
        score_cutoff=60,
        limit=_MOST_SUGGESTIONS,
    )
    scored = [(score, index) for _, score, index in ids]
    scored += [(score / 100, index) for _, score, index in titles]
    best = dict.fromkeys(index for _, index in sorted(scored, key=lambda found: -found[0]))
    return [_described(sessions[index]) for index in list(best)[:_MOST_SUGGESTIONS]]


def subagents(library: Library, entry: Entry) -> list[Below]:
    """The whole tree below a session, depth first."""
    key = key_of(entry.session)
    return library.trees([key])[key]


def story(
    registry: Registry, library: Library, ref: Ref, choice: Choice, left: Left | None = None
) -> Iterator[Numbered]:
    """A session's events, numbered, as far as they are wanted; `left` is told what is not."""
    # One folder may be a store of several tools.
    place = ref.tool, ref.store
    source = next(s for s in library.sources if (s.store.tool, str(s.store.path)) == place)
    adapter = registry.adapter(source.store.adapter)
    left = left or Left()
    if choice.first is None or choice.live:
        numbered: Iterable[Numbered] = _numbered(adapter.events(ref))
    else:
        numbered = _numbered(adapter.beginning(ref, choice.first))
    if choice.live:
        numbered = _live(list(numbered))
    if choice.first is not None:
        numbered = _first(numbered, choice.first, left, to_the_end=choice.live)
    if choice.last is not None:
        numbered = _last(list(numbered), choice.last, left)
    if not choice.synthetic:
        numbered = (item for item in numbered if "synthetic" not in item.event.labels)
    yield from numbered


def _first(
    items: Iterable[Numbered], messages: int, left: Left, *, to_the_end: bool
) -> Iterator[Numbered]:
    """Up to where the message after so many opens; `to_the_end`: the rest is counted."""
    rest = iter(items)
    for item in rest:
        messages -= _opens(item)
        if messages < 0:
            left.messages = 1 + sum(map(_opens, rest)) if to_the_end else None
            return
        yield item


def _last(items: list[Numbered], messages: int, left: Left) -> list[Numbered]:
    opened = [place for place, item in enumerate(items) if _opens(item)]
    left.messages = max(len(opened) - messages, 0)
    return items[opened[left.messages] :] if left.messages else items


def _opens(item: Numbered) -> bool:
    return item.event.type == "message"


def _numbered(events: Iterable[Event]) -> Iterator[Numbered]:
    """Number the events; those that do not say who speaks get the role of their message."""
    for seq, (event, role) in enumerate(spoken(events)):
        yield Numbered(seq, event if event.role == role else replace(event, role=role))


def _live(items: list[Numbered]) -> list[Numbered]:
    """What is in the live context: neither undone nor kept from the model, and not left behind.

    Adapters label what left it. For a stream without any such label, what stands before the
    last compaction that came to a summary has left, but for the tail that it says it kept.
    """
    sent = [item for item in items if "hidden" not in item.event.labels]
    if any("compacted" in item.event.labels for item in items):
        return [item for item in sent if "compacted" not in item.event.labels]
    start = len(items)
    summarised = False
    for item in reversed(items):
        summarised = summarised or "summary" in item.event.labels
        if item.event.type == "compaction" and summarised:
            start = item.seq
            break
    else:
        return sent
    compaction = items[start].event
    kept = getattr(compaction, "keep", None)
    if kept is not None:
        start = next((i.seq for i in items[:start] if i.event.record == kept), start)
    return [item for item in sent if item.seq >= start]
