"""A transcript within a number of tokens."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finder.get import Choice, story
from finder.library import Library
from finder.places import Places
from finder.registry import Registry
from finder.render.choose import tokens
from finder.render.digest import digest
from finder.render.transcript import Block, Look, blocks, heading

HEAD = ["The title", "facts about it"]


def words(name: str, count: int) -> list[str]:
    return [f"{name}{n} and some more words here" for n in range(count)]


def made() -> list[Block]:
    found = [
        Block("head", 0, ["", "── user"]),
        Block("prompt", 0, words("prompt", 5)),
    ]
    for number in range(1, 40):
        found.append(Block("head", number, ["", f"── assistant {number}"]))
        found.append(Block("text", number, words(f"text{number}-", 10)))
        kind = {7: "error", 20: "change"}.get(number, "call")
        found.append(Block(kind, number, [f"{kind} in {number}"]))  # type: ignore[arg-type]
    found.append(Block("head", 40, ["", "── assistant 40"]))
    found.append(Block("text", 40, words("last", 5)))
    return found


def test_what_fits_is_not_touched() -> None:
    story_ = made()
    whole = [*HEAD, *(one for block in story_ for one in block.lines)]
    assert list(digest(HEAD, story_, 100_000)) == whole


@pytest.mark.parametrize("most", [400, 1_000, 3_000])
def test_what_matters_is_kept(most: int) -> None:
    lines = list(digest(HEAD, made(), most))
    assert lines[:2] == HEAD
    assert lines[2].startswith("[shortened from about 3,8")
    assert f"to {most:,} tokens" in lines[2]
    for kept in ("prompt0", "prompt4", "── assistant 7", "error in 7", "change in 20", "last4"):
        assert any(one.startswith(kept) for one in lines), kept
    assert lines[-1].startswith("last4")
    assert most * 0.75 < tokens("\n".join(lines)) <= most
    assert any(one.startswith("[… left out of ") for one in lines)


def test_what_is_left_out_is_counted() -> None:
    story_ = made()
    lines = list(digest(HEAD, story_, 400))
    gaps = [one for one in lines if one.startswith("[… left out of")]
    counted = sum(int(gap.split("about ")[1].split()[0].replace(",", "")) for gap in gaps)
    whole = tokens("\n".join(one for block in story_ for one in block.lines))
    shown = tokens("\n".join(one for one in lines if one not in gaps))
    assert abs(whole - counted - shown) < 0.1 * whole


def test_a_long_text_loses_its_middle() -> None:
    story_ = [
        Block("prompt", 0, words("prompt", 500)),
        Block("text", 1, ["日本語" * 3_000]),
    ]
    lines = list(digest(HEAD, story_, 600))
    assert lines[3].startswith("prompt0")
    assert any(one.startswith("prompt499") for one in lines)
    assert sum("tokens left out]" in one for one in lines) == 2
    assert tokens("\n".join(lines)) <= 600


KINDS = st.sampled_from(["prompt", "text", "call", "error", "change", "note"])


@given(
    st.lists(st.tuples(KINDS, st.integers(0, 5), st.integers(0, 400)), max_size=30),
    st.integers(200, 2_000),
    st.integers(0, 3_000),
)
def test_it_never_takes_more(parts: list[tuple[str, int, int]], most: int, title: int) -> None:
    story_ = []
    for kind, passage, length in sorted(parts, key=lambda part: part[1]):
        story_.append(Block("head", passage, ["", "── head"]))
        story_.append(Block(kind, passage, ["é" * length]))  # type: ignore[arg-type]
    assert tokens("\n".join(digest(["t" * title], story_, most))) <= most


def test_real_sessions_fit(tmp_path: Path) -> None:
    fixtures = Path(__file__).parents[3] / "fixtures"
    root = tmp_path / "fixtures"
    shutil.copytree(fixtures, root)
    registry = Registry.installed()
    library = Library.open(registry, Places.under(root), [root])
    keys = sorted(library.keys())
    library.lookup(keys)
    shortened = 0
    for key in keys:
        entry = library.entry(key)
        assert entry is not None
        events = list(story(registry, library, entry.session.ref, Choice()))
        head = list(heading(entry, (), home=""))
        parts = list(blocks(events, Look()))
        lines = list(digest(head, parts, 250))
        assert tokens("\n".join(lines)) <= 250, key
        shortened += any(one.startswith("[shortened") for one in lines)
    assert shortened > 20
