"""Sessions of other tools as OpenCode's messages and parts.

OpenCode's form: user messages and assistant messages, a tool's result within the part of its call,
one answer for each step of the model. So

* a message of role tool, or a user's that holds results only, is gone: its results stand with
  their calls;
* where a call or a thought stands in a message that is no answer, an answer is opened for it;
* within an answer a ``step-start`` stands before what follows a result: without it the program
  would send texts, calls and results of one answer in another order;
* a compaction is a user message with a part of that type; the summary, whoever spoke it, becomes
  the answer to it, from which the program goes on;
* a system message is a user's with a synthetic text. The ones before the conversation, the
  other tool's own prompt, are ``ignored`` besides: kept, but not sent;
* undone messages at the end are a ``revert``, as OpenCode undoes.

Messages are ordered by (time, id), so times never fall and ids rise; none is later than now, for
the program would take its own new prompt for an older one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adapters.opencode import parts
from adapters.opencode.belonging import models, with_their_calls
from adapters.opencode.ids import Ids
from adapters.opencode.made import Made, answer_info, error_info, prompt_info
from finder.dataclass import dataclass, field
from finder.model import (
    Attachment,
    Compaction,
    Event,
    JsonObject,
    Message,
    Reasoning,
    Session,
    Subagent,
    Text,
    ToolCall,
    ToolResult,
)
from finder.writing import Plan, Report, Turn, turns

_ANSWERS = (ToolCall, ToolResult, Reasoning, Subagent)


@dataclass(slots=True)
class Told:
    """The messages of a session, and the id of the first undone one."""

    messages: list[Made]
    reverted: str | None = None


def told(session: Session, events: Sequence[Event], plan: Plan, report: Report) -> Told:
    """The session's messages; what becomes of each event goes into the report."""
    return _Teller.of(session, events, plan, report).told()


@dataclass(slots=True)
class _Teller:
    session: Session
    events: Sequence[Event]
    plan: Plan
    report: Report
    ids: Ids
    clock: int
    models: dict[int, str]  # by the message event's id()
    calls: dict[int, parts.Called]  # by the call event's id()
    taken: set[int]  # events that stand with their call
    messages: list[Made] = field(default_factory=list)
    turn: Turn = field(default_factory=lambda: Turn(None, ()))
    current: Made | None = None
    place: int = 0  # of the event that is being told
    opened: bool = False  # a message stands for the turn's own
    talking: bool = False  # the conversation has begun
    user: str = ""  # id of the newest user message
    asked: Made | None = None  # a compaction whose summary is to come
    by_record: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, session: Session, events: Sequence[Event], plan: Plan, report: Report) -> _Teller:
        calls, taken = with_their_calls(events, plan, report)
        known = [e.at for e in events if e.type == "message" and e.at is not None]
        starts = [at for at in (session.created, *known[:1]) if at is not None]
        ids = Ids(plan.id)
        return cls(
            session=session,
            events=events,
            plan=plan,
            report=report,
            ids=ids,
            clock=max(0, min([*starts[:2], plan.now]) if starts else plan.now),
            models=models(session, events),
            calls=calls,
            taken=taken,
            user=ids.nobody(),
        )

    def told(self) -> Told:
        places = {id(event): place for place, event in enumerate(self.events)}
        for turn in turns(self.events):
            self.turn, self.current, self.opened = turn, None, False
            for event in self._content():
                self.place = places[id(event)]
                self._event(event)
            self._close()
        return Told(self.messages, self._undone())

    def _content(self) -> Iterator[Event]:
        for event in self.turn.content:
            if id(event) not in self.taken:
                yield event

    def _event(self, event: Event) -> None:
        match event:
            case Text():
                self._text(event)
            case Reasoning():
                made = self._step()
                provider = str(made.info["providerID"])
                self._add(made, parts.reasoning_part(event, made.at, provider, self.report), event)
            case ToolCall():
                self._tool(self.calls[id(event)])
            case ToolResult():
                self._stray_result(event)
            case Attachment():
                made = self._fitting(event)
                self._add(made, parts.file_part(event, self.report), event)
            case Subagent():
                self._subagent(event)
            case Compaction():
                self._compaction(event)
            case _:
                note = "beside the conversation: another tool's own record"
                self.report.dropped(event, note=note)

    # -- messages ---------------------------------------------------------------------------

    def _open(self, role: str, *, summary: bool = False) -> Made:
        """A new message; the first of a turn stands for the turn's own."""
        message = None if self.opened else self.turn.message
        self.opened = True
        self._finish()
        self.clock = self._when(message.at if message else None)
        info: JsonObject = {"id": self.ids.message(), "sessionID": self.plan.id, "role": role}
        info["time"] = {"created": self.clock}
        model = self.models.get(id(self.turn.message), self.session.model or "")
        agent = (message and message.agent) or self.session.agent or "build"
        if role == "user":
            info |= prompt_info(model, agent)
            self.user = info["id"]
        else:
            place = self.plan.directory or self.session.directory or ""
            by = "compaction" if summary else agent
            info |= {"parentID": self.user, **answer_info(message, model, by, self.clock, place)}
            if message is not None and not summary:
                self._error(message, info)
        made = self.current = Made(info)
        self.messages.append(made)
        if message is not None and message.record is not None:
            self.by_record[message.record] = made.id
        return made

    def _error(self, message: Message, info: JsonObject) -> None:
        """An answer that was cut off says so; another error would keep it from being sent."""
        spoken = any(id(e) not in self.taken for e in self.turn.content if _is_spoken(e))
        if "interrupted" in message.labels:
            info["error"] = {"name": "MessageAbortedError", "data": {"message": "Aborted"}}
        elif message.error is not None and spoken:
            note = "OpenCode does not send an answer that has an error; the answer is kept"
            self.report.dropped(message, "error", note=note)
        elif message.error is not None:
            info["error"] = error_info(message.error)

    def _when(self, at: int | None) -> int:
        return self.clock if at is None else max(min(at, self.plan.now), self.clock)

    def _finish(self) -> None:
        if self.current is not None:
            self.current.finish()
        self.current = None

    def _close(self) -> None:
        """End the turn. A message of which nothing is left is gone, an empty one is not."""
        self._finish()
        message = self.turn.message
        if self.opened or message is None:
            return
        if any(id(event) in self.taken for event in self.turn.content):
            self.report.dropped(message, note="its results stand with their calls")
        elif message.role != "tool":
            made = self._open(self._role(None))
            made.hidden = "hidden" in message.labels
            self._finish()

    def _fitting(self, event: Event) -> Made:
        """The turn's open message in the voice of an event, or a new one."""
        role = self._role(event)
        made = self.current
        if made is not None and made.role == role and not made.info.get("summary"):
            return made
        return self._open(role)

    def _role(self, event: Event | None) -> str:
        """Whose words they are: the message's, else the event's own."""
        message = self.turn.message
        if message is not None and message.role in ("user", "system"):
            return "user"
        if message is not None and message.role == "assistant":
            return "assistant"
        if event is not None and event.role is not None:
            return "assistant" if event.role == "assistant" else "user"
        answers = message is not None and any(isinstance(e, _ANSWERS) for e in self._content())
        return "assistant" if answers else "user"

    def _step(self) -> Made:
        """An answer, and in it a new step where a result came before."""
        made = self.current
        if made is None or made.role != "assistant" or made.info.get("summary"):
            made = self._open("assistant")
        self.talking = True
        if made.answered is not None and made.answered < self.place:
            self._put(made, {"type": "step-start"})
            made.answered = None
        return made

    def _put(self, made: Made, part: JsonObject) -> None:
        made.parts.append({**self._owner(made), **part})

    def _owner(self, made: Made) -> JsonObject:
        return {"id": self.ids.part(), "sessionID": self.plan.id, "messageID": made.id}

    def _add(self, made: Made, part: JsonObject, event: Event) -> None:
        if made.hidden or not made.parts:
            made.hidden = "hidden" in event.labels
        self._put(made, part)

    # -- content ----------------------------------------------------------------------------

    def _text(self, event: Text) -> None:
        if self.asked is not None and "summary" in event.labels:
            made = self.current
            if made is None or not made.info.get("summary"):
                made = self._open("assistant", summary=True)
                made.info |= {"summary": True, "parentID": self.asked.id}
        else:
            made = self._fitting(event)
            if made.role == "assistant":
                made = self._step()
        part = parts.text_part(event, made.at)
        message = self.turn.message
        if message is not None and message.role == "system":
            part["synthetic"] = True
            if not self.talking:
                part["ignored"] = True
        elif made.role in ("user", "assistant"):
            self.talking = True
        self._add(made, part, event)
        if "hidden" in event.labels and made.role == "user":
            made.texts.append(made.parts[-1])

    def _tool(self, called: parts.Called) -> None:
        made = self._step()
        called.at = made.at
        self._add(made, parts.tool_part(called, self.report), called.call)
        name = made.parts[-1]["callID"] = called.call.call or made.parts[-1]["id"]
        for event in (called.call, called.result, called.subagent):
            if event is not None:
                self.report.renamed(event, name, note="a call needs an id")
        for file in made.parts[-1]["state"].get("attachments", ()):
            file.update(self._owner(made))
        for attachment in called.loose:
            self._add(made, parts.file_part(attachment, self.report), attachment)
        if made.answered is None or called.answered < made.answered:
            made.answered = called.answered

    def _stray_result(self, event: ToolResult) -> None:
        """A result without a call: OpenCode has no place for it but a call."""
        call = ToolCall(call=event.call, name="unknown", input={}, at=event.started)
        self._tool(parts.Called(call, self.place, result=event))

    def _subagent(self, event: Subagent) -> None:
        """A subagent that no call is known of: as the call that OpenCode would have made."""
        call = parts.task_call(event)
        child = self.plan.ids.get(event.child) if event.child else None
        result = parts.task_result(event, call.call)
        called = parts.Called(call, self.place, result=result, subagent=event, child=child)
        self._tool(called)

    def _compaction(self, event: Compaction) -> None:
        if not self._is_summarised(event):
            note = "OpenCode cuts the context only where a summary follows"
            self.report.dropped(event, note=note)
            return
        alone = all(e is event for e in self._content() if _is_spoken(e))
        message = self.turn.message
        stands_for_it = alone and message is not None and message.role == "user"
        opened, self.opened = self.opened, self.opened or not stands_for_it
        made = self._open("user")
        self.opened = opened or stands_for_it
        part: JsonObject = {"type": "compaction", "auto": event.auto is True}
        if event.keep in self.by_record and self.by_record[event.keep] != made.id:
            part["tail_start_id"] = self.by_record[event.keep]
        elif event.keep is not None:
            self.report.dropped(event, "keep", note="what it names is not among the messages")
        self._add(made, part, event)
        self.asked = made
        self._finish()

    def _is_summarised(self, event: Compaction) -> bool:
        following = False
        for other in self.events:
            if other is event:
                following = True
            elif following and isinstance(other, Compaction):
                return False
            elif following and isinstance(other, Text) and "summary" in other.labels:
                return True
        return False

    def _undone(self) -> str | None:
        """The first of the messages at the end that are hidden; texts elsewhere are `ignored`."""
        first = len(self.messages)
        while first and self.messages[first - 1].hidden:
            first -= 1
        for made in self.messages[:first]:
            for part in made.texts:
                part["ignored"] = True
        return self.messages[first].id if first < len(self.messages) else None


def _is_spoken(event: Event) -> bool:
    return event.type not in ("notice", "opaque", "message")
