"""The fuzzer itself: that it changes what it says, finds what is wrong, and some of its rounds."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.__main__ import broken, cases, play
from tests.fuzz.mutate import json_tree, mutated
from tests.fuzz.reading import WrongError, read_all


@pytest.mark.parametrize("seed", range(10))
def test_some_rounds(tmp_path: Path, seed: int) -> None:
    what, wrong = play(seed, tmp_path)
    assert wrong is None, what
    assert what


def test_mutated_trees_have_an_end() -> None:
    for seed in range(3_000):
        chance = random.Random(seed)
        tree: Any = {"a": [1, {"b": "c"}], "d": {"e": [[], {}]}}
        for _ in range(4):
            tree = mutated(chance, tree if isinstance(tree, dict | list) else [tree])
        json.dumps(tree, default=str)  # a circle is a ValueError


def test_a_seed_makes_the_same_again(tmp_path: Path) -> None:
    made = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}.json"
        path.write_text('{"a": [1, 2, {"b": null}], "c": "text"}')
        json_tree(random.Random(7), path)
        made.append(path.read_bytes())
    assert made[0] == made[1]


@pytest.mark.parametrize(
    "breaking, said",
    [
        ("raise ZeroDivisionError", "ZeroDivisionError"),
        ("raise WrongError('it is')", "WrongError: it is"),
        ("(home / 'new').touch()", "a file was changed, added or removed"),
        ("while True: pass", "took over"),
    ],
)
def test_what_is_wrong_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaking: str, said: str
) -> None:
    names: dict[str, Any] = {"WrongError": WrongError}
    exec(f"def reading(home, number):\n    yield\n    {breaking}", names)
    monkeypatch.setattr("tests.fuzz.__main__.read_all", names["reading"])
    monkeypatch.setattr("tests.fuzz.__main__.SECONDS", 0.2)
    assert said in (broken(tmp_path) or "")


def test_each_step_has_its_own_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reading(home: Path, number: int) -> Iterator[None]:
        for _ in range(5):
            end = time.process_time() + 0.15
            while time.process_time() < end:
                pass
            yield

    monkeypatch.setattr("tests.fuzz.__main__.read_all", reading)
    monkeypatch.setattr("tests.fuzz.__main__.SECONDS", 0.4)
    assert broken(tmp_path) is None


def test_an_adapter_that_fails_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program catches what an adapter raises; the fuzzer must not be content with that."""
    import shutil

    case = next(case for case in cases() if "clacky" in str(case))
    shutil.copytree(case, tmp_path / "home")
    list(read_all(tmp_path / "home"))

    def events(self: object, ref: object) -> Any:
        raise KeyError("not foreseen")

    monkeypatch.setattr("adapters.clacky.adapter.Clacky.events", events)
    with pytest.raises((WrongError, KeyError)):
        list(read_all(tmp_path / "home"))
