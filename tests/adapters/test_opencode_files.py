"""OpenCode's session files: the contract, and what each layout and each situation shows."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from adapters.opencode.files import OpenCodeFiles
from finder.adapter import Store, Want
from finder.errors import NotFoundError, StoreError
from finder.model import Event, Json, Problem, Ref, Session
from finder.places import Places
from finder.testing import AdapterContract, fingerprint, stores_below
from tests import damage

FIXTURES = Path(__file__).parents[2] / "fixtures" / "opencode-files"
ADAPTER = OpenCodeFiles()
DATA = Path(".local") / "share" / "opencode"

DELETED = "ses_e07cde594ffeFlDbc3z6UMvYE5"  # 0.5.29
REVERTED_THEN_PROMPTED = "ses_e07dd1734ffe1rdo1K02WGBykO"  # 1.1.65
TOOLS = "ses_e07dd2e36ffelR3qb82J7Xbcwj"
PLAIN = "ses_e07dd2ed1ffeGYLlxpkBuheYu1"
CUT_OUTPUT = "ses_e07dd0ffeffeHqI0QCJ2OIg46u"


def _json(path: Path) -> Any:
    return json.loads(path.read_bytes())


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


class TestOpenCodeFiles(AdapterContract):
    adapter = ADAPTER
    fixtures = FIXTURES
    free_keys: ClassVar[frozenset[str]] = frozenset(
        {
            "state.input",
            "state.metadata",
            "metadata.tool",
            "parts[].toolInvocation.args",
            "error.data",
            "structured",
            "format.schema",
            "tools",
        }
    )

    def records(self, home: Path, session: Session) -> list[Json]:
        """The files, by name; for a message whose file is gone an empty text."""
        store, identifier = Path(session.ref.store), session.ref.id
        if (store / "session" / "info").is_dir():
            return self._project_records(store / "session", identifier)
        plural = "s" if store.name == ".opencode" else ""
        messages, parts = store / f"message{plural}", store / f"part{plural}"
        found: list[Json] = []
        for path in _files(messages / identifier):
            found += [_json(path), *map(_json, _files(parts / path.stem))]
        known = {path.stem for path in messages.glob("*/*.json")}
        for folder in sorted(p for p in parts.glob("*") if p.name not in known):
            inside = [_json(path) for path in _files(folder)]
            if inside[0]["sessionID"] == identifier:
                found += ["", *inside]
        for kind in ("todo", "session_diff"):
            path = store / kind / f"{identifier}.json"
            found += [_json(path)] if path.exists() else []
        return found

    def _project_records(self, below: Path, identifier: str) -> list[Json]:
        found: list[Json] = []
        names = {p.stem for p in (below / "message" / identifier).glob("*.json")}
        for name in sorted(names):
            found.append(_json(below / "message" / identifier / f"{name}.json"))
            found += map(_json, _files(below / "part" / identifier / name))
        left = {p.name for p in (below / "part" / identifier).glob("*")} - names
        for name in sorted(left):
            found += ["", *map(_json, _files(below / "part" / identifier / name))]
        return found


def store_of(case: str) -> Store:
    return one_store(FIXTURES / case / "store")


def one_store(home: Path) -> Store:
    (store,) = stores_below(ADAPTER, home)
    return store


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[str], Store]:
    """A writable copy of a case's only store."""

    def copy(case: str) -> Store:
        home = tmp_path / case
        shutil.copytree(FIXTURES / case / "store", home)
        return one_store(home)

    return copy


def listed(store: Store, want: Want | None = None) -> tuple[dict[str, Session], list[Problem]]:
    found = list(ADAPTER.sessions(store, want))
    sessions = {item.ref.id: item for item in found if isinstance(item, Session)}
    return sessions, [item for item in found if isinstance(item, Problem)]


def story(store: Store, identifier: str) -> list[Event]:
    return list(ADAPTER.events(Ref("opencode", str(store.path), identifier)))


def told_problems(events: list[Event]) -> list[str]:
    return [e.problem for e in events if e.type == "opaque" and e.problem]


# -- what is there ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "sessions", "messages", "parts", "left"),
    [
        ("0.1.174", 20, 79, 174, 0),
        ("0.5.29", 37, 131, 416, 17),
        ("1.1.65", 40, 178, 430, 8),
        ("notmigrated", 8, 35, 82, 8),
        ("fieldguide", 9, 60, 165, 0),
        ("../opencode-db/migrated", 12, 55, 136, 8),
    ],
)
def test_as_much_is_read_as_was_counted(
    case: str, sessions: int, messages: int, parts: int, left: int
) -> None:
    """The numbers of fixtures/README.md; sessions are those that the program did not delete."""
    counted: Counter[str] = Counter()
    for store in stores_below(ADAPTER, FIXTURES / case / "store"):
        known, problems = listed(store)
        assert problems == []
        assert ADAPTER.count(store) == len(known)
        for session in known.values():
            counted["sessions"] += "trashed" not in session.labels
            events = story(store, session.ref.id)
            opened = {e.message for e in events if e.type == "message"}
            counted["messages"] += len(opened)
            records = {
                (e.message in opened, e.record)
                for e in events
                if e.message and e.record != e.message
            }
            for live, _ in records:
                counted["parts" if live else "left"] += 1
    assert counted == Counter(sessions=sessions, messages=messages, parts=parts, left=left)


def test_each_layout_is_found_and_ranked() -> None:
    found = {
        case.name: stores_below(ADAPTER, case / "store")
        for case in sorted(FIXTURES.iterdir())
        if case.is_dir()
    }
    assert {name: len(stores) for name, stores in found.items()} == {
        "0.1.174": 3,
        "0.5.29": 3,
        "1.1.65": 1,
        "fieldguide": 1,
        "notmigrated": 1,
    }
    assert {store.rank for store in found["0.5.29"]} == {0}
    assert {store.rank for store in found["1.1.65"]} == {1}
    assert {ADAPTER.generation(store) for store in found["0.1.174"]} == {
        "project files with inline parts (0.1)"
    }
    assert {ADAPTER.generation(store) for store in found["0.5.29"]} == {"project files (0.5)"}


def test_newer_stores_of_the_same_program_are_named(tmp_path: Path) -> None:
    store = store_of("notmigrated")
    assert store.superseded_by == (store.path.parent / "opencode.db",)
    assert store_of("1.1.65").superseded_by == ()
    shutil.copytree(FIXTURES / "0.5.29" / "store", tmp_path, dirs_exist_ok=True)
    shutil.copytree(FIXTURES / "notmigrated" / "store", tmp_path, dirs_exist_ok=True)
    stores = {s.path.relative_to(tmp_path / DATA).as_posix(): s for s in one_home(tmp_path)}
    database, storage = tmp_path / DATA / "opencode.db", tmp_path / DATA / "storage"
    assert stores["storage"].superseded_by == (database,)
    assert stores["project/global/storage"].superseded_by == (database, storage)


def one_home(home: Path) -> list[Store]:
    return [s for s in ADAPTER.discover(Places.under(home)) if isinstance(s, Store)]


def test_the_directory_is_the_real_one_and_not_that_of_the_folder_name() -> None:
    for case in ("0.1.174", "0.5.29"):
        directories: dict[str, set[str | None]] = {}
        for store in stores_below(ADAPTER, FIXTURES / case / "store"):
            sessions, _ = listed(store)
            directories[store.path.parent.name] = {
                session.directory for session in sessions.values() if session.messages
            }
        assert directories["home-dev-code-api-server"] == {"/home/dev/code/api server"}
        assert directories["home-dev-code-webapp"] == {"/home/dev/code/webapp"}
        assert directories["global"] <= {"/home/dev/notes", "/home/dev/scratch"}


def test_agent_and_model_are_those_of_the_messages() -> None:
    sessions, _ = listed(store_of("1.1.65"))
    assert (sessions[TOOLS].agent, sessions[TOOLS].model) == ("build", "mock/mock-large")
    children = [s for s in sessions.values() if s.parent]
    assert Counter(s.agent for s in children) == Counter(general=2, explore=2, delegator=1, build=1)


def test_a_task_call_names_its_child_in_each_version() -> None:
    for case in ("0.5.29", "1.1.65", "fieldguide"):
        for store in stores_below(ADAPTER, FIXTURES / case / "store"):
            sessions, _ = listed(store)
            children = {i for i, s in sessions.items() if s.parent}
            named = {
                event.child.id
                for identifier, session in sessions.items()
                if "trashed" not in session.labels
                for event in story(store, identifier)
                if event.type == "subagent" and event.child
            }
            # A child that was made through the API has a parent, and no task that names it.
            assert named <= children
            assert len(children - named) <= 1


def test_summaries_cut_the_context_in_each_version() -> None:
    for case in ("0.1.174", "0.5.29", "1.1.65", "fieldguide"):
        marks = 0
        for store in stores_below(ADAPTER, FIXTURES / case / "store"):
            for identifier in listed(store)[0]:
                events = story(store, identifier)
                compactions = [n for n, e in enumerate(events) if e.type == "compaction"]
                if not compactions:
                    continue
                marks += 1
                assert any("summary" in e.labels for e in events if e.type == "text")
                first = next(e for e in events if e.type == "message")
                last = [e for e in events if e.type == "message"][-1]
                assert "compacted" in first.labels
                assert "compacted" not in last.labels
        assert marks, case


@pytest.mark.parametrize("answered", [{}, [], 7, None])
def test_a_summary_may_name_anything_as_what_it_answers(
    copied: Callable[[str], Store], answered: object
) -> None:
    store = copied("fieldguide")
    path = next(
        p for p in sorted(store.path.rglob("msg_*.json")) if _json(p).get("summary") is True
    )
    path.write_text(json.dumps({**_json(path), "parentID": answered}))
    told = story(store, path.parent.name)
    assert any("summary" in event.labels for event in told)


def test_what_a_person_typed_is_never_synthetic() -> None:
    for case in ("0.1.174", "0.5.29", "1.1.65", "fieldguide"):
        for store in stores_below(ADAPTER, FIXTURES / case / "store"):
            for identifier in listed(store)[0]:
                for event in story(store, identifier):
                    if event.type == "text" and event.role == "user":
                        flagged = isinstance(event.raw, dict) and event.raw.get("synthetic")
                        assert ("synthetic" in event.labels) == bool(flagged)


def test_a_revert_hides_what_it_took_back() -> None:
    for case in ("0.5.29", "1.1.65", "fieldguide"):
        for store in stores_below(ADAPTER, FIXTURES / case / "store"):
            for session in listed(store)[0].values():
                if "reverted" not in session.labels:
                    continue
                start = session.raw["revert"]["messageID"]
                events = [e for e in story(store, session.ref.id) if e.message]
                first = next(n for n, e in enumerate(events) if e.message == start)
                assert all("hidden" in e.labels for e in events[first:])
                assert not any("hidden" in e.labels for e in events[:first])


def test_archived_forked_and_reverted_sessions_are_labelled() -> None:
    labels = Counter(
        label for session in listed(store_of("1.1.65"))[0].values() for label in session.labels
    )
    assert labels == Counter(archived=1, forked=1, inferred=1, reverted=2)


def test_the_whole_of_a_cut_tool_output_is_attached() -> None:
    store = store_of("1.1.65")
    (full,) = [e for e in story(store, CUT_OUTPUT) if e.type == "attachment"]
    (result,) = [e for e in story(store, CUT_OUTPUT) if e.type == "tool_result"]
    assert "truncated" in result.labels
    assert full.name is not None
    kept = store.path.parent / "tool-output" / full.name
    import base64

    assert full.data is not None
    assert base64.b64decode(full.data) == kept.read_bytes()
    assert full.path == f"/home/dev/.local/share/opencode/tool-output/{full.name}"


def test_todo_list_and_diff_stand_at_the_end() -> None:
    events = story(store_of("1.1.65"), TOOLS)
    notices = [(e.kind, e.text) for e in events if e.type == "notice"][-2:]
    assert notices == [
        (
            "todo",
            "[completed] Explore project (high)\n[in_progress] Write util (medium)\n"
            "[pending] Ship it 🚀 (low)",
        ),
        ("diff", "src/app.py +2 -1\nsrc/util.py +3 -0"),
    ]


def test_tools_of_the_oldest_records_end_as_they_did() -> None:
    ended: Counter[tuple[str, tuple[str, ...]]] = Counter()
    for store in stores_below(ADAPTER, FIXTURES / "0.1.174" / "store"):
        for identifier in listed(store)[0]:
            for event in story(store, identifier):
                if event.type == "tool_result":
                    labels = tuple(label for label in event.labels if label != "compacted")
                    ended[event.status, labels] += 1
                    assert event.output or event.status != "ok"
                    assert event.started or event.output in {"request was aborted", None}
    assert ended == Counter(
        {
            ("ok", ()): 21,
            ("error", ()): 12,  # 4 of them were never run
            ("interrupted", ("inferred",)): 1,
            ("running", ()): 1,
        }
    )


def test_inline_parts_ride_on_their_message() -> None:
    for store in stores_below(ADAPTER, FIXTURES / "0.1.174" / "store"):
        for identifier in listed(store)[0]:
            for event in story(store, identifier):
                assert (event.raw is not None) == (event.type == "message")


# -- sessions that have lost something -----------------------------------------------------


def test_a_deleted_session_is_told_by_its_parts() -> None:
    (store,) = [
        s for s in stores_below(ADAPTER, FIXTURES / "0.5.29" / "store") if DELETED in listed(s)[0]
    ]
    session = listed(store)[0][DELETED]
    assert session.labels == ("trashed", "inferred")
    assert (session.title, session.raw, session.messages) == (None, None, 0)
    assert (session.created, session.updated) == (1795165395637, 1795165395829)
    events = story(store, DELETED)
    texts = [(e.role, e.text) for e in events if e.type == "text"]
    assert ("user", "Delete me. [[subagents dir=/home/dev/code/webapp agent1=general]]") in texts
    assert ("assistant", "Both agents answered.") in texts
    assert all("hidden" in e.labels for e in events)
    assert len(told_problems(events)) == 2


def test_parts_of_a_message_that_is_gone_stand_at_the_end() -> None:
    for case in ("1.1.65", "notmigrated"):
        store = store_of(case)
        events = story(store, REVERTED_THEN_PROMPTED)
        left = [e for e in events if "hidden" in e.labels]
        assert events[-len(left) - 1 : -1] == left  # but for the diff
        assert sum(isinstance(e.raw, dict) for e in left) == 8
        assert len(told_problems(left)) == 3
        assert all("is missing" in problem for problem in told_problems(left))


@pytest.mark.parametrize("case", ["1.1.65", "fieldguide"])
def test_a_session_whose_file_is_lost_is_told_by_its_messages(
    copied: Callable[[str], Store], case: str
) -> None:
    store = copied(case)
    before = listed(store)[0][TOOLS]
    (path,) = store.path.rglob(f"session*/*/{TOOLS}.json")
    for content in (None, b"", b'{"id":"ses', b"[]", b'{"hello":1}', b"\x00" * 300):
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        sessions, problems = listed(store)
        assert [p.record for p in problems] == [TOOLS]
        assert content is None or problems[0].path == str(path)
        now = sessions[TOOLS]
        assert now.title is None
        assert (now.directory, now.model) == (before.directory, before.model)
        assert now.messages == before.messages
        assert now.created is not None
        assert before.created is not None
        assert 0 <= now.created - before.created < 1000
        assert len([e for e in story(store, TOOLS) if e.type == "message"]) == before.messages
        path.touch()


def test_without_any_session_files_the_published_layout_still_shows(
    copied: Callable[[str], Store],
) -> None:
    store = copied("fieldguide")
    before = listed(store)[0]
    shutil.rmtree(store.path / "sessions")
    sessions, problems = listed(store)
    assert set(sessions) == set(before)
    assert problems == []
    assert {i: s.messages for i, s in sessions.items()} == {
        i: s.messages for i, s in before.items()
    }


def test_part_files_that_name_no_session_are_a_problem(copied: Callable[[str], Store]) -> None:
    store = copied("1.1.65")
    folder = store.path / "part" / "msg_lost"
    folder.mkdir()
    (folder / "prt_1.json").write_text('{"type":"text","text":"whose?"}')
    assert [(p.kind, p.path) for p in listed(store)[1]] == [("corrupt", str(folder))]
    (folder / "prt_2.json").write_text('{"type":"text","text":"b","sessionID":"ses_gone"}')
    sessions, problems = listed(store)
    assert problems == []
    assert sessions["ses_gone"].labels == ("trashed", "inferred")
    assert [e.text for e in story(store, "ses_gone") if e.type == "text"] == ["whose?", "b"]


def test_an_id_that_no_file_can_have_is_no_folder(copied: Callable[[str], Store]) -> None:
    store = copied("1.1.65")
    before = Counter(event.type for event in story(store, PLAIN))
    path = min(store.path.glob(f"message/{PLAIN}/*.json"))
    path.write_text(json.dumps({**_json(path), "id": "msg_\ud800"}))
    told = story(store, PLAIN)
    assert Counter(event.type for event in told) == before
    assert "msg_\ud800" in {event.record for event in told if event.type == "message"}


def test_the_newest_of_two_files_of_a_session_is_believed(copied: Callable[[str], Store]) -> None:
    store = copied("1.1.65")
    (path,) = store.path.glob(f"session/*/{PLAIN}.json")
    older = store.path / "session" / "aaaa" / path.name
    older.parent.mkdir()
    record = _json(path)
    older.write_text(json.dumps({**record, "title": "stale", "time": {"created": 1, "updated": 2}}))
    sessions, _ = listed(store)
    assert sessions[PLAIN].title == record["title"]
    assert sessions[PLAIN].also_in == (str(older),)
    assert len(listed(store)[0]) == len(listed(store_of("1.1.65"))[0])


# -- how records belong together ----------------------------------------------------------


def test_a_part_in_another_folder_joins_the_message_it_names(
    copied: Callable[[str], Store],
) -> None:
    store = copied("1.1.65")
    before = story(store, PLAIN)
    folders = [store.path / "part" / e.record for e in before if e.type == "message" and e.record]
    moved = _files(folders[1])[-1]
    moved.rename(folders[0] / moved.name)
    assert story(store, PLAIN) == before
    # A message that is not there cannot have it: the folder's message then does.
    (folders[0] / moved.name).write_text(
        json.dumps({**_json(folders[0] / moved.name), "messageID": "msg_elsewhere"})
    )
    events = story(store, PLAIN)
    assert len(events) == len(before)
    assert next(e.message for e in events if e.record == moved.stem) == folders[0].name


def test_messages_are_in_the_order_of_their_times(copied: Callable[[str], Store]) -> None:
    """As ids wrapped in August 2026, a session of both sides has its newest ids first."""
    store = copied("1.1.65")
    folder = store.path / "message" / PLAIN
    order = [e.record for e in story(store, PLAIN) if e.type == "message"]
    last = _json(folder / f"{order[-1]}.json")
    (folder / f"{order[-1]}.json").unlink()
    (folder / "msg_000000000001aaaaaaaaaaaaaa.json").write_text(
        json.dumps({**last, "id": "msg_000000000001aaaaaaaaaaaaaa"})
    )
    now = [e.record for e in story(store, PLAIN) if e.type == "message"]
    assert now == [*order[:-1], "msg_000000000001aaaaaaaaaaaaaa"]


# -- narrowing ----------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["0.5.29", "1.1.65", "fieldguide"])
def test_a_narrowed_listing_has_all_that_fits(case: str) -> None:
    for store in stores_below(ADAPTER, FIXTURES / case / "store"):
        every, _ = listed(store)
        for identifier, session in every.items():
            assert listed(store, Want(ids=(identifier,)))[0] == {identifier: session}
            prefix = identifier[:10]
            assert listed(store, Want(prefix=prefix.upper()))[0] == {
                i: s for i, s in every.items() if i.startswith(prefix)
            }
        assert listed(store, Want(ids=("ses_none",))) == ({}, [])
        assert all(s.raw is None for s in listed(store, Want(raw=False))[0].values())


def test_few_files_are_read_for_a_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    from finder import files

    opened: Counter[str] = Counter()
    really = files.read

    def counting(path: Path, limit: int = files.MAX_FILE_BYTES) -> bytes:
        opened["files"] += 1
        return really(path, limit)

    monkeypatch.setattr(files, "read", counting)
    store = store_of("1.1.65")
    sessions, _ = listed(store)
    # Its own file and its newest message; and what tells the session of parts left behind.
    assert opened["files"] <= 2 * len(sessions) + 16
    opened.clear()
    listed(store, Want(ids=(PLAIN,)))
    assert opened["files"] == 2


# -- what is claimed ----------------------------------------------------------------------


@pytest.mark.parametrize("case", ["0.5.29", "1.1.65", "fieldguide"])
def test_a_session_file_is_the_store_of_that_session(case: str) -> None:
    for store in stores_below(ADAPTER, FIXTURES / case / "store"):
        every, _ = listed(store)
        folders = ("session", "sessions")
        for path in (p for f in folders for p in (store.path / f).rglob("ses_*.json")):
            if {"message", "part"} & set(path.relative_to(store.path).parts):
                continue
            own = ADAPTER.detect(path)
            assert own is not None
            assert own.path == path
            ((identifier, session),) = listed(own)[0].items()
            assert identifier == path.stem
            assert ADAPTER.count(own) == 1
            assert session.raw == every[identifier].raw
            kept = [e.raw for e in story(own, identifier)]
            assert kept == [e.raw for e in story(store, identifier)]


def test_the_configuration_folder_and_other_programs_are_not_claimed(tmp_path: Path) -> None:
    home = tmp_path / ".opencode"
    for folder in ("agent", "command", "plugin", "tools", "bin", "messages/0b1c2d3e", "sessions"):
        (home / folder).mkdir(parents=True)
    (home / "agent" / "review.md").write_text("review")
    (home / "messages" / "0b1c2d3e" / "1_request.json").write_text("{}")
    (home / "sessions" / "abc12345.json").write_text('{"id":"abc12345"}')
    (home / "opencode.db").write_bytes(b"SQLite format 3\x00")
    assert ADAPTER.detect(home) is None
    assert one_home(tmp_path) == []


def test_a_storage_folder_with_nothing_but_diffs_is_not_claimed(tmp_path: Path) -> None:
    """Such as the database versions keep beside the database."""
    storage = tmp_path / DATA / "storage"
    (storage / "session_diff").mkdir(parents=True)
    (storage / "session_diff" / "ses_x.json").write_text("[]")
    (storage / "migration").write_text("2")
    assert one_home(tmp_path) == []


@pytest.mark.parametrize("name", ["", ".", "..", "../session", "/etc/passwd", "a\0b", "ses_x/.."])
def test_an_id_is_never_a_path(name: str) -> None:
    for case in ("1.1.65", "fieldguide"):
        with pytest.raises(NotFoundError):
            story(store_of(case), name)


def test_an_export_of_a_session_is_not_taken_for_its_file(tmp_path: Path) -> None:
    path = tmp_path / "sessions" / "ses_1.json"
    path.parent.mkdir()
    path.write_text('\ufeff{ "info": {"id": "ses_1"}, "messages": []}')
    assert ADAPTER.detect(path) is None


# -- damage -------------------------------------------------------------------------------


def _content(data: bytes) -> damage.Damage:
    return lambda path: path.write_bytes(data) and None


FOREIGN_JSON = (b"null", b"[1]", b"{}", b'{"role":{},"type":[],"time":7,"id":3}', b"[" * 5000)


@pytest.mark.parametrize(
    "harm", [*damage.IN_PLACE_OF_A_FILE, Path.unlink, *map(_content, FOREIGN_JSON)]
)
@pytest.mark.parametrize("case", ["1.1.65", "0.5.29", "0.1.174"])
def test_a_broken_message_or_part_is_named_and_its_neighbours_show(
    tmp_path: Path, case: str, harm: damage.Damage
) -> None:
    home = tmp_path / "home"
    shutil.copytree(FIXTURES / case / "store", home)
    store = max(stores_below(ADAPTER, home), key=lambda s: len(listed(s)[0]))
    every, _ = listed(store)
    victim = next(i for i, s in every.items() if s.messages == 4 and s.title)
    before = story(store, victim)
    for kind in ("message", "part"):
        paths = sorted(
            p
            for p in store.path.rglob("*.json")
            if kind in p.parts and _json(p).get("sessionID", victim) == victim
            if victim in p.parts or kind == "part"
        )
        if not paths:
            continue
        path = paths[0]
        kept = path.read_bytes()
        harm(path)
        sessions, _ = listed(store)
        assert set(sessions) == set(every)
        events = story(store, victim)
        gone = not os.path.lexists(path)
        inline = case == "0.1.174"
        if not (gone and (kind == "part" or inline)):  # a part that is gone leaves no trace
            assert told_problems(events)
        others = {e.record for e in before if path.stem not in {e.message, e.record}}
        assert others <= {e.record for e in events}
        if path.is_dir():
            path.rmdir()
        path.unlink(missing_ok=True)
        path.write_bytes(kept)
        assert story(store, victim) == before


@pytest.mark.parametrize("case", ["1.1.65", "0.1.174"])
def test_no_flipped_or_missing_byte_raises(tmp_path: Path, case: str) -> None:
    home = tmp_path / "home"
    shutil.copytree(FIXTURES / case / "store", home)
    store = max(stores_below(ADAPTER, home), key=lambda s: len(listed(s)[0]))
    victim = next(i for i, s in listed(store)[0].items() if s.messages == 4 and s.title)
    paths = [*store.path.rglob(f"{victim}.json"), *sorted(store.path.rglob(f"{victim}/*.json"))]
    for path in paths:
        data = path.read_bytes()
        flips = (damage.flipped(data, seed) for seed in range(1, 20))
        for damaged in (*damage.cuts(data), *flips):
            path.write_bytes(damaged)
            sessions, problems = listed(store, Want(ids=(victim,)))
            assert sessions or problems
            if sessions:
                story(store, victim)
        path.write_bytes(data)


def test_a_folder_that_is_none_is_named(copied: Callable[[str], Store]) -> None:
    store = copied("1.1.65")
    messages = store.path / "message" / PLAIN
    shutil.move(messages, store.path / "elsewhere")
    messages.symlink_to(messages)
    sessions, problems = listed(store)
    assert sessions[PLAIN].messages is None
    assert str(messages) in {p.path for p in problems}
    assert told_problems(story(store, PLAIN))


def test_a_message_that_may_not_be_read_is_named(
    copied: Callable[[str], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = copied("1.1.65")
    path = _files(store.path / "message" / PLAIN)[1]
    damage.forbid(monkeypatch, path)
    (problem,) = told_problems(story(store, PLAIN))
    assert "may not be read" in problem
    assert path.name in problem


def test_a_store_that_may_not_be_read_is_an_error(
    copied: Callable[[str], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = copied("1.1.65")
    really = os.scandir

    def refusing(path: Any) -> Any:
        if Path(path) == store.path / "session":
            raise PermissionError(13, "Permission denied", str(path))
        return really(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(StoreError) as caught:
        listed(store)
    assert caught.value.problem.kind == "permission"


def test_a_home_that_cannot_be_looked_into_is_a_problem(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "1.1.65" / "store", tmp_path, dirs_exist_ok=True)
    loop = tmp_path / DATA / "project"
    loop.symlink_to(loop)
    found = list(ADAPTER.discover(Places.under(tmp_path)))
    assert [p.path for p in found if isinstance(p, Problem)] == [str(loop)]
    assert [s.path for s in found if isinstance(s, Store)] == [tmp_path / DATA / "storage"]


def test_a_store_that_went_away_is_an_error(copied: Callable[[str], Store]) -> None:
    store = copied("1.1.65")
    shutil.rmtree(store.path)
    for ask in (lambda: listed(store), lambda: story(store, PLAIN), lambda: ADAPTER.count(store)):
        with pytest.raises(StoreError) as caught:
            ask()
        assert caught.value.problem.kind == "gone"
    store.path.mkdir()
    with pytest.raises(StoreError) as caught:
        listed(store)
    assert caught.value.problem.kind == "foreign"


def test_reading_a_damaged_store_changes_nothing(copied: Callable[[str], Store]) -> None:
    store = copied("1.1.65")
    for number, path in enumerate(sorted(store.path.rglob("*.json"))):
        if number % 7 == 0:
            path.write_bytes(path.read_bytes()[:20])
    before = fingerprint(store.path)
    sessions, problems = listed(store)
    assert problems
    for identifier in sessions:
        story(store, identifier)
    assert fingerprint(store.path) == before
