from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finder.words import Sought, Span, Term, folded


@pytest.mark.parametrize(
    ("typed", "terms"),
    [
        (["retry backoff"], ["retry", "backoff"]),
        (["retry", "backoff"], ["retry", "backoff"]),
        (['"retry backoff" timeout'], ["retry backoff", "timeout"]),
        (['say "never ends'], ["say", "never ends"]),
        (["Retry RETRY"], ["retry"]),
        (['""', "  ", ""], []),
        (["größe"], ["grösse"]),
    ],
)
def test_words_and_phrases(typed: list[str], terms: list[str]) -> None:
    assert [" ".join(term.words) for term in Sought.of(typed).terms] == terms


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("STRASSE", "straße"),
        ("Straße", "STRASSE"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("ПРИВЕТ", "привет"),
        ("cafe\u0301", "café"),
        ("\ufb01x", "FIX"),
        ("retry\n    Backoff", "retry backoff"),
    ],
)
def test_case_and_composition_make_no_difference(text: str, term: str) -> None:
    assert Term(term).find(folded(text))


def test_other_words_are_not_found() -> None:
    assert Term("resume").find(folded("résumé")) is None
    assert Term("retry backoff").find(folded("retrybackoff")) is None


def test_a_term_is_found_where_it_stands() -> None:
    term = Term("ab")
    assert term.find("xxab ab") == Span(2, 4)
    assert term.find("xxab ab", 3) == Span(5, 7)


def test_pieces_are_the_runs_of_letters_and_digits() -> None:
    assert Term("src/app_v2.py").pieces == ("src", "app", "v2", "py")
    assert Term("=>").pieces == ()


@given(st.text(max_size=40))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert folded(folded(text)) == folded(text)
