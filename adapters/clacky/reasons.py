"""Why events differ once they are Clacky's messages: what its messages cannot say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adapters.clacky import injected, made, results
from adapters.clacky.parts import Common
from finder.dataclass import dataclass, field
from finder.model import (
    Attachment,
    Event,
    JsonObject,
    Label,
    Labels,
    Message,
    Reasoning,
    Role,
    Subagent,
    Text,
    ToolCall,
    ToolResult,
)
from finder.writing import LossKind, Report

NO_CONTENT = "OpenClacky has no messages without content"
ALTERED: tuple[LossKind, ...] = ("changed", "invented", "dropped")
_NOT_UNICODE = "halves of characters: Ruby could not write them again"
_NO_FLAG = "OpenClacky has no flag for it"
_BY_WORDS = "OpenClacky knows it by its words, or by where it stands"
_LOWERED: dict[Label, str] = {
    "compacted": "no summary stands for it, or what it belongs to is still in the context",
    "inferred": "what was deduced is stated now",
    "hidden": "OpenClacky undoes whole messages only",
}


@dataclass(slots=True)
class Reasons:
    """Reports on events, one by one. `roles`: who speaks in each, by `id()`."""

    report: Report
    roles: Mapping[int, Role | None]
    _subagents: list[Subagent] = field(default_factory=list)
    _told_subagents: dict[str, tuple[str, bool]] = field(default_factory=dict)

    # -- fields that all have ------------------------------------------------------------

    def role(self, event: Event, theirs: Role) -> None:
        """The role under which it is written."""
        ours = self.roles[id(event)]
        if ours is None:
            self.report.invented(event, "role", note="every message has one")
        elif ours != theirs:
            note = "OpenClacky has it under another role, where providers take it"
            self.report.changed(event, "role", note=note)

    def labels(self, event: Event, theirs: Labels, *, hidden: bool) -> None:
        """The labels that it will be read with, besides that it was undone."""
        if hidden:
            theirs = (*theirs, "hidden")
        if event.labels == theirs:  # as nearly always
            return
        for label in event.labels:
            if label not in theirs:
                self.report.lowered(event, f"labels.{label}", note=_LOWERED.get(label, _NO_FLAG))
        for label in theirs:
            if label not in event.labels:
                self.report.invented(event, f"labels.{label}", note=_BY_WORDS)

    def cleaned(self, event: Event, name: str, text: str) -> str:
        """A text as it can be written."""
        cleaned = made.clean(text)
        if cleaned != text:
            self.report.changed(event, name, note=_NOT_UNICODE)
        return cleaned

    def without_content(self, message: Message) -> None:
        """A message that is not written."""
        self.report.dropped(message, note=NO_CONTENT)

    # -- content -------------------------------------------------------------------------

    def text(self, event: Text, text: str, role: Role, *, flagged: bool, hidden: bool) -> None:
        """A text of a live message: its first words may tell something of their own."""
        pieces = injected.pieces(text, role, flagged=flagged)
        if len(pieces) > 1:
            note = "a person's words within OpenClacky's own are told apart"
            self.report.reshaped(event, "text", "labels", note=note)
            self.report.rule("invented", "text", None, note)
        known = pieces[0].labels
        if injected.is_summary_text(text):
            self.report.rule("invented", "compaction", None, _BY_WORDS)
            known += ("summary",) if flagged else ()
        self.labels(event, known, hidden=hidden)

    def reasoning(self, event: Reasoning, *, hidden: bool) -> None:
        self.role(event, "assistant")
        self.labels(event, (), hidden=hidden)
        if event.signature is not None:
            self.report.dropped(event, "signature", note="OpenClacky keeps no signatures")
            self.report.changed(event, "order", note="it is known by its words alone")
        if event.redacted:
            note = "OpenClacky does not mark thoughts that a provider hid"
            self.report.changed(event, "redacted", note=note)

    def _partly(self, event: Attachment, names: Sequence[str], note: str) -> None:
        """A file of which some is not kept, so that others may look like it."""
        for name in names:
            if getattr(event, name) is not None:
                self.report.dropped(event, name, note=note)
                self.report.changed(event, "order", note="it is known by what is left of it")

    def image(self, event: Attachment, *, flagged: bool, hidden: bool) -> None:
        inline = event.data is not None or (event.url or "").startswith("data:")
        self.role(event, "user")
        self.labels(event, ("synthetic",) if flagged else (), hidden=hidden)
        note = "OpenClacky keeps only an image itself, or where it is"
        self._partly(event, ("name", "path", "url" if inline else "mime"), note)
        if inline and event.data is None:
            self.report.invented(event, "data", note="it stood in the address")

    def file(self, event: Attachment, file: JsonObject, *, hidden: bool) -> None:
        self.role(event, "user")
        self.labels(event, (), hidden=hidden)
        note = "of a file that is no image OpenClacky keeps its name and place"
        self._partly(event, ("data", "url", "mime"), note)
        if event.name is None:
            self.report.invented(event, "name", note="the last part of its path")
        elif file["name"] != event.name:
            self.report.changed(event, "name", note="a name is not empty, and Unicode")
        if event.path == "":
            self.report.dropped(event, "path", note="an empty path is none")
        elif file["path"] != event.path:
            self.report.changed(event, "path", note=_NOT_UNICODE)

    def call(self, event: ToolCall, *, exact: bool) -> None:
        """A call; `exact`: its arguments are what they were."""
        self.role(event, "assistant")
        if event.input is None:
            self.report.invented(event, "input", note="providers demand an object of arguments")
        elif not exact:
            note = "providers demand an object of JSON: what was given stands within one"
            self.report.changed(event, "input", note=note)
        if made.tool_name(event.name) != event.name:
            self.report.changed(event, "name", note="a tool has a name, in Unicode")

    def call_id(self, event: ToolCall | ToolResult, name: str) -> None:
        if event.call != name:
            note = "providers take no such ids, and each once in an answer"
            self.report.renamed(event, name, note=note)

    def nobody_called(self) -> None:
        """A result that no call is known of; its call was archived or thrown away."""
        note = "every result needs a call, and this one's is not known"
        self.report.rule("invented", "tool_call", None, note)

    def result(self, call: ToolCall, event: ToolResult, output: str, *, hidden: bool) -> None:
        """The result of a live call: its words tell how the call ended."""
        common: Common = {"record": "", "message": "", "role": "tool", "at": None}
        first, *others = results.events(call.call, output, common, (), {call.call: call})
        if isinstance(first, ToolResult):
            if first.output != output:
                note = "a reminder of OpenClacky's own behind it is told apart"
                self.report.changed(event, "output", note=note)
            if first.status != event.status:
                note = "OpenClacky tells how a call ended by what came back alone"
                self.report.changed(event, "status", note=note)
            self.labels(event, first.labels, hidden=hidden)
        for other in others:
            if other.type == "subagent":
                name = self.report.calls.get(id(event), event.call)
                self._told_subagents[event.call] = name, hidden
            self.report.rule("invented", other.type, None, _BY_WORDS)

    def result_fields(self, event: ToolResult) -> None:
        """What no result has, live or archived."""
        self.role(event, "tool")
        if event.output is None:
            note = "every call needs a result: this one's has no text yet"
            self.report.invented(event, "output", note=note)

    # -- subagents -----------------------------------------------------------------------

    def subagent(self, event: Subagent) -> None:
        """One that is told by its call, or not at all: known when all results are."""
        self._subagents.append(event)

    def subagents(self) -> None:
        """Report on all of them."""
        names: Sequence[str] = ("agent", "prompt", "result", "status", "child", "role", "at")
        for event in self._subagents:
            told = None if event.call is None else self._told_subagents.get(event.call)
            if told is None:
                note = "OpenClacky keeps no subagent: its call and what came of it stay"
                self.report.dropped(event, note=note)
                continue
            call, hidden = told
            self.report.renamed(event, call, note=_BY_WORDS)
            self.labels(event, (), hidden=hidden)
            self.report.rule("changed", "subagent", "order", _BY_WORDS)
            for name in names:
                for kind in ALTERED:
                    self.report.rule(kind, "subagent", name, _BY_WORDS)
