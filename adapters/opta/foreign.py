"""Sessions of other tools as Opta's messages.

What Opta takes, and goes on from (memory/store.ts, core/agent.ts):

* the first message is the system prompt, a text: Opta puts its list of tools into the first one it
  finds, and compaction leaves the first message where it is. A session without one gets what every
  prompt of Opta's has, the working directory;
* an answer is one text and then calls; the results follow it, one for each call. Two calls of one
  id in the same answer would be taken for one;
* only the user has images;
* a compaction is a user's message that begins with certain words, directly behind the prompt. What
  came before has no place: Opta would send it to the model again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapters.opta import injected, records
from finder.dataclass import dataclass, field
from finder.jsonio import array
from finder.model import (
    Attachment,
    Compaction,
    Event,
    Json,
    JsonObject,
    Message,
    Reasoning,
    Role,
    Session,
    Subagent,
    Text,
    ToolCall,
    ToolResult,
)
from finder.writing import Plan, Report, Turn, answers, turns

_GONE = {
    "hidden": "undone or put aside: Opta would send it to the model",
    "compacted": "it has left the live context, and Opta keeps nothing else",
}
_NOT_STARTED = "by the words of the result, Opta tells of no subagent that was started"


@dataclass(slots=True)
class Made:
    """A message in the making, and the messages that follow it at once.

    Attributes:
        parts: its content.
        results: tool messages, one for each of its calls.
        images: parts that came with the results.
        is_summary: it stands for what came before it.
    """

    role: Role
    parts: list[JsonObject] = field(default_factory=list)
    calls: list[JsonObject] = field(default_factory=list)
    results: list[JsonObject] = field(default_factory=list)
    images: list[JsonObject] = field(default_factory=list)
    is_summary: bool = False

    def messages(self) -> list[JsonObject]:
        """The records."""
        message: JsonObject = {"role": self.role, "content": self._content()}
        if self.calls:
            message["tool_calls"] = self.calls
        images = [{"role": "user", "content": self.images}] if self.images else []
        return [message, *self.results, *images]

    def _content(self) -> Json:
        if not self.parts:
            return None
        only = self.parts[0] if len(self.parts) == 1 else {}
        return only.get("text", self.parts)


def messages(
    session: Session, events: Sequence[Event], plan: Plan, report: Report
) -> list[JsonObject]:
    """The session's messages; what becomes of each event goes into the report."""
    return _Teller.of(session, events, plan, report).messages()


def _reason_gone(event: Event) -> str | None:
    """Why it is not in what the model knows of the session; None: it is."""
    return next((reason for label, reason in _GONE.items() if label in event.labels), None)


@dataclass(slots=True)
class _Teller:
    session: Session
    events: Sequence[Event]
    plan: Plan
    report: Report
    results: dict[int, ToolResult]  # by the call event's id()
    answered: set[int]  # results that stand with their calls
    uses: Mapping[str, int]  # of each call id
    made: list[Made] = field(default_factory=list)
    turn: Turn = field(default_factory=lambda: Turn(None, ()))
    fresh: bool = True  # nothing of the turn was written yet
    thought: bool = False  # the model thought again since the last call
    calling: Made | None = None  # the latest answer with calls
    called: dict[str, tuple[str, str]] = field(default_factory=dict)  # tool and output, by call id
    told: set[str] = field(default_factory=set)  # ids of calls that stand for a subagent

    @classmethod
    def of(cls, session: Session, events: Sequence[Event], plan: Plan, report: Report) -> _Teller:
        results: dict[int, ToolResult] = {}
        for call, result in answers(events).items():
            found = events[result]
            assert isinstance(found, ToolResult)
            results[id(events[call])] = found
        answered = {id(result) for result in results.values()}
        uses = Counter(event.call for event in events if isinstance(event, ToolCall))
        return cls(session, events, plan, report, results, answered, uses)

    def messages(self) -> list[JsonObject]:
        for turn in turns(self.events):
            self.turn, self.fresh, self.thought = turn, True, False
            for event in turn.content:
                self._event(event)
            if self.fresh and turn.message is not None:
                self._nothing_left(turn.message)
        return [message for made in self._in_order() for message in made.messages()]

    def _nothing_left(self, message: Message) -> None:
        answered = any(id(event) in self.answered for event in self.turn.content)
        note = "its results stand with their calls" if answered else "nothing of it is left"
        self.report.dropped(message, note=_reason_gone(message) or note)

    def _in_order(self) -> list[Made]:
        """The system prompt, the newest summary, and then what stayed beside the summary."""
        found = self.made
        if not found or found[0].role != "system":
            directory = self.plan.directory or self.session.directory
            prompt = f"Working directory: {directory}" if directory else ""
            found = [Made("system", [records.text_part(prompt)]), *found]
        start = next((i for i, made in enumerate(found) if made.role != "system"), len(found))
        newest = max((i for i, made in enumerate(found) if made.is_summary), default=start)
        if newest > start:
            found = [*found[:start], found[newest], *found[start:newest], *found[newest + 1 :]]
        return found

    # -- events -----------------------------------------------------------------------------

    def _event(self, event: Event) -> None:
        kind = event.type
        if kind == "tool_result" and id(event) in self.answered:
            return  # it stands with its call, or goes with it
        tell = _TELLERS.get(kind)
        if tell is None:
            return  # see `reasons`
        gone = _reason_gone(event) if event.labels else None
        if gone is None:
            tell(self, event)
        else:
            self._gone(event, gone)

    def _gone(self, event: Event, note: str) -> None:
        for one in (event, self.results.get(id(event))):
            if one is not None:
                self.report.dropped(one, note=note)
                # The words may stand there all the same: as a result that was made up.
                self.report.lowered(one, note=note)

    def _role(self, event: Event) -> Role:
        role = event.role or (self.turn.message.role if self.turn.message else None)
        return role if role in ("system", "assistant") else "user"

    def _open(self, role: Role) -> Made:
        self.fresh = self.thought = False
        self.made.append(Made(role))
        return self.made[-1]

    def _answer(self) -> Made:
        """The turn's answer, as long as only calls follow in it."""
        made = self.made[-1] if self.made and not self.fresh else None
        again = made is None or made.role != "assistant" or (made.calls and self.thought)
        return self._open("assistant") if made is None or again else made

    def _users(self) -> Made:
        made = self.made[-1] if self.made and not self.fresh else None
        if made is None or made.role != "user" or made.is_summary:
            made = self._open("user")
        return made

    # -- content ----------------------------------------------------------------------------

    def _thought(self, event: Reasoning) -> None:
        self.thought = True
        self._gone(event, "Opta keeps no thoughts")

    def _text(self, event: Text) -> None:
        role = self._role(event)
        if not event.text:
            note = "an empty text is known by its place alone"
            self.report.reshaped(event, "text", note=note)
        if "summary" in event.labels and role != "system":
            self._summary(event)
            return
        if role == "user":
            pieces = [piece.text for piece in injected.pieces(event.text, "user")]
            if pieces != [event.text]:
                note = "by these very words Opta's own additions to a text begin"
                self.report.reshaped(event, "text", note=note)
            made = self._users()
        elif role == "system":
            made = self._open("system")
        else:
            made = self._answer()
            if made.parts or made.calls:
                made = self._open("assistant")
        made.parts.append(records.text_part(event.text))

    def _summary(self, event: Text) -> None:
        made = self.made[-1] if self.made and not self.fresh else None
        if made is None or not made.is_summary:
            made = self._open("user")
            made.is_summary = True
            if not injected.is_summary(event.text):
                made.parts.append(records.text_part(injected.SUMMARY))
        made.parts.append(records.text_part(event.text))

    def _compaction(self, event: Compaction) -> None:
        """Of one that is live the summary behind it tells."""

    def _call(self, event: ToolCall, result: ToolResult | None = None) -> None:
        result = result or self.results.get(id(event))
        call = event.call or f"call_{len(self.called) + 1}"
        made = self._answer()
        if made.calls and any(other["id"] == call for other in made.calls):
            made = self._open("assistant")
        for one in (event, result):
            if one is not None and one.call != call:
                self.report.renamed(one, call, note="a call needs an id")
        if event.input is None:
            self.report.invented(event, "input", note="Opta demands arguments")
        name = event.name or "unknown"
        text = "{}" if event.input is None else records.argument_text(event.input)
        function = {"name": name, "arguments": text}
        made.calls.append({"id": call, "type": "function", "function": function})
        output = injected.NO_RESULT if result is None else self._output(result)
        self.called[call] = name, output
        made.results.append({"role": "tool", "content": output, "tool_call_id": call})
        self.calling = made

    def _output(self, result: ToolResult) -> str:
        if result.output is not None:
            return result.output
        self.report.invented(result, "output", note="Opta demands an output, if an empty one")
        return "" if result.status == "ok" else injected.NO_RESULT

    def _stray_result(self, event: ToolResult) -> None:
        """A result without a call: Opta would drop it before it asks the model."""
        self._call(ToolCall(call=event.call, name="unknown", input={}), event)

    def _attachment(self, event: Attachment) -> None:
        part = records.image_part(event)
        if event.data is None and part is not None:
            self.report.invented(event, "data", note="the bytes stand in its URL")
        if part is None:
            note = "Opta has images alone, as bytes or by their URL"
            self.report.dropped(event, note=note)
            return
        if event.data == "":
            note = "an image of no bytes is known by its place alone"
            self.report.reshaped(event, "data", note=note)
        made = self.calling if event.role == "tool" else None
        if made is not None:
            made.images.append(part)
        else:
            made = self._users()
            made.parts.append(part)

    def _subagent(self, event: Subagent) -> None:
        if event.call not in self.called or event.call in self.told:
            self._told_subagent(event)
            return
        name, output = self.called[event.call]
        if name not in records.SUBAGENT_TOOLS:
            linked = "; a tag names the session" if event.child in self.plan.ids else ""
            self._gone(event, f"its call and its result tell the same{linked}")
        elif injected.is_denied(output) or self.uses[event.call] > 1:
            self._gone(event, _NOT_STARTED)

    def _told_subagent(self, event: Subagent) -> None:
        """A subagent that no call is known of, as the call that Opta would have made."""
        tool, argument = next(iter(records.SUBAGENT_TOOLS.items()))
        id_ = event.call or f"{tool}_{len(self.called) + 1}"
        given = {} if event.prompt is None else {argument: event.prompt}
        unfinished = event.result is None and event.status in (None, "running", "pending")
        result = ToolResult(call=id_, output=event.result or "", status=event.status or "ok")
        note = "told as a call, as Opta would have started it"
        self.report.renamed(event, id_, note=note)
        self.report.reshaped(event, None, note=note)
        self.told.add(id_)
        self._call(ToolCall(call=id_, name=tool, input=given), None if unfinished else result)


_TELLERS: dict[str, Callable[[_Teller, Any], None]] = {
    "text": _Teller._text,
    "reasoning": _Teller._thought,
    "tool_call": _Teller._call,
    "tool_result": _Teller._stray_result,
    "attachment": _Teller._attachment,
    "subagent": _Teller._subagent,
    "compaction": _Teller._compaction,
}


def links(events: Sequence[Event], plan: Plan) -> list[str]:
    """Tags that name the sessions with which this one is written, above and below it."""
    above = plan.ids.get(plan.parent) if plan.parent else None
    children = (event.child for event in events if isinstance(event, Subagent) and event.child)
    below = [plan.ids[child] for child in children if child in plan.ids]
    if above is None:  # all others are below the top, also those that it does not speak of
        below += plan.ids.values()
    tags = [f"subagent-of:{above}"] if above else []
    return [*tags, *(f"subagent:{id_}" for id_ in dict.fromkeys(below) if id_ != plan.id)]


def calls(made: Sequence[Json]) -> int:
    """How many tools were called."""
    return sum(len(array(item.get("tool_calls"))) for item in made if isinstance(item, dict))
