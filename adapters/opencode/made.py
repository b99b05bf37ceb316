"""A message of OpenCode's in the making, and the records of users' messages and of answers."""

from __future__ import annotations

from finder.dataclass import dataclass, field
from finder.model import JsonObject, Message, Usage

_NO_USAGE = Usage()


@dataclass(slots=True)
class Made:
    """A message in the making.

    Attributes:
        hidden: all that it was made from is hidden.
        texts: hidden texts of a user, with their parts.
        answered: the place in the stream of the first result of the step that is being told.
    """

    info: JsonObject
    parts: list[JsonObject] = field(default_factory=list)
    hidden: bool = True
    texts: list[JsonObject] = field(default_factory=list)
    answered: int | None = None

    @property
    def id(self) -> str:
        return str(self.info["id"])

    @property
    def role(self) -> str:
        return str(self.info["role"])

    @property
    def at(self) -> int:
        return int(self.info["time"]["created"])

    def finish(self) -> None:
        """What is known of an answer once its content is."""
        if self.role == "assistant":
            called = any(part["type"] == "tool" for part in self.parts)
            self.info["finish"] = "tool-calls" if called else "stop"


def named(model: str) -> tuple[str, str]:
    """Provider and name. A provider that is not known is empty: none is made up."""
    provider, slash, name = model.partition("/")
    return (provider, name) if slash and provider and name else ("", model)


def prompt_info(model: str, agent: str) -> JsonObject:
    """What a user's message has beyond its id and its time."""
    provider, name = named(model)
    return {"agent": agent, "model": {"providerID": provider, "modelID": name}}


def answer_info(message: Message | None, model: str, agent: str, at: int, place: str) -> JsonObject:
    """What an answer has beyond its id. `message` is what it stands for, if for anything."""
    provider, name = named(model)
    usage = (message and message.usage) or _NO_USAGE
    cost = message.cost if message else None
    finished = message.finished if message else None
    tokens: JsonObject = {} if usage.total is None else {"total": usage.total}
    return {
        "mode": agent,
        "agent": (message and message.agent) or agent,
        "path": {"cwd": place, "root": place},
        "cost": cost if cost is not None and abs(cost) < 1e300 else 0,
        "tokens": {
            **tokens,
            "input": usage.input or 0,
            "output": usage.output or 0,
            "reasoning": usage.reasoning or 0,
            "cache": {"read": usage.cache_read or 0, "write": usage.cache_write or 0},
        },
        "modelID": name,
        "providerID": provider,
        "time": {"created": at, "completed": at if finished is None else max(finished, at)},
    }


def error_info(text: str) -> JsonObject:
    """An error by what a message says of it: ``Name: message`` where it has a name."""
    name, colon, said = text.partition(": ")
    if not colon or not name.endswith("Error") or not name.isalnum():
        name, said = "UnknownError", text
    return {"name": name, "data": {"message": said}}
