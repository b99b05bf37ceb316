"""Home, environment and working directory as one value."""

from __future__ import annotations

from pathlib import Path

import pytest

from finder.places import Places


def places(**env: str) -> Places:
    return Places(home=Path("/home/dev"), env=env, cwd=Path("/work"))


def test_here_is_this_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FINDER_SOMETHING", "1")
    here = Places.here()
    assert (here.home, here.cwd.resolve()) == (tmp_path, tmp_path.resolve())
    assert here.env["FINDER_SOMETHING"] == "1"


def test_a_backup_has_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/elsewhere")
    backup = Places.under(Path("/mnt/backup"))
    assert backup.xdg("XDG_DATA_HOME", ".local/share") == Path("/mnt/backup/.local/share")


def test_xdg_folders() -> None:
    assert places().xdg("XDG_DATA_HOME", "d") == Path("/home/dev/d")
    assert places(XDG_DATA_HOME="/data").xdg("XDG_DATA_HOME", "d") == Path("/data")
    assert places(XDG_DATA_HOME="rel/ative").xdg("XDG_DATA_HOME", "d") == Path("/home/dev/d")
    assert places(XDG_DATA_HOME="").xdg("XDG_DATA_HOME", "d") == Path("/home/dev/d")


def test_the_cache_folder() -> None:
    assert places().cache() == Path("/home/dev/.cache/session-finder")
    assert places(XDG_CACHE_HOME="/c").cache() == Path("/c/session-finder")
    assert places(FINDER_CACHE_DIR="/mine").cache() == Path("/mine")


def test_a_working_directory_that_was_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> Path:
        raise FileNotFoundError(2, "No such file or directory")

    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setattr(Path, "cwd", gone)
    monkeypatch.setenv("PWD", "/was/here")
    assert Places.here().cwd == Path("/was/here")
    monkeypatch.delenv("PWD")
    assert Places.here().cwd == tmp_path
