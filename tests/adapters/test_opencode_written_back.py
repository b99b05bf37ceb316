"""OpenCode's own records, written back: as they were, but for what its program of today demands."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.events import Events
from adapters.opencode.database import OpenCodeDatabase
from adapters.opencode.export import OpenCodeExport
from adapters.opencode.files import OpenCodeFiles
from finder.adapter import Adapter
from finder.model import Event, JsonObject, Ref, Session
from finder.staging import Tried, at_home, tried
from finder.testing import stores_below
from finder.writing import Draft, Plan

from .opencode_demands import refusals

FIXTURES = Path(__file__).parents[2] / "fixtures"
EXPORT, FILES, DATABASE = OpenCodeExport(), OpenCodeFiles(), OpenCodeDatabase()
NOW = 1_800_000_000_000


@pytest.fixture
def home(tmp_path: Path) -> Callable[[str], Path]:
    """Gives a copy of a fixture's home."""

    def copied(case: str) -> Path:
        return Path(shutil.copytree(FIXTURES / case / "store", tmp_path / case))

    return copied


def sessions(adapter: Adapter, home: Path) -> dict[str, Session]:
    found = {}
    for store in stores_below(adapter, home):
        for session in adapter.sessions(store):
            if isinstance(session, Session):
                found[session.ref.id] = session
    return found


def write(adapter: Adapter, session: Session, into: Adapter = EXPORT, **more: Any) -> Tried:
    done = tried(into, session, list(adapter.events(session.ref)), **more)
    assert done.unexplained == []
    return done


def content(draft: Draft) -> bytes:
    """All that is in the file of an export."""
    return b"".join(draft.files[0].pieces)


def document(done: Tried) -> JsonObject:
    found: JsonObject = json.loads(content(done.draft))
    assert list(refusals(found)) == []
    return found


def kinds(done: Tried) -> dict[str, int]:
    return {f"{x.kind} {x.type}.{x.field}": x.count for x in done.losses}


# -- as they were -----------------------------------------------------------------------------


def test_a_row_becomes_what_the_program_exports(home: Callable[[str], Path]) -> None:
    """Byte for byte: the fixture's exports are the program's own, of sessions of this database."""
    rows = sessions(DATABASE, home("opencode-db/1.18.33"))
    exports = list((home("opencode-export/1.18.33") / "exports").glob("*.json"))
    compared = [
        path for path in exports if path.stem in rows and json.loads(path.read_bytes())["messages"]
    ]
    assert len(compared) == 2
    for path in compared:
        assert content(write(DATABASE, rows[path.stem]).draft) == path.read_bytes()


def test_an_export_is_written_as_it_is(home: Callable[[str], Path]) -> None:
    for session in sessions(EXPORT, home("opencode-export/1.18.33")).values():
        done = write(EXPORT, session)
        assert done.losses == []
        assert content(done.draft) == Path(session.ref.store).read_bytes()


@pytest.mark.parametrize("case", ["1.1.65", "notmigrated"])
def test_session_files_are_written_as_they_are(case: str, home: Callable[[str], Path]) -> None:
    """All files of every session, with the parts of messages that the program forgot."""
    root = home(f"opencode-files/{case}")
    data = root / ".local/share/opencode"
    found = sessions(FILES, root)
    written: dict[str, bytes] = {}
    for session in found.values():
        done = write(FILES, session, FILES)
        assert done.losses == []
        written |= {file.path: file.data for file in done.draft.files}
    for path, content in written.items():
        there = (data / path).read_bytes()
        if "/project/" in path:  # where one stands, it stays
            ours, theirs = (json.loads(text) | {"time": None} for text in (content, there))
            assert ours == theirs, path
        else:
            assert content == there or json.loads(content) == json.loads(there), path
    kept = ("session", "message", "part", "todo", "session_diff")
    stored = {p for name in kept for p in (data / "storage" / name).rglob("*.json")}
    # The program also forgets what lies beside sessions that it deletes.
    forgotten = {p for p in stored if p.parent.name == "session_diff" and p.stem not in found}
    assert {p.relative_to(data).as_posix() for p in stored - forgotten} <= written.keys()


def test_what_nobody_has_heard_of_is_kept(home: Callable[[str], Path], tmp_path: Path) -> None:
    """In the records, beside them, and beside the session."""
    source = next((home("opencode-export/1.18.33") / "exports").glob("ses_e07d5a67*.json"))
    odd = json.loads(source.read_bytes())
    odd["info"]["mood"] = "fine"
    odd["messages"][0]["info"]["mood"] = {"of": ["the user"]}
    odd["messages"][1]["parts"][0]["mood"] = 1.5
    odd["messages"][1]["mood"] = "of the message"
    odd["messages"][1]["parts"].append(
        {"id": "prt_zzz", "type": "new-kind", "messageID": odd["messages"][1]["info"]["id"]}
    )
    odd["mood"] = None
    path = tmp_path / "odd.json"
    path.write_text(json.dumps(odd))
    [session] = sessions(EXPORT, path).values() if path.is_dir() else _of(path)
    made = json.loads(content(write(EXPORT, session).draft))
    for one in odd["messages"][1]["parts"][-1:]:
        one["sessionID"] = odd["info"]["id"]
    assert made == odd


def _of(path: Path) -> list[Session]:
    store = EXPORT.detect(path)
    assert store is not None
    return [s for s in EXPORT.sessions(store) if isinstance(s, Session)]


def test_through_our_own_events_nothing_is_lost(
    home: Callable[[str], Path], tmp_path: Path
) -> None:
    ours = Events()
    for session in sessions(DATABASE, home("opencode-db/1.18.33")).values():
        direct = content(write(DATABASE, session).draft)
        folder = tmp_path / session.ref.id
        folder.mkdir()
        draft = write(DATABASE, session, ours, folder=folder).draft
        store = ours.detect(folder / draft.store)
        assert store is not None
        [back] = [s for s in ours.sessions(store) if isinstance(s, Session)]
        events = list(ours.events(back.ref))
        assert content(tried(EXPORT, at_home(back), events).draft) == direct, session.ref


# -- what today's program demands -------------------------------------------------------------


def test_an_old_summary_becomes_a_compaction(home: Callable[[str], Path]) -> None:
    """The program of today knows no other, and would send all that came before."""
    for session in sessions(FILES, home("opencode-files/0.5.29")).values():
        source = list(FILES.events(session.ref))
        old = [e.record for e in source if e.type == "compaction"]
        if not old:
            continue
        made = document(write(FILES, session))
        for before, message in zip(made["messages"], made["messages"][1:], strict=False):
            if message["info"]["id"] in old:
                assert [part["type"] for part in before["parts"]] == ["compaction"]
                assert message["info"]["parentID"] == before["info"]["id"]
                old.remove(message["info"]["id"])
        assert old == []
        break
    else:
        raise AssertionError("no session of 0.5.29 was compacted")


@pytest.mark.parametrize("case", ["0.1.174", "0.5.29", "1.1.65"])
def test_sessions_of_every_version_are_fit_for_import(
    case: str, home: Callable[[str], Path]
) -> None:
    for session in sessions(FILES, home(f"opencode-files/{case}")).values():
        document(write(FILES, session))


def test_a_session_of_the_newer_api_is_told_from_its_events(home: Callable[[str], Path]) -> None:
    session = sessions(DATABASE, home("opencode-db/1.18.33"))["ses_e07d49132ffeHaLKD0nayaNC48"]
    made = document(write(DATABASE, session))
    assert [m["info"]["role"] for m in made["messages"]][:2] == ["user", "assistant"]
    assert all(m["parts"] for m in made["messages"])


def test_what_is_left_of_a_deleted_session_is_brought_back(home: Callable[[str], Path]) -> None:
    [gone] = [
        s for s in sessions(FILES, home("opencode-files/0.5.29")).values() if "trashed" in s.labels
    ]
    source = [e.text for e in FILES.events(gone.ref) if e.type == "text"]
    made = document(write(FILES, gone))
    told = [p["text"] for m in made["messages"] for p in m["parts"] if p["type"] == "text"]
    assert told == source
    assert len(told) > 1


def test_a_message_whose_record_is_damaged_keeps_its_parts(home: Callable[[str], Path]) -> None:
    root = home("opencode-files/1.1.65")
    storage = root / ".local/share/opencode/storage"
    name = min(p.name for p in (storage / "message").iterdir())
    broken = sorted((storage / "message" / name).glob("*.json"))[1]
    broken.write_text('{"id": "')
    session = sessions(FILES, root)[name]
    before = [e for e in FILES.events(session.ref) if e.type in ("text", "tool_call")]
    done = write(FILES, session)
    document(done)
    assert sum(e.type in ("text", "tool_call") for e in done.events) == len(before)
    assert kinds(done)["invented message.None"] == 1


# -- copies and trees -------------------------------------------------------------------------


def test_a_copy_has_ids_of_its_own_throughout(home: Callable[[str], Path]) -> None:
    """Ids are unique in a whole database; what refers to them goes with them."""
    for identifier, session in sessions(DATABASE, home("opencode-db/1.18.33")).items():
        events = list(DATABASE.events(session.ref))
        new = EXPORT.target_id(session, "salt")
        assert new != identifier
        plan = Plan(id=new, ids={session.ref: new}, top=new, now=NOW)
        done = tried(EXPORT, session, events, plan=plan)
        assert done.unexplained == []
        text = content(done.draft).decode()
        first = content(write(DATABASE, session).draft).decode()
        own = {i["info"]["id"] for i in json.loads(first)["messages"]}
        own |= {p["id"] for m in json.loads(first)["messages"] for p in m["parts"]}
        # Other sessions' ids may stand in texts, which are not rewritten.
        made = json.loads(text)
        inside = json.dumps([m["info"] for m in made["messages"]]) + json.dumps(made["info"])
        assert not [one for one in own if one in inside]
        assert not own & {p["id"] for m in made["messages"] for p in m["parts"]}
        document(done)


def test_a_tree_is_linked_anew(home: Callable[[str], Path]) -> None:
    found = sessions(DATABASE, home("opencode-db/1.18.33"))
    tree = [s for s in found.values() if s.ref.id == PARENT or (s.parent and s.parent.id == PARENT)]
    ids = {s.ref: EXPORT.target_id(s, "salt") for s in tree}
    top = ids[found[PARENT].ref]
    made = {}
    for session in tree:
        plan = Plan(id=ids[session.ref], ids=ids, top=top, parent=session.parent, now=NOW)
        made[session.ref.id] = document(write(DATABASE, session, plan=plan))
    children = {new for ref, new in ids.items() if ref.id != PARENT}
    assert len(children) == 2
    assert {made[ref.id]["info"].get("parentID") for ref in ids} == {None, top}
    states = [p["state"]["metadata"] for m in made[PARENT]["messages"] for p in m["parts"]
              if p["type"] == "tool" and "metadata" in p["state"]]  # fmt: skip
    assert {state["sessionId"] for state in states if "sessionId" in state} == children


PARENT = "ses_e07d57e46ffexIoFN5KG4FNMfR"


def test_another_directory_takes_the_place_of_its_own(home: Callable[[str], Path]) -> None:
    session = next(iter(sessions(DATABASE, home("opencode-db/1.18.33")).values()))
    plan = Plan(
        id=session.ref.id,
        ids={session.ref: session.ref.id},
        top=session.ref.id,
        directory="/somewhere/else",
        now=NOW,
    )
    info = document(write(DATABASE, session, plan=plan))["info"]
    assert info["directory"] == "/somewhere/else"
    assert "path" not in info


def test_events_are_not_changed_by_writing_them(home: Callable[[str], Path]) -> None:
    for session in sessions(DATABASE, home("opencode-db/dev-channel")).values():
        events: list[Event] = list(DATABASE.events(session.ref))
        before = copy.deepcopy(events)
        new = EXPORT.target_id(session, "salt")
        other = Ref("opencode", "/elsewhere", session.ref.id)
        plan = Plan(id=new, ids={session.ref: new, other: new}, top=new, now=NOW)
        tried(EXPORT, session, events, plan=plan)
        assert events == before
