"""What writing a session to another format means: plans, drafts, and accounts of loss.

An adapter's `encode` is pure: events in, a `Draft` in memory out, and a `Report` that says what
the format has no place for. The shared code (`finder.convert`) stages the draft in a private
folder, reads it back through the adapter, compares, and only then puts it in place. So what the
user is told was measured; the report only gives the reasons, and a difference without a reason
is a bug.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from finder import jsonio
from finder.dataclass import dataclass, field
from finder.model import Event, Json, JsonObject, Ref, Session
from finder.turns import Turn, answers, came_with, turns

__all__ = [
    "CONTENT_FIELDS",
    "CONTENT_TYPES",
    "Draft",
    "File",
    "Installation",
    "JsonText",
    "Loss",
    "LossKind",
    "Plan",
    "Report",
    "Turn",
    "answers",
    "came_with",
    "derived_id",
    "safe_name",
    "turns",
]

LossKind = Literal[
    "dropped",  # gone
    "lowered",  # the content is kept, its meaning is not: a label, a type of event
    "changed",  # a value is another one
    "invented",  # the target demands something that the source does not have
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """One way in which the written session differs from its source.

    Attributes:
        type: the type of event, as in `finder.model`, or ``session`` for the header.
        field: the event's field; ``labels.synthetic`` for one label; None for the whole event.
        count: in how many events.
        first: the record id of the first of them.
        note: why.
    """

    kind: LossKind
    type: str
    field: str | None
    count: int
    first: str | None
    note: str


# What is reported event by event, so that no rule can hide a mistake: events of these types as a
# whole, and these fields of any event.
CONTENT_TYPES = frozenset(
    {"text", "reasoning", "tool_call", "tool_result", "attachment", "subagent"}
)
CONTENT_FIELDS = frozenset({"text", "input", "output", "data"})
_ALTERED: tuple[LossKind, ...] = ("dropped", "changed", "invented")


@dataclass(slots=True)
class Report:
    """An encoder's reasons for the differences that its draft will show.

    `rule` speaks of all events of a type; the others of one event. Content (see CONTENT_TYPES
    and CONTENT_FIELDS) that is missing or altered is reported event by event; rules are for
    what the format has no place for at all, such as times.

    Fields are those of `finder.model`, and ``role``; ``labels.synthetic`` is one label,
    ``usage.input`` one count, and a reason for ``labels`` or ``usage`` goes for all of them.
    The field ``order`` is an event's place in the story, reported as changed. The envelope of a
    tool result (a message of role ``tool``) is not compared, and neither is the place of a
    result among calls that were made together.
    """

    rules: dict[tuple[LossKind, str, str | None], str] = field(default_factory=dict)
    single: dict[tuple[LossKind, int, str | None], str] = field(default_factory=dict)
    unlike: dict[int, dict[str | None, str]] = field(default_factory=dict)
    calls: dict[int, str] = field(default_factory=dict)
    stated: list[Loss] = field(default_factory=list)

    def rule(self, kind: LossKind, type_: str, name: str | None, note: str) -> None:
        """Any event of this type may differ so. `type_` ``*`` stands for every type."""
        self.rules[kind, type_, name] = note

    def dropped(self, event: Event, name: str | None = None, *, note: str) -> None:
        """This event, or one field of it, is not in the draft."""
        self.single["dropped", id(event), name] = note

    def lowered(self, event: Event, name: str | None = None, *, note: str) -> None:
        """This event is in the draft as less than it was: another type, a label less."""
        self.single["lowered", id(event), name] = note

    def changed(self, event: Event, name: str, *, note: str) -> None:
        """This field of the event has another value in the draft."""
        self.single["changed", id(event), name] = note

    def invented(self, event: Event, name: str, *, note: str) -> None:
        """This field, which the event does not have, has a value in the draft."""
        self.single["invented", id(event), name] = note

    def state(self, kind: LossKind, name: str, count: int, note: str) -> None:
        """This field of the session differs so often, where comparing does not look."""
        loss = Loss(kind=kind, type="session", field=name, count=count, first=None, note=note)
        self.stated.append(loss)

    def renamed(self, event: Event, call: str, *, note: str) -> None:
        """The draft has the event under this call id, by which it is recognised there."""
        if getattr(event, "call", call) != call:
            self.calls[id(event)] = call
            for kind in _ALTERED:
                self.single[kind, id(event), "call"] = note

    def reshaped(self, event: Event, *names: str | None, note: str) -> None:
        """These fields may differ in any way, since what the draft has may be another event.

        None: of the event as a whole nothing may be recognised. A reason for one way goes before.
        """
        self.unlike.setdefault(id(event), {}).update(dict.fromkeys(names, note))

    @property
    def gone(self) -> frozenset[int]:
        """What `id()` gives for the events that are said to be missing as a whole."""
        return frozenset(
            event for kind, event, name in self.single if kind == "dropped" and name is None
        )

    @property
    def altered(self) -> frozenset[int]:
        """What `id()` gives for the events of which some content is said to be another."""
        changed = frozenset(
            event
            for kind, event, name in self.single
            if kind != "dropped" and name in CONTENT_FIELDS
        )
        return changed | self.unlike.keys()

    def reason(
        self, kind: LossKind, event: Event | None, type_: str, name: str | None
    ) -> str | None:
        """Why something differs, or None if nobody said that it would."""
        names: list[str | None] = [None] if name is None else [name, *_wider(name)]
        if event is not None:
            for part in (*names, None):
                note = self.single.get((kind, id(event), part))
                if note is not None:
                    return note
            unlike = self.unlike.get(id(event), {})
            for part in names:
                if part in unlike:
                    return unlike[part]
            if (type_ in CONTENT_TYPES) if name is None else (name in CONTENT_FIELDS):
                return None
        for part in names:
            note = self.rules.get((kind, type_, part), self.rules.get((kind, "*", part)))
            if note is not None:
                return note
        return None


def _wider(name: str) -> list[str]:
    whole, dot, _ = name.partition(".")
    return [whole] if dot else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is decided before a session is encoded.

    Attributes:
        id: the session's id in the target.
        ids: ids in the target of all sessions that are written together, by their source.
        top: the id in the target of the session at the top of the tree that it is written in.
        parent: the source of the session that this one is a subagent of, if it is written too.
        directory: a working directory that takes the place of the session's own.
        now: milliseconds UTC; the same for all sessions written together.
    """

    id: str
    ids: Mapping[Ref, str]
    top: str = ""
    parent: Ref | None = None
    directory: str | None = None
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of a draft: where it goes below the target's root, and its permissions.

    `data`: all of it, or its pieces, which may be made as they are written.
    `appended`: it goes after what a session before it in the same tree put at that path.
    `shared`: it is of more than this session, and stays as it is where it is there already.
    """

    path: str
    data: bytes | Iterable[bytes]
    mode: int = 0o644
    appended: bool = False
    shared: bool = False

    @property
    def pieces(self) -> Iterable[bytes]:
        """What is in it, piece by piece."""
        return (self.data,) if isinstance(self.data, bytes) else self.data


@dataclass(frozen=True, slots=True)
class JsonText:
    """What is in a file that holds one JSON object, set in by depth; made as it is written.

    Of a list in the object some items at a time are a piece: a text of many megabytes is never in
    memory as a whole, where it takes as long to find room for it as to make it.

    Attributes:
        end: what stands behind the object.
        finite: there is no NaN and no infinity in it, so they need not be looked for.
    """

    value: JsonObject
    end: bytes = b""
    finite: bool = False

    def __iter__(self) -> Iterator[bytes]:
        start = b"{"
        for key, value in self.value.items():
            yield b"%b\n  %b: " % (start, jsonio.dumps(key))
            if isinstance(value, list) and len(value) > _TOGETHER:
                yield from _items(value, self.finite)
            else:
                yield _set_in(jsonio.dumps(value, indent=True, finite=self.finite))
            start = b","
        yield (b"\n}" if self.value else b"{}") + self.end


_TOGETHER = 4  # so few that they stay in the processor's caches


def _items(values: Sequence[Json], finite: bool) -> Iterator[bytes]:
    for at in range(0, len(values), _TOGETHER):
        text = jsonio.dumps([values[at : at + _TOGETHER]], indent=True, finite=finite)
        yield b"," if at else b"["
        # What is nested too deeply is not set in at all.
        yield text[5:-6] if text.startswith(b"[\n  [") else text[2:-2]
    yield b"\n  ]"


def _set_in(text: bytes) -> bytes:
    """A text one level deeper. There are no line breaks in it but those that set it in."""
    return text.replace(b"\n", b"\n  ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One session in the target's own form, in memory.

    Attributes:
        id: its id in the target.
        files: in the order in which they are to appear; the one that makes the session visible
            to its tool comes last.
        store: the path, below the root, of the store that reads it back ("." is the root).
        owned: folders, below the root, of this session alone; one that ends in ``*`` stands for
            all files that begin so. Where it takes the place of an earlier one, what that left
            in them goes.
        caches: files, below the root, of things that the tool looks up in sessions and makes anew
            if they are missing. Where this one takes the place of an earlier one, they go.
    """

    id: str
    files: tuple[File, ...]
    store: str
    owned: tuple[str, ...] = ()
    caches: tuple[str, ...] = ()


class Installation(ABC):
    """A tool's live store, where sessions come in by other means than placing files.

    The shared code uses it as it uses files: `encode` each session, `stage` the drafts, read the
    staged store back and compare, `commit`, and at last read the same sessions from `store`.

    Attributes:
        store: the path of the live store.
    """

    store: Path

    @abstractmethod
    def encode(
        self, session: Session, events: Sequence[Event], plan: Plan, report: Report
    ) -> Draft:
        """The session as this store holds it; like `Adapter.encode`, and the same where the
        store holds no more than the format."""

    @abstractmethod
    def stage(self, drafts: Sequence[Draft], folder: Path) -> Path:
        """Make a store of the live one's form, with these sessions alone, in a private folder.

        Returns its path. The live store is only read.
        """

    @abstractmethod
    def commit(self, drafts: Sequence[Draft], *, replace: bool) -> None:
        """Put the sessions into the live store, parents first, all of them or none.

        Raises:
            WriteError: one of them is there already and `replace` is not set, or is being used
                this moment; or the store cannot be written. Then it is as it was.
        """


def safe_name(text: str) -> str:
    """A file name made from an id or a title, whatever that holds: it names no other place.

    What is a plain name already stays as it is; anything else also gets a mark made from all of
    it, so that two ids never get one name.
    """
    import hashlib
    import re

    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:80].rstrip("-.")
    # Windows gives these names to devices, whatever their ending.
    device = re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", plain)
    if plain and plain == text and not device:
        return plain
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain}-{mark}" if plain and not device else f"session-{mark}"


def derived_id(ref: Ref, length: int, alphabet: str, salt: str = "") -> str:
    """An id made from the address of a session: the same session always gives the same id.

    The store's path is no part of it, so a copied store gives the same ids too.
    """
    import hashlib

    digest = hashlib.sha256(f"{ref.tool}\0{ref.id}\0{salt}".encode("utf-8", "surrogatepass"))
    value = int.from_bytes(digest.digest(), "big")
    letters = []
    for _ in range(length):
        value, index = divmod(value, len(alphabet))
        letters.append(alphabet[index])
    return "".join(letters)
