"""Where things are: home, environment and working directory as one injected value.

Nothing below the command line reads `os.environ` or the current directory itself, so tests
and ``--root`` can put any folder in the place of the user's home.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple


class Places(NamedTuple):
    """A home folder, an environment and a working directory.

    `platform` is `sys.platform` of the machine that the home belongs to.
    """

    home: Path
    cwd: Path
    env: Mapping[str, str] = MappingProxyType({})
    platform: str = "linux"

    @classmethod
    def here(cls) -> Places:
        """Those of this process."""
        import sys

        home = Path.home()
        return cls(home=home, env=os.environ, cwd=_cwd(home), platform=sys.platform)

    @classmethod
    def under(cls, root: Path) -> Places:
        """`root` taken as somebody's home, with no environment: a backup, a mounted disk."""
        return cls(home=root, cwd=root)

    def xdg(self, variable: str, default: str) -> Path:
        """The folder that an XDG variable names, else `default` below home.

        A relative value is ignored, as the XDG base directory specification demands.
        """
        value = self.env.get(variable, "")
        return Path(value) if value and Path(value).is_absolute() else self.home / default

    def cache(self) -> Path:
        """Our own cache folder. All in it is disposable. It may not exist yet."""
        named = self.env.get("FINDER_CACHE_DIR")
        if named:
            return Path(named)
        # platformdirs costs 7 ms to import; on Linux its answer is the XDG rule.
        if self.platform.startswith("linux"):
            return self.xdg("XDG_CACHE_HOME", ".cache") / "session-finder"
        import platformdirs

        return Path(platformdirs.user_cache_dir("session-finder", appauthor=False))


def _cwd(home: Path) -> Path:
    try:
        return Path.cwd()
    except OSError:  # it was deleted under the shell, which still knows what it was called
        named = os.environ.get("PWD", "")
        return Path(named) if Path(named).is_absolute() else home
