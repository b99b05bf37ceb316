"""A session object as a header: times, model, labels; and without its secrets.

``config.models[]`` of 0.7.1 to 0.9.5 has ``api_key`` in clear, and what a provider answers to a
wrong key may quote it in ``stats``. These never leave the file: `redacted` is the only way by
which a session's record gets into `Session.raw` or into an event.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from adapters.clacky import injected
from finder.jsonio import array, integer, mapping, string
from finder.model import Json, JsonObject, Label

REDACTED = "[redacted]"
_SECRET_KEY = (
    r"(?i)(?:^|_|-)(?:api_?-?key|secret(?:_?key)?|password|passwd|authorization"
    r"|(?:access|auth|refresh|bearer|api|bot)_?token|client_?secret|app_?secret)$"
)
_USER_IN_URL = r"(?<=://)[^/@\s\"']+(?=@)"
_TOO_DEEP = "[nested too deeply to look for secrets]"
_DEEPEST = 100
_SHORTEST_SECRET = 6  # a shorter one may stand in other words by chance


def redacted(record: JsonObject) -> JsonObject:
    """The session's record without its messages, a mark in the place of every secret."""
    rest = {key: value for key, value in record.items() if key != "messages"}
    secrets: set[str] = set()
    marked = _marked(rest, secrets)
    named = sorted((s for s in secrets if len(s) >= _SHORTEST_SECRET), key=len, reverse=True)
    cleaned = _without(marked, named)
    return cleaned if isinstance(cleaned, dict) else {}


def _marked(value: Json, secrets: set[str], depth: int = 0) -> Json:
    if depth > _DEEPEST:
        return _TOO_DEEP
    if isinstance(value, list):
        return [_marked(item, secrets, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    marked = {}
    for key, inner in value.items():
        if _is_secret(key) and inner not in (None, "", False, True):
            if isinstance(inner, str):
                secrets.add(inner)
            marked[key] = REDACTED
        else:
            marked[key] = _marked(inner, secrets, depth + 1)
    return marked


def without_marks(record: Json) -> tuple[Json, int]:
    """A record that was `redacted`, without its secret fields, and how many these are.

    A mark is no key, and no part of an address; in words it stays.
    """
    gone = 0
    if isinstance(record, list):
        kept = [without_marks(item) for item in record if item != _TOO_DEEP]
        return [item for item, _ in kept], sum(n for _, n in kept) + len(record) - len(kept)
    if not isinstance(record, dict):
        return record, 0
    found: JsonObject = {}
    for key, value in record.items():
        if _is_marked(key, value):
            gone += 1
        else:
            found[key], inner = without_marks(value)
            gone += inner
    return found, gone


def _is_marked(key: str, value: Json) -> bool:
    if not isinstance(value, str):
        return False
    if value == REDACTED:
        return _is_secret(key)
    return value == _TOO_DEEP or f"://{REDACTED}@" in value


@functools.lru_cache(maxsize=1024)
def _is_secret(key: str) -> bool:
    return re.search(_SECRET_KEY, key) is not None


def _without(value: Json, secrets: list[str]) -> Json:
    if isinstance(value, list):
        return [_without(item, secrets) for item in value]
    if isinstance(value, dict):
        return {key: _without(inner, secrets) for key, inner in value.items()}
    if not isinstance(value, str):
        return value
    for secret in secrets:
        value = value.replace(secret, REDACTED)
    return re.sub(_USER_IN_URL, REDACTED, value) if "://" in value else value


def milliseconds(value: Json) -> int | None:
    """ISO 8601 with an offset, as the session object has it. Without one nobody knows when."""
    from datetime import datetime

    try:
        at = datetime.fromisoformat(string(value) or "")
    except ValueError:
        return None
    return round(at.timestamp() * 1000) if at.tzinfo is not None else None


def from_seconds(value: Json) -> int | None:
    """Seconds since 1970, as messages have them."""
    if type(value) is not float and type(value) is not int:
        return None
    # Beyond this no calendar reaches, nor does JSON hold the number exactly; NaN is nowhere.
    return round(value * 1000) if -(2**43) <= value <= 2**43 else None


def title(record: JsonObject, messages: list[Json]) -> str | None:
    """The session's name; before 0.8.9 the one that the tool would give it now.

    That is the first input, its white space squeezed, cut at 30 characters. The old
    ``first_user_message`` is of no use: in 0.7.0 it holds the last one.
    """
    name = string(record.get("name"))
    if name:
        return name
    words = " ".join(next(_inputs(messages), "").split())
    if not words:
        return None
    return words if len(words) <= 30 else f"{words[:30]}…"


def _inputs(messages: list[Json]) -> Iterator[str]:
    for value in messages:
        message = mapping(value)
        if message.get("role") != "user":
            continue
        content = message.get("content")
        flagged = injected.is_flagged(message)
        parts = [{"text": content}] if isinstance(content, str) else array(content)
        for part in parts:
            text = string(mapping(part).get("text")) or ""
            for piece in injected.pieces(text, "user", flagged=flagged):
                if not piece.labels and piece.text.strip():
                    yield piece.text


def model(record: JsonObject, messages: list[Json]) -> str | None:
    """The model, from wherever the version kept it.

    From 1.0 on in the configuration and with each answer, from 0.9.1 on in words in the session
    context, from 0.7.1 to 0.9.5 among the configured models, before that in the configuration.
    """
    config = mapping(record.get("config"))
    configured = [mapping(item) for item in array(config.get("models"))]
    chosen = [item for item in configured if item.get("type") == "default"] or configured
    return (
        string(config.get("model_name"))
        or next(_told_models(messages), None)
        or string(config.get("model"))
        or (string(chosen[0].get("model")) if chosen else None)
        or None
    )


def _told_models(messages: list[Json]) -> Iterator[str]:
    for value in reversed(messages):
        message = mapping(value)
        named = string(mapping(message.get("latency")).get("model"))
        if named:
            yield named
        content = message.get("content")
        if isinstance(content, str) and content.startswith("[Session context:"):
            yield from told_models(content)


def told_models(text: str) -> list[str]:
    """The models that session contexts within a text name: one at most in each line."""
    found = []
    place = text.find("[Session context: ")
    while place >= 0:
        ends = text.find("\n", place)
        line = text[place:] if ends < 0 else text[place:ends]
        told = line.partition("Current model: ")[2]
        end = re.compile(r"\. [A-Z]|\]$").search(told, 1)
        if end:
            found.append(told[: end.start()])
        place = text.find("[Session context: ", place + len(line))
    return found


def is_fork(record: JsonObject) -> bool:
    """Whether the session was copied from another; no version leaves a mark of that.

    A copy's count of tasks starts anew while the tasks stay. Besides, it is called "… (copy)" or,
    renamed, has messages that are older than itself.
    """
    tasks = integer(mapping(record.get("time_machine")).get("current_task_id")) or 0
    counted = integer(mapping(record.get("stats")).get("total_tasks"))
    if counted is None or counted >= tasks:
        return False
    name = string(record.get("name")) or ""
    return name.endswith(" (copy)") or _has_older_messages(record)


def _has_older_messages(record: JsonObject) -> bool:
    created = milliseconds(record.get("created_at"))
    times = [from_seconds(mapping(m).get("created_at")) for m in array(record.get("messages"))]
    # created_at has whole seconds only
    return created is not None and any(at is not None and at < created - 1000 for at in times)


def labels(record: JsonObject, *, trashed: bool, forked: bool, reverted: bool) -> tuple[Label, ...]:
    """The session's labels."""
    found: list[Label] = []
    if mapping(record.get("stats")).get("last_status") == "interrupted":
        found.append("interrupted")
    if forked:
        found.append("inferred")
    if trashed or record.get("deleted_at"):
        found.append("trashed")
    if reverted:
        found.append("reverted")
    if forked:
        found.append("forked")
    return tuple(found)


def undone(record: JsonObject) -> UndoneTasks:
    """Which of the session's tasks were undone."""
    machine = mapping(record.get("time_machine"))
    return UndoneTasks(
        active=integer(machine.get("active_task_id")),
        current=integer(machine.get("current_task_id")),
        parents=mapping(machine.get("task_parents")),
        by_branch="model_name" in mapping(record.get("config")),
    )


class UndoneTasks:
    """Tells whether a task was undone, and so is no longer sent to the model.

    Up to 0.9 all tasks after the active one are, as long as it is not the newest; from 1.0 on
    all that are not among the active one's ancestors.
    """

    def __init__(
        self, *, active: int | None, current: int | None, parents: JsonObject, by_branch: bool
    ) -> None:
        self._active = active
        self._all_live = active is None or (active == current and not by_branch)
        self._live = self._ancestors(parents) if by_branch and parents else None

    def _ancestors(self, parents: JsonObject) -> set[int]:
        live: set[int] = set()
        task = self._active
        while task is not None and task not in live:  # the parents may form a circle
            live.add(task)
            task = integer(parents.get(str(task)))
        return live

    def __bool__(self) -> bool:
        """Whether any task may have been undone."""
        return not self._all_live

    def __contains__(self, task: Json) -> bool:
        number = integer(task)
        if number is None or self._all_live or self._active is None:
            return False
        return number not in self._live if self._live is not None else number > self._active
