"""Which project of OpenCode's a folder belongs to, by the program's own rule.

Outside of git it is ``global``, whose worktree is ``/``. In git the id is, of these the first:

    1.15 on   SHA-1 of ``git-remote:<host>/<path>`` of the remote origin, unless that is a file
    all       what the file ``opencode`` in the repository's .git folder says; the program writes it
    all       the first, sorted, of HEAD's root commits
              ``global``, if there is no commit yet; its worktree is the repository then

Sessions are listed by project, so one under another id than the program's own is not listed.
Read in 1.2.27, 1.15.13 and 1.18.33, and compared with it in tests/real.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from finder import files

GLOBAL = "global"
_SECONDS = 10


class Project(NamedTuple):
    """A project: its id, the top of its working tree, and ``git`` or None."""

    id: str
    worktree: str
    vcs: str | None


NO_PROJECT = Project(GLOBAL, "/", None)


def project_of(directory: str | None, *, by_remote: bool) -> Project:
    """The project of a folder. One that is not there belongs to none.

    Args:
        by_remote: as 1.15 and later name projects.
    """
    start = Path(directory) if directory else None
    if start is None or not start.is_absolute() or not files.is_folder(start):
        return NO_PROJECT
    found = next((top for top in (start, *start.parents) if (top / ".git").exists()), None)
    common = _git(found, "rev-parse", "--git-common-dir") if found else None
    if found is None or common is None:
        return NO_PROJECT
    worktree = _git(found, "rev-parse", "--show-toplevel") or str(found)
    remote = _git(found, "remote", "get-url", "origin") if by_remote else None
    identifier = _of_remote(remote) or _cached(found / common) or _of_commits(found)
    return Project(identifier or GLOBAL, worktree, "git")


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints, or None where it cannot or is not there."""
    import subprocess

    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = done.stdout.decode("utf-8", "surrogateescape").strip("\r\n")
    return said or None if done.returncode == 0 else None


def _of_remote(url: str | None) -> str | None:
    """The id that a remote's URL gives, in the form of a URL or of ``user@host:path``."""
    import hashlib

    address = _address((url or "").strip())
    if address is None:
        return None
    name = f"git-remote:{address}".encode("utf-8", "surrogateescape")
    return hashlib.sha1(name, usedforsecurity=False).hexdigest()


def _address(url: str) -> str | None:
    from urllib.parse import urlsplit

    if re.match("[a-zA-Z][a-zA-Z0-9+.-]*:", url):
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            return None
        return None if parts.scheme == "file" else _plain(host, parts.path)
    short = re.fullmatch(r"(?:[^@/:]+@)?([^/:]+):(.+)", url)
    return _plain(short[1], short[2]) if short else None


def _plain(host: str, path: str) -> str | None:
    path = re.sub(r"\.git/?$", "", path.lstrip("/")).rstrip("/")
    return f"{host.lower()}/{path}" if host and path else None


def _cached(common: Path) -> str | None:
    try:
        said = (common / "opencode").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    return said or None


def _of_commits(folder: Path) -> str | None:
    roots = (_git(folder, "rev-list", "--max-parents=0", "HEAD") or "").split()
    return min(roots) if roots else None
