"""The event model: what every session of every tool is read into.

A session is a header (`Session`) and a flat stream of events in the order of the story.
Times are integer milliseconds since 1970 in UTC; None means that the store does not say.

Raw exactly once: each native record of a store rides, as `raw`, on the first event it gives
rise to, and the session's own record on `Session.raw`. So the `raw` values of a stream that
are not None are the store's records in order, with every field nobody has heard of yet.

This module imports the standard library only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from finder.event import (
        EVENT_TYPES,
        NOTICE_KINDS,
        Attachment,
        Compaction,
        Event,
        Message,
        Notice,
        Opaque,
        Reasoning,
        Subagent,
        Text,
        ToolCall,
        ToolResult,
        Usage,
    )

__all__ = [  # noqa: RUF022  (those of finder.event come last)
    "LABELS", "Json", "JsonObject", "Label", "Labels", "Problem", "Ref", "Role", "Session",
    "Status",
    "Event", "EVENT_TYPES", "NOTICE_KINDS", "Attachment", "Compaction", "Message", "Notice",
    "Opaque", "Reasoning", "Subagent", "Text", "ToolCall", "ToolResult", "Usage",
]  # fmt: skip

Label = Literal[
    "synthetic",  # put in by the tool: said neither by the user nor by the model
    "summary",  # made by compaction; the model may have written it, but not to the user
    "compacted",  # has left the live context
    "hidden",  # kept, but neither sent to the model nor shown
    "truncated",  # the store cut it
    "interrupted",
    "inferred",  # the other labels were deduced from text, not read from a flag
    # on sessions only:
    "archived",
    "trashed",
    "reverted",
    "forked",
    "unmigrated",  # its own tool no longer sees it
    "headers-only",  # the content could not be read, only a listing
]
LABELS: frozenset[str] = frozenset(get_args(Label))

Labels = tuple[Label, ...]
Role = Literal["user", "assistant", "system", "tool"]
Status = Literal["ok", "error", "running", "pending", "interrupted"]

Json = Any  # a JSON value: dict, list, str, int, float, bool or None
JsonObject = dict[str, Any]


class Ref(NamedTuple):
    """The address of a session: which tool, which store (its path), which id there."""

    tool: str
    store: str
    id: str

    def __str__(self) -> str:
        """The short form that users type: ``opencode:ses_1a2b``."""
        return f"{self.tool}:{self.id}"


# Headers and problems are named tuples, made with keywords: what dataclasses import takes longer
# than a whole search.


class Problem(NamedTuple):
    """One thing that could not be read. A problem is data: work goes on around it.

    Attributes:
        kind: what is wrong, in one word (see `finder.errors.PROBLEM_KINDS`).
        path: the file, folder or database concerned.
        message: what was seen there and what to do next, for a person.
        record: the native record's id or position, where one record is concerned.
    """

    kind: str
    path: str
    message: str
    record: str | None = None


class Session(NamedTuple):
    """A session's header. None means that the store does not say, or not cheaply.

    Attributes:
        directory: the working directory, as the store spells it.
        created, updated, archived: milliseconds UTC.
        parent: the session that started this one as its subagent.
        model: ``provider/model`` where the store knows both, else the model's name.
        messages: how many messages the store holds for it.
        also_in: paths of further copies and pieces of it within the store, besides the copy
            that is told.
        stamp: changes whenever the stored session changes; for caches.
        raw: the store's own record of the session.
        origin: the tool whose records `raw` are, where that is not the tool of `ref`: a session
            that finder itself wrote down.
    """

    ref: Ref
    title: str | None = None
    directory: str | None = None
    created: int | None = None
    updated: int | None = None
    parent: Ref | None = None
    agent: str | None = None
    model: str | None = None
    messages: int | None = None
    archived: int | None = None
    labels: Labels = ()
    also_in: tuple[str, ...] = ()
    stamp: str | None = None
    raw: Json = None
    origin: str | None = None


def __getattr__(name: str) -> object:
    """The events, loaded on use: a search of headers needs none of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from finder import event

    found = globals()[name] = getattr(event, name)
    return found
