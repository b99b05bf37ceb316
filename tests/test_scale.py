"""What the README says about many sessions: its commands and its query are run as they stand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from finder.find import Query, find
from finder.get import Choice, story
from finder.library import Library
from finder.model import ToolCall, ToolResult
from finder.places import Places
from finder.registry import Registry

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("## Many sessions, many machines\n")[2].partition("\n## ")[0]
TOOLS = ("opencode", "opta", "clacky")


def command(beginning: str) -> str:
    """An indented command of the section, with the lines that go on with it."""
    found = re.search(rf"^    ({re.escape(beginning)}.*\n(?:     .*\n)*)", SECTION, re.MULTILINE)
    assert found, beginning
    return found[1]


def environment(folder: Path) -> dict[str, str]:
    return {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the fixtures, and all of them as events."""
    here = tmp_path_factory.mktemp("scale")
    shutil.copytree(ROOT / "fixtures", here / "fixtures")
    programs = here / "bin"
    programs.mkdir()
    program = programs / "finder"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m finder "$@"\n')
    program.chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", command("finder find --root fixtures")],
        cwd=here,
        env={
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(here),
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "bug" not in done.stderr, done.stderr
    return here


def stories(folder: Path) -> dict[tuple[str, str], list[object]]:
    """What finder itself reads of every session: tool and id to the events."""
    registry = Registry.installed()
    library = Library.open(registry, Places.under(folder), [folder / "fixtures"], TOOLS)
    answer = find(library, Query(limit=0, subagents=True))
    return {
        (row.session.ref.tool, row.session.ref.id): [
            item.event for item in story(registry, library, row.session.ref, Choice())
        ]
        for row in answer.rows
    }


def test_every_tree_is_written_once(folder: Path) -> None:
    registry = Registry.installed()
    library = Library.open(registry, Places.under(folder), [folder / "fixtures"], TOOLS)
    trees = find(library, Query(limit=0)).rows
    assert len(trees) > 200
    assert len(list((folder / "all").iterdir())) == len(trees)


def test_the_query_tells_the_truth(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb

    query = SECTION.partition("```sql\n")[2].partition("```")[0]
    monkeypatch.chdir(folder)
    answer = duckdb.connect().execute(query).fetchall()

    calls: Counter[tuple[str, str]] = Counter()
    failed: Counter[tuple[str, str]] = Counter()
    for (tool, _), events in stories(folder).items():
        results = [e for e in events if isinstance(e, ToolResult)]
        for event in events:
            if isinstance(event, ToolCall):
                came = [r for r in results if r.call == event.call]
                calls[tool, event.name] += max(len(came), 1)
                failed[tool, event.name] += sum(r.status == "error" for r in came)
    expected = sorted(
        ((tool, name, count, failed[tool, name]) for (tool, name), count in calls.items()),
        key=lambda row: (-row[3], -row[2], row[0], row[1]),
    )
    assert len(expected) > 20
    assert sum(failed.values()) > 20
    assert answer == expected


def test_the_listing_of_another_machine_says_whose_it_is(folder: Path) -> None:
    whole = command("ssh ann finder find login").strip().removeprefix("ssh ann ")
    # ssh gives the words to a shell there once more.
    inner = subprocess.run(
        ["sh", "-c", f"echo {whole}"], capture_output=True, text=True, check=True
    ).stdout
    done = subprocess.run(
        ["sh", "-c", inner.replace("find login", "find hello --root fixtures --tool opta")],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert lines
    assert all(b'"host":"ann"' in line for line in lines)
