"""What OpenCode keeps beside its sessions in the data folder D, as files.

D/storage/session_diff/<ses>.json   array of file diffs: {file, before, after | patch,
                                    additions, deletions, status}
D/tool-output/tool_<id>             the full text of a tool result that was cut (over 2,000
                                    lines or 51,200 bytes); deleted after seven days
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from finder import files, jsonio
from finder.errors import StoreError
from finder.jsonio import array, mapping, string
from finder.model import Attachment, Json, JsonObject, Notice, Opaque

# A larger output stays a path: nobody reads it in a transcript.
_MAX_OUTPUT_BYTES = 16 * 1024 * 1024
# Nor is damage of such a size anything that was a record.
_MAX_DAMAGED_BYTES = 16 * 1024 * 1024


def tool_output(data: Path) -> Callable[[JsonObject], Attachment | None]:
    """A finder of the full text that a truncated tool result was cut from.

    The stored path is of the machine that wrote it; the file is looked for by its name in the
    data folder that we read, so that a copied store finds its own.
    """

    def attached(state: JsonObject) -> Attachment | None:
        stored = string(mapping(state.get("metadata")).get("outputPath"))
        if not stored:
            return None
        name = PurePosixPath(stored.replace("\\", "/")).name
        path = data / "tool-output" / name
        if not name.startswith("tool_"):
            return None
        return Attachment(
            name=name,
            mime="text/plain",
            data=_base64(path),
            path=stored,
            role="tool",
        )

    return attached


def _base64(path: Path) -> str | None:
    import base64

    try:
        return base64.b64encode(files.read(path, _MAX_OUTPUT_BYTES)).decode("ascii")
    except StoreError:
        return None


def session_diff(data: Path, session: str) -> Notice | Opaque | None:
    """The record of the files that a session changed, if there is one."""
    return diff_file(data / "storage" / "session_diff" / f"{PurePosixPath(session).name}.json")


def diff_file(path: Path) -> Notice | Opaque | None:
    """The record in a file of diffs; None if there is no such file."""
    try:
        value = jsonio.read(path)
    except StoreError as error:
        if error.problem.kind == "gone":
            return None
        return _unreadable("session_diff", path, error)
    return Notice(kind="diff", text=changed_files(value), record=path.stem, raw=value)


def todo_file(path: Path) -> Notice | Opaque | None:
    """The record in a file of a whole todo list; None if there is no such file."""
    try:
        value = jsonio.read(path)
    except StoreError as error:
        if error.problem.kind == "gone":
            return None
        return _unreadable("todo", path, error)
    lines = [todo_text(mapping(item)) for item in array(value)]
    return Notice(kind="todo", text="\n".join(lines), record=path.stem, raw=value)


def _unreadable(kind: str, path: Path, error: StoreError) -> Opaque:
    return Opaque(kind=kind, problem=error.problem.message, record=path.stem, raw=text_of(path))


def text_of(path: Path) -> str:
    """The text of a file that holds no JSON; nothing where it is huge or cannot be read at all."""
    try:
        return files.read(path, _MAX_DAMAGED_BYTES).decode("utf-8", "surrogateescape")
    except StoreError:
        return ""


def changed_files(diffs: Json) -> str:
    """A list of file diffs, for a person: one line for each."""
    lines = []
    for item in array(diffs):
        diff = mapping(item)
        added, deleted = diff.get("additions"), diff.get("deletions")
        lines.append(f"{diff.get('file')} +{added} -{deleted}")
    return "\n".join(lines)


def todo_notice(record: str, todo: JsonObject, raw: Json) -> Notice:
    """One item of a session's todo list."""
    return Notice(kind="todo", text=todo_text(todo), record=record, raw=raw)


def todo_text(todo: JsonObject) -> str:
    """One item of a todo list, for a person."""
    text = f"[{todo.get('status')}] {todo.get('content')}"
    return f"{text} ({todo['priority']})" if todo.get("priority") else text
