"""Which words are taken for typing errors of others: all that are near enough, and no more."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from finder.match import Matcher, _errors, _near, typos_allowed

LETTERS = "abcdö"


def mistyped(data: st.DataObject, word: str) -> str:
    """The word with one error in it."""
    at = data.draw(st.integers(0, len(word)))
    new = data.draw(st.sampled_from(LETTERS))
    before, after = word[:at], word[at:]
    ways = (new + after, after[1:], new + after[1:], after[1:2] + after[:1] + after[2:])
    return before + data.draw(st.sampled_from(ways))


@given(word=st.text(alphabet=LETTERS, min_size=4, max_size=12), data=st.data())
def test_no_word_that_is_near_is_missed(word: str, data: st.DataObject) -> None:
    other = word
    for _ in range(typos_allowed(word)):
        other = mistyped(data, other)
    others = [other, *data.draw(st.lists(st.text(alphabet=LETTERS, max_size=12)))]
    distances = {found: OSA.distance(word, found) for found in others}
    assert _near(word, others) == {
        found: distance
        for found, distance in distances.items()
        if distance <= min(typos_allowed(word), typos_allowed(found))
    }


@given(
    one=st.text(alphabet="abc", max_size=7),
    other=st.text(alphabet="abc", max_size=7),
    most=st.integers(0, 3),
)
def test_typing_errors_are_counted_as_far_as_they_matter(one: str, other: str, most: int) -> None:
    assert min(_errors(one, other, most), most + 1) == OSA.distance(one, other, score_cutoff=most)


@pytest.mark.parametrize("word", ["", "abc", "v2026", "2026"])
def test_short_words_and_numbers_are_not_forgiven(word: str) -> None:
    matcher = Matcher([word])
    matcher.learn_words([word, "abcd", "2025"])
    assert matcher.others(word) == []


def test_nothing_is_loaded_to_tell_which_words_are_near() -> None:
    words = ["ledger", "loader", "quarterly", "utilisateur", "login", "plugin"]
    program = (
        f"import sys; from finder.match import Matcher; m = Matcher(['legder']);"
        f"m.learn_words({words!r}); print(m.others('legder'), 'rapidfuzz' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert told.stdout.strip() == b"['ledger'] False"
