"""The installed program is asked only as a last resort, and never about the user's own store."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from adapters.opencode.database import OpenCodeDatabase
from finder.adapter import Store
from finder.model import Problem, Session
from finder.places import Places
from finder.testing import fingerprint

ADAPTER = OpenCodeDatabase()
DATABASE = (
    Path(__file__).parents[2]
    / "fixtures/opencode-db/1.2.27/store/.local/share/opencode/opencode.db"
)


def program(folder: Path, body: str) -> Path:
    """A stand-in for ``opencode`` that writes a line into ``calls`` each time it is run."""
    folder.mkdir(exist_ok=True)
    path = folder / "opencode"
    path.write_text(f'#!/bin/sh\necho "$@" >> {folder}/calls\n{body}\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def calls(folder: Path) -> list[str]:
    file = folder / "calls"
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


@pytest.fixture
def places(tmp_path: Path) -> Places:
    home = tmp_path / "home"
    home.mkdir()
    env = {"PATH": str(tmp_path / "bin"), "FINDER_CACHE_DIR": str(tmp_path / "cache")}
    return Places(home=home, env=env, cwd=home)


def test_a_data_folder_elsewhere_is_asked_for_once(tmp_path: Path, places: Places) -> None:
    elsewhere = tmp_path / "else where" / "opencode"
    elsewhere.mkdir(parents=True)
    shutil.copyfile(DATABASE, elsewhere / "opencode.db")
    binary = program(tmp_path / "bin", f"echo 'home /x'; echo 'data {elsewhere}'")
    for _ in range(2):
        found = [s.path for s in ADAPTER.discover(places) if isinstance(s, Store)]
        assert found == [elsewhere / "opencode.db"]
    assert calls(tmp_path / "bin") == ["debug paths"]
    binary.write_text(binary.read_text(encoding="utf-8") + "# newer\n", encoding="utf-8")
    list(ADAPTER.discover(places))
    assert len(calls(tmp_path / "bin")) == 2


def test_nothing_is_run_where_a_store_is_found(tmp_path: Path, places: Places) -> None:
    program(tmp_path / "bin", "exit 1")
    home = places.home / ".local" / "share" / "opencode"
    home.mkdir(parents=True)
    shutil.copyfile(DATABASE, home / "opencode.db")
    assert [s.path for s in ADAPTER.discover(places) if isinstance(s, Store)]
    assert calls(tmp_path / "bin") == []


@pytest.mark.parametrize("body", ["exit 3", "echo nonsense", "echo 'data relative'"])
def test_a_program_that_answers_nonsense_is_nothing(
    tmp_path: Path, places: Places, body: str
) -> None:
    program(tmp_path / "bin", body)
    assert list(ADAPTER.discover(places)) == []


def test_an_unknown_schema_is_listed_by_the_program_from_a_copy(
    tmp_path: Path, places: Places
) -> None:
    home = places.home / ".local" / "share" / "opencode"
    home.mkdir(parents=True)
    connection = sqlite3.connect(home / "opencode.db")
    connection.execute("CREATE TABLE conversation (id TEXT)")
    connection.commit()
    connection.close()
    before = fingerprint(home)
    answer = '[{"id":"ses_1","title":"Told","updated":2,"created":1,"directory":"/d"}]'
    program(tmp_path / "bin", f"echo '{answer}'; echo changed >> \"$OPENCODE_DB\"")
    (store,) = [s for s in ADAPTER.discover(places) if isinstance(s, Store)]
    found = list(ADAPTER.sessions(store))
    problems = [item for item in found if isinstance(item, Problem)]
    assert [p.kind for p in problems] == ["unknown-schema"]
    assert "conversation" in problems[0].message
    sessions = [item for item in found if isinstance(item, Session)]
    assert [(s.title, s.labels, s.updated) for s in sessions] == [("Told", ("headers-only",), 2)]
    assert fingerprint(home) == before
