"""finder's own JSONL: the contract, damage by hand, and what no other JSON survives."""

from __future__ import annotations

import io
import json
import math
import os
import tracemalloc
from pathlib import Path
from typing import Any, ClassVar

import pytest

from adapters.events import Events
from finder.adapter import Store, Want
from finder.errors import NotFoundError, StoreError
from finder.model import Event, Json, Opaque, Problem, Ref, Session, Subagent, Text
from finder.testing import AdapterContract, stores_below

FIXTURES = Path(__file__).parents[2] / "fixtures" / "events"
DAMAGED = Path(__file__).parents[1] / "damaged" / "events"
ADAPTER = Events()

# Lines of damaged.jsonl that are no events, so that they are kept whole, and those that are.
KEPT_WHOLE = {"bad-1": [6, 7, 8, 9, 10, 11, 12, 13], "bad-2": [], "bad-3": []}


class TestEvents(AdapterContract):
    adapter = ADAPTER
    fixtures = FIXTURES
    # The records are those of other tools, whose keys are known where these are read.
    free_keys: ClassVar[frozenset[str]] = frozenset({""})

    def records(self, home: Path, session: Session) -> list[Json]:
        """Read with the standard library, line by line."""
        lines = Path(session.ref.store).read_bytes().split(b"\n")
        if session.ref.id in KEPT_WHOLE:
            told = [_whole(lines[number - 1]) for number in KEPT_WHOLE[session.ref.id]]
            # An event of its own says that the end is missing.
            return [*told, ""] if session.ref.id == "bad-3" else told
        found: list[Json] = []
        inside = False
        for line in filter(None, lines):
            value = json.loads(line)
            if "session" in value:
                inside = value["session"]["id"] == session.ref.id
            elif inside and "raw_json" in value:
                found.append(json.loads(value["raw_json"]))
            elif inside and value.get("raw") is not None:
                found.append(value["raw"])
        return found


class TestDamagedEvents(TestEvents):
    fixtures = DAMAGED


def _whole(line: bytes) -> Json:
    text = line.decode("utf-8", "surrogateescape")
    try:
        return json.loads(text)
    except ValueError:
        return text


def odd(name: str) -> Store:
    folder = FIXTURES / "odd" if name == "odd.jsonl" else DAMAGED / "damaged"
    store = ADAPTER.detect(folder / "store" / name)
    assert store is not None
    return store


def told(name: str, identifier: str) -> list[Event]:
    return list(ADAPTER.events(Ref("events", str(odd(name).path), identifier)))


def test_a_line_that_is_no_event_is_kept_and_said_to_be_none() -> None:
    events = told("damaged.jsonl", "bad-1")
    assert [event.type for event in events] == ["text", *["opaque"] * 8]
    problems = [event.problem for event in events if isinstance(event, Opaque)]
    assert all(problem and f"line {n}" in problem for n, problem in enumerate(problems, 6))
    said = " ".join(str(problem) for problem in problems)
    for reason in (
        "not valid JSON",
        "no text",
        "text is a JSON number",
        "unknown label",
        "counts",
        "mood",
    ):
        assert reason in said, reason


def test_damaged_headers_are_problems_and_what_can_be_read_is() -> None:
    found = list(ADAPTER.sessions(odd("damaged.jsonl")))
    assert [s.ref.id for s in found if isinstance(s, Session)] == ["bad-1", "bad-2", "bad-3"]
    assert [p.record for p in found if isinstance(p, Problem)] == [
        "line 3", "line 4", "line 14", "line 16",
    ]  # fmt: skip
    assert [e.type for e in told("damaged.jsonl", "bad-2")] == ["text"]


def test_a_missing_end_is_said() -> None:
    *_, last = told("damaged.jsonl", "bad-3")
    assert isinstance(last, Opaque)
    assert last.problem == "the session has 3 events, but the last 1 are not in the file"


def test_a_later_schema_is_a_problem() -> None:
    (problem, *_) = ADAPTER.sessions(odd("later.jsonl"))
    assert isinstance(problem, Problem)
    assert problem.kind == "unknown-schema"


def test_what_no_other_json_survives() -> None:
    store = odd("odd.jsonl")
    first, second = (s for s in ADAPTER.sessions(store) if isinstance(s, Session))
    assert first.title is not None
    assert first.title.startswith("Lone \ud800 surrogates")
    assert first.raw["huge"] == 123456789012345678901234567890
    assert math.isnan(first.raw["odd"][0])
    assert first.origin == "made-up"
    assert second.parent == first.ref, "a parent in the same file is a session of this file"
    child = next(e for e in told("odd.jsonl", "odd-1") if isinstance(e, Subagent)).child
    assert child == second.ref
    deep = told("odd.jsonl", "odd-1")[-1].raw
    for _ in range(849):
        (deep,) = deep
    assert deep == []


@pytest.mark.parametrize("start", [b"", b"{}", b"[]", b'{"schema":"other/1"}\n', b"\x00" * 300])
def test_other_files_are_not_claimed(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(start)
    assert ADAPTER.detect(path) is None


def test_files_written_one_after_the_other_are_one(tmp_path: Path) -> None:
    folder = FIXTURES / "opencode" / "store"
    both = tmp_path / "both.jsonl"
    both.write_bytes(b"".join(path.read_bytes() for path in sorted(folder.iterdir())))
    (store,) = stores_below(ADAPTER, tmp_path)
    apart = [s.ref for one in stores_below(ADAPTER, folder) for s in _sessions(one)]
    together = _sessions(store)
    assert sorted(s.ref.id for s in together) == sorted(ref.id for ref in apart)
    for ref in apart:
        one = [e.raw for e in ADAPTER.events(ref)]
        assert one == [e.raw for e in ADAPTER.events(Ref("events", str(both), ref.id))]


def many(path: Path, count: int, first: int = 0) -> None:
    """Sessions with three events each, added to a file."""
    with path.open("a") as file:
        for number in range(first, first + count):
            file.write(f'{{"session":{{"id":"ses_{number}","tool":"made-up","events":3}}}}\n')
            for turn in range(3):
                text = f"text {turn} of {number} {'x' * 1000}"
                file.write(f'{{"type":"text","record":"r{turn}","text":"{text}"}}\n')


def texts(path: Path, number: int) -> list[str]:
    told = ADAPTER.events(Ref("events", str(path), f"ses_{number}"))
    return [event.text.split(" x")[0] if isinstance(event, Text) else str(event) for event in told]


def test_a_file_of_many_sessions_is_not_gone_through_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "many.jsonl"
    many(path, 500)
    read = 0

    class Counted(io.FileIO):
        def readinto(self, buffer: Any, /) -> int:
            nonlocal read
            count = super().readinto(buffer)
            read += count
            return count

    def opened(descriptor: int, mode: str, size: int, closefd: bool) -> io.BufferedReader:
        return io.BufferedReader(Counted(descriptor, mode, closefd), size)

    monkeypatch.setattr(os, "fdopen", opened)
    for number in reversed(range(500)):
        assert texts(path, number) == [f"text {turn} of {number}" for turn in range(3)]
    size = path.stat().st_size
    assert size < read < 2 * size + 500 * (1 << 16) < size * 500 / 10


def test_what_is_known_of_a_file_is_not_believed_against_it(tmp_path: Path) -> None:
    path = tmp_path / "changing.jsonl"
    many(path, 3)
    assert texts(path, 1) == ["text 0 of 1", "text 1 of 1", "text 2 of 1"]
    many(path, 1, first=3)  # as converting a tree does
    assert texts(path, 3) == ["text 0 of 3", "text 1 of 3", "text 2 of 3"]
    whole = path.read_bytes()
    path.write_bytes(whole[:-2000])
    assert "1 are not in the file" in texts(path, 3)[-1]
    path.write_bytes(whole)
    assert texts(path, 3)[-1] == "text 2 of 3"
    path.write_bytes(b"")
    many(path, 9, first=100)  # longer than before, and the same file to the system
    assert texts(path, 105)[0] == "text 0 of 105"
    with pytest.raises(NotFoundError):
        texts(path, 1)
    path.unlink()
    with pytest.raises(StoreError):
        texts(path, 105)


def test_a_header_is_whole_in_whatever_order_its_keys_are(tmp_path: Path) -> None:
    for home in (FIXTURES / "opencode", FIXTURES / "opta"):
        (source, *_) = stores_below(ADAPTER, home)
        lines = map(json.loads, source.path.read_bytes().splitlines())
        path = tmp_path / f"{home.name}.jsonl"
        path.write_text("".join(f"{json.dumps(one, sort_keys=True)}\n" for one in lines))
        compact = path.read_text().replace('": ', '":').replace(', "', ',"')
        path.write_text(compact)
        assert ',"raw":' in compact.splitlines()[1]
        store = Store("events", "events", path, "file")
        for raw in (True, False):
            found = [s for s in ADAPTER.sessions(store, Want(raw=raw)) if isinstance(s, Session)]
            told = [(s.ref.id, s.title, s.updated, s.origin, s.labels) for s in found]
            apart = [(s.ref.id, s.title, s.updated, s.origin, s.labels) for s in _sessions(source)]
            assert told == apart


def test_what_a_record_counts_is_not_what_the_file_promises(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    for count in (1, 2):
        raw = '"raw":{"q":1,"events":7,"raw":3}'
        path.write_text(
            f'{{"session":{{"events":{count},"id":"ses_1",{raw},"tool":"t"}}}}\n'
            '{"type":"text","text":"text"}\n'
        )
        kinds = [event.type for event in ADAPTER.events(Ref("events", str(path), "ses_1"))]
        assert kinds == ["text", "opaque"][:count]


def test_an_id_of_megabytes_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    path.write_text('{"schema":"session-finder-events/1"}\n')
    with path.open("a") as file:
        file.write(f'{{"session":{{"id":"{"y" * 2_000_000}","events":0}}}}\n')
    tracemalloc.start()
    try:
        (session,) = ADAPTER.sessions(Store("events", "events", path, "file"))
        # The JSON parser alone reserves sixteen times as much, and uses little of it.
        assert tracemalloc.get_traced_memory()[1] < 30 * 2_000_000
    finally:
        tracemalloc.stop()
    assert isinstance(session, Session)
    assert len(session.ref.id) == 2_000_000


def _sessions(store: Store) -> list[Session]:
    return [s for s in ADAPTER.sessions(store) if isinstance(s, Session)]
