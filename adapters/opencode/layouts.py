"""Where OpenCode's file stores keep what: three layouts of the same records.

    storage     session/<project>/<ses>.json, message/<ses>/<msg>.json, part/<msg>/<prt>.json,
                session_diff/<ses>.json, todo/<ses>.json                     (1.0.0 to 1.1.65)
    project     session/info/<ses>.json, session/message/<ses>/<msg>.json,
                session/part/<ses>/<msg>/<prt>.json                          (0.5.29)
                the same without part files: the parts stand in the message  (0.1.174)
    published   sessions/**/<ses>.json, messages/<ses>/<msg>.json, parts/<msg>/<prt>.json: a
                published description of these stores; no version checked wrote it

`storage` lies in the data folder D, `project` in D/project/<name of the path>/storage,
`published` in ~/.opencode, which is OpenCode's configuration folder too.

Not read: session_share/<ses>.json (the secret of a shared session), permission/<project>.json,
project/<project>.json, app.json, migration: none of them is about one session.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# How deep session files lie below their folder. The published description says: anywhere.
_DEPTHS = {"project": 0, "storage": 1, "published": 4}


class Layout(NamedTuple):
    """One file store; made with keywords.

    Attributes:
        root: the folder that has all of the others.
        data: OpenCode's data folder, where its databases and tool-output/ lie.
        sessions, messages, parts: the folders of these records.
        parts_by_session: whether part files lie below their session, too.
        only: the session, if the store is one session's own file.
    """

    kind: str
    root: Path
    data: Path
    sessions: Path
    messages: Path
    parts: Path
    parts_by_session: bool = False
    only: str | None = None

    def session_files(self) -> dict[str, list[str]]:
        """The paths of the session files by id; a session may have a file in two projects.

        Raises:
            OSError: the folder cannot be looked into.
        """
        found: dict[str, list[str]] = {}
        for name, path in _json_files(self.sessions, _DEPTHS[self.kind]):
            session = name.removesuffix(".json")
            if self.only is None or session == self.only:
                found.setdefault(session, []).append(path)
        return found

    def files_of(self, session: str) -> list[Path]:
        """The files of one session; raises like `session_files`, and lists less."""
        if self.kind == "published":
            return [Path(path) for path in self.session_files().get(session, ())]
        folders = [self.sessions]
        if self.kind == "storage":
            folders += [self.sessions / name for name in names(self.sessions)]
        paths = [folder / f"{session}.json" for folder in folders]
        return [path for path in paths if os.path.lexists(path)]

    def part_folder(self, session: str, message: str) -> Path:
        """Where a message's part files are."""
        return self.parts / session / message if self.parts_by_session else self.parts / message

    def databases(self) -> tuple[Path, ...]:
        """The databases in the data folder, which the program reads instead."""
        if self.kind == "published":
            return ()
        return tuple(
            sorted(
                self.data / name
                for name in names(self.data)
                if name.startswith("opencode") and name.endswith(".db")
                if (self.data / name).is_file()
            )
        )

    def generation(self) -> str:
        """Which versions wrote this, in a few words."""
        if self.kind == "project":
            inline = not self.parts.exists()
            return "project files with inline parts (0.1)" if inline else "project files (0.5)"
        return "storage files (1.0 to 1.1)" if self.kind == "storage" else "published layout"


def layout_of(path: Path) -> Layout | None:
    """The file store that a folder is, or that a session's own file belongs to; else None.

    Raises:
        OSError: it cannot be looked into.
    """
    if path.suffix == ".json":
        return _of_session_file(path)
    inside = set(names(path))
    if "session" in inside and {"info", "message"} & set(names(path / "session")):
        return _layout("project", path)
    if inside & {"session", "message", "part"} and (
        _holds(path / "message", "ses_")
        or _holds(path / "part", "msg_")
        or _has_session_file(path / "session", "storage")
    ):
        return _layout("storage", path)
    # Other tools have folders of these names as well: what is in them decides.
    if inside & {"sessions", "messages"} and (
        _holds(path / "messages", "ses_") or _has_session_file(path / "sessions", "published")
    ):
        return _layout("published", path)
    return None


def _layout(kind: str, root: Path) -> Layout:
    if kind == "project":
        below = root / "session"
        return Layout(
            kind=kind,
            root=root,
            data=root.parents[2] if len(root.parents) > 2 else root.parent,
            sessions=below / "info",
            messages=below / "message",
            parts=below / "part",
            parts_by_session=True,
        )
    plural = "s" if kind == "published" else ""
    return Layout(
        kind=kind,
        root=root,
        data=root if plural else root.parent,
        sessions=root / f"session{plural}",
        messages=root / f"message{plural}",
        parts=root / f"part{plural}",
    )


def _of_session_file(path: Path) -> Layout | None:
    if not path.name.startswith("ses_"):
        return None
    parents = list(path.parents)
    if [folder.name for folder in parents[:2]] == ["info", "session"]:
        return _layout("project", parents[2])._replace(only=path.stem)
    for kind, name in (("storage", "session"), ("published", "sessions")):
        for folder in parents[: _DEPTHS[kind] + 1]:
            if folder.name == name:
                return _layout(kind, folder.parent)._replace(only=path.stem)
    return None


def names(folder: Path) -> list[str]:
    """What is in a folder, sorted; nothing if it is not there or is no folder.

    Raises:
        OSError: it cannot be looked into.
    """
    try:
        return sorted(os.listdir(folder))  # half the time of Path.iterdir
    except (FileNotFoundError, NotADirectoryError, UnicodeEncodeError):
        return []  # also where an id, of which it is named, is one that no file can have


def json_names(folder: Path) -> list[str]:
    """The names in a folder that end in ``.json``, without that, sorted; raises like `names`."""
    return [name[:-5] for name in names(folder) if name.endswith(".json")]


def _holds(folder: Path, prefix: str) -> bool:
    """Whether it has an entry whose name starts so; stops at the first."""
    try:
        with os.scandir(folder) as entries:
            return any(entry.name.startswith(prefix) for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _has_session_file(folder: Path, kind: str) -> bool:
    return any(name.startswith("ses_") for name, _ in _json_files(folder, _DEPTHS[kind]))


def _json_files(folder: Path | str, depth: int) -> Iterator[tuple[str, str]]:
    """The files that end in ``.json`` below a folder, down to a depth: their names and paths.

    Links are not followed. There may be very many, so no `Path` is made of each.
    """
    deeper = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".json"):
                    yield entry.name, entry.path
                elif depth and entry.is_dir(follow_symlinks=False):
                    deeper.append(entry.path)
    except (FileNotFoundError, NotADirectoryError):
        return
    for inner in sorted(deeper):
        yield from _json_files(inner, depth - 1)
