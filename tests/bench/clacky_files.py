"""Session files of OpenClacky, one JSON file each, shaped like one of the newest fixture."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

from finder import jsonio
from tests.bench.sessions import MadeMessage, MadeSession, Shape, made, planted

_STORES = Path(__file__).parents[2] / "fixtures/clacky/v1.5.1/store/.clacky/sessions"
_MODEL = _STORES / "2026-11-05-10-00-00-e681d76e.json"


def make_clacky(home: Path, shape: Shape) -> dict[str, str]:
    """A home folder with one file for each session; the ids of what is planted in it."""
    folder = home / ".clacky" / "sessions"
    folder.mkdir(parents=True)
    model = jsonio.read_object(_MODEL)
    chosen = random.Random(shape.seed)
    sessions, contents = made(shape)
    ids = {session.id: f"{chosen.getrandbits(64):016x}" for session in sessions}
    for session, messages in contents:
        created = datetime.fromtimestamp(session.created / 1000, UTC)
        updated = datetime.fromtimestamp(session.updated / 1000, UTC)
        file = {
            **model,
            "session_id": ids[session.id],
            "name": session.title,
            "created_at": created.isoformat(timespec="seconds"),
            "updated_at": updated.isoformat(timespec="seconds"),
            "working_dir": session.directory,
            "messages": _messages(model, session, messages),
        }
        name = f"{created:%Y-%m-%d-%H-%M-%S}-{ids[session.id][:8]}.json"
        (folder / name).write_bytes(jsonio.dumps(file, indent=True))
    return {name: ids[identifier] for name, identifier in planted(sessions).items()}


def _messages(
    model: dict[str, object], session: MadeSession, messages: list[MadeMessage]
) -> list[dict[str, object]]:
    first = model["messages"]
    assert isinstance(first, list)
    found: list[dict[str, object]] = [*first[:2]]
    for message in messages:
        for identifier, part in message.parts:
            if part["type"] == "text":
                said = {"role": message.data["role"], "content": part["text"], "task_id": 1}
                found.append({**said, "created_at": message.at / 1000})
            elif part["type"] == "tool":
                found += _called(identifier, message, part)
    return found


def _called(
    identifier: str, message: MadeMessage, part: dict[str, object]
) -> list[dict[str, object]]:
    state = part["state"]
    assert isinstance(state, dict)
    arguments = jsonio.dumps(state["input"]).decode()
    function = {"name": "safe_shell", "arguments": arguments}
    call = {"id": identifier, "type": "function", "function": function}
    asked = {"role": "assistant", "content": "", "task_id": 1, "tool_calls": [call]}
    told = {"role": "tool", "tool_call_id": identifier, "content": state["output"], "task_id": 1}
    return [{**asked, "created_at": message.at / 1000}, told]
