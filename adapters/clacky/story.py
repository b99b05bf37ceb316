"""A session's story: its messages, and before them what compaction took out.

After a compaction the session is ``[system, summary, recent messages …]``; what the summary
stands for is in archives beside it. These are told in front of the summary. Which archives are a
session's: those whose names begin like its own file's, those whose head has its id, and, in a
copy of another session, that session's up to the one which the summary names. A summary's
``chunk_path`` is the path on the machine that wrote it and may be null: only its last part is
used, and only to choose among the archives that lie beside the session.

Up to 0.9 the numbering begins anew with each start of the tool, so that a later archive may have
the lower number, and the two name each other as what went before. So the time of archiving
orders them, not the number.
"""

from __future__ import annotations

from collections.abc import Iterator

from adapters.clacky import archive, header, injected, messages
from adapters.clacky.archive import Archive
from adapters.clacky.parts import file_name
from adapters.clacky.stored import File
from finder.jsonio import array, integer, mapping, number, string
from finder.model import Event, Json, JsonObject, Labels, Notice

_STATED = "stats"  # the record id of what is told from the session object itself


def archives_of(record: JsonObject, file: File, archives: list[Archive]) -> list[Archive]:
    """The session's archives among those that lie beside it, the oldest first."""
    if not archives:
        return []
    named = list(_named(record))
    borrowed = {_base(name): _number(name) for name in named}
    found = [
        one
        for one in archives
        if one.file.base == file.base
        or one.head.get("session_id") == record.get("session_id")
        or one.file.number <= borrowed.get(one.file.base, -1)
    ]
    return in_order(found)


def in_order(archives: list[Archive]) -> list[Archive]:
    """Archives in the order of the story."""
    times = [one.archived for one in archives]
    if None in times:  # a damaged one: its number is all there is to go by
        return sorted(archives, key=lambda one: one.file.number)
    return sorted(archives, key=lambda one: (one.archived or 0, one.file.number))


def borrows(record: JsonObject, archives: list[Archive]) -> bool:
    """Whether archives of another session tell this one's beginning: it is a copy of that."""
    own = str(record.get("session_id"))
    return any(one.session_id != own and not own.startswith(one.file.base[-8:]) for one in archives)


def _named(record: JsonObject) -> Iterator[str]:
    for value in array(record.get("messages")):
        name = file_name(string(mapping(value).get("chunk_path")))
        if name:
            yield name


def _base(name: str) -> str:
    return name.rpartition("-chunk-")[0]


def _number(name: str) -> int:
    digits = name.rpartition("-chunk-")[2].removesuffix(".md")
    return int(digits) if digits.isdecimal() and len(digits) < 10 else 0


def count(record: JsonObject, archives: list[Archive]) -> int:
    """How many messages `events` opens."""
    own = sum(map(messages.is_message, array(record.get("messages"))))
    return own + archive.count(archives)


def is_reverted(record: JsonObject) -> bool:
    """Whether some of its messages belong to undone tasks."""
    undone = header.undone(record)
    return bool(undone) and any(
        "task_id" in message and message["task_id"] in undone
        for message in map(mapping, array(record.get("messages")))
    )


def events(record: JsonObject, archives: list[Archive]) -> Iterator[Event]:
    """The whole story; `archives` in their order."""
    archived = {one.file.name: one.archived for one in archives}
    told = messages.Told(unanswered=_unanswered(record), archived=archived)
    undone = header.undone(record)
    waiting = list(archives)
    stored = array(record.get("messages"))
    summaries = _summaries(stored) if archives else []
    for index, value in enumerate(stored):
        message = mapping(value)
        for one in _due(waiting, message, index, summaries) if waiting else ():
            waiting.remove(one)
            yield from archive.events(one)
        is_undone = "task_id" in message and message["task_id"] in undone
        hidden: Labels = ("hidden",) if is_undone else ()
        yield from messages.events(value, index, hidden, told)
        if "chunk_path" in message:
            yield from _missing(message, index, archives)
    for one in waiting:
        yield from archive.events(one)
    yield from stated(record)


def _due(
    waiting: list[Archive], message: JsonObject, index: int, summaries: list[int]
) -> list[Archive]:
    """The archives to be told before a message; `summaries` are the places of all summaries."""
    if not summaries:
        # The tool was stopped between writing the archive and the session.
        return list(waiting) if message.get("role") != "system" else []
    if index == summaries[-1]:
        return list(waiting)
    name = file_name(string(message.get("chunk_path"))) if index in summaries else None
    names = [one.file.name for one in waiting] if name else []
    return waiting[: names.index(name) + 1] if name in names else []


def _summaries(stored: list[Json]) -> list[int]:
    return [index for index, value in enumerate(stored) if injected.is_summary(mapping(value))]


def _missing(message: JsonObject, index: int, archives: list[Archive]) -> Iterator[Notice]:
    """Says so where the archive that a summary names is not to be found."""
    name = file_name(string(message.get("chunk_path")))
    if name and name not in {one.file.name for one in archives}:
        record = messages.position(index)
        yield Notice(
            kind="error",
            text=f"the archive {name}, which holds what came before, is not in this store",
            record=record,
            message=record,
            labels=("inferred",),
        )


def _unanswered(record: JsonObject) -> dict[tuple[int, int], Labels]:
    stopped = mapping(record.get("stats")).get("last_status") == "interrupted"
    return messages.unanswered(array(record.get("messages")), ("interrupted",) if stopped else ())


def stated(record: JsonObject) -> Iterator[Notice]:
    """What the session object says about the whole: todos, how it ended, what it cost."""
    clean = header.redacted(record)
    todos = [mapping(todo) for todo in array(clean.get("todos"))]
    if todos:
        lines = [f"[{_tick(todo)}] {todo.get('task')}" for todo in todos]
        yield Notice(kind="todo", text="\n".join(lines), record="todos")
    stats = mapping(clean.get("stats"))
    status = string(stats.get("last_status"))
    error = string(stats.get("last_error"))
    if error and status == "error":
        yield Notice(kind="error", text=error, record=_STATED)
    summed = _summed(stats)
    if summed:
        stopped: Labels = ("interrupted",) if status == "interrupted" else ()
        yield Notice(kind="state", text=summed, record=_STATED, labels=stopped)


def _tick(todo: JsonObject) -> str:
    return "x" if todo.get("status") == "completed" else " "


def _summed(stats: JsonObject) -> str:
    tasks, cost = integer(stats.get("total_tasks")), number(stats.get("total_cost_usd"))
    if not tasks:
        return ""
    parts = [f"{tasks} {'task' if tasks == 1 else 'tasks'}"]
    if cost:  # 0 also stands for a model without a known price
        parts.append(f"${cost:.4f}")
    if string(stats.get("last_status")):
        parts.append(f"last status: {stats['last_status']}")
    return ", ".join(parts)
