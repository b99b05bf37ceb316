"""Putting files in place: whatever fails, the old state or the new one, and nothing left behind."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from finder.errors import WriteError
from finder.publish import Placed, publish

# All through which a file system is changed, as the modules call it.
CALLS = ("open", "link", "rename", "replace", "unlink", "mkdir", "rmdir", "fsync")

State = dict[str, str | None]


def state(folder: Path) -> State:
    """Every file with its content, every folder."""
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_text()
        for path in sorted(folder.rglob("*"))
    }


class Failing:
    """Lets the k-th call of one of these functions fail, and all calls be counted."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.calls = 0

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls == self.at:
                raise OSError(errno.EIO, "the disk has failed", str(args[0]))
            return function(*args, **kwargs)

        return call


@contextmanager
def failing(at: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Failing]:
    fault = Failing(at)
    with monkeypatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, fault.wrap(getattr(os, name)))
        yield fault


def files(tmp_path: Path, target: Path) -> list[Placed]:
    source = tmp_path / "staged"
    source.mkdir(exist_ok=True)
    found = []
    for name in ("deep/er/one", "deep/two", "three"):
        content = source / name.replace("/", "-")
        content.write_text(f"new {name}")
        found.append(Placed(source=content, target=target / name, mode=0o600))
    return found


def test_all_files_are_placed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    publish(files(tmp_path, target))
    assert state(target) == {
        "deep": None,
        "deep/er": None,
        "deep/er/one": "new deep/er/one",
        "deep/two": "new deep/two",
        "three": "new three",
    }
    assert stat.S_IMODE((target / "three").stat().st_mode) == 0o600


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "three").write_text("old")
    with pytest.raises(WriteError, match="three exists") as error:
        publish(files(tmp_path, target))
    assert "--replace" in (error.value.hint or "")
    assert state(target) == {"three": "old"}


def test_a_file_that_appears_in_the_meantime_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "target"
    link = os.link

    def slow_link(source: Any, to: Any, **rest: Any) -> None:
        if Path(to).name == "three":
            Path(to).write_text("another program's")
        link(source, to, **rest)

    monkeypatch.setattr(os, "link", slow_link)
    with pytest.raises(WriteError, match="exists"):
        publish(files(tmp_path, target))
    assert state(target) == {"three": "another program's"}


def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (target / "three").mkdir(parents=True)
    with pytest.raises(WriteError, match="is a folder"):
        publish(files(tmp_path, target), replace=True)


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "deep").write_text("a file")
    with pytest.raises(WriteError):
        publish(files(tmp_path, target), replace=True)
    assert state(target) == {"deep": "a file"}


def placed(tmp_path: Path, text: str, name: str = "common", **more: bool) -> Placed:
    source = tmp_path / f"{len(list(tmp_path.iterdir()))}.staged"
    source.write_text(text)
    return Placed(source=source, target=tmp_path / "target" / name, mode=0o644, **more)


def test_what_stands_there_already_may_stay_if_it_is_the_same(tmp_path: Path) -> None:
    there = tmp_path / "target" / "common"
    there.parent.mkdir()
    there.write_text("same")
    before = there.stat().st_mtime_ns
    same = placed(tmp_path, "same", may_stand=True)
    publish([same, placed(tmp_path, "new", "visible")])
    assert state(there.parent) == {"common": "same", "visible": "new"}
    assert there.stat().st_mtime_ns == before
    for refused in (placed(tmp_path, "same"), placed(tmp_path, "other", may_stand=True)):
        with pytest.raises(WriteError, match="common exists"):
            publish([refused, placed(tmp_path, "new", "more")])
    assert state(there.parent) == {"common": "same", "visible": "new"}


@pytest.mark.parametrize(("theirs", "stands"), [("same", True), ("other", False)])
def test_what_another_call_puts_there_meanwhile_stands_if_it_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, theirs: str, stands: bool
) -> None:
    link = os.link

    def slow_link(source: Any, to: Any, **rest: Any) -> None:
        if Path(to).name == "common":
            Path(to).write_text(theirs)
        link(source, to, **rest)

    files = [placed(tmp_path, "same", may_stand=True), placed(tmp_path, "new", "visible")]
    monkeypatch.setattr(os, "link", slow_link)
    if stands:
        publish(files)
    else:
        with pytest.raises(WriteError, match="common exists"):
            publish(files)
    left = {"common": theirs, "visible": "new"} if stands else {"common": theirs}
    assert state(tmp_path / "target") == left


def test_what_is_shared_stays_whatever_it_says(tmp_path: Path) -> None:
    target = tmp_path / "target"
    common = [placed(tmp_path, text, may_stand=True, shared=True) for text in ("first", "second")]
    publish([*common, placed(tmp_path, "new", "visible")])
    assert state(target) == {"common": "first", "visible": "new"}
    publish([common[1], placed(tmp_path, "newer", "visible")], replace=True)
    assert state(target) == {"common": "first", "visible": "newer"}


def test_files_of_one_beginning_go_where_they_are_replaced(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    for name in ("a-chunk-1", "a-chunk-2", "ab-chunk-1", "[a]-chunk-1"):
        (target / name).write_text("old")
    new = placed(tmp_path, "new", "a-chunk-1")
    publish([new], replace=True, owned=[target / "a-chunk-*"])
    assert state(target) == {"[a]-chunk-1": "old", "a-chunk-1": "new", "ab-chunk-1": "old"}


def test_two_files_for_one_place_are_refused(tmp_path: Path) -> None:
    one, *_ = files(tmp_path, tmp_path / "target")
    with pytest.raises(WriteError, match="two sessions"):
        publish([one, one])


def test_what_an_earlier_conversion_left_goes(tmp_path: Path) -> None:
    target = tmp_path / "target"
    publish(files(tmp_path, target))
    (target / "deep" / "stale").write_text("of the earlier one")
    (target / "mine").write_text("somebody's")
    publish(files(tmp_path, target), replace=True, owned=[target / "deep"])
    left = state(target)
    assert "deep/stale" not in left
    assert left["mine"] == "somebody's"
    assert left["deep/two"] == "new deep/two"


@pytest.mark.skipif(sys.platform == "win32", reason="modes are another matter there")
def test_the_users_umask_holds(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        source = tmp_path / "content"
        source.write_text("x")
        publish([Placed(source=source, target=tmp_path / "out", mode=0o644)])
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o600


def old_state(target: Path) -> None:
    (target / "deep").mkdir(parents=True)
    (target / "deep" / "two").write_text("old two")
    (target / "deep" / "stale").write_text("old stale")
    (target / "three").write_text("old three")


@pytest.mark.parametrize("replacing", [False, True])
@pytest.mark.parametrize("links", [True, False])
def test_a_failure_at_any_step_leaves_the_old_state_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replacing: bool, links: bool
) -> None:
    if not links:  # a file system that has none, as on many memory cards
        no_links = OSError(errno.EPERM, "no hard links here")
        monkeypatch.setattr(os, "link", lambda *_, **__: (_ for _ in ()).throw(no_links))
    failures = 0
    for step in range(1, 200):
        target = tmp_path / f"target{step}"
        if replacing:
            old_state(target)
        else:
            target.mkdir()
        old = state(target)
        wanted = files(tmp_path, target)
        with failing(step, monkeypatch) as fault:
            try:
                publish(wanted, replace=replacing, owned=[target / "deep"])
            except WriteError:
                failures += 1
                assert state(target) == old, f"step {step}"
            else:
                new = state(target)
                assert set(new) == {"deep", "deep/er", "deep/er/one", "deep/two", "three"}, step
                assert all(text is None or text.startswith("new") for text in new.values())
        if fault.calls < step:
            break
    else:
        pytest.fail("it never came to the end")
    assert failures > 10


@pytest.mark.parametrize("replacing", [False, True])
@pytest.mark.parametrize("raised", [WriteError("not listed"), KeyboardInterrupt()])
def test_a_check_that_fails_undoes_all(
    tmp_path: Path, replacing: bool, raised: BaseException
) -> None:
    target = tmp_path / "target"
    target.mkdir()
    if replacing:
        old_state(tmp_path / "target2")
        target = tmp_path / "target2"
    old = state(target)

    def check() -> None:
        assert (target / "three").read_text() == "new three"
        raise raised

    with pytest.raises(type(raised)):
        publish(files(tmp_path, target), replace=replacing, owned=[target / "deep"], check=check)
    assert state(target) == old


def test_a_full_disk_is_said_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    target = tmp_path / "target"
    target.mkdir()
    wanted = files(tmp_path, target)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteError, match="No space left on device; nothing was changed"):
        publish(wanted)
    assert state(target) == {}
