"""The README says all that the program has, and the JSON is what it says."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import click
import pytest

from finder.cli import COMMANDS
from finder.cli.program import main
from finder.content import Field
from finder.errors import ExitCode
from finder.find import Query, find
from finder.library import Below, Entry
from finder.model import EVENT_TYPES, LABELS, Ref, Session, Text
from finder.registry import GROUP
from finder.render import data
from finder.textsearch import find_text
from finder.words import Sought
from tests.memory import Shelf, library

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

SESSION_KEYS = [
    "tool", "store", "id", "ref", "title", "directory", "created", "updated", "parent_id",
    "agent", "model", "messages", "archived", "labels", "also_in", "resume", "subagent_count",
    "score", "matched",
]  # fmt: skip
TEXT_KEYS = ["only_synthetic", "quotes"]
SUBAGENT_KEYS = [
    "id", "ref", "store", "parent_id", "depth", "agent", "title", "directory", "created",
    "updated", "messages", "labels",
]  # fmt: skip


def section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_and_option_is_described(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert f"finder {name}" in README
    for parameter in command.params:
        for option in (*parameter.opts, *parameter.secondary_opts):
            if isinstance(parameter, click.Option):
                assert f"`{option}" in README, f"{name} {option}"
                if isinstance(parameter.type, click.Choice) and option.startswith("--"):
                    for choice in parameter.type.choices:
                        assert f"`{choice}`" in README or f"|{choice}" in README, choice


def test_every_adapter_is_described() -> None:
    for name in PROJECT["entry-points"][GROUP]:
        assert f"| `{name}` |" in section("Stores"), name


def test_every_exit_code_is_described() -> None:
    table = section("Exit codes")
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)} == set(ExitCode)


def test_every_label_and_event_is_described() -> None:
    for label in LABELS:
        assert f"`{label}`" in section("Stores"), label
    lines = {
        found[1]: found[0] for found in re.findall(r"^(\| `(\w+)` \|.*)$", section("JSON"), re.M)
    }
    assert set(lines) == set(EVENT_TYPES)
    shared = {"type", "record", "at", "message", "role", "labels", "raw"}
    for name, kind in EVENT_TYPES.items():
        for field in fields(kind):
            assert field.name in shared or f"`{field.name}`" in lines[name], (name, field.name)


def test_the_shape_of_the_json() -> None:
    shelf = Shelf(Path("/shelf"))
    shelf.add("ses_1", "A title", created=0, updated=1_234, archived=5)
    shelf.add("ses_2", "A child of it", parent="ses_1")
    value = data.answer(find(library(shelf), Query(words=("child",))))
    assert value["schema"] == "session-finder/1"
    assert list(value) == ["schema", "by_text", "sessions", "problems", "searched"]
    session = value["sessions"][0]
    assert list(session) == [*SESSION_KEYS, "matched_subagents"]
    assert session["created"] == "1970-01-01T00:00:00.000Z"
    assert session["updated"] == "1970-01-01T00:00:01.234Z"
    assert session["archived"] == "1970-01-01T00:00:00.005Z"
    assert list(session["matched"][0]) == ["word", "field", "tier"]
    assert list(session["matched_subagents"][0]) == SUBAGENT_KEYS
    assert list(value["searched"][0]) == ["tool", "adapter", "store", "kind", "sessions", "failed"]
    for key in [*SESSION_KEYS, *SUBAGENT_KEYS, "matched_subagents", "searched", "failed"]:
        assert f"`{key}`" in section("JSON"), key


def test_the_shape_of_the_json_where_text_is_searched() -> None:
    shelf = Shelf(Path("/shelf"))
    shelf.add("ses_1", "A title")
    shelf.add("ses_2", "A child of it", parent="ses_1")
    shelf.stories = {"ses_2": [Text(text="a needle", record="r", at=0, role="user")]}
    found = find_text(library(shelf), Query(), Sought.of(["needle"]))
    (session,) = data.answer(found)["sessions"]
    assert list(session) == [*SESSION_KEYS, "matched_subagents", *TEXT_KEYS]
    assert session["quotes"] == [
        {
            "id": "ses_2", "ref": "mem:ses_2", "seq": 0, "type": "text", "field": "text",
            "record": "r", "at": "1970-01-01T00:00:00.000Z", "role": "user", "labels": [],
            "snippet": "a needle", "spans": [[2, 8]], "cut_before": False, "cut_after": False,
        }
    ]  # fmt: skip
    for key in ["by_text", *TEXT_KEYS, *session["quotes"][0]]:
        assert f"`{key}`" in section("JSON"), key
    for field in get_args(Field):
        assert field in section("JSON")


def test_a_session_has_all_keys_even_when_the_store_says_nothing() -> None:
    bare = Session(ref=Ref("t", "/s", "i"))
    entry = Entry(session=bare, copies=(bare,), also_in=())
    known = {key: value for key, value in data.session(entry).items() if value is not None}
    assert known == {
        "tool": "t",
        "store": "/s",
        "id": "i",
        "ref": "t:i",
        "labels": [],
        "also_in": [],
    }
    assert list(data.below(Below(session=bare, depth=1))) == SUBAGENT_KEYS


def test_times_beyond_the_calendar_are_unknown() -> None:
    assert data.iso(None) is None
    assert data.iso(10**18) is None
    assert data.iso(-1) == "1969-12-31T23:59:59.999Z"
    for time in (0, 9, 59_999, 60_000, 61_070, 3_599_999, 1_756_825_681_206, -62_135_596_800_000):
        told = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=time)
        assert data.iso(time) == told.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_the_commands_to_begin_with_are_those_that_are_checked() -> None:
    commands = re.findall(r"^    (python3 -m venv .*)$", README, re.MULTILINE)
    assert len(commands) == 2
    assert "finder find hello --root fixtures" in commands[0]
    assert commands[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
