"""A bar where a person waits, and nothing anywhere else."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time

import pytest

from finder.render.progress import Progress, Waiting


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def work(stream: io.StringIO, *, after: float, total: int | None = 300) -> str:
    with Progress("Reading sessions", stream=stream, after=after) as progress:
        for done in range(1, 4):
            progress(done * 100, total)
            time.sleep(0.11)
    return stream.getvalue()


@pytest.fixture(autouse=True)
def _a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


def test_a_terminal_is_shown_how_much_is_done_and_left_as_it_was() -> None:
    said = work(Terminal(), after=0)
    for count in ("100/300", "200/300", "300/300"):
        assert count in said
    assert "Reading sessions" in said
    assert said.endswith("\x1b[2K"), "the bar's line is wiped"


def test_how_much_there_is_may_be_unknown() -> None:
    assert "200/?" in work(Terminal(), after=0, total=None)


def test_what_is_done_at_once_shows_no_bar() -> None:
    assert work(Terminal(), after=5) == ""


def test_a_pipe_gets_nothing() -> None:
    assert work(io.StringIO(), after=0) == ""


def test_a_terminal_that_cannot_move_its_cursor_gets_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert work(Terminal(), after=0) == ""


def test_an_error_takes_the_bar_away() -> None:
    stream = Terminal()
    with (
        pytest.raises(ZeroDivisionError),
        Progress("Reading", stream=stream, after=0) as progress,
    ):
        progress(1, 2)
        raise ZeroDivisionError
    assert stream.getvalue().endswith("\x1b[2K")


def test_one_bar_is_shown_at_a_time() -> None:
    outer, inner = Terminal(), Terminal()
    with Progress("Searching", stream=outer, after=0) as progress:
        progress(1, 2)
        assert work(inner, after=0) == ""
    assert "1/2" in outer.getvalue()
    assert work(Terminal(), after=0)


def waited(stream: io.StringIO, *, after: float) -> str:
    with Waiting("Searching texts", stream=stream, after=after):
        time.sleep(0.5)
    return stream.getvalue()


def test_who_waits_sees_that_it_goes_on_and_then_nothing() -> None:
    said = waited(Terminal(), after=0)
    assert said.count("Searching texts") > 1
    assert "0/?" not in said
    assert said.endswith("\x1b[2K")
    assert waited(Terminal(), after=5) == ""
    assert waited(io.StringIO(), after=0) == ""


def test_an_error_ends_the_waiting() -> None:
    with pytest.raises(ZeroDivisionError), Waiting("Searching", stream=Terminal(), after=5):
        raise ZeroDivisionError
    assert [thread.name for thread in threading.enumerate() if thread.daemon] == []


def test_nothing_is_loaded_before_there_is_a_bar() -> None:
    code = (
        "import sys; from finder.render.progress import Progress\n"
        "with Progress('x') as progress: progress(1, 2)\n"
        "sys.exit('rich' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0
