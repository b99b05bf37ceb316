"""The adapter contract as a test class, for our adapters and anybody's.

    class TestClacky(AdapterContract):
        adapter = Clacky()
        fixtures = Path("fixtures/clacky")

        def records(self, home, session): ...   # the native records, read in the plainest way

Each folder in `fixtures` is a case: ``store/`` is a home folder as the tool left it,
``expected.jsonl`` what the adapter reads from it (see `transcript`), ``ABOUT`` its origin.
Run the tests with ``FINDER_UPDATE=1`` in the environment to write ``expected.jsonl`` anew, and
then read the difference before you keep it. Needs pytest.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from abc import abstractmethod
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from finder import jsonio
from finder.adapter import Adapter, Names, Outline, Store, Want
from finder.errors import FinderError, NotFoundError, StoreError
from finder.model import (
    EVENT_TYPES,
    LABELS,
    Event,
    Json,
    JsonObject,
    Message,
    Problem,
    Ref,
    Session,
)
from finder.places import Places
from finder.registry import Registry
from finder.source import Source

_UPDATE = "FINDER_UPDATE"
_HOSTILE = (
    "../../x",
    "/etc/x",
    "a/../../b",
    "C:\\x",
    "a\x00b",
    "CON",
    ".",
    "",
    "x" * 300,
    "\ud800",
)


class AdapterContract:
    """Subclass it, name `adapter` and `fixtures`, and implement `records`."""

    adapter: ClassVar[Adapter]
    fixtures: ClassVar[Path]
    # Paths of keys (``message.data.role``; ``[]`` for list items) below which anything may stand.
    free_keys: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def records(self, home: Path, session: Session) -> list[Json]:
        """The session's native records in the story's order, read independently."""

    # -- what is read -------------------------------------------------------------------

    def test_discover_finds_the_fixture(self) -> None:
        for case in self.cases():
            assert self.stores(case / "store"), f"nothing found in {case.name}"

    def test_an_empty_home_has_no_store(self, tmp_path: Path) -> None:
        assert list(self.adapter.discover(Places.under(tmp_path))) == []
        assert self.adapter.detect(tmp_path) is None
        assert self.adapter.detect(tmp_path / "missing") is None

    def test_detect_claims_its_own_and_no_others(self) -> None:
        others = [a for a in Registry.installed().adapters() if a.name != self.adapter.name]
        for case in self.cases():
            for store in self.stores(case / "store"):
                claimed = self.adapter.detect(store.path)
                assert claimed is not None, f"{store.path} is found but not detected"
                assert claimed.adapter == self.adapter.name
                for other in others:
                    assert other.detect(store.path) is None, f"{other.name} claims {store.path}"

    def test_headers_agree_with_events(self) -> None:
        for _, store, session in self.all_sessions():
            assert session.ref.tool == self.adapter.tool
            assert session.ref.store == str(store.path)
            assert set(session.labels) <= LABELS
            events = list(self.adapter.events(session.ref))
            opened = [event for event in events if isinstance(event, Message)]
            if session.messages is not None:
                assert session.messages == len(opened), session.ref
            _check_stream(events, session)

    def test_every_listed_child_has_its_parent(self) -> None:
        for case in self.cases():
            for store in self.stores(case / "store"):
                listed = [s for s in self.adapter.sessions(store) if isinstance(s, Session)]
                roots = [s.ref.id for s in listed if s.parent is None]
                below = {s.ref.id for s in self.adapter.descendants(store, roots)}
                present = {s.ref.id for s in listed}
                for session in listed:
                    if session.parent is not None and session.parent.id in present:
                        assert session.ref.id in below, session.ref

    def test_what_is_told_of_all_sessions_agrees_with_their_headers(self) -> None:
        for case in self.cases():
            for store in self.stores(case / "store"):
                listed = [s for s in self.adapter.sessions(store) if isinstance(s, Session)]
                for judged in (False, True):
                    told = self.adapter.outlines(store, Want(judged=judged))
                    outlines = {o for o in told if isinstance(o, Outline)}
                    assert outlines == {Outline.of(s, judged=judged) for s in listed}
                names, wanted = self.adapter.names(store), Names.of(listed)
                assert names.titles - {""} == wanted.titles, store
                assert names.newest == wanted.newest, store

    def test_events_equal_the_expected_ones(self) -> None:
        for case in self.cases():
            actual = b"".join(transcript(self.adapter, case / "store"))
            expected = case / "expected.jsonl"
            if os.environ.get(_UPDATE):
                expected.write_bytes(actual)
            assert expected.exists(), f"{expected} is missing; run once with {_UPDATE}=1"
            wanted = expected.read_bytes().splitlines()
            for number, (one, other) in enumerate(zip(actual.splitlines(), wanted, strict=False)):
                assert one == other, f"{expected}:{number + 1}"
            assert len(actual.splitlines()) == len(wanted), expected

    def test_raw_values_are_the_records_in_order(self) -> None:
        for home, _, session in self.all_sessions():
            raws = [e.raw for e in self.adapter.events(session.ref) if e.raw is not None]
            wanted = self.records(home, session)
            assert len(raws) == len(wanted), session.ref
            for raw, record in zip(raws, wanted, strict=True):
                assert jsonio.dumps(raw) == jsonio.dumps(record), session.ref

    def test_no_key_of_a_record_is_unknown(self) -> None:
        known = self.fixtures / "KEYS"
        found = sorted({path for record in self._all_raw() for path in self._key_paths(record)})
        if os.environ.get(_UPDATE):
            known.write_text("".join(f"{path}\n" for path in found), encoding="utf-8")
        unknown = set(found) - set(known.read_text(encoding="utf-8").split("\n"))
        assert not unknown, f"not in {known}: read what they mean, then run with {_UPDATE}=1"

    # -- what is left alone -------------------------------------------------------------

    def test_reading_changes_nothing(self, tmp_path: Path) -> None:
        for case in self.cases():
            home = _copy(case / "store", tmp_path / case.name)
            before = fingerprint(home)
            for store in self.stores(home):
                self.adapter.generation(store)
                self.adapter.detect(store.path)
                _read_all(self.adapter, store)
            assert fingerprint(home) == before, case.name

    def test_a_truncated_file_is_a_problem_and_never_an_exception(self, tmp_path: Path) -> None:
        for case in self.cases():
            home = _copy(case / "store", tmp_path / case.name)
            whole = self._story(home)
            for path in some_of_each_kind(home):
                data = path.read_bytes()
                for part in {0, len(data) // 2, max(len(data) - 3, 0)}:
                    path.write_bytes(data[:part])
                    self._check_loss_is_named(home, whole, path, part)
                path.write_bytes(data)

    def test_what_was_told_before_is_told_only_of_what_has_not_changed(
        self, tmp_path: Path
    ) -> None:
        for case in self.cases():
            home = _copy(case / "store", tmp_path / case.name)
            _settle(home)

            def check(what: str, home: Path = home) -> None:
                told = [self._headers(home, cache) for cache in (tmp_path / "cache", None)]
                assert told[0] == told[1], what

            check(f"{case.name} for the first time")
            for path in some_of_each_kind(home, most=1):
                data, status = path.read_bytes(), path.stat()
                path.write_bytes(data[: len(data) // 2])
                check(f"{path} is cut")
                path.unlink()
                check(f"{path} is gone")
                path.write_bytes(data.replace(b"1", b"2").replace(b"e ", b"a "))
                os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
                check(f"{path} is another of its size and time")
                path.write_bytes(data)
                _settle(home)
                check(f"{path} is back")

    def test_events_are_made_anew_in_each_call(self) -> None:
        for _, _, session in self.all_sessions():
            once, again = (list(self.adapter.events(session.ref)) for _ in range(2))
            assert not {id(event) for event in once} & {id(event) for event in again}, session.ref

    def test_a_story_begins_as_it_does_when_it_is_read_to_the_end(self) -> None:
        for _, _, session in self.all_sessions():
            whole = list(self.adapter.events(session.ref))
            opened = [place for place, event in enumerate(whole) if event.type == "message"]
            for messages in {1, 3, max(len(opened) - 1, 1)}:
                # With the opening of the next message, by which a reader knows that there is one.
                end = opened[messages] + 1 if messages < len(opened) else len(whole)
                begun = list(islice(self.adapter.beginning(session.ref, messages), end))
                wanted = [jsonio.dumps(event) for event in whole[:end]]
                assert [jsonio.dumps(event) for event in begun] == wanted, session.ref

    def test_a_session_that_is_not_there_is_not_found(self) -> None:
        for case in self.cases():
            for store in self.stores(case / "store"):
                ref = Ref(store.tool, str(store.path), "no-such-session-here")
                try:
                    list(self.adapter.events(ref))
                except NotFoundError:
                    continue
                raise AssertionError(f"{store.path} answers for a session it does not have")

    # -- what is written, by an adapter that writes --------------------------------------

    def test_its_own_sessions_are_written_without_an_unforeseen_difference(self) -> None:
        from finder.staging import tried

        for _, _, session in self.all_sessions() if self.adapter.target else ():
            done = tried(self.adapter, session, list(self.adapter.events(session.ref)))
            shown = [str(difference) for difference in done.unexplained[:5]]
            assert not done.unexplained, f"{session.ref}: {shown}"

    def test_an_id_or_a_title_never_chooses_a_path(self) -> None:
        from finder.staging import tried

        for name in _HOSTILE if self.adapter.target else ():
            for tool in ("another", self.adapter.tool):
                session = Session(ref=Ref(tool, "/nowhere", name), title=name)
                draft = tried(self.adapter, session, []).draft
                for file in draft.files:
                    assert ".." not in file.path.split("/"), name
                    assert not file.path.startswith("/"), name
                    assert len(file.path) < 200, name

    # -- pieces -------------------------------------------------------------------------

    def cases(self) -> list[Path]:
        """The folders of the cases."""
        return sorted(p.parent for p in self.fixtures.glob("*/store"))

    def stores(self, home: Path) -> list[Store]:
        """This adapter's stores below a home folder."""
        return stores_below(self.adapter, home)

    def all_sessions(self) -> Iterator[tuple[Path, Store, Session]]:
        """Every session of every case, with its home folder and store."""
        for case in self.cases():
            for store in self.stores(case / "store"):
                for session in self.adapter.sessions(store):
                    if isinstance(session, Session):
                        yield case / "store", store, session

    def _all_raw(self) -> Iterator[Json]:
        for _, _, session in self.all_sessions():
            if session.raw is not None:
                yield {"session": session.raw}
            for event in self.adapter.events(session.ref):
                if isinstance(event.raw, dict):
                    yield event.raw

    def _key_paths(self, value: Json, path: str = "") -> Iterator[str]:
        if path in self.free_keys:
            return
        if isinstance(value, dict):
            for key, inner in value.items():
                below = f"{path}.{key}" if path else str(key)
                yield below
                yield from self._key_paths(inner, below)
        elif isinstance(value, list):
            for inner in value:
                yield from self._key_paths(inner, f"{path}[]")

    def _story(self, home: Path) -> dict[str, list[bytes]]:
        """What can be read below a home folder: session id to its events."""
        story = {}
        for store in self.stores(home):
            for session in self.adapter.sessions(store):
                if isinstance(session, Session):
                    events = list(self.adapter.events(session.ref))
                    story[f"{store.path}:{session.ref.id}"] = [jsonio.dumps(e) for e in events]
        return story

    def _headers(
        self, home: Path, cache: Path | None
    ) -> list[tuple[set[Problem], dict[str, Session]]]:
        """What the stores below a home folder list, with the help of what is kept in `cache`."""
        told = []
        for store in self.stores(home):
            source = Source(self.adapter, store, raw=False, cache=cache)
            headers = {s.ref.id: s._replace(raw=None) for s in source.listing(Want())}
            told.append((set(source.problems), headers))
        return told

    def _check_loss_is_named(
        self, home: Path, whole: dict[str, list[bytes]], path: Path, part: int
    ) -> None:
        where = f"{path} cut to {part} bytes"
        stores = self.stores(home)
        problems = 0
        story: dict[str, list[bytes]] = {}
        for store in stores:
            try:
                for found in self.adapter.sessions(store):
                    if isinstance(found, Problem):
                        problems += 1
                        continue
                    events = list(self.adapter.events(found.ref))
                    problems += sum(e.type == "opaque" and bool(e.problem) for e in events)
                    story[f"{store.path}:{found.ref.id}"] = [jsonio.dumps(e) for e in events]
            except StoreError:
                problems += 1
            except FinderError:
                raise
            except Exception as error:
                raise AssertionError(f"{where}: {type(error).__name__}: {error}") from error
        # A store that is not even recognised any more is reported by the one who asks for it.
        known = tuple(f"{store.path}:" for store in stores)
        expected = {key: events for key, events in whole.items() if key.startswith(known)}
        lost = [key for key, events in expected.items() if not _covers(story.get(key), events)]
        if lost:
            assert problems, f"{where}: {lost} lost something, and no problem says so"


def _covers(now: list[bytes] | None, before: list[bytes]) -> bool:
    return now is not None and len(now) >= len(before)


def some_of_each_kind(home: Path, most: int = 4) -> list[Path]:
    """The files below a folder; of many whose paths differ by ids alone, a few evenly spread."""
    alike: dict[str, list[Path]] = {}
    for path in sorted(p for p in home.rglob("*") if p.is_file()):
        shape = re.sub(r"[0-9A-Za-z]{12,}", "*", str(path.relative_to(home)))
        alike.setdefault(shape, []).append(path)
    chosen = []
    for paths in alike.values():
        step = max(len(paths) / most, 1)
        chosen += [paths[int(n * step)] for n in range(min(len(paths), most))]
    return chosen


def stores_below(adapter: Adapter, home: Path) -> list[Store]:
    """One adapter's stores below a home folder, found as ``--root`` finds them."""
    registry = Registry.of(adapter)
    return [found for found in registry.below(home) if isinstance(found, Store)]


def transcript(adapter: Adapter, home: Path) -> Iterator[bytes]:
    """All that an adapter reads below a home folder, as lines of JSON.

    For each session its header and then its events, numbered. `raw` is replaced by whether
    there is one, since the store itself stands beside; the home folder by ``HOME``.
    """
    prefix = jsonio.dumps(str(home))[1:-1]
    for store in sorted(stores_below(adapter, home), key=lambda s: str(s.path)):
        found = list(adapter.sessions(store))
        for problem in (p for p in found if isinstance(p, Problem)):
            yield _line({"problem": _plain(problem)}, prefix)
        sessions = [s for s in found if isinstance(s, Session)]
        for session in sorted(sessions, key=lambda s: s.ref.id):
            header = _plain(session)
            header.pop("stamp", None)  # may hold modification times, which git does not keep
            yield _line({"session": header}, prefix)
            for seq, event in enumerate(adapter.events(session.ref)):
                yield _line({"seq": seq, **_plain(event)}, prefix)


def _plain(item: Any) -> JsonObject:
    """A dataclass as JSON, without what is None or empty, and with `raw` as a mere mark."""
    plain = item._asdict() if isinstance(item, Session | Problem) else item
    fields: JsonObject = jsonio.loads(jsonio.dumps(plain))
    kept = {key: value for key, value in fields.items() if value not in (None, [], ())}
    if "raw" in kept:
        kept["raw"] = True
    return kept


def _line(value: JsonObject, prefix: bytes) -> bytes:
    return jsonio.dumps(value).replace(prefix, b"HOME") + b"\n"


def fingerprint(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Every file and folder below: its mode, modification time and content's digest."""
    found = {}
    for path in sorted([folder, *folder.rglob("*")]):
        status = path.lstat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_mtime_ns, digest)
    return found


def _read_all(adapter: Adapter, store: Store) -> None:
    for found in adapter.sessions(store):
        if isinstance(found, Session):
            for _ in adapter.events(found.ref):
                pass


def _copy(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    for path in [target, *target.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return target


def _settle(folder: Path) -> None:
    """Let all below a folder be of an hour ago, as nothing is kept of what is of this moment."""
    for path in folder.rglob("*"):
        os.utime(path, (time.time() - 3_600,) * 2)


def _check_stream(events: list[Event], session: Session) -> None:
    calls = set()
    whole = {event.record for event in events if event.type == "message" and event.raw is not None}
    for event in events:
        assert type(event) is EVENT_TYPES[event.type]
        assert set(event.labels) <= LABELS
        if event.type == "opaque":
            kept = event.raw is not None or event.message in whole
            assert kept, f"{session.ref}: an opaque event without raw"
        if event.type == "tool_call":
            calls.add(event.call)
        if event.type == "tool_result":
            assert event.call in calls or event.labels, f"{session.ref}: result before call"
