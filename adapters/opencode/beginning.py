"""The beginning of a session's story, told from its first messages and a few of the later ones.

What comes later says of what stands before that it has left the context, or of an answer that
just ends that it was broken off. SQL finds what may say so; the rest stays unread.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.opencode.context import is_summary, is_unfinished
from adapters.opencode.fetch import IN_ORDER, Fetch, message_of, parts_for, parts_of
from adapters.opencode.rows import text
from adapters.opencode.stored import StoredMessage
from finder.dataclass import replace
from finder.jsonio import string

# JSON may write any letter as its number. SQLite goes through a text with GLOB in a third of the
# time that instr() takes.
_MAY_BE_SUMMARY = (
    " AND (CAST(data AS TEXT) GLOB '*summary*true*' AND instr(data, 'assistant')"
    " OR CAST(data AS TEXT) GLOB '*\\u*')"
)


def beginning(fetch: Fetch, first: int) -> list[StoredMessage] | None:
    """So many messages with their parts, the one after them, and those later ones that matter.

    None: the session has no more, or only all of its messages tell of the first.
    """
    read = fetch.reader("message")
    rows = fetch("message", "session_id", *IN_ORDER, most=first + 1)
    early = [message_of(one, {}) for one in read(rows)]
    if len(early) <= first or _hang_on_later(early):
        return None
    known = {message.id for message in early}
    rows = fetch("message", "session_id", *IN_ORDER, where=_MAY_BE_SUMMARY)
    others = read(row for row in rows if str(text(row["id"])) not in known)
    later = (message_of(one, {}) for one in others)
    found = [*early, *(message for message in later if is_summary(message))]
    # What a summary answers has a part that says from where on the context was left.
    asked = {_answered(message) for message in found if is_summary(message)}
    owners = [*known, *(asked - known)]
    parts = parts_of(fetch, fetch.having("part", "message_id", owners, " ORDER BY id"))
    unread = asked - {message.id for message in found}
    answered = fetch.having("message", "id", list(unread))
    prompts = [message_of(one, parts) for one in read(answered)]
    return [
        *(replace(message, parts=parts_for(message.raw["id"], parts)) for message in found),
        *(message for message in prompts if message.raw["session_id"] == fetch.session),
    ]


def _hang_on_later(early: Sequence[StoredMessage]) -> bool:
    """Whether it takes later messages to tell of these what is not a matter of summaries.

    One that is damaged is none of those that were asked for. An answer that just ends was broken
    off if a prompt follows. And it is odd if a summary does not stand behind what it answers.
    """
    known = {message.id for message in early}
    prompts = [at for at, message in enumerate(early) if message.info.get("role") == "user"]
    unanswered = early[prompts[-1] + 1 :] if prompts else early
    return (
        any(message.problem is not None for message in early)
        or any(map(is_unfinished, unanswered))
        or any(is_summary(message) and _answered(message) not in known for message in early)
    )


def _answered(message: StoredMessage) -> str:
    return string(message.info.get("parentID")) or ""
