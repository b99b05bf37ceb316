"""Events of other tools as Clacky's messages.

A message of Clacky's is what one side says at once: a user's texts and images, or an answer as
thoughts, one text, calls, in this order; each call's result is a message that follows. A message
of another tool becomes as many of these as its order needs. Where the tool speaks instead of a
person or the model, the message has ``system_injected``: it is sent, but not shown.

What left the live context goes to an archive (`adapters.clacky.archiving`), if a summary stands in
its place. What was undone gets a task of its own that is not active, as Clacky does it. Messages
have no ``task_id`` otherwise: so no version hides any of them, and undoing in Clacky cannot take
away what was said elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from adapters.clacky import made
from adapters.clacky.entry import Answer, AnyEntry, Entry, State
from adapters.clacky.reasons import Reasons
from finder.model import (
    Attachment,
    Compaction,
    Event,
    Label,
    Message,
    Reasoning,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from finder.writing import CONTENT_TYPES, Report, Turn, answers, turns

_SPOKEN = CONTENT_TYPES - {"subagent"}


class Composer:
    """Arranges a session's events as messages, and says what does not fit.

    `answers`: which result answers which call, see `finder.writing.answers`.
    """

    def __init__(self, report: Report, events: Sequence[Event]) -> None:
        self.report = report
        self.events = events
        self.entries: list[AnyEntry] = []
        self.answers = answers(events)
        self._reasons = Reasons(report, _roles(events))
        self._place = dict(zip(map(id, events), range(len(events)), strict=True))
        self._result_of: dict[int, ToolResult] = {}  # by the call's `id()`
        self._call_of: dict[int, Event] = {}  # by the result's
        self._state: State = "live"
        self._open: Entry | None = None
        self._own: Entry | None = None  # what a person said in this message, for files that follow
        self._unopened: Message | None = None
        self._pending: tuple[Compaction, Message | None] | None = None

    def compose(self) -> list[AnyEntry]:
        """The messages, in the order of the story."""
        for call, place in self.answers.items():
            result = self.events[place]
            if isinstance(result, ToolResult):
                self._result_of[id(self.events[call])] = result
                self._call_of[id(result)] = self.events[call]
        cut = self._place_of_summary()
        beside = self._beside
        take: dict[str, Callable[[Any], None]] = {
            "text": self._text,
            "reasoning": self._reasoning,
            "tool_call": self._call,
            "tool_result": self._result,
            "attachment": self._attachment,
            "subagent": self._reasons.subagent,
            "compaction": self._compaction,
        }
        for turn in turns(self.events):
            self._start(turn, cut)
            for event in turn.content:
                take.get(event.type, beside)(event)
            self._close()
        self._leave_message()
        self._forget_pending()
        self._reasons.subagents()
        return self.entries

    # -- turns ---------------------------------------------------------------------------

    def _place_of_summary(self) -> int:
        """Where the last live summary stands: what left the context before it is archived."""
        places = [
            place
            for place, event in enumerate(self.events)
            if isinstance(event, Text)
            and event.text
            and {"summary", "compacted"} & set(event.labels) == {"summary"}
        ]
        return places[-1] if places else -1

    def _start(self, turn: Turn, cut: int) -> None:
        if turn.message is not None:
            self._leave_message()
            self._unopened = turn.message
        self._own = None
        spoken: list[Event] = [event for event in turn.content if event.type in _SPOKEN]
        if not spoken and turn.message is not None:
            spoken = [turn.message]
        shared = _shared_labels(spoken)
        first = turn.message or turn.content[0]
        leads = not self.entries and self._reasons.roles[id(first)] == "system"
        if "compacted" in shared and self._place[id(first)] < cut and not leads:
            self._state = "archived"
        else:
            self._state = "hidden" if "hidden" in shared else "live"

    def _leave_message(self) -> None:
        """Another message begins: the one before may have had nothing that could be written."""
        message, self._unopened = self._unopened, None
        waits = self._pending is not None and self._pending[1] is message
        if message is not None and message.role != "tool" and not waits:
            self._reasons.without_content(message)

    def _beside(self, _: Event) -> None:
        """What is no part of the conversation: a mark between calls that were not made together."""
        if self._open is not None and self._open.answered:
            self._open.sealed = True

    # -- entries -------------------------------------------------------------------------

    def _new(self, role: Role, event: Event, *, flagged: bool = False) -> Entry:
        self._close()
        entry = Entry(role, self._state, flagged=flagged)
        message, self._unopened = self._unopened, None
        entry.message = message
        entry.at = event.at if message is None or message.at is None else message.at
        if message is not None:
            self._reasons.role(message, role)
        self.entries.append(entry)
        self._open = entry
        if role == "user" and not flagged:
            self._own = self._own or entry
        return entry

    def _close(self) -> None:
        """End the open message: what answers its calls follows."""
        entry, self._open = self._open, None
        if entry is None:
            return
        for call, name in zip(entry.calls, entry.names, strict=True):
            self.entries.append(self._answer(call, name, entry.state))
        if entry.after:
            state, self._state = self._state, entry.state
            shown = self._new("user", entry.after[0], flagged=True)
            for event in entry.after:
                self._show(shown, event)
            self._open, self._state = None, state

    def _for_text(self, role: Role, event: Event, *, flagged: bool) -> Entry:
        entry = self._open
        if entry is None or entry.role != role or entry.calls or entry.summary:
            return self._new(role, event, flagged=flagged)
        if role == "assistant" and not entry.texts:
            entry.flagged = flagged  # so far there are only thoughts in it
            return entry
        # An answer has one text; a section of an archive too.
        if role == "assistant" or entry.state == "archived" or entry.flagged != flagged:
            return self._new(role, event, flagged=flagged)
        return entry

    # -- what is said --------------------------------------------------------------------

    def _text(self, event: Text) -> None:
        if not event.text:
            self.report.dropped(event, note="OpenClacky has no empty texts")
        elif "summary" in event.labels:
            self._summary(event)
        else:
            role, flagged = self._voice(event)
            self._say(self._for_text(role, event, flagged=flagged), event)

    def _say(self, entry: Entry, event: Text) -> None:
        text = self._reasons.cleaned(event, "text", event.text)
        entry.texts.append({"type": "text", "text": text})
        entry.told.append(event)
        self._reasons.role(event, entry.role)
        if entry.summary and entry.state != "archived":
            self._reasons.labels(event, ("synthetic", "summary"), hidden=entry.hidden)
        elif entry.state != "archived":
            self._reasons.text(event, text, entry.role, flagged=entry.flagged, hidden=entry.hidden)

    def _voice(self, event: Text) -> tuple[Role, bool]:
        """Under which role Clacky has it, and whether as the tool's."""
        role, synthetic = self._reasons.roles[id(event)], "synthetic" in event.labels
        if role == "system" and not self.entries:
            return "system", True
        if role == "assistant" or role is None:
            return "assistant", synthetic
        # Each start of Clacky replaces the first system message by its own.
        return "user", synthetic or role != "user"

    def _reasoning(self, event: Reasoning) -> None:
        if self._state == "archived" or not event.text:
            note = "OpenClacky keeps no empty thoughts, and archives none"
            self.report.dropped(event, note=note)
            return
        entry = self._open
        if entry is None or entry.role != "assistant" or entry.events:
            entry = self._new("assistant", event)
        entry.reasoning = self._reasons.cleaned(event, "text", event.text)
        entry.told.append(event)
        self._reasons.reasoning(event, hidden=entry.hidden)

    # -- compaction ----------------------------------------------------------------------

    def _summary(self, event: Text) -> None:
        """What a compaction put in the place of older messages; all its texts as one message."""
        entry = self._open
        if entry is None or not entry.summary or self._state == "archived":
            entry = self._new_summary(event)
        self._say(entry, event)

    def _new_summary(self, event: Text) -> Entry:
        """Its message, which opens with the compaction that it belongs to."""
        pending, self._pending = self._pending, None
        own = self._unopened
        if pending is not None and pending[1] is not None:
            self._unopened = pending[1]
        # An archive names what a summary stands for in the heading of an answer.
        role: Role = "assistant" if self._state == "archived" else "user"
        entry = self._new(role, event, flagged=True)
        entry.summary = True
        if pending is None:
            self.report.rule("invented", "compaction", None, "known by its summary")
            return entry
        entry.told.append(pending[0])
        self._reasons.role(pending[0], role)
        if self._state != "archived":
            self._reasons.labels(pending[0], (), hidden=entry.hidden)
        if pending[1] is not own:
            self._unopened = own
        for message in (pending[1], own):
            if message is not None:
                note = "OpenClacky has a compaction and its summary in one message"
                self.report.dropped(message, note=note)
        return entry

    def _compaction(self, event: Compaction) -> None:
        self._forget_pending()
        self._close()
        self._pending = event, self._unopened

    def _forget_pending(self) -> None:
        """A compaction that no summary followed: for Clacky there was none."""
        if self._pending is not None:
            compaction, message = self._pending
            note = "OpenClacky knows a compaction by its summary, and there is none"
            self.report.dropped(compaction, note=note)
            if message is not None and message is not self._unopened:
                self._reasons.without_content(message)
            self._pending = None

    # -- files ---------------------------------------------------------------------------

    def _attachment(self, event: Attachment) -> None:
        role = self._reasons.roles[id(event)]
        file = made.display_file(event)
        if self._state == "archived":
            self.report.dropped(event, note="OpenClacky's archives have no files")
        elif made.image(event) is not None:
            if self._open is not None and self._open.answered and role == "tool":
                self._open.after.append(event)
                return
            flagged = "synthetic" in event.labels or role != "user"
            self._show(self._for_image(event, flagged=flagged), event)
        elif file is None or role != "user":
            # Nothing but a user's message shows files, and only by their names.
            note = "OpenClacky sends images only, and shows other files in a user's message"
            self.report.dropped(event, note=note)
        else:
            own = self._own or self._new("user", event)
            own.files.append((event, file))
            self._reasons.file(event, file, hidden=own.hidden)

    def _for_image(self, event: Attachment, *, flagged: bool) -> Entry:
        entry = self._open
        if entry is not None and entry.role == "user" and entry.flagged == flagged:
            if not entry.summary:
                return entry
        elif not flagged and self._own is not None:
            return self._own  # what the tool said of the file stands between
        return self._new("user", event, flagged=flagged)

    def _show(self, entry: Entry, event: Attachment) -> None:
        for name in ("data", "url"):
            self._reasons.cleaned(event, name, getattr(event, name) or "")
        entry.texts.append(made.image(event) or {})
        entry.told.append(event)
        self._reasons.image(event, flagged=entry.flagged, hidden=entry.hidden)

    # -- calls ---------------------------------------------------------------------------

    def _call(self, event: ToolCall) -> None:
        entry = self._open
        if entry is None or entry.role != "assistant" or entry.sealed or entry.summary:
            entry = self._new("assistant", event)
        exact = self._add_call(entry, event)
        self._reasons.call(event, exact=exact)
        if entry.state != "archived":
            self._reasons.labels(event, (), hidden=entry.hidden)

    def _add_call(self, entry: Entry, event: ToolCall) -> bool:
        """Add it under an id that providers take; whether it is given just what it was."""
        name = event.call
        if not made.is_call_id(name) or name in entry.names:
            name = f"call_{self._place[id(event)]}"
            while name in entry.names:
                name += "_"
        entry.calls.append(event)
        entry.names.append(name)
        text, exact = made.arguments(event.input)
        entry.arguments.append(text)
        if entry.state != "archived":  # there, nothing has an id
            self._reasons.call_id(event, name)
        return exact

    def _result(self, event: ToolResult) -> None:
        answered = self._call_of.get(id(event))
        if answered is not None:
            if self._open is not None and not self._open.answered:
                self._open.answered = any(call is answered for call in self._open.calls)
            return
        self._reasons.nobody_called()
        call = ToolCall(call=event.call, name="", input={}, at=event.at)
        self._result_of[id(call)] = event
        self._place[id(call)] = self._place[id(event)]
        self._add_call(self._new("assistant", event), call)
        self._close()

    def _answer(self, call: ToolCall, name: str, state: State) -> Answer:
        """The message that answers a call."""
        result = self._result_of.get(id(call))
        entry = Answer(state=state, call=name, result=result)
        if result is None:
            note = "an unanswered call gets the result that OpenClacky gives to one"
            self.report.rule("invented", "tool_result", None, note)
            return entry
        entry.at = result.at
        if result.output is not None:
            entry.output = self._reasons.cleaned(result, "output", result.output)
        elif result.status in ("ok", "error"):
            entry.output = ""
        self._reasons.result_fields(result)
        if state != "archived":
            self._reasons.call_id(result, name)
            self._reasons.result(call, result, entry.output, hidden=state == "hidden")
        return entry


def _shared_labels(events: Sequence[Event]) -> set[Label]:
    if not events or not events[0].labels:  # as nearly always
        return set()
    return set.intersection(*(set(event.labels) for event in events))


def _roles(events: Sequence[Event]) -> dict[int, Role | None]:
    """Who speaks: each event's role, else that of the message before it that it belongs to."""
    roles: dict[int, Role | None] = {}
    message: Message | None = None
    for event in events:
        role = event.role
        if event.type == "message":
            message = event
        elif not role and message is not None and event.message in (None, message.record):
            role = message.role
        roles[id(event)] = role or None
    return roles
