"""Reading what may be anything; writing whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from finder import files
from finder.errors import StoreError, WriteError

_POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")


def kind(path: Path) -> str:
    with pytest.raises(StoreError) as caught:
        files.read(path, limit=1000)
    assert caught.value.problem.path == str(path)
    return caught.value.problem.kind


def test_read_and_head(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\r\n\0" * 100)
    assert files.read(path) == b"\r\n\0" * 100
    assert files.head(path, 2) == b"\r\n"


@pytest.mark.parametrize("size", [200_000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 2_500_000])
@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n", b"\nlast"])
def test_lines_are_without_their_ends_however_long(tmp_path: Path, end: bytes, size: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"a\r\n\n\x85\x0b\n" + b"x" * size + end)
    expected = [b"a\r", b"", b"\x85\x0b", b"x" * size, *end.split(b"\n")[1:]]
    assert list(files.lines(path)) == expected[: None if expected[-1] else -1]
    assert next(files.lines(path, start=4)) == b"\x85\x0b"
    with pytest.raises(StoreError):
        next(files.lines(path, limit=1000))


def test_what_is_no_readable_file_is_named(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"x" * 1001)
    assert kind(large) == "too-large"
    assert kind(tmp_path / "missing") == "gone"
    assert kind(tmp_path / "a\0b") == "corrupt"


@_POSIX
def test_folders_and_pipes_do_not_hang_the_reader(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert kind(tmp_path) == "foreign"
    assert kind(pipe) == "foreign"
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert kind(loop) == "corrupt"


@_POSIX
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read all")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"x")
    path.chmod(0)
    assert kind(path) == "permission"


def test_a_folder_that_cannot_be_reached_is_none(tmp_path: Path) -> None:
    assert files.is_folder(tmp_path)
    for name in ("gone", "x" * 5000, "a\0b"):
        assert not files.is_folder(tmp_path / name)


def test_permission_is_told_from_absence() -> None:
    assert files.problem_of(Path("/x"), PermissionError()).kind == "permission"
    assert files.problem_of(Path("/x"), FileNotFoundError()).kind == "gone"


def test_write_makes_folders_and_never_clobbers(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "file"
    files.write(path, b"one", mode=0o600)
    assert path.read_bytes() == b"one"
    if os.name != "nt":
        assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(WriteError, match="exists already"):
        files.write(path, b"two")
    assert path.read_bytes() == b"one"
    files.write(path, b"two", replace=True)
    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["file"], "nothing is left behind"


@pytest.mark.parametrize("step", ["fsync", "link", "replace"])
def test_a_write_that_fails_leaves_the_old_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "file"
    replace = step == "replace"
    if replace:
        path.write_bytes(b"old")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    if step == "replace":
        monkeypatch.setattr(Path, "replace", fail)
    elif step == "link":  # as on a file system without links; then the rename fails too
        monkeypatch.setattr(os, "link", fail)
        monkeypatch.setattr(Path, "rename", fail)
    else:
        monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(WriteError, match="No space left"):
        files.write(path, b"new", replace=replace)
    assert [p.name for p in tmp_path.iterdir()] == (["file"] if replace else [])
    assert not replace or path.read_bytes() == b"old"


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", fail)
    files.write(tmp_path / "file", b"one")
    with pytest.raises(WriteError, match="exists already"):
        files.write(tmp_path / "file", b"two")
    assert (tmp_path / "file").read_bytes() == b"one"
