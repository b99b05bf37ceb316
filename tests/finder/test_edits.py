"""What a tool call changes in files."""

from __future__ import annotations

import time
from typing import Any

import pytest

from finder.edits import GAP, Change, changes, difference
from finder.model import ToolCall


def changed(name: str, value: Any) -> list[Change]:
    return changes(ToolCall(call="1", name=name, input=value))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("edit", {"filePath": "a", "oldString": "x", "newString": "y"}),
        ("edit", {"path": "a", "old_string": "x", "new_string": "y"}),
        ("edit_file", {"path": "a", "old_text": "x", "new_text": "y"}),
        ("multi", {"file_path": "a", "edits": [{"old_string": "x", "new_string": "y"}]}),
    ],
)
def test_a_replacement(name: str, value: Any) -> None:
    assert changed(name, value) == [Change(path="a", lines=("-x", "+y"))]


def test_a_whole_file() -> None:
    (change,) = changed("write", {"path": "a", "content": "x\ny\n"})
    assert (change.path, change.lines, change.counts) == ("a", ("+x", "+y"), (2, 0))
    assert changed("read", {"path": "a", "content": "x"}) == []
    assert changed("write", {"path": "a", "content": 5}) == []


@pytest.mark.parametrize(
    "patch",
    ["*** Begin Patch\n*** Update File: a\n-x\n+y", "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x\n+y\n"],
)
def test_a_patch(patch: str) -> None:
    for value in (patch, {"patchText": patch}):
        (change,) = changed("apply_patch", value)
        assert change.path is None
        assert change.counts == (1, 1)


def test_anything_else_is_no_change() -> None:
    for value in (None, 5, [], "ls", {"command": "rm a"}, {"edits": [1]}, {"edits": "x"}):
        assert changed("edit", value) == []


def test_what_stays_is_left_out_but_around_a_change() -> None:
    old = [str(n) for n in range(40)]
    new = [*old[:5], "new", *old[5:30], *old[31:]]
    lines = list(difference("\n".join(old), "\n".join(new)))
    assert lines == [
        *(f" {n}" for n in (2, 3, 4)), "+new", *(f" {n}" for n in (5, 6, 7)),
        GAP,
        *(f" {n}" for n in (27, 28, 29)), "-30", *(f" {n}" for n in (31, 32, 33)),
    ]  # fmt: skip


def test_a_huge_replacement_takes_no_time() -> None:
    begun = time.monotonic()
    lines = list(difference("a\nb\n" * 20_000, "b\na\n" * 20_000))
    assert len(lines) == 80_000
    assert time.monotonic() - begun < 2
