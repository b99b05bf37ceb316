"""The words of a store's titles: kept, checked against the store, never needed."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.opencode.database import OpenCodeDatabase
from finder.adapter import Named, Store
from finder.find import Query, find
from finder.library import Library
from finder.places import Places
from finder.registry import Registry
from tests.bench.opencode_stores import make_database
from tests.bench.planted import TARGET_TITLE
from tests.bench.sessions import Shape

TYPED = ("legder", "drift", "quaterly")


class Watched(OpenCodeDatabase):
    """Counts the names that it was asked for."""

    given: list[int]

    def names(self, store: Store, since: int | None = None) -> Iterator[Named]:
        found = list(super().names(store, since))
        self.given.append(len(found))
        yield from found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_database(tmp_path / "home", Shape(sessions=60, text=60_000))
    return tmp_path / "home"


@pytest.fixture
def search(home: Path, tmp_path: Path) -> Callable[..., tuple[list[str | None], list[int]]]:
    """Searches; gives the titles, and how many names were read each time they were asked for."""

    def run(*words: str, cache: Path = tmp_path / "cache") -> tuple[list[str | None], list[int]]:
        adapter = Watched()
        adapter.given = []
        places = Places(home=home, cwd=home, env={"FINDER_CACHE_DIR": str(cache)})
        library = Library.open(Registry.of(adapter), places)
        answer = find(library, Query(words=words))
        assert not answer.problems
        return [row.session.title for row in answer.rows], adapter.given

    return run


Search = Callable[..., tuple[list[str | None], list[int]]]


def database(home: Path) -> Path:
    return home / ".local/share/opencode/opencode.db"


def kept(tmp_path: Path) -> Path:
    (file,) = (tmp_path / "cache" / "words").iterdir()
    return file


def renamed(home: Path, title: str) -> None:
    with closing(sqlite3.connect(database(home))) as connection:
        query = "UPDATE session SET title = ?, time_updated = time_updated + 99 WHERE title = ?"
        assert connection.execute(query, (title, TARGET_TITLE)).rowcount == 1
        connection.commit()


def test_all_names_are_read_once_and_then_none(search: Search) -> None:
    assert search(*TYPED) == ([TARGET_TITLE], [60])
    assert search(*TYPED) == ([TARGET_TITLE], [])


def test_words_that_are_there_are_found_whatever_is_kept(search: Search) -> None:
    assert search("ledger", "drift") == ([TARGET_TITLE], [60])
    assert search("ledger", "drift") == ([TARGET_TITLE], [])


def test_after_a_change_only_what_was_updated_since_is_read(search: Search, home: Path) -> None:
    search(*TYPED)
    with closing(sqlite3.connect(database(home))) as connection:
        query = "SELECT id FROM session WHERE parent_id IS NULL ORDER BY time_updated DESC LIMIT 1"
        (root,) = connection.execute(query).fetchone()
        newest = "(SELECT max(time_updated) + 1 FROM session)"
        query = f"UPDATE session SET title = 'Zebrafish', time_updated = {newest} WHERE id = ?"
        connection.execute(query, (root,))
        connection.commit()
    assert search("zebrafihs") == (["Zebrafish"], [2]), "it, and the one that was the newest"
    assert search(*TYPED) == ([TARGET_TITLE], [])


def test_a_title_that_is_gone_is_not_found_though_its_words_are_kept(
    search: Search, home: Path
) -> None:
    search(*TYPED)
    renamed(home, "Something else")
    assert search(*TYPED)[0] == []


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"finder vocabulary 1",
        b"\xff\xfe\x00",
        b"another\nx\n1\nledger",
        b"finder vocabulary 1\nx\nno\nx",
    ],
)
def test_a_damaged_file_is_as_good_as_none(search: Search, tmp_path: Path, damage: bytes) -> None:
    search(*TYPED)
    kept(tmp_path).write_bytes(damage)
    assert search(*TYPED) == ([TARGET_TITLE], [60])
    assert search(*TYPED) == ([TARGET_TITLE], [])


def test_words_that_lead_to_nothing_are_not_believed(search: Search, tmp_path: Path) -> None:
    search(*TYPED)
    head, _, newest, *_ = kept(tmp_path).read_text().split("\n")
    kept(tmp_path).write_text("\n".join([head, "another stamp", newest, "foreign"]))
    titles, given = search(*TYPED)
    assert titles == [TARGET_TITLE]
    assert given == [1, 60], "what was updated since leads to nothing; all are read again"


def test_a_cache_that_cannot_be_written_costs_only_time(search: Search, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert search(*TYPED, cache=blocked / "cache") == ([TARGET_TITLE], [60])


def test_only_its_user_may_read_what_is_kept(search: Search, tmp_path: Path) -> None:
    search(*TYPED)
    assert stat.S_IMODE(kept(tmp_path).stat().st_mode) == 0o600
