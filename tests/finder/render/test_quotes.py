"""Snippets: harmless, on one line, with the found words in view and highlighted."""

from __future__ import annotations

import re

import pytest

from finder.content import Quote, hit
from finder.find import Heard, Row
from finder.library import Entry
from finder.model import Ref, Session, Text, ToolResult
from finder.render.quotes import quoted, snippet, where
from finder.render.text import width
from finder.words import Sought

LONG = "some words before it " * 20 + "the needle in it" + " and some after it" * 20


def quote(text: str, *words: str) -> Quote:
    found = hit([Text(text=text, role="user")], Sought.of(words))
    assert found is not None
    return found.quotes[0]


def row(session: Session, heard: Session, text: str, word: str) -> Row:
    found = hit([Text(text=text, role="user")], Sought.of([word]))
    assert found is not None
    entry = Entry(session=session, copies=(session,), also_in=())
    return Row(entry=entry, heard=Heard(heard, found))


def test_found_words_stand_between_marks() -> None:
    shown = snippet(quote("Fix the retry of a RETRY", "retry", "fix"), None, ("<", ">"))
    assert shown == "<Fix> the <retry> of a RETRY"


def test_words_within_words_are_marked_once() -> None:
    assert snippet(quote("a needlework", "needle", "needlework"), None, ("<", ">")) == (
        "a <needle><work>"
    )


def test_control_characters_are_shown_as_marks_and_lines_are_joined() -> None:
    said = "\x1b]0;pwn\x07\n\n  a \x1b[31mneedle\x1b[0m\u202e\r\nend"
    shown = snippet(quote(said, "needle"), None)
    assert shown == "␛]0;pwn␇ a ␛[31mneedle␛[0m<U+202E> end"


def test_a_control_character_within_what_was_found_is_no_way_out() -> None:
    shown = snippet(quote("see \x1b[2Jneedle", "\x1b[2jneedle"), None, ("<", ">"))
    assert shown == "see <␛[2Jneedle>"


@pytest.mark.parametrize("columns", [20, 21, 30, 50, 79, 200])
@pytest.mark.parametrize("text", [LONG, "設定 " * 60 + "the needle 設定 " + "ファイル" * 60])
def test_what_was_found_stays_in_view(text: str, columns: int) -> None:
    shown = snippet(quote(text, "needle"), columns, ("<", ">"))
    assert "<needle>" in shown
    assert width(shown) - 2 <= columns


def test_a_text_that_goes_on_says_so() -> None:
    shown = snippet(quote(LONG, "needle"), None)
    assert shown.startswith("…")
    assert shown.endswith("…")
    assert snippet(quote("needle", "needle"), 80) == "needle"


def test_an_event_is_named_by_number_speaker_and_labels() -> None:
    result = ToolResult(call="c", output="needle", labels=("truncated", "inferred"))
    found = hit([Text(text="x"), result], Sought.of(["needle"]))
    assert found is not None
    assert where(found.quotes[0]) == "#1 tool output [truncated]"
    assert where(quote("needle", "needle")) == "#0 user"


def test_each_row_is_followed_by_its_quotes() -> None:
    parent = Session(ref=Ref("t", "/s", "one"))
    child = Session(ref=Ref("t", "/s", "two\x1b[2J"), agent="explore")
    rows = [row(parent, parent, "a needle", "needle"), row(parent, child, "x needle", "needle")]
    lines = list(quoted(["HEAD", "one", "two"], rows, room=80, colour=False))
    assert lines == [
        "HEAD",
        "one",
        "    #0 user: a needle",
        "two",
        "    ↳ two␛[2J (explore)",
        "    #0 user: x needle",
    ]


def test_colours_change_nothing_but_the_colours() -> None:
    session = Session(ref=Ref("t", "/s", "one"))
    rows = [row(session, session, LONG, "needle")]
    plain = list(quoted(["HEAD", "one"], rows, room=60, colour=False))
    coloured = list(quoted(["HEAD", "one"], rows, room=60, colour=True))
    assert "\x1b[1;31mneedle\x1b[0m" in coloured[2]
    assert [re.sub(r"\x1b\[[\d;]*m", "", one) for one in coloured] == plain
