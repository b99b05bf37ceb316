"""Foreign text on a terminal."""

from __future__ import annotations

import tracemalloc
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finder.render import text

_HARMLESS_FORMAT = "\u200c\u200d"  # joiners, where they are needed to spell


@given(st.text(st.characters(exclude_categories=())))
def test_nothing_live_is_left(value: str) -> None:
    for shown in (text.block(value), text.line(value)):
        for character in shown:
            category = unicodedata.category(character)
            assert category not in {"Cc", "Cs"} or character in "\n\t", ascii(character)
            assert category not in {"Zl", "Zp"}, ascii(character)
            bidi = unicodedata.bidirectional(character)
            assert bidi not in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
        shown.encode()
    assert not set("\n\t\r") & set(text.line(value))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a\x1b[31mred\x1b]0;title\x07", "a␛[31mred␛]0;title␇"),
        ("\x9b31m", "<U+009B>31m"),
        ("safe\u202etxt.exe", "safe<U+202E>txt.exe"),
        ("pass\u200dword\u200b", "pass<U+200D>word<U+200B>"),
        ("\U000e0041", "<U+E0041>"),
        ("half \ud83d", "half \ufffd"),
        ("over\rwritten", "over␍written"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("two\r\nlines\there", "two\nlines\there"),
    ],
)
def test_marks(value: str, shown: str) -> None:
    assert text.block(value) == shown


@given(st.text(st.sampled_from("ab \t\n\r\x1c\x1f\x7f\x85\xa0\u2028\u3000é")))
def test_a_line_has_the_words_with_a_space_between(value: str) -> None:
    assert text.line(value) == " ".join(map(text.line, value.split()))


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_is_marked_as_it_is_among_other_text(value: str) -> None:
    assert text.block(value.replace("\r\n", "\n") + "é") == text.block(value) + "é"


def test_a_line_is_one_line() -> None:
    assert text.line("  a\n\n b\t\u2028c\r\nd ") == "a b c d"


@given(
    st.lists(
        st.sampled_from(["\r\n", "\r", "\n", "a", "é", "\u200d", "\u202e", "\x1b"])
        | st.characters(),
        max_size=30,
    ).map("".join)
)
def test_in_pieces_a_text_is_what_it_is_as_a_whole(value: str) -> None:
    whole = text.block(value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "_PIECE", 2)
        assert "".join(text.pieces(value)) == value
        assert text.block(value) == whole
        assert "".join(map(text.block, text.pieces(value))) == whole


def test_marks_take_little_more_memory_than_they_have_letters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(text, "_PIECE", 1_000)
    value = "\x1b" * 100_000
    tracemalloc.start()
    try:
        assert text.block(value) == "␛" * 100_000  # of two bytes each
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_of_megabytes_a_line_tells_the_beginning_and_how_much_there_is() -> None:
    words = "many words\n" * 200_000
    shown = text.line(words)
    assert shown.startswith("many words many words ")
    assert shown.endswith("… (2,200,000 characters)")
    assert len(shown) < 101_000
    assert text.line("x" * 100_000) == "x" * 100_000


def test_width_and_cutting() -> None:
    assert [text.width(t) for t in ("abc", "日本", "e\u0301", "👍")] == [3, 4, 1, 2]
    assert text.cut("日本語", 6) == "日本語"
    assert text.cut("日本語", 5) == "日本…"
    assert text.cut("日本語", 4) == "日…"
    assert text.cut("abc", 0) == ""
    assert text.cut_start("/home/dev/code", 6) == "…/code"
    assert text.padded("日", 4) == "日  "


@given(st.text(), st.integers(1, 30))
def test_what_is_cut_fits(value: str, columns: int) -> None:
    shown = text.line(value)
    assert text.width(text.cut(shown, columns)) <= columns
    assert text.width(text.cut_start(shown, columns)) <= columns


def test_home_is_short() -> None:
    assert text.home_short("/home/dev/x", "/home/dev") == "~/x"
    assert text.home_short("/home/dev", "/home/dev") == "~"
    assert text.home_short("/home/developer", "/home/dev") == "/home/developer"
    assert text.home_short("/x", "/") == "/x"


def test_wrapping_leaves_nothing_out() -> None:
    assert list(text.wrapped("one two three", 8)) == ["one two", "three"]
    assert list(text.wrapped("    indented words", 12)) == ["    indented", "words"]
    assert list(text.wrapped("unbreakable", 4)) == ["unbr", "eaka", "ble"]
    assert list(text.wrapped("日本語のテキスト", 5)) == ["日本", "語の", "テキ", "スト"]
    assert list(text.wrapped("", 5)) == [""]
    assert list(text.wrapped("a" * 10, 10)) == ["a" * 10]


@given(st.text(st.sampled_from("aab  \t")), st.integers(0, 9))
def test_ascii_is_wrapped_as_other_text_is(value: str, columns: int) -> None:
    other = text.wrapped(value.replace("a", "é"), columns)
    assert list(other) == [piece.replace("a", "é") for piece in text.wrapped(value, columns)]


@given(st.text(alphabet="ab 日é\u0301", max_size=60), st.integers(1, 12))
def test_wrapped_lines_fit(value: str, columns: int) -> None:
    pieces = list(text.wrapped(value, columns))
    assert all(text.width(piece) <= max(columns, 2) for piece in pieces)
    joined = "".join(pieces)
    assert joined.replace(" ", "") == value.replace(" ", "")
    assert value.count(" ") - joined.count(" ") <= len(pieces)
