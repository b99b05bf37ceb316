"""Opta's logs: events.jsonl, the daemon's and the desktop's copy of it.

A line is an envelope: {v: "3", event, daemonId, sessionId, seq, ts, payload}. The daemon leaves out
`turn.token` and `turn.thinking`, which have numbers (`seq`) too; the desktop has them, and may have
lines twice, late or not at all. An envelope that stands in both logs is one record, and so is a run
of tokens or of thoughts, whose raw is the list of its envelopes. What the user said is in no log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from adapters.opta.times import milliseconds
from finder import files, jsonio
from finder.dataclass import dataclass, field
from finder.errors import StoreError
from finder.jsonio import array, integer, mapping, string
from finder.model import Json, JsonObject, Problem, Usage

STREAMED = frozenset({"turn.token", "turn.thinking"})
# The first of these ends what comes before the model's first word.
CONTENT = STREAMED | {"tool.start", "tool.end", "permission.request"}
CALLS = frozenset({"tool.start", "permission.request"})
ENDS = frozenset({"turn.done", "turn.error", "session.cancelled"})
_NO_OBJECT = "a line that is no JSON object"


@dataclass(slots=True, kw_only=True)
class Entry:
    """A record of a log.

    Attributes:
        event: the envelope's event name; empty where the line is no envelope.
        seq: the envelope's, of a run the first one's.
        at: milliseconds UTC.
        text: of a run: its texts joined. `gap`: a part of it was never written.
        repeats: a run of thoughts says the same as the answer, as it often does.
        problem: why the line is no envelope. Its `raw` is the line's text.
    """

    record: str
    event: str = ""
    seq: int | None = None
    at: int | None = None
    payload: JsonObject = field(default_factory=dict)
    text: str = ""
    gap: bool = False
    repeats: bool = False
    problem: str | None = None
    raw: Json = None

    @property
    def call(self) -> str:
        """The id of the tool call that it speaks of."""
        return string(self.payload.get("id")) or ""

    @property
    def turn(self) -> str | None:
        """The turn that it belongs to, if it says so."""
        named = self.payload.get("turnId")
        return string(named) or string(mapping(self.payload.get("snapshot")).get("activeTurnId"))


@dataclass(slots=True)
class Turn:
    """A turn's entries in order; `id` None: what came before the first turn."""

    id: str | None
    entries: list[Entry] = field(default_factory=list)

    def first(self, *events: str) -> Entry | None:
        """The first entry of one of these kinds."""
        return next((entry for entry in self.entries if entry.event in events), None)

    @property
    def is_done(self) -> bool:
        """Whether it went into the messages: finished, or cancelled with a part of an answer."""
        return self.first("turn.done") is not None

    @property
    def was_cancelled(self) -> bool:
        """Whether the user stopped it."""
        return self.first("session.cancelled") is not None

    @property
    def asked(self) -> int | None:
        """When the user's words came in."""
        entry = self.first("turn.queued") or self.first("turn.start")
        return entry.at if entry else None

    @property
    def started(self) -> int | None:
        """When the model was first asked."""
        entry = self.first("turn.start") or self.first("turn.queued")
        return entry.at if entry else None

    @property
    def ended(self) -> int | None:
        """When it was done."""
        entry = self.first("turn.done")
        return entry.at if entry else None

    @property
    def usage(self) -> Usage | None:
        """The tokens of all its answers together."""
        done = self.first("turn.done")
        stats = mapping(done.payload.get("stats")) if done else {}
        sent, got = integer(stats.get("promptTokens")), integer(stats.get("completionTokens"))
        return Usage(input=sent, output=got) if stats else None

    def tool_times(self, event: str) -> dict[str, int]:
        """Call id to the time of its first `tool.start` or `tool.end`."""
        times: dict[str, int] = {}
        for entry in self.entries:
            if entry.event == event and entry.at is not None:
                times.setdefault(entry.call, entry.at)
        return times


def read(paths: Sequence[Path]) -> tuple[list[Entry], list[Problem]]:
    """The records of one session's logs, in order, and which logs could not be read."""
    lines: list[Entry] = []
    problems = []
    seen: set[bytes] = set()
    for path in paths:
        try:
            data = files.read(path)
        except StoreError as error:
            problems.append(error.problem)
            continue
        if not data:
            problems.append(Problem(kind="empty", path=str(path), message="the log is empty"))
        place = "daemon/events" if path.parent.parent.parent.name == "daemon" else "events"
        for number, line in enumerate(data.split(b"\n"), 1):
            entry = _entry(line, f"{place}/{number}")
            if entry is None:
                continue
            if entry.problem is None:
                envelope = jsonio.dumps(entry.raw, sort=True)  # the logs may order keys otherwise
                if envelope in seen:
                    continue
                seen.add(envelope)
            lines.append(entry)
    return _runs(_ordered(lines)), problems


def _entry(line: bytes, place: str) -> Entry | None:
    if not line.strip():
        return None
    if not line.strip(b"\x00 \t\r"):  # what a crash of the system leaves of a file
        return Entry(
            record=place, raw="", problem=f"{len(line):,} bytes of nothing in an event's place"
        )
    try:
        raw = jsonio.loads(line)
        problem = None if isinstance(raw, dict) else _NO_OBJECT
    except ValueError as error:
        raw = line.decode("utf-8", "surrogateescape")
        problem = f"a line that is not valid JSON ({error})"
    envelope = mapping(raw)
    event = string(envelope.get("event"))
    if problem is None and not event:
        problem = "a line without the name of its event"
    if problem is not None:
        return Entry(record=place, raw=raw, problem=problem)
    return Entry(
        record=place,
        event=event or "",
        seq=integer(envelope.get("seq")),
        at=milliseconds(envelope.get("ts")),
        payload=mapping(envelope.get("payload")),
        raw=raw,
    )


def lines(raw: Json, problem: str | None) -> list[bytes]:
    """The lines that a record with this `raw` was read from."""
    if isinstance(raw, list) and problem is None:
        return [jsonio.dumps(envelope) for envelope in raw]
    if isinstance(raw, str) and problem != _NO_OBJECT:
        return [raw.encode("utf-8", "surrogateescape")]
    return [jsonio.dumps(raw)]


def _ordered(lines: list[Entry]) -> list[Entry]:
    """By the daemons' runs and their numbers. A line without number stays behind the one before."""
    began: dict[str, int] = {}
    for entry in lines:
        daemon = _daemon(entry)
        if daemon and entry.at is not None:
            began[daemon] = min(entry.at, began.get(daemon, entry.at))
    keyed = []
    key = (-1, "", -1)
    for entry in lines:
        daemon = _daemon(entry)
        if daemon and entry.seq is not None:
            key = (began.get(daemon, -1), daemon, entry.seq)
        keyed.append((key, entry))
    return [entry for _, entry in sorted(keyed, key=lambda pair: pair[0])]


def _daemon(entry: Entry) -> str:
    return string(mapping(entry.raw).get("daemonId")) or ""


def _runs(entries: Iterable[Entry]) -> list[Entry]:
    found: list[Entry] = []
    expected: int | None = None  # the number that goes on with the run
    for entry in entries:
        if entry.event not in STREAMED:
            found.append(entry)
            continue
        run = found[-1] if found else None
        if run is None or (run.event, run.turn) != (entry.event, entry.turn):
            entry.raw = [entry.raw]
            found.append(entry)
        else:
            run.raw.append(entry.raw)
            run.gap |= entry.seq != expected
        expected = None if entry.seq is None else entry.seq + 1
    for run in found:
        if run.event in STREAMED:
            run.text = "".join(map(_said, run.raw))
    return found


def _said(envelope: JsonObject) -> str:
    return string(mapping(envelope.get("payload")).get("text")) or ""


def turns(entries: Iterable[Entry]) -> list[Turn]:
    """The entries by turn, in the order in which the turns began."""
    before = Turn(None)
    found: dict[str, Turn] = {}
    current = before
    for entry in entries:
        if (id_ := entry.turn) is not None:
            # A turn may be queued while another one runs: it is not current before it starts.
            named = found.setdefault(id_, Turn(id_))
            named.entries.append(entry)
            if entry.event != "turn.queued" or current is before:
                current = named
        else:
            current.entries.append(entry)
    for turn in found.values():
        answers = {entry.text.strip() for entry in turn.entries if entry.event == "turn.token"}
        for entry in turn.entries:
            entry.repeats = entry.event == "turn.thinking" and entry.text.strip() in answers
    started = {id_: number for number, id_ in enumerate(_starts(found.values()))}
    order = sorted(found.values(), key=lambda turn: started.get(turn.id or "", len(started)))
    return [before, *order]


def _starts(found: Iterable[Turn]) -> list[str]:
    begun = [(turn.started, turn.id or "") for turn in found if turn.first("turn.start")]
    return [id_ for _, id_ in sorted(begun, key=lambda pair: (pair[0] is None, pair[0] or 0))]


def initial_messages(before: Turn) -> list[Json]:
    """The messages that a session was made with, as its log has them."""
    made = before.first("session.snapshot")
    return array(made.payload.get("messages")) if made else []


def outputs(entries: Iterable[Entry]) -> dict[str, list[str]]:
    """Call id to the full outputs that the log has for it."""
    found: dict[str, list[str]] = {}
    for entry in entries:
        result = string(entry.payload.get("result"))
        if entry.event == "tool.end" and result is not None:
            found.setdefault(entry.call, []).append(result)
    return found
