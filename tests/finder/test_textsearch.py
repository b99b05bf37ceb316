"""Finding by what was said: order, folding, narrowing, and nothing missed in any store."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from finder.adapter import Candidate, Want
from finder.content import fields
from finder.errors import StoreError
from finder.find import Answer, Query
from finder.get import Choice, story
from finder.library import Key, Library, key_of
from finder.model import Event, Message, Problem, Ref, Text
from finder.places import Places
from finder.registry import Registry
from finder.source import Source
from finder.textsearch import find_text
from finder.words import Sought, folded
from tests.bench.opencode_stores import make_database
from tests.bench.planted import RARE_WORD
from tests.bench.sessions import Shape
from tests.memory import Memory, Shelf, library

FIXTURES = Path(__file__).parents[2] / "fixtures"


def said(text: str, *, synthetic: bool = False) -> list[Event]:
    labels = ("synthetic",) if synthetic else ()
    return [Message(record="m", role="user"), Text(message="m", text=text, labels=labels)]  # type: ignore[arg-type]


def ids(answer: Answer) -> list[str]:
    return [row.session.ref.id for row in answer.rows]


def search(shelf: Shelf, *words: str, synthetic: bool = True, **query: object) -> Answer:
    asked = Query(**query)  # type: ignore[arg-type]
    return find_text(library(shelf), asked, Sought.of(words, synthetic=synthetic))


@pytest.fixture
def shelf() -> Shelf:
    """Sessions a to f, the last updated first; d is a subagent of f."""
    shelf = Shelf(Path("/shelf"))
    shelf.add("f", "Sixth", updated=10, directory="/code/web")
    for number, name in enumerate("abcde"):
        parent = "f" if name == "d" else None
        shelf.add(name, f"Session {name}", updated=100 - number, parent=parent, directory="/code")
    shelf.stories = {
        "a": said("The needle, as the tool put it", synthetic=True),
        "b": said("needle and thread"),
        "c": said("hay"),
        "d": said("a Needle again"),
        "e": said("more needles"),
        "f": said("thread"),
    }
    return shelf


def test_the_newest_come_first_and_what_the_tool_put_in_last(shelf: Shelf) -> None:
    answer = search(shelf, "needle")
    assert ids(answer) == ["b", "f", "e", "a"]
    assert answer.by_text
    assert not answer.more


def test_a_subagents_words_are_told_with_its_parent(shelf: Shelf) -> None:
    row = search(shelf, "needle").rows[1]
    assert row.heard is not None and row.heard.session.ref.id == "d"
    assert [below.session.ref.id for below in row.matched_subagents] == ["d"]
    assert row.heard.hit.quotes[0].seq == 1
    assert row.heard.hit.quotes[0].role == "user"


def test_subagents_can_be_rows_of_their_own(shelf: Shelf) -> None:
    assert ids(search(shelf, "needle", subagents=True)) == ["b", "d", "e", "a"]


def test_all_words_must_be_in_one_session(shelf: Shelf) -> None:
    assert ids(search(shelf, "needle thread")) == ["b"]
    assert ids(search(shelf, '"a needle"')) == ["f"]


def test_what_the_tool_put_in_can_be_left_out(shelf: Shelf) -> None:
    assert ids(search(shelf, "needle", synthetic=False)) == ["b", "f", "e"]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
def test_the_first_are_the_first_of_all(shelf: Shelf, limit: int) -> None:
    every = ids(search(shelf, "needle", limit=0))
    assert ids(search(shelf, "needle", limit=limit)) == every[:limit]


def test_no_more_is_read_than_is_needed(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    events = Memory.events

    def counted(self: Memory, ref: object) -> Iterator[Event]:
        read.append(ref.id)  # type: ignore[attr-defined]
        return events(self, ref)  # type: ignore[arg-type]

    monkeypatch.setattr(Memory, "events", counted)
    answer = search(shelf, "needle", limit=2)
    assert ids(answer) == ["b", "f"]
    assert answer.more
    assert read == ["a", "b", "c", "d"]


def test_a_search_after_a_narrower_one_reads_the_others_alone(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    heard = Source._heard

    def counted(self: Source, ref: Ref, sought: Sought) -> object:
        read.append(ref.id)
        return heard(self, ref, sought)

    monkeypatch.setattr(Source, "_heard", counted)
    shelves, sought = library(shelf), Sought.of(["needle"])
    narrow = [Query(since=98, agent="nobody"), Query(since=99), Query(until=96, limit=1), Query()]
    found = [ids(find_text(shelves, query, sought)) for query in narrow]
    assert found == [[], ["b", "a"], ["e"], ["b", "f", "e", "a"]]
    assert sorted(read) == ["a", "b", "c", "d", "e"]
    assert ids(find_text(shelves, Query(), Sought.of(["hay"]))) == ["c"]


def test_filters_narrow(shelf: Shelf) -> None:
    assert ids(search(shelf, "needle", directories=("/code/web",))) == []
    assert ids(search(shelf, "thread", directories=("/code/web",))) == ["f"]
    assert ids(search(shelf, "needle", since=98)) == ["b", "a"]
    assert ids(search(shelf, "needle", until=97)) == ["f", "e"]


def test_archived_rows_can_be_left_out(shelf: Shelf) -> None:
    shelf.sessions = [s._replace(archived=1) if s.ref.id == "f" else s for s in shelf.sessions]
    assert "f" in ids(search(shelf, "needle"))
    assert "f" not in ids(search(shelf, "needle", archived=False))


def test_words_of_the_query_narrow_by_title_and_their_subagents_are_searched(shelf: Shelf) -> None:
    assert ids(search(shelf, "needle", words=("sixth",))) == ["f"]
    assert ids(search(shelf, "needle", words=("session",))) == ["b", "f", "e", "a"]
    assert ids(search(shelf, "hay", words=("sixth",))) == []


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("updated", ["b", "f", "e", "a"]),
        ("title", ["b", "e", "f", "a"]),
        ("relevance", ["b", "e", "f", "a"]),
    ],
)
def test_other_orders_keep_what_the_tool_put_in_last(
    shelf: Shelf, order: str, expected: list[str]
) -> None:
    assert ids(search(shelf, "needle", sort=order)) == expected
    assert ids(search(shelf, "needle", sort=order, limit=2)) == expected[:2]


def test_only_the_copy_that_is_believed_is_searched() -> None:
    old, new = Shelf(Path("/old")), Shelf(Path("/new"), rank=1)
    for shelf, text in ((old, "stale needle"), (new, "fresh")):
        shelf.add("one", "One", updated=5)
        shelf.stories = {"one": said(text)}
    answer = find_text(library(old, new), Query(), Sought.of(["needle"]))
    assert ids(answer) == []
    assert ids(find_text(library(old, new), Query(), Sought.of(["fresh"]))) == ["one"]


def test_stores_are_merged_by_time() -> None:
    left, right = Shelf(Path("/left")), Shelf(Path("/right"))
    for number in range(6):
        shelf = (left, right)[number % 2]
        shelf.add(f"s{number}", updated=number)
        shelf.stories[f"s{number}"] = said("needle")
    answer = find_text(library(left, right), Query(limit=4), Sought.of(["needle"]))
    assert ids(answer) == ["s5", "s4", "s3", "s2"]


def test_a_session_that_cannot_be_read_is_a_problem_and_the_others_are_found(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = Memory.events

    def failing(self: Memory, ref: object) -> Iterator[Event]:
        if ref.id == "b":  # type: ignore[attr-defined]
            raise StoreError(Problem(kind="corrupt", path="/shelf/b", message="is damaged"))
        if ref.id == "e":  # type: ignore[attr-defined]
            raise ZeroDivisionError("in an adapter")
        return events(self, ref)  # type: ignore[arg-type]

    monkeypatch.setattr(Memory, "events", failing)
    answer = search(shelf, "needle")
    assert ids(answer) == ["f", "a"]
    assert [(p.kind, p.record) for p in answer.problems] == [("corrupt", None), ("adapter", "e")]
    assert not answer.incomplete


def test_an_adapter_that_fails_while_it_proposes_is_a_problem(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def candidates(self: Memory, *_: object) -> Iterator[Candidate]:
        yield Candidate(shelf.sessions[2].ref, 99)
        raise ZeroDivisionError("in an adapter")

    monkeypatch.setattr(Memory, "candidates", candidates)
    answer = search(shelf, "needle")
    assert answer.incomplete
    assert [problem.kind for problem in answer.problems] == ["adapter"]


# -- over the fixtures: what get shows is what is found ------------------------------------------

STORES = sorted(path.parent for path in FIXTURES.glob("*/*/ABOUT*"))
_WORDS = 40


@pytest.fixture(scope="module", params=STORES, ids=lambda path: "/".join(path.parts[-2:]))
def held(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library of a copy of one fixture."""
    folder = tmp_path_factory.mktemp("fixture") / "home"
    shutil.copytree(request.param, folder)
    return opened(folder)


def opened(folder: Path) -> Library:
    places = Places(home=folder / "nobody", cwd=folder)
    return Library.open(Registry.installed(), places, [folder])


def stories(held: Library) -> dict[Key, list[Event]]:
    """What `get` shows of each session."""
    found = {}
    registry = Registry.installed()
    keys = held.keys(Want())
    held.lookup(keys)
    for key in keys:
        entry = held.entry(key)
        assert entry is not None
        items = story(registry, held, entry.session.ref, Choice())
        found[key] = [item.event for item in items]
    return found


def samples(told: dict[Key, list[str]]) -> Iterator[str]:
    """Words of all kinds: common and rare, whole and cut, of any script, and of none."""
    words: dict[str, int] = {}
    for lists in told.values():
        for word in set(re.findall(r"\S+", " ".join(lists))):
            words[word] = words.get(word, 0) + 1
    plain = sorted((w for w in words if '"' not in w and len(w) < 60), key=lambda w: (words[w], w))
    chosen = plain[:: max(len(plain) // _WORDS, 1)]
    odd = [word for word in plain if not word.isascii()]
    yield from chosen
    yield from odd[:: max(len(odd) // 10, 1)]
    for word in chosen[::5]:
        yield word.upper()
        yield word[1:-1] or word
    for lists in islice(told.values(), 5):
        for text in lists[:2]:
            phrase = " ".join(text.replace('"', " ").split()[:3])
            yield f'"{phrase}"'
    yield "certainly-nowhere-to-be-found"


def test_what_is_found_is_what_get_shows(held: Library) -> None:
    shown = stories(held)
    told = {key: list(map(folded, searched(events))) for key, events in shown.items()}
    for word in samples(told):
        sought = Sought.of([word])
        if not sought.terms:
            continue
        expected = {
            key
            for key, lists in told.items()
            if all(any(term.find(text) for text in lists) for term in sought.terms)
        }
        answer = find_text(held, Query(limit=0, subagents=True), sought)
        assert {key_of(row.session) for row in answer.rows} == expected, word
        for row in answer.rows:
            assert row.heard is not None
            for quote in row.heard.hit.quotes:
                event = shown[key_of(row.session)][quote.seq]
                assert (event.type, event.record, event.role, event.labels) == (
                    quote.type, quote.record, quote.role, quote.labels,
                )  # fmt: skip
                assert any(quote.snippet in normalised(text) for text in searched([event]))


def searched(events: Iterable[Event]) -> Iterator[str]:
    return (text for event in events for _, text in fields(event))


def normalised(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def test_what_stands_there_is_found_while_somebody_writes(tmp_path: Path) -> None:
    make_database(tmp_path, Shape(sessions=80, text=300_000))
    (path,) = tmp_path.rglob("opencode.db")
    ended = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(path, timeout=10)) as writer:
            writer.execute("PRAGMA journal_mode=WAL")
            (session, message) = writer.execute("SELECT session_id, id FROM message").fetchone()
            number = 0
            while not ended.is_set():
                number += 1
                said = json.dumps({"type": "text", "text": f"axolotl {number}"})
                row = (f"prt_zz{number:06}", message, session, 1, 1, said)
                writer.execute("INSERT INTO part VALUES (?, ?, ?, ?, ?, ?)", row)
                writer.commit()
                if number % 20 == 0:
                    writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(15):
            answer = find_text(opened(tmp_path), Query(), Sought.of([RARE_WORD]))
            assert answer.problems == ()
            assert len(answer.rows) == 3
    finally:
        ended.set()
        thread.join()
    assert len(find_text(opened(tmp_path), Query(), Sought.of(["axolotl"])).rows) == 1
