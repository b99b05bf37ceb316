"""The picker and the shells' completion in a real terminal.

tmux draws it, passes keys and is asked what stands there.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TMUX = shutil.which("tmux")
SECONDS = 30

pytestmark = pytest.mark.skipif(TMUX is None, reason="tmux is not installed")


class Terminal:
    """One terminal with a shell in it, at home in a folder."""

    def __init__(self, home: Path, columns: int, lines: int) -> None:
        self.socket = str(home / "tmux")
        environment = {
            "HOME": str(home),
            "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PS1": "$ ",
            "PAGER": "less",
            "LANG": "C.UTF-8",
        }
        self.environment = {**environment, "TERM": "xterm-256color"}
        size = ("-x", str(columns), "-y", str(lines))
        self._tmux("-f", "/dev/null", "new-session", "-d", *size, "-c", str(home), "sh")
        self._tmux("set", "-g", "set-clipboard", "on")
        self._tmux("set", "-g", "escape-time", "0")

    def _tmux(self, *words: str) -> str:
        assert TMUX is not None
        done = subprocess.run(
            [TMUX, "-u", "-S", self.socket, *words],
            env=self.environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    def type(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def call(self, *words: str) -> None:
        self.type("-l", f"clear; {shlex.join(words)}; echo status=$?")
        self.type("Enter")

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p", "-t", "0")

    def resize(self, columns: int, lines: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(lines))

    def copied(self) -> str:
        return self._tmux("show-buffer")

    def until(self, pattern: str) -> str:
        end = time.monotonic() + SECONDS
        while not re.search(pattern, screen := self.screen(), re.MULTILINE):
            assert time.monotonic() < end, f"{pattern!r} is not on the screen:\n{screen}"
            time.sleep(0.05)
        return screen

    def end(self) -> None:
        self._tmux("kill-server")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with OpenCode's sessions, and programs that stand for finder and opencode."""
    store = ROOT / "fixtures" / "opencode-db" / "1.18.33" / "store"
    shutil.copytree(store, tmp_path, dirs_exist_ok=True)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, body in {
        "finder": f'exec "{sys.executable}" -m finder "$@"',
        "opencode": 'echo "this is opencode, called with $* in $PWD"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    return tmp_path


@pytest.fixture
def narrow(home: Path) -> Iterator[Terminal]:
    terminal = Terminal(home, 80, 24)
    yield terminal
    terminal.end()


def test_narrow_and_wide(narrow: Terminal) -> None:
    narrow.call("finder", "pick")
    narrow.until(r"\d+ shown · \d+ sessions")
    lines = narrow.until(r"^opencode:ses_").splitlines()
    assert lines[0].startswith(">")
    assert lines[1].startswith("▌ opencode")
    assert any(set(line) == {"─"} for line in lines), "the preview is below"
    assert "Esc leave" in lines[23]
    narrow.resize(200, 50)
    screen = narrow.until(r"│")
    assert all("│" in line for line in screen.splitlines()[1:48]), "the preview is beside"
    narrow.type("Tab")
    assert "│" not in narrow.until(r"^▌ opencode[^│]*$")
    narrow.type("Escape")
    narrow.until("status=0")


def test_typing_narrows_and_enter_resumes(narrow: Terminal, home: Path) -> None:
    narrow.call("finder", "find", "tour", "--format", "ids", "--limit", "1")
    first = narrow.until("status=0").split()[0]
    narrow.call("finder", "pick")
    narrow.until("sessions")
    narrow.type("-l", "tour")
    narrow.type("Enter")
    # Its folder is not on this machine, and that is said; the command to do so by hand too.
    narrow.until("does not exist here")
    screen = narrow.until("status=1")
    assert first in "".join(screen.split())


def test_keys(narrow: Terminal) -> None:
    narrow.call("finder", "pick", "--print")
    narrow.until(r"^opencode:ses_")
    narrow.type("C-y")
    narrow.until("copied opencode:ses_")
    copied = narrow.copied()
    assert re.fullmatch(r"opencode:ses_\w+", copied)
    narrow.type("C-o")  # the pager
    narrow.until(r"^:|\(END\)")
    narrow.type("q")
    narrow.until("Esc leave")
    narrow.type("C-x")
    narrow.until("Convert opencode:ses_")
    narrow.type("Escape")
    narrow.until("Enter print")
    narrow.type("Enter")
    assert copied in narrow.until("status=0")


def test_a_conversion(narrow: Terminal, home: Path) -> None:
    narrow.call("finder", "pick")
    narrow.until(r"^opencode:ses_")
    narrow.type("C-x")
    narrow.until("▌ html")
    narrow.type("Enter")
    narrow.until("status=0")
    assert list(home.glob("ses_*-html/*.html"))


def test_ctrl_c_is_an_interruption(narrow: Terminal) -> None:
    narrow.call("finder", "pick")
    narrow.until("Esc leave")
    narrow.type("C-c")
    assert "interrupted" in narrow.until("status=130")


def test_a_folder_without_sessions(narrow: Terminal) -> None:
    narrow.call("finder", "pick", "--cwd", "/nowhere")
    narrow.until("There is no session here")
    narrow.type("Escape")
    narrow.until("status=0")


SESSION = "ses_e07d57e46ffexIoFN5KG4FNMfR"
SHELLS = {
    "bash": ("bash --norc -i", 'eval "$(finder completion bash)"'),
    "zsh": ("zsh -f -i", 'autoload -Uz compinit; compinit -D -u; eval "$(finder completion zsh)"'),
    "fish": ("fish --no-config -i", "finder completion fish | source"),
}


@pytest.mark.parametrize("shell", SHELLS)
def test_shells_complete(narrow: Terminal, shell: str) -> None:
    start, load = SHELLS[shell]
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    for line in (start, f"{load}; clear; echo rea''dy"):
        narrow.type("-l", line)
        narrow.type("Enter")
    narrow.until("^ready")
    for typed, completed in {
        "finder get ses_e07d57e": f"finder get {SESSION}",
        "finder get opencode:ses_e07d57e": f"finder get opencode:{SESSION}",
        "finder find --tool=opt": "finder find --tool=opta",
        "finder resume --in cl": "finder resume --in clacky",
        "finder help exit": "finder help exit-codes",
        "finder get ./bi": "finder get ./bin/",
    }.items():
        narrow.type("-l", typed)
        narrow.type("Tab")
        narrow.until(re.escape(completed) + " ?$")
        narrow.type("C-u")
        narrow.until(r"[#$%>] ?\n*\Z")
