"""Finding while another program writes: what was committed is found, and nobody is disturbed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from finder import jsonio
from finder.find import Answer, Query, find
from finder.library import Library
from finder.places import Places
from finder.registry import Registry
from tests.bench.opencode_stores import make_database
from tests.bench.sessions import Shape

DATABASE = Path(".local/share/opencode/opencode.db")

# It does not wait for locks: whoever holds one against it makes it fail. Small checkpoints let the
# log begin anew again and again; closing the last connection takes it away.
WRITER = """
import sqlite3, sys

def opened():
    connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA wal_autocheckpoint=20")
    connection.execute("PRAGMA synchronous=OFF")
    return connection

writer = opened()
columns = [row[1] for row in writer.execute("PRAGMA table_info(session)")]
changed = [c for c in columns if c not in ("id", "title", "time_updated", "parent_id")]
copy = ", ".join(changed)
for number, word in enumerate(sys.stdin, 1):
    word = word.strip()
    writer.execute("BEGIN IMMEDIATE")
    writer.execute(
        f"INSERT INTO session (id, title, time_updated, {copy})"
        f" SELECT ?, ?, (SELECT max(time_updated) + 1 FROM session), {copy}"
        " FROM session WHERE parent_id IS NULL LIMIT 1",
        (f"ses_{word}1", f"About the {word} here"),
    )
    writer.execute("COMMIT")
    print(word, flush=True)
    if number % 30 == 0:
        writer.close()
        writer = opened()
writer.close()
"""


class Writer:
    """A program that goes on writing sessions; `words` are in the titles of those committed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._over = threading.Event()
        self.words: list[str] = []
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def _write(self) -> None:
        chosen = random.Random(7)
        assert self._process.stdin
        assert self._process.stdout
        while not self._over.is_set() and self._process.poll() is None:
            word = "".join(chosen.choices("bcdfghklmnprstvwz", k=12))
            self._process.stdin.write(f"{word}\n")
            self._process.stdin.flush()
            if self._process.stdout.readline() == f"{word}\n":
                self.words.append(word)
            time.sleep(0.005)
        self._process.stdin.close()

    def end(self) -> None:
        """Let it close the database, and see that nothing was in its way."""
        self._over.set()
        self._thread.join(30)
        assert self._process.wait(30) == 0


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        writer = Writer(process)
        try:
            while len(writer.words) < 5:
                assert process.poll() is None
                time.sleep(0.01)
            yield writer
        finally:
            writer.end()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_database(tmp_path / "home", Shape(sessions=300, text=100_000))
    return tmp_path / "home"


def search(home: Path, query: Query) -> Answer:
    places = Places(home=home, cwd=home, env={"FINDER_CACHE_DIR": str(home.parent / "cache")})
    answer = find(Library.open(Registry.installed(), places), query)
    assert answer.problems == ()
    return answer


def test_all_that_was_committed_is_found(home: Path) -> None:
    before = {row.session.ref.id for row in search(home, Query(limit=0, subagents=True)).rows}
    seen: set[str] = set()
    beside = {DATABASE.name + suffix for suffix in ("", "-wal", "-shm")}
    with writing(home / DATABASE) as writer:
        for turn in count():
            if turn >= 20 and len(writer.words) > 100:  # it has begun its log anew some times
                break
            word = writer.words[-1]
            typed = word[:5] + word[6] + word[5] + word[7:] if turn % 4 == 0 else word
            titles = [row.session.title for row in search(home, Query(words=(typed,))).rows]
            assert titles == [f"About the {word} here"], f"{typed} in turn {turn}"
            (found,) = search(home, Query(words=(f"ses_{word}1",))).rows
            assert found.session.ref.id == f"ses_{word}1"
            known = {f"ses_{one}1" for one in writer.words}
            rows = search(home, Query(limit=turn % 5 * 5)).rows  # now and then all
            seen |= {row.session.ref.id for row in rows}
            assert turn % 5 or known <= seen
            assert {path.name for path in (home / DATABASE).parent.iterdir()} <= beside
    assert seen - before <= {f"ses_{one}1" for one in writer.words}, "committed, not half-done"
    assert [path.name for path in (home / DATABASE).parent.iterdir()] == [DATABASE.name]


def test_whole_runs_of_the_program_find_it_too(home: Path) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(home)}
    env["FINDER_CACHE_DIR"] = str(home.parent / "cache")
    with writing(home / DATABASE) as writer:
        for _ in range(5):
            word = writer.words[-1]
            command = [sys.executable, "-m", "finder", "find", word, "--json"]
            done = subprocess.run(command, env=env, capture_output=True, check=True)
            assert done.stderr == b""
            (found,) = jsonio.loads(done.stdout)["sessions"]
            assert found["title"] == f"About the {word} here"
    assert [path.name for path in (home / DATABASE).parent.iterdir()] == [DATABASE.name]
