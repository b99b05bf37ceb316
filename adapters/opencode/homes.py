"""Where OpenCode keeps its sessions: its own rule, worked out without starting it.

Asking the program (`opencode db path`) takes a second, and creates or migrates the database.

    data folder D     $XDG_DATA_HOME/opencode, else ~/.local/share/opencode, on every system
    its database      $OPENCODE_DB as it is if absolute or `:memory:`, else below D;
                      else D/opencode.db for the channels latest, beta and prod, and for any other
                      channel if $OPENCODE_DISABLE_CHANNEL_DB is exactly `1` or `true`;
                      else D/opencode-<channel>.db
    session files     D/storage (1.0 to 1.1), D/project/*/storage (0.1 to 0.5), ~/.opencode

Read from 1.18.33 and compared with it in tests/real. Which channel a build belongs to is compiled
in, and 1.2 knows no $OPENCODE_DB, so `databases` takes every name that some version would use.

A folder that cannot be listed raises OSError: nothing is known then, which is not the same as
nothing being there.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from finder.places import Places

_MEMORY = ":memory:"
_CHANNELS_WITHOUT_SUFFIX = frozenset({"latest", "beta", "prod"})
_UNFIT_FOR_NAME = r"[^a-zA-Z0-9._-]"


def data_folder(places: Places) -> Path:
    """The folder D. It may not exist.

    Unlike the XDG rule, OpenCode takes a relative $XDG_DATA_HOME as below its working directory.
    """
    named = places.env.get("XDG_DATA_HOME")
    base = places.cwd / named if named else places.home / ".local" / "share"
    return _plain(base / "opencode")


def own_database(places: Places, channel: str = "latest") -> Path | None:
    """The database that a build of that channel uses; None if it keeps it in memory."""
    named = places.env.get("OPENCODE_DB")
    if named == _MEMORY:
        return None
    folder = data_folder(places)
    if named:
        return Path(named) if Path(named).is_absolute() else _plain(folder / named)
    shared = places.env.get("OPENCODE_DISABLE_CHANNEL_DB") in {"1", "true"}
    if shared or channel in _CHANNELS_WITHOUT_SUFFIX:
        return folder / "opencode.db"
    return folder / f"opencode-{re.sub(_UNFIT_FOR_NAME, '-', channel)}.db"


def databases(places: Places) -> list[Path]:
    """Every database of any build, the one written last first.

    Something else in a database's place, such as a named pipe, is among them: whoever opens it
    says what it is.
    """
    found: dict[tuple[int, int], tuple[int, Path]] = {}
    for path in _candidates(places):
        status = _status(path)
        if status is not None and not stat.S_ISDIR(status.st_mode):
            # One file under two names, such as a link, is one database.
            found.setdefault((status.st_dev, status.st_ino), (_written(path, status), path))
    return [path for _, path in sorted(found.values(), key=lambda item: (-item[0], item[1]))]


def legacy_folders(places: Places) -> list[Path]:
    """The folders that may hold sessions as files, those of newer layouts first."""
    data = data_folder(places)
    projects = [project / "storage" for project in _listed(data / "project")]
    candidates = [data / "storage", *projects, places.home / ".opencode"]
    return [folder for folder in candidates if _is_folder(folder)]


def _candidates(places: Places) -> Iterator[Path]:
    if places.env.get("OPENCODE_DB") and (own := own_database(places)):
        yield own
    for path in _listed(data_folder(places)):
        if path.name.startswith("opencode") and path.suffix == ".db":
            yield path


def _plain(path: Path) -> Path:
    """Without `..` and by text alone, as OpenCode joins paths, even where that crosses a link."""
    return Path(os.path.normpath(path))


def _listed(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _written(path: Path, status: os.stat_result) -> int:
    """When the database last changed: new rows may stand in its log (-wal) alone for days."""
    log = _status(path.with_name(path.name + "-wal"))
    return max(status.st_mtime_ns, log.st_mtime_ns if log else 0)


def _is_folder(path: Path) -> bool:
    status = _status(path)
    return status is not None and stat.S_ISDIR(status.st_mode)
