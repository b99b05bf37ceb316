"""Programs of others that do the same, installed outside of the project when asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.bench.stores import cache_folder
from tests.real.installation import CACHE_VARIABLE, VERSION, UnavailableError
from tests.real.installation import install as install_opencode

_PACKAGES = ("find-session", "fast-resume")


def install() -> dict[str, Path]:
    """The programs by name; those that cannot be had are named on stderr and left out."""
    found = _from_pypi()
    os.environ.setdefault(CACHE_VARIABLE, str(cache_folder() / "real"))
    try:
        found["opencode"] = install_opencode(VERSION)
    except UnavailableError as reason:
        print(f"opencode is left out: {reason}", file=sys.stderr)
    return found


def _from_pypi() -> dict[str, Path]:
    folder = cache_folder() / "peers"
    programs = {name: folder / "bin" / name for name in _PACKAGES}
    if not all(path.exists() for path in programs.values()):
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        for name in _PACKAGES:
            command = [str(folder / "bin" / "pip"), "install", "--quiet", name]
            if subprocess.run(command, check=False).returncode:
                print(f"{name} is left out: it cannot be installed", file=sys.stderr)
    return {name: path for name, path in programs.items() if path.exists()}
