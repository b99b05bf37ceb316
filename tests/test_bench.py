"""The measurements measure what they say: the stores are real ones, wrong answers are refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.opencode.database import OpenCodeDatabase
from finder.adapter import Adapter
from finder.model import Session
from finder.registry import Registry
from finder.testing import stores_below
from tests.bench.clacky_files import make_clacky
from tests.bench.measure import Measured, Program, WrongAnswerError, interleaved
from tests.bench.opencode_stores import make_database, make_tree
from tests.bench.planted import RARE_WORD, TARGET_TITLE
from tests.bench.report import lines, table
from tests.bench.rows import Row
from tests.bench.sessions import Shape
from tests.bench.titles import distinct_titles

SMALL = Shape(sessions=40, text=60_000)
MAKERS = {"opencode-db": make_database, "opencode-files": make_tree, "clacky": make_clacky}


def sessions(adapter: Adapter, home: Path) -> list[Session]:
    (store,) = stores_below(adapter, home)
    found = list(adapter.sessions(store))
    assert all(isinstance(item, Session) for item in found), found
    return [item for item in found if isinstance(item, Session)]


@pytest.mark.parametrize("name", MAKERS)
def test_a_made_store_is_one_that_its_adapter_reads_whole(name: str, tmp_path: Path) -> None:
    make: Callable[[Path, Shape], dict[str, str]] = MAKERS[name]
    planted = make(tmp_path, SMALL)
    adapter = Registry.installed().adapter(name)
    found = {session.ref.id: session for session in sessions(adapter, tmp_path)}
    assert len(found) == 40
    assert found[planted["target"]].title == TARGET_TITLE
    stories = {key: list(adapter.events(session.ref)) for key, session in found.items()}
    opaque = {e.problem for story in stories.values() for e in story if e.type == "opaque"}
    assert opaque <= {None}
    assert all(any(e.type == "text" for e in story) for story in stories.values())
    outputs = [e.output or "" for s in stories.values() for e in s if e.type == "tool_result"]
    assert any(RARE_WORD.capitalize() in output for output in outputs)


def test_four_of_five_sessions_are_subagents_that_their_parents_name(tmp_path: Path) -> None:
    make_database(tmp_path, SMALL)
    adapter = OpenCodeDatabase()
    found = sessions(adapter, tmp_path)
    below = {s.ref.id for s in found if s.parent is not None}
    named = {
        event.child.id
        for session in found
        for event in adapter.events(session.ref)
        if event.type == "subagent" and event.child is not None
    }
    assert len(below) == 32
    assert named == below


def test_the_same_store_is_made_each_time(tmp_path: Path) -> None:
    assert make_database(tmp_path / "a", SMALL) == make_database(tmp_path / "b", SMALL)
    one, other = sorted(tmp_path.rglob("opencode.db"))
    assert one.read_bytes() == other.read_bytes()


def test_titles_are_many_different_ones_in_several_scripts() -> None:
    titles = distinct_titles()
    assert len(set(titles)) == len(titles) >= 5_000
    assert sum(not title.isascii() for title in titles) > 500
    assert TARGET_TITLE not in titles


_MEASURE = """
import sys
from pathlib import Path
from tests.bench.measure import Program, interleaved

def program(code):
    return Program(argv=(sys.executable, "-c", code), home=Path.cwd(), says="done")

large = "x = bytearray(200 << 20); print('done')"
found = interleaved({"small": program("print('done')"), "large": program(large)}, 2, print)
assert [len(measured.seconds) for measured in found.values()] == [2, 2]
assert found["large"].kilobytes > 200 * 1024
assert found["large"].kilobytes - found["small"].kilobytes > 100 * 1024
"""


def test_a_program_is_measured_and_its_memory_is_its_own() -> None:
    # From a process as small as the benchmark's: a child counts what its parent had at its start.
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("code", ["print('something else')", "print('right'); exit(3)"])
def test_a_wrong_answer_is_not_measured(code: str) -> None:
    program = Program(argv=(sys.executable, "-c", code), home=Path.cwd(), says="right")
    with pytest.raises(WrongAnswerError):
        interleaved({"it": program}, 1, lambda _: None)


def test_a_row_says_whether_it_is_inside_of_its_bound() -> None:
    def never() -> Program:
        raise AssertionError

    rows = [
        Row(name="floor", program=never),
        Row(name="fast", program=never, bound=1.6),
        Row(name="slow", program=never, bound=1.4),
        Row(name="big", program=never, bound=1.6, most_mb=10),
        Row(name="alone", program=never, bound=1.6, against="peer"),
        Row(name="quick", program=never, megabytes=2, least_rate=40, most_mb=50),
        Row(name="lame", program=never, megabytes=2, least_rate=41),
        Row(name="heavy", program=never, megabytes=2, least_rate=40, most_mb=49),
    ]
    measured = {row.name: Measured(seconds=[0.15], kilobytes=50 * 1024) for row in rows}
    measured["floor"] = Measured(seconds=[0.1, 0.1, 9.0], kilobytes=1024)
    found = lines(rows, measured)
    verdicts = {line["row"]: line["verdict"] for line in found}
    assert verdicts == {
        "floor": None,
        "fast": "inside",
        "slow": "outside",
        "big": "outside",
        "alone": "unknown",
        "quick": "inside",
        "lame": "outside",
        "heavy": "outside",
    }
    assert "| slow | 150 | 1.50 × floor | 1.4 | 50 | outside |" in table(found)
    assert "| lame | 150 | 40 MB/s over floor | ≥ 41 | 50 | outside |" in table(found)
