"""What files have told before is known again only as long as all of them are what they were."""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finder import files
from finder.adapter import Store, Want
from finder.catalogue import Catalogue, Seen, file_of
from finder.model import Problem, Ref, Session
from finder.places import Places
from finder.registry import Registry
from finder.source import Source
from tests.memory import Memory, Shelf, unreadable

FIXTURES = Path(__file__).parents[2] / "fixtures"
AN_HOUR_AGO = time.time_ns() - 3_600_000_000_000


def settle(*paths: Path) -> None:
    """Give files and folders a time that lies well behind."""
    for path in paths:
        os.utime(path, ns=(AN_HOUR_AGO, AN_HOUR_AGO))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "store" / "a.json"
    path.parent.mkdir()
    path.write_text("one")
    settle(path, path.parent)
    return path


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[], Catalogue]:
    return lambda: Catalogue(tmp_path / "cache" / "kept.txt", "/store")


def keep(catalogue: Catalogue, path: Path, *values: str, key: str = "key") -> None:
    seen = Seen()
    seen(path)
    catalogue.keep(key, seen, values)
    catalogue.save(whole=False)


Opened = Callable[[], Catalogue]


# -- what changes is seen ------------------------------------------------------------------


def rewritten(path: Path) -> None:
    path.write_text("two and more")


def rewritten_with_its_old_time(path: Path) -> None:
    before = path.stat()
    path.write_text("two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced_by_one_as_large_and_old(path: Path) -> None:
    before = path.stat()
    other = path.with_name("other")
    other.write_text("two")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


def deleted(path: Path) -> None:
    path.unlink()


def touched(path: Path) -> None:
    path.touch()


@pytest.mark.parametrize(
    "change",
    [rewritten, rewritten_with_its_old_time, replaced_by_one_as_large_and_old, deleted, touched],
    ids=lambda change: change.__name__,
)
def test_a_file_that_is_not_what_it_was_is_read_again(
    opened: Opened, path: Path, change: Callable[[Path], None]
) -> None:
    if os.name == "nt" and change is rewritten_with_its_old_time:
        pytest.skip("nothing tells it there")
    keep(opened(), path, "one")
    assert opened().known("key", [path]) == ["one"]
    change(path)
    assert opened().known("key", [path]) is None


def test_a_file_that_was_missed_and_comes_is_seen(opened: Opened, path: Path) -> None:
    later = path.with_name("later")
    keep(opened(), later, "nothing")
    assert opened().known("key", []) == ["nothing"]
    later.write_text("here")
    assert opened().known("key", []) is None


def test_a_name_that_comes_or_goes_is_seen_in_its_folder(opened: Opened, path: Path) -> None:
    keep(opened(), path.parent, "a.json")
    path.write_text("the folder stays the same")
    assert opened().known("key", [path.parent]) == ["a.json"]
    path.with_name("b.json").write_text("")
    assert opened().known("key", [path.parent]) is None


def test_a_path_that_it_was_not_made_of_is_a_reason_to_look(opened: Opened, path: Path) -> None:
    keep(opened(), path, "one")
    assert opened().known("key", [path, path.with_name("more")]) is None


def test_what_was_changed_just_now_is_not_kept(opened: Opened, path: Path) -> None:
    """A second change might come with the same time."""
    path.touch()
    keep(opened(), path, "one")
    assert opened().known("key", [path]) is None


def test_a_file_counts_as_it_was_when_it_was_first_looked_at(opened: Opened, path: Path) -> None:
    seen = Seen()
    seen(path)
    path.write_text("changed while it was read")
    seen(path)
    catalogue = opened()
    catalogue.keep("key", seen, ["one"])
    catalogue.save(whole=False)
    assert opened().known("key", [path]) is None


# -- what is kept --------------------------------------------------------------------------


@given(values=st.lists(st.text(st.characters() | st.sampled_from("\x1c\x1d\x1e\x1f\n\ud800="))))
def test_values_come_back_as_they_were_or_not_at_all(
    tmp_path_factory: pytest.TempPathFactory, values: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("values")
    path = folder / "a"
    path.write_text("x")
    settle(path)
    catalogue = Catalogue(folder / "kept", "/store")
    keep(catalogue, path, *values)
    keep(catalogue, path, "another", key="beside")
    again = Catalogue(folder / "kept", "/store")
    separated = any(set(value) & set("\x1c\x1d\x1e\x1f") for value in values)
    assert again.known("key", [path]) == (None if separated else values)
    assert again.known("beside", [path]) == ["another"]


@pytest.mark.parametrize(
    "session",
    [
        Session(ref=Ref("mem", "/store", "s")),
        Session(
            ref=Ref("mem", "/store", "s"),
            title="",
            directory="C:\\Users\\é",
            created=0,
            updated=-1,
            parent=Ref("mem", "/store", "p"),
            agent="=build",
            model="\ud800",
            messages=3,
            archived=4,
            labels=("archived", "forked", "inferred"),
            also_in=("/a", "/b\nc"),
            stamp="1.2",
        ),
    ],
)
def test_headers_come_back_as_they_were(opened: Opened, path: Path, session: Session) -> None:
    seen = Seen()
    seen(path)
    catalogue = opened()
    catalogue.keep_session("key", seen, session)
    catalogue.save(whole=False)
    assert opened().session("key", [path], "mem") == session


@pytest.mark.parametrize(
    "more",
    [{"raw": {}}, {"origin": "clacky"}, {"parent": Ref("mem", "/another", "p")}],
)
def test_headers_that_would_not_come_back_whole_are_not_kept(
    opened: Opened, path: Path, more: dict[str, object]
) -> None:
    seen = Seen()
    seen(path)
    catalogue = opened()
    session = Session(ref=Ref("mem", "/store", "s"))
    catalogue.keep_session("key", seen, session._replace(**more))  # type: ignore[arg-type]
    catalogue.save(whole=False)
    assert opened().session("key", [path], "mem") is None


def test_a_walk_that_did_not_come_to_all_deletes_nothing(opened: Opened, path: Path) -> None:
    for key in ("one", "two"):
        keep(opened(), path, key, key=key)
    cut_off = opened()
    assert cut_off.known("one", [path])
    keep(cut_off, path, "three", key="three")
    assert opened().known("two", [path]) == ["two"]
    whole = opened()
    assert whole.known("one", [path])
    whole.save(whole=True)
    after = opened()
    assert after.known("one", [path]) == ["one"]
    assert after.known("two", [path]) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data.replace(b"one", b"eno"),
        lambda data: data.replace(b"catalogue 1", b"catalogue 0"),
        lambda data: data.replace(b"/store", b"/other", 1),
        lambda data: b"\xff" + data,
        lambda data: data.replace(data.split(b"\n")[2], b"x"),
    ],
)
def test_what_is_damaged_or_anothers_is_ignored_and_made_anew(
    opened: Opened, path: Path, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    keep(opened(), path, "one")
    kept = tmp_path / "cache" / "kept.txt"
    kept.write_bytes(damage(kept.read_bytes()))
    assert opened().known("key", [path]) is None
    keep(opened(), path, "one")
    assert opened().known("key", [path]) == ["one"]


def test_a_cache_that_cannot_be_written_costs_only_time(path: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    keep(Catalogue(blocked / "kept", "/store"), path, "one")
    assert blocked.read_text() == "not a folder"


def test_what_nothing_was_added_to_for_months_is_forgotten(
    opened: Opened, path: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    for name, days in (("old.txt", 91), ("new.txt", 89)):
        (cache / name).write_text("")
        os.utime(cache / name, (time.time() - days * 86_400,) * 2)
    keep(opened(), path, "one")
    assert sorted(file.name for file in cache.iterdir()) == ["kept.txt", "new.txt"]


@pytest.mark.skipif(os.name == "nt", reason="permissions are of another kind there")
def test_only_its_user_may_read_what_is_kept(opened: Opened, path: Path, tmp_path: Path) -> None:
    keep(opened(), path, "one")
    assert stat.S_IMODE((tmp_path / "cache" / "kept.txt").stat().st_mode) == 0o600


def test_who_waits_is_told_how_far_it_is(path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    catalogue = Catalogue(None, "/store", lambda done, total: told.append((done, total)))
    catalogue.known("a", [path])
    catalogue.expect(2)
    catalogue.known("b", [path])
    assert told == [(1, None), (2, 2)]


# -- the adapters' listings ------------------------------------------------------------------

HOMES = [
    "opencode-files/1.1.65",
    "opencode-files/0.5.29",
    "opencode-files/0.1.174",
    "opencode-files/notmigrated",
    "clacky/v1.5.1",
    "clacky/v0.7.0",
    "opta/home",
    "opta/desktop",
    "opta/documented",
]


@pytest.fixture(params=HOMES)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    home = tmp_path / "home"
    shutil.copytree(FIXTURES / request.param / "store", home)
    settle(*home.rglob("*"))
    return home


Answers = list[tuple[list[Session], set[Problem]]]


def listed(home: Path, cache: Path | None) -> Answers:
    """The headers and problems of each store of files."""
    registry = Registry.installed()
    found = []
    for store in registry.discover(Places.under(home)):
        if isinstance(store, Store) and store.kind == "files":
            source = Source(registry.adapter(store.adapter), store, raw=False, cache=cache)
            headers = (header._replace(raw=None) for header in source.listing(Want()))
            sessions = sorted(headers, key=lambda session: session.ref)
            found.append((sessions, set(source.problems)))
    return found


def test_a_second_walk_opens_no_file_of_a_session(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It opens only what is left of sessions and messages that are gone."""
    cache = tmp_path / "cache"
    first = listed(home, cache)
    assert any(sessions for sessions, _ in first)
    read: list[str] = []
    real = files.chunks

    def chunks(path: Path, limit: int = files.MAX_FILE_BYTES) -> Iterator[bytes]:
        read.append(path.as_posix())
        return real(path, limit)

    monkeypatch.setattr(files, "chunks", chunks)
    assert listed(home, cache) == first
    opened = [path for path in read if not path.startswith(cache.as_posix())]
    assert [path for path in opened if "/part/" not in path and "-chunk-" not in path] == []
    monkeypatch.undo()
    assert listed(home, None) == first


def test_a_message_that_says_what_the_session_does_not_is_looked_at_too(tmp_path: Path) -> None:
    home, cache = tmp_path / "home", tmp_path / "cache"
    shutil.copytree(FIXTURES / "opencode-files/1.1.65/store", home)
    settle(*home.rglob("*"))
    before = listed(home, cache)
    assert listed(home, cache) == before
    changed = 0
    for path in home.rglob("message/*/*.json"):
        data = path.read_bytes()
        path.write_bytes(data.replace(b'"modelID": "', b'"modelID":  "X'))
        settle(path)
        changed += path.read_bytes() != data
    assert changed
    after = listed(home, cache)
    assert after == listed(home, None)
    assert after != before


def test_a_store_that_fails_deletes_nothing(tmp_path: Path, path: Path) -> None:
    """An adapter that comes to nothing this time, for the store cannot be read."""
    cache = tmp_path / "cache"
    shelf = Shelf(path.parent, kind="files")
    session = shelf.add("s", "title")
    asked: list[bool] = []

    class Careful(Memory):
        def sessions(self, store: Store, want: Want | None = None) -> Iterator[Session | Problem]:
            assert want is not None
            assert want.catalogue is not None
            known = want.catalogue.session("s", [path], "mem") if shelf.error is None else None
            asked.append(known is not None)
            yield from super().sessions(store, want) if known is None else [known]
            seen = Seen()
            seen(path)
            want.catalogue.keep_session("s", seen, session)

    adapter = Careful(shelf)
    for error in (None, unreadable(path.parent), None):
        shelf.error = error
        source = Source(adapter, adapter.store(shelf), raw=False, cache=cache)
        source.listing(Want())
        assert source.failed == (error is not None)
    assert asked == [False, False, True]
    assert file_of(cache, "memory", path.parent).exists()
