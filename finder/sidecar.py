"""A sidecar: all of a session, in finder's own JSONL, beside the file it was converted to.

What a target cannot hold stands there, so that the way back is without loss. Its first line says
what it is the sidecar of:

    {"schema": …, "target": {"to": "opta", "id": "…", "files": {"<path>": "<sha256>", …}}}

The paths are relative to its own folder. It is used in the place of the target as long as every
one of these files is still what it was; after its tool went on with the session it is not.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from finder import files, jsonio
from finder.errors import BugError, StoreError
from finder.jsonio import mapping
from finder.model import JsonObject, Session

ENDING = ".sidecar"  # none that any tool, or a search for stores, looks at
_MOST_ABOVE = 6
_MOST_SIDECARS = 200


def seal(path: Path, target: str, identifier: str, contents: Mapping[Path, Path]) -> None:
    """Write into a session file of ours what it is the sidecar of.

    Args:
        target, identifier: the format, and the session's id in it.
        contents: the target's files: their places relative to the sidecar's folder, and where
            they are to be read now.
    """
    named = {place.as_posix(): _digest(source) for place, source in contents.items()}
    sealed = path.with_name(f"{path.name}.sealed")
    with path.open("rb") as lines, sealed.open("wb") as out:
        head = jsonio.loads(lines.readline())
        if not isinstance(head, dict):
            raise BugError("our own file does not begin with an object")
        head["target"] = {"to": target, "id": identifier, "files": named}
        out.write(jsonio.dumps(head) + b"\n")
        shutil.copyfileobj(lines, out, 1 << 20)
    sealed.replace(path)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    for chunk in files.chunks(path):
        digest.update(chunk)
    return digest.hexdigest()


def of_file(path: Path) -> Path | None:
    """The sidecar that stands beside a file under its name."""
    beside = path.with_name(path.name + ENDING)
    try:
        return beside if path.is_file() and beside.is_file() else None
    except OSError:  # what was named is no path at all, but a title of many words
        return None


def of_session(session: Session) -> Path | None:
    """The sidecar of a session in a folder that the user named: beside its store or above it."""
    store = Path(session.ref.store)
    folder = store if store.is_dir() else store.parent
    for place in (folder, *list(folder.parents)[:_MOST_ABOVE]):
        for path in _sidecars(place):
            target = _target(path)
            if target.get("id") == session.ref.id and _names(path, target, store):
                return path
    return None


def _sidecars(folder: Path) -> list[Path]:
    try:
        return sorted(folder.glob(f"*{ENDING}"))[:_MOST_SIDECARS]
    except OSError:
        return []


def _names(path: Path, target: JsonObject, store: Path) -> bool:
    places = [path.parent / name for name in mapping(target.get("files"))]
    return any(place == store or store in place.parents for place in places)


def _target(path: Path) -> JsonObject:
    try:
        first = next(files.lines(path), b"")
        return mapping(mapping(jsonio.loads(first)).get("target"))
    except (StoreError, ValueError):
        return {}


def changed(path: Path) -> list[str]:
    """The files of its target that are not what they were; empty: the sidecar can be used."""
    named = mapping(_target(path).get("files"))
    if not named:
        return [str(path)]
    return [name for name, digest in named.items() if not _is_still(path.parent, name, digest)]


def _is_still(folder: Path, name: str, digest: object) -> bool:
    place = folder / name
    if not place.resolve().is_relative_to(folder.resolve()):
        return False  # a sidecar may come from anybody: it reads nothing elsewhere
    try:
        return _digest(place) == digest
    except StoreError:
        return False
