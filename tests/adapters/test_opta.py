"""Opta's sessions: the contract, one session from several places, and every labelled case."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from adapters.opta import Opta
from finder.adapter import Store, Want
from finder.errors import NotFoundError
from finder.model import (
    Attachment,
    Compaction,
    Event,
    Json,
    Message,
    Notice,
    Problem,
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
from finder.testing import AdapterContract, stores_below

FIXTURES = Path(__file__).parents[2] / "fixtures" / "opta"
ADAPTER = Opta()

# The order of a session's records where a log has a part in them, read by eye. m: an item of the
# document's messages, d: a line of the daemon's log, e: of the desktop's; a list is a run of
# streamed words, which is one record. A line that stands in both logs is in the story once.
DESKTOP = """d1 m0 d2 d3 d4 m1 m2 [e4,e5] [e6,e7,e9] e8 e10 m3 e11 e13 m4 e14 e15 m5 e16 e17 m6
    e18 e19 m7 m8 [e20,e21] [e22] e23 e24 e25 e26 [e27] e28 e29 e30 m9 m10 [e31,e32] e33 e34"""
ORDER = {
    "-MvuuCaAg3QJ": "d1 m0 d2 d3 d4 m1 m2 d5 d6",
    "6EUIZnOcTqLZ": "d1 d2 d3 d4 m0 m1 d5 d6 d7 d8 d9 m2 m3 d10 d11 m4 m5 d12 d13"
    " d14 d15 d16 d17 d18 d19 d20 m6 m7 d21 d22 d23",
    "KAKDGY4ob1Qo": "d1",
    "RQD6-0RD-WeK": "d1 d2 d3 d4 m0 m1 d5 d6 d7 d8 d9 d10 d11",
    "WU85dSICL_Yi": "d1 d2 d3 d4 m0 m1 d5 d6",
    "imported_session-1": "d1 m0 m1 m2 d2 d3 d4 m3 m4 d5 d6 m5 m6 d7 d8",
    "jMoqTSQh7I7A": "d1 d2 d3 d4 m0 m1 d5 d6 m2 m3 d7 d8",
    "r-IXZWaCSkB6": "d1 m0 d2 d3 d4 m1 m2 d5 d6 d7 d8 d9 m3 m4 d10 d11 m5 m6 d12 d13",
    "sess_9f3Kq2Lm": DESKTOP,
    "sess_only0002": "e1 e2 e3 [e4] [e5,e6] e7 e8 [e9,e10] e11 e12 e13 e14 [e15,e16]",
}
# The rest is told from one file: the chat, but for these.
TOLD_FROM_DAEMON = {*ORDER} - {"r-IXZWaCSkB6", "sess_only0002"}


def lines(path: Path) -> list[Json]:
    return (
        [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    )


class TestOpta(AdapterContract):
    adapter = ADAPTER
    fixtures = FIXTURES
    # What the model passed to a tool.
    free_keys: ClassVar[frozenset[str]] = frozenset({"args", "payload.args"})

    def records(self, home: Path, session: Session) -> list[Json]:
        store, id_ = Path(session.ref.store), session.ref.id
        if store.is_file():
            return list(json.loads(store.read_text("utf-8"))["messages"])
        if store.name == "recovery":
            return list(json.loads((store / f"{id_}.json").read_text("utf-8"))["messages"])
        if id_ == "GkDi-nkR1Cke":  # the turn that crashed is in the project alone
            recovery = home / "projects/alpha/.opta/recovery" / f"{id_}.json"
            return list(json.loads(recovery.read_text("utf-8"))["messages"])
        if (store / "sessions" / id_ / "session.json").exists():
            documented = json.loads((store / "sessions" / id_ / "session.json").read_text("utf-8"))
            return list(documented["events"])
        daemon = store / "daemon" / "sessions" / id_
        told = (
            daemon / "snapshot.json" if id_ in TOLD_FROM_DAEMON else store / f"sessions/{id_}.json"
        )
        messages = json.loads(told.read_text("utf-8"))["messages"] if told.exists() else []
        sources = {
            "m": messages,
            "d": lines(daemon / "events.jsonl"),
            "e": lines(store / "sessions" / id_ / "events.jsonl"),
        }

        def record(place: str) -> Json:
            number = int(place[1:])
            return sources[place[0]][number if place[0] == "m" else number - 1]

        order = ORDER.get(id_) or " ".join(f"m{index}" for index in range(len(messages)))
        return [
            [record(one) for one in place[1:-1].split(",")] if place[0] == "[" else record(place)
            for place in order.split()
        ]


# -- helpers ----------------------------------------------------------------------------


def config(case: str) -> Store:
    store = ADAPTER.detect(FIXTURES / case / "store" / ".config" / "opta")
    assert store is not None
    return store


def sessions(store: Store, want: Want | None = None) -> dict[str, Session]:
    found = list(ADAPTER.sessions(store, want))
    assert not [item for item in found if isinstance(item, Problem)]
    return {item.ref.id: item for item in found if isinstance(item, Session)}


def events(case: str, id_: str) -> list[Event]:
    return list(ADAPTER.events(Ref("opta", str(config(case).path), id_)))


def only(kind: type, found: Iterable[Event]) -> list[Any]:
    return [event for event in found if isinstance(event, kind)]


def said(found: Iterable[Event], *, role: str = "user") -> list[str]:
    """What a person (or, by role, the model) said itself."""
    texts = (e for e in found if isinstance(e, Text) and e.role == role)
    return [e.text for e in texts if "synthetic" not in e.labels]


def written(path: Path, value: Json) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), "utf-8")
    return path


def chat(id_: str, messages: list[Json], **header: Json) -> dict[str, Json]:
    return {
        "id": id_,
        "created": "2026-11-02T09:15:00.355Z",
        "updated": "2026-11-02T09:16:00.000Z",
        "model": "m",
        "cwd": "/nowhere/at/all",
        "title": "t",
        "tags": [],
        "messages": messages,
        "toolCallCount": 0,
        "compacted": False,
        **header,
    }


def told(folder: Path, *messages: Json) -> list[Event]:
    """The story of a chat with just these messages."""
    written(folder / "sessions/abc.json", chat("abc", list(messages)))
    return list(ADAPTER.events(Ref("opta", str(folder), "abc")))


SYSTEM = {"role": "system", "content": "You are Opta.\n\nWorking directory: /w/here\n\nEnd."}
HELLO = [SYSTEM, {"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi."}]


def read(tmp_path: Path, messages: list[Json]) -> list[Event]:
    """The events of a chat with these messages."""
    path = written(tmp_path / "sessions" / "abc.json", chat("abc", messages))
    return list(ADAPTER.events(Ref("opta", str(path.parent), "abc")))


# -- counts and headers -----------------------------------------------------------------


def test_counts_are_those_of_the_store() -> None:
    home = sessions(config("home"))
    assert len(home) == 16 + 7 - 1  # one id is in both places
    # 93 messages in chats and 26 in snapshots, but for two chats of a system prompt alone: one is
    # told from the snapshot, the other from the recovery file with its 22 messages.
    assert sum(s.messages or 0 for s in home.values()) == (93 - 2) + 26 + 22
    tui = sessions(config("tui"))
    assert [s.messages for s in tui.values()] == [7]
    assert [s.messages for s in sessions(config("old")).values()] == [5]


def test_a_home_has_the_config_folder_the_recovery_folder_and_the_export() -> None:
    found = {s.path.name: s for s in stores_below(ADAPTER, FIXTURES / "home" / "store")}
    assert set(found) == {"opta", "recovery", "opta-session-tb7Af_jc-1794916865603.json"}
    ranks = [found[name].rank for name in ("opta", "recovery")]
    assert ranks[0] > ranks[1] > found["opta-session-tb7Af_jc-1794916865603.json"].rank
    assert sessions(found["recovery"])["GkDi-nkR1Cke"].messages == 22


def test_a_header_has_what_the_file_says() -> None:
    session = sessions(config("home"))["jLnzZZKdZ99c"]
    assert session.title == "Ünicode — „die Lösung“ 🎉"
    assert session.directory == "/home/dev/projects/ünïcode dir 日本"
    assert session.created == 1_794_132_000_331
    assert session.model == "scripted-model"
    assert session.labels == ()
    assert session.raw["tags"] == ["unicode", '"zwei', 'worte"', "emoji"]
    assert "messages" not in session.raw


def test_an_empty_title_is_none() -> None:
    assert sessions(config("home"))["kkz4fG291rnX"].title is None


def test_the_terminal_session_is_told_from_the_copy_that_has_the_turn() -> None:
    session = sessions(config("home"))["-MvuuCaAg3QJ"]
    base = config("home").path
    assert session.messages == 3
    assert session.title == "Hello from the TUI"  # the chat has it; the snapshot's is empty
    assert session.directory == "/home/dev/projects/alpha"
    assert session.labels == ()  # the chat file has the directory
    assert session.also_in == (
        str(base / "sessions/-MvuuCaAg3QJ.json"),
        str(base / "daemon/sessions/-MvuuCaAg3QJ/events.jsonl"),
    )
    # Begun by the first of the copies, last changed by the last.
    assert (session.created, session.updated) == (1_795_078_800_249, 1_795_078_826_217)


def test_of_equally_long_copies_the_chat_is_told_with_the_times_of_the_log() -> None:
    session = sessions(config("tui"))["r-IXZWaCSkB6"]
    assert session.directory == "/home/dev/projects/alpha"
    assert session.labels == ()
    assert [Path(path).name for path in session.also_in] == ["snapshot.json", "events.jsonl"]
    answer = only(Message, events("tui", "r-IXZWaCSkB6"))[-1]
    assert answer.usage == Usage(input=4695, output=11)
    assert answer.finished == 1_795_078_816_351


def test_the_directory_comes_from_the_system_prompt_where_no_copy_has_it(tmp_path: Path) -> None:
    snapshot = {"sessionId": "s", "model": "m", "createdAt": "x", "messages": HELLO, "seq": 1}
    written(tmp_path / "daemon/sessions/s/snapshot.json", snapshot)
    session = sessions(Store(adapter="opta", tool="opta", path=tmp_path, kind="files"))["s"]
    assert session.directory == "/w/here"
    assert session.labels == ("inferred",)
    assert session.created is None


def test_what_is_wanted_by_id_or_prefix_is_enough() -> None:
    store = config("home")
    assert set(sessions(store, Want(ids=("6EUIZnOcTqLZ",)))) == {"6EUIZnOcTqLZ"}
    assert set(sessions(store, Want(prefix="-mv"))) == {"-MvuuCaAg3QJ"}


def test_a_stamp_changes_with_any_file_of_the_session(tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(FIXTURES / "tui" / "store", home)
    store = stores_below(ADAPTER, home)[0]
    before = sessions(store)["r-IXZWaCSkB6"].stamp
    with (store.path / "daemon/sessions/r-IXZWaCSkB6/events.jsonl").open("a") as log:
        log.write("\n")
    assert sessions(store)["r-IXZWaCSkB6"].stamp != before


# -- one session from several places ----------------------------------------------------


def test_a_recovery_file_in_the_working_directory_is_the_richest_copy(tmp_path: Path) -> None:
    project = tmp_path / "project"
    stored = chat("r1", [SYSTEM], cwd=str(project), title="")
    written(tmp_path / "opta/sessions/r1.json", stored)
    saved = {"sessionId": "r1", "savedAt": "2026-11-14T10:00:04.335Z", "toolCallCount": 10}
    path = written(project / ".opta/recovery/r1.json", {**saved, "messages": HELLO})
    store = Store(adapter="opta", tool="opta", path=tmp_path / "opta", kind="files")
    session = sessions(store)["r1"]
    assert session.messages == 3
    assert session.labels == ("interrupted",)
    assert session.also_in == (str(tmp_path / "opta/sessions/r1.json"),)
    assert session.directory == str(project)
    assert said(ADAPTER.events(session.ref)) == ["Hello"]
    assert ADAPTER.resume(session) is None  # the tool would go on from the chat without the turn
    path.write_text("{")
    found = list(ADAPTER.sessions(store))
    assert [p.path for p in found if isinstance(p, Problem)] == [str(path)]
    assert [s.messages for s in found if isinstance(s, Session)] == [1]


def test_the_working_directory_is_found_in_a_home_that_was_copied_elsewhere(tmp_path: Path) -> None:
    for name, cwd in (
        (".config", "/home/somebody/src/x"),
        (".config", "/Users/somebody/src/x"),
        ("AppData/Roaming", "C:\\Users\\somebody\\src\\x"),
    ):
        home = tmp_path / cwd[1]
        written(home / name / "opta/sessions/r1.json", chat("r1", [SYSTEM], cwd=cwd))
        saved = {"sessionId": "r1", "savedAt": "2026-11-14T10:00:04.335Z", "messages": HELLO}
        written(home / "src/x/.opta/recovery/r1.json", saved)
        store = ADAPTER.detect(home / name / "opta")
        assert store is not None
        assert sessions(store)["r1"].messages == 3


def test_the_log_gives_back_the_output_that_was_masked() -> None:
    results = only(ToolResult, events("desktop", "sess_9f3Kq2Lm"))
    assert results[0].output.startswith("1\tfile 0 line 0 😀\n")
    assert results[0].output.endswith("12\tfile 0 line 11 😀")
    assert (results[0].labels, results[0].status) == ((), "ok")
    assert results[0].at - results[0].started == 40


@pytest.mark.parametrize("text", ["one\ntwo", "another first line", "first line" + "x" * 200])
def test_a_masked_output_is_only_replaced_by_its_own_text(tmp_path: Path, text: str) -> None:
    mask = "[Tool result truncated: 230 chars, first line: first line]"
    call = {"id": "c", "type": "function", "function": {"name": "read_file", "arguments": "{}"}}
    messages = [*HELLO[:2], {"role": "assistant", "content": None, "tool_calls": [call]}]
    masked = [*messages, {"role": "tool", "content": mask, "tool_call_id": "c"}]
    whole = [*messages, {"role": "tool", "content": text, "tool_call_id": "c"}]
    written(tmp_path / "sessions/s.json", chat("s", [*masked, HELLO[2]]))
    written(tmp_path / "daemon/sessions/s/snapshot.json", {"sessionId": "s", "messages": whole})
    (result,) = only(ToolResult, ADAPTER.events(Ref("opta", str(tmp_path), "s")))
    assert result.output == mask
    assert result.labels == ("truncated", "inferred")


def test_very_many_results_of_one_call_are_read_in_good_time(tmp_path: Path) -> None:
    """Each of them might be any of as many others that are as long and begin otherwise."""
    count = 5_000
    call = {"id": "c", "type": "function", "function": {"name": "read_file", "arguments": "{}"}}
    before = [*HELLO[:2], {"role": "assistant", "content": None, "tool_calls": [call]}]

    def results(text: str) -> list[Json]:
        told = (text.format(number) for number in range(count))
        return [*before, *({"role": "tool", "content": t, "tool_call_id": "c"} for t in told)]

    masked = results("[Tool result truncated: 200 chars, first line: {:06} masked]")
    whole = results("{:06} whole" + "x" * 188)
    whole[-1]["content"] = f"{count - 1:06} masked\n{'x' * 186}"
    written(tmp_path / "sessions/s.json", chat("s", [*masked, HELLO[2]]))
    written(tmp_path / "daemon/sessions/s/snapshot.json", {"sessionId": "s", "messages": whole})
    began = time.process_time()
    found = only(ToolResult, ADAPTER.events(Ref("opta", str(tmp_path), "s")))
    assert time.process_time() - began < 3
    assert len(found) == count
    assert found[-1].output == whole[-1]["content"]
    assert found[0].output == masked[len(before)]["content"]


def test_thoughts_come_from_the_desktops_log_unless_they_repeat_the_answer() -> None:
    found = events("desktop", "sess_9f3Kq2Lm")
    (thought,) = only(Reasoning, found)
    assert thought.text == "The user wants all five."
    assert thought.message == "messages/2"
    position = found.index(thought)
    assert found[position - 1].type == "message"
    assert next(e for e in found[position:] if e.type == "text").text == "Reading five files."


def test_a_failed_turn_is_told_from_the_log() -> None:
    found = events("home", "6EUIZnOcTqLZ")
    (notice,) = [e for e in only(Notice, found) if e.kind == "error"]
    assert notice.text == "400 scripted 400 in daemon"
    # After the second turn and before the words of the fourth.
    at = [i for i, e in enumerate(found) if isinstance(e, Text)]
    before = [found[i] for i in at if i < found.index(notice)]
    assert [e.text for e in before][-1] == "Listed."
    assert [e.text for e in found if isinstance(e, Text) and e.text == "Wait, "] == []
    (words,) = [e for e in only(Text, events("desktop", "sess_9f3Kq2Lm")) if e.message is None]
    assert (words.text, words.labels) == ("Wait, ", ("interrupted",))


def test_a_cancelled_answer_is_interrupted() -> None:
    found = events("home", "6EUIZnOcTqLZ")
    interrupted = [e for e in only(Text, found) if e.labels == ("interrupted",)]
    assert len(interrupted) == 1
    assert interrupted[0].text.startswith("slow answer")
    assert "cancelled by the user" in [e.text for e in only(Notice, found)]


def test_a_killed_turn_is_told_from_the_log_and_opens_no_message() -> None:
    found = events("home", "RQD6-0RD-WeK")
    assert len(only(Message, found)) == 2
    (call,) = only(ToolCall, found)
    (result,) = only(ToolResult, found)
    assert (call.input, call.labels, call.message) == (
        {"path": "notes.txt"},
        ("interrupted",),
        None,
    )
    assert result.output == "1\tremember the milk\n2\t"


def test_a_turn_whose_log_says_done_before_a_kill_is_not_taken_for_the_last_one(
    tmp_path: Path,
) -> None:
    """The log has two turns, the snapshot was written after the first."""
    folder = tmp_path / "daemon/sessions/s"
    snapshot = {"sessionId": "s", "updatedAt": "2026-01-01T00:00:02Z", "messages": HELLO[1:]}
    written(folder / "snapshot.json", snapshot)
    seq = iter(range(1, 9))
    entries = [
        {
            "v": "3",
            "event": event,
            "daemonId": "d",
            "sessionId": "s",
            "seq": next(seq),
            "ts": f"2026-01-01T00:00:0{second}Z",
            "payload": {"turnId": turn},
        }
        for turn, event, second in [
            ("one", "turn.start", 0),
            ("one", "turn.done", 1),
            ("two", "turn.start", 3),
            ("two", "turn.done", 4),
        ]
    ]
    (folder / "events.jsonl").write_text("\n".join(map(json.dumps, entries)))
    found = list(ADAPTER.events(Ref("opta", str(tmp_path), "s")))
    assert [e.at for e in only(Message, found)] == [1_767_225_600_000] * 2
    assert [e.record for e in found[-2:]] == ["daemon/events/3", "daemon/events/4"]


def test_a_log_alone_is_a_session_without_the_users_words() -> None:
    session = sessions(config("desktop"))["sess_only0002"]
    assert session.labels == ("truncated", "inferred")
    assert (session.title, session.directory) == ("Only a log", "/home/dev/projects/alpha")
    assert session.messages == 3  # the system prompt and two answers
    found = events("desktop", "sess_only0002")
    assert said(found) == []
    assert said(found, role="assistant") == ["Let me around.", "I may not.", "Half an ans"]
    cut = [e.labels for e in only(Text, found) if e.role == "assistant"]
    assert cut == [("truncated",), (), ("interrupted",)]  # a token was never written
    assert [e.text for e in only(Reasoning, found)] == ["A directory first."]
    assert [e.status for e in only(ToolResult, found)] == ["error"]


def test_what_is_shared_has_a_mark_for_what_is_no_text_and_no_ids(tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": "[multimodal]"},  # there was an image
        {"role": "assistant", "content": "[multimodal]"},  # it called a tool without a word
        {"role": "tool", "content": "3 files"},
        {"role": "assistant", "content": "Three [multimodal] files."},
    ]
    shared = {"id": "abc", "model": "m", "title": "t", "created": "2026-11-02T09:15:00.355Z"}
    path = written(tmp_path / "opta-session-abc-1.json", {**shared, "messages": messages})
    (store,) = stores_below(ADAPTER, path)
    found = list(ADAPTER.events(Ref("opta", str(store.path), "abc")))
    marks, spoken = only(Text, found)[:2], said(found, role="assistant")
    assert [e.labels for e in marks] == [("synthetic", "truncated", "inferred")] * 2
    assert spoken == ["Three [multimodal] files."]
    assert [e.output for e in only(ToolResult, found)] == ["3 files"]
    assert not [e for e in found if e.type == "opaque"]


def test_the_documented_form_is_read() -> None:
    session = sessions(config("documented"))["abc12345"]
    assert session.title == "Fix the login test"
    assert set(session.raw) == {"session.json", "metadata.json"}
    found = events("documented", "abc12345")
    assert [e.type for e in found] == [
        *("message", "text", "message", "text"),
        *("tool_call", "message", "text"),
    ]
    assert found[4].input == {"path": "tests/login.test.ts"}


def test_documented_results_go_to_their_calls(tmp_path: Path) -> None:
    stored = [
        {"type": "tool.result", "toolName": "b", "result": "of b", "seq": 5},
        {"type": "user.message", "content": "go", "seq": 1},
        {"type": "tool.call", "toolName": "a", "args": {}, "seq": 2},
        {"type": "tool.call", "toolName": "b", "args": {}, "callId": "c7", "seq": 3},
        {"type": "tool.result", "callId": "c7", "result": "named", "isError": True, "seq": 4},
        {"type": "something.new", "seq": 6},
    ]
    document = {"sessionId": "s", "createdAt": "2026-03-01T10:30:00Z", "events": stored}
    written(tmp_path / "sessions/s/session.json", document)
    found = list(ADAPTER.events(Ref("opta", str(tmp_path), "s")))
    calls = {e.call: e.name for e in only(ToolCall, found)}
    assert list(calls.values()) == ["a", "b"]
    results = [(calls.get(e.call), e.output, e.status, e.labels) for e in only(ToolResult, found)]
    assert results == [("b", "named", "error", ()), (None, "of b", "ok", ("inferred",))]
    assert (found[-1].type, found[-1].raw) == ("opaque", stored[5])


# -- the labelled cases -----------------------------------------------------------------


@pytest.mark.parametrize(
    "case", [path.name for path in sorted(FIXTURES.iterdir()) if path.is_dir()]
)
def test_the_texts_of_a_message_joined_are_the_stored_text(case: str) -> None:
    checked = 0
    for store in stores_below(ADAPTER, FIXTURES / case / "store"):
        for session in sessions(store).values():
            found = list(ADAPTER.events(session.ref))
            for message in only(Message, found):
                if message.raw is None or not isinstance(message.raw, dict):
                    continue
                content = message.raw.get("content")
                parts = content if isinstance(content, list) else [{"text": content or ""}]
                stored = "".join(part.get("text", "") for part in parts)
                if message.role == "tool" or not stored:
                    continue
                own = [e for e in only(Text, found) if e.message == message.record]
                assert "".join(e.text for e in own) == stored
                checked += 1
    assert checked


def test_masked_results_are_truncated() -> None:
    results = only(ToolResult, events("home", "9hNBokyln42d"))
    cut = [r for r in results if "truncated" in r.labels]
    assert len(cut) == 3
    assert all("inferred" in r.labels and r.output.startswith("[Tool result") for r in cut)


def test_a_compaction_is_marked_and_its_summary_is_nobodys_words() -> None:
    found = events("home", "NCfDfd0RHtdY")
    (compaction,) = only(Compaction, found)
    assert (compaction.message, compaction.keep) == ("messages/1", "messages/0")
    summary = next(e for e in only(Text, found) if "summary" in e.labels)
    assert summary.labels == ("synthetic", "summary", "inferred")
    assert said(found)[0] == "Question three?"


def test_all_parts_of_what_compaction_left_are_that(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "[Previous conversation summary]\nA"}, "B",
             {"type": "text", "text": "C"}]  # fmt: skip
    found = told(tmp_path, {"role": "user", "content": parts})
    labels = ("synthetic", "summary", "inferred")
    assert [(e.text[-1], e.labels) for e in only(Text, found)] == [(c, labels) for c in "ABC"]


def test_injected_messages_are_the_tools_but_for_what_the_person_typed() -> None:
    assert said(events("home", "JcbxFs8gYyp0")) == ["calc.py", "quantum sorting", "Go on then"]


def test_system_messages_in_mid_history_are_synthetic() -> None:
    for id_, count in (("5DERfSXzk38n", 3), ("vUEspWB0AT-o", 2)):
        system = [e for e in only(Message, events("home", id_)) if e.role == "system"]
        assert len(system) == count
        assert all(e.labels == ("synthetic",) for e in system)


def test_files_and_images_are_beside_the_persons_words() -> None:
    found = events("home", "LF31vtyV2zvN")
    assert said(found) == ["What is this?", "Summarize @../alpha/notes.txt", "Is it red?"]
    pictures = only(Attachment, found)
    assert [(p.mime, p.data[:8]) for p in pictures] == [("image/png", "iVBORw0K")] * 2
    block = next(e.text for e in only(Text, found) if "\x00" in e.text)
    assert "\ufffd" in block


def test_the_daemons_demand_is_not_the_persons() -> None:
    assert said(events("home", "WU85dSICL_Yi")) == ["answer in json"]


def test_the_note_of_the_trigger_router_is_not_the_persons() -> None:
    assert said(events("desktop", "sess_9f3Kq2Lm")) == ["Read all five files", "Thank you"]


def test_statuses_come_from_the_documented_texts() -> None:
    results = only(ToolResult, events("home", "ANW92nA3XJwA"))
    assert [r.status for r in results] == ["ok", "error", "ok", "ok", "error", "error", "error"]
    assert all(("inferred" in r.labels) == (r.status != "ok") for r in results)
    call = next(c for c in only(ToolCall, events("home", "ANW92nA3XJwA")) if c.call.endswith("302"))
    assert call.input == '{"pattern": '  # not JSON: the text as the model sent it


@pytest.mark.parametrize(
    ("tool", "output", "status"),
    [
        ("run_command", "done\n[exit code: 0]", "ok"),
        ("run_command", "[stderr] no\n[exit code: 2]", "error"),
        ("run_command", "half\n[exit code: undefined]", "interrupted"),  # killed
        ("read_file", "a log:\n[exit code: 2]", "ok"),
        ("edit_file", "Tool blocked by hook: lint", "error"),
        ("run_command", 'Permission denied: tool "run_command"', "error"),
        ("run_command", "Permission denied while reading x", "ok"),
        ("edit_file", "User declined this action.", "error"),
        ("edit_file", "User declined this action. Twice.", "ok"),
        ("browser_open", "Denied by browser policy: no", "error"),
        ("run_command", "Denied shell browser automation command", "error"),
        ("browser_open", "Failed to spawn Opta Browser session: no", "error"),
        ("read_file", "[Tool result truncated: 300 chars, first line: Error: no]", "error"),
        ("spawn_agent", "Sub-agent result (2 tool calls, 3s):\nfound", "ok"),
        ("spawn_agent", "[ERROR] Sub-agent result (2 tool calls, 3s):\nno", "error"),
        ("spawn_agent", "[TIMEOUT] Sub-agent result (2 tool calls, 3s):\nno", "interrupted"),
    ],
)
def test_how_a_call_ended_is_known_by_its_words(
    tmp_path: Path, tool: str, output: str, status: str
) -> None:
    call = {"id": "c", "type": "function", "function": {"name": tool, "arguments": "{}"}}
    asked = {"role": "assistant", "content": None, "tool_calls": [call]}
    found = told(tmp_path, asked, {"role": "tool", "tool_call_id": "c", "content": output})
    (result,) = only(ToolResult, found)
    assert result.status == status
    assert ("inferred" in result.labels) == (status != "ok" or "truncated" in result.labels)


@pytest.mark.parametrize(
    ("role", "text", "own"),
    [
        ("user", "System Warning: Your previous edit caused the following LSP errors in a.py", ""),
        ("user", "<atpo_correction>stop</atpo_correction>", ""),
        ("user", "Analyze this project and generate an OPTA.md project context file. Look", ""),
        ("user", "[System: User reversed a checkpoint]", ""),
        ("user", "[System: an unfinished thought", "[System: an unfinished thought"),
        ("assistant", "Autonomy runtime budget reached (30m).", ""),
        (
            "user",
            "Autonomy runtime budget reached (30m).",
            "Autonomy runtime budget reached (30m).",
        ),
        (
            "user",
            'Look\n\n<file path="/a">\nx\n</file>\n\n\n<file path="/b">\ny\n</file>\n',
            "Look",
        ),
        (
            "user",
            'Look\n\n<file path="/a">\n\n\n<file path="/b">\n</file>\n'
            "\n\nOutput requirement: return valid JSON only.",
            "Look",
        ),
        ("user", 'Look\n\n<file path="/a">\nx\n</file>\nand tell', None),  # written on below it
    ],
)
def test_whose_words_they_are(tmp_path: Path, role: str, text: str, own: str | None) -> None:
    found = told(tmp_path, {"role": role, "content": text})
    assert "".join(said(found, role=role)) == (text if own is None else own)
    assert "".join(e.text for e in only(Text, found)) == text
    marked = [e.labels for e in only(Text, found) if e.labels]
    assert set(marked) <= {("synthetic", "inferred")}


def test_a_denied_call_is_an_error_and_the_daemon_says_who_denied_it() -> None:
    for id_ in ("hMgNqOJllYip", "imported_session-1"):
        (result,) = only(ToolResult, events("home", id_))
        assert (result.status, result.labels) == ("error", ("inferred",))
    asked = [e.text for e in only(Notice, events("home", "imported_session-1"))]
    assert asked == ["asked for run_command", "deny"]


def test_a_subagent_has_no_transcript() -> None:
    (agent,) = only(Subagent, events("home", "VjBUBd3T7DtX"))
    assert agent.child is None
    assert agent.prompt == "Find where add is defined"
    assert agent.result.startswith("Sub-agent result (0 tool calls, 0.0s):")
    assert agent.status == "ok"


def test_a_subagents_result_may_stand_before_its_call(tmp_path: Path) -> None:
    function = {"name": "spawn_agent", "arguments": '{"task": "look"}'}
    asked = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c", "function": function}],
    }
    found = told(tmp_path, {"role": "tool", "tool_call_id": "c", "content": "[ERROR] no"}, asked)
    (agent,) = only(Subagent, found)
    assert (agent.prompt, agent.result, agent.status) == ("look", "[ERROR] no", "ok")


def test_a_call_without_a_result_stays_open(tmp_path: Path) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "spawn_agent", "arguments": "{}"}}
    found = read(tmp_path, [*HELLO, {"role": "assistant", "content": None, "tool_calls": [call]}])
    assert [e.type for e in found[-3:]] == ["message", "tool_call", "subagent"]
    assert (found[-1].result, found[-1].status) == (None, None)


def test_a_result_without_its_call_is_told(tmp_path: Path) -> None:
    (result,) = only(
        ToolResult, read(tmp_path, [{"role": "tool", "content": "out", "tool_call_id": "gone"}])
    )
    assert (result.output, result.labels) == ("out", ("truncated", "inferred"))


@pytest.mark.parametrize(
    "odd",
    [
        {"role": "user"},
        {"role": "user", "content": 7},
        {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "input_audio"}]},
        {"role": "assistant", "content": "x", "tool_calls": {"id": "c"}},
        {"role": "assistant", "content": "x", "tool_calls": [{"id": "c"}, 3]},
        {"role": "tool", "content": "x"},
        {"role": "robot", "content": "x"},
        {"role": ["user"], "content": "x"},
        "just a text",
        None,
    ],
)
def test_what_is_odd_in_a_message_is_a_problem_and_the_rest_is_told(
    tmp_path: Path, odd: Json
) -> None:
    found = read(tmp_path, [*HELLO, odd, HELLO[1]])
    problems = [e for e in found if e.type == "opaque" and e.problem]
    assert [e.raw for e in problems] == [odd]
    assert [e.raw for e in found if e.raw is not None] == [r for r in [*HELLO, odd, HELLO[1]] if r]
    assert said(found)[-1] == "Hello"
    if isinstance(odd, dict) and isinstance(odd.get("content"), list):
        assert "x" in said(found)


# -- the tool's own command -------------------------------------------------------------


def test_what_stands_in_a_chat_file_can_be_resumed() -> None:
    found = sessions(config("home"))
    plain = ADAPTER.resume(found["tb7Af_jcUAul"])
    assert plain is not None
    assert plain.argv == ("opta", "chat", "--resume", "tb7Af_jcUAul")
    assert plain.cwd == "/home/dev/projects/alpha"
    assert ADAPTER.resume(found["6EUIZnOcTqLZ"]) is None  # the daemon's alone
    assert ADAPTER.resume(found["-MvuuCaAg3QJ"]) is None  # its chat file lacks the conversation
    assert ADAPTER.resume(sessions(config("documented"))["abc12345"]) is None


def test_an_id_with_a_leading_minus_is_no_option(tmp_path: Path) -> None:
    written(tmp_path / "sessions/-ab.json", chat("-ab", HELLO))
    store = Store(adapter="opta", tool="opta", path=tmp_path, kind="files")
    resume = ADAPTER.resume(sessions(store)["-ab"])
    assert resume is not None
    assert resume.argv == ("opta", "chat", "--resume=-ab")


@pytest.mark.parametrize("key", ["created", "updated", "model", "cwd", "title", "compacted"])
def test_what_the_tool_would_not_load_cannot_be_resumed(tmp_path: Path, key: str) -> None:
    stored = chat("abc", HELLO)
    assert is_resumable(tmp_path, stored)
    del stored[key]
    assert not is_resumable(tmp_path, stored)


def is_resumable(folder: Path, stored: Json) -> bool:
    written(folder / "sessions/abc.json", stored)
    store = Store(adapter="opta", tool="opta", path=folder, kind="files")
    return ADAPTER.resume(sessions(store)["abc"]) is not None


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ({"role": "user", "content": "x"}, {"role": "oracle", "content": "x"}),
        ({"role": "user", "content": "x"}, "x"),
        ({"role": "assistant", "content": None}, {"role": "assistant"}),
        ({"role": "user", "content": [IMAGE]}, {"role": "user", "content": [{"type": "image"}]}),
        (
            {"role": "user", "content": [{"type": "text", "text": "x"}]},
            {"role": "user", "content": [{"type": "text"}]},
        ),
        (
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "assistant", "content": None, "tool_calls": [{**CALL, "type": "custom"}]},
        ),
        (
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "assistant", "content": None, "tool_calls": [{**CALL, "function": {}}]},
        ),
        (
            {"role": "tool", "content": "x", "tool_call_id": "c"},
            {"role": "tool", "content": "x", "tool_call_id": 1},
        ),
        (
            {"role": "assistant", "content": ""},
            {"role": "assistant", "content": "", "tool_calls": {}},
        ),
    ],
)
def test_one_message_that_the_tool_would_not_load_is_enough(
    tmp_path: Path, good: Json, bad: Json
) -> None:
    assert is_resumable(tmp_path, chat("abc", [*HELLO, good]))
    assert not is_resumable(tmp_path, chat("abc", [*HELLO, bad]))


def test_what_the_tool_would_not_parse_cannot_be_resumed(tmp_path: Path) -> None:
    assert not is_resumable(tmp_path, {**chat("abc", HELLO), "toolCallCount": True})
    assert not is_resumable(tmp_path, {**chat("abc", HELLO), "tags": ["a", 1]})
    path = written(tmp_path / "sessions/abc.json", chat("abc", HELLO))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    store = Store(adapter="opta", tool="opta", path=tmp_path, kind="files")
    assert ADAPTER.resume(sessions(store)["abc"]) is None


# -- where the stores are ---------------------------------------------------------------


def below(home: Path, **env: str) -> Iterator[Store]:
    platform = env.pop("platform", "linux")
    places = Places(home=home, env=env, cwd=home, platform=platform)
    for found in ADAPTER.discover(places):
        assert isinstance(found, Store)
        yield found


def test_the_config_folder_follows_the_xdg_rule_and_the_old_one_is_not_forgotten(
    tmp_path: Path,
) -> None:
    old, new = tmp_path / "home/.config/opta", tmp_path / "xdg/opta"
    written(old / "sessions/a.json", chat("a", HELLO))
    assert [s.path for s in below(tmp_path / "home")] == [old]
    written(new / "sessions/b.json", chat("b", HELLO))
    first, second = below(tmp_path / "home", XDG_CONFIG_HOME=str(tmp_path / "xdg"))
    assert (first.path, first.superseded_by) == (new, ())
    assert (second.path, second.superseded_by) == (old, (new,))
    # The same folder under both names is one.
    assert len(list(below(tmp_path / "home", XDG_CONFIG_HOME=str(old.parent)))) == 1


def test_windows_has_its_own_folder(tmp_path: Path) -> None:
    roaming = tmp_path / "AppData/Roaming/opta"
    written(roaming / "sessions/a.json", chat("a", HELLO))
    assert [s.path for s in below(tmp_path)] == [roaming]  # a home carried over to another system
    found = below(tmp_path, platform="win32", APPDATA=str(roaming.parent))
    assert [s.path for s in found] == [roaming]
    assert ADAPTER.detect(roaming) is not None


@pytest.mark.parametrize(
    ("case", "path", "id_"),
    [
        ("home", ".config/opta", "tb7Af_jcUAul"),
        ("home", ".config/opta/sessions", "tb7Af_jcUAul"),
        ("home", ".config/opta/sessions/tb7Af_jcUAul.json", "tb7Af_jcUAul"),
        ("home", ".config/opta/daemon", "jMoqTSQh7I7A"),
        ("home", ".config/opta/daemon/sessions", "jMoqTSQh7I7A"),
        ("home", ".config/opta/daemon/sessions/jMoqTSQh7I7A", "jMoqTSQh7I7A"),
        ("home", ".config/opta/daemon/sessions/jMoqTSQh7I7A/snapshot.json", "jMoqTSQh7I7A"),
        ("home", "projects/alpha/.opta/recovery", "GkDi-nkR1Cke"),
        ("home", "projects/alpha/.opta/recovery/GkDi-nkR1Cke.json", "GkDi-nkR1Cke"),
        ("home", "projects/alpha/opta-session-tb7Af_jc-1794916865603.json", "tb7Af_jcUAul"),
        ("documented", ".config/opta/sessions/abc12345", "abc12345"),
        ("documented", ".config/opta/sessions/abc12345/session.json", "abc12345"),
        ("desktop", ".config/opta/sessions/sess_only0002/events.jsonl", "sess_only0002"),
    ],
)
def test_any_part_of_a_home_is_a_store(case: str, path: str, id_: str) -> None:
    store = ADAPTER.detect(FIXTURES / case / "store" / path)
    assert store is not None
    session = sessions(store)[id_]
    assert session.ref.store == str(store.path)
    assert list(ADAPTER.events(session.ref))
    with pytest.raises(NotFoundError):
        list(ADAPTER.events(Ref("opta", str(store.path), "another")))
    assert ADAPTER.generation(store)


def test_a_sessions_folder_may_have_another_name_but_a_home_with_an_export_is_none(
    tmp_path: Path,
) -> None:
    written(tmp_path / "backup/a.json", chat("a", HELLO))
    assert ADAPTER.detect(tmp_path / "backup") is not None
    written(tmp_path / "backup/package.json", {"name": "x"})
    assert ADAPTER.detect(tmp_path / "backup") is None
    assert ADAPTER.detect(tmp_path / "backup/a.json") is not None


def test_nothing_of_other_tools_is_claimed() -> None:
    for path in FIXTURES.parent.rglob("*"):
        if not path.is_relative_to(FIXTURES):
            assert ADAPTER.detect(path) is None, path


def test_what_opta_keeps_beside_its_sessions_is_none(tmp_path: Path) -> None:
    base = FIXTURES / "home" / "store"
    for path in (".config/opta/sessions/index.json", ".config/opta/lmx-endpoints.json"):
        assert ADAPTER.detect(base / path) is None
    # The browser's runs are called sessions too, and hold no conversation.
    browser = {"sessionId": "b", "createdAt": "2026-01-01T00:00:00Z", "actions": []}
    folder = written(tmp_path / ".opta/browser/b/metadata.json", browser).parent
    written(folder / "steps.jsonl", {"sessionId": "b", "actionId": "a", "seq": 1})
    for part in (tmp_path, folder.parent, folder, *folder.iterdir()):
        assert ADAPTER.detect(part) is None


def test_a_story_is_told_without_listing_all_sessions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(FIXTURES / "home" / "store", tmp_path / "home")
    stores = stores_below(ADAPTER, tmp_path / "home")
    refs = [s.ref for at in stores for s in ADAPTER.sessions(at) if isinstance(s, Session)]
    assert len(refs) > 20
    listed: list[str] = []
    scandir = os.scandir

    def counted(folder: Any) -> Any:
        listed.append(str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", counted)
    for ref in refs:
        assert list(ADAPTER.events(ref))
    assert not [folder for folder in listed if folder.endswith("/sessions")]


@pytest.mark.parametrize("odd", ["", ".", "..", "../x", "a/b", "x\0y", "\ud800", "n" * 5_000])
def test_an_id_that_is_no_name_names_no_session(tmp_path: Path, odd: str) -> None:
    written(tmp_path / "sessions/a.json", chat("a", HELLO))
    written(tmp_path / "x.json", chat("x", HELLO))
    (store,) = stores_below(ADAPTER, tmp_path / "sessions")
    with pytest.raises(NotFoundError):
        list(ADAPTER.events(Ref("opta", str(store.path), odd)))
