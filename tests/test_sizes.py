"""Texts of megabytes where a line is expected: no command takes many times as much memory.

Measured in processes of their own, with texts of some megabytes; what is held to is how much more
memory each megabyte takes.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.bench.opencode_stores import make_database
from tests.bench.sessions import Shape

ROOT = Path(__file__).parents[1]
MEGABYTES = 4  # of each of the three texts
MOST_MEMORY = 5.5  # times as much as the texts

# The peak is read inside: what the system tells of a child includes the memory of its parent.
PROGRAM = """
import re, sys
from finder.cli import run
try:
    run(sys.argv[1:])
finally:
    sys.stdout.flush()
    peak = re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]
    print("USED", int(peak) / 1024, file=sys.stderr)
"""

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the system does not tell of a process's peak"
)


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """A home, the same with a session of large texts, and that session's id."""
    folder = tmp_path_factory.mktemp("sizes")
    for name in ("small", "large"):
        make_database(folder / name, Shape(sessions=40, text=40_000))
    path = folder / "large" / ".local/share/opencode/opencode.db"
    much = "many words, a line of them\n" * (MEGABYTES * 500_000 // 27)
    much += "y" * (MEGABYTES * 500_000)
    with closing(sqlite3.connect(path)) as connection:
        (session, part) = connection.execute(
            "SELECT s.id, p.id FROM session s JOIN part p ON p.session_id = s.id"
            ' WHERE s.parent_id IS NULL AND p.data LIKE \'%"type":"text"%\' LIMIT 1'
        ).fetchone()
        texts = "UPDATE part SET data = json_set(data, '$.text', ?) WHERE id = ?"
        connection.execute(texts, (much, part))
        names = "UPDATE session SET title = ?, directory = ? WHERE id = ?"
        connection.execute(names, (much, f"/home/dev/{much}", session))
        # A letter of another alphabet makes four bytes of each that is joined with it.
        other = "UPDATE session SET title = '\U0001f9ad walrus' WHERE id != ? AND rowid % 5 = 0"
        connection.execute(other, (session,))
        connection.commit()
    return folder / "small", folder / "large", session


COMMANDS = [
    "find --limit 0",
    "find --limit 0 --json",
    "find --limit 0 --format fzf",
    "find words",
    "find wrods",
    "find --text words",
    "get ID",
    "get ID --json --raw",
    "get ID --max-tokens 500",
    "get ID --first 1",
    "stores",
    "index",
    "resume ID --print",
    "convert ID --to events --out OUT",
    "convert ID --to html --out OUT",
    "convert ID --to markdown --out OUT",
    "convert ID --to opencode --out OUT",
    "convert ID --to clacky --sidecar --out OUT",
    "convert ID --to opta --out OUT",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_memory_grows_with_the_texts_and_no_more(
    homes: tuple[Path, Path, str], tmp_path: Path, command: str
) -> None:
    small, large, session = homes
    known = {"ID": session, "OUT": str(tmp_path / "out")}
    words = [known.get(word, word) for word in command.split()]
    before = used(small, [*words[:-1], f"{words[-1]}0"] if "OUT" in command else words)
    assert used(large, words) - before < MOST_MEMORY * 3 * MEGABYTES


def used(home: Path, words: list[str]) -> float:
    """The peak of a call's memory, in megabytes."""
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "FINDER_CACHE_DIR": str(home.parent / f"cache-{home.name}"),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=home,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    return float(done.stderr.splitlines()[-1].split()[1])
