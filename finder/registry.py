"""Which adapters there are, and which stores.

Adapters arrive through the entry-point group ``finder.adapters.v1`` and are imported when a
command uses them. `importlib.metadata` takes some 20 ms to list entry points, more than a
whole search, so the ``entry_points.txt`` files of the installed distributions are read directly.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from finder import files
from finder.adapter import Adapter, Store
from finder.errors import BugError, NotFoundError, StoreError
from finder.model import Problem
from finder.places import Places

GROUP = "finder.adapters.v1"

# Bounds on the search for stores below a folder that the user named.
_MAX_DEPTH = 8
_MAX_FOLDERS = 20_000
# Folders that hold no store and may hold very many files. Names that people give are not among
# them: a developer's home may be /home/dev.
_SKIPPED = frozenset(
    {".git", "node_modules", ".venv", "venv", "__pycache__", ".tox", ".nox", "site-packages"}
)
_DEVICES = frozenset({Path("/proc"), Path("/sys"), Path("/dev")})
# What build tools put into a folder that can be made anew (bford.info/cachedir), and what every
# Git repository without files of its own consists of.
_CACHE_MARK = "CACHEDIR.TAG"
_REPOSITORY = frozenset({"HEAD", "objects", "refs"})


class Registry:
    """The adapters, as ``name -> module:class``, loaded on use."""

    def __init__(self, entries: Mapping[str, str], loaded: Iterable[Adapter] = ()) -> None:
        self.entries = entries
        self.problems: list[Problem] = []
        self._loaded: dict[str, Adapter | None] = {adapter.name: adapter for adapter in loaded}

    @classmethod
    def installed(cls) -> Registry:
        """Those of all installed distributions."""
        return cls(entries=_entry_points(sys.path))

    @classmethod
    def of(cls, *adapters: Adapter) -> Registry:
        """Just these, already loaded."""
        return cls(
            entries={adapter.name: type(adapter).__module__ for adapter in adapters},
            loaded=adapters,
        )

    def adapters(self) -> Iterator[Adapter]:
        """All adapters that load; one that does not is a problem that names it."""
        for name in self.entries:
            adapter = self._load(name)
            if adapter is not None:
                yield adapter

    def adapter(self, name: str) -> Adapter:
        """One adapter.

        Raises:
            NotFoundError: there is none of this name.
            BugError: it is there but does not load.
        """
        if name not in self.entries:
            raise NotFoundError(f"there is no adapter {name!r}", candidates=sorted(self.entries))
        adapter = self._load(name)
        if adapter is None:
            problem = next(p for p in self.problems if p.record == name)
            raise BugError(problem.message)
        return adapter

    def _load(self, name: str) -> Adapter | None:
        if name not in self._loaded:
            try:
                module, _, attribute = self.entries[name].partition(":")
                self._loaded[name] = getattr(importlib.import_module(module), attribute)()
            except Exception as error:  # an adapter may be anybody's code
                message = f"adapter {name!r} does not load: {type(error).__name__}: {error}"
                where = self.entries[name]
                self.problems.append(
                    Problem(kind="adapter", path=where, message=message, record=name)
                )
                self._loaded[name] = None
        return self._loaded[name]

    def discover(self, places: Places) -> Iterator[Store | Problem]:
        """The stores at the tools' usual homes, and what hindered the search."""
        for adapter in self.adapters():
            try:
                yield from adapter.discover(places)
            except Exception as error:
                self._note(adapter, places.home, error)

    def detect(self, path: Path) -> list[Store]:
        """The stores that this very file or folder is."""
        stores = []
        for adapter in self.adapters():
            try:
                store = adapter.detect(path)
            except Exception as error:
                self._note(adapter, path, error)
            else:
                if store is not None:
                    stores.append(store)
        return stores

    def _note(self, adapter: Adapter, path: Path, error: Exception) -> None:
        """Keep as a problem what an adapter, which may be anybody's code, raised."""
        if isinstance(error, StoreError):
            problem = error.problem
        elif isinstance(error, OSError):
            problem = files.problem_of(Path(error.filename or path), error)
        else:
            message = f"adapter {adapter.name!r} failed here: {type(error).__name__}: {error}"
            problem = Problem(kind="adapter", path=str(path), message=message, record=adapter.name)
        if problem not in self.problems:
            self.problems.append(problem)

    def below(self, root: Path) -> Iterator[Store | Problem]:
        """The stores that a path named by the user stands for, each once.

        A file or folder that is a store; a home folder with stores at their usual places; or
        a parent of several of these, at any reasonable depth.
        """
        seen: set[tuple[str, Path]] = set()
        for found in self._search(root):
            if isinstance(found, Store):
                key = (found.adapter, Path(os.path.realpath(found.path)))
                if key in seen:
                    continue
                seen.add(key)
            yield found

    def _search(self, root: Path) -> Iterator[Store | Problem]:
        if not files.is_folder(root):
            yield from self.detect(root)
            return
        folders = 0
        queue = [(root, 0)]
        while queue:
            folder, depth = queue.pop(0)
            folders += 1
            if folders > _MAX_FOLDERS:
                message = f"only the first {_MAX_FOLDERS:,} folders were searched for stores"
                hint = "name a folder nearer to the store"
                yield Problem(kind="limit", path=str(root), message=f"{message}; {hint}")
                return
            stores = self.detect(folder)
            yield from stores
            if stores:
                continue
            yield from self.discover(Places.under(folder))
            try:
                entries = _listing(folder)
            except OSError as error:
                yield files.problem_of(folder, error)
                continue
            if depth and _is_made_by_machines(entries):
                continue
            if depth < _MAX_DEPTH:
                queue.extend((child, depth + 1) for child in _folders(folder, entries))
            yield from self._stray_files(folder, entries)

    def _stray_files(self, folder: Path, entries: list[os.DirEntry[str]]) -> Iterator[Store]:
        """Stores that are single files: a copied database, an export, an archive."""
        names = [
            entry.name
            for entry in entries
            if entry.name.endswith((".db", ".sqlite", ".json", ".jsonl", ".zip"))
            and _is_file(entry)
        ]
        for name in sorted(names):
            yield from self.detect(folder / name)


def _listing(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link in a circle
        return False


def _is_made_by_machines(entries: list[os.DirEntry[str]]) -> bool:
    """Whether a folder is a cache, a build's output or a bare repository."""
    names = {entry.name for entry in entries}
    return _CACHE_MARK in names or names >= _REPOSITORY


def _folders(folder: Path, entries: list[os.DirEntry[str]]) -> list[Path]:
    # Links are not followed: they may lead round in a circle.
    names = [
        entry.name
        for entry in entries
        if entry.name not in _SKIPPED and entry.is_dir(follow_symlinks=False)
    ]
    return [path for path in (folder / name for name in sorted(names)) if path not in _DEVICES]


def _entry_points(paths: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in paths:
        try:
            entries = _listing(Path(path or "."))
        except OSError:  # sys.path may name archives, and folders that are not there
            continue
        infos = [e.path for e in entries if e.name.endswith((".dist-info", ".egg-info"))]
        for info in sorted(infos):
            try:
                text = Path(info, "entry_points.txt").read_text(encoding="utf-8")
            except (OSError, ValueError):
                continue
            if GROUP in text:
                for name, value in _section(text):
                    found.setdefault(name, value)
    return found


def _section(text: str) -> Iterator[tuple[str, str]]:
    """The entries of our group in an ``entry_points.txt``."""
    inside = False
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("["):
            inside = stripped == f"[{GROUP}]"
        elif inside and "=" in stripped and not stripped.startswith(("#", ";")):
            name, _, value = stripped.partition("=")
            yield name.strip(), value.split("[")[0].strip()
