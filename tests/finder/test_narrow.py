"""What is found while the words are typed is what `find` finds."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from finder.find import Query, Row, find
from finder.library import Library
from finder.narrow import Found, Index, SupersededError
from finder.places import Places
from finder.registry import Registry
from tests.memory import Shelf, library

FIXTURES = Path(__file__).parents[2] / "fixtures"
WORDS = "login bug fix Fehler größe 検索 parser of the build explore cache_key api".split()


def summary(rows: Found | tuple[Row, ...]) -> list[object]:
    return [
        (
            row.session.ref,
            row.score,
            [(b.session.ref, b.depth) for b in row.subagents],
            [b.session.ref for b in row.matched_subagents],
        )
        for row in rows
    ]


def made(path: Path, count: int, seed: int) -> Shelf:
    """Sessions with few words, so that queries match many; parents in trees and circles."""
    chance = random.Random(seed)
    shelf = Shelf(path)
    ids = [f"ses_{chance.randrange(16**12):012x}" for _ in range(count)]
    for number, identifier in enumerate(ids):
        parent = chance.choice([None, None, chance.choice(ids), "ses_nobody"])
        shelf.add(
            identifier,
            chance.choice([None, " ".join(chance.choices(WORDS, k=chance.randrange(1, 6)))]),
            parent=parent,
            updated=chance.choice([None, chance.randrange(100), number]),
            created=chance.choice([None, chance.randrange(100)]),
            directory=chance.choice([None, "/home/u/login", "/home/u/api/", "C:\\Users\\bug"]),
            agent=chance.choice([None, "build", "explore"]),
        )
    return shelf


QUERIES = [
    "", "l", "lo", "login", "login b", "login bug", "LOGIN  bug", "lgoin", "fehlr", "grösse",
    "検", "build", "uild", "the of", "cache", "cache_key", "key", "explroe", "zzzz", "/home",
    "parsr lgin",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
def test_the_rows_are_those_of_find(tmp_path: Path, seed: int) -> None:
    shelf = made(tmp_path, 120, seed)
    index = Index(library(shelf))
    ids = [session.ref.id for session in shelf.sessions[:6]]
    queries = [*QUERIES, *ids, *(f"mem:{i[:9]}" for i in ids), *(i[:-2].upper() for i in ids)]
    random.Random(seed).shuffle(queries)  # what was asked before must not matter
    for text in queries:
        words = tuple(text.split())
        answer = find(library(shelf), Query(words=words))
        found = index.search(words)
        assert summary(found)[:20] == summary(answer.rows), text
        assert (len(found) > 20) == answer.more, text


@pytest.mark.parametrize(
    "query",
    [
        Query(directories=("/home/u",)),
        Query(agent="Build"),
        Query(since=30, archived=False),
        Query(here=("/home/u/api",)),
    ],
    ids=["directory", "agent", "since", "here"],
)
def test_filters_are_those_of_find(tmp_path: Path, query: Query) -> None:
    shelf = made(tmp_path, 120, 1)
    index = Index(library(shelf), query)
    for text in QUERIES:
        words = tuple(text.split())
        answer = find(library(shelf), query._replace(words=words))
        assert summary(index.search(words))[:20] == summary(answer.rows), text


@pytest.mark.parametrize("limit", [0, 2, 3, 20])
def test_typing_errors_fill_what_room_is_left(tmp_path: Path, limit: int) -> None:
    shelf = Shelf(tmp_path)
    for number, title in enumerate(["Fix login", "Fix lgoin", "Log in", "Login page"]):
        shelf.add(f"ses_{number}", title, updated=number)
    query = Query(limit=limit, words=("login",))
    index = Index(library(shelf), query)
    index.prepare()
    found = index.search(query.words)
    assert summary(found) == summary(find(library(shelf), query).rows)
    assert len(found) == (2 if limit == 2 else 3)


@pytest.mark.parametrize("count", [1, 5, 121])
def test_the_newest_are_folded_as_all_are(tmp_path: Path, count: int) -> None:
    shelf = made(tmp_path, 120, 4)
    index = Index(library(shelf), newest=count)
    assert index.whole == (count == 121)
    every = find(library(shelf), Query(limit=0))
    for text in ("", "l", "login"):
        found = index.search(tuple(text.split()))
        for row in found:
            whole = next(one for one in every.rows if one.session.ref == row.session.ref)
            assert row.subagents == tuple(whole.subagents)
            assert row.session == whole.session
    assert len(index.search(())) == len(every.rows) or count < 121
    assert len(index) >= min(count, 120)
    held = {row.session.ref for row in index.search(())}
    newest = sorted(shelf.sessions, key=lambda s: (s.updated is None, -(s.updated or 0)))[:count]
    tops = {session.ref for session in newest if session.parent is None}
    assert tops <= held


def test_a_session_that_has_gone_is_still_a_row(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.add("ses_1", "Fix login", updated=5, directory="/home/u")
    index = Index(library(shelf))
    shelf.sessions.clear()
    (row,) = index.search(("login",))
    assert (row.session.title, row.session.updated) == ("Fix login", 5)
    assert row.session.ref == ("mem", str(tmp_path), "ses_1")


def test_on_all_fixtures(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES, tmp_path / "fixtures")
    registry, places = Registry.installed(), Places.under(tmp_path)
    index = Index(Library.open(registry, places, [tmp_path]))
    for text in ("", "hello", "heloo", "a", "read the file", "ses_"):
        words = tuple(text.split())
        answer = find(Library.open(registry, places, [tmp_path]), Query(words=words))
        assert summary(index.search(words))[:20] == summary(answer.rows), text


def test_a_query_that_goes_on_looks_at_what_is_left(tmp_path: Path) -> None:
    shelf = made(tmp_path, 200, 3)
    index = Index(library(shelf))
    index.search(("login",))
    assert 0 < len(index._candidates(("login", "bug"))) < 200
    assert index._candidates(("log",)) == index._fitting, "a wider query starts anew"
    for number in range(100):
        index.search((f"{number}x",))
    assert len(index._left) <= 32


def test_an_answer_that_nobody_wants_any_more_ends(tmp_path: Path) -> None:
    shelf = made(tmp_path, 20, 3)
    with pytest.raises(SupersededError):
        Index(library(shelf)).search(("login",), wanted=lambda: False)
