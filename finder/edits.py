"""What a tool call changes in files, as far as its input says.

The tools' own editing tools differ in the names of their arguments, not in what these are: a
path with an old and a new text, a path with a whole content, or a patch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from finder.dataclass import dataclass
from finder.model import Json, ToolCall

_PATHS = ("filePath", "file_path", "path", "filename", "file", "target_file")
_TEXTS = (
    ("oldString", "newString"),
    ("old_string", "new_string"),
    ("old_text", "new_text"),
    ("oldText", "newText"),
    ("old_str", "new_str"),
)
_CONTENTS = ("content", "contents", "file_text", "text")
_PATCHES = ("patchText", "patch_text", "patch", "diff", "input")
_PATCH = r"(?m)^(?:\*\*\* Begin Patch|--- \S.*\n\+\+\+ \S|diff --git )"
_WRITE = ("writ", "creat", "edit", "save", "replace", "insert", "append", "update", "patch")
# Beyond so many pairs of lines a comparison takes seconds; then all of the old goes, and all of
# the new comes, which is as true.
_MOST_PAIRS = 1_000_000
_CONTEXT = 3
GAP = "⋯"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of one file.

    Attributes:
        path: None where a patch names the files itself.
        lines: each begins with ``+`` (comes), ``-`` (goes), a space (stays) or, for what stands
            between these, something else.
    """

    path: str | None
    lines: tuple[str, ...]

    @property
    def counts(self) -> tuple[int, int]:
        """How many lines come, and how many go."""
        came = sum(one.startswith("+") and not one.startswith("+++ ") for one in self.lines)
        went = sum(one.startswith("-") and not one.startswith("--- ") for one in self.lines)
        return came, went


def changes(call: ToolCall) -> list[Change]:
    """What the call would change; empty where its input does not look like that."""
    value = call.input
    if isinstance(value, str):
        return [_patch(value)] if re.search(_PATCH, value) else []
    if not isinstance(value, dict):
        return []
    path = _first(value, _PATHS)
    several = value.get("edits")
    parts = several if isinstance(several, list) else [value]
    found = [
        Change(path=_first(part, _PATHS) or path, lines=tuple(difference(old, new)))
        for part in parts
        if isinstance(part, dict)
        for old, new in _replacements(part)
    ]
    if found or not any(word in call.name.casefold() for word in _WRITE):
        return found
    patch = _first(value, _PATCHES)
    if patch is not None and re.search(_PATCH, patch):
        return [_patch(patch)]
    content = _first(value, _CONTENTS)
    if path is None or content is None:
        return []
    return [Change(path=path, lines=tuple(f"+{one}" for one in content.splitlines()))]


def _first(value: Mapping[str, Json], names: tuple[str, ...]) -> str | None:
    return next((value[name] for name in names if isinstance(value.get(name), str)), None)


def _replacements(part: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    for old, new in _TEXTS:
        if isinstance(part.get(old), str) and isinstance(part.get(new), str):
            yield part[old], part[new]


def _patch(text: str) -> Change:
    return Change(path=None, lines=tuple(text.splitlines()))


def difference(old: str, new: str) -> Iterator[str]:
    """What goes and what comes, with some of what stays around it."""
    before, after = old.splitlines(), new.splitlines()
    if len(before) * len(after) > _MOST_PAIRS:
        yield from (f"-{one}" for one in before)
        yield from (f"+{one}" for one in after)
        return
    from difflib import SequenceMatcher

    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for number, group in enumerate(matcher.get_grouped_opcodes(_CONTEXT)):
        if number:
            yield GAP
        for kind, start, end, start_after, end_after in group:
            if kind == "equal":
                yield from (f" {one}" for one in before[start:end])
                continue
            yield from (f"-{one}" for one in before[start:end])
            yield from (f"+{one}" for one in after[start_after:end_after])
