"""OpenClacky: the contract, and each situation that its real stores show."""

from __future__ import annotations

import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from adapters.clacky import Clacky, injected
from finder import files, jsonio
from finder.adapter import Store, Want
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
)
from finder.places import Places
from finder.testing import AdapterContract, stores_below

FIXTURES = Path(__file__).parents[2] / "fixtures" / "clacky"
CLACKY = Clacky()
E = TypeVar("E")
SECRET = "sk-clacky-secret-do-not-print"


class TestClacky(AdapterContract):
    adapter = CLACKY
    fixtures = FIXTURES
    # Task numbers, and what tools and providers say.
    free_keys = frozenset(
        {
            "session.time_machine.task_parents",
            "session.time_machine.task_meta",
            "session.stats.debug_logs",
            "session.stats.cache_stats.raw_api_usage_samples",
        }
    )

    def records(self, home: Path, session: Session) -> list[Json]:
        """The archives' texts in the order of their time, then the messages of the JSON file."""
        files = [json.loads(p.read_bytes()) for p in home.rglob("*.json")]
        found = [one for one in files if one["session_id"] == session.ref.id]
        messages = found[0]["messages"] if found else []
        named = {Path(m["chunk_path"]).name for m in messages if m.get("chunk_path")}
        archives = []
        for path in home.rglob("*-chunk-*.md"):
            text = path.read_bytes().decode()
            at = re.search(r"^archived_at: (.+)$", text, re.MULTILINE)
            assert at
            if path.name in named or f"session_id: {session.ref.id}\n" in text:
                archives.append((at[1], text))
        # The system prompt comes first: it never leaves the context.
        cut = 1 if messages and messages[0]["role"] == "system" else 0
        return [*messages[:cut], *(text for _, text in sorted(archives)), *messages[cut:]]


# -- helpers ---------------------------------------------------------------------------


def store(version: str) -> Store:
    found = CLACKY.detect(FIXTURES / version / "store" / ".clacky")
    assert found
    return found


def sessions(at: Store | Path, want: Want | None = None) -> dict[str, Session]:
    where = at if isinstance(at, Store) else CLACKY.detect(at)
    assert where, at
    listed = list(CLACKY.sessions(where, want))
    assert not [one for one in listed if isinstance(one, Problem)]
    return {one.ref.id: one for one in listed if isinstance(one, Session)}


def session(version: str, prefix: str) -> Session:
    (one,) = sessions(store(version), Want(prefix=prefix)).values()
    return one


def story(version: str, prefix: str) -> list[Event]:
    return list(CLACKY.events(session(version, prefix).ref))


def written(folder: Path, record: dict[str, Any], name: str | None = None) -> Path:
    """One session in a file of a bare folder, or under a name of its own."""
    id_ = record["session_id"]
    path = folder / (name or f"2026-01-02-03-04-05-{id_[:8]}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jsonio.dumps(record, indent=True))
    return path


def record(*messages: Json, **more: Any) -> dict[str, Any]:
    return {
        "session_id": "c0ffee00c0ffee00",
        "created_at": "2026-01-02T03:04:05+08:00",
        "updated_at": "2026-01-02T04:04:05+08:00",
        "working_dir": "/home/dev",
        **more,
        "messages": list(messages),
    }


def told(folder: Path, *messages: Json, **more: Any) -> list[Event]:
    (one,) = sessions(written(folder, record(*messages, **more))).values()
    return list(CLACKY.events(one.ref))


def of(events: list[Event], kind: type[E]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def said(events: list[Event]) -> list[str]:
    """What people said: user texts that nothing marks as the tool's."""
    texts = of(events, Text)
    return [e.text for e in texts if e.role == "user" and "synthetic" not in e.labels]


# -- counts and headers ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "live", "messages", "calls"),
    [("v0.5.0", 3, 27, 7), ("v0.7.0", 4, 112, 48), ("v0.9.19", 25, 202, 43)],
)
def test_a_store_has_what_its_tool_wrote(
    version: str, live: int, messages: int, calls: int
) -> None:
    found = sessions(store(version)).values()
    events = [event for one in found for event in CLACKY.events(one.ref)]
    kept = [event for event in events if "compacted" not in event.labels]
    assert len(found) == live
    assert len(of(kept, Message)) == messages
    assert len(of(kept, ToolCall)) == calls


def test_times_are_read_in_their_own_offset() -> None:
    east, west = session("v0.9.19", "26d1c30f"), session("v0.9.19", "7859822a")
    assert east.created == 1793923200000  # 2026-11-06T08:00:00+08:00
    assert west.created == 1794924000000  # 2026-11-17T09:00:00-05:00
    first = next(e for e in CLACKY.events(east.ref) if e.at is not None)
    assert first.at == 1793923200311  # 1793923200.3110278


@pytest.mark.parametrize(
    ("version", "prefix", "model"),
    [
        ("v0.5.0", "f010dff2", "scripted-model"),  # config.model
        ("models-key", "5ec2e701", "scripted-model"),  # config.models[]
        ("v0.9.19", "0fc0f2fd", "kimi-k2"),  # the session context
        ("v0.9.19", "807d1ffc", "scripted-model"),  # the session context in an archive
        ("v1.5.1", "2e3224ae", "kimi-k2"),  # config.model_name
    ],
)
def test_the_model_is_found_wherever_the_version_kept_it(
    version: str, prefix: str, model: str
) -> None:
    assert session(version, prefix).model == model


def test_a_session_without_a_name_is_called_by_its_first_input() -> None:
    # first_user_message of 0.7.0 holds the last one.
    assert session("v0.7.0", "33b26b31").title == "List the files and read a.txt"
    assert session("v0.5.0", "f010dff2").title == "List the files and read a.txt"


def test_usage_cost_and_times_of_an_answer() -> None:
    old = of(story("v0.9.19", "7d34086e"), Message)[3]
    assert old.usage and (old.usage.input, old.usage.output, old.usage.total) == (5335, 17, 5352)
    assert old.cost == 0.002693
    assert old.at is None
    new = of(story("v1.5.1", "4a9475f3"), Message)[3]
    assert new.model == "scripted-model"
    assert new.at and new.finished and new.at <= new.finished


def test_what_the_whole_cost_and_how_it_ended_is_told_last() -> None:
    last = story("v0.5.0", "a8b444ad")[-2:]
    assert [(e.kind, e.text) for e in of(last, Notice)] == [
        (
            "error",
            'Unexpected error: 400 - {"error": {"message": "scripted 400", "type": "scripted"}}',
        ),
        ("state", "2 tasks, $0.0011, last status: error"),
    ]


# -- labels ----------------------------------------------------------------------------


def test_a_persons_words_in_an_injected_message_stay_theirs() -> None:
    for version, prefix in (("v0.9.19", "2dbc1311"), ("v1.5.1", "d646eaff")):
        assert said(story(version, prefix)) == ["Write my colour", "no, use green instead"]


def test_a_persons_words_are_found_without_the_flag_too(tmp_path: Path) -> None:
    text = (
        "STOP. The user has a question/feedback for you: not\n\nso fast\n\nPlease respond to the"
        " user's question/feedback before continuing with any actions."
    )
    events = told(tmp_path, {"role": "user", "content": text})
    assert said(events) == ["not\n\nso fast"]
    assert "".join(e.text for e in of(events, Text)) == text
    assert of(events, Text)[0].labels == ("synthetic", "inferred")


def test_what_a_chat_group_said_before_is_not_the_users(tmp_path: Path) -> None:
    message = {"role": "user", "content": "[ann: hi]\n\nAnd you?", "display_text": "And you?"}
    assert said(told(tmp_path, message)) == ["And you?"]


@pytest.mark.parametrize(
    "text",
    [
        "[SYSTEM] Your response was truncated due to length limit.",
        "[Session context: Today is 2026-11-10, Tuesday. Current model: x. OS: Linux]",
        "[File: a.csv]\nType: csv\nOriginal: /home/dev/a.csv",
        "CRITICAL: TASK CONTEXT SWITCH - FORKED SUBAGENT MODE\nLook around.",
        "Your previous reply contained tool-call XML written as text instead of a call.",
    ],
)
def test_what_the_tool_said_is_known_by_flag_or_else_by_text(tmp_path: Path, text: str) -> None:
    plain = {"role": "user", "content": text}
    (by_text,) = of(told(tmp_path / "a", plain), Text)
    (by_flag,) = of(told(tmp_path / "b", plain | {"system_injected": True}), Text)
    assert by_text.labels == ("synthetic", "inferred")
    assert by_flag.labels == ("synthetic",)


def test_whatever_the_tool_says_begins_in_one_of_few_ways() -> None:
    openings = (*injected._OPENINGS, *injected._SUMMARIES, "[File: a]\nType: csv")
    feedback = ("STOP. The user has a question/feedback for you: ", "The user has a question")
    assert [text for text in (*openings, *feedback) if injected.is_own(text)] == []


def test_a_bracket_alone_does_not_make_a_message_the_tools(tmp_path: Path) -> None:
    words = ["[x] done, next?", "see [SYSTEM] above", "[File: x] is what I meant"]
    events = told(tmp_path, *({"role": "user", "content": text} for text in words))
    assert said(events) == words


def test_texts_of_a_message_add_up_to_what_is_stored() -> None:
    for version in ("v0.5.0", "v0.7.0", "v0.9.19", "v1.5.1"):
        for one in sessions(store(version)).values():
            events = list(CLACKY.events(one.ref))
            for message in of(events, Message):
                if not isinstance(message.raw, dict) or message.role == "tool":
                    continue
                content = message.raw["content"]
                parts = content if isinstance(content, list) else [{"text": content}]
                stored = "".join(part.get("text") or "" for part in parts)
                mine = [e.text for e in of(events, Text) if e.message == message.record]
                assert "".join(mine) == stored


def test_skill_text_of_the_tool_is_not_the_models() -> None:
    answers = [e for e in of(story("v0.9.19", "e60be599"), Text) if e.role == "assistant"]
    skill = [e for e in answers if "Write exactly one haiku" in e.text]
    assert len(skill) == 2
    assert all(e.labels == ("synthetic",) for e in skill)
    assert sum(not e.labels for e in answers) == 5


def test_where_an_answer_was_cut_for_its_length() -> None:
    for version, prefix in (("v0.9.19", "71456ca4"), ("v1.5.1", "d3ad88c3")):
        (notice,) = [e for e in of(story(version, prefix), Text) if "truncated" in e.labels]
        assert notice.labels == ("synthetic", "truncated")


def test_a_summary_of_the_oldest_versions_is_known_by_its_text() -> None:
    events = story("v0.5.0", "c5ada103")
    (summary,) = [e for e in of(events, Text) if "summary" in e.labels]
    assert summary.labels == ("synthetic", "summary", "inferred")
    assert [e.labels for e in of(events, Compaction)] == [("inferred",)]
    assert said(events) == ["And now?"]


def test_what_the_model_thought() -> None:
    for version, prefix in (("v0.9.19", "0fc0f2fd"), ("v1.5.1", "2e3224ae")):
        events = story(version, prefix)
        (thought,) = of(events, Reasoning)
        assert thought.text == "The user greets in many languages. Answer briefly."
        assert events[events.index(thought) + 1].type == "text"


def test_undone_tasks_are_hidden() -> None:
    one = session("v0.9.19", "01f5d690")
    assert one.labels == ("reverted",)
    hidden = [e for e in of(list(CLACKY.events(one.ref)), Message) if "hidden" in e.labels]
    assert [e.raw["task_id"] for e in hidden] == [3, 3, 3, 3]


def test_a_branch_that_was_left_is_hidden_in_newer_versions_only(tmp_path: Path) -> None:
    machine = {
        "task_parents": {"1": 0, "2": 1, "3": 1},
        "current_task_id": 3,
        "active_task_id": 3,
    }
    asked = [{"role": "user", "content": f"task {n}", "task_id": n} for n in (1, 2, 3)]
    new = told(tmp_path / "new", *asked, time_machine=machine, config={"model_name": "m"})
    old = told(tmp_path / "old", *asked, time_machine=machine, config={})
    assert [e.text for e in of(new, Text) if "hidden" in e.labels] == ["task 2"]
    assert not [e for e in old if "hidden" in e.labels]


def test_tasks_in_a_circle_end(tmp_path: Path) -> None:
    machine = {"task_parents": {"1": 2, "2": 1}, "current_task_id": 3, "active_task_id": 1}
    asked = [{"role": "user", "content": f"task {n}", "task_id": n} for n in (1, 2, 3)]
    events = told(tmp_path, *asked, time_machine=machine, config={"model_name": "m"})
    assert [e.text for e in of(events, Text) if "hidden" in e.labels] == ["task 3"]


def test_a_copy_of_a_session_is_a_fork() -> None:
    forks = {id_ for id_, one in sessions(store("v1.5.1")).items() if "forked" in one.labels}
    assert forks == {"8c8cb50428303bd3", "a3677c8c8853f808"}
    assert session("v1.5.1", "8c8cb504").labels == ("inferred", "forked")
    assert not [one for one in sessions(store("v0.9.19")).values() if "forked" in one.labels]


def test_a_renamed_copy_is_a_fork_by_its_older_messages(tmp_path: Path) -> None:
    asked = {"role": "user", "content": "hi", "task_id": 1, "created_at": 1767290000.5}
    machine = {"task_parents": {"1": 0}, "current_task_id": 1, "active_task_id": 1}
    copied = record(asked, name="mine", time_machine=machine, stats={"total_tasks": 0})
    (one,) = sessions(written(tmp_path, copied)).values()
    assert one.labels == ("inferred", "forked")


def test_a_session_about_a_copy_is_no_fork(tmp_path: Path) -> None:
    asked = {"role": "user", "content": "compare with report (copy)", "task_id": 1}
    machine = {"task_parents": {"1": 0}, "current_task_id": 1, "active_task_id": 1}
    stored = record(asked, name=asked["content"], time_machine=machine, stats={"total_tasks": 1})
    (one,) = sessions(written(tmp_path, stored)).values()
    assert one.labels == ()


def test_the_trash_is_read_and_marked() -> None:
    one = session("v1.5.1", "012e22a4")
    assert one.labels == ("trashed",)
    assert one.raw["deleted_at"]
    assert CLACKY.resume(one) is None


# -- tool calls ------------------------------------------------------------------------


def test_results_end_as_they_ended() -> None:
    status = {e.call: e.status for e in of(story("v0.9.19", "907395df"), ToolResult)}
    bad = ("0101", "0401", "0402", "0403", "0500")  # missing, exit 2, bad JSON, no tool, refused
    assert {call: s for call, s in status.items() if s != "ok"} == {
        f"call_x7Qp{number}": "error" for number in bad
    }
    assert len(status) == 10


def test_arguments_that_are_no_json_stay_text() -> None:
    (grep,) = [e for e in of(story("v0.9.19", "907395df"), ToolCall) if e.name == "grep"]
    assert grep.input == '{"pattern": "add", "path": '


def test_a_refused_call_is_an_error_and_says_who_refused() -> None:
    events = story("v0.9.19", "e61c2168")
    assert of(events, ToolResult)[-1].status == "error"
    (refused,) = [e for e in of(events, Notice) if e.kind == "permission"]
    assert refused.text == "Tool use denied by user. This action was NOT performed."


@pytest.mark.parametrize(("version", "prefix"), [("v0.9.19", "1941fa99"), ("v1.5.1", "ba2adf41")])
def test_a_call_without_a_result_was_interrupted(version: str, prefix: str) -> None:
    events = story(version, prefix)
    assert [e.labels for e in of(events, ToolCall)] == [("interrupted",)]
    assert not of(events, ToolResult)
    assert "interrupted" in session(version, prefix).labels


def test_a_call_without_a_result_in_the_middle_is_deduced(tmp_path: Path) -> None:
    def asks(call: str) -> Json:
        function = {"name": "glob", "arguments": "{}"}
        return {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": call, "function": function}],
        }

    answer = {"role": "tool", "tool_call_id": "b", "content": "x"}
    again = told(
        tmp_path, asks("a"), asks("b"), answer, {"role": "user", "content": "?"}, asks("b")
    )
    assert [e.labels for e in of(again, ToolCall)] == [
        ("interrupted", "inferred"),
        (),
        ("interrupted", "inferred"),
    ]


def test_anthropics_results_in_a_user_message_are_the_tools() -> None:
    events = story("v0.7.0", "b87d779d")
    (result,) = of(events, ToolResult)
    assert (result.call, result.status, result.role) == ("toolu_x7Qp0100", "ok", "tool")
    assert said(events) == ["What is in this picture? Then list files."]


@pytest.mark.parametrize("content", ["3 files", '{"matches":[]}'])
def test_a_reminder_in_a_result_is_the_tools(tmp_path: Path, content: str) -> None:
    text = (
        "📋 REMINDER: You have 1 pending TODO(s). After completing each task, remember to mark it"
        " as complete using todo_manager with action 'complete' and the task id."
    )
    stored = f"{content}\n\n{text}"
    if content.startswith("{"):
        stored = json.dumps(json.loads(content) | {"_todo_reminder": text}, ensure_ascii=False)
    events = told(tmp_path, {"role": "tool", "tool_call_id": "a", "content": stored})
    (result,), (reminder,) = of(events, ToolResult), of(events, Notice)
    assert reminder.kind == "todo" and "synthetic" in reminder.labels
    if content.startswith("{"):
        assert (result.output, reminder.text) == (stored, text)
    else:
        assert ("inferred" in reminder.labels, result.output) == (True, content)
        assert f"{result.output}{reminder.text}" == stored


_STOPPED = "[The subagent was interrupted by the user before completing.]"


@pytest.mark.parametrize(
    ("content", "status", "labels"),
    [
        ("3 files", "ok", ()),
        ("3 files\n", "ok", ()),
        ("", "ok", ()),
        (_STOPPED, "interrupted", ()),
        (f"{_STOPPED}\n", "interrupted", ()),
        (f"{_STOPPED}{' ' * 999}\n", "interrupted", ()),
        (f"{_STOPPED}\nand on", "ok", ()),
        ("a\n... [truncated, 5000 chars total]", "ok", ("truncated", "inferred")),
        ("a\n... [truncated, 5000 chars total]\n", "ok", ()),
        ('{"exit_code": 2, "stdout": "a\n... [truncated, 5000 chars total]', "error",
         ("truncated", "inferred")),
    ],
)  # fmt: skip
def test_what_the_end_of_a_result_tells(
    tmp_path: Path, content: str, status: str, labels: tuple[str, ...]
) -> None:
    asked = {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "ls"}}]}
    events = told(tmp_path, asked, {"role": "tool", "tool_call_id": "a", "content": content})
    (result,) = of(events, ToolResult)
    assert (result.output, result.status, result.labels) == (content, status, labels)


def test_a_subagent_of_which_only_the_result_is_kept() -> None:
    (subagent,) = of(story("v1.5.1", "d262daa9"), Subagent)
    assert (subagent.agent, subagent.prompt, subagent.child, subagent.status) == (
        "code-explorer",
        "Where is add defined?",
        None,
        "ok",
    )
    assert subagent.result and "calc.rb line 1" in subagent.result


@pytest.mark.parametrize(
    ("output", "status"),
    [
        ({"result": "[SUBAGENT SUMMARY]\nCompleted in 3 iterations.\nIt is in a.rb."}, "ok"),
        ({"skill_type": "subagent", "result": "It is in a.rb."}, "ok"),
        (
            {"result": "[SUBAGENT SUMMARY]\n[The subagent was interrupted by the user before"
             " completing.]"},
            "interrupted",
        ),
    ],
)  # fmt: skip
def test_how_a_subagent_ended(tmp_path: Path, output: Json, status: str) -> None:
    arguments = json.dumps({"skill_name": "code-explorer", "task": "Where?"})
    function = {"name": "invoke_skill", "arguments": arguments}
    asked = {"role": "assistant", "content": "", "tool_calls": [{"id": "a", "function": function}]}
    answer = {"role": "tool", "tool_call_id": "a", "content": json.dumps(output)}
    (subagent,) = of(told(tmp_path, asked, answer), Subagent)
    assert (subagent.call, subagent.agent, subagent.prompt) == ("a", "code-explorer", "Where?")
    assert (subagent.result, subagent.status) == (output["result"], status)


@pytest.mark.parametrize(("flags", "status"), [({}, "ok"), ({"interrupted": True}, "interrupted")])
def test_a_subagents_outcome_in_the_place_of_its_instructions(
    tmp_path: Path, flags: dict[str, Json], status: str
) -> None:
    message = {"role": "user", "content": "Done.", "subagent_result": True, "skill_name": "audit"}
    events = told(tmp_path, message | flags)
    (subagent,) = of(events, Subagent)
    assert (subagent.agent, subagent.result, subagent.status) == ("audit", "Done.", status)
    assert said(events) == []
    assert ("interrupted" in of(events, Message)[0].labels) == bool(flags)


def test_anthropics_blocks_of_an_answer(tmp_path: Path) -> None:
    blocks = [
        {"type": "thinking", "thinking": "A file?", "signature": "s1"},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "t1", "name": "ls", "input": {"path": "."}},
    ]
    failed = {"type": "tool_result", "tool_use_id": "t1", "content": "none", "is_error": True}
    events = told(
        tmp_path,
        {"role": "assistant", "content": blocks},
        {"role": "user", "content": [failed]},
    )
    assert [(e.text, e.signature) for e in of(events, Reasoning)] == [("A file?", "s1")]
    assert [e.text for e in of(events, Text)] == ["I look."]
    (call,) = of(events, ToolCall)
    assert (call.call, call.name, call.input) == ("t1", "ls", {"path": "."})
    (result,) = of(events, ToolResult)
    assert (result.call, result.status, result.labels) == ("t1", "error", ())


def test_images_and_files() -> None:
    first, file, second = of(story("v1.5.1", "93ad63d7"), Attachment)
    assert (first.mime, first.name) == ("image/png", "shot.png")
    assert first.data and first.data.startswith("iVBOR")
    assert (file.name, file.data) == ("data.csv", None)
    assert file.path == "/home/dev/projects/beta-web/data.csv"
    assert second.name == "26002a01dbc71afd_blue.png"


def test_content_of_any_shape_is_told(tmp_path: Path) -> None:
    stripped = {"type": "image_url", "image_url": {"url": "[image stripped]"}}
    screenshot = {"type": "image", "source": {"media_type": "image/png", "data": "QUJD"}}
    events = told(
        tmp_path,
        {"role": "user", "content": [stripped, {"type": "hologram", "x": 1}]},
        {
            "role": "tool",
            "tool_call_id": "a",
            "content": [{"type": "text", "text": "ok"}, screenshot],
        },
        {"role": "assistant", "content": {"odd": True}},
        {"role": "oracle", "content": "x"},
        None,
        7,
    )
    gone, shot = of(events, Attachment)
    assert gone.labels == ("truncated", "inferred") and gone.data is None
    assert (shot.mime, shot.data) == ("image/png", "QUJD")
    assert next(e.kind for e in events if e.type == "opaque") == "hologram"
    assert [e.text for e in of(events, Text)] == ['{"odd":true}']
    assert [e.problem for e in events if e.type == "opaque"][1:] == [
        "has the unknown role 'oracle'",
        "is a JSON null where a message is expected",
        "is a JSON number where a message is expected",
    ]


# -- archives --------------------------------------------------------------------------


def archived(events: list[Event]) -> list[Event]:
    return [event for event in events if "compacted" in event.labels]


def test_archives_are_told_in_front_of_the_summary() -> None:
    events = story("v1.5.1", "820bbe3a")
    words = [e.text for e in of(events, Text)]
    order = [
        "Please audit everything step by step. The codeword is PINEAPPLE.",
        "Do a second pass.",
        "And a third pass, please.",
        "Third pass 2.",
        "Third pass 3.",
    ]
    assert sorted(order, key=words.index) == order
    assert all("truncated" in event.labels for event in archived(events))
    calls = [e.input for e in of(archived(events), ToolCall)]
    assert calls[0] == {"command": "echo step-0-output"}
    answered = {e.call for e in of(archived(events), ToolResult)}
    assert answered == {e.call for e in of(archived(events), ToolCall)}
    (cut,) = of(events, Compaction)
    assert cut.at == 1794301202000
    assert cut.archive and cut.archive.endswith("820bbe3a-chunk-1.md")


def test_archives_that_name_each_other_are_told_once_each_in_order_of_time() -> None:
    # 0.9.19 numbered anew after a restart: chunk 1 is younger than chunk 2.
    events = story("v0.9.19", "807d1ffc")
    raws = [e.raw for e in events if isinstance(e.raw, str)]
    assert [re.findall(r"^chunk: (\d)", raw, re.MULTILINE) for raw in raws] == [["2"], ["1"]]
    shells = [e.text for e in of(events, Text) if re.match(r"(Step|Second|Third)", e.text)]
    numbers = [text.rstrip(".").removesuffix(": looking").split() for text in shells]
    assert [n for n in numbers if n[0] == "Third"] == [
        ["Third", "pass", str(i)] for i in range(13)
    ] + [["Third", "pass", "finished"]]
    firsts = [words[0] for words in numbers]
    assert firsts == sorted(firsts, key=["Step", "Second", "Third"].index)


def test_a_fork_is_told_from_the_archive_of_the_other_session() -> None:
    events = story("v1.5.1", "8c8cb504")
    assert said(events)[0] == "Please audit everything step by step. The codeword is PINEAPPLE."


@pytest.mark.parametrize("path", [None, "/elsewhere/2026-11-09-09-00-00-820bbe3a-chunk-1.md"])
def test_the_stored_path_of_an_archive_may_be_null_or_stale(
    tmp_path: Path, path: str | None
) -> None:
    home = tmp_path / ".clacky"
    shutil.copytree(FIXTURES / "v1.5.1" / "store" / ".clacky", home)
    (file,) = home.rglob("*820bbe3a.json")
    stored = json.loads(file.read_bytes())
    stored["messages"][1]["chunk_path"] = path
    file.write_text(json.dumps(stored), encoding="utf-8")
    (one,) = sessions(home, Want(prefix="820bbe3a")).values()
    assert len(archived(list(CLACKY.events(one.ref)))) == len(archived(story("v1.5.1", "820b")))


def test_an_archive_that_is_gone_is_missed(tmp_path: Path) -> None:
    home = tmp_path / ".clacky"
    shutil.copytree(FIXTURES / "v1.5.1" / "store" / ".clacky", home)
    for archive in home.rglob("*820bbe3a-chunk-1.md"):
        archive.unlink()
    (one,) = sessions(home, Want(prefix="820bbe3a")).values()
    missed = [e.text or "" for e in of(list(CLACKY.events(one.ref)), Notice) if e.kind == "error"]
    assert len(missed) == 1 and "820bbe3a-chunk-1.md" in missed[0]


def test_an_archive_without_a_session_is_one_of_its_own() -> None:
    one = session("v1.5.1", "3fe8f4a1")
    assert (one.title, one.messages, one.raw) == ("audit pass two", 30, None)
    assert one.labels == ("compacted", "truncated")
    assert one.updated == 1794214803000
    assert CLACKY.resume(one) is None


ARCHIVE = """---
session_id: c0ffee00c0ffee00
chunk: 1
compression_level: 1
archived_at: 2026-01-02T03:30:00+08:00
message_count: 6
---

# Session Chunk 1

> This file contains the original conversation archived during compression.

## User

Look:
[image_url]

## Assistant

_Tool calls: grep | {"pattern":"a; b | {c}"}; ls; edit | {"path":"x"}_

I look.

With two paragraphs.

### Tool Result: tool

```
a

## User

not a heading
```

### Tool Result: tool

```
{"error":"no such file"}
```

### Tool Result: tool

```
{"output":"long
... [truncated, 900 chars total]
```

## User

[Session context: Today is 2026-01-02, Friday. Current model: m-1. OS: Linux]
"""


def test_an_archives_markdown(tmp_path: Path) -> None:
    written(tmp_path, record({"role": "user", "content": "go on"}))
    (tmp_path / "2026-01-02-03-04-05-c0ffee00-chunk-1.md").write_text(ARCHIVE, encoding="utf-8")
    (one,) = sessions(tmp_path).values()
    events = list(CLACKY.events(one.ref))
    assert one.messages == 7
    assert [e.text for e in of(events, Text)] == [
        "Look:\n",
        "[image_url]",
        "I look.\n\nWith two paragraphs.",
        "[Session context: Today is 2026-01-02, Friday. Current model: m-1. OS: Linux]",
        "go on",
    ]
    assert said(events) == ["Look:\n", "go on"]
    assert [(e.name, e.input) for e in of(events, ToolCall)] == [
        ("grep", {"pattern": "a; b | {c}"}),
        ("ls", None),
        ("edit", {"path": "x"}),
    ]
    results = of(events, ToolResult)
    assert [e.call for e in results] == [e.call for e in of(events, ToolCall)]
    assert [e.status for e in results] == ["ok", "error", "ok"]
    assert results[0].output == "a\n\n## User\n\nnot a heading"
    assert not [e for e in events if e.type == "opaque"]


def test_a_message_with_a_heading_of_its_own_is_divided_and_marked(tmp_path: Path) -> None:
    written(tmp_path, record({"role": "user", "content": "go on"}))
    text = ARCHIVE.replace("With two paragraphs.", "## User\n\nis a heading in my answer.")
    (tmp_path / "2026-01-02-03-04-05-c0ffee00-chunk-1.md").write_text(text, encoding="utf-8")
    (one,) = sessions(tmp_path).values()
    assert one.messages == 8
    opened = of(archived(list(CLACKY.events(one.ref))), Message)
    assert all("inferred" in message.labels for message in opened)


def test_an_archive_that_lost_its_end_says_so(tmp_path: Path) -> None:
    written(tmp_path, record({"role": "user", "content": "go on"}))
    file = tmp_path / "2026-01-02-03-04-05-c0ffee00-chunk-1.md"
    file.write_text(ARCHIVE[: ARCHIVE.index("### Tool")], encoding="utf-8")
    (one,) = sessions(tmp_path).values()
    (broken,) = [e for e in CLACKY.events(one.ref) if e.type == "opaque"]
    assert broken.problem == "the archive has 2 of the 6 messages that its head counts"


def test_each_archive_is_told_before_the_summary_that_names_it(tmp_path: Path) -> None:
    name = "2026-01-02-03-04-05-c0ffee00-chunk-{}.md"
    messages: list[Json] = [{"role": "system", "content": "You are"}]
    for number in (1, 2):
        text = ARCHIVE.replace("I look.", f"I look, {number}.")
        text = text.replace("03:30:00", f"03:3{number}:00")
        (tmp_path / name.format(number)).write_text(text, encoding="utf-8")
        messages += [
            {
                "role": "assistant",
                "content": f"<summary>{number}</summary>",
                "compressed_summary": True,
                "chunk_path": f"/elsewhere/{name.format(number)}",
            },
            {"role": "user", "content": f"after {number}"},
        ]
    texts = [e.text for e in of(told(tmp_path, *messages), Text)]
    order = ["I look, 1.", "<summary>1", "after 1", "I look, 2.", "<summary>2", "after 2"]
    places = [next(n for n, text in enumerate(texts) if text.startswith(one)) for one in order]
    assert places == sorted(places)


def test_a_later_archive_of_the_original_is_not_the_forks(tmp_path: Path) -> None:
    copied = "2026-01-01-00-00-00-0badcafe-chunk-{}.md"
    for number in (1, 2):
        text = ARCHIVE.replace("c0ffee00c0ffee00", "0badcafe0badcafe")
        text = text.replace("I look.", f"I look, {number}.")
        (tmp_path / copied.format(number)).write_text(text, encoding="utf-8")
    summary = {
        "role": "user",
        "content": "[Compressed conversation summary — previous turns archived]",
        "system_injected": True,
        "compressed_summary": True,
        "chunk_path": f"/home/dev/.clacky/sessions/{copied.format(1)}",
    }
    written(tmp_path, record(summary))
    one = sessions(tmp_path)["c0ffee00c0ffee00"]
    texts = [e.text for e in of(list(CLACKY.events(one.ref)), Text)]
    assert "forked" in one.labels
    assert [t for t in texts if t.startswith("I look")] == ["I look, 1.\n\nWith two paragraphs."]


# -- secrets ---------------------------------------------------------------------------


def everything(where: Store) -> Iterator[bytes]:
    for one in CLACKY.sessions(where):
        yield jsonio.dumps(one)
        if isinstance(one, Session):
            yield from (jsonio.dumps(event) for event in CLACKY.events(one.ref))


def test_api_keys_never_leave_the_file() -> None:
    where = store("models-key")
    assert SECRET in next(where.path.rglob("*.json")).read_text(encoding="utf-8")
    assert SECRET.encode() not in b"".join(everything(where))
    (one,) = sessions(where).values()
    assert one.raw["config"]["models"][0] == {
        "api_key": "[redacted]",
        "base_url": "https://api.example.com/v1",
        "model": "scripted-model",
        "anthropic_format": False,
        "type": "default",
    }


def test_a_key_that_an_error_quotes_is_redacted_too(tmp_path: Path) -> None:
    config = {"models": [{"api_key": SECRET, "base_url": "https://me:hunter22@host/v1"}]}
    stats = {
        "total_tasks": 1,
        "last_status": "error",
        "last_error": f"401: wrong key {SECRET}",
        "debug_logs": [{"tool_args": {"headers": {"Authorization": "Bearer abc"}}}],
    }
    written(tmp_path, record({"role": "user", "content": "hi"}, config=config, stats=stats))
    where = CLACKY.detect(tmp_path)
    assert where
    text = b"".join(everything(where)).decode()
    assert not re.search(rf"{SECRET}|hunter22|Bearer abc", text)
    assert "401: wrong key [redacted]" in text
    assert "https://[redacted]@host/v1" in text


def test_tokens_that_are_counted_are_no_secrets() -> None:
    raw = session("v0.9.19", "7d34086e").raw
    assert raw["config"]["max_tokens"] == 8192
    assert "[redacted]" not in jsonio.dumps(raw).decode()


# -- places ----------------------------------------------------------------------------


def test_home_and_folders_of_it_are_found(tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(FIXTURES / "v1.5.1" / "store", home)
    (found,) = CLACKY.discover(Places.under(home))
    assert (found.path, found.kind) == (home / ".clacky", "files")
    whole = sessions(found)
    live = sessions(home / ".clacky" / "sessions")
    trash = sessions(home / ".clacky" / "trash" / "sessions-trash")
    assert {**live, **trash}.keys() == whole.keys()
    assert all(one.labels == ("trashed",) for one in trash.values())
    shutil.move(home / ".clacky", tmp_path / "backup-of-clacky")
    assert sessions(tmp_path / "backup-of-clacky").keys() == whole.keys()


def test_a_project_with_clackys_skills_is_no_store(tmp_path: Path) -> None:
    (tmp_path / ".clacky" / "skills").mkdir(parents=True)
    assert CLACKY.detect(tmp_path / ".clacky") is None
    assert list(CLACKY.discover(Places.under(tmp_path))) == []


def test_several_homes_below_one_folder(tmp_path: Path) -> None:
    for version in ("v0.5.0", "v0.7.0"):
        shutil.copytree(FIXTURES / version / "store", tmp_path / "backups" / version)
    assert [s.path.parent.name for s in stores_below(CLACKY, tmp_path)] == ["v0.5.0", "v0.7.0"]


def test_one_sessions_file_with_its_archives() -> None:
    folder = FIXTURES / "v1.5.1" / "store" / ".clacky" / "sessions"
    (one,) = sessions(folder / "2026-11-09-09-00-00-820bbe3a.json").values()
    assert one.messages == session("v1.5.1", "820bbe3a").messages
    (stray,) = sessions(folder / "2026-11-09-09-00-02-3fe8f4a1-chunk-1.md").values()
    assert stray.messages == 30


def test_a_session_under_a_name_of_its_own(tmp_path: Path) -> None:
    path = written(tmp_path, record({"role": "user", "content": "hi"}), name="mine.json")
    assert list(sessions(path)) == ["c0ffee00c0ffee00"]
    other = tmp_path / "other.json"
    other.write_text('{"sessionId": "x", "created_at": 1, "working_dir": 2}', encoding="utf-8")
    assert CLACKY.detect(other) is None


def export(path: Path, folder: str = "") -> Path:
    source = FIXTURES / "v1.5.1" / "store" / ".clacky" / "sessions"
    name = "2026-11-09-09-00-00-820bbe3a"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(source / f"{name}.json", f"{folder}session.json")
        packed.write(source / f"{name}-chunk-1.md", f"{folder}{name}-chunk-1.md")
        packed.writestr(f"{folder}logs/clacky-2026-11-10.log", "noise")
    return path


@pytest.mark.parametrize("folder", ["", "clacky-session-820bbe3a/"])
def test_an_export_is_read_as_it_lies(tmp_path: Path, folder: str) -> None:
    path = export(tmp_path / "clacky-session-820bbe3a.zip", folder)
    (one,) = sessions(path).values()
    events = list(CLACKY.events(one.ref))
    assert [jsonio.dumps(e) for e in events] == [
        jsonio.dumps(e) for e in story("v1.5.1", "820bbe3a")
    ]
    assert list(tmp_path.iterdir()) == [path]
    assert [s.kind for s in stores_below(CLACKY, tmp_path)] == ["archive"]


def test_an_unpacked_export_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(export(tmp_path / "x.zip")) as packed:
        packed.extractall(tmp_path / "out")
    (one,) = sessions(tmp_path / "out").values()
    assert one.messages == session("v1.5.1", "820bbe3a").messages


def test_other_zip_files_are_not_ours(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("session.json", '{"sessionId": "opta"}')
    (tmp_path / "b.zip").write_bytes(b"PK\x03\x04 no")
    assert CLACKY.detect(tmp_path / "a.zip") is None
    assert CLACKY.detect(tmp_path / "b.zip") is None


# -- ids -------------------------------------------------------------------------------


def test_of_two_files_with_one_id_the_newer_is_the_session(tmp_path: Path) -> None:
    old = written(tmp_path, record({"role": "user", "content": "old"}), "2026-01-02_c0ffee00.json")
    newer = record({"role": "user", "content": "new"}, updated_at="2026-01-01T23:59:59-08:00")
    written(tmp_path, newer)
    (one,) = sessions(tmp_path).values()
    assert said(list(CLACKY.events(one.ref))) == ["new"]
    assert one.also_in == (str(old),)


def test_of_two_equally_new_files_with_one_id_the_one_that_is_not_in_the_trash_is_told(
    tmp_path: Path,
) -> None:
    home = tmp_path / ".clacky"
    for folder, words in (("trash/sessions-trash", "deleted"), ("sessions", "kept")):
        # Restored by hand: the file still says that it was deleted.
        stored = record({"role": "user", "content": words}, deleted_at="2026-01-03T00:00:00Z")
        written(home / folder, stored)
    (one,) = sessions(home).values()
    assert said(list(CLACKY.events(one.ref))) == [one.title] == ["kept"]


def test_a_listing_is_narrowed_without_reading_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        written(tmp_path, record(session_id=f"{number:08x}abcdabcd"))
    read: list[str] = []
    whole = files.read
    monkeypatch.setattr(files, "read", lambda path: read.append(path.name) or whole(path))
    assert list(sessions(tmp_path, Want(prefix="0000000A"))) == ["0000000aabcdabcd"]
    assert len(read) == 1
    assert len(sessions(tmp_path)) == 20
    assert len(read) == 21


@pytest.mark.parametrize("damage", [b"", b"\xff"])
def test_a_file_of_ours_that_is_right_is_only_parsed_for_its_header_and_its_story(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes
) -> None:
    path = written(tmp_path, record({"role": "user", "content": "hello"}))
    path.write_bytes(path.read_bytes().replace(b"hello", b"hello" + damage))
    read: list[Path] = []
    whole = files.read
    monkeypatch.setattr(files, "read", lambda path: read.append(path) or whole(path))
    where = CLACKY.detect(path)
    assert where
    with jsonio.read_twice(tmp_path):
        listed = list(CLACKY.sessions(where))
        (one,) = [one for one in listed if isinstance(one, Session)]
        events = list(CLACKY.events(one.ref))
    assert said(events) == ["hello\udcff" if damage else "hello"]
    assert read == ([path] * 2 if damage else [])
    assert [one.kind for one in listed if isinstance(one, Problem)] == ["corrupt"] * len(damage)


def test_of_the_archives_of_others_only_the_heads_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for id_ in ("c0ffee00c0ffee00", "0badcafe0badcafe"):
        path = written(tmp_path, record({"role": "user", "content": "go on"}, session_id=id_))
        text = ARCHIVE.replace("c0ffee00c0ffee00", id_)
        (tmp_path / f"{path.stem}-chunk-1.md").write_text(text, encoding="utf-8")
    read: list[str] = []
    whole = files.read
    monkeypatch.setattr(files, "read", lambda path: read.append(path.name) or whole(path))
    (one,) = sessions(tmp_path, Want(prefix="c0ffee")).values()
    assert one.messages == len(of(list(CLACKY.events(one.ref)), Message)) == 7
    own = "2026-01-02-03-04-05-c0ffee00"
    assert read == [f"{own}.json", f"{own}-chunk-1.md"] * 2


def test_resume_is_the_tools_own_command() -> None:
    resume = CLACKY.resume(session("v0.9.19", "7d34086e"))
    assert resume
    assert resume.argv == ("clacky", "-a", "7d34086e")
    assert resume.cwd == "/home/dev/projects/alpha"
    nowhere = CLACKY.resume(session("v0.9.19", "7d34086e")._replace(directory="."))
    assert nowhere == resume._replace(cwd=None)


@pytest.mark.parametrize(
    ("ids", "argument"),
    [
        (["1234567812345678"], "12345678"),
        (["00000042aaaaaaaa"], "00000042aaaaaaaa"),  # 42 is a place in the list
        (["c0ffee00aaaaaaaa", "c0ffee00bbbbbbbb"], "c0ffee00aaaaaaaa"),
        (["0000000000000007"], None),
    ],
)
def test_an_id_that_the_tool_would_misread_is_given_in_full(
    tmp_path: Path, ids: list[str], argument: str | None
) -> None:
    for number, id_ in enumerate(ids):
        written(tmp_path, record(session_id=id_), f"2026-01-02-03-04-0{number}-{id_[:8]}.json")
    resume = CLACKY.resume(sessions(tmp_path)[ids[0]])
    assert (resume.argv[-1] if resume else None) == argument


def test_the_form_of_a_store_is_told_in_few_words() -> None:
    forms = {version: CLACKY.generation(store(version)) for version in ("v0.5.0", "v1.5.1")}
    assert forms == {"v0.5.0": "0.5", "v1.5.1": "1.x"}


def test_a_ref_to_nothing(tmp_path: Path) -> None:
    assert CLACKY.detect(tmp_path / "2026-01-02_c0ffee00.json") is None
    assert sessions(store("v0.5.0"), Want(ids=("none",))) == {}
    assert Ref("clacky", str(tmp_path), "x").id not in sessions(store("v0.5.0"))


def test_the_stories_of_all_sessions_are_told_without_looking_for_each_in_every_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(FIXTURES / "v0.9.19" / "store", tmp_path / "home")
    for folder in [tmp_path / "home", *(p for p in tmp_path.rglob("*") if p.is_dir())]:
        os.utime(folder, ns=(1_700_000_000_000_000_000,) * 2)
    (at,) = stores_below(CLACKY, tmp_path / "home")
    refs = [one.ref for one in sessions(at).values()]
    looked = []
    head = files.head

    def counted(path: Path, size: int) -> bytes:
        looked.append(path)
        return head(path, size)

    monkeypatch.setattr(files, "head", counted)
    assert sum(len(list(CLACKY.events(ref))) for ref in refs) > 100
    assert len(looked) <= 4 * len(refs)

    (file,) = (at.path / "sessions").glob(f"*{refs[0].id[:8]}.json")
    record = json.loads(file.read_text())
    record["messages"] = [{"role": "user", "content": "said since"}]
    file.write_text(json.dumps(record))
    assert "said since" in said(list(CLACKY.events(refs[0])))
    file.rename(file.with_name("2026-01-01-00-00-00-ffffffff.json"))
    assert "said since" in said(list(CLACKY.events(refs[0])))
