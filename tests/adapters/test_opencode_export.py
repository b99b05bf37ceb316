"""OpenCode's exported and shared sessions: the contract, damage, and what other files are not."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, ClassVar

import pytest

from adapters.opencode.cut import whole_part
from adapters.opencode.database import OpenCodeDatabase
from adapters.opencode.export import OpenCodeExport
from finder.adapter import Store
from finder.errors import NotFoundError, StoreError
from finder.model import Event, Json, JsonObject, Problem, Ref, Session
from finder.testing import AdapterContract
from tests import damage

FIXTURES = Path(__file__).parents[2] / "fixtures" / "opencode-export"
DATABASE = FIXTURES.parent / "opencode-db" / "1.18.33" / "store" / ".local/share/opencode"
ADAPTER = OpenCodeExport()

TOOLS = "ses_e07d5a67effe5AcZT2yPAuksjX"
OVERFLOW = "ses_e07d5239effeKerMhvQQWaqP5R"
V2 = "ses_e07d49132ffeHaLKD0nayaNC48"
SHARED = "ses_e07d57e46ffexIoFN5KG4FNMfR"


def exported(session: str) -> Path:
    return FIXTURES / "1.18.33" / "store" / "exports" / f"{session}.json"


SHARE = FIXTURES / "share-data" / "store" / "exports" / f"{SHARED}.share.json"


class TestOpenCodeExport(AdapterContract):
    adapter = ADAPTER
    fixtures = FIXTURES
    free_keys: ClassVar[frozenset[str]] = frozenset({"state.input", "state.metadata", "metadata"})

    def records(self, home: Path, session: Session) -> list[Json]:
        value = json.loads(Path(session.ref.store).read_bytes())
        if isinstance(value, list):
            messages = [item["data"] for item in value if item["type"] == "message"]
            parts = [item["data"] for item in value if item["type"] == "part"]
            value = {
                "messages": [
                    {"info": m, "parts": [p for p in parts if p["messageID"] == m["id"]]}
                    for m in messages
                ]
            }
        return [record for m in value["messages"] for record in (m["info"], *m["parts"])]


def detected(path: Path) -> Store:
    store = ADAPTER.detect(path)
    assert store is not None, path
    return store


def listed(path: Path) -> tuple[dict[str, Session], list[Problem]]:
    found = list(ADAPTER.sessions(detected(path)))
    sessions = {item.ref.id: item for item in found if isinstance(item, Session)}
    return sessions, [item for item in found if isinstance(item, Problem)]


def story(path: Path, identifier: str) -> list[Event]:
    return list(ADAPTER.events(Ref("opencode", str(path), identifier)))


def written(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def shape(events: list[Event]) -> list[tuple[Any, ...]]:
    """What an export and the database must agree on."""
    return [
        (e.type, e.record, e.role, e.labels, getattr(e, "text", None), getattr(e, "output", None))
        for e in events
    ]


@pytest.mark.parametrize("session", [TOOLS, OVERFLOW])
def test_an_export_tells_what_the_database_does(session: str) -> None:
    database = OpenCodeDatabase().events(Ref("opencode", str(DATABASE / "opencode.db"), session))
    # A todo list and a diff are not in an export.
    stored = [e for e in database if not (e.type == "notice" and e.message is None)]
    assert shape(story(exported(session), session)) == shape(stored)


def test_the_place_of_a_cut_output_is_told(tmp_path: Path) -> None:
    value = json.loads(exported(TOOLS).read_bytes())
    part = next(p for m in value["messages"] for p in m["parts"] if p["type"] == "tool")
    part["state"]["metadata"]["outputPath"] = "/home/dev/.local/share/opencode/tool-output/tool_1"
    path = written(tmp_path / "e.json", value)
    (full,) = [e for e in story(path, TOOLS) if e.type == "attachment"]
    assert (full.name, full.path, full.data) == (
        "tool_1",
        part["state"]["metadata"]["outputPath"],
        None,
    )
    (tmp_path / "tool-output").mkdir()
    (tmp_path / "tool-output" / "tool_1").write_text("whole")
    (full,) = [e for e in story(path, TOOLS) if e.type == "attachment"]
    assert full.data == "d2hvbGU="


def test_headers_are_those_of_the_session_record() -> None:
    sessions, problems = listed(exported(TOOLS))
    session = sessions[TOOLS]
    assert problems == []
    assert session.title == "Please give me a tour and add a util module."
    assert (session.directory, session.messages) == ("/home/dev/code/webapp", 10)
    assert (session.agent, session.model) == ("build", "mock/mock-large")
    assert listed(exported(V2))[0][V2].messages == 0
    assert story(exported(V2), V2) == []


def test_each_shape_is_named() -> None:
    assert ADAPTER.generation(detected(exported(TOOLS))) == "export"
    assert ADAPTER.generation(detected(SHARE)) == "share"
    assert not ADAPTER.can.live
    assert detected(SHARE).rank == 0


def test_a_share_is_ordered_by_time_and_joined_by_id(tmp_path: Path) -> None:
    items = json.loads(SHARE.read_bytes())
    mixed = written(tmp_path / "mixed.json", [items[0], *reversed(items[1:])])
    assert story(mixed, SHARED) == [
        # Only the address differs: a task's child is looked for in the same file.
        _moved(event, mixed)
        for event in story(SHARE, SHARED)
    ]


def _moved(event: Event, path: Path) -> Event:
    if event.type != "subagent" or event.child is None:
        return event
    from dataclasses import replace

    return replace(event, child=event.child._replace(store=str(path)))


def test_other_items_of_a_share_are_kept(tmp_path: Path) -> None:
    items = json.loads(SHARE.read_bytes())
    diff = {"type": "session_diff", "data": [{"file": "a.py", "additions": 2, "deletions": 1}]}
    model = {"type": "model", "data": [{"id": "m"}]}
    lost = {"type": "part", "data": {"id": "prt_x", "sessionID": SHARED, "messageID": "msg_x"}}
    lost["data"] |= {"type": "text", "text": "whose?"}  # type: ignore[operator]
    path = written(tmp_path / "share.json", [*items, diff, model, 7, lost])
    events = story(path, SHARED)
    before = len(story(SHARE, SHARED))
    told = [(e.type, e.raw, getattr(e, "text", None)) for e in events[before:]]
    assert told == [
        ("opaque", "", None),
        ("text", lost["data"], "whose?"),
        ("notice", diff, "a.py +2 -1"),
        ("opaque", model, None),
        ("opaque", 7, None),
    ]
    problems = [e.problem for e in events if e.type == "opaque" and e.problem]
    assert len(problems) == 2


def test_unknown_keys_are_kept(tmp_path: Path) -> None:
    value: JsonObject = json.loads(exported(TOOLS).read_bytes())
    value["todos"] = [1]
    value["messages"][2]["mood"] = "good"
    value["messages"][3] = "no message"
    events = story(written(tmp_path / "e.json", value), TOOLS)
    kept = [(e.kind, e.raw, e.problem) for e in events if e.type == "opaque"]
    assert ("todos", {"todos": [1]}, None) in kept
    assert ("mood", {"mood": "good"}, None) in kept
    (wrong,) = [raw for kind, raw, problem in kept if problem]
    assert wrong == "no message"


def test_a_file_with_a_byte_order_mark_or_without_a_session_record_is_read(tmp_path: Path) -> None:
    marked = tmp_path / "marked.json"
    marked.write_bytes(b"\xef\xbb\xbf" + exported(TOOLS).read_bytes())
    assert listed(marked)[0][TOOLS].messages == 10
    value = json.loads(exported(TOOLS).read_bytes())
    bare = written(tmp_path / "bare.json", {"messages": value["messages"]})
    session = listed(bare)[0][TOOLS]
    assert (session.title, session.raw, session.messages) == (None, None, 10)


# -- damage -------------------------------------------------------------------------------


def test_of_an_export_cut_by_a_pipe_all_whole_messages_are_read(tmp_path: Path) -> None:
    data = exported(TOOLS).read_bytes()
    whole = story(exported(TOOLS), TOOLS)
    path = tmp_path / "cut.json"
    read = 0
    for tenth in range(2, 10):
        path.write_bytes(data[: len(data) * tenth // 10])
        sessions, problems = listed(path)
        assert [p.kind for p in problems] == ["corrupt"]
        assert "straight into a file" in problems[0].message
        *events, rest = story(path, TOOLS)
        assert rest.type == "opaque"
        assert rest.problem
        assert isinstance(rest.raw, str)
        assert data[: len(data) * tenth // 10].decode().endswith(rest.raw)
        kept = [e.raw for e in events if e.raw is not None]
        assert kept == [e.raw for e in whole if e.raw is not None][: len(kept)]
        count = sessions[TOOLS].messages or 0
        assert count >= read
        read = count
    assert read > 5


def test_of_a_share_that_breaks_off_all_whole_items_are_read(tmp_path: Path) -> None:
    path = tmp_path / "cut.json"
    data = SHARE.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    sessions, problems = listed(path)
    assert sessions[SHARED].messages
    assert [p.kind for p in problems] == ["corrupt"]


@pytest.mark.parametrize("path", [exported(TOOLS), exported(V2), SHARE])
def test_no_cut_or_flipped_byte_raises(tmp_path: Path, path: Path) -> None:
    data = path.read_bytes()
    damaged = tmp_path / "damaged.json"
    flips = (damage.flipped(data, seed) for seed in range(1, 60))
    for content in (*damage.cuts(data), *flips):
        damaged.write_bytes(content)
        store = ADAPTER.detect(damaged)
        if store is None:
            continue
        try:
            for found in ADAPTER.sessions(store):
                if isinstance(found, Session):
                    list(ADAPTER.events(found.ref))
        except StoreError as error:
            assert error.problem.path == str(damaged)


@pytest.mark.parametrize("harm", damage.IN_PLACE_OF_A_FILE)
def test_what_is_put_in_its_place_is_an_error(tmp_path: Path, harm: damage.Damage) -> None:
    path = tmp_path / "e.json"
    shutil.copyfile(exported(TOOLS), path)
    store = detected(path)
    harm(path)
    assert ADAPTER.detect(path) is None
    with pytest.raises(StoreError) as caught:
        list(ADAPTER.sessions(store))
    assert caught.value.problem.path == str(path)


@pytest.mark.parametrize(
    ("text", "value", "rest"),
    [
        ('{"a": 1, "b": [1, 2', {"a": 1, "b": [1, 2]}, ""),
        ('{"a": 1, "b": [{"x":1}, {"x":', {"a": 1, "b": [{"x": 1}]}, ', {"x":'),
        ('{"a": {"b":', {}, '{"a": {"b":'),
        ("[1, [2], [3", [1, [2]], ", [3"),
        ("[", [], "["),
        ("[]x", [], "x"),
        ("", None, ""),
        ("no", None, "no"),
        ("[" * 5000, [], "[" * 5000),
    ],
)
def test_what_is_whole_in_a_text(text: str, value: Json, rest: str) -> None:
    found, left = whole_part(text)
    assert found == value
    assert left == rest


# -- what is no export --------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"info": 7, "messages": []}',
        '{"info": {"title": "an API"}, "paths": {}}',
        '{"messages": [{"role": "user", "content": "hi"}]}',
        '[{"type": "message", "data": "other"}]',
        '[{"id": "ses_1"}]',
        '{"session_id": "x", "messages": []}',
    ],
)
def test_other_json_files_are_not_claimed(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    assert ADAPTER.detect(path) is None


def test_what_is_no_file_is_not_claimed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "loop.json").symlink_to(tmp_path / "loop.json")
    for path in tmp_path.iterdir():
        assert ADAPTER.detect(path) is None


def test_a_file_that_went_away_or_changed_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "e.json"
    shutil.copyfile(exported(TOOLS), path)
    store = detected(path)
    path.write_text('{"something": "else"}')
    with pytest.raises(StoreError) as caught:
        list(ADAPTER.sessions(store))
    assert caught.value.problem.kind == "foreign"
    path.unlink()
    with pytest.raises(StoreError) as caught:
        list(ADAPTER.sessions(store))
    assert caught.value.problem.kind == "gone"
    with pytest.raises(NotFoundError):
        story(exported(TOOLS), "ses_other")
