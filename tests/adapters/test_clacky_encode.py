"""Sessions in OpenClacky's form: what the program demands, and what it goes on from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from adapters.clacky import Clacky
from finder.adapter import Adapter
from finder.compare import prints
from finder.model import (
    Attachment,
    Compaction,
    Event,
    Json,
    JsonObject,
    Labels,
    Message,
    Notice,
    Opaque,
    Reasoning,
    Ref,
    Session,
    Subagent,
    Text,
    ToolCall,
    ToolResult,
    Usage,
)
from finder.places import Places
from finder.registry import Registry
from finder.staging import Tried, laid_out, tried
from finder.testing import stores_below
from finder.writing import File, Plan
from tests.generated import trees

from .clacky_demands import breaks, unfit

FIXTURES = Path(__file__).parents[2] / "fixtures"
GOLDEN = Path(__file__).parent / "golden" / "clacky"
CLACKY = Clacky()
NOW = 1_790_000_000_000
SESSION = Session(
    ref=Ref("other", "/home/dev/other", "one"),
    title="A title",
    directory="/home/dev/code",
    created=1_780_000_000_000,
    updated=NOW,
    model="maker/model",
)
PNG = "iVBORw0KGgo="


def plan_of(session: Session = SESSION, salt: str = "", **more: Any) -> Plan:
    identifier = CLACKY.target_id(session, salt)
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


def content(file: File) -> bytes:
    return b"".join(file.pieces)


def attempt(*events: Event, session: Session = SESSION, plan: Plan | None = None) -> Tried:
    """Encode and read back; fails where something differs without a reason."""
    done = tried(CLACKY, session, story(*events), plan=plan or plan_of(session))
    assert [str(difference) for difference in done.unexplained] == []
    return done


def document(done: Tried) -> JsonObject:
    """The session's file; fails where the program would not go on from it."""
    record: JsonObject = json.loads(content(done.draft.files[-1]))
    assert list(unfit(record)) == []
    return record


def archive(done: Tried) -> str:
    (file,) = done.draft.files[:-1]
    return content(file).decode()


def messages(*events: Event, **more: Any) -> list[JsonObject]:
    """The messages that were made, without their times."""
    made = document(attempt(*events, **more))["messages"]
    return [{k: v for k, v in message.items() if k != "created_at"} for message in made]


def losses(done: Tried) -> set[tuple[str, str, str | None]]:
    return {(loss.kind, loss.type, loss.field) for loss in done.losses}


def all_sessions(kind: str = "*") -> Iterator[tuple[Adapter, Session, list[Event]]]:
    """Every session of every fixture."""
    for adapter in Registry.installed().adapters():
        for home in sorted(FIXTURES.glob(f"{kind}/*/store")):
            for store in stores_below(adapter, home):
                for session in adapter.sessions(store):
                    if isinstance(session, Session):
                        yield adapter, session, list(adapter.events(session.ref))


USER = Message(role="user", at=1_780_000_000_000)
ANSWER = Message(role="assistant", at=1_780_000_001_000, model="maker/model")
TOOL = Message(role="tool")
CALL = ToolCall(call="c1", name="shell", input={"command": "ls"})
RESULT = ToolResult(call="c1", output="a file")
INTERRUPTED = '{"error":"Tool result missing (interrupted)"}'


def called(name: str = "shell", given: str = '{"command": "ls"}', id_: str = "c1") -> JsonObject:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": given}}


# -- what the program demands ------------------------------------------------------------------

# Files that bear no name of today's: 0.5, and one that was made for the tests by hand.
_OLD_NAME = "saved again, it would get another file"


def test_what_the_program_wrote_itself_is_what_it_demands() -> None:
    """So these demands are no stricter than the program."""
    files = list(FIXTURES.glob("clacky/*/store/**/sessions*/*.json"))
    assert len(files) > 50
    for path in files:
        found = list(breaks(path))
        assert found in ([], [_OLD_NAME]) or "v0." in str(path), (path, found)
        assert set(found) <= {_OLD_NAME}, (path, found)
    for version in ("v0.9.19", "v1.5.1"):
        reasons = [
            reason
            for path in FIXTURES.glob(f"clacky/{version}/store/.clacky/sessions/*.json")
            for reason in unfit(json.loads(path.read_bytes()))
        ]
        # Its own sessions may end anywhere, have keys that a converter must not invent, and tasks.
        known = (
            "keys that are sent",
            "the last turn may be taken back",
            "what was undone is active",
            "never answered",
            "a result without its call",
            "stands before the results",
            "arguments that are no object",
            "no text",
            "a summary that looks",
        )
        odd = [reason for reason in reasons if not any(part in reason for part in known)]
        assert odd == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"session_id": "1234567890123456"}, "its id may be taken for a place in the list"),
        ({"stats": {"last_status": "error"}}, "the last turn may be taken back"),
        ({"messages": [{"role": "tool", "tool_call_id": "x", "content": ""}]}, "without its call"),
        (
            {"messages": [{"role": "assistant", "content": "", "tool_calls": [called()]}]},
            "never answered: ['c1']",
        ),
        ({"messages": [{"role": "user", "content": "a"}]}, "what a person said has no time"),
        ({"messages": [{"role": "assistant", "content": "a", "x": 1}]}, "sent to the model: ['x']"),
    ],
)
def test_the_demands_find_faults(change: JsonObject, reason: str) -> None:
    good = document(attempt(USER, Text(text="Hi"), ANSWER, Text(text="Hello")))
    assert any(reason in found for found in unfit({**good, **change}))


def test_every_fixture_becomes_what_the_program_goes_on_from(tmp_path: Path) -> None:
    count = 0
    for number, (adapter, session, events) in enumerate(all_sessions()):
        folder = tmp_path / str(number)
        folder.mkdir()
        done = tried(CLACKY, session, events, plan=plan_of(session), folder=folder)
        assert [str(d) for d in done.unexplained] == [], session.ref
        path = folder / done.draft.files[-1].path
        assert {file.mode for file in done.draft.files} == {0o600}
        assert path.parent == folder / "sessions"
        if (session.origin or adapter.tool) != "clacky":
            assert list(breaks(path)) == [], session.ref
            assert list(unfit(json.loads(path.read_bytes()))) == [], session.ref
            count += 1
    assert count > 200


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(trees())
def test_any_story_becomes_what_the_program_goes_on_from(
    made: list[tuple[Session, list[Event]]],
) -> None:
    for session, events in made:
        done = tried(CLACKY, session, events, plan=plan_of(session))
        assert [str(difference) for difference in done.unexplained] == []
        document(done)


# -- messages ----------------------------------------------------------------------------------


def test_results_follow_their_calls() -> None:
    other = replace(CALL, call="c2")
    made = messages(
        USER,
        Text(text="Look."),
        ANSWER,
        Reasoning(text="Hm."),
        Text(text="Looking."),
        CALL,
        other,
        TOOL,
        ToolResult(call="c2", output='{"error":"no"}', status="error"),
        TOOL,
        RESULT,
        ANSWER,
        Text(text="One."),
    )
    assert made == [
        {"role": "user", "content": "Look."},
        {
            "role": "assistant",
            "content": "Looking.",
            "reasoning_content": "Hm.",
            "tool_calls": [called(), called(id_="c2")],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "a file"},
        {"role": "tool", "tool_call_id": "c2", "content": '{"error":"no"}'},
        {"role": "assistant", "content": "One."},
    ]


def test_an_answer_is_divided_where_its_order_needs_it() -> None:
    made = messages(
        ANSWER, Text(text="one"), CALL, RESULT, Text(text="two"), Reasoning(text="Hm."), CALL
    )
    assert [(m["role"], m.get("content"), "tool_calls" in m) for m in made] == [
        ("assistant", "one", True),
        ("tool", "a file", False),
        ("assistant", "two", False),
        ("assistant", "", True),
        ("tool", INTERRUPTED, False),
    ]


def test_a_mark_between_calls_says_that_they_were_not_made_together() -> None:
    other, result = replace(CALL, call="c2"), replace(RESULT, call="c2")
    together = messages(ANSWER, CALL, RESULT, other, result)
    assert [m["role"] for m in together] == ["assistant", "tool", "tool"]
    apart = messages(ANSWER, CALL, RESULT, Opaque(kind="step", raw={}), other, result)
    assert [m["role"] for m in apart] == ["assistant", "tool"] * 2


@pytest.mark.parametrize(
    ("result", "content"),
    [
        (None, INTERRUPTED),
        (ToolResult(call="c1", status="running"), INTERRUPTED),
        (ToolResult(call="c1", status="running", output="so far"), "so far"),
        (ToolResult(call="c1"), ""),
    ],
)
def test_a_call_that_was_cut_off_ends_as_the_program_ends_it(
    result: ToolResult | None, content: str
) -> None:
    done = attempt(ANSWER, CALL, *([result] if result else []))
    assert document(done)["messages"][1]["content"] == content
    if result is None:
        assert ("invented", "tool_result", None) in losses(done)
    if result and result.status != "ok":
        assert ("changed", "tool_result", "status") in losses(done)


def test_a_result_without_a_call_gets_one() -> None:
    done = attempt(ANSWER, Text(text="Hm."), ToolResult(call="lost", output="found"))
    made = document(done)["messages"]
    assert [m.get("tool_calls") for m in made] == [None, [called("unknown", "{}", "lost")], None]
    assert made[-1]["content"] == "found"
    assert ("invented", "tool_call", None) in losses(done)


@pytest.mark.parametrize(
    ("given_", "written"),
    [
        ('{"broken', {"arguments": '{"broken'}),
        ([1, 2], {"arguments": "[1,2]"}),
        (None, {}),
        ({"n": float("nan")}, {"arguments": '{"n":NaN}'}),
        ({"n": 2**70}, {"n": 2**70}),
    ],
)
def test_arguments_are_an_object_of_json(given_: Json, written: JsonObject) -> None:
    done = attempt(ANSWER, replace(CALL, input=given_), RESULT)
    made = document(done)["messages"][0]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(made) == written
    changed = {("changed", "tool_call", "input"), ("invented", "tool_call", "input")}
    assert bool(changed & losses(done)) == (given_ != written)


def test_ids_that_providers_refuse_become_others() -> None:
    made = messages(ANSWER, replace(CALL, call="ü:1"), replace(RESULT, call="ü:1"), CALL, CALL)
    ids = [call["id"] for m in made for call in m.get("tool_calls", ())]
    assert ids == ["call_1", "c1", "call_4"]
    assert made[1]["tool_call_id"] == "call_1"


def test_the_tool_speaks_in_messages_of_its_own() -> None:
    made = messages(
        Message(role="system"),
        Text(text="Be good.", labels=("synthetic",)),
        USER,
        Text(text="Look at this."),
        Text(text="The file says x.", labels=("synthetic",)),
        Attachment(mime="image/png", data=PNG, name="a.png"),
        ANSWER,
        Text(text="I was told to.", labels=("synthetic",)),
        Message(role="system"),
        Text(text="Stop.", labels=("synthetic",)),
    )
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    assert made == [
        {"role": "system", "content": "Be good."},
        {"role": "user", "content": [{"type": "text", "text": "Look at this."}, image]},
        {"role": "user", "content": "The file says x.", "system_injected": True},
        {"role": "assistant", "content": "I was told to.", "system_injected": True},
        {"role": "user", "content": "Stop.", "system_injected": True},
    ]


def test_files_are_named_and_only_images_are_sent() -> None:
    done = attempt(
        USER,
        Attachment(mime="text/plain", data="aGk=", path="/home/dev/a.txt", url="file:///a"),
        Text(text="Read this."),
        Attachment(mime="application/pdf", data="aGk="),
    )
    (made,) = document(done)["messages"]
    assert made["content"] == "Read this."
    assert made["display_files"] == [
        {"name": "a.txt", "type": "file", "path": "/home/dev/a.txt", "preview_path": None}
    ]
    told = losses(done)
    assert {("dropped", "attachment", None), ("dropped", "attachment", "data")} <= told
    assert ("changed", "text", "order") in told or ("changed", "attachment", "order") in told


def test_images_of_results_stand_behind_all_results() -> None:
    other = replace(CALL, call="c2")
    picture = Attachment(mime="image/png", data=PNG, role="tool")
    made = messages(ANSWER, CALL, RESULT, picture, other, replace(RESULT, call="c2"))
    assert [m["role"] for m in made] == ["assistant", "tool", "tool", "user"]
    assert made[-1]["system_injected"] is True


def test_a_message_without_content_is_not_written() -> None:
    done = attempt(
        USER, Text(text=""), ANSWER, Notice(kind="error", text="no"), USER, Text(text="a")
    )
    assert [m["content"] for m in document(done)["messages"]] == ["a"]
    assert {("dropped", "message", None), ("dropped", "text", None)} <= losses(done)


def test_what_a_person_said_has_rising_times() -> None:
    done = attempt(
        replace(USER, at=None), Text(text="a"),
        USER, Text(text="b", at=USER.at),
        USER, Text(text="c", at=USER.at),
        ANSWER, Text(text="d", at=ANSWER.at),
    )  # fmt: skip
    times = [round(m["created_at"] * 1000) for m in document(done)["messages"]]
    created = SESSION.created or 0
    assert times == [created, created + 1, created + 2, ANSWER.at]


def test_usage_is_kept_and_shown() -> None:
    usage = Usage(input=10, output=5, cache_read=3)
    (made,) = messages(replace(ANSWER, usage=usage, cost=0.5), Text(text="a"))
    assert made["token_usage"] == {
        "delta_tokens": 15,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": None,
        "cache_write": 0,
        "cache_read": 3,
        "cost": 0.5,
    }


def test_what_ruby_cannot_write_again_is_replaced() -> None:
    done = attempt(
        USER, Text(text="half \ud800 of \ud83d\ude00"), session=SESSION._replace(title="\udfff")
    )
    record = document(done)
    assert record["messages"][0]["content"] == "half \ufffd of 😀"
    assert record["name"] == "\ufffd"
    assert {("changed", "text", "text"), ("changed", "session", "title")} <= losses(done)


def test_words_that_the_program_takes_for_its_own_are_reported() -> None:
    words = "The user has a question/feedback for you: why?\n\nPlease respond to the user's "
    words += "question/feedback before continuing with any actions."
    done = attempt(
        USER, Text(text="[SYSTEM] not me"), ANSWER, Text(text="a"), USER, Text(text=words)
    )
    assert [m["content"] for m in document(done)["messages"]] == ["[SYSTEM] not me", "a", words]
    assert {("invented", "text", "labels.synthetic"), ("invented", "text", None)} <= losses(done)


def test_subagents_are_their_call_and_its_result() -> None:
    child = Ref("other", "/home/dev/other", "two")
    done = attempt(ANSWER, CALL, RESULT, Subagent(call="c1", child=child, result="a file"))
    assert len(document(done)["messages"]) == 2
    assert ("dropped", "subagent", None) in losses(done)


# -- what is not in the live context -----------------------------------------------------------

GONE: Labels = ("compacted",)
SUMMARY = Text(text="We greeted.", labels=("synthetic", "summary"))


def compacted(*kept: Event, keep: str | None = None) -> list[Event]:
    told: list[Event] = [
        replace(USER, labels=GONE),
        Text(text="Hi\n\n## there\n", labels=GONE),
        replace(ANSWER, labels=GONE),
        Text(text="Hello", labels=GONE),
        replace(CALL, labels=GONE),
        replace(RESULT, output="long " * 300 + "\n```\nend", labels=GONE),
        replace(ToolCall(call="c9", name="list"), labels=GONE),
        *kept,
        replace(USER, at=1_780_000_002_000),
        Compaction(auto=True, at=1_780_000_002_345, keep=keep),
        ANSWER,
        SUMMARY,
        replace(USER, at=1_780_000_003_000),
        Text(text="On."),
    ]
    return told


def test_what_left_the_context_is_archived_and_its_summary_sent() -> None:
    done = attempt(*compacted())
    record = document(done)
    first, second = record["messages"]
    (file, _) = done.draft.files
    assert file.path == f"sessions/{first['chunk_path']}"
    assert first["content"] == "We greeted."
    assert first["role"] == "user"
    assert first["compressed_summary"] is True
    assert second["content"] == "On."
    told = [e for e in done.events if isinstance(e, Text | ToolCall | ToolResult | Compaction)]
    assert [e.type for e in told] == [
        "text",
        "text",
        "tool_call",
        "tool_call",
        "tool_result",
        "tool_result",
        "compaction",
        "text",
        "text",
    ]
    assert isinstance(told[0], Text)
    assert told[0].text == "Hi\n\n## there\n"
    assert isinstance(told[4], ToolResult)
    assert told[4].output == "long " * 300 + "\n```\nend"
    assert told[6].at == 1_780_000_002_345
    assert not {loss for loss in losses(done) if loss[1:] in (("text", "text"), ("text", None))}


def test_an_archive_has_the_programs_form() -> None:
    text = archive(attempt(*compacted()))
    head, _, body = text.partition("\n---\n\n")
    assert head.split("\n")[0] == "---"
    lines = dict(line.split(": ", 1) for line in head.split("\n")[1:])
    assert lines == {
        "session_id": plan_of().id,
        "chunk": "1",
        "compression_level": "1",
        "archived_at": "2026-05-28T20:26:42.345+00:00",
        "message_count": "4",
    }
    assert body.startswith("# Session Chunk 1\n\n> This file contains the original conversation")
    assert '_Tool calls: shell | {"command": "ls"}; list_\n\nHello\n' in body


def test_a_summary_stands_before_the_recent_messages_that_were_kept() -> None:
    kept = story(*compacted(replace(USER, at=1_780_000_001_500), Text(text="Kept.")))
    keep = next(e.message for e in kept if isinstance(e, Text) and e.text == "Kept.")
    done = attempt(*compacted(replace(USER, at=1_780_000_001_500), Text(text="Kept."), keep=keep))
    made = document(done)["messages"]
    assert [m["content"] for m in made] == ["We greeted.", "Kept.", "On."]


def test_an_earlier_summary_is_archived_with_what_it_stood_for() -> None:
    earlier: list[Event] = [
        replace(USER, labels=GONE),
        Text(text="Long ago", labels=GONE),
        replace(USER, labels=GONE),
        Compaction(labels=GONE),
        replace(ANSWER, labels=GONE),
        Text(text="An older summary.", labels=("compacted", "synthetic", "summary")),
    ]
    done = attempt(*earlier, *compacted())
    name = document(done)["messages"][0]["chunk_path"]
    heading = f"## Assistant [Compressed Summary — original conversation at: {name}]"
    assert f"Long ago\n\n{heading}\n\nAn older summary.\n" in archive(done)
    assert "compression_level: 2" in archive(done)
    assert sum(event.type == "compaction" for event in done.events) == 2


def test_what_an_archive_would_divide_is_reported() -> None:
    quote = Text(text="A quote:\n\n## User\n\nHi", labels=GONE)
    first, _, *rest = compacted()
    done = attempt(first, quote, *rest)
    assert quote.text in archive(done)
    assert ("invented", "message", None) in losses(done)


def test_without_a_summary_nothing_is_archived() -> None:
    done = attempt(*compacted()[:4])
    assert [m["content"] for m in document(done)["messages"]] == ["Hi\n\n## there\n", "Hello"]
    assert ("lowered", "text", "labels.compacted") in losses(done)
    alone = attempt(USER, Text(text="a"), USER, Compaction(), ANSWER, Text(text="b"))
    assert ("dropped", "compaction", None) in losses(alone)


def test_what_was_undone_is_a_task_that_is_not_active() -> None:
    hidden: Labels = ("hidden",)
    done = attempt(
        USER,
        Text(text="Do."),
        ANSWER,
        Text(text="Done."),
        replace(USER, at=1_780_000_002_000, labels=hidden),
        Text(text="More.", labels=hidden),
        replace(ANSWER, labels=hidden),
        replace(CALL, labels=hidden),
        replace(RESULT, labels=hidden),
        session=SESSION._replace(labels=("reverted",)),
    )
    record = document(done)
    assert [m.get("task_id") for m in record["messages"]] == [None, None, 1, 1, 1]
    assert record["time_machine"] == {
        "task_parents": {"1": 0},
        "current_task_id": 1,
        "active_task_id": 0,
    }
    assert [e.labels for e in done.events if e.type == "text"] == [(), (), hidden]
    assert done.session.labels == ("reverted",)


# -- the session object ------------------------------------------------------------------------


def test_a_header_lives_through_it() -> None:
    session = attempt(USER, Text(text="Hi")).session
    assert session.title == "A title"
    assert session.directory == "/home/dev/code"
    assert session.created == SESSION.created
    assert session.updated == NOW
    assert session.model == "maker/model"


def test_what_a_session_lacks_is_invented_and_said() -> None:
    bare = Session(ref=SESSION.ref)
    done = attempt(USER, Text(text="First   words, and then some more of them"), session=bare)
    record = document(done)
    assert record["name"] == "First words, and then some mor…"
    assert record["working_dir"] == "."
    assert record["created_at"] == "2026-05-28T20:26:40+00:00"
    invented = {
        field for kind, type_, field in losses(done) if (kind, type_) == ("invented", "session")
    }
    assert invented == {"title", "directory", "created", "updated", "agent"}
    elsewhere = plan_of(bare, directory="/home/dev/else")
    moved = attempt(USER, Text(text="a"), session=bare, plan=elsewhere)
    assert document(moved)["working_dir"] == "/home/dev/else"
    assert ("invented", "session", "directory") not in losses(moved)


def test_ids_are_the_same_each_time_and_look_like_no_number() -> None:
    ids = [CLACKY.target_id(SESSION._replace(ref=Ref("other", "/x", str(n)))) for n in range(2000)]
    assert len({one[:8] for one in ids}) == 2000
    assert not [one for one in ids if one[:8].isdecimal()]
    assert CLACKY.target_id(SESSION) == CLACKY.target_id(SESSION._replace(title="another"))
    assert CLACKY.target_id(SESSION, "copy") != CLACKY.target_id(SESSION)


def test_a_hostile_session_chooses_no_path() -> None:
    for hostile in ("../../x", "a/b", "\0", "x" * 5000):
        session = SESSION._replace(ref=Ref("clacky", "/x", hostile), title=hostile)
        (file,) = attempt(USER, Text(text="a"), session=session).draft.files
        assert file.path.count("/") == 1
        assert ".." not in file.path


def test_golden() -> None:
    """One of everything, byte for byte: reader and writer could be wrong in the same way."""
    events: list[Event] = [
        Message(role="system"),
        Text(text="Be good.", labels=("synthetic",)),
        *compacted(),
        Attachment(mime="image/png", data=PNG),
        ANSWER,
        Reasoning(text="Let me see."),
        Text(text="Looking."),
        replace(CALL, call="c2"),
        replace(RESULT, call="c2"),
        replace(CALL, call="c3"),
    ]
    done = attempt(*events)
    for file, name in zip(done.draft.files, ("archive.md", "session.json"), strict=True):
        path = GOLDEN / name
        if os.environ.get("FINDER_UPDATE"):
            path.write_bytes(content(file))
        assert path.read_bytes() == content(file)
    document(done)


# -- Clacky's own ------------------------------------------------------------------------------


def own() -> Iterator[tuple[Session, list[Event]]]:
    for adapter, session, events in all_sessions("clacky"):
        if adapter.name == "clacky" and session.raw is not None:
            yield session, events


def test_its_own_sessions_are_written_back_record_for_record(tmp_path: Path) -> None:
    count = 0
    for number, (session, events) in enumerate(own()):
        done = tried(CLACKY, session, events, plan=plan_of(session), folder=tmp_path / str(number))
        assert done.unexplained == []
        assert done.draft.id == session.ref.id
        assert prints(events) == prints(done.events)
        known = losses(done) - {
            ("lowered", "session", "labels.trashed"),
            ("dropped", "session", "raw"),
        }
        assert known == set(), session.ref
        count += 1
    assert count > 50


def test_the_file_is_the_one_that_was_read(tmp_path: Path) -> None:
    """All of its JSON, and the bytes of its archives; without what is said to be left out."""
    for path in sorted(FIXTURES.glob("clacky/v*/store/.clacky/sessions/*.json")):
        before = json.loads(path.read_bytes())
        store = CLACKY.detect(path)
        assert store
        (session,) = [s for s in CLACKY.sessions(store) if isinstance(s, Session)]
        done = tried(CLACKY, session, list(CLACKY.events(session.ref)), plan=plan_of(session))
        *archives, file = done.draft.files
        for models in before.get("config", {}).get("models", ()):
            models.pop("api_key", None)
        assert json.loads(content(file)) == before
        for one in archives:
            assert (path.parent / Path(one.path).name).read_bytes() == content(one)
        if "_" not in path.name:
            assert Path(file.path).name == path.name


def only(version: str, prefix: str) -> tuple[Session, list[Event]]:
    store = CLACKY.detect(FIXTURES / "clacky" / version / "store" / ".clacky")
    assert store
    found = [s for s in CLACKY.sessions(store) if isinstance(s, Session)]
    (session,) = [s for s in found if s.ref.id.startswith(prefix)]
    return session, list(CLACKY.events(session.ref))


def test_a_session_comes_back_from_the_trash() -> None:
    session, events = only("v1.5.1", "012e22a4")
    assert "trashed" in session.labels
    done = tried(CLACKY, session, events, plan=plan_of(session))
    assert "trashed" not in done.session.labels
    assert "deleted_at" not in json.loads(content(done.draft.files[-1]))
    assert losses(done) == {("lowered", "session", "labels.trashed")}


def test_a_stray_archive_becomes_a_session_of_its_own() -> None:
    session, events = only("v1.5.1", "3fe8f4a1")
    assert session.raw is None
    done = tried(CLACKY, session, events, plan=plan_of(session))
    assert done.unexplained == []
    record = json.loads(content(done.draft.files[-1]))
    assert list(unfit(record)) == []
    assert record["session_id"] != session.ref.id
    assert not any("compacted" in event.labels for event in done.events)
    before = [e.text for e in events if isinstance(e, Text)]
    assert [e.text for e in done.events if isinstance(e, Text)] == before
    assert len(done.draft.files) == 1


def test_a_copy_has_archives_of_its_own(tmp_path: Path) -> None:
    """Beside the session that it is a copy of, each tells its own story."""
    session, events = only("v0.9.19", "807d1ffc")
    (tmp_path / ".clacky").mkdir()
    folder = tmp_path / ".clacky"
    plans = [plan_of(session), plan_of(session, salt="copy")]
    drafts = [tried(CLACKY, session, events, plan=plan).draft for plan in plans]
    for draft in drafts:
        laid_out(draft, folder)
    assert len({file.path for draft in drafts for file in draft.files}) == 6
    store = CLACKY.detect(folder)
    assert store
    found = {s.ref.id: s for s in CLACKY.sessions(store) if isinstance(s, Session)}
    assert set(found) == {plan.id for plan in plans}
    stories = [list(CLACKY.events(found[plan.id].ref)) for plan in plans]
    assert [e.type for e in stories[0]] == [e.type for e in stories[1]] == [e.type for e in events]
    assert not any("forked" in one.labels for one in found.values())


def test_a_fork_keeps_the_archives_that_it_borrows() -> None:
    forks = [(s, e) for s, e in own() if "forked" in s.labels and _has_archive(e)]
    assert forks
    for session, events in forks:
        done = tried(CLACKY, session, events, plan=plan_of(session))
        assert losses(done) == set()
        copied = tried(CLACKY, session, events, plan=plan_of(session, salt="copy"))
        assert copied.unexplained == []
        assert all(copied.draft.id[:8] in file.path for file in copied.draft.files)


def _has_archive(events: Sequence[Event]) -> bool:
    return any("-chunk-" in (event.record or "") for event in events)


def test_keys_are_neither_written_nor_marked() -> None:
    session, events = only("models-key", "")
    done = tried(CLACKY, session, events, plan=plan_of(session))
    text = content(done.draft.files[-1]).decode()
    assert "sk-" not in text
    assert "[redacted]" not in text
    assert losses(done) == {("dropped", "session", "raw")}


def test_a_session_without_a_time_gets_one() -> None:
    session, events = only("v1.5.1", "4a9475f3")
    record = {key: value for key, value in session.raw.items() if key != "created_at"}
    broken = session._replace(raw=record, created=None)
    done = tried(CLACKY, broken, events, plan=plan_of(broken))
    assert done.unexplained == []
    assert losses(done) == {("invented", "session", "created")}


# -- installing --------------------------------------------------------------------------------


def test_its_home_is_where_sessions_are_installed(tmp_path: Path) -> None:
    assert CLACKY.root(Places.under(tmp_path)) == tmp_path / ".clacky"


def cautions(home: Path, *sessions: Session) -> list[str]:
    return list(CLACKY.cautions(Places.under(home), sessions))


def test_who_has_as_many_sessions_as_the_program_keeps_is_told(tmp_path: Path) -> None:
    folder = tmp_path / ".clacky" / "sessions"
    new = SESSION._replace(ref=Ref("clacky", "/x", "c0ffee0012345678"))
    assert cautions(tmp_path, new) == []
    folder.mkdir(parents=True)
    for number in range(199):
        (folder / f"2026-01-02-03-04-05-{number:08x}.json").touch()
        (folder / f"2026-01-02-03-04-05-{number:08x}-chunk-1.md").touch()
    assert cautions(tmp_path, new) == []
    (folder / "2026-01-02-03-04-05-0000ffff.json").touch()
    (one,) = cautions(tmp_path, new)
    assert "keeps its newest 200 sessions" in one
    assert "there are 201" in one
    old = new._replace(created=1_600_000_000_000)
    first, second = cautions(tmp_path, old)
    assert first == one
    assert "would delete 1 of the installed ones" in second
    (folder / "2026-01-02-03-04-05-c0ffee00.json").touch()  # replaced, not added
    assert len(cautions(tmp_path, new)) == 1
