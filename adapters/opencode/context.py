"""What a whole session says about each of its messages: compacted, reverted, interrupted.

Marks of compaction, by version (seen in stores of each):

    0.1 to 1.0.0  an assistant message with ``summary: true``; the context goes on from the last
                  such message. No part says so.
    1.0.185 on    a user message with a ``compaction`` part, answered by an assistant message with
                  ``summary: true`` and ``parentID`` of that message. It counts if the answer
                  is finished and without error. ``tail_start_id`` (1.14.41 on) names the first
                  message that stays in the context besides.
    1.2.27 on     ``overflow: true``: the provider refused the context, and after the summary
                  the user's last message is stored a second time.

A revert hides the messages from ``revert.messageID`` on, or with ``partID`` the parts from that
one on; nothing is deleted before the next prompt.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.opencode.stored import StoredMessage
from finder.dataclass import dataclass
from finder.jsonio import mapping, string
from finder.model import JsonObject, Label


@dataclass(slots=True)
class Context:
    """Positions are indexes into the session's messages.

    Attributes:
        compacted: the messages before this one have left the context …
        kept: … but for the tail from this one on.
        old_summaries: messages that are themselves the mark of a compaction, as up to 1.0.0.
        replayed: messages that repeat, after an overflow, one that the user had sent.
        interrupted: answers that were aborted, or whose program ended before they did.
    """

    compacted: int = 0
    kept: int | None = None
    hidden_from: int | None = None
    hidden_from_part: str | None = None
    old_summaries: frozenset[int] = frozenset()
    replayed: frozenset[int] = frozenset()
    interrupted: frozenset[int] = frozenset()

    @classmethod
    def of(
        cls, messages: Sequence[StoredMessage], revert: JsonObject, old_summaries_count: bool
    ) -> Context:
        """Read the messages of one session, in order."""
        positions = {message.id: at for at, message in enumerate(messages)}
        summaries = [at for at, message in enumerate(messages) if is_summary(message)]
        cut, tail = _cut(messages, summaries, positions, old_summaries_count)
        hidden = string(revert.get("messageID"))
        return cls(
            compacted=cut,
            kept=tail,
            hidden_from=positions.get(hidden) if hidden else None,
            hidden_from_part=string(revert.get("partID")),
            old_summaries=frozenset(_old_summaries(messages, summaries))
            if old_summaries_count
            else frozenset(),
            replayed=frozenset(_replayed(messages, summaries, positions)),
            interrupted=frozenset(_interrupted(messages)),
        )

    def labels(self, position: int, part: str | None) -> tuple[Label, ...]:
        """`compacted` and `hidden`, for a message or one of its parts."""
        hidden = self.hidden_from is not None and self._is_hidden(position, part)
        if position < self.compacted and not (self.kept is not None and position >= self.kept):
            return ("compacted", "hidden") if hidden else ("compacted",)
        return ("hidden",) if hidden else ()

    def hides_parts_of(self, position: int) -> bool:
        """Whether of this message only the parts from one on were taken back."""
        return position == self.hidden_from and self.hidden_from_part is not None

    def _is_hidden(self, position: int, part: str | None) -> bool:
        if self.hidden_from is None or position < self.hidden_from:
            return False
        if position > self.hidden_from or self.hidden_from_part is None:
            return True
        # Parts are ordered by id, so those from the named one on are hidden.
        return part is not None and part >= self.hidden_from_part


def _compaction_part(message: StoredMessage) -> JsonObject | None:
    for part in message.parts:
        if part.info.get("type") == "compaction":
            return part.info
    return None


def is_summary(message: StoredMessage) -> bool:
    """Whether a compaction made it."""
    return message.info.get("summary") is True and message.info.get("role") == "assistant"


def _cut(
    messages: Sequence[StoredMessage],
    summaries: Sequence[int],
    positions: dict[str, int],
    old_summaries_count: bool,
) -> tuple[int, int | None]:
    """Position of the first message that the newest compaction left, and of its kept tail."""
    cut, tail = 0, None
    for position in summaries:
        message = messages[position]
        asked = positions.get(string(message.info.get("parentID")) or "")
        part = _compaction_part(messages[asked]) if asked is not None else None
        if asked is not None and part is not None:
            if message.info.get("error") is None and message.info.get("finish"):
                cut = asked
                tail = positions.get(string(part.get("tail_start_id")) or "")
        elif old_summaries_count:
            cut, tail = position, None
    return cut, tail


def _old_summaries(messages: Sequence[StoredMessage], summaries: Sequence[int]) -> list[int]:
    if not summaries:
        return []
    asked = {message.id for message in messages if _compaction_part(message) is not None}
    parents = [string(messages[position].info.get("parentID")) or "" for position in summaries]
    return [at for at, parent in zip(summaries, parents, strict=True) if parent not in asked]


def _texts(message: StoredMessage) -> list[str]:
    found = [string(p.info.get("text")) for p in message.parts if p.info.get("type") == "text"]
    return [text for text in found if text]


def _replayed(
    messages: Sequence[StoredMessage], summaries: Sequence[int], positions: dict[str, int]
) -> list[int]:
    """Positions of user messages that an overflow stored a second time."""
    found = []
    for position in summaries:
        if position + 1 == len(messages):
            continue
        asked = positions.get(string(messages[position].info.get("parentID")) or "")
        part = _compaction_part(messages[asked]) if asked is not None else None
        if asked is None or part is None or part.get("overflow") is not True:
            continue
        after = messages[position + 1]
        before = next((m for m in reversed(messages[:asked]) if m.info.get("role") == "user"), None)
        if before is not None and after.info.get("role") == "user":
            words = _texts(after)
            if words and words == _texts(before):
                found.append(position + 1)
    return found


def _interrupted(messages: Sequence[StoredMessage]) -> list[int]:
    found = []
    roles = [message.info.get("role") for message in messages]
    # The last answer may still be being written.
    last_asked = max((at for at, role in enumerate(roles) if role == "user"), default=0)
    for position, message in enumerate(messages):
        if roles[position] != "assistant" or message.problem is not None:
            continue
        error = message.info.get("error")
        aborted = _is_abort(mapping(error)) if error else False
        if aborted or (position < last_asked and is_unfinished(message)):
            found.append(position)
    return found


def is_unfinished(message: StoredMessage) -> bool:
    """Whether it is an answer that neither ended nor failed: cut off, if the story goes on."""
    info = message.info
    if info.get("finish") or info.get("role") != "assistant" or mapping(info.get("error")):
        return False
    return not mapping(info.get("time")).get("completed")


def _is_abort(error: JsonObject) -> bool:
    if error.get("name") == "MessageAbortedError":
        return True
    # 0.1 knows no error of that name, only the text of the runtime's own.
    said = string(mapping(error.get("data")).get("message")) or ""
    return error.get("name") == "UnknownError" and said.startswith("AbortError:")
