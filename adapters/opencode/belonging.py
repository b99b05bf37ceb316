"""What belongs together in a stream of events: results with their calls, models with prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adapters.opencode.parts import Called
from finder.model import Attachment, Event, Session, Subagent, ToolCall, ToolResult
from finder.writing import Plan, Report, answers


def with_their_calls(
    events: Sequence[Event], plan: Plan, report: Report
) -> tuple[dict[int, Called], set[int]]:
    """Each call with what belongs to it, and the events that thus stand elsewhere."""
    calls: dict[int, Called] = {}
    taken: set[int] = set()
    latest: dict[str, Called] = {}
    answered = answers(events)
    for place, event in enumerate(events):
        if isinstance(event, ToolCall):
            called = Called(event, answered=place)
            latest[event.call] = calls[id(event)] = called
            if place in answered:
                result = events[answered[place]]
                assert isinstance(result, ToolResult)
                called.result = result
                called.answered = answered[place]
                called.attachments = list(_came_with(events, answered[place]))
                taken |= {id(result), *map(id, called.attachments)}
        elif isinstance(event, Subagent) and event.call in latest:
            _join(latest[event.call], event, plan, report)
            taken.add(id(event))
    return calls, taken


def _came_with(events: Sequence[Event], result: int) -> Iterator[Attachment]:
    for place in range(result + 1, len(events)):
        event = events[place]
        if not isinstance(event, Attachment) or event.role != "tool":
            return
        yield event


def _join(called: Called, event: Subagent, plan: Plan, report: Report) -> None:
    child = plan.ids.get(event.child) if event.child else None
    if called.subagent is None and (child is not None or called.call.name == "task"):
        called.subagent, called.child = event, child
        return
    report.dropped(event, note="no transcript of it is written; its call and result tell the same")


def models(session: Session, events: Sequence[Event]) -> dict[int, str]:
    """The model of each message; for those without one, that of the nearest answer."""
    found: dict[int, str] = {}
    waiting: list[int] = []
    last = session.model or ""
    for event in events:
        if event.type != "message":
            continue
        if event.model:
            found.update(dict.fromkeys(waiting, event.model))
            waiting.clear()
            last = found[id(event)] = event.model
        elif event.role == "user":
            waiting.append(id(event))
        else:
            found[id(event)] = last
    found.update(dict.fromkeys(waiting, last))
    return found
