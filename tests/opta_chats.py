"""What Opta's program demands of a chat, and Opta's sessions to try it on.

`refusals` is what Opta checks when it loads a chat (memory/store.ts) and `unfit` what it needs to
go on (core/agent.ts), written down apart from the code that they judge.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.opta import Opta
from finder.adapter import Adapter
from finder.compare import prints
from finder.convert import planned, tried
from finder.model import Event, Json, Session
from finder.registry import Registry
from finder.staging import Tried, at_home
from finder.testing import stores_below
from finder.writing import Draft

FIXTURES = Path(__file__).parents[1] / "fixtures"
OPTA = Opta()
DAEMON = OPTA.targets()["opta-daemon"]
DOCUMENTED = OPTA.targets()["opta-documented"]
NOW = 1_790_000_000_000


def refusals(body: Any) -> Iterator[str]:
    """Why Opta would not list the chat at all: its schema."""
    for key in ("id", "created", "updated", "model", "cwd", "title"):
        if not isinstance(body.get(key), str):
            yield f"{key} is no text"
    tags = body.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        yield "tags are no texts"
    if not isinstance(body.get("toolCallCount"), int | float):
        yield "toolCallCount is no number"
    if not isinstance(body.get("compacted"), bool):
        yield "compacted is no boolean"
    if not isinstance(body.get("messages"), list):
        yield "messages is no list"
        return
    for number, message in enumerate(body["messages"]):
        for refusal in _message_refusals(message):
            yield f"message {number}: {refusal}"


def _message_refusals(message: Any) -> Iterator[str]:
    if message.get("role") not in ("system", "user", "assistant", "tool"):
        yield "unknown role"
    content = message.get("content", 0)
    if isinstance(content, list):
        if not all(_is_part(part) for part in content):
            yield "a part that is no text or image"
    elif content is not None and not isinstance(content, str):
        yield "content is missing or of another type"
    for call_ in message.get("tool_calls", []):
        function = call_.get("function", {})
        texts = (call_.get("id"), function.get("name"), function.get("arguments"))
        if call_.get("type") != "function" or not all(isinstance(text, str) for text in texts):
            yield "a call that is none"
    if not isinstance(message.get("tool_call_id", ""), str):
        yield "tool_call_id is no text"


def _is_part(part: Any) -> bool:
    if part.get("type") == "text":
        return isinstance(part.get("text"), str)
    return part.get("type") == "image_url" and isinstance(part["image_url"].get("url"), str)


def unfit(messages: list[Any]) -> Iterator[str]:
    """Why Opta would not go on from it as it is: the prompt, calls with their results."""
    if (
        not messages
        or messages[0]["role"] != "system"
        or not isinstance(messages[0]["content"], str)
    ):
        yield "the first message is no system prompt"
    waiting: list[str] = []
    for number, message in enumerate(messages):
        role, content = message["role"], message["content"]
        if role == "tool":
            if message.get("tool_call_id") not in waiting:
                yield f"message {number}: a result without a call before it"
            else:
                waiting.remove(message["tool_call_id"])
            if not isinstance(content, str):
                yield f"message {number}: a result that is no text"
            continue
        if waiting:
            yield f"message {number}: {waiting} are not answered before it"
        waiting = [call_["id"] for call_ in message.get("tool_calls", [])]
        if len(set(waiting)) < len(waiting) or not all(waiting):
            yield f"message {number}: calls that cannot be told apart"
        if role == "assistant" and content is None and not waiting:
            yield f"message {number}: an answer of nothing"
        if isinstance(content, list) and role != "user":
            yield f"message {number}: parts in the message of a {role}"
        if set(message) - {"role", "content", "tool_calls", "tool_call_id"}:
            yield f"message {number}: keys that Opta takes away"
    if waiting:
        yield f"{waiting} are never answered"


def chat(draft: Draft) -> Any:
    """The chat file of a draft, read as Opta reads it."""
    file = next(f for f in draft.files if f.path == f"sessions/{draft.id}.json")
    assert file is draft.files[-1]  # it is what makes the session appear
    text = b"".join(file.pieces)
    assert not text.startswith(b"\xef\xbb\xbf")
    body = json.loads(text, parse_constant=_no_constant)
    assert body["id"] == draft.id
    return body


def _no_constant(name: str) -> Json:
    raise AssertionError(f"{name} is not JSON")


def check(draft: Draft) -> None:
    """A chat that Opta loads and goes on from."""
    body = chat(draft)
    assert list(refusals(body)) == []
    assert list(unfit(body["messages"])) == []
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", draft.id)
    assert draft.id != "index"
    iso = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.fullmatch(iso, body["created"])
    assert re.fullmatch(iso, body["updated"])


def sources(*names: str) -> list[tuple[str, Session, list[Event]]]:
    """Every session of every fixture, or of some adapters."""
    found = []
    for adapter in Registry.installed().adapters():
        if names and adapter.name not in names:
            continue
        for case in sorted(p.parent for p in (FIXTURES / adapter.name).glob("*/store")):
            for store in stores_below(adapter, case / "store"):
                for session in adapter.sessions(store):
                    if isinstance(session, Session):
                        name = f"{case.name}/{session.ref.id}"
                        found.append((name, session, list(adapter.events(session.ref))))
    return found


def written(session: Session, events: list[Event], adapter: Adapter = OPTA) -> Tried:
    plan = replace(planned(adapter, at_home(session)), now=NOW)
    done = tried(adapter, session, events, plan=plan)
    assert [str(difference) for difference in done.unexplained] == []
    return done


def records_equal(ours: Sequence[Event], theirs: Sequence[Event]) -> bool:
    """Whether the native records are the same."""
    return prints(ours) == prints(theirs)
