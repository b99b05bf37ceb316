"""Copying from the picker."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from finder.cli.picker import clipboard

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the programs are scripts")


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr(clipboard, "_OF_SYSTEM", {})
    return {"PATH": f"{tmp_path}{os.pathsep}/bin{os.pathsep}/usr/bin", "OUT": str(tmp_path / "out")}


@pytest.mark.parametrize(
    ("where", "name", "called"),
    [
        ("TMUX", "tmux", "load-buffer -w -"),
        ("WAYLAND_DISPLAY", "wl-copy", ""),
        ("DISPLAY", "xclip", "-selection clipboard"),
    ],
)
def test_a_program_takes_it(
    tmp_path: Path, env: dict[str, str], where: str, name: str, called: str
) -> None:
    program(tmp_path, name, 'echo "$@" > "$OUT"; cat >> "$OUT"')
    assert clipboard.given_away("opencode:ses_ü", env | {where: "x"})
    assert (tmp_path / "out").read_text(encoding="utf-8") == f"{called}\nopencode:ses_ü"


def test_one_that_fails_or_hangs_is_passed_over(
    tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clipboard, "_SECONDS", 0.2)
    program(tmp_path, "tmux", "exit 1")  # an older one knows no -w
    program(tmp_path, "wl-copy", "exec sleep 20")
    everywhere = env | {"TMUX": "x", "WAYLAND_DISPLAY": "x", "DISPLAY": ":0"}
    program(tmp_path, "xclip", "exit 1")
    program(tmp_path, "xsel", "exit 1")
    assert not clipboard.given_away("id", everywhere)
    program(tmp_path, "xsel", 'cat > "$OUT"')
    assert clipboard.given_away("id", everywhere)
    assert (tmp_path / "out").read_text(encoding="utf-8") == "id"


def test_without_any_the_terminal_is_asked(tmp_path: Path, env: dict[str, str]) -> None:
    program(tmp_path, "tmux", "exit 0")
    assert not clipboard.given_away("id", env), "there is no tmux around"
    assert not clipboard.given_away("id", {"PATH": "", "TMUX": "x", "DISPLAY": ":0"})
    assert clipboard.request("id") == "\x1b]52;c;aWQ=\x07"
