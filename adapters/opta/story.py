"""A session's story: the messages of one document, and the log's entries among them.

Neither names the other: a message has no time, an entry no message. But the daemon writes a
snapshot after each turn, so its last finished turn is the last thing that a user said there, and so
on back to where the calls of a turn are not those of the messages, or the messages end. Turns that
went into no message (failed, killed, or taken out by compaction) are told from the log alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import cached_property

from adapters.opta import documented, injected, log, records
from adapters.opta.copies import Document
from adapters.opta.log import Entry, Turn
from adapters.opta.records import Beside, Story
from finder.dataclass import replace
from finder.jsonio import mapping, string
from finder.model import (
    Event,
    Json,
    Labels,
    Message,
    Notice,
    Opaque,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
)


def events(copies: Sequence[Document], entries: list[Entry]) -> Iterator[Event]:
    """What a session's copies (the richest first) and the entries of its logs tell."""
    if not copies:
        yield from _from_log(entries)
        return
    told, *others = copies
    if told.kind == "documented":
        yield from documented.events(told.items)
        yield from (_beside(entry) for entry in entries)
        return
    outputs = log.outputs(entries)
    for other in others:
        for item in other.items:
            if records.is_message(item) and item["role"] == "tool":
                call = string(item.get("tool_call_id")) or ""
                outputs.setdefault(call, []).append(records.text_of(item))
    before, *turns = log.turns(entries)
    story = Story.of(told.items, outputs, shared=told.kind == "share")
    teller = _Teller(told.items, story, before, turns)
    if turns:
        teller.match(next((copy for copy in copies if copy.kind == "snapshot"), told))
    yield from teller.events()


def opens_turn(item: Json) -> bool:
    """Whether a message is one with which a user began a turn."""
    if not records.is_message(item) or item["role"] != "user":
        return False
    return not injected.is_injected(records.text_of(item))


class _Teller:
    def __init__(self, items: list[Json], story: Story, before: Turn, turns: list[Turn]) -> None:
        self.items = items
        self.story = story
        self.before = before
        self.turns = turns
        self.matched: dict[int, Turn] = {}  # by the message that opens the turn

    def match(self, written: Document) -> None:
        """Finds the turns' messages in the copy that the log's daemon wrote."""
        limit = _common_start(written.items, self.items)
        openings = [i for i, item in enumerate(written.items) if opens_turn(item)]
        done = [turn for turn in self.turns if turn.is_done and _is_within(turn, written)]
        end = len(written.items)
        for start, turn in zip(reversed(openings), reversed(done), strict=False):
            calls = {id_ for item in written.items[start:end] for id_, _, _ in _calls(item)}
            if not turn.tool_times("tool.start").keys() <= calls:
                return
            if start < limit:
                self.matched[start] = turn
            end = start

    def events(self) -> Iterator[Event]:
        yield from (_beside(entry) for entry in self.before.entries)
        waiting = list(self.turns)
        nothing = Beside()
        index = 0
        while index < len(self.items):
            turn = self.matched.get(index)
            if turn is None:
                yield from records.events(self.items[index], index, self.story, nothing)
                index += 1
                continue
            while waiting[0] is not turn:
                yield from self._alone(waiting.pop(0))
            del waiting[0]
            following = range(index + 1, len(self.items))
            end = next((i for i in following if opens_turn(self.items[i])), len(self.items))
            yield from _Together(self.items, self.story, turn).events(index, end)
            index = end
        for turn in waiting:
            yield from self._alone(turn)

    def _alone(self, turn: Turn) -> Iterator[Event]:
        """A turn that stands in the log only. It opens no message: the store holds none of it."""
        labels: Labels = () if turn.is_done else ("interrupted",)
        if turn.is_done and self._was_compacted:
            labels = ("compacted", "inferred")
        for entry in turn.entries:
            if entry.event == "tool.start" and _start(entry) in self._told:
                yield _beside(entry)
            else:
                yield _content(entry, None, labels)

    @cached_property
    def _told(self) -> set[tuple[str, str, str]]:
        """The calls that the messages have."""
        return {(id_, name, str(sent)) for item in self.items for id_, name, sent in _calls(item)}

    @cached_property
    def _was_compacted(self) -> bool:
        texts = (records.text_of(item) for item in self.items if records.is_message(item))
        return any(map(injected.is_summary, texts))


class _Together:
    """One turn's messages, and its entries among them."""

    def __init__(self, items: list[Json], story: Story, turn: Turn) -> None:
        self.items = items
        self.story = story
        self.turn = turn
        self.queue = deque(turn.entries)
        self.told: set[str] = set()  # the calls that the messages have
        self.ends = {entry.call for entry in turn.entries if entry.event == "tool.end"}

    def events(self, start: int, end: int) -> Iterator[Event]:
        segment = self.items[start:end]
        self.told = {id_ for item in segment for id_, _, _ in _calls(item)}
        answers = [i for i in range(start, end) if _role(self.items[i]) == "assistant"]
        began, ended = self.turn.tool_times("tool.start"), self.turn.tool_times("tool.end")
        clock = self.turn.started
        yield from self._take(log.CONTENT | log.ENDS)
        for index in range(start, end):
            item = self.items[index]
            beside = Beside(called=began)
            if index == start:
                beside.at = self.turn.asked
            elif _role(item) == "assistant":
                starts = [began[id_] for id_, _, _ in _calls(item) if id_ in began]
                beside.at, beside.finished = clock, min(starts, default=None)
                if index == answers[-1]:
                    beside.usage, beside.cancelled = self.turn.usage, self.turn.was_cancelled
                    beside.finished = beside.finished or self.turn.ended
                beside.inner = list(self._take(log.CALLS | log.ENDS, index))
            elif _role(item) == "tool":
                call = string(item.get("tool_call_id")) or ""
                beside.at = ended.get(call)
                clock = max(clock or 0, beside.at or 0) or None
                yield from self._until_result(call)
            yield from records.events(item, index, self.story, beside)
        yield from self._take(frozenset())

    def _take(self, stop: frozenset[str], at: int = -1) -> Iterator[Event]:
        """What comes before an entry of the kinds in `stop`; message `at` is being told."""
        while self.queue and self.queue[0].event not in stop:
            yield self._event(self.queue.popleft(), at)

    def _until_result(self, call: str) -> Iterator[Event]:
        if call not in self.ends:  # one that was not allowed has no start and no end
            yield from self._take(log.STREAMED | log.ENDS | {"tool.start"})
            return
        while call in self.ends:
            yield self._event(self.queue.popleft(), -1)

    def _event(self, entry: Entry, at: int) -> Event:
        if entry.event == "tool.end":
            self.ends.discard(entry.call)
        if entry.event in {"tool.start", "tool.end"} and entry.call not in self.told:
            return _content(entry, None, ())
        is_thought = entry.event == "turn.thinking" and at >= 0 and not entry.repeats
        if is_thought and entry.text.strip() != records.text_of(self.items[at]).strip():
            return _content(entry, records.record_id(at), ())
        return _beside(entry)


def _from_log(entries: list[Entry]) -> Iterator[Event]:
    """A session of which there is a log only: without a word of the user."""
    before, *turns = log.turns(entries)
    yield from (_beside(entry) for entry in before.entries)
    items = log.initial_messages(before)  # their raw is the entry's
    story = Story.of(items, {})
    for index, item in enumerate(items):
        for event in records.events(item, index, story, Beside()):
            yield _without_raw(event)
    for turn in turns:
        yield from _told_turn(turn)


def _told_turn(turn: Turn) -> Iterator[Event]:
    kinds = log.CONTENT - {"permission.request"}
    answer = next((e for e in turn.entries if e.event in kinds and not e.repeats), None)
    message = None
    labels: Labels = () if turn.is_done and not turn.was_cancelled else ("interrupted",)
    for entry in turn.entries:
        if entry is answer:
            message = entry.record
            yield Message(
                record=message,
                message=message,
                role="assistant",
                at=turn.started,
                finished=turn.ended,
                usage=turn.usage,
                labels=labels,
                raw=entry.raw,
            )
        event = _content(entry, message, labels)
        yield _without_raw(event) if entry is answer else event


def _without_raw(event: Event) -> Event:
    if event.type == "opaque":  # it always has its raw
        return Notice(kind="state", text=event.problem or event.kind, record=event.record)
    return replace(event, raw=None)


def _content(entry: Entry, message: str | None, labels: Labels) -> Event:
    """An entry that tells what no message tells."""
    call = entry.call
    name = string(entry.payload.get("name")) or ""
    if entry.event == "turn.token":
        more: Labels = ("truncated",) if entry.gap else ()
        return Text(text=entry.text, **_place(entry, message, (*labels, *more)))
    if entry.event == "turn.thinking" and not entry.repeats:
        return Reasoning(text=entry.text, **_place(entry, message, labels))
    if entry.event == "tool.start":
        stored = records.arguments(entry.payload.get("args"))
        return ToolCall(call=call, name=name, input=stored, **_place(entry, message, labels))
    if entry.event == "tool.end":
        output = string(entry.payload.get("result")) or ""
        status = injected.status(output, name)
        known: Labels = () if status == "ok" else ("inferred",)
        place = _place(entry, message, tuple(dict.fromkeys((*labels, *known))))
        return ToolResult(call=call, output=output, status=status, **{**place, "role": "tool"})
    return _beside(entry)


def _place(entry: Entry, message: str | None, labels: Labels) -> dict[str, Json]:
    return {
        "record": entry.record,
        "at": entry.at,
        "message": message,
        "role": "assistant",
        "labels": labels,
        "raw": entry.raw,
    }


def _beside(entry: Entry) -> Event:
    """An entry beside the conversation, or one that a message tells already."""
    payload = entry.payload
    texts = {
        "turn.error": ("error", payload.get("message")),
        "permission.request": ("permission", f"asked for {payload.get('toolName')}"),
        "permission.resolved": ("permission", payload.get("decision")),
        "session.cancelled": ("state", "cancelled by the user"),
        "atpo.intervene": ("state", payload.get("message") or "the supervisor steps in"),
    }
    if entry.event in texts:
        kind, text = texts[entry.event]
        said = string(text)
        return Notice(kind=kind, text=said, record=entry.record, at=entry.at, raw=entry.raw)
    return Opaque(
        kind=entry.event or "event",
        problem=entry.problem,
        record=entry.record,
        at=entry.at,
        raw=entry.raw,
    )


def _is_within(turn: Turn, written: Document) -> bool:
    """Whether the turn was over when the copy was written: a kill may come between the two."""
    return turn.ended is None or written.updated is None or turn.ended <= written.updated


def _common_start(one: list[Json], other: list[Json]) -> int:
    """How many messages two copies have in common from the start.

    Their system prompts may differ, and what is masked.
    """
    count = 0
    for left, right in zip(one, other, strict=False):
        if _identity(left) != _identity(right):
            break
        count += 1
    return count


def _identity(item: Json) -> Json:
    if not records.is_message(item) or item["role"] == "system":
        return _role(item)
    if item["role"] == "tool":
        return "tool", item.get("tool_call_id")
    return item


def _start(entry: Entry) -> tuple[str, str, str]:
    name = string(entry.payload.get("name")) or ""
    return entry.call, name, str(entry.payload.get("args"))


def _calls(item: Json) -> list[records.Called]:
    return records.calls(item) if isinstance(item, dict) else []


def _role(item: Json) -> str | None:
    return string(mapping(item).get("role"))
