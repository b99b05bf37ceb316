"""The lines of a story, message by message; see `finder.render.transcript`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Literal

from finder import jsonio
from finder.edits import Change, changes
from finder.get import Numbered
from finder.library import Below, Key, key_of, parent_of
from finder.model import (
    Attachment,
    Compaction,
    Event,
    Json,
    Message,
    Notice,
    Reasoning,
    Ref,
    Subagent,
    Text,
    ToolCall,
    ToolResult,
)
from finder.render import wording
from finder.render.document import Part, Passage, passages
from finder.render.look import Look
from finder.render.table import marks
from finder.render.text import cut, line, width

Stories = Callable[[Ref], Iterable[Numbered]]
"""Reads the story of a subagent."""

Kind = Literal["head", "prompt", "text", "call", "error", "change", "note"]
Told = tuple[Kind, list[str]]

NOT_KEPT = "transcript not kept by the tool"
_MOST_CHANGED = 40  # lines of a difference that are shown
_LEAST_TITLE = 24  # columns of a subagent's title, before what is known besides is left out
_MOST_NEW = 10  # lines of a new file
_FOLDED_COMMAND = 200  # columns
_MOST_SYNTHETIC = 12  # lines of a text that the tool put in
_DEEPEST = 24  # sessions within sessions; those below are told behind the whole story


def clock(time: int | None) -> str:
    """A time as the user's clock shows it, to the minute."""
    if time is None:
        return "?"
    try:
        return datetime.fromtimestamp(time / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
    except (OverflowError, ValueError, OSError):
        return "?"


def named(item: Below) -> str:
    child = item.session
    words = [child.agent, child.title or "(no title)", child.ref.id]
    return "  ".join(word for word in words if word)


class Tree:
    """The sessions below, each of which is shown once."""

    def __init__(self, below: Sequence[Below], stories: Stories | None) -> None:
        self.stories = stories
        self.items = {key_of(item.session): item for item in below}
        self.children: dict[Key | None, list[Below]] = {}
        for item in below:
            parent = parent_of(item.session)
            self.children.setdefault(parent if parent in self.items else None, []).append(item)
        self.shown: set[Key] = set()

    def named(self, ref: Ref) -> Below | None:
        """The session that a reference leads to, if it is not shown yet."""
        item = self.items.get((ref.tool, ref.id))
        return None if item is None or key_of(item.session) in self.shown else item

    def under(self, item: Below) -> list[Below]:
        """Its own children that are not shown yet."""
        found = self.children.get(key_of(item.session), [])
        return [child for child in found if key_of(child.session) not in self.shown]

    def untold(self) -> list[Below]:
        """Those at the top of what the story never named."""
        left = [item for key, item in self.items.items() if key not in self.shown]
        keys = {key_of(item.session) for item in left}
        tops = [item for item in left if parent_of(item.session) not in keys]
        return tops or left[:1]  # parent links may form a circle


class Teller:
    """Makes the lines. It remembers which model spoke last, so as not to repeat it.

    `depth`: how many sessions this one stands within.
    """

    def __init__(self, look: Look, tree: Tree, depth: int = 0) -> None:
        self.look = look
        self.tree = tree
        self.depth = depth
        self.speaker: tuple[str | None, ...] = ()
        self.without_result: set[str] = set()  # calls whose subagent says it

    def passage(self, passage: Passage) -> Iterator[Told]:
        message = passage.message
        # What is nobody's words, such as the mark of a compaction, needs no speaker.
        spoken = any(not isinstance(part.event, Compaction | Notice) for part in passage.parts)
        if message is not None and (spoken or message.error):
            yield "head", ["", *self._header(message, passage.marks)]
            if message.error:
                yield "error", list(self.look.text(f"! {line(message.error)}", "bad"))
        for part in passage.parts:
            if isinstance(part.event, Subagent) and part.event.child is None and part.event.call:
                self.without_result.add(part.event.call)
        before: Kind = "head"
        for part in passage.parts:
            kind, lines = self._part(part)
            shown = list(lines)
            labels = [mark for mark in part.marks if mark not in passage.marks]
            if labels:
                said = " ".join(f"[{mark}]" for mark in labels)
                shown[:0] = self.look.text(line(said), "warn")
            if kind == "text" and before not in {"head", "text"}:
                shown.insert(0, "")
            yield kind, shown
            before = kind

    def _header(self, message: Message, labels: Sequence[str]) -> Iterator[str]:
        speaker = (message.agent, message.model)
        known = message.role != "assistant" or speaker == self.speaker
        if message.role == "assistant":
            self.speaker = speaker
        facts = [
            message.role or "message",
            None if message.at is None else clock(message.at),
            *(() if known else speaker),
        ]
        said = line(" · ".join(fact for fact in facts if fact))
        marked = "".join(f" [{line(mark)}]" for mark in labels)
        return self.look.text(f"── {said}{marked}", "user" if message.role == "user" else "bold")

    def _part(self, part: Part) -> tuple[Kind, Iterable[str]]:  # noqa: PLR0911 (one for each type)
        event, look = part.event, self.look
        if isinstance(event, Text):
            return self._text(part, event)
        if isinstance(event, Reasoning):
            return "note", look.text(f"[reasoning] {wording.thought(event)}", "thought")
        if isinstance(event, ToolCall):
            return self._call(part, event)
        if isinstance(event, ToolResult):
            kind: Kind = "error" if event.status == "error" else "call"
            return kind, self._result(event, None, ())
        if isinstance(event, Attachment):
            words = ", ".join(wording.attached(event))
            name = "image" if (event.mime or "").startswith("image/") else "attachment"
            return "note", look.text(line(f"[{name}: {_shortened(words)}]"))
        if isinstance(event, Subagent):
            return ("error" if event.status == "error" else "call"), self._subagent(part, event)
        if isinstance(event, Compaction):
            return "note", self._compaction(event, part.kept)
        if isinstance(event, Notice):
            said = f"· {event.kind}{': ' if event.text else ''}{event.text or ''}"
            kinds: dict[str, Kind] = {"error": "error", "diff": "change"}
            style = "bad" if event.kind == "error" else "dim"
            shown = look.text(said, style) if look.whole else [look.paint(look.folded(said), style)]
            return kinds.get(event.kind, "note"), shown
        return "note", self._unreadable(event)

    def _text(self, part: Part, event: Text) -> tuple[Kind, Iterable[str]]:
        if part.synthetic or "summary" in event.labels:
            lines = list(self.look.text(event.text, "dim"))
            if "summary" in event.labels or "synthetic: compaction" in part.marks:
                return "text", lines
            return "note", self.look.some(lines, _MOST_SYNTHETIC, "this text")
        if event.role == "user":
            return "prompt", self.look.text(event.text)
        return "text", self.look.markdown(event.text)

    def _call(self, part: Part, event: ToolCall) -> tuple[Kind, Iterable[str]]:
        look = self.look
        changed = changes(event)
        said = _changed_files(event, changed) if changed else _arguments(event.input)
        name = cut(line(event.name), look.columns // 3)
        rest = cut(line(said), look.columns - width(name) - 3)
        lines = [look.paint(f"→ {name}", "tool") + (f" {rest}" if rest else "")]
        for change in changed:
            shown = [piece for one in change.lines for piece in self._compared(one)]
            most = _MOST_CHANGED if change.counts[1] else _MOST_NEW
            lines += look.some(shown, most, "this change")
        if look.whole and not changed:
            for key, text, _ in wording.arguments(event.input):
                lines += [] if key is None else [f"  {line(key)}:"]
                lines += [f"    {one}" for one in look.narrower(4).text(text)]
        failed = part.result is not None and part.result.status == "error"
        if part.result is not None:
            lines += self._result(part.result, event, part.result_marks)
        else:
            lines.append("  ← no result")
        return ("error" if failed else "change" if changed else "call"), lines

    def _compared(self, one: str) -> Iterator[str]:
        style = {"+": "came", "-": "went"}.get(one[:1], "")
        return (f"  {piece}" for piece in self.look.narrower(2).text(one, style))

    def _result(
        self, event: ToolResult, call: ToolCall | None, labels: Sequence[str]
    ) -> Iterator[str]:
        look = self.look
        time = wording.took(event, call)
        facts = [event.status, wording.duration(time) if time else None]
        said = "← " + ", ".join(fact for fact in facts if fact)
        said += "".join(f" [{mark}]" for mark in labels)
        lines = (event.output or "").strip().splitlines()
        first = event.title or (lines[0][:500] if lines else "no output")
        if look.whole and lines:  # all of them follow
            first = event.title or ""
        if call is not None and call.call in self.without_result:
            first, lines = "", []
        count = f" (of {len(lines):,} lines)" if len(lines) > 1 and not look.whole else ""
        shown = look.folded(f"{said}{': ' if first else ''}{first}", count, "  ")
        yield look.paint(shown, "bad") if event.status == "error" else shown
        if look.whole and event.output:
            yield from (f"    {one}" for one in look.narrower(4).text(event.output))

    def _compaction(self, event: Compaction, kept: int | None) -> Iterator[str]:
        yield ""
        for number, said in enumerate(wording.compacted(event, kept)):
            mark = "" if number else "════ compaction: "
            yield from self.look.text(line(mark + said), "warn")

    def _unreadable(self, event: Event) -> Iterator[str]:
        where = f" {event.record}" if event.record else ""
        problem = getattr(event, "problem", None)
        yield from self.look.text(line(f"! unreadable record{where}: {problem}"), "warn")

    # -- subagents ---------------------------------------------------------------------------

    def _subagent(self, part: Part, event: Subagent) -> Iterator[str]:
        look = self.look
        item = self.tree.named(event.child) if event.child and self.depth < _DEEPEST else None
        if item is not None:
            yield from self.below(item, "  ")
            return
        words = [event.agent, event.status if event.status != "ok" else None]
        where = str(event.child) if event.child else NOT_KEPT
        said = ", ".join(word for word in (*words, where) if word)
        yield look.folded(f"⤷ {said}", indent="  ")
        told = dict(part.told)
        if event.prompt and ("Prompt" in told or event.call is None):
            asked = f"asked: {event.prompt}"
            if look.whole:
                yield from (f"    {one}" for one in look.narrower(4).text(asked))
            else:
                yield look.folded(asked, indent="    ")
        if event.result and not event.child:
            yield from (f"    {one}" for one in look.narrower(4).markdown(event.result))

    def below(self, item: Below, indent: str) -> Iterator[str]:
        """A session of the tree and those below it; its story too, where that is wanted."""
        self.tree.shown.add(key_of(item.session))
        look, session = self.look, item.session
        facts = [None if session.messages is None else f"{session.messages} messages"]
        if session.created is not None and session.updated and session.updated > session.created:
            facts.append(wording.duration(session.updated - session.created))
        known = ", ".join(fact for fact in facts if fact)
        said = f"⤷ {session.agent or ''} {session.title or '(no title)'}{marks(session)}"
        more = f" · {known}" if known else ""
        named = f" · {line(session.ref.id)}"
        if width(indent + more + named) + _LEAST_TITLE > look.columns:
            more = ""
        yield look.folded(said, more + named, indent)
        if self.tree.stories is not None:
            yield from self._nested(session.ref, indent)
        if self._depth(indent) < _DEEPEST:
            for child in self.tree.under(item):
                yield from self.below(child, indent + "  ")

    def _depth(self, indent: str) -> int:
        return self.depth + len(indent) // 2

    def _nested(self, ref: Ref, indent: str) -> Iterator[str]:
        assert self.tree.stories is not None
        rail = indent + self.look.paint("│", "dim") + " "
        told, unshown = passages([item.event for item in self.tree.stories(ref)])
        look = self.look.narrower(len(indent) + 2)
        teller = Teller(look, self.tree, self._depth(indent))
        for passage in told:
            for _, lines in teller.passage(passage):
                yield from (rail + one if one else rail.rstrip() for one in lines)
        if unshown:
            kinds = ", ".join(f"{line(kind)} ×{count}" for kind, count in unshown)
            said = teller.look.text(f"not shown here, but with --json: {kinds}", "dim")
            yield from (rail + one for one in said)


# -- words -----------------------------------------------------------------------------------


def _changed_files(event: ToolCall, changed: Sequence[Change]) -> str:
    paths = ", ".join(dict.fromkeys(change.path for change in changed if change.path))
    came = sum(change.counts[0] for change in changed)
    went = sum(change.counts[1] for change in changed)
    return f"{paths} +{came} −{went}".strip()


def _arguments(value: Json) -> str:
    """A tool's input in one line: names and values, or the value alone where there is one."""
    if not isinstance(value, dict):
        return "" if value is None else _scalar(value)
    if len(value) == 1:
        return _scalar(next(iter(value.values())), _FOLDED_COMMAND)
    command = value.get("command")
    if isinstance(command, str):  # it tells most, and needs no name
        return _scalar(command, _FOLDED_COMMAND)
    return " ".join(f"{name}={_scalar(inner)}" for name, inner in value.items())


def _scalar(value: Json, columns: int = 60) -> str:
    # A file's whole content may stand here; its first line tells enough.
    text = value[:500] if isinstance(value, str) else jsonio.dumps(value).decode()[:500]
    return cut(line(text), columns)


def _shortened(text: str) -> str:
    return cut(line(text), 300)
