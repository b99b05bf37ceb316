"""Listing everything: the same rows as a search that holds all headers, in little memory."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finder.errors import ExitCode
from finder.find import Query, Row, Sort, find
from finder.listing import Listing
from tests.memory import Shelf, library, unreadable

ORDERS: tuple[Sort | None, ...] = (None, "updated", "created", "title", "relevance")


def told(rows: list[Row] | tuple[Row, ...]) -> list[tuple[object, ...]]:
    """All that rows say."""
    return [(r.entry, r.score, len(r.subagents), [*r.subagents]) for r in rows]


def shelves(chance: random.Random) -> list[Shelf]:
    """Some stores of one tool, with copies, trees, and parents in circles and nowhere."""
    found = [
        Shelf(
            Path(f"/shelf{number}"),
            kind=chance.choice(("database", "database", "files")),
            rank=chance.randrange(2),
            superseded_by=(Path("/shelf0"),) if number and chance.random() < 0.5 else (),
        )
        for number in range(chance.randint(1, 3))
    ]
    for number in range(chance.randint(0, 40)):
        for shelf in chance.sample(found, chance.randint(1, len(found))):
            shelf.add(
                f"s{number:02}",
                chance.choice((None, "Apple", "apple", "Pear")),
                updated=chance.choice((None, chance.randrange(9), chance.randrange(9))),
                created=chance.choice((None, chance.randrange(9))),
                agent="build",
                archived=chance.choice((None, None, 5)),
                parent=f"s{chance.randrange(45):02}" if chance.random() < 0.7 else None,
            )
    return found


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10**9),
    sort=st.sampled_from(ORDERS),
    subagents=st.booleans(),
    archived=st.booleans(),
)
def test_the_rows_are_those_of_a_search(
    seed: int, sort: Sort | None, subagents: bool, archived: bool
) -> None:
    """One that is narrowed by an agent who is that of every session."""
    stores = shelves(random.Random(seed))
    query = Query(limit=0, sort=sort, subagents=subagents, archived=archived)
    listed = find(library(*stores), query)
    searched = find(library(*stores), query._replace(agent="Build"))
    assert isinstance(listed.rows, Listing)
    assert not isinstance(searched.rows, Listing)
    assert told([*listed.rows]) == told([*searched.rows])
    assert len(listed.rows) == len(searched.rows)
    few = find(library(*stores), query._replace(limit=4))
    assert told([*few.rows]) == told([*searched.rows])[:4]
    assert few.more == (len(searched.rows) > 4)
    if listed.rows:
        assert listed.rows[0].entry == searched.rows[0].entry
        assert listed.rows[-1].entry == searched.rows[-1].entry
    with pytest.raises(IndexError):
        listed.rows[len(listed.rows)]


def test_few_headers_are_asked_for_at_a_time_and_held() -> None:
    shelf = Shelf(Path("/shelf"))
    for number in range(3000):
        shelf.add(f"s{number:04}", updated=number)
    asked = library(shelf)
    answer = find(asked, Query(limit=0))
    assert len(answer.rows) == 3000
    shelf.asked.clear()
    held = {len(asked.sources[0].known) for _ in answer.rows}
    assert max(held) <= 500
    assert max(len(want.ids or ()) for want in shelf.asked) == 500
    assert len(shelf.asked) == 6


def test_one_that_is_gone_when_its_turn_comes_is_passed_over() -> None:
    shelf = Shelf(Path("/shelf"))
    for number in range(5):
        shelf.add(f"s{number}", updated=number)
    answer = find(library(shelf), Query(limit=0))
    del shelf.sessions[2]
    assert [row.session.ref.id for row in answer.rows] == ["s4", "s3", "s1", "s0"]


def test_a_store_that_fails_on_the_way_is_told() -> None:
    shelf = Shelf(Path("/shelf"))
    shelf.add("s")
    asked = library(shelf)
    answer = find(asked, Query(limit=0))
    assert not answer.problems
    shelf.error = unreadable(shelf.path)
    assert [*answer.rows] == []
    assert [problem.kind for problem in asked.problems] == ["locked"]
    assert asked.status() == ExitCode.UNREADABLE
