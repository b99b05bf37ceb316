"""The store that the other tests read holds the situations that it names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from .model_server import SUMMARY, JsonObject
from .opencode import OpenCode
from .situations import ARCHIVED_AT, LONG_TEXT, LiveStore

Exported = Callable[[str], JsonObject]

_UNLISTED = {"child", "child with a child", "grandchild", "child without a task", "deleted"}


def _parts(exported: JsonObject) -> list[JsonObject]:
    return [part for message in exported["messages"] for part in message["parts"]]


def _tool_states(exported: JsonObject) -> list[tuple[str, str]]:
    parts = _parts(exported)
    return [(part["tool"], part["state"]["status"]) for part in parts if part["type"] == "tool"]


def test_all_sessions_are_listed_but_children_and_the_deleted(live_store: LiveStore) -> None:
    folders = (live_store.shop, live_store.library, live_store.notes)
    listed = [
        entry["id"] for folder in folders for entry in live_store.program.session_list(folder)
    ]
    expected = [session for name, session in live_store.ids.items() if name not in _UNLISTED]
    assert sorted(listed) == sorted(expected)


def test_tools_end_in_every_way(exported: Exported) -> None:
    assert {status for _, status in _tool_states(exported("tools that work"))} == {"completed"}
    assert _tool_states(exported("tools that fail")) == [
        ("read", "error"),  # no such file
        ("bash", "completed"),  # a command's own failure is an answer like others
        ("edit", "error"),  # the text to replace is not there
        ("invalid", "completed"),  # no such tool
        ("invalid", "completed"),  # broken arguments
        ("read", "error"),  # wrong arguments
        ("bash", "error"),  # forbidden
    ]
    assert _tool_states(exported("killed")) == [("bash", "running")]


def test_subagents_name_their_parents(live_store: LiveStore, exported: Exported) -> None:
    def parent(situation: str) -> object:
        return exported(situation)["info"].get("parentID")

    ids = live_store.ids
    assert parent("parent") is None
    assert parent("child") == parent("child with a child") == ids["parent"]
    assert parent("child without a task") == ids["parent"]
    assert parent("grandchild") == ids["child with a child"]


def test_compactions_leave_a_mark_and_a_summary(exported: Exported) -> None:
    for situation in ("compacted", "compacted by itself", "compacted by overflow"):
        parts = _parts(exported(situation))
        assert [part["type"] for part in parts].count("compaction") == 1, situation
        assert [part.get("text") for part in parts].count(SUMMARY) == 1, situation


def test_texts_larger_than_a_pipe_arrive_whole(exported: Exported) -> None:
    assert len(LONG_TEXT.encode()) > 2 * 64 * 1024
    assert LONG_TEXT in _parts(exported("long"))[0]["text"]


def test_an_archived_session_says_when(exported: Exported) -> None:
    assert exported("archived")["info"]["time"]["archived"] == ARCHIVED_AT


def test_a_session_of_the_second_api_is_exported_empty(exported: Exported) -> None:
    assert exported("v2")["messages"] == []


def test_a_continued_session_sends_the_whole_conversation(live_store: LiveStore) -> None:
    sent = [request.conversation for request in live_store.model.requests]
    [continued] = [said for said in sent if said and "Say goodbye." in str(said[-1]["content"])]
    roles = [message["role"] for message in continued]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]


def test_a_file_and_a_share_link_are_imported(
    live_store: LiveStore, exported: Exported, spare: OpenCode, tmp_path: Path
) -> None:
    chat, tools = exported("chat"), exported("tools that work")
    file = tmp_path / "session.json"
    file.write_text(json.dumps(tools), encoding="utf-8")
    assert spare.import_session(file, cwd=tmp_path) == tools["info"]["id"]
    assert spare.export(tools["info"]["id"])["messages"] == tools["messages"]

    link = live_store.model.share("Chat-1", _shared(chat))
    assert spare.import_session(link, cwd=tmp_path) == chat["info"]["id"]
    assert spare.export(chat["info"]["id"])["messages"] == chat["messages"]


def _shared(exported: JsonObject) -> list[JsonObject]:
    """A session in the form in which a share link serves it."""
    entries = [{"type": "session", "data": exported["info"]}]
    entries += [{"type": "message", "data": entry["info"]} for entry in exported["messages"]]
    return entries + [{"type": "part", "data": part} for part in _parts(exported)]
