"""A message of Clacky's while it is made from events; `adapters.clacky.compose` makes them."""

from __future__ import annotations

from typing import Literal

from finder.dataclass import dataclass
from finder.model import Attachment, Event, JsonObject, Message, Role, ToolCall, ToolResult

State = Literal["live", "archived", "hidden"]

# What 1.x puts in the place of a result that never came (message_history.rb).
MISSING = '{"error":"Tool result missing (interrupted)"}'
UNDONE = 1  # the task of what was undone


class Entry:
    """One message of Clacky's to be, but for those that answer a call.

    Attributes:
        flagged: the tool speaks.
        message: the source's message that it opens.
        texts: content parts, in order.
        told: the events that it tells besides files and calls, in the order of their reading.
        names, arguments: the ids of its calls here, and what each is given, as text.
        answered: results of its calls followed.
        sealed: and then something else, so that no more calls were made together with these.
        after: images that came with these results.
    """

    def __init__(self, role: Role, state: State, *, flagged: bool) -> None:
        self.role = role
        self.state = state
        self.flagged = flagged
        self.summary = False
        self.at: int | None = None
        self.message: Message | None = None
        self.texts: list[JsonObject] = []
        self.told: list[Event] = []
        self.reasoning: str | None = None
        self.files: list[tuple[Attachment, JsonObject]] = []
        self.calls: list[ToolCall] = []
        self.names: list[str] = []
        self.arguments: list[str] = []
        self.answered = False
        self.sealed = False
        self.after: list[Attachment] = []

    @property
    def events(self) -> list[Event]:
        """All that it tells, in the order of their reading."""
        files = [file for file, _ in self.files] if self.files else ()
        return [*self.told, *files, *self.calls]

    @property
    def hidden(self) -> bool:
        return self.state == "hidden"


@dataclass(slots=True)
class Answer:
    """The message that answers a call: `call` is its id, `result` the source's, if it has one."""

    role, flagged, summary, message = "tool", False, False, None
    state: State
    call: str
    result: ToolResult | None = None
    at: int | None = None
    output: str = MISSING

    @property
    def events(self) -> list[Event]:
        """All that it tells."""
        return [] if self.result is None else [self.result]


AnyEntry = Entry | Answer
