"""Putting finished files in place: all of them or none, and never over something else.

First every file is written in full beside its place, under a hidden name, and flushed to the disk.
Then they take their names one by one, in the order given, which an adapter chooses so that the
last one makes the session visible. Whatever fails on the way, all that was done is undone. Should
the machine stop in the middle, hidden files (``.….tmp``) may be left, and a new session is not
visible yet.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from finder.dataclass import dataclass, field
from finder.errors import WriteError
from finder.files import BINARY, flush_folder, is_folder

_HINT = "choose another place, or replace what is there with --replace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One file: what is to be in it, and where it goes.

    `may_stand`: if the very same is there already, that is well. `shared`: so is another one.
    """

    source: Path
    target: Path
    mode: int
    may_stand: bool = False
    shared: bool = False

    @property
    def stands(self) -> bool:
        """Whether all is well with what is there."""
        return self.may_stand and self.target.is_file() and self.has_content_of(self.target)

    def has_content_of(self, path: Path) -> bool:
        """Whether what is in another file does as well."""
        import filecmp

        return self.shared or filecmp.cmp(self.source, path, shallow=False)


def publish(
    files: Sequence[Placed],
    *,
    replace: bool = False,
    owned: Iterable[Path] = (),
    check: Callable[[], None] | None = None,
) -> None:
    """Put the files in place.

    Args:
        replace: whether what stands there may go.
        owned: files that go when replacing, and folders in which nothing else is to stay; with
            ``*`` at the end, all files that begin so.
        check: called when all is in place; what it raises undoes everything.

    Raises:
        WriteError: something stands there, or a step failed. Then all is as it was.
    """
    wanted = {file.target for file in files}
    files = _needed(files)
    _refuse_taken(files, replace)
    leftover = _leftover(owned, wanted) if replace else []
    work = _Work()
    try:
        temporary = [work.written(file) for file in files]
        for file, path in zip(files, temporary, strict=True):
            try:
                work.placed(path, file.target, replace)
            except FileExistsError:
                if not file.stands:  # else another call has put it there meanwhile
                    raise
        for path in leftover:
            work.removed(path)
        work.flush()
        if check is not None:
            check()
    except FileExistsError as error:
        work.undo()
        raise WriteError(f"{error.filename2 or error.filename} exists", hint=_HINT) from None
    except OSError as error:
        work.undo()
        where = error.filename2 or error.filename or files[-1].target
        reason = error.strerror or str(error)
        raise WriteError(f"{where} cannot be written: {reason}; nothing was changed") from None
    except BaseException:
        work.undo()
        raise
    work.finish()


def _needed(files: Sequence[Placed]) -> list[Placed]:
    """Those that are not there yet; what several sessions have in common once."""
    needed = []
    known: dict[Path, Placed] = {}
    for file in files:
        other = known.get(file.target)
        known[file.target] = file
        in_common = other is not None and file.may_stand and file.has_content_of(other.source)
        if not in_common and not file.stands:
            needed.append(file)
    return needed


def _refuse_taken(files: Sequence[Placed], replace: bool) -> None:
    seen: set[Path] = set()
    for file in files:
        if file.target in seen:
            raise WriteError(f"two sessions would both be written to {file.target}")
        seen.add(file.target)
        if is_folder(file.target):
            raise WriteError(f"{file.target} is a folder", hint="choose another place")
    taken = [f.target for f in files if os.path.lexists(f.target)]
    if taken and not replace:
        others = f", and {len(taken) - 1} more files" if len(taken) > 1 else ""
        raise WriteError(f"{taken[0]} exists{others}", hint=_HINT)


def _leftover(owned: Iterable[Path], wanted: set[Path]) -> list[Path]:
    there = (path for one in dict.fromkeys(owned) for path in _below(one))
    present = (path for path in there if path not in wanted and os.path.lexists(path))
    return [path for path in present if path.is_symlink() or not path.is_dir()]


def _below(owned: Path) -> list[Path]:
    if owned.name.endswith("*"):
        import glob

        return sorted(owned.parent.glob(f"{glob.escape(owned.name[:-1])}*"))
    return [owned, *sorted(owned.rglob("*"))]


@dataclass(slots=True)
class _Work:
    """What was done so far, and how to take it back."""

    back: list[Callable[[], object]] = field(default_factory=list)
    unneeded: list[Path] = field(default_factory=list)  # once all has gone well
    folders: dict[Path, None] = field(default_factory=dict)

    def written(self, file: Placed) -> Path:
        """The content, flushed, under a hidden name beside its place."""
        self._make_folder(file.target.parent)
        path = _hidden(file.target)
        self.back.append(path.unlink)
        # Made anew, so that the user's umask decides as it does for the tool's own files.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, file.mode)
        with os.fdopen(descriptor, "wb") as out, file.source.open("rb") as content:
            # By the system, where it can: many file systems then need no room for a copy.
            with contextlib.suppress(AttributeError, OSError):
                while os.copy_file_range(content.fileno(), out.fileno(), 1 << 30):
                    pass
            shutil.copyfileobj(content, out, 1 << 20)  # what is left
            out.flush()
            os.fsync(out.fileno())
        return path

    def placed(self, temporary: Path, target: Path, replace: bool) -> None:
        """Give a finished file its name. At each moment the old one or the new one has it."""
        self.folders.setdefault(target.parent)
        self.unneeded.append(temporary)
        if replace and os.path.lexists(target):
            kept = _hidden(target)
            self.back.append(partial(_put_back, kept, target))
            self.unneeded.append(kept)
            try:
                os.link(target, kept, follow_symlinks=False)
            except (OSError, NotImplementedError):  # a file system without hard links
                target.rename(kept)
            temporary.replace(target)
            return
        self.back.append(partial(_unlink_copy, target, temporary))
        try:
            # A link fails where the name is taken; a rename would silently replace it.
            os.link(temporary, target)
        except FileExistsError:
            raise
        except OSError:
            if os.path.lexists(target):
                raise FileExistsError(17, "exists", str(target)) from None
            temporary.rename(target)
            self.back.append(target.unlink)

    def removed(self, path: Path) -> None:
        """Take a file out of the way."""
        self.folders.setdefault(path.parent)
        kept = _hidden(path)
        self.back.append(partial(kept.rename, path))
        path.rename(kept)
        self.unneeded.append(kept)

    def flush(self) -> None:
        """Make the new names last."""
        for folder in self.folders:
            flush_folder(folder)

    def undo(self) -> None:
        """Take everything back, the last first."""
        for step in reversed(self.back):
            _insist(step)

    def finish(self) -> None:
        """Remove what is not needed any more."""
        for path in self.unneeded:
            _insist(path.unlink)

    def _make_folder(self, folder: Path) -> None:
        missing = []
        while not folder.exists():
            missing.append(folder)
            folder = folder.parent
        for path in reversed(missing):
            path.mkdir(exist_ok=True)
            self.back.append(path.rmdir)
            self.folders.setdefault(path.parent)


def _put_back(kept: Path, path: Path) -> None:
    kept.replace(path)
    kept.unlink(missing_ok=True)  # replacing a name by another one of the same file does nothing


def _unlink_copy(path: Path, original: Path) -> None:
    """Unlink a name if it is of the same file as another one, and not somebody else's."""
    if path.samefile(original):
        path.unlink()


def _insist(step: Callable[[], object]) -> None:
    """Do what should not fail; once more if it does, since the reason may have passed."""
    for _ in range(2):
        with contextlib.suppress(OSError):
            step()
            return


def _hidden(path: Path) -> Path:
    return path.with_name(f".{path.name[:80]}.{os.urandom(6).hex()}.tmp")
