"""There and back with a sidecar, between the real formats: equal in every record."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from finder import compare, jsonio
from finder.model import Session
from finder.registry import Registry
from finder.testing import stores_below
from tests.calling import caller

FIXTURES = Path(__file__).parents[2] / "fixtures"
REGISTRY = Registry.installed()

# Where from, where to; each with a compaction, subagents or several files.
WAYS = [
    ("clacky/v0.9.19", "807d1ffce0f0c497", "clacky", "opta"),
    ("clacky/v1.5.1", None, "clacky", "opencode"),
    ("opta/home", None, "opta", "clacky"),
    ("opencode-export/1.18.33", None, "opencode", "opta"),
    ("opencode-export/share-data", None, "opencode", "opencode-files"),
]


def told(adapter: str, folder: Path, identifier: str) -> tuple[Session, list[bytes]]:
    for store in stores_below(REGISTRY.adapter(adapter), folder):
        for session in REGISTRY.adapter(adapter).sessions(store):
            if isinstance(session, Session) and session.ref.id == identifier:
                events = REGISTRY.adapter(adapter).events(session.ref)
                return session, compare.prints(events)
    raise AssertionError(f"{identifier} is not in {folder}")


@pytest.mark.parametrize(("case", "identifier", "own", "target"), WAYS)
def test_there_and_back(
    case: str,
    identifier: str | None,
    own: str,
    target: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = tmp_path / "source"
    shutil.copytree(FIXTURES / case / "store", source)
    adapter = case.split("/")[0]
    if identifier is None:
        longest = max(
            (
                session
                for store in stores_below(REGISTRY.adapter(adapter), source)
                for session in REGISTRY.adapter(adapter).sessions(store)
                if isinstance(session, Session)
            ),
            key=lambda session: session.messages or 0,
        )
        identifier = longest.ref.id
    finder = caller(capsys, tmp_path, registry=Registry.installed())
    there = finder(
        "convert", identifier, "--root", "source", "--to", target, "--out", "there", "--sidecar"
    )
    assert there.code == 0, there.err
    assert len(list((tmp_path / "there").glob("*.sidecar"))) == 1
    back = finder("convert", "there", "--to", own, "--out", "back", "--json")
    assert back.code == 0, back.err
    assert "read from" in back.json["notes"][0]
    written = back.json["sessions"][0]
    assert written["id"] == identifier
    assert told(adapter, tmp_path / "back", identifier)[1] == told(adapter, source, identifier)[1]


def test_the_sidecar_is_the_whole_tree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(FIXTURES / "events/opencode/store", tmp_path / "source")
    finder = caller(capsys, tmp_path, registry=Registry.installed())
    words = ("--to", "opta", "--out", "there", "--sidecar")
    assert finder("convert", "source/nested.jsonl", *words).code == 0
    (sidecar,) = (tmp_path / "there").glob("*.sidecar")
    lines = [jsonio.loads(line) for line in sidecar.read_bytes().splitlines()]
    assert sum("session" in line for line in lines) == 3
    assert lines[0]["target"]["to"] == "opta"
    assert len(lines[0]["target"]["files"]) == 3
