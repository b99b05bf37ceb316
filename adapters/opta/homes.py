"""Where Opta keeps its sessions, and what a path that somebody names is.

Whether a file is Opta's is told by the keys in its first bytes: other tools have folders named
``sessions`` with JSON files in them too. What lies at Opta's own place is Opta's even if damaged,
so that the damage can be named.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from finder import files, jsonio
from finder.adapter import Store
from finder.errors import StoreError
from finder.jsonio import mapping
from finder.model import Problem, Session
from finder.places import Places

SESSION_FILES = ("snapshot.json", "session.json", "events.jsonl")
_HEAD_BYTES = 8192
_LONG_TEXT = 200  # bytes; of more no key is told
_MOST_TRIED = 50  # files of a folder that are looked into before it is taken for another tool's
_RANKS = {"config": 3, "sessions": 2, "session": 2, "recovery": 1, "file": 1, "share": 0}
_ENVELOPE = (b'"event"', b'"daemonId"', b'"seq"')
_SHARE_NAME = r"(?a:opta-session-[\w-]{1,64}\.json)"


def config_folders(places: Places) -> list[Path]:
    """The config folders that some version would use, the newest rule first."""
    named = places.env.get("XDG_CONFIG_HOME", "")
    roaming = places.env.get("APPDATA", "")
    home = places.home
    found = [Path(named) / "opta"] if named and Path(named).is_absolute() else []
    if roaming and places.platform == "win32":
        found.append(Path(roaming) / "opta")
    windows = home / "AppData" / "Roaming" / "opta"
    unix = home / ".config" / "opta"
    found += [windows, unix] if places.platform == "win32" else [unix, windows]
    return list(dict.fromkeys(found))


def discover(places: Places) -> Iterator[Store | Problem]:
    """The config folders with sessions in them.

    Opta reads one alone: of several, the others hold what it does not see any more.
    """
    present: list[Path] = []
    for folder in config_folders(places):
        try:
            if _is_config(folder) and not any(folder.samefile(other) for other in present):
                present.append(folder)
        except OSError as error:
            yield files.problem_of(folder, error)
    named = places.env.get("XDG_CONFIG_HOME") or places.platform == "win32"
    for folder in present:
        newer = tuple(present[: present.index(folder)]) if named else ()
        yield _store(folder, "config", superseded_by=newer)


def detect(path: Path) -> Store | None:
    """The store that this file or folder is, or None."""
    try:
        if path.is_dir():
            kind = _folder_kind(path)
        elif path.is_file() and path.suffix in {".json", ".jsonl"}:
            kind = _file_kind(path)
        else:
            kind = None
    except (OSError, ValueError):
        return None
    return _store(path, kind) if kind else None


def _store(path: Path, kind: str, superseded_by: tuple[Path, ...] = ()) -> Store:
    return Store(
        adapter="opta",
        tool="opta",
        path=path,
        kind="file" if kind in {"file", "share"} else "files",
        rank=_RANKS[kind],
        superseded_by=superseded_by,
    )


def _is_config(folder: Path) -> bool:
    return _is_folder(folder / "sessions") or _is_folder(folder / "daemon" / "sessions")


def _is_folder(path: Path) -> bool:
    """Whether it is one; raises `OSError` where that cannot be told."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _folder_kind(folder: Path) -> str | None:
    if _is_config(folder) and (_is_usual_place(folder) or _holds_sessions(folder)):
        return "config"
    if folder.name == "recovery" and folder.parent.name == ".opta":
        return "recovery" if any(e.name.endswith(".json") for e in _entries(folder)) else None
    if _is_session(folder):
        return "session"
    return "sessions" if _are_sessions(folder) else None


def _is_usual_place(folder: Path) -> bool:
    return folder.name == "opta" and folder.parent.name in {".config", "Roaming"}


def _holds_sessions(folder: Path) -> bool:
    return any(_are_sessions(folder / part) for part in ("sessions", "daemon/sessions"))


def _are_sessions(folder: Path) -> bool:
    """Whether there is a session in it and, if it has another name, nothing else.

    For a store is not searched for further ones, and an export may lie in anybody's home.
    """
    named_so = folder.name == "sessions"
    sessions = 0
    for entry in _entries(folder)[:_MOST_TRIED]:
        path = Path(entry.path)
        if entry.is_dir():
            known = _is_session(path)
        elif entry.name.endswith(".json") and entry.name != "index.json":
            known = _file_kind(path) == "file"
        else:
            continue
        if not known and not named_so:
            return False
        sessions += known
    return sessions > 0


def _is_session(folder: Path) -> bool:
    return any(_file_kind(folder / name) == "file" for name in SESSION_FILES)


def _file_kind(path: Path) -> str | None:
    """``file`` for a session's file, ``share`` for a reduced export."""
    if re.fullmatch(_SHARE_NAME, path.name) and path.is_file():
        return "share"
    try:
        head = files.head(path, _HEAD_BYTES)
        if path.suffix == ".jsonl":
            line = head.split(b"\n", 1)[0]
            return "file" if all(key in line for key in _ENVELOPE) else None
        kind = _document_kind(head.decode("utf-8", "replace"))
        if kind is None and len(head) == _HEAD_BYTES and b'id"' in head.lower():
            kind = _document_kind(_without_long_texts(path).decode("utf-8", "replace"))
    except StoreError:
        return None
    return kind


def _without_long_texts(path: Path) -> bytes:
    """The beginning of a JSON file but for its long texts: a title may have megabytes."""
    text = re.compile(rb'"(?:[^"\\]++|\\.)*+("|\\?\Z)', re.DOTALL)
    kept = b""
    for chunk in files.chunks(path):
        # One that does not end yet is kept open.
        kept = text.sub(lambda m: m[0] if len(m[0]) < _LONG_TEXT else b'"' + m[1], kept + chunk)
        if len(kept) > _HEAD_BYTES:
            break
    return kept


def _document_kind(head: str) -> str | None:
    if not head.lstrip("\ufeff \t\r\n").startswith("{"):
        return None
    keys = set(re.findall(r'"(\w+)"\s*:', head))
    if "sessionId" in keys:
        message_list = "messages" in keys and bool(keys & {"createdAt", "savedAt"})
        return "file" if message_list or {"createdAt", "events"} <= keys else None
    # Other tools have an id and a time too, but not as ISO text under these names.
    if not {"id", "messages"} <= keys or not re.search(r'"created"\s*:\s*"\d{4}-', head):
        return None
    if {"cwd", "title"} <= keys:
        return "file"
    return "share" if {"model", "title"} <= keys else None


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def cautions(places: Places, sessions: Sequence[Session]) -> Iterator[str]:
    """The sessions that Opta's index still has an entry of, though their files are gone."""
    folder = config_folders(places)[0] / "sessions"
    try:
        entries = mapping(jsonio.read_object(folder / "index.json").get("entries"))
    except StoreError:  # then Opta makes it anew
        return
    for session in sessions:
        id_ = session.ref.id
        if id_ in entries and not (folder / f"{id_}.json").exists():
            yield f"opta sessions lists {id_} as it was before it was deleted, until Opta saves it"
