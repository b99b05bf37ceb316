"""What becomes of other tools' stories in Opta's messages."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finder.convert import planned, tried
from finder.model import (
    Attachment,
    Compaction,
    Event,
    Json,
    Labels,
    Message,
    Reasoning,
    Ref,
    Role,
    Session,
    Subagent,
    Text,
    ToolCall,
    ToolResult,
)
from finder.writing import Plan
from tests.opta_chats import (
    DAEMON,
    DOCUMENTED,
    NOW,
    OPTA,
    chat,
    check,
    sources,
    written,
)


def said(text: str, role: Role = "user", labels: Labels = ()) -> Event:
    return Text(text=text, role=role, labels=labels)


def story(*items: Event | list[Event]) -> list[Event]:
    """Messages, each of a role and its content; a lone event is a message of its own."""
    events: list[Event] = []
    for number, item in enumerate(items):
        inner = item if isinstance(item, list) else [item]
        role = inner[0].role or "assistant"
        record = f"m{number}"
        labels = inner[0].labels
        events.append(Message(record=record, message=record, role=role, labels=labels))
        for index, event in enumerate(inner):
            events.append(
                replace(event, record=f"{record}.{index}", message=record, role=event.role or role)
            )
    return events


def made_up(*items: Event | list[Event], **header: Any) -> tuple[Session, list[Event]]:
    session = Session(ref=Ref("made-up", "/somewhere", "made-1"), **header)
    return session, story(*items)


def messages(*items: Event | list[Event], **header: Any) -> list[Any]:
    """What becomes of a story, without the prompt."""
    done = written(*made_up(*items, **header))
    check(done.draft)
    return list(chat(done.draft)["messages"][1:])


def calling(id_: str, name: str = "read", given: Json = None) -> Event:
    return ToolCall(call=id_, name=name, input={"path": "x"} if given is None else given)


def answer(id_: str, output: str | None = "out", **more: Any) -> Event:
    return ToolResult(call=id_, output=output, **more)


def roles(found: list[Any]) -> str:
    return " ".join(message["role"][0] for message in found)


def test_a_prompt_is_there_even_if_the_source_has_none() -> None:
    done = written(*made_up(said("hi"), directory="/home/dev/code"))
    body = chat(done.draft)
    assert body["messages"][0] == {
        "role": "system",
        "content": "Working directory: /home/dev/code",
    }
    assert ("invented", "text") in {(loss.kind, loss.type) for loss in done.losses}
    nowhere = chat(written(*made_up(said("hi"))).draft)
    assert nowhere["messages"][0] == {"role": "system", "content": ""}


def test_the_prompt_of_the_source_is_kept() -> None:
    done = written(*made_up(said("You are.", "system"), said("hi"), directory="/w"))
    assert [m["content"] for m in chat(done.draft)["messages"]] == ["You are.", "hi"]


def test_results_stand_behind_the_answer_that_called() -> None:
    found = messages(
        said("go"),
        [said("look", "assistant"), calling("a"), answer("a"), calling("b"), answer("b")],
        said("done", "assistant"),
    )
    assert roles(found) == "u a t t a"
    assert [c["id"] for c in found[1]["tool_calls"]] == ["a", "b"]
    assert [m["tool_call_id"] for m in found[2:4]] == ["a", "b"]
    assert found[1]["tool_calls"][0]["function"] == {"name": "read", "arguments": '{"path":"x"}'}


def test_words_and_thoughts_behind_a_call_begin_another_answer() -> None:
    thought = Reasoning(text="hm")
    found = messages(
        [calling("a"), answer("a"), said("so", "assistant"), calling("b"), answer("b")],
        [calling("c"), answer("c"), thought, calling("d"), answer("d")],
        [said("one", "assistant"), said("two", "assistant")],
    )
    assert roles(found) == "a t a t a t a t a a"
    assert found[2]["content"] == "so"


def test_calls_of_one_id_are_told_apart() -> None:
    found = messages([calling("a"), calling("a"), answer("a", "1"), answer("a", "2")])
    assert roles(found) == "a t a t"
    assert [m["content"] for m in found if m["role"] == "tool"] == ["1", "2"]


def test_a_call_that_came_to_nothing_has_the_result_that_opta_writes() -> None:
    found = messages([calling("a")], [calling("b"), answer("b", None, status="running")])
    assert [m["content"] for m in found if m["role"] == "tool"] == ["Error: no result"] * 2
    assert messages([calling("a"), answer("a", None)])[1]["content"] == ""


def test_a_result_without_a_call_gets_one() -> None:
    found = messages(answer("lost", "what it said"))
    assert roles(found) == "a t"
    assert found[1] == {"role": "tool", "content": "what it said", "tool_call_id": "lost"}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"a": 1}, '{"a":1}'),
        ("{broken", "{broken"),
        ("12", '"12"'),
        ([1, 2], "[1,2]"),
        ('"x"', '"\\"x\\""'),
    ],
)
def test_arguments_are_the_text_that_says_the_same(given: Json, text: str) -> None:
    call_ = messages([calling("a", given=given), answer("a")])[0]["tool_calls"][0]
    assert call_["function"]["arguments"] == text


def test_missing_arguments_are_an_empty_object() -> None:
    found = messages([ToolCall(call="a", name="read"), answer("a")])
    assert found[0]["tool_calls"][0]["function"]["arguments"] == "{}"


PICTURE = Attachment(name="a.png", mime="image/png", data="aGk=", role="user")
URL = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}


def test_images_are_the_users() -> None:
    found = messages([said("see"), PICTURE])
    assert found == [{"role": "user", "content": [{"type": "text", "text": "see"}, URL]}]
    shown = replace(PICTURE, role="tool")
    found = messages([calling("a"), calling("b"), answer("a"), shown, answer("b")], said("go on"))
    assert roles(found) == "a t t u u"
    assert found[3]["content"] == [URL]
    found = messages([said("here", "assistant"), replace(PICTURE, role="assistant")])
    assert roles(found) == "a u"


@pytest.mark.parametrize(
    "other",
    [
        Attachment(mime="text/plain", data="aGk=", role="user"),
        Attachment(mime="image/png", url="file:///a.png", role="user"),
        Attachment(mime="image/png", path="/a.png", role="user"),
        Attachment(data="aGk=", role="user"),
    ],
)
def test_what_is_no_image_is_said_to_be_dropped(other: Attachment) -> None:
    done = written(*made_up([said("see"), other]))
    assert chat(done.draft)["messages"][1]["content"] == "see"
    assert ("dropped", "attachment", None) in {(x.kind, x.type, x.field) for x in done.losses}


def test_an_image_by_its_url_is_kept() -> None:
    linked = Attachment(mime="image/png", url="https://host/a.png", role="user")
    (found,) = messages(linked)
    assert found["content"] == [{"type": "image_url", "image_url": {"url": "https://host/a.png"}}]


def test_a_compacted_session_goes_on_from_its_summary() -> None:
    old: Labels = ("compacted",)
    session, events = made_up(
        said("You are.", "system"),
        said("long ago", labels=old),
        [said("kept", "assistant")],
        [Compaction(auto=True, role="user")],
        said("We did this.", "assistant", ("synthetic", "summary")),
        said("and now?"),
    )
    done = written(session, events)
    check(done.draft)
    prompt, summary, kept, now = chat(done.draft)["messages"]
    assert prompt["content"] == "You are."
    words = ["[Previous conversation summary]\n", "We did this."]
    assert summary == {"role": "user", "content": [{"type": "text", "text": t} for t in words]}
    assert (kept["content"], now["content"]) == ("kept", "and now?")
    texts = [e for e in done.events if isinstance(e, Text) and "summary" in e.labels]
    assert [text.text for text in texts] == words  # the words of the summary are as they were
    assert any(isinstance(event, Compaction) for event in done.events)
    gone = [x for x in done.losses if (x.kind, x.type, x.field) == ("dropped", "text", None)]
    assert [(x.count, x.first) for x in gone] == [(1, "m1.0")]


def test_a_summary_that_opta_itself_wrote_stays_as_it_is() -> None:
    text = "[Previous conversation summary]\nWe did this."
    (found,) = messages(said(text, labels=("synthetic", "summary", "inferred")))
    assert found == {"role": "user", "content": text}


def test_what_was_undone_is_not_sent_again() -> None:
    undone: Labels = ("hidden",)
    gone = [replace(e, labels=undone) for e in (calling("a"), answer("a"))]
    done = written(*made_up(said("go"), said("no", "assistant", undone), gone))
    assert [m["content"] for m in chat(done.draft)["messages"]][1:] == ["go"]
    dropped = {(x.type, x.count) for x in done.losses if x.kind == "dropped"}
    assert dropped == {("text", 1), ("tool_call", 1), ("tool_result", 1), ("message", 2)}


def test_words_that_opta_takes_for_its_own_are_reported() -> None:
    text = 'see\n\n<file path="/a">\nx\n</file>\n'
    done = written(*made_up(said(text)))
    assert chat(done.draft)["messages"][1]["content"] == text  # not a letter is another one
    assert ("changed", "text", "text") in {(x.kind, x.type, x.field) for x in done.losses}


def test_a_subagent_without_a_call_is_one_that_opta_would_have_started() -> None:
    found = messages(Subagent(prompt="look", result="seen", status="ok", role="assistant"))
    function = found[0]["tool_calls"][0]["function"]
    assert function == {"name": "spawn_agent", "arguments": '{"task":"look"}'}
    assert found[1]["content"] == "seen"


def test_a_tree_is_linked_by_tags_both_ways() -> None:
    above, below = Ref("made-up", "/s", "top"), Ref("made-up", "/s", "below")
    ids = {above: "TopTopTopTop", below: "BelowBelow12"}
    parent = Session(ref=above)
    events = story([calling("a", "task"), Subagent(call="a", child=below), answer("a")])
    plan = Plan(id=ids[above], ids=ids, top=ids[above], now=NOW)
    assert chat(tried(OPTA, parent, events, plan=plan).draft)["tags"] == ["subagent:BelowBelow12"]
    silent = tried(OPTA, parent, story(said("go")), plan=plan)  # that it never speaks of
    assert chat(silent.draft)["tags"] == ["subagent:BelowBelow12"]
    child = Session(ref=below, parent=above)
    plan = replace(plan, id=ids[below], parent=above)
    done = tried(OPTA, child, story(said("go")), plan=plan)
    assert chat(done.draft)["tags"] == ["subagent-of:TopTopTopTop"]
    assert done.unexplained == []
    assert ("dropped", "parent") in {(loss.kind, loss.field) for loss in done.losses}


def test_another_working_directory() -> None:
    session, events = made_up(said("go"), directory="/gone")
    plan = replace(planned(OPTA, session), directory="/here", now=NOW)
    done = tried(OPTA, session, events, plan=plan)
    body = chat(done.draft)
    assert body["cwd"] == "/here"
    assert body["messages"][0]["content"] == "Working directory: /here"
    assert done.unexplained == []
    own, told = next(found[1:] for found in sources("opta") if found[0] == "tui/r-IXZWaCSkB6")
    done = tried(OPTA, own, told, plan=replace(planned(OPTA, own), directory="/here"))
    assert chat(done.draft)["cwd"] == "/here"
    assert done.losses == []


@pytest.mark.parametrize("text", ["x", 'say "it" \\ again\n', "\\"])
@pytest.mark.parametrize("field", ["title", "directory", "model"])
def test_a_header_of_megabytes(field: str, text: str) -> None:
    """It is still known for what it is, and read back."""
    text *= 2_000_000 // len(text)
    for target in (OPTA, DAEMON, DOCUMENTED):
        done = written(*made_up(said("go"), **{field: text}), target)
        assert done.unexplained == []
        assert field != "title" or done.session.title == text


@pytest.mark.parametrize("at", [-(2**63), -1, 0, 2**63 - 1])
def test_a_time_outside_of_the_calendar(at: int) -> None:
    check(written(*made_up(said("go"), created=at, updated=at)).draft)


def test_the_manuals_form_tells_the_whole_story() -> None:
    session, events = made_up(
        said("old", labels=("compacted",)),
        [said("look", "assistant"), calling("a"), answer("a", "no", status="error")],
        title="T",
        created=NOW,
        updated=NOW,
    )
    done = written(session, events, DOCUMENTED)
    made = done.draft.files
    files = {Path(file.path).name: json.loads(b"".join(file.pieces)) for file in made}
    assert files["session.json"]["events"] == [
        {"type": "user.message", "content": "old", "seq": 1},
        {"type": "assistant.message", "content": "look", "seq": 2},
        {"type": "tool.call", "toolName": "read", "args": {"path": "x"}, "callId": "a", "seq": 3},
        {
            "type": "tool.result",
            "callId": "a",
            "toolName": "read",
            "content": "no",
            "isError": True,
            "seq": 4,
        },
    ]
    assert files["metadata.json"] == {
        "title": "T",
        "createdAt": "2026-09-21T14:13:20.000Z",
        "updatedAt": "2026-09-21T14:13:20.000Z",
        "stats": {"toolCallCount": 1},
    }
