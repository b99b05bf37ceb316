"""A session's story, for people to read.

Texts are shown whole; tool calls are folded to a line or two, and say so. What was said neither
by a person nor by a model is marked ``[synthetic: …]`` with what it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from finder import jsonio
from finder.get import Numbered
from finder.library import Below, Entry
from finder.model import (
    Attachment,
    Compaction,
    Event,
    Json,
    Label,
    Message,
    Notice,
    Opaque,
    Reasoning,
    Subagent,
    Text,
    ToolCall,
    ToolResult,
)
from finder.render.table import marks
from finder.render.text import block, cut, home_short, line

Paint = Callable[[str, str], str]
"""Gives a text a style: ``bold``, ``dim``, ``warn``; or leaves it as it is."""

NOT_KEPT = "transcript not kept by the tool"
_FOLDED = 100  # columns of a folded line where the terminal does not say


def plain(text: str, _style: str) -> str:
    """No style at all, as a pipe wants it."""
    return text


def coloured(text: str, style: str) -> str:
    """Styles as a terminal knows them."""
    code = {"bold": "1", "dim": "2", "warn": "33", "user": "1;36"}[style]
    return f"\x1b[{code}m{text}\x1b[0m"


def clock(time: int | None) -> str:
    """A time as the user's clock shows it, to the minute."""
    if time is None:
        return "?"
    try:
        return datetime.fromtimestamp(time / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
    except (OverflowError, ValueError, OSError):
        return "?"


def heading(
    entry: Entry, below: Sequence[Below], *, home: str, paint: Paint = plain
) -> Iterator[str]:
    """What is known about the session, and the tree of its subagents."""
    session = entry.session
    yield paint(line((session.title or "(no title)") + marks(session)), "bold")
    facts = [
        str(session.ref),
        home_short(session.directory or "no directory", home),
        f"{clock(session.created)} to {clock(session.updated)}",
        session.agent,
        session.model,
        None if session.messages is None else f"{session.messages} messages",
    ]
    yield paint(line(" · ".join(fact for fact in facts if fact)), "dim")
    yield paint(line(f"in {session.ref.store}"), "dim")
    for path in entry.also_in:
        yield paint(line(f"also in {path}"), "dim")
    if session.parent is not None:
        yield paint(line(f"subagent of {session.parent}"), "dim")
    if below:
        yield paint(f"subagents: {len(below)}", "dim")
    for item in below:
        child = item.session
        words = [child.agent, child.title or "(no title)", child.ref.id]
        yield "  " * item.depth + line("↳ " + "  ".join(word for word in words if word))


def transcript(
    events: Iterable[Numbered], *, room: int | None = None, paint: Paint = plain
) -> Iterator[str]:
    """The story's lines."""
    writer = _Writer(room=room or _FOLDED, paint=paint)
    for item in events:
        yield from writer.lines(item.event)
    yield from writer.ending()


@dataclass(slots=True)
class _Writer:
    """What has to be remembered from one event to the next."""

    room: int
    paint: Paint
    labels: frozenset[Label] = frozenset()  # of the message that is open
    compacting: str | None = None  # the message that a compaction belongs to
    header: str | None = None  # of the message, until it has content
    results: dict[str, str] = field(default_factory=dict)  # shown with a subagent, by its call
    unshown: Counter[str] = field(default_factory=Counter)

    def lines(self, event: Event) -> Iterator[str]:
        if isinstance(event, Message):
            yield from self._message(event)
            return
        if isinstance(event, Opaque) and not event.problem:
            self.unshown[event.kind] += 1
            return
        if isinstance(event, Compaction):
            self.compacting = event.message
        elif self.header is not None and not isinstance(event, Notice):
            yield ""
            yield self.header
            self.header = None
        mark = self._marks(event)
        if mark:
            yield self.paint(mark, "warn")
        yield from self._content(event, style="dim" if "synthetic" in event.labels else "")

    def _message(self, event: Message) -> Iterator[str]:
        self.labels = frozenset(event.labels)
        facts = [
            event.role or "message",
            None if event.at is None else clock(event.at),
            event.agent if event.role == "assistant" else None,
            event.model if event.role == "assistant" else None,
        ]
        said = line(" · ".join(fact for fact in facts if fact))
        shown = f"── {said}{self._marks(event)}"
        self.header = self.paint(shown, "user" if event.role == "user" else "bold")
        if event.error:
            yield ""
            yield self.header
            self.header = None
            yield self.paint(f"! {line(event.error)}", "warn")

    def _marks(self, event: Event) -> str:
        """The labels as words. Those of the message are not repeated on all of its content."""
        labels = set(event.labels)
        if not isinstance(event, Message):
            labels -= self.labels - {"synthetic", "summary", "inferred"}
        words = []
        if labels & {"synthetic", "summary"}:
            by_compaction = "summary" in labels or event.message == self.compacting is not None
            kind = "compaction" if by_compaction else "injected"
            words.append(f"synthetic: {kind}" + (", inferred" if "inferred" in labels else ""))
        words += sorted(labels - {"synthetic", "summary", "inferred"})
        if isinstance(event, Message):
            return "".join(f" [{word}]" for word in words)
        return " ".join(f"[{word}]" for word in words)

    def _content(self, event: Event, style: str) -> Iterator[str]:
        if isinstance(event, Text):
            yield from self._block(event.text, style)
        elif isinstance(event, Reasoning):
            text = event.text or ("(not readable)" if event.redacted else "")
            yield from self._block(f"[reasoning] {text}", "dim")
        elif isinstance(event, ToolCall):
            yield self._folded(f"→ {event.name} {_arguments(event.input)}")
        elif isinstance(event, ToolResult):
            if event.output is None or event.output != self.results.get(event.call):
                shown = self._folded(f"← {_outcome(event)}", _more(event.output), "  ")
                yield self.paint(shown, "dim")
        elif isinstance(event, Attachment):
            yield line(f"[attachment: {_attachment(event)}]")
        elif isinstance(event, Subagent):
            yield from self._subagent(event)
        elif isinstance(event, Compaction):
            yield ""
            by = {True: " (automatic)", False: " (asked for)", None: ""}[event.auto]
            yield self.paint(f"════ compaction{by}: the live context starts anew", "warn")
            if event.archive:
                yield line(f"what left it is in {event.archive}")
        elif isinstance(event, Notice):
            yield self.paint(
                self._folded(f"· {event.kind}{': ' if event.text else ''}{event.text or ''}"), "dim"
            )
        elif isinstance(event, Opaque):
            where = f" {event.record}" if event.record else ""
            yield self.paint(line(f"! unreadable record{where}: {event.problem}"), "warn")

    def _block(self, text: str, style: str) -> Iterator[str]:
        for one in block(text).split("\n"):
            yield self.paint(one, style) if style and one else one

    def _folded(self, text: str, more: str = "", indent: str = "") -> str:
        return indent + cut(line(text), max(self.room - len(indent + more), 20)) + more

    def _subagent(self, event: Subagent) -> Iterator[str]:
        yield self._folded(f"⤷ subagent {event.agent or ''}: {event.prompt or ''}")
        where = str(event.child) if event.child else NOT_KEPT
        status = f"{event.status}, " if event.status and event.status != "ok" else ""
        yield self.paint(f"  {line(status + where)}", "dim")
        if event.result and not event.child:
            if event.call:
                self.results[event.call] = event.result
            yield from self._block(event.result, "")

    def ending(self) -> Iterator[str]:
        """What a reader must know that the lines above do not show."""
        if self.unshown:
            kinds = ", ".join(f"{line(kind)} ×{n}" for kind, n in sorted(self.unshown.items()))
            yield ""
            yield self.paint(f"not shown here, but with --json: {kinds}", "dim")


def _arguments(value: Json) -> str:
    """A tool's input in one line: names and values, or the value alone where there is one."""
    if not isinstance(value, dict):
        return "" if value is None else _scalar(value)
    if len(value) == 1:
        return _scalar(next(iter(value.values())))
    return " ".join(f"{name}={_scalar(inner)}" for name, inner in value.items())


def _scalar(value: Json) -> str:
    # A file's whole content may stand here; its first line tells enough.
    text = value[:500] if isinstance(value, str) else jsonio.dumps(value).decode()[:500]
    return cut(line(text), 60)


def _outcome(event: ToolResult) -> str:
    lines = (event.output or "").strip().splitlines()
    first = event.title or (lines[0][:500] if lines else "no output")
    return first if event.status == "ok" else f"{event.status}: {first}"


def _more(output: str | None) -> str:
    count = len((output or "").strip().splitlines())
    return f" (of {count} lines)" if count > 1 else ""


def _attachment(event: Attachment) -> str:
    size = f"{len(event.data) * 3 // 4:,} bytes" if event.data else None
    known = [event.name or event.path, event.mime, size, event.url if not event.data else None]
    return ", ".join(cut(fact, 200) for fact in known if fact) or "of unknown kind"
