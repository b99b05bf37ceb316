"""Asking the installed ``opencode`` program itself: the last resort, and never on a user's store.

Starting it takes a second, and nearly all of its commands create or migrate the database as a
side effect. So it is asked in two cases only:

* ``debug paths``, which touches no database, when no store was found at the usual places. The
  answer is remembered in our cache folder for as long as the program's file is the same.
* ``session list`` on a private copy, when a database has a schema that is not known here: the
  program that wrote it may still list it. Such sessions are headers only.

Its output goes to a regular file: through a pipe it is cut at a multiple of 64 KiB, with exit 0.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from finder import files, jsonio, sqlite
from finder.errors import FinderError, StoreError
from finder.jsonio import array, integer, mapping, string
from finder.model import Ref, Session
from finder.places import Places

_SECONDS = 15.0
_MAX_PROJECTS = 8  # folders that `session list` is run in; it lists one project at a time
_QUIET = {
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
    "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
    "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
}


def told_data_folder(program: Path, places: Places) -> Path | None:
    """The data folder that the installed program says it uses, or None."""
    try:
        status = program.stat()
    except OSError:
        return None
    key = f"{program}:{status.st_size}:{status.st_mtime_ns}:{places.home}"
    memory = places.cache() / "opencode-paths.json"
    known = _remembered(memory)
    if key not in known:
        known = {key: _asked_paths(program, places)}
        with contextlib.suppress(FinderError):  # a cache that fails costs time, nothing else
            files.write(memory, jsonio.dumps(known), mode=0o600, replace=True)
    folder = string(known.get(key))
    return Path(folder) if folder else None


def _remembered(memory: Path) -> dict[str, object]:
    try:
        return jsonio.read_object(memory)
    except StoreError:
        return {}


def _asked_paths(program: Path, places: Places) -> str | None:
    output = _output([str(program), "debug", "paths"], places.env, places.cwd)
    for line in output.decode("utf-8", "replace").splitlines():
        name, _, value = line.strip().partition(" ")
        if name == "data" and Path(value.strip()).is_absolute():
            return value.strip()
    return None


def listed_by_program(program: Path, store: Path, tool: str) -> Iterator[Session]:
    """What ``session list`` says of a private copy of a database."""
    with tempfile.TemporaryDirectory(prefix="session-finder-") as name:
        home = Path(name)
        copy = home / "opencode" / "opencode.db"
        copy.parent.mkdir()
        for suffix in ("", "-wal"):
            source = store.with_name(store.name + suffix)
            if source.exists():
                shutil.copyfile(source, copy.with_name(copy.name + suffix))
        environment = {**os.environ, **_QUIET, "HOME": name, "OPENCODE_DB": str(copy)}
        for kind in ("DATA", "STATE", "CACHE", "CONFIG"):
            environment[f"XDG_{kind}_HOME"] = name
        command = [str(program), "session", "list", "--format", "json", "-n", "1000000"]
        seen: set[str] = set()
        for folder in _project_folders(store, home):
            for session in _parsed(_output(command, environment, folder), store, tool):
                if session.ref.id not in seen:
                    seen.add(session.ref.id)
                    yield session


def _project_folders(store: Path, fallback: Path) -> list[Path]:
    """Folders of the projects that the database names, as far as they are on this machine."""
    try:
        rows = sqlite.read(
            store, lambda c: c.execute("SELECT worktree FROM project LIMIT 100").fetchall()
        )
    except StoreError:
        rows = []
    named = [Path(row[0]) for row in rows if isinstance(row[0], str) and row[0] != "/"]
    return [*[folder for folder in named if folder.is_dir()][:_MAX_PROJECTS], fallback]


def _parsed(output: bytes, store: Path, tool: str) -> Iterator[Session]:
    try:
        items = array(jsonio.loads(output))
    except ValueError:
        return
    for item in items:
        info = mapping(item)
        identifier = string(info.get("id"))
        if identifier:
            yield Session(
                ref=Ref(tool, str(store), identifier),
                title=string(info.get("title")),
                directory=string(info.get("directory")),
                created=integer(info.get("created")),
                updated=integer(info.get("updated")),
                labels=("headers-only",),
                raw=info,
            )


def _output(command: list[str], environment: Mapping[str, str], folder: Path) -> bytes:
    """What a command prints; nothing if it fails or takes too long."""
    with tempfile.TemporaryFile() as output:
        try:
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.DEVNULL,
                env=dict(environment),
                cwd=folder,
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.SubprocessError):
            return b""
        output.seek(0)
        return output.read()
