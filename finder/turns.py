"""A session's stream of events as messages, and its calls with their results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from finder.model import Event, Message


class Turn(NamedTuple):
    """A message with the events of its content. `message` is None for what stands outside."""

    message: Message | None
    content: tuple[Event, ...]


def turns(events: Sequence[Event]) -> Iterator[Turn]:
    """The stream as a list of messages, for formats that nest content in them."""
    opened: Message | None = None
    content: list[Event] = []
    for event in events:
        belongs = opened is not None and event.message == opened.record
        if not isinstance(event, Message) and (belongs or opened is None):
            content.append(event)
            continue
        if opened is not None or content:
            yield Turn(opened, tuple(content))
        opened = event if isinstance(event, Message) else None
        content = [] if isinstance(event, Message) else [event]
    if opened is not None or content:
        yield Turn(opened, tuple(content))


def answers(events: Sequence[Event]) -> dict[int, int]:
    """Which call is answered by which result: the place of each in the stream.

    Tools use an id again in later turns, and some even twice in one. So a result answers a call
    of its id in the latest message that has an unanswered one, and of several there the first.
    """
    waiting: dict[str, list[tuple[int, int]]] = {}  # by id: the message's number, the place
    found: dict[int, int] = {}
    message = 0
    for place, event in enumerate(events):
        if event.type == "message":
            message += 1
        elif event.type == "tool_call":
            waiting.setdefault(event.call, []).append((message, place))
        elif event.type == "tool_result" and (calls := waiting.get(event.call)):
            first = 0  # of those in the latest message
            while calls[first][0] != calls[-1][0]:
                first += 1
            found[calls.pop(first)[1]] = place
    return found


def came_with(events: Sequence[Event], result: int) -> Sequence[int]:
    """The places of the files that came with the result at this place."""
    end = result + 1
    while end < len(events) and events[end].type == "attachment" and events[end].role == "tool":
        end += 1
    return range(result + 1, end)
