"""Damaged Opta stores: each damage is named, nothing hangs, and the neighbours are still listed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from adapters.opta import Opta, log
from finder import files, jsonio
from finder.adapter import Store
from finder.errors import PROBLEM_KINDS, StoreError
from finder.model import Problem, Ref, Session
from finder.testing import stores_below

FIXTURES = Path(__file__).parents[2] / "fixtures" / "opta"
ADAPTER = Opta()
CONFIG = Path(".config/opta")

# One file of every layout, and the session that it belongs to.
FILES = {
    "chat": ("home", "sessions/ANW92nA3XJwA.json", "ANW92nA3XJwA"),
    "chat beside a snapshot": ("tui", "sessions/r-IXZWaCSkB6.json", "r-IXZWaCSkB6"),
    "snapshot": ("home", "daemon/sessions/imported_session-1/snapshot.json", "imported_session-1"),
    "log": ("home", "daemon/sessions/6EUIZnOcTqLZ/events.jsonl", "6EUIZnOcTqLZ"),
    "desktop's log": ("desktop", "sessions/sess_9f3Kq2Lm/events.jsonl", "sess_9f3Kq2Lm"),
    "log alone": ("desktop", "sessions/sess_only0002/events.jsonl", "sess_only0002"),
    "documented": ("documented", "sessions/abc12345/session.json", "abc12345"),
    "metadata": ("documented", "sessions/abc12345/metadata.json", "abc12345"),
}
EVERY_FILE = pytest.mark.parametrize("layout", FILES)


@pytest.fixture(autouse=True)
def _no_hang() -> Iterator[None]:
    if not hasattr(signal, "alarm"):
        yield
        return
    signal.alarm(120)  # kills the run: better than to wait for ever
    yield
    signal.alarm(0)


@dataclass
class Reading:
    """All that is read of a store."""

    problems: list[Problem] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)  # problems within a session's story
    stories: dict[str, list[bytes]] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path) -> Reading:
        found = cls()
        store = ADAPTER.detect(path)
        store = store or Store(adapter="opta", tool="opta", path=path, kind="files")
        ADAPTER.generation(store)
        for item in ADAPTER.sessions(store):
            if isinstance(item, Problem):
                assert item.kind in PROBLEM_KINDS
                found.problems.append(item)
                continue
            jsonio.dumps(item)
            ADAPTER.resume(item)
            events = list(ADAPTER.events(item.ref))
            found.texts += [e.problem for e in events if e.type == "opaque" and e.problem]
            found.stories[item.ref.id] = [jsonio.dumps(event) for event in events]
        return found

    def names(self, path: Path) -> bool:
        return any(p.path == str(path) for p in self.problems) or bool(self.texts)


@dataclass
class Case:
    """A copy of a fixture, one file of it, and what the rest reads like when all is well."""

    config: Path
    path: Path
    id: str
    whole: Reading

    def check(self, *, named: bool = True) -> Reading:
        """Reads it again: the damage is named, and every other session is as it was."""
        now = Reading.of(self.config)
        if named:
            assert now.names(self.path), f"no problem names {self.path}"
        others = {id_: story for id_, story in self.whole.stories.items() if id_ != self.id}
        assert {id_: story for id_, story in now.stories.items() if id_ in others} == others
        assert set(now.stories) <= set(self.whole.stories)
        return now


@pytest.fixture
def case(tmp_path: Path, layout: str) -> Case:
    name, path, id_ = FILES[layout]
    home = tmp_path / "home"
    shutil.copytree(FIXTURES / name / "store", home)
    for found in [home, *home.rglob("*")]:
        found.chmod(0o755 if found.is_dir() else 0o644)
    config = home / CONFIG
    return Case(config, config / path, id_, Reading.of(config))


def test_the_fixtures_have_no_problem() -> None:
    for name in {name for name, _, _ in FILES.values()}:
        found = Reading.of(FIXTURES / name / "store" / CONFIG)
        assert (found.problems, found.texts) == ([], [])


@EVERY_FILE
def test_truncated_anywhere(case: Case) -> None:
    data = case.path.read_bytes()
    for tenth in range(10):
        part = data[: len(data) * tenth // 10]
        case.path.write_bytes(part)
        at_a_line_end = case.path.suffix == ".jsonl" and part.endswith(b"\n")
        case.check(named=not at_a_line_end)


@EVERY_FILE
def test_bytes_flipped(case: Case) -> None:
    data = case.path.read_bytes()
    chance = random.Random(case.path.name)
    for _ in range(30):
        damaged = bytearray(data)
        for _ in range(chance.choice((1, 1, 3, 40))):
            damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        case.path.write_bytes(damaged)
        case.check(named=False)  # a flipped letter in a text is a text still
    case.path.write_bytes(bytes(byte ^ 0xFF for byte in data))
    case.check()


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _endless_device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def _round_link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _lost_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("gone")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _nothing_but_zeros(path: Path) -> None:
    path.write_bytes(b"\0" * 4096)


def _huge(path: Path) -> None:
    path.write_bytes(b"")
    os.truncate(path, 200 * 1024 * 1024)  # sparse


def _deep(path: Path) -> None:
    path.write_bytes(b"[" * 100_000)


def _another_program(path: Path) -> None:
    path.write_bytes(b'{"name": "x", "messages": {}}\n')


def _a_list(path: Path) -> None:
    path.write_bytes(b"[1, 2, 3]\n")


@EVERY_FILE
@pytest.mark.parametrize(
    "damage",
    [
        *(_folder, _pipe, _endless_device, _round_link, _lost_link, _empty),
        *(_nothing_but_zeros, _huge, _deep, _another_program, _a_list),
    ],
)
def test_something_else_in_its_place(case: Case, damage: Callable[[Path], None]) -> None:
    damage(case.path)
    # metadata.json has no form that could be wrong.
    case.check(named=(case.path.name, damage) != ("metadata.json", _another_program))


@EVERY_FILE
def test_not_permitted(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    really = os.open

    def refuse(path: Any, *rest: Any, **more: Any) -> int:
        if str(path) == str(case.path):
            raise PermissionError(13, "Permission denied", str(path))
        return really(path, *rest, **more)

    monkeypatch.setattr(os, "open", refuse)
    found = case.check()
    kinds = {p.kind for p in found.problems if p.path == str(case.path)}
    assert kinds == {"permission"}


@EVERY_FILE
def test_its_folder_not_permitted(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    really = os.scandir
    folder = str(case.path.parent)

    def refuse(path: Any = ".") -> Any:
        if str(path) == folder:
            raise PermissionError(13, "Permission denied", folder)
        return really(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = Reading.of(case.config)
    assert [p.kind for p in found.problems if p.path == folder] == ["permission"]


@EVERY_FILE
def test_too_large(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    size = case.path.stat().st_size
    really = files.read
    monkeypatch.setattr(
        files,
        "read",
        lambda path, limit=size - 1: really(path, size - 1 if path == case.path else 1 << 30),
    )
    found = Reading.of(case.config)
    assert found.names(case.path)


def test_one_bad_file_among_two_hundred_is_one_problem(tmp_path: Path) -> None:
    good = (FIXTURES / "home/store/.config/opta/sessions/tb7Af_jcUAul.json").read_bytes()
    folder = tmp_path / ".config/opta/sessions"
    folder.mkdir(parents=True)
    for number in range(200):
        (folder / f"session{number:03}.json").write_bytes(good)
    (folder / "session100.json").write_bytes(good[:500])
    (store,) = stores_below(ADAPTER, tmp_path)
    found = list(ADAPTER.sessions(store))
    assert [p.path for p in found if isinstance(p, Problem)] == [str(folder / "session100.json")]
    assert len([s for s in found if isinstance(s, Session)]) == 199


def test_a_session_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    path = tmp_path / "sessions/a.json"
    path.parent.mkdir()
    path.write_bytes(b"{")
    with pytest.raises(StoreError, match="not valid JSON"):
        list(ADAPTER.events(Ref("opta", str(tmp_path), "a")))


def test_a_broken_copy_beside_a_good_one_is_told_in_the_story(tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(FIXTURES / "tui/store", home)
    chat = home / CONFIG / "sessions/r-IXZWaCSkB6.json"
    chat.chmod(0o644)
    chat.write_bytes(chat.read_bytes()[:300])
    events = list(ADAPTER.events(Ref("opta", str(home / CONFIG), "r-IXZWaCSkB6")))
    assert events[0].type == "opaque"
    assert str(chat) in (events[0].problem or "")
    assert sum(event.type == "message" for event in events) == 7


def test_a_store_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        list(
            ADAPTER.sessions(Store(adapter="opta", tool="opta", path=tmp_path / "x", kind="files"))
        )


def test_metadata_without_its_session_is_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(FIXTURES / "documented/store", home)
    session = home / CONFIG / "sessions/abc12345/session.json"
    session.parent.chmod(0o755)
    session.unlink()
    found = Reading.of(home / CONFIG)
    assert [(p.kind, p.path) for p in found.problems] == [("gone", str(session))]


@pytest.mark.parametrize(
    "name",
    ["opta-session-tb7Af_jc-1794916865603.json", ".opta/recovery/GkDi-nkR1Cke.json"],
)
def test_a_damaged_export_or_recovery_file_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "alpha" / name
    path.parent.mkdir(parents=True)
    data = (FIXTURES / "home/store/projects/alpha" / name).read_bytes()
    for part in (0, 7, len(data) // 2, len(data) - 2):
        path.write_bytes(data[:part])
        (store,) = stores_below(ADAPTER, tmp_path)
        (problem,) = list(ADAPTER.sessions(store))
        assert isinstance(problem, Problem)
        assert problem.path == str(path)


@pytest.mark.parametrize("event", ["tool.end", "turn.token"])
def test_a_long_log_without_numbers_is_read_in_no_time(tmp_path: Path, event: str) -> None:
    said = [f"word {number} " for number in range(30_000)]
    payloads = ({"turnId": "t", "id": "c", "result": one, "text": one} for one in said)
    envelopes = ({"v": "3", "event": event, "daemonId": "d", "payload": one} for one in payloads)
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(jsonio.dumps({"seq": None, **one}) for one in envelopes))
    started = time.process_time()
    entries, problems = log.read([path])
    assert time.process_time() - started < 10
    assert problems == []
    if event == "turn.token":
        assert [entry.text for entry in entries] == ["".join(said)]
    else:
        assert [entry.payload["result"] for entry in entries] == said
