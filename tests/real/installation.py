"""Installing the real OpenCode with npm, once for each version, outside the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

VERSION = "1.18.33"
OLDER_VERSION = "1.2.27"  # of the first generation that keeps a database
FILES_VERSION = "1.1.65"  # the last one that keeps sessions in files
# A build of another channel keeps its sessions in a database of another name.
DEV_VERSION = "0.0.0-dev-202609212252"
DEV_CHANNEL = "dev"

CACHE_VARIABLE = "FINDER_REAL_CACHE"
_SECONDS = 300


class UnavailableError(Exception):
    """The real program cannot be had here; the text says why."""


def install(version: str = VERSION) -> Path:
    """The path of the program, installed now unless an earlier run has done so."""
    folder = _cache_folder() / f"opencode-ai-{version}"
    if not folder.is_dir():
        _install(version, folder)
    return folder / "node_modules" / ".bin" / "opencode"


def _cache_folder() -> Path:
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "finder-real"


def _install(version: str, folder: Path) -> None:
    """Install beside the final place and rename, so that half an installation is never used."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise UnavailableError("npm and node are needed, and are not on the search path")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="installing-") as scratch:
        partial = Path(scratch, "tree")
        partial.mkdir()
        _npm_install(npm, f"opencode-ai@{version}", partial, Path(scratch))
        partial.rename(folder)


def _npm_install(npm: str, package: str, folder: Path, scratch: Path) -> None:
    # Having been installed, the package starts the program, which makes its folders at once. npm
    # itself must keep the real home, for its settings and its cache.
    homes = {f"XDG_{kind}_HOME": str(scratch) for kind in ("DATA", "CONFIG", "CACHE", "STATE")}
    command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund"]
    command += ["--loglevel=error", package]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **homes},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"npm took over {_SECONDS} s to install {package}") from None
    if done.returncode:
        raise UnavailableError(
            f"npm cannot install {package}: {' '.join(done.stderr.split())[:300]}"
        )
