"""Copying a text: by a program that is there for it, else by the terminal itself."""

from __future__ import annotations

import base64
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping

# What is set where a program has a clipboard to give to, and how it is called. tmux by default
# drops what asks the terminal around it.
_PROGRAMS = (
    ("TMUX", "tmux load-buffer -w -"),
    ("WAYLAND_DISPLAY", "wl-copy"),
    ("DISPLAY", "xclip -selection clipboard"),
    ("DISPLAY", "xsel --clipboard --input"),
)
_OF_SYSTEM = {"darwin": "pbcopy", "win32": "clip"}
_SECONDS = 2  # that a key may take


def given_away(text: str, env: Mapping[str, str]) -> bool:
    """Whether a program has taken the text for the clipboard."""
    return any(_takes(call, text, env) for call in _calls(env))


def request(text: str) -> str:
    """What asks a terminal to copy a text (OSC 52); whether it does, it does not say."""
    coded = base64.b64encode(text.encode()).decode()
    return f"\x1b]52;c;{coded}\x07"


def _calls(env: Mapping[str, str]) -> Iterator[list[str]]:
    calls = [call for name, call in _PROGRAMS if env.get(name)]
    if sys.platform in _OF_SYSTEM:
        calls.append(_OF_SYSTEM[sys.platform])
    for name, *rest in map(shlex.split, calls):
        program = shutil.which(name, path=env.get("PATH", ""))
        if program:
            yield [program, *rest]


def _takes(call: list[str], text: str, env: Mapping[str, str]) -> bool:
    try:
        # Some stay to hand the text out; they must not hold on to our terminal.
        done = subprocess.run(
            call, input=text.encode(), env=dict(env), timeout=_SECONDS, check=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
