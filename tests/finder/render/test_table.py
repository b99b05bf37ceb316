"""Answers as tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from finder.find import Query, find
from finder.render.table import Column, age, session_table, table
from finder.render.text import width
from tests.memory import Shelf, library

DAY = 86_400_000
NOW = 20_000 * DAY


@pytest.mark.parametrize(
    ("ago", "shown"),
    [
        (0, "now"), (59_000, "now"), (60_000, "1m"), (3_600_000, "1h"), (DAY, "1d"),
        (6 * DAY, "6d"), (8 * DAY, "1w"), (31 * DAY, "1mo"), (400 * DAY, "1y"), (-DAY, "now"),
    ],
)  # fmt: skip
def test_ages(ago: int, shown: str) -> None:
    assert age(NOW - ago, NOW) == shown
    assert age(None, NOW) == "?"


def lines(room: int | None, *, numbered: bool = False) -> list[str]:
    shelf = Shelf(Path("/shelf"))
    shelf.add(
        "ses_0123456789abcdef0123456789",
        "日本語の題名 and a \x1b[31mlong\x1b[0m title " * 4,
        directory="/home/dev/some/deep/folder",
        updated=NOW - DAY,
        labels=("archived", "inferred"),
    )
    shelf.add("kid", parent="ses_0123456789abcdef0123456789", updated=1)
    answer = find(library(shelf), Query())
    return list(session_table(answer.rows, now=NOW, home="/home/dev", room=room, numbered=numbered))


@pytest.mark.parametrize("room", [40, 60, 80, 120, 200])
def test_a_table_fits_and_ids_stay_whole(room: int) -> None:
    shown = lines(room)
    assert len(shown) == 2
    assert "ses_0123456789abcdef0123456789" in shown[1]
    assert "\x1b" not in "".join(shown)
    # The id alone takes 30 columns, and is never cut.
    assert room < 60 or all(width(one) <= room for one in shown)


@pytest.mark.parametrize(
    ("room", "left"),
    [
        (36, "# TOOL TITLE SUB AGE"),
        (50, "# TOOL TITLE SUB MSGS AGE"),
        (64, "# TOOL TITLE SUB MSGS AGE DIRECTORY"),
        (99, "# TOOL TITLE SUB MSGS AGE DIRECTORY"),
        (100, "# TOOL TITLE SUB MSGS AGE DIRECTORY ID"),
    ],
)
def test_where_rows_have_numbers_ids_give_way_first(room: int, left: str) -> None:
    shown = lines(room, numbered=True)
    assert " ".join(shown[0].split()) == left
    assert all(width(one) <= room for one in shown)
    assert ("ses_0123456789abcdef0123456789" in shown[1]) == ("ID" in left)


def test_in_a_pipe_there_is_room() -> None:
    shown = lines(None)
    assert "~/some/deep/folder" in shown[1]
    assert shown[0].split() == ["TOOL", "TITLE", "SUB", "AGE", "DIRECTORY", "ID"]


def test_columns_are_aligned() -> None:
    columns = [Column(title="A"), Column(title="N", right=True), Column(title="B")]
    assert list(table(columns, [["日本", "7", "x"], ["abc", "10", "y"]], room=None)) == [
        "A      N  B",
        "日本   7  x",
        "abc   10  y",
    ]


def test_one_very_wide_cell_does_not_widen_the_others() -> None:
    columns = [Column(title="A", least=4), Column(title="B")]
    shown = list(table(columns, [["x" * 5000, "1"], ["y", "2"]], room=None))
    assert shown[1] == "x" * 5000 + "  1"
    assert shown[2] == "y" + " " * 199 + "  2"
    assert list(table(columns, [["x" * 5000, "1"]], room=40))[1] == "x" * 36 + "…  1"
