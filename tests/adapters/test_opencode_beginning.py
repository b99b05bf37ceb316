"""What is told of a session's first messages, without reading the rest, is what all of it tells."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from adapters.opencode.database import OpenCodeDatabase
from finder import jsonio
from finder.model import Event, Ref
from tests.test_property import any_tree

ADAPTER = OpenCodeDatabase()
SCHEMA = (Path(__file__).parent / "opencode_schemas" / "1.18.33.sql").read_text(encoding="utf-8")
SESSION = "ses_1"
Row = dict[str, Any]

numbers = st.integers(0, 9)
compactions = st.fixed_dictionaries({}, optional={"tail": numbers, "overflow": st.just(True)})
messages = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "assistant"]), "at": numbers},
    optional={
        "summary": st.sampled_from([True, True, False, {"diffs": []}, "true"]),
        "parent": numbers,
        "finish": st.just("stop"),
        "completed": st.just(5),
        "error": st.sampled_from([{"name": "MessageAbortedError"}, {"name": "APIError"}]),
        "compaction": compactions,
        "text": st.sampled_from(["go on", "stop"]),
        "written": st.sampled_from(["damaged", "as numbers", "with spaces", "as bytes"]),
    },
)
rows = st.tuples(numbers, st.sampled_from(["user", "compaction", "agent-switched"]))
sessions = st.tuples(
    st.lists(messages, min_size=1, max_size=10),
    st.none() | st.fixed_dictionaries({"messageID": numbers.map(lambda n: f"msg_{n}")}),
    st.lists(rows, max_size=3),
)


def written(message: Row) -> str | bytes:
    """A message's column of data, as a tool, or another one, may write it."""
    data: Row = {"role": message["role"], "time": {"created": message["at"]}}
    data |= {name: message[name] for name in ("summary", "finish", "error") if name in message}
    if "completed" in message:
        data["time"]["completed"] = message["completed"]
    if "parent" in message:
        data["parentID"] = f"msg_{message['parent']}"
    text = json.dumps(data, separators=(",", ":"))
    match message.get("written"):
        case "damaged":
            return text[:-1]
        case "as numbers":
            return text.replace('"summary"', '"s\\u0075mmary"').replace("assis", "\\u0061ssis")
        case "with spaces":
            return json.dumps(data, indent=2)
        case "as bytes":
            return text.encode()
        case _:
            return text


def parts(number: int, message: Row) -> Iterator[Row]:
    if "text" in message:
        yield {"type": "text", "text": message["text"]}
    if "compaction" in message:
        asked = dict(message["compaction"])
        tail = asked.pop("tail", None)
        named = {} if tail is None else {"tail_start_id": f"msg_{tail}"}
        yield {"type": "compaction", "auto": True, **named, **asked}
    yield {"type": "step-start", "snapshot": str(number)}


@cache
def empty() -> bytes:
    """A database without a session."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA)
        return connection.serialize()


def stored(path: Path, found: list[Row], revert: Row | None, rows: list[tuple[int, str]]) -> Ref:
    path.write_bytes(empty())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute(
            "INSERT INTO session (id, project_id, slug, directory, title, version, time_created,"
            " time_updated, revert) VALUES (?, 'p', 's', '/', 't', '1', 1, 1, ?)",
            (SESSION, revert and json.dumps(revert)),
        )
        for number, message in enumerate(found):
            name, at = f"msg_{number}", message["at"]
            connection.execute(
                "INSERT INTO message VALUES (?, ?, ?, ?, ?)",
                (name, SESSION, at, at, written(message)),
            )
            for place, part in enumerate(parts(number, message)):
                connection.execute(
                    "INSERT INTO part VALUES (?, ?, ?, ?, ?, ?)",
                    (f"prt_{number}_{place}", name, SESSION, at, at, json.dumps(part)),
                )
        for number, (at, kind) in enumerate(rows):
            # Some of the rows repeat a message, as those of 1.17 do.
            name = f"msg_{at}" if kind == "user" else f"row_{number}"
            connection.execute(
                "INSERT OR IGNORE INTO session_message (id, session_id, type, seq, time_created,"
                ' time_updated, data) VALUES (?, ?, ?, ?, ?, ?, \'{"text": "said"}\')',
                (name, SESSION, kind, number, at, at),
            )
        connection.commit()
    return Ref("opencode", str(path), SESSION)


def told(events: Iterator[Event], messages: int) -> list[bytes]:
    """Up to where the message after so many opens."""
    found = []
    for event in events:
        found.append(jsonio.dumps(event))
        messages -= event.type == "message"
        if messages < 0:
            break
    return found


def user(text: str) -> Row:
    return {"role": "user", "at": 0, "text": text}


SUMMARY = {"role": "assistant", "at": 0, "summary": True, "parent": 5, "finish": "stop"}
OVERFLOWN: Row = {"role": "user", "at": 0, "compaction": {"overflow": True}}


@any_tree
@given(sessions)
@example(([user("a"), SUMMARY, user("b"), user("c"), user("b"), OVERFLOWN], None, []))
@example(([*map(user, "abcde"), OVERFLOWN, SUMMARY], None, []))
@example(([*map(user, "abcde"), OVERFLOWN, {**SUMMARY, "written": "as numbers"}], None, []))
def test_a_beginning_is_the_beginning_of_the_whole(
    made: tuple[list[Row], Row | None, list[tuple[int, str]]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ref = stored(Path(folder, "opencode.db"), *made)
        for count in range(1, len(made[0]) + 1):
            begun = told(ADAPTER.beginning(ref, count), count)
            assert begun == told(ADAPTER.events(ref), count), count
