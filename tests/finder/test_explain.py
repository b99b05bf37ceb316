"""An empty answer is explained: by what narrowed it, and by what the words may have meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from finder.explain import Explanation, Wider, explain
from finder.find import Query, find
from finder.library import Library
from finder.registry import Registry
from tests.memory import Memory, Shelf, library

HERE = Path("/shelf")


@pytest.fixture
def shelf() -> Shelf:
    shelf = Shelf(HERE)
    shelf.add("a", "Fix the login page", directory="/w/app", agent="build", model="m/x", updated=10)
    shelf.add("b", "Fix the parser", directory="/w/lib", agent="plan", updated=20)
    shelf.add("c", "Login again", directory="/w/lib", updated=30, archived=31)
    shelf.add("d", "Thrown away login", directory="/w/bin", updated=40, labels=("trashed",))
    return shelf


def why(shelf: Shelf, words: str = "", **narrowing: object) -> Explanation:
    query = Query(words=tuple(words.split()), **narrowing)  # type: ignore[arg-type]
    assert not find(library(shelf), query).rows, "the query finds something"
    return explain(library(shelf), query)


def test_each_option_that_alone_is_in_the_way_is_named(shelf: Shelf) -> None:
    found = why(shelf, "login", since=50)
    assert found == Explanation(
        without=(Wider(words=("login",), left_out=("--since",), sessions=3, archived=1, trashed=1),)
    )
    found = why(shelf, "parser", directories=("/w/app",), agent="plan")
    assert [(w.left_out, w.sessions) for w in found.without] == [(("--cwd",), 1)]
    found = why(shelf, model="x", agent="plan", until=20)
    assert [(w.left_out, w.sessions) for w in found.without] == [
        (("--agent",), 1),
        (("--model",), 1),
    ]


def test_options_that_are_in_the_way_together_are_named_together(shelf: Shelf) -> None:
    found = why(shelf, "parser", directories=("/w/app",), agent="build", until=5)
    assert [(w.left_out, w.sessions) for w in found.without] == [
        (("--cwd", "--agent", "--until"), 1)
    ]


def test_archived_sessions_that_were_left_out_are_counted(shelf: Shelf) -> None:
    found = why(shelf, "again", archived=False)
    assert [(w.left_out, w.sessions, w.archived) for w in found.without] == [
        (("--no-archived",), 1, 1)
    ]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("prsaer", ("parser",)),  # two errors in a short word
        ("lgoni", ("login",)),
        ("fix parsre logn", None),  # both words are there, but in no one session
        ("fix tge prsaer", ("fix", "the", "parser")),
        ("zzyzx", None),
        ("2026", None),
    ],
)
def test_what_a_word_may_have_meant(
    shelf: Shelf, typed: str, meant: tuple[str, ...] | None
) -> None:
    found = why(shelf, typed)
    assert [w.words for w in found.meant] == ([meant] if meant else [])


def test_of_an_id_that_is_not_there_what_some_id_begins_with(shelf: Shelf) -> None:
    shelf.add("ses_1a2b3c4d5e6f", "By id")
    (meant,) = why(shelf, "ses_1a2b3c4dXY").meant
    assert (meant.words, meant.sessions) == (("ses_1a2b3c4d",), 1)
    (meant,) = why(shelf, "mem:ses_1a2b3c4d5e6f7").meant
    assert meant.words == ("mem:ses_1a2b3c4d5e6f",)
    assert why(shelf, "ses_1a2bXXXX1").meant == ()


def test_what_was_meant_may_be_in_the_way_of_an_option_too(shelf: Shelf) -> None:
    (meant,) = why(shelf, "prsaer", directories=("/w/app",)).meant
    assert (meant.words, meant.left_out, meant.sessions) == (("parser",), ("--cwd",), 1)


def test_a_word_that_nothing_has_is_named(shelf: Shelf) -> None:
    found = why(shelf, "fix zzyzx")
    assert found.without == (Wider(words=("fix",), left_out=("zzyzx",), sessions=2),)
    found = why(shelf, "parser again")
    assert [w.left_out for w in found.without] == [("parser",), ("again",)]
    found = why(shelf, "fix zzyzx", agent="nobody")
    assert [(w.words, w.left_out, w.sessions) for w in found.without] == [
        (("fix",), ("--agent", "zzyzx"), 2)
    ]


def test_words_that_are_forgiven_are_not_what_is_in_the_way(shelf: Shelf) -> None:
    found = why(shelf, "lgoin", directories=("/nowhere",))
    assert found.meant == ()
    assert [w.left_out for w in found.without] == [("--cwd",)]


def test_the_stores_of_other_tools_are_asked_only_where_they_were_left_out(shelf: Shelf) -> None:
    other = Memory(Shelf(Path("/other")), name="other", tool="other")
    mine = Memory(shelf)
    registry = Registry.of(mine, other)
    stores = [mine.store(shelf), other.store(other.shelves[Path("/other")])]
    query = Query(words=("parser",))
    narrow = Library(registry, stores, tools=("other",))
    assert not find(narrow, query).rows
    assert explain(narrow, query) == Explanation()
    (without,) = explain(narrow, query, Library(registry, stores)).without
    assert (without.left_out, without.sessions) == (("--tool",), 1)


def test_very_many_are_not_counted_to_the_end() -> None:
    shelf = Shelf(HERE)
    for number in range(1_200):
        shelf.add(f"s{number:04}", "Same", updated=number)
    (without,) = why(shelf, "same", until=-1).without
    assert (without.sessions, without.more) == (1_000, True)


def test_an_empty_store_has_nothing_to_explain() -> None:
    assert why(Shelf(HERE), "word", since=1) == Explanation()
