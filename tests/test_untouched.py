"""No command changes a byte, a mode or a time of the stores that it reads, or adds a file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from finder.testing import fingerprint

FIXTURES = Path(__file__).parents[1] / "fixtures"
OPENCODE, OPTA, CLACKY = "ses_e07d56f0affe", "opta:NCfDfd0RHtdY", "clacky:820bbe3a"
COMMANDS = (
    ("find", "--limit", "0", "--subagents", "--json"),
    ("find", "tour"),
    ("find", "archve me"),
    ("find", "--cwd", "/home/dev", "--format", "jsonl"),
    *(("get", session) for session in (OPENCODE, OPTA, CLACKY)),
    *(("get", session, "--format", "raw") for session in (OPENCODE, OPTA, CLACKY)),
    ("get", OPENCODE, "--with-subagents", "--json"),
    ("resume", OPENCODE, "--print"),
    ("find", "--text", "tour"),
    ("index",),
    ("stores", "--json"),
    ("formats",),
    ("convert", OPENCODE, "--to", "events", "--out", "-"),
    ("convert", OPENCODE, "--to", "clacky", "--dry-run"),
    ("convert", CLACKY, "--to", "opencode", "--dry-run"),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with stores of all three tools."""
    home = tmp_path_factory.mktemp("untouched") / "home"
    for case in ("opencode-db/1.18.33", "opencode-files/1.1.65", "opta/home", "clacky/v1.5.1"):
        shutil.copytree(FIXTURES / case / "store", home, dirs_exist_ok=True)
    return home


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_leaves_the_stores_as_they_are(
    command: tuple[str, ...], home: Path, tmp_path: Path
) -> None:
    before = fingerprint(home)
    env = {**os.environ, "HOME": str(home), "FINDER_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-m", "finder", *command],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout
    assert fingerprint(home) == before
