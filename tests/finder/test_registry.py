"""Which adapters there are, and which stores."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from finder import registry as module
from finder.adapter import Store
from finder.errors import BugError, NotFoundError, StoreError
from finder.library import Library
from finder.model import Problem
from finder.places import Places
from finder.registry import GROUP, Registry
from tests.memory import Memory, Shelf


def test_entry_points_are_those_that_the_standard_library_finds() -> None:
    found = {point.name: point.value for point in entry_points(group=GROUP)}
    assert dict(Registry.installed().entries) == found
    assert "opencode-db" in found


def test_entry_points_of_any_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "mine-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text(
        f"[console_scripts]\nmine = mine:main\n[{GROUP}]\n# mine\n"
        "mine = mine.store:Mine [extra]\nbroken = no_such_module:X\n\n[other]\nx = y:z\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path / "not there")])
    found = Registry.installed()
    assert dict(found.entries) == {"mine": "mine.store:Mine", "broken": "no_such_module:X"}
    assert list(found.adapters()) == []
    assert {problem.record for problem in found.problems} == {"mine", "broken"}
    with pytest.raises(BugError, match="no_such_module"):
        found.adapter("broken")
    with pytest.raises(NotFoundError) as caught:
        found.adapter("none")
    assert caught.value.candidates == ("broken", "mine")


def stores(registry: Registry, root: Path) -> list[Path]:
    return [found.path for found in registry.below(root) if isinstance(found, Store)]


def test_stores_below_a_folder_are_found_once(tmp_path: Path) -> None:
    deep, shallow = tmp_path / "a" / "b" / "c", tmp_path / "d.db"
    deep.mkdir(parents=True)
    shallow.write_bytes(b"x")
    (tmp_path / "node_modules" / "e").mkdir(parents=True)
    hidden = tmp_path / "node_modules" / "e"
    registry = Registry.of(NoHome(Shelf(deep), Shelf(shallow), Shelf(hidden)))
    assert stores(registry, tmp_path) == [shallow, deep]
    assert stores(registry, deep) == [deep]
    assert stores(registry, shallow) == [shallow]
    assert stores(registry, hidden) == [hidden], "what is named itself is not skipped"
    assert stores(registry, tmp_path / "missing") == []


def test_folders_are_skipped_for_what_they_are_not_for_what_people_call_them(
    tmp_path: Path,
) -> None:
    named = [tmp_path / name / "a" for name in ("dev", "dist", "snapshots", "sys", "target")]
    cache, bare = tmp_path / "build" / "a", tmp_path / "mirror" / "a"
    for path in (*named, cache, bare, bare.parent / "objects", bare.parent / "refs"):
        path.mkdir(parents=True)
    (cache.parent / "CACHEDIR.TAG").touch()
    (bare.parent / "HEAD").touch()
    registry = Registry.of(NoHome(*map(Shelf, (*named, cache, bare))))
    assert stores(registry, tmp_path) == named
    assert stores(registry, cache.parent) == [cache], "what is named itself is not skipped"


def test_a_path_in_a_closed_folder_is_said_to_be_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "closed" / "inner"

    def refused(path: object, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "stat", refused)
    monkeypatch.setattr(os, "lstat", refused)
    with pytest.raises(StoreError) as caught:
        Library.open(Registry.of(NoHome()), Places.under(tmp_path), [inner])
    monkeypatch.undo()
    assert (caught.value.problem.kind, caught.value.problem.path) == ("permission", str(inner))


class NoHome(Memory):
    """Its stores are where they are named, and nowhere else."""

    def discover(self, places: Places) -> Iterator[Store | Problem]:
        return iter(())


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_links_in_a_circle_end(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "up").symlink_to(tmp_path)
    assert stores(Registry.of(NoHome(Shelf(inner))), tmp_path) == [inner]


def test_the_bound_of_the_search_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_FOLDERS", 3)
    for name in "abcd":
        (tmp_path / name).mkdir()
    found = list(Registry.of(NoHome()).below(tmp_path))
    assert [item.kind for item in found if isinstance(item, Problem)] == ["limit"]


def test_a_folder_that_cannot_be_listed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    listing = module._listing

    def refusing(folder: Path) -> list[os.DirEntry[str]]:
        if folder == closed:
            raise PermissionError(13, "Permission denied", str(folder))
        return listing(folder)

    monkeypatch.setattr(module, "_listing", refusing)
    found = list(Registry.of(NoHome()).below(tmp_path))
    assert [(p.kind, p.path) for p in found if isinstance(p, Problem)] == [
        ("permission", str(closed))
    ]


def test_an_adapter_that_breaks_hinders_no_other(tmp_path: Path) -> None:
    class Broken(Memory):
        def discover(self, places: Places) -> Iterator[Store | Problem]:
            raise PermissionError(13, "Permission denied", "/secret")

        def detect(self, path: Path) -> Store | None:
            raise ZeroDivisionError("oops")

    good = Memory(Shelf(tmp_path))
    registry = Registry.of(Broken(name="broken"), good)
    assert stores(registry, tmp_path) == [tmp_path]
    assert len(list(registry.discover(Places.under(tmp_path)))) == 1
    assert [(p.kind, p.path) for p in registry.problems] == [
        ("adapter", str(tmp_path)),
        ("permission", "/secret"),
    ]
