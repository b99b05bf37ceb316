"""What we read of a session is what `opencode export` gives of it, part by part.

`finder get --format raw` gives the native rows. The export is another arrangement of them: what the
column `data` holds, and behind that the columns that say whose it is.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .model_server import JsonObject
from .situations import SITUATIONS, LiveStore

_SECONDS = 60

# Where the export keeps what a column of the session's row holds.
_SESSION_COLUMNS = {
    "id": ("id",),
    "slug": ("slug",),
    "project_id": ("projectID",),
    "directory": ("directory",),
    "path": ("path",),
    "parent_id": ("parentID",),
    "title": ("title",),
    "version": ("version",),
    "agent": ("agent",),
    "cost": ("cost",),
    "tokens_input": ("tokens", "input"),
    "tokens_output": ("tokens", "output"),
    "tokens_reasoning": ("tokens", "reasoning"),
    "tokens_cache_read": ("tokens", "cache", "read"),
    "tokens_cache_write": ("tokens", "cache", "write"),
    "time_created": ("time", "created"),
    "time_updated": ("time", "updated"),
    "time_archived": ("time", "archived"),
}


def finder(store: LiveStore, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Our own program, in the environment of the real one."""
    return subprocess.run(
        [sys.executable, "-m", "finder", *arguments],
        cwd=store.program.root,
        env=store.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )


def got(store: LiveStore, session: str) -> JsonObject:
    done = finder(store, "get", session, "--format", "raw")
    assert done.returncode == 0, done.stderr
    document: JsonObject = json.loads(done.stdout)
    return document


def arranged(records: list[Any]) -> list[JsonObject]:
    """Rows of messages and parts, in the order of the story, as the export arranges them."""
    messages: list[JsonObject] = []
    for record in records:
        if not isinstance(record, dict):
            continue  # the list of changed files, which OpenCode keeps beside the database
        if record["table"] == "message":
            info = {**_content(record), "id": record["id"], "sessionID": record["session_id"]}
            messages.append({"info": info, "parts": []})
        elif record["table"] == "part":
            owner = {"sessionID": record["session_id"], "messageID": record["message_id"]}
            part = {**_content(record), "id": record["id"], **owner}
            assert messages[-1]["info"]["id"] == record["message_id"]
            messages[-1]["parts"].append(part)
    return messages


def _content(record: JsonObject) -> JsonObject:
    assert isinstance(record["data"], dict), "the column data is given parsed"
    return record["data"]


def _at(document: JsonObject, keys: tuple[str, ...]) -> Any:
    value: Any = document
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _differences(ours: list[JsonObject], theirs: list[JsonObject]) -> Iterator[str]:
    """Each place that differs, so that a failure names it and not two whole sessions."""
    if len(ours) != len(theirs):
        yield f"{len(ours)} messages, not {len(theirs)}"
    for index, (our, their) in enumerate(zip(ours, theirs, strict=False)):
        if our["info"] != their["info"]:
            yield f"message {index}: {our['info']} is not {their['info']}"
        if len(our["parts"]) != len(their["parts"]):
            yield f"message {index}: {len(our['parts'])} parts, not {len(their['parts'])}"
        for number, pair in enumerate(zip(our["parts"], their["parts"], strict=False)):
            if pair[0] != pair[1]:
                yield f"message {index}, part {number}: {pair[0]} is not {pair[1]}"


@pytest.mark.parametrize("situation", SITUATIONS)
def test_messages_and_parts(
    situation: str, live_store: LiveStore, exported: Callable[[str], JsonObject]
) -> None:
    document = got(live_store, live_store.ids[situation])
    theirs = exported(situation)
    ours = arranged(document["records"])
    assert list(_differences(ours, theirs["messages"])) == []
    # Equal to the order of the keys, too.
    assert json.dumps(ours) == json.dumps(theirs["messages"])
    header = {name: document["session"][name] for name in _SESSION_COLUMNS}
    assert header == {name: _at(theirs["info"], keys) for name, keys in _SESSION_COLUMNS.items()}


def test_the_second_api_is_read_although_the_export_gives_nothing(live_store: LiveStore) -> None:
    records = got(live_store, live_store.ids["v2"])["records"]
    rows = [record for record in records if record["table"] == "session_message"]
    assert [row["type"] for row in rows] == ["user", "assistant", "assistant"]
    assert rows[0]["data"]["text"].startswith("The other API.")
    assert rows[-1]["data"]["content"][-1]["text"] == "Done in v2."


def test_a_deleted_session_is_not_found(live_store: LiveStore) -> None:
    assert finder(live_store, "get", live_store.ids["deleted"]).returncode == 3


def test_the_store_is_as_it_was(live_store: LiveStore) -> None:
    def state() -> list[tuple[str, int, int]]:
        found = live_store.database.parent.rglob("*")
        return sorted((str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in found)

    before = state()
    assert finder(live_store, "find", "--json").returncode == 0
    assert finder(live_store, "get", live_store.ids["parent"]).returncode == 0
    assert state() == before
