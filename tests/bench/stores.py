"""The stores that are measured, made once and kept between runs.

Each is a home folder ``<cache>/<name>-<version>/home``; beside it ``planted.json`` has the ids of
what is planted. They are made in a process of their own (``python -m tests.bench.stores NAME
CACHE``): the peak memory of a child is never told as less than that of the process it was started
from, so the one that measures has to stay small.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

_VERSION = 4  # raise it when what is made changes

GIANT_MEGABYTES = 15  # of text in the giant session
NAMES = {
    "database-1k": "an OpenCode database of 1,000 sessions",
    "database-10k": "an OpenCode database of 10,000 sessions with 1 GB of part text",
    "database-100k": "an OpenCode database of 100,000 sessions",
    "giant": "an OpenCode database with one session of 5,000 parts, 15 MB",
    "tree-2k": "OpenCode's JSON files of 2,000 sessions",
    "clacky-200": "200 session files of OpenClacky",
}


class Home(NamedTuple):
    """A home folder with one store in it, and the ids of what is planted there."""

    path: Path
    planted: dict[str, str]


def cache_folder() -> Path:
    """Where the stores are kept: ``FINDER_BENCH_CACHE``, else below the user's cache."""
    named = os.environ.get("FINDER_BENCH_CACHE")
    if named:
        return Path(named).resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "finder-bench"


def home(name: str) -> Home:
    """The store of that name, made now unless an earlier run has done so."""
    folder = _folder(cache_folder(), name)
    if not folder.is_dir():
        print(f"making {NAMES[name]} …", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "tests.bench.stores", name, str(cache_folder())]
        subprocess.run(command, check=True)
    planted: dict[str, str] = json.loads((folder / "planted.json").read_text())
    return Home(folder / "home", planted)


def copy_of(name: str) -> Home:
    """A second copy, for programs that write into what they read."""
    original = home(name)
    folder = original.path.parent
    copy = folder.with_name(f"{folder.name}-peers")
    if not copy.is_dir():
        partial = folder.with_name(f"{folder.name}-peers.partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(folder, partial)
        partial.rename(copy)
    return Home(copy / "home", original.planted)


def disk_use() -> int:
    """Bytes that the cache folder takes."""
    found = 0
    for folder, _, names in os.walk(cache_folder()):
        for name in names:
            found += os.lstat(os.path.join(folder, name)).st_blocks * 512  # noqa: PTH118
    return found


def _folder(cache: Path, name: str) -> Path:
    return cache / f"{name}-{_VERSION}"


def _make(name: str, cache: Path) -> None:
    """Make it beside its place and rename, so that half a store is never measured."""
    from tests.bench.clacky_files import make_clacky
    from tests.bench.opencode_stores import make_database, make_tree
    from tests.bench.sessions import GIANT, Shape

    makers: dict[str, Callable[[Path], dict[str, str]]] = {
        "database-1k": lambda to: make_database(to, Shape(sessions=1_000, text=4_000_000)),
        "database-10k": lambda to: make_database(to, Shape(sessions=10_000, text=900_000_000)),
        "database-100k": lambda to: make_database(to, Shape(sessions=100_000, text=60_000_000)),
        "giant": lambda to: make_database(to, GIANT),
        "tree-2k": lambda to: make_tree(to, Shape(sessions=2_000, text=12_000_000)),
        "clacky-200": lambda to: make_clacky(to, Shape(sessions=200, text=6_000_000)),
    }
    partial = cache / f"{name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "home").mkdir(parents=True)
    planted = makers[name](partial / "home")
    (partial / "planted.json").write_text(json.dumps(planted))
    for old in cache.glob(f"{name}-*"):
        shutil.rmtree(old)
    partial.rename(_folder(cache, name))


if __name__ == "__main__":
    _make(sys.argv[1], Path(sys.argv[2]))
