"""Sessions of other tools in OpenCode's form: what the program demands, and what it goes on from.

That the real program takes them and tells its model the whole conversation is in tests/real.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from adapters.opencode.export import OpenCodeExport
from adapters.opencode.files import OpenCodeFiles
from finder.adapter import Adapter
from finder.compare import Difference
from finder.model import (
    Attachment,
    Compaction,
    Event,
    Json,
    JsonObject,
    Message,
    Notice,
    Reasoning,
    Ref,
    Session,
    Subagent,
    Text,
    ToolCall,
    ToolResult,
    Usage,
)
from finder.registry import Registry
from finder.staging import Tried, tried
from finder.testing import stores_below
from finder.writing import Draft, Plan
from tests.generated import trees

from .opencode_demands import refusals

FIXTURES = Path(__file__).parents[2] / "fixtures"
GOLDEN = Path(__file__).parent / "golden" / "opencode"
EXPORT = OpenCodeExport()
FILES = OpenCodeFiles()
NOW = 1_790_000_000_000
REF = Ref("other", "/home/dev/other", "one")
SESSION = Session(
    ref=REF, title="A title", directory="/home/dev/code", created=1_780_000_000_000, updated=NOW
)
PNG = "iVBORw0KGgo="


def plan_of(session: Session = SESSION, **more: Any) -> Plan:
    identifier = EXPORT.target_id(session)
    return Plan(id=identifier, ids={session.ref: identifier}, top=identifier, now=NOW, **more)


def story(*events: Event) -> list[Event]:
    """The events with record ids, each belonging to the message opened last."""
    told: list[Event] = []
    message = None
    for number, event in enumerate(events):
        if isinstance(event, Message):
            message = f"m{number}"
        record = message if isinstance(event, Message) else f"r{number}"
        told.append(replace(event, record=record, message=message))
    return told


def attempt(
    *events: Event, session: Session = SESSION, plan: Plan | None = None, into: Adapter = EXPORT
) -> Tried:
    """Encode and read back; fails where something differs without a reason."""
    done = tried(into, session, story(*events), plan=plan or plan_of(session))
    assert done.unexplained == []
    return done


def content(draft: Draft) -> bytes:
    """All that is in the file of an export."""
    return b"".join(draft.files[0].pieces)


def document(done: Tried) -> JsonObject:
    """The export file; fails where the program would refuse it."""
    found: JsonObject = json.loads(content(done.draft))
    assert list(refusals(found)) == []
    return found


def messages(*events: Event, session: Session = SESSION, plan: Plan | None = None) -> list[Json]:
    """What was made of the events: role, and for each part what matters of it."""
    made = document(attempt(*events, session=session, plan=plan))
    return [(m["info"]["role"], [_brief(part) for part in m["parts"]]) for m in made["messages"]]


def _brief(part: JsonObject) -> Json:
    kind = part["type"]
    if kind == "tool":
        state = part["state"]
        return kind, part["tool"], state["status"], state.get("output", state.get("error"))
    if kind == "text":
        marks = [mark for mark in ("synthetic", "ignored") if part.get(mark)]
        return (kind, part["text"], *marks)
    return kind


USER = Message(role="user", at=1_780_000_000_000)
ANSWER = Message(role="assistant", at=1_780_000_001_000, model="maker/model")
TOOL = Message(role="tool")
CALL = ToolCall(call="c1", name="shell", input={"command": "ls"})
RESULT = ToolResult(call="c1", output="a file")


# -- what the program goes on from ------------------------------------------------------------


def test_results_stand_with_their_calls() -> None:
    other = replace(CALL, call="c2")
    failed = ToolResult(call="c2", output="no such command", status="error")
    assert messages(
        USER,
        Text(text="Look."),
        ANSWER,
        Text(text="Looking."),
        CALL,
        other,
        TOOL,
        RESULT,
        TOOL,
        failed,
    ) == [
        ("user", [("text", "Look.")]),
        (
            "assistant",
            [
                ("text", "Looking."),
                ("tool", "shell", "completed", "a file"),
                ("tool", "shell", "error", "no such command"),
            ],
        ),
    ]


def test_what_stands_outside_of_messages_keeps_its_speaker() -> None:
    """As Opta's logs tell turns that its messages do not have."""
    loose: list[Event] = [
        Text(text="Half an answer.", role="assistant", record="l1"),
        Notice(kind="error", text="cancelled", record="l2"),
        Text(text="Go on.", role="user", record="l3"),
    ]
    done = tried(EXPORT, SESSION, [*loose, *story(ANSWER, Text(text="Done."))], plan=plan_of())
    assert done.unexplained == []
    made = document(done)["messages"]
    assert [m["info"]["role"] for m in made] == ["assistant", "user", "assistant"]


def test_a_result_in_the_users_mouth_leaves_the_user_what_else_was_said() -> None:
    assert messages(ANSWER, CALL, USER, RESULT, Text(text="And?"), USER, RESULT) == [
        ("assistant", [("tool", "shell", "completed", "a file")]),
        ("user", [("text", "And?")]),
        ("assistant", [("tool", "unknown", "completed", "a file")]),
    ]


def test_the_order_of_texts_and_calls_of_one_answer_is_kept() -> None:
    """Without the step between, the program sends both texts and then the call."""
    [(_, parts)] = messages(ANSWER, Text(text="one"), CALL, RESULT, Text(text="two"))
    assert parts == [
        ("text", "one"),
        ("tool", "shell", "completed", "a file"),
        "step-start",
        ("text", "two"),
    ]


@pytest.mark.parametrize(
    ("result", "told", "state"),
    [
        (None, "Tool execution aborted", {"interrupted": True}),
        (
            ToolResult(call="c1", status="interrupted"),
            "Tool execution aborted",
            {"interrupted": True},
        ),
        (
            ToolResult(call="c1", status="running", output="so far"),
            "Tool execution aborted",
            {"interrupted": True, "output": "so far"},
        ),
    ],
)
def test_a_call_that_was_cut_off_ends_as_the_program_ends_it(
    result: ToolResult | None, told: str, state: JsonObject
) -> None:
    made = document(attempt(ANSWER, CALL, *([result] if result else [])))
    found = made["messages"][0]["parts"][0]["state"]
    assert (found["status"], found["error"], found["metadata"]) == ("error", told, state)


def test_an_error_that_reads_like_an_interruption_is_named() -> None:
    failed = ToolResult(call="c1", output="Aborted", status="error")
    done = attempt(ANSWER, CALL, failed)
    assert [(x.kind, x.type) for x in done.losses if x.field == "status"] == [
        ("changed", "tool_result")
    ]


def test_calls_use_an_id_again() -> None:
    again = ToolResult(call="c1", output="another")
    assert messages(ANSWER, CALL, RESULT, ANSWER, CALL, again) == [
        ("assistant", [("tool", "shell", "completed", "a file")]),
        ("assistant", [("tool", "shell", "completed", "another")]),
    ]


def test_arguments_that_are_no_object_stand_in_one() -> None:
    made = document(attempt(ANSWER, replace(CALL, input='{"broken'), RESULT))
    assert made["messages"][0]["parts"][0]["state"]["input"] == {"arguments": '{"broken'}


SUMMARY = Text(text="So far.", labels=("summary", "synthetic"))


@pytest.mark.parametrize("speaker", [USER, ANSWER])
def test_a_compacted_session_goes_on_from_its_summary(speaker: Message) -> None:
    """The user's message asks, the model's sums up, and it refers to the other."""
    old = Text(text="Long ago.", labels=("compacted",))
    events = (USER, old, speaker, Compaction(auto=True), SUMMARY, USER, Text(text="Now."))
    made = document(attempt(*events))
    asked, summary = made["messages"][1:3]
    assert (asked["info"]["role"], asked["parts"][0]["type"]) == ("user", "compaction")
    assert summary["info"]["summary"] is True
    assert summary["info"]["parentID"] == asked["info"]["id"]
    assert summary["info"]["finish"] == "stop"
    assert made["messages"][3]["parts"][0]["text"] == "Now."
    told = attempt(*events).events
    assert [e.text for e in told if e.type == "text" and "compacted" not in e.labels] == [
        "So far.",
        "Now.",
    ]


def test_what_a_compaction_keeps_is_named() -> None:
    kept = (USER, Text(text="Kept."))
    made = document(attempt(USER, Text(text="Old."), *kept, ANSWER, Compaction(keep="m2"), SUMMARY))
    part = made["messages"][2]["parts"][0]
    assert part["tail_start_id"] == made["messages"][1]["info"]["id"]


def test_a_compaction_without_a_summary_is_no_mark() -> None:
    """The program would compact the session itself when it goes on."""
    assert messages(USER, Text(text="Old."), USER, Compaction(), Text(text="New.")) == [
        ("user", [("text", "Old.")]),
        ("user", [("text", "New.")]),
    ]


def test_the_other_tools_prompt_is_kept_but_not_sent() -> None:
    prompt, correction = Text(text="You are another tool."), Text(text="Keep to the format.")
    system = Message(role="system")
    assert messages(system, prompt, USER, Text(text="Hi."), system, correction) == [
        ("user", [("text", "You are another tool.", "synthetic", "ignored")]),
        ("user", [("text", "Hi.")]),
        ("user", [("text", "Keep to the format.", "synthetic")]),
    ]


def test_undone_messages_at_the_end_are_undone_here() -> None:
    gone = Text(text="Undone.", labels=("hidden",))
    undone = (replace(USER, labels=("hidden",)), gone, replace(ANSWER, labels=("hidden",)), gone)
    made = document(attempt(USER, Text(text="Kept."), *undone))
    assert made["info"]["revert"] == {"messageID": made["messages"][1]["info"]["id"]}


def test_an_undone_text_among_others_is_ignored() -> None:
    gone = Text(text="Undone.", labels=("hidden",))
    made = document(attempt(replace(USER, labels=("hidden",)), gone, USER, Text(text="Kept.")))
    assert "revert" not in made["info"]
    assert made["messages"][0]["parts"][0]["ignored"] is True


def test_an_interrupted_answer_is_sent_all_the_same() -> None:
    made = document(attempt(replace(ANSWER, labels=("interrupted",)), Text(text="Half a")))
    error = made["messages"][0]["info"]["error"]
    assert error == {"name": "MessageAbortedError", "data": {"message": "Aborted"}}


def test_an_error_does_not_hide_an_answer() -> None:
    failed = replace(ANSWER, error="out of credit")
    made = document(attempt(failed, Text(text="Half an answer."), failed))
    answered, empty = (m["info"] for m in made["messages"])
    assert "error" not in answered
    assert empty["error"] == {"name": "UnknownError", "data": {"message": "out of credit"}}


# -- files ------------------------------------------------------------------------------------


def test_an_image_is_a_data_url() -> None:
    made = document(attempt(USER, Attachment(mime="image/png", data=PNG, name="dot.png")))
    part = made["messages"][0]["parts"][0]
    assert (part["url"], part["filename"]) == (f"data:image/png;base64,{PNG}", "dot.png")


@pytest.mark.parametrize(
    "named",
    [
        Attachment(mime="image/png", path="/home/dev/dot.png"),
        Attachment(mime="image/png", url="file:///home/dev/dot.png"),
        Attachment(mime="image/png", url="https://example.com/dot.png"),  # fetched at each turn
        Attachment(url="[image stripped]"),
        Attachment(name="dot.png"),
    ],
)
def test_a_file_that_is_only_named_is_not_sent(named: Attachment) -> None:
    """As an image, it would make every further turn fail."""
    made = document(attempt(USER, named))
    assert made["messages"][0]["parts"][0]["mime"] == "text/plain"


def test_half_a_character_of_a_title_is_none() -> None:
    """In its database's columns the program would make another one of it and what follows."""
    halved = SESSION._replace(title="A \ud800 title", directory="/home/\udcff")
    found = attempt(Message(role="user"), Text(text="\ud800 kept"), session=halved)
    made = document(found)
    assert (made["info"]["title"], made["info"]["directory"]) == ("A \ufffd title", "/home/\ufffd")
    assert made["messages"][0]["parts"][0]["text"] == "\ud800 kept"
    changed = {loss.field for loss in found.losses if loss.type == "session"}
    assert changed == {"title", "directory"}


def test_what_a_tool_showed_stands_with_its_result() -> None:
    shown = Attachment(mime="image/png", data=PNG, role="tool")
    failed = replace(RESULT, status="error")
    made = document(attempt(ANSWER, CALL, RESULT, shown, ANSWER, CALL, failed, shown))
    completed, error = (m["parts"] for m in made["messages"])
    assert completed[0]["state"]["attachments"][0]["url"] == f"data:image/png;base64,{PNG}"
    assert [part["type"] for part in error] == ["tool", "file"]


# -- times, models, counts --------------------------------------------------------------------


def test_times_never_fall_and_none_is_in_the_future() -> None:
    late = replace(USER, at=NOW + 5_000_000)
    made = document(
        attempt(USER, ANSWER, replace(USER, at=5), Message(role="assistant"), late, Text(text="x"))
    )
    times = [m["info"]["time"]["created"] for m in made["messages"]]
    assert times == sorted(times)
    assert times == [USER.at, ANSWER.at, ANSWER.at, ANSWER.at, NOW]


def test_a_session_without_any_time_is_of_now() -> None:
    bare = Session(ref=REF)
    made = document(attempt(Message(role="user"), Text(text="Hi."), session=bare))
    assert made["info"]["time"] == {"created": NOW, "updated": NOW}
    assert made["info"]["title"] == "New session - 2026-09-21T14:13:20.000Z"


def test_models_are_split_and_prompts_get_that_of_their_answer() -> None:
    made = document(attempt(USER, Text(text="Hi."), ANSWER, replace(ANSWER, model="alone")))
    infos = [m["info"] for m in made["messages"]]
    assert infos[0]["model"] == {"providerID": "maker", "modelID": "model"}
    assert (infos[1]["providerID"], infos[1]["modelID"]) == ("maker", "model")
    assert (infos[2]["providerID"], infos[2]["modelID"]) == ("", "alone")


def test_counts_are_kept() -> None:
    usage = Usage(input=5, output=6, reasoning=7, cache_read=8, cache_write=9, total=35)
    done = attempt(replace(ANSWER, usage=usage, cost=0.25), Text(text="Hi."))
    info = document(done)["messages"][0]["info"]
    assert info["tokens"]["cache"] == {"read": 8, "write": 9}
    assert (info["tokens"]["total"], info["cost"]) == (35, 0.25)
    assert not [loss for loss in done.losses if (loss.field or "").startswith(("usage", "cost"))]


def test_reasoning_keeps_its_signature_under_its_provider() -> None:
    made = document(attempt(ANSWER, Reasoning(text="Hm.", signature="c2ln")))
    part = made["messages"][0]["parts"][0]
    assert part["metadata"] == {"maker": {"signature": "c2ln"}}


# -- trees ------------------------------------------------------------------------------------

CHILD = Ref("other", "/home/dev/other", "two")


def test_a_subagent_is_a_task_that_names_its_session() -> None:
    started = Subagent(call="c1", child=CHILD, prompt="Look.", result="a file", status="ok")
    ids = {REF: EXPORT.target_id(SESSION), CHILD: EXPORT.target_id(SESSION._replace(ref=CHILD))}
    plan = Plan(id=ids[REF], ids=ids, top=ids[REF], now=NOW)
    made = document(attempt(ANSWER, CALL, started, RESULT, plan=plan))
    part = made["messages"][0]["parts"][0]
    assert (part["tool"], part["state"]["metadata"]["sessionId"]) == ("task", ids[CHILD])
    below = SESSION._replace(ref=CHILD, parent=REF, title=None)
    plan = Plan(id=ids[CHILD], ids=ids, top=ids[REF], parent=REF, now=NOW)
    info = document(attempt(USER, session=below, plan=plan))["info"]
    assert info["parentID"] == ids[REF]
    assert info["title"].startswith("Child session - ")


def test_a_subagent_that_is_not_written_leaves_its_call() -> None:
    started = Subagent(call="c1", child=CHILD, prompt="Look.")
    assert messages(ANSWER, CALL, started, RESULT) == [
        ("assistant", [("tool", "shell", "completed", "a file")])
    ]
    alone = Subagent(child=CHILD, prompt="Look.", result="It is there.", status="ok")
    assert messages(ANSWER, alone) == [
        ("assistant", [("tool", "task", "completed", "It is there.")])
    ]


# -- ids --------------------------------------------------------------------------------------


def test_the_same_session_gets_the_same_ids_and_a_copy_others() -> None:
    first, second = (attempt(USER, Text(text="Hi."), ANSWER).draft for _ in range(2))
    assert first.files == second.files
    assert re.fullmatch("ses_[0-9a-f]{12}[0-9A-Za-z]{14}", first.id)
    copy = EXPORT.target_id(SESSION, "salt")
    plan = Plan(id=copy, ids={REF: copy}, top=copy, now=NOW)
    ids = [set(re.findall(rb"(?:msg|prt)_\w+", content(d))) for d in (first, second)]
    others = content(attempt(USER, Text(text="Hi."), ANSWER, plan=plan).draft)
    assert ids[0] and not ids[0] & set(re.findall(rb"(?:msg|prt)_\w+", others))


def test_files_stand_below_the_project_of_their_folder(tmp_path: Path) -> None:
    """In another one the program does not list them, and migrates none without its record."""
    git = ("git", "-c", "user.name=a", "-c", "user.email=a@b.invalid")
    for words in (("init", "-q"), ("commit", "-q", "--allow-empty", "-m", "first")):
        subprocess.run([*git, *words], cwd=tmp_path, check=True)
    asked = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    commit = asked.stdout.strip()
    for directory, project, worktree in (
        (str(tmp_path), commit, str(tmp_path)),
        ("/not/here", "global", "/"),
    ):
        here = SESSION._replace(directory=directory)
        draft = attempt(USER, Text(text="hello"), session=here, into=FILES).draft
        *_, of_project, visible = draft.files
        assert visible.path == f"storage/session/{project}/{draft.id}.json"
        assert json.loads(visible.data)["projectID"] == project
        assert of_project.path == f"storage/project/{project}.json"
        assert of_project.shared
        assert json.loads(of_project.data)["worktree"] == worktree


def test_newer_sessions_come_first() -> None:
    ids = [EXPORT.target_id(SESSION._replace(created=at)) for at in (NOW - 1_000, NOW)]
    assert ids[1] < ids[0]


@pytest.mark.parametrize(
    "hostile", ["../../x", "ses_/etc/passwd", "ses_a\0b", "", "ses_" + "a" * 99]
)
def test_an_id_never_chooses_a_path(hostile: str) -> None:
    session = SESSION._replace(ref=Ref("opencode", "/home/dev/x", hostile))
    for target in (EXPORT, FILES):
        draft = attempt(USER, Text(text="Hi."), session=session, into=target).draft
        assert all(re.fullmatch(r"[\w/-]+\.json", file.path) for file in draft.files)


# -- every fixture, and what nobody ever wrote ------------------------------------------------


def _sessions(home: Path) -> list[tuple[Session, list[Event]]]:
    found = []
    for adapter in Registry.installed().adapters():
        for store in stores_below(adapter, home):
            listed = [s for s in adapter.sessions(store) if isinstance(s, Session)]
            found += [(session, list(adapter.events(session.ref))) for session in listed]
    return found


_FIRST = "id IN (SELECT min(id) FROM message GROUP BY session_id)"
_LAST = "id IN (SELECT max(id) FROM message GROUP BY session_id)"


@pytest.mark.parametrize("target", [EXPORT, FILES], ids=["export", "files"])
@pytest.mark.parametrize("where", [_FIRST, _LAST], ids=["first", "last"])
@pytest.mark.parametrize(
    "damage",
    [
        "data = '{bad'",
        "data = 'null'",
        "data = '[]'",
        "data = json_set(data, '$.role', null)",
        "data = json_set(data, '$.role', 7)",
        "data = json_remove(data, '$.role')",
        "data = json_set(data, '$.time', 'x')",
        "data = json_set(data, '$.time.created', null)",
    ],
)
def test_a_damaged_message_is_a_loss_that_is_named(
    damage: str, where: str, target: Adapter, tmp_path: Path
) -> None:
    _all_named(_updated(tmp_path, f"UPDATE message SET {damage} WHERE {where}"), target)


@pytest.mark.parametrize(("at", "where"), [(-1, _FIRST), (4102444800000, _LAST)])
def test_a_time_that_contradicts_its_row_is_a_loss_that_is_named(
    at: int, where: str, tmp_path: Path
) -> None:
    """In an export; in a tree of files the order goes by it."""
    changed = f"UPDATE message SET data = json_set(data, '$.time.created', {at}) WHERE {where}"
    _all_named(_updated(tmp_path, changed), EXPORT)


@pytest.mark.parametrize("target", [EXPORT, FILES], ids=["export", "files"])
@pytest.mark.parametrize("column", ["time_created", "time_updated"])
@pytest.mark.parametrize("at", [-1, 0, 4102444800000])
def test_an_odd_time_of_a_session_is_a_loss_that_is_named(
    column: str, at: int, target: Adapter, tmp_path: Path
) -> None:
    _all_named(_updated(tmp_path, f"UPDATE session SET {column} = {at}"), target)


def _updated(folder: Path, statement: str) -> Path:
    """A home whose database the statement has changed."""
    home = shutil.copytree(FIXTURES / "opencode-db/1.2.27/store", folder / "home")
    (path,) = home.rglob("opencode.db")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        changed = connection.execute(statement).rowcount
        connection.commit()
    assert changed > 0
    return home


def _all_named(home: Path, target: Adapter) -> None:
    for session, events in _sessions(home):
        done = tried(target, session, events)
        assert [str(one) for one in done.unexplained] == [], session.ref
        if target is EXPORT:
            assert list(refusals(json.loads(content(done.draft)))) == [], session.ref


@pytest.mark.parametrize("target", [EXPORT, FILES], ids=["export", "files"])
@pytest.mark.parametrize(
    "case", sorted(p.parent.relative_to(FIXTURES).as_posix() for p in FIXTURES.glob("*/*/store"))
)
def test_every_fixture_is_written_without_an_unnamed_loss(
    case: str, target: Adapter, tmp_path: Path
) -> None:
    home = shutil.copytree(FIXTURES / case / "store", tmp_path / "home")
    wrong: list[Difference] = []
    for session, events in _sessions(home):
        done = tried(target, session, events)
        wrong += done.unexplained
        if target is EXPORT:
            assert list(refusals(json.loads(content(done.draft)))) == [], session.ref
    assert wrong == []


@pytest.mark.parametrize(
    ("name", "case", "identifier"),
    [
        ("clacky-compressed", "clacky/v1.5.1", "820bbe3a0282db89"),
        ("clacky-images", "clacky/v0.9.19", "26d1c30f3fac03e4"),
        ("opta-tools", "opta/tui", None),
    ],
)
def test_the_file_is_the_committed_one(
    name: str, case: str, identifier: str | None, tmp_path: Path
) -> None:
    """Read `git diff` when it is not: reader and writer may be wrong in the same way."""
    home = shutil.copytree(FIXTURES / case / "store", tmp_path / "home")
    [(session, events), *_] = [(s, e) for s, e in _sessions(home) if identifier in (None, s.ref.id)]
    plan = replace(plan_of(session), now=1_800_000_000_000)
    made = content(tried(EXPORT, session, events, plan=plan).draft)
    golden = GOLDEN / f"{name}.json"
    if os.environ.get("FINDER_UPDATE"):
        golden.write_bytes(made)
    assert made == golden.read_bytes()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(trees())
def test_whatever_a_session_says_can_be_written(
    tree: Sequence[tuple[Session, list[Event]]],
) -> None:
    ids = {session.ref: EXPORT.target_id(session) for session, _ in tree}
    for session, events in tree:
        top = ids[tree[0][0].ref]
        plan = Plan(id=ids[session.ref], ids=ids, top=top, parent=session.parent, now=NOW)
        done = tried(EXPORT, session, events, plan=plan)
        assert list(refusals(json.loads(content(done.draft)))) == []


def test_notices_of_other_tools_are_dropped_by_name() -> None:
    done = attempt(USER, Text(text="Hi."), Notice(kind="todo", text="[ ] all"))
    assert [(x.kind, x.type, x.count) for x in done.losses if x.type == "notice"] == [
        ("dropped", "notice", 1)
    ]
