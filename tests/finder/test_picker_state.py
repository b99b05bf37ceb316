"""What the picker holds and shows, without a screen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finder.cli.picker import work
from finder.cli.picker.show import Layout, problem_line, row_line, status_line, target_line
from finder.cli.picker.state import Answer, State, Target
from finder.cli.picker.work import Searching, Worker, portions
from finder.find import Query, Row, find
from finder.model import Problem
from finder.render.text import width
from tests.memory import Shelf, library, unreadable

NOW = 1_800_000_000_000


def rows(*titles: str) -> tuple[Row, ...]:
    shelf = Shelf(Path("/shelf"))
    for number, title in enumerate(titles):
        shelf.add(f"ses_{number}", title, updated=NOW - number)
    return find(library(shelf), Query()).rows


def until(true: Callable[[], Any], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.005)


# -- state ----------------------------------------------------------------------------------


def test_the_selection_stays_within_the_rows() -> None:
    state = State(answer=Answer(text="", rows=rows("a", "b", "c")))
    for by, place in ((-1, 0), (1, 1), (5, 2), (1, 2), (-9, 0)):
        state.move(by)
        assert state.selected == place
    empty = State()
    empty.move(1)
    assert empty.selected == 0
    assert empty.row is None


def test_enter_waits_for_the_answer_to_what_was_typed() -> None:
    first, second = rows("wrong", "right")
    state = State(answer=Answer(text="", rows=(first, second)))
    assert state.typed("right")
    assert state.want("resume") is None, "the rows are still those of before"
    assert state.take(Answer(text="rig", rows=(first,))) is None, "nor is this its answer"
    choice = state.take(Answer(text="right", rows=(second,)))
    assert choice is not None
    assert choice.row is second
    assert choice.deed == "resume"
    assert state.waiting is None


def test_enter_waits_for_all_sessions_but_not_on_what_is_shown() -> None:
    some, best = rows("some", "best")
    state = State(answer=Answer(text="", rows=(some,)))
    state.typed("lo")
    assert state.want("resume") is None
    assert state.take(Answer(text="lo", rows=(some,), sure=False)) is None
    assert state.row is some
    choice = state.take(Answer(text="lo", rows=(best, some)))
    assert choice is not None
    assert choice.row is best
    state.typed("log")
    state.take(Answer(text="log", rows=(some,), sure=False))
    choice = state.want("resume")
    assert choice is not None
    assert choice.row is some


def test_what_is_sure_is_not_unsettled_by_what_is_not() -> None:
    some, best = rows("some", "best")
    state = State(answer=Answer(text="lo", rows=(best,)), text="lo")
    state.take(Answer(text="lo", rows=(some,), sure=False))
    assert state.row is best


def test_typing_on_takes_back_an_enter() -> None:
    state = State(answer=Answer(text="", rows=rows("a")))
    state.typed("a")
    state.want("resume")
    state.typed("ab")
    assert state.take(Answer(text="ab", rows=rows("ab"))) is None


def test_spaces_ask_for_nothing_new() -> None:
    state = State(answer=Answer(text="a", rows=rows("a")), text="a")
    assert not state.typed("a ")
    assert not state.behind


def test_the_same_query_answered_anew_keeps_the_selected_session() -> None:
    a, b, c = rows("a", "b", "c")
    state = State(answer=Answer(text="", rows=(a, b)), selected=1)
    state.take(Answer(text="", rows=(a, c, b)))
    assert state.row is b
    state.take(Answer(text="", rows=(a, c)))
    assert state.row is a, "it is gone"
    state.typed("x")
    state.take(Answer(text="x", rows=(c, b)))
    assert state.selected == 0


def test_a_conversion_asks_for_its_target() -> None:
    (row,) = rows("a")
    targets = [Target(to="html"), Target(to="opta", install=True), Target(to="opta")]
    state = State(answer=Answer(text="", rows=(row,)), targets=targets)
    assert state.want("convert") is None
    state.move(-1)
    state.move(-1)
    choice = state.decided()
    assert choice is not None
    assert (choice.deed, choice.target) == ("convert", targets[1])
    assert state.converting is None
    assert state.decided() is None


def test_nothing_selected_is_said() -> None:
    state = State()
    assert state.want("resume") is None
    assert state.said == "no session is selected"


# -- lines ----------------------------------------------------------------------------------


def text(pieces: list[tuple[str, str]]) -> str:
    return "".join(piece for _, piece in pieces)


@pytest.mark.parametrize("room", [20, 40, 59, 60, 80, 110, 200])
@pytest.mark.parametrize(
    "title",
    [
        "short",
        "long " * 40,
        "検索機能を" * 20,
        "שלום עולם " * 20,
        "é" * 99,
        "\x1b[2J\n\u202egnp\x00",
    ],
    ids=["short", "long", "wide", "right-to-left", "combining", "hostile"],
)
def test_a_row_fills_its_line_and_is_harmless(room: int, title: str) -> None:
    shelf = Shelf(Path("/shelf"))
    shelf.add("ses_1", title, updated=NOW, directory="/home/u/\x1b[31m/" + "deep/" * 30,
              labels=("forked",))  # fmt: skip
    shelf.add("ses_2", "child", parent="ses_1")
    (row,) = find(library(shelf), Query()).rows
    layout = Layout.of(room, ["mem", "opencode"])
    shown = text(row_line(row, layout, ["long"], selected=False, now=NOW, home="/home/u"))
    assert width(shown) == max(room, 0) or room < 40
    assert not any(ord(c) < 32 or 0x202A <= ord(c) <= 0x202E for c in shown)
    assert "+1" in shown
    if room >= 60:
        assert "[forked]" in shown
    if room >= 110:
        assert "deep" in shown


def test_the_words_of_the_query_are_marked() -> None:
    (row,) = rows("Fix LOGIN, then login again")
    layout = Layout.of(80, ["mem"])
    pieces = row_line(row, layout, ["login"], selected=False, now=NOW, home="")
    assert [t for style, t in pieces if style == "class:match"] == ["LOGIN", "login"]
    pointer, *chosen = row_line(row, layout, ["login"], selected=True, now=NOW, home="")
    assert pointer == ("class:pointer", "▌ ")
    # One bar: no colour, which would become a background of its own.
    assert {style.strip() for style, _ in chosen} == {
        "class:selected",
        "class:match class:selected",
    }
    (odd,) = rows("Straße İstanbul login")  # folded, it has other places
    pieces = row_line(odd, layout, ["login"], selected=False, now=NOW, home="")
    assert "login" in text(pieces)


def test_a_store_that_is_broken_is_named_in_the_status() -> None:
    problem = Problem(kind="locked", path="/home/u/\x1bx.db", message="is locked")
    other = Problem(kind="corrupt", path="/b", message="line 3 is damaged", record="line 3")
    state = State(answer=Answer(text="", rows=rows("a"), held=1_000), problems=(other, problem))
    shown = text(status_line(state, reading=True, home="/home/u"))
    assert (
        shown
        == " 1 shown · 1,000 sessions · reading all of them … · 2 problems, as ~/␛x.db: is locked"
    )
    assert problem_line((problem,), "/") == "/home/u/␛x.db: is locked"
    state.typed("other")
    assert "searching" in text(status_line(state, reading=False, home=""))
    unsure = State(answer=Answer(text="", rows=rows("a"), more=True, sure=False))
    assert text(status_line(unsure, reading=False, home="")) == " 1+ shown · searching …"
    settled = State(answer=Answer(text="", rows=rows("a")))
    assert text(status_line(settled, reading=False, home="")) == " 1 shown"


def test_targets_say_where_they_go() -> None:
    assert "installed" in text(target_line(Target(to="opta", install=True), selected=False))
    assert text(target_line(Target(to="html"), selected=True)).startswith("▌ html")


# -- workers --------------------------------------------------------------------------------


def test_a_worker_works_on_what_was_asked_last() -> None:
    done: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def work(item: int, wanted: Callable[[], bool]) -> None:
        begun.set()
        assert go_on.wait(20)
        if wanted():
            done.append(item)

    worker: Worker[int] = Worker(work, lambda error: None)
    worker.ask(1)
    assert begun.wait(20)
    worker.ask(2)
    worker.ask(3)
    go_on.set()
    until(lambda: done)
    worker.end()
    assert done == [3]


def test_what_a_worker_raises_is_told_and_it_goes_on() -> None:
    told: list[Exception] = []
    done: list[int] = []

    def work(item: int, wanted: Callable[[], bool]) -> None:
        done.append(10 // item)

    worker: Worker[int] = Worker(work, told.append)
    worker.ask(0)
    until(lambda: told)
    worker.ask(5)
    until(lambda: done)
    worker.end()
    assert isinstance(told[0], ZeroDivisionError)
    assert done == [2]


def titles(answer: Answer) -> list[str | None]:
    return [row.session.title for row in answer.rows]


@pytest.mark.parametrize(
    ("text", "told", "asked"), [("lo", "", False), ("login", "login", True), ("検", "検", True)]
)
def test_the_newest_answer_first_then_the_stores_and_then_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str, asked: bool
) -> None:
    """But a letter or two, which stores take long to find, wait for all sessions."""
    monkeypatch.setattr(work, "_NEWEST", 20)
    shelf = Shelf(tmp_path)
    for number in range(50):
        shelf.add(f"ses_{number:04}", f"x{text}y {number}", updated=number)
    shelf.add("ses_old", f"{text} of old", updated=0)
    searching = Searching(library(shelf), lambda: library(shelf), Query(limit=10))
    assert searching.first(text).text == told
    assert not searching.whole
    (some,) = searching.answers(text, lambda: True)
    assert titles(some)[0] == f"x{text}y 49"
    assert (some.more, some.held, some.sure) == (True, None, False)
    told_by_stores = searching.ask(text)
    assert (told_by_stores is not None) == asked
    searching.read()
    assert searching.whole
    assert searching.ask(text) is None
    (late,) = searching.answers(text, lambda: True)
    assert (len(late.rows), late.more, late.held, late.sure) == (51, False, 51, True)
    assert titles(late)[0] == f"{text} of old"
    if told_by_stores is not None:
        assert titles(told_by_stores) == titles(late)[:10]
        assert (told_by_stores.more, told_by_stores.sure) == (True, True)
    assert not list(searching.answers(text, lambda: False))


def test_of_very_many_sessions_the_newest_are_looked_through_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "_NEWEST", 5)
    monkeypatch.setattr(work, "_MANY", 10)
    shelf = Shelf(tmp_path)
    for number in range(20):
        shelf.add(f"ses_{number:04}", f"xlox q{'abcd'[number % 4]}", updated=number)
    searching = Searching(library(shelf), lambda: library(shelf), Query(limit=10))
    searching.read()
    some, every = searching.answers("lo", lambda: True)
    assert (len(some.rows), some.more, some.held, some.sure) == (5, True, 20, False)
    assert (len(every.rows), every.more, every.held, every.sure) == (20, False, 20, True)
    assert titles(some) == titles(every)[:5]
    list(searching.answers("qb", lambda: True))
    (narrower,) = searching.answers("lox qb", lambda: True)
    assert len(narrower.rows) == 5, "few are left to look at"
    some, every = searching.answers("", lambda: True)
    assert titles(some) == titles(every)[:5]


def test_what_is_in_memory_at_once_need_not_be_read_again(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.add("ses_1", "Fix login")
    searching = Searching(library(shelf), lambda: library(shelf), Query(limit=10))
    searching.begin()
    assert searching.whole
    (answer,) = searching.answers("lo", lambda: True)
    assert (len(answer.rows), answer.held, answer.sure) == (1, 1, True)


def test_a_store_that_cannot_be_read_is_a_problem_of_the_rest(tmp_path: Path) -> None:
    good, bad = Shelf(tmp_path / "good"), Shelf(tmp_path / "bad")
    good.add("ses_1", "there")
    bad.error = unreadable(bad.path)
    searching = Searching(library(good, bad), lambda: library(good, bad), Query())
    assert len(searching.first("").rows) == 1
    assert [p.kind for p in searching.read().problems] == ["locked"]
    assert searching.index is not None
    assert len(searching.index) == 1


def test_a_preview_grows_in_portions() -> None:
    def lines(count: int) -> Any:
        return (str(n) for n in range(count))

    assert [(len(part), whole) for part, whole in portions(lines(3), 5, 100)] == [(3, True)]
    shown = [(len(part), whole) for part, whole in portions(lines(90), 5, 100)]
    assert shown == [(5, False), (20, False), (80, False), (90, True)]
    assert list(portions(lines(101), 60, 100))[-1][1] is False
    assert list(portions(lines(100), 60, 100))[-1][1] is True
