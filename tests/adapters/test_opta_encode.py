"""Writing Opta sessions: of every tool, with Opta's own records, and into its home."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.events import Events
from finder.adapter import Adapter
from finder.convert import tried
from finder.model import (
    Attachment,
    Compaction,
    Event,
    Ref,
    Session,
    Subagent,
    Text,
    ToolCall,
    ToolResult,
)
from finder.places import Places
from finder.registry import Registry
from finder.writing import Plan
from tests.calling import caller
from tests.generated import headers, stories
from tests.opta_chats import (
    DAEMON,
    DOCUMENTED,
    FIXTURES,
    NOW,
    OPTA,
    chat,
    check,
    records_equal,
    refusals,
    sources,
    unfit,
    written,
)

GOLDEN = Path(__file__).parent / "golden" / "opta"
ALL = sources()
OWN = sources("opta")

# -- every session of every tool ----------------------------------------------------------


def test_real_chats_are_what_the_judge_takes() -> None:
    seen = 0
    for case in ("home", "old", "tui"):
        for path in (FIXTURES / "opta" / case / "store/.config/opta/sessions").glob("*.json"):
            if path.name == "index.json":
                continue
            body = json.loads(path.read_bytes())
            assert list(refusals(body)) == [], path
            assert list(unfit(body["messages"])) == [], path
            seen += 1
    assert seen == 18


@pytest.mark.parametrize("target", [OPTA, DAEMON, DOCUMENTED], ids=lambda a: str(a.target))
def test_every_session_is_written_and_all_that_differs_is_said(target: Adapter) -> None:
    for name, session, events in ALL:
        done = tried(target, session, events)
        assert [str(d) for d in done.unexplained] == [], name


def test_every_foreign_session_can_be_loaded_and_continued() -> None:
    for _, session, events in ALL:
        if (session.origin or session.ref.tool) == "opta":
            continue
        done = tried(OPTA, session, events)
        check(done.draft)
        assert len(done.draft.id) == 12
        assert not done.draft.id.startswith("-")
        assert len(done.draft.files) == 1


def test_a_session_always_gets_the_same_id_and_a_copy_another() -> None:
    ids: dict[tuple[str, str], set[str]] = {}
    for _, session, _ in ALL:
        id_ = OPTA.target_id(session)
        assert id_ == OPTA.target_id(session._replace(title="other"))
        assert id_ != OPTA.target_id(session, "copy")
        ids.setdefault((session.ref.tool, session.ref.id), set()).add(id_)
    assert all(len(found) == 1 for found in ids.values())


@pytest.mark.parametrize("id_", ["../../x", "index", "", "a/b", "x" * 65, "ü", "a.json", "con\n"])
def test_an_id_never_chooses_a_path(id_: str) -> None:
    session = Session(ref=Ref("opta", "/somewhere", id_))
    assert re.fullmatch("[A-Za-z0-9]{12}", OPTA.target_id(session))


# -- Opta's own ---------------------------------------------------------------------------

# What a chat cannot say of where a session was kept: recovery files, an export of the texts.
RESCUED = {
    ("home/GkDi-nkR1Cke", "session", "labels.interrupted"),
    ("home/GkDi-nkR1Cke", "session", "created"),
    ("home/tb7Af_jcUAul", "session", "updated"),
    ("home/tb7Af_jcUAul", "session", "labels.truncated"),
}
NOT_MESSAGES = {"desktop/sess_only0002", "documented/abc12345"}  # a log alone; the manual's form


def test_own_records_are_written_back_and_nothing_is_lost() -> None:
    for name, session, events in OWN:
        if name in NOT_MESSAGES:
            continue
        done = written(session, events)
        lost = {(name, loss.type, loss.field) for loss in done.losses}
        assert lost <= RESCUED, name
        assert records_equal(events, done.events), name
        assert list(refusals(chat(done.draft))) == [], name


def test_a_chat_file_is_written_back_as_it_was() -> None:
    for name, session, events in OWN:
        path = Path(session.ref.store) / "sessions" / f"{session.ref.id}.json"
        if not path.exists() or "sessionId" in session.raw:
            continue
        done = written(session, events)
        assert json.dumps(chat(done.draft)) == json.dumps(json.loads(path.read_bytes())), name


def test_what_the_daemon_kept_is_written_back_as_it_was() -> None:
    for name, session, events in OWN:
        folder = Path(session.ref.store) / "daemon/sessions" / session.ref.id
        if not (folder / "events.jsonl").exists():
            continue
        files = {file.path: b"".join(file.pieces) for file in written(session, events).draft.files}
        inner = f"daemon/sessions/{session.ref.id}"
        log = [json.loads(line) for line in files[f"{inner}/events.jsonl"].splitlines()]
        lines = (folder / "events.jsonl").read_bytes().splitlines()
        if name != "desktop/sess_9f3Kq2Lm":  # its lines are in two logs, and kept once
            assert log == [json.loads(line) for line in lines], name
        snapshot = json.loads((folder / "snapshot.json").read_bytes())
        now = json.loads(files[f"{inner}/snapshot.json"])
        for key in ("messages", "seq", "sessionId", "toolCallCount"):
            assert now[key] == snapshot[key], (name, key)


# The daemon keeps no working directory; it is read from the prompt.
HEADER = {("session", "directory"), ("session", "labels.inferred")}


def test_the_daemons_form_of_a_daemons_session_is_the_same() -> None:
    for name, session, events in OWN:
        if "seq" not in (session.raw or {}):
            continue
        done = written(session, events, DAEMON)
        assert {(loss.type, loss.field) for loss in done.losses} <= HEADER
        assert records_equal(events, done.events), name


def test_a_session_of_the_manuals_form_is_the_same() -> None:
    (session, events) = next(found[1:] for found in OWN if found[0] == "documented/abc12345")
    done = written(session, events, DOCUMENTED)
    assert done.losses == []
    assert records_equal(events, done.events)
    store = Path(session.ref.store) / "sessions" / "abc12345"
    for file in done.draft.files:
        expected = json.loads((store / Path(file.path).name).read_bytes())
        assert json.loads(b"".join(file.pieces)) == expected, file.path


def test_the_way_through_our_own_files_loses_nothing(tmp_path: Path) -> None:
    events_adapter = Events()
    for number, (name, session, events) in enumerate(OWN):
        kept = tried(events_adapter, session, events, folder=tmp_path / str(number))
        again = written(kept.session, kept.events)
        direct = written(session, events)
        assert again.losses == direct.losses, name
        assert again.draft.files == direct.draft.files, name
        assert records_equal(events, again.events) == records_equal(events, direct.events), name


def test_a_crashed_turn_becomes_a_chat_that_can_be_continued() -> None:
    (session, events) = next(found[1:] for found in OWN if found[1].ref.store.endswith("recovery"))
    done = written(session, events)
    check(done.draft)
    assert sum(isinstance(event, ToolResult) for event in done.events) == 10


def test_a_copy_has_its_own_id_everywhere() -> None:
    (session, events) = next(found[1:] for found in OWN if found[0] == "tui/r-IXZWaCSkB6")
    id_ = OPTA.target_id(session, "copy")
    plan = Plan(id=id_, ids={session.ref: id_}, top=id_, now=NOW)
    done = tried(OPTA, session, events, plan=plan)
    assert done.unexplained == []
    assert done.losses == []
    assert all(b"r-IXZWaCSkB6" not in b"".join(file.pieces) for file in done.draft.files)
    assert all("r-IXZWaCSkB6" not in file.path for file in done.draft.files)


def test_a_masked_output_is_written_in_full_where_another_copy_has_it(tmp_path: Path) -> None:
    whole = "first line\n" + "x" * 300
    masked = f"[Tool result truncated: {len(whole)} chars, first line: first line]"
    asked = {"id": "c1", "type": "function", "function": {"name": "read_file", "arguments": "{}"}}
    head = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": None, "tool_calls": [asked]},
    ]
    result = {"role": "tool", "tool_call_id": "c1"}
    config = tmp_path / ".config/opta"
    (config / "sessions").mkdir(parents=True)
    (config / "daemon/sessions/s1").mkdir(parents=True)
    times = {"created": "2026-11-02T09:15:00.355Z", "updated": "2026-11-02T09:15:00.355Z"}
    body = {"id": "s1", **times, "model": "m", "cwd": "/w", "title": "t", "toolCallCount": 1}
    body |= {"compacted": False}
    longer = [*head, {**result, "content": masked}, {"role": "assistant", "content": "done"}]
    (config / "sessions/s1.json").write_text(json.dumps({**body, "messages": longer}))
    other: Any = {"sessionId": "s1", "model": "m", "createdAt": times["created"]}
    other |= {"updatedAt": times["updated"], "toolCallCount": 1, "seq": 0}
    shorter = [*head, {**result, "content": whole}]
    (config / "daemon/sessions/s1/snapshot.json").write_text(
        json.dumps({**other, "messages": shorter})
    )
    store = OPTA.detect(config)
    assert store is not None
    (session,) = (item for item in OPTA.sessions(store) if isinstance(item, Session))
    done = written(session, list(OPTA.events(session.ref)))
    assert done.losses == []
    assert [m["content"] for m in chat(done.draft)["messages"] if m["role"] == "tool"] == [whole]


# -- any session --------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        "[Previous conversation summary]\nwe did",
        "[System: Research mode activated. Research topic: bees]",
        'see\n\n<file path="/a">\nx\n</file>\n',
        "User declined this action.",
        "[Tool result truncated: 3 chars, first line: abc]",
        "Error: no",
        "[exit code: 2]",
        "Error: no result",
    ]
)
NAMES = st.sampled_from(["spawn_agent", "delegate_task", "run_command"])


def spiced(draw: st.DrawFn, event: Event) -> Event:
    """The event, perhaps with words in it that mean something to Opta."""
    if not draw(st.booleans()):
        return event
    match event:
        case Text():
            return replace(event, text=draw(WORDS))
        case ToolResult():
            return replace(event, output=draw(WORDS))
        case ToolCall():
            return replace(event, name=draw(NAMES))
        case Subagent():
            return replace(event, result=draw(WORDS))
        case _:
            return event


@st.composite
def opta_stories(draw: st.DrawFn) -> list[Event]:
    return [spiced(draw, event) for event in draw(stories())]


@settings(
    max_examples=int(os.environ.get("FINDER_EXAMPLES", "60")),
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(headers("made-0"), opta_stories())
@pytest.mark.parametrize("target", [OPTA, DAEMON, DOCUMENTED], ids=lambda a: str(a.target))
def test_any_session_at_all(target: Adapter, session: Session, events: list[Event]) -> None:
    done = written(session, events, target)
    if target is OPTA:
        check(done.draft)


# -- golden files, and the live store -----------------------------------------------------

GOLDEN_SOURCES = {
    "clacky": ("clacky", "v1.5.1"),
    "opencode": ("opencode-db", "1.18.33"),
}


def _golden() -> list[tuple[str, Session, list[Event]]]:
    """A compacted session with tools and one with an image, of each tool."""
    found = []
    for tool, (adapter, case) in GOLDEN_SOURCES.items():
        mine = [one for one in sources(adapter) if one[0].startswith(f"{case}/")]
        compacted = next(one for one in mine if _has(one[2], Compaction) and _has(one[2], ToolCall))
        image = next(one for one in mine if _has_image(one[2]))
        found += [(f"{tool}-compacted", *compacted[1:]), (f"{tool}-image", *image[1:])]
    return found


def _has(events: Sequence[Event], kind: type) -> bool:
    return any(isinstance(event, kind) for event in events)


def _has_image(events: Sequence[Event]) -> bool:
    return any(isinstance(e, Attachment) and (e.mime or "").startswith("image/") for e in events)


def test_golden_files() -> None:
    for name, session, events in _golden():
        data = b"".join(written(session, events).draft.files[-1].pieces) + b"\n"
        path = GOLDEN / f"{name}.json"
        if os.environ.get("FINDER_UPDATE"):
            path.write_bytes(data)
        assert path.read_bytes() == data, name
        assert list(unfit(json.loads(data)["messages"])) == []


def home_with(tmp_path: Path, case: str) -> Path:
    return Path(shutil.copytree(FIXTURES / "opta" / case / "store", tmp_path / "home"))


def test_installed_it_is_what_opta_resumes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = home_with(tmp_path, "old")
    call = caller(capsys, home, registry=Registry.installed())
    source = str(FIXTURES / "clacky" / "v1.5.1" / "store")
    id_ = next(one[1].ref.id for one in _golden() if one[0] == "clacky-image")
    args = ("convert", id_, "--root", source, "--to", "opta", "--install")
    done = call(*args)
    assert done.code == 0, done.err
    assert "opta chat --resume" in done.out
    again = call(*args)
    assert again.code == 7
    assert "already" in again.err
    index = home / ".config/opta/sessions/index.json"
    index.write_text('{"entries": {}}')
    replaced = call(*args, "--replace")
    assert replaced.code == 0, replaced.err
    assert not index.exists()  # Opta makes it anew, and then it knows of the change
    assert (home / ".config/opta/sessions/qnpf_UyQMgUp.json").exists()


def test_a_session_only_in_the_daemon_is_brought_to_the_chat(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = home_with(tmp_path, "home")
    call = caller(capsys, home, registry=Registry.installed())
    done = call("convert", "jMoqTSQh7I7A", "--to", "opta", "--install", "--replace")
    assert done.code == 0, done.err
    body = json.loads((home / ".config/opta/sessions/jMoqTSQh7I7A.json").read_bytes())
    assert list(refusals(body)) == []
    assert "opta chat --resume jMoqTSQh7I7A" in done.out
    assert "nothing lost" in done.out


def test_an_old_entry_of_the_index_is_pointed_out(tmp_path: Path) -> None:
    folder = tmp_path / ".config/opta/sessions"
    folder.mkdir(parents=True)
    (folder / "index.json").write_text('{"entries": {"abcdefghijkl": {}}}')
    places = Places.under(tmp_path)
    session = Session(ref=Ref("opta", "/x", "abcdefghijkl"))
    assert "abcdefghijkl" in next(iter(OPTA.cautions(places, [session])))
    (folder / "abcdefghijkl.json").write_text("{}")
    assert list(OPTA.cautions(places, [session])) == []


def test_the_manuals_form_is_not_installed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = caller(capsys, home_with(tmp_path, "old"), registry=Registry.installed())
    done = call("convert", "qnpf_UyQMgUp", "--to", "opta-documented", "--install")
    assert done.code == 2
