"""What is typed, and what comes first: the tables in tests/ranking, held over real stores.

Of each table at least 95 of 100 queries have the expected session first, and all have it among
the first five.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pytest

from finder.find import Query, Row, find
from finder.library import Library
from finder.narrow import Index
from finder.places import Places
from finder.registry import Registry
from tests.bench.opencode_stores import write_database
from tests.ranking.world import CODE, HERE, rows, sessions

FIXTURES = Path(__file__).parents[1] / "fixtures"
_SHOWN = 5
_FIRST = 0.95

Search = Callable[["Asked"], list[Row]]


class Asked(NamedTuple):
    """A line of a table. `here`: the caller's folder; `within`: that of ``--cwd``."""

    query: str
    title: str
    folder: str | None
    here: str | None
    within: str | None

    @classmethod
    def of(cls, cells: list[str]) -> Asked:
        query, title, where = cells
        folder = here = within = None
        words = where.split()
        if words[:1] == ["--cwd"]:
            within, words = words[1], words[2:]
        for word in words:
            named, _, value = word.rpartition(":")
            folder, here = (value, here) if named == "in" else (folder, value)
        return cls(query, title, folder, here, within)

    @property
    def wanted(self) -> Query:
        """The query that the command line makes of it."""
        return Query(
            words=tuple(self.query.split()),
            directories=() if self.within is None else (f"{CODE}/{self.within}",),
            here=() if self.here is None else (f"{CODE}/{self.here}",),
        )

    def place(self, found: list[Row]) -> int | None:
        """Where the expected session stands, from 0."""
        for place, row in enumerate(found[:_SHOWN]):
            session = row.session
            folder = None if self.folder is None else f"{CODE}/{self.folder}"
            if session.title == self.title and folder in {None, session.directory}:
                return place
        return None


def check(table: Path, search: Search) -> None:
    asked = [Asked.of(cells) for cells in rows(table)]
    places = [one.place(search(one)) for one in asked]
    missed = [
        f"{one.query!r}: {one.title!r} is number {'–' if place is None else place + 1}"
        for one, place in zip(asked, places, strict=True)
        if place != 0
    ]
    assert None not in places, missed
    assert places.count(0) >= _FIRST * len(places), missed


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A database of 5,000 sessions, opened."""
    home = tmp_path_factory.mktemp("ranking")
    write_database(home, sessions())
    return Library.open(Registry.installed(), Places.under(home))


def test_there_are_enough_sessions_and_queries() -> None:
    assert len(sessions()) == 5_000
    assert len(rows(HERE / "queries.md")) >= 200
    assert len(rows(HERE / "fixtures.md")) >= 30


def test_what_is_expected_comes_first(library: Library) -> None:
    check(HERE / "queries.md", lambda asked: list(find(library, asked.wanted).rows))


def test_what_is_expected_comes_first_while_typing(library: Library) -> None:
    made: dict[Query, Index] = {}

    def search(asked: Asked) -> list[Row]:
        others = asked.wanted._replace(words=())
        if others not in made:
            made[others] = Index(library, others)
        return list(islice(made[others].search(asked.wanted.words), _SHOWN))

    check(HERE / "queries.md", search)


def test_what_is_expected_of_the_fixtures_comes_first(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("fixtures")
    shutil.copytree(FIXTURES, folder / "fixtures")
    places = Places.under(folder)
    registry = Registry.installed()
    found = Library.open(registry, places, [folder / "fixtures"], ("opencode", "opta", "clacky"))
    check(HERE / "fixtures.md", lambda asked: list(find(found, asked.wanted).rows))
