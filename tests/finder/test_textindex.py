"""The index of texts proposes; the store decides. With it and without it the same is found."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.opencode.database import OpenCodeDatabase
from finder import indexing, textindex
from finder.errors import WriteError
from finder.find import Query
from finder.indexing import Indexed, words_of
from finder.library import Library, key_of
from finder.registry import Registry
from finder.textsearch import find_text
from finder.words import Sought, Term, folded
from tests.bench.opencode_stores import make_database
from tests.bench.planted import RARE_WORD
from tests.bench.sessions import Shape

FIXTURES = Path(__file__).parents[2] / "fixtures" / "opencode-db"


class Held:
    """A home with a database, and a cache folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.cache = home.parent / "cache"

    def library(self, *, cached: bool = True) -> Library:
        registry = Registry.installed()
        found = registry.below(self.home)
        return Library(registry, found, cache=self.cache if cached else None, raw=False)

    def found(self, *words: str, cached: bool = True) -> set[str]:
        query = Query(limit=0, subagents=True)
        rows = find_text(self.library(cached=cached), query, Sought.of(words)).rows
        return {key_of(row.session)[1] for row in rows}

    def index(self) -> Indexed | None:
        (source,) = [s for s in self.library().sources if s.store.kind == "database"]
        return indexing.refresh(source, self.cache, lambda *_: None)

    @property
    def database(self) -> Path:
        (path,) = self.home.rglob("opencode*.db")
        return path

    @property
    def file(self) -> Path:
        return textindex.file_of(self.cache, self.database)

    def change(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.execute(statement, values)


@pytest.fixture
def held(tmp_path: Path) -> Held:
    make_database(tmp_path / "home", Shape(sessions=60, text=200_000))
    # What was written to just now may be again within the same tick of the clock.
    (path,) = (tmp_path / "home").rglob("opencode.db")
    os.utime(path, ns=(1_700_000_000_000_000_000,) * 2)
    return Held(tmp_path / "home")


@pytest.fixture
def scanned(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...] | None]:
    """Which sessions a database was asked to look through: None: all."""
    asked: list[tuple[str, ...] | None] = []
    candidates = OpenCodeDatabase.candidates

    def noted(self, store, sought, want=None):  # type: ignore[no-untyped-def]
        asked.append(want.ids)
        return candidates(self, store, sought, want)

    monkeypatch.setattr(OpenCodeDatabase, "candidates", noted)
    return asked


def part_of(held: Held) -> tuple[str, str]:
    """A part that is a text, and its session."""
    with closing(sqlite3.connect(held.database)) as connection:
        query = 'SELECT id, session_id FROM part WHERE data LIKE \'%"type":"text"%\' LIMIT 1'
        found: tuple[str, str] = connection.execute(query).fetchone()
    return found


def say(held: Held, text: str, **columns: object) -> str:
    """Let a part say something else; gives its session."""
    part, session = part_of(held)
    values = {"data": json.dumps({"type": "text", "text": text}, separators=(",", ":")), **columns}
    names = ", ".join(f"{name} = ?" for name in values)
    held.change(f"UPDATE part SET {names} WHERE id = ?", *values.values(), part)
    return session


# -- the words -------------------------------------------------------------------------------


def test_words_are_runs_of_letters_and_digits_folded() -> None:
    assert words_of(["Fix src/App_v2.py, DAS Größte", "ab"]) == {
        "fix",
        "src",
        "app",
        "das",
        "grösste",
    }


@given(
    text=st.text(st.sampled_from("aB1_ -ßé設"), max_size=200),
    start=st.integers(0, 200),
    length=st.integers(3, 32),
)
def test_any_part_of_a_text_is_within_a_word(text: str, start: int, length: int) -> None:
    words = words_of([text])
    for piece in Term(text[start : start + length]).pieces:
        if piece in folded(text) and 3 <= len(piece) <= textindex.LONGEST:
            assert any(piece in word for word in words), piece


# -- with and without ------------------------------------------------------------------------


@pytest.fixture(scope="module", params=sorted(p.parent.name for p in FIXTURES.glob("*/store")))
def fixture(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Held:
    home = tmp_path_factory.mktemp("indexed") / "home"
    shutil.copytree(FIXTURES / str(request.param) / "store", home)
    for path in home.rglob("*"):
        os.utime(path, ns=(1_700_000_000_000_000_000,) * 2)
    held = Held(home)
    assert held.index()
    return held


def test_the_same_is_found(fixture: Held, scanned: list[object]) -> None:
    with closing(sqlite3.connect(fixture.file)) as connection:
        words = [word for (word,) in connection.execute("SELECT text FROM word ORDER BY text")]
    assert len(words) > 100
    chosen = words[:: max(len(words) // 40, 1)]
    chosen += [word[1:-1] for word in chosen[::3] if len(word) > 4]
    for word in [*chosen, "nowhere-to-be-found", "app.py", '"src/app"']:
        with_it = fixture.found(word)
        assert not scanned
        assert with_it == fixture.found(word, cached=False), word
        scanned.clear()


def test_a_rare_word_is_found_without_a_scan(held: Held, scanned: list[object]) -> None:
    done = held.index()
    assert done is not None
    assert (done.sessions, done.read) == (60, 60)
    assert len(held.found(RARE_WORD)) == len(held.found(RARE_WORD[3:-3].upper())) == 3
    assert held.found(RARE_WORD, "certainly-not-there") == set()
    assert scanned == []


def test_letters_too_few_for_the_index_are_scanned_for(held: Held, scanned: list[object]) -> None:
    held.index()
    assert held.found("of") == held.found("of", cached=False)
    assert scanned


# -- what changes ----------------------------------------------------------------------------


def test_what_was_said_since_is_found_and_only_that_is_scanned(
    held: Held, scanned: list[object]
) -> None:
    held.index()
    session = say(held, "an axolotl", time_updated=1_900_000_000_000)
    assert held.found("axolotl") == {session}
    assert scanned == [(session,)]
    done = held.index()
    assert done is not None
    assert done.read == 1


def test_what_is_no_longer_said_is_not_found(held: Held) -> None:
    say(held, "an axolotl")
    held.index()
    assert held.found("axolotl")
    say(held, "nothing", time_updated=1_900_000_000_000)
    assert held.found("axolotl") == set()
    held.index()
    assert held.found("axolotl") == set()


def test_a_database_as_large_and_old_in_the_place_of_another_is_looked_through(held: Held) -> None:
    say(held, "an axolotl", time_updated=1_900_000_000_000)
    os.utime(held.database, ns=(1_700_000_000_000_000_000,) * 2)
    held.index()
    before = held.database.stat()
    other = held.database.with_name("other")
    shutil.copyfile(held.database, other)
    other.replace(held.database)
    session = say(held, "an aardvar", time_updated=1_900_000_000_001)
    os.utime(held.database, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = held.database.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert held.found("axolotl") == set()
    assert held.found("aardvar") == {session}


def test_a_change_with_a_time_that_is_not_the_latest_is_seen(held: Held) -> None:
    _, session = part_of(held)
    held.change("UPDATE part SET time_updated = time_updated + 1000 WHERE session_id = ?", session)
    held.index()
    say(held, "an axolotl", time_updated=1_600_000_000_000)
    assert held.found("axolotl") == {session}


def test_a_change_of_the_files_beside_the_database_is_seen(held: Held) -> None:
    held.index()
    _, session = part_of(held)
    folder = held.database.parent / "storage" / "session_diff"
    folder.mkdir(parents=True)
    diff = [{"file": "src/zebrafish.py", "additions": 1, "deletions": 0, "patch": ""}]
    (folder / f"{session}.json").write_text(json.dumps(diff))
    assert held.found("zebrafish") == {session}


def test_new_and_deleted_sessions(held: Held) -> None:
    held.index()
    gone = sorted(held.found(RARE_WORD))[0]
    held.change("DELETE FROM session WHERE id = ?", gone)
    _, session = part_of(held)
    held.change("UPDATE session SET id = 'ses_brandnew', parent_id = NULL WHERE id = ?", session)
    held.change("UPDATE message SET session_id = 'ses_brandnew' WHERE session_id = ?", session)
    held.change("UPDATE part SET session_id = 'ses_brandnew' WHERE session_id = ?", session)
    assert held.found(RARE_WORD) == held.found(RARE_WORD, cached=False)
    assert gone not in held.found(RARE_WORD)
    assert "ses_brandnew" in held.found("the")
    done = held.index()
    assert done is not None
    assert (done.sessions, done.read) == (59, 1)


def test_a_store_that_was_written_to_just_now_is_asked_again(held: Held) -> None:
    os.utime(held.database)
    held.index()
    stamp = held.database.stat()
    session = say(held, "an axolotl", time_updated=1_900_000_000_000)
    os.utime(held.database, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert held.found("axolotl") == {session}


def test_what_is_kept_of_sessions_as_they_were_once_is_cleared_away(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "_PORTION", 2)
    held.index()
    for number in range(40):
        say(held, f"word number {number}", time_updated=1_900_000_000_000 + number)
        held.index()
    with closing(sqlite3.connect(held.file)) as connection:
        (last,) = connection.execute("SELECT value FROM meta WHERE name = 'number'").fetchone()
    assert int(last) < 60 + 40
    assert held.found(RARE_WORD) == held.found(RARE_WORD, cached=False)


# -- what is not believed --------------------------------------------------------------------


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:10_000])


def _overwritten(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[8_192:12_288] = bytes(4_096)
    path.write_bytes(data)


def _emptied(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM doc")


def _of_another_version(path: Path) -> None:
    seal = textindex.seal_of(path)
    seal.write_text(seal.read_text().replace("index 1", "index 0"))


def _unsealed(path: Path) -> None:
    textindex.seal_of(path).unlink()


def _garbage_under_a_seal(path: Path) -> None:
    path.write_bytes(b"no database")
    textindex.seal_of(path).write_text(textindex.look(path))


@pytest.mark.parametrize(
    "damage",
    [_truncated, _overwritten, _emptied, _of_another_version, _unsealed, _garbage_under_a_seal],
)
def test_a_damaged_index_is_ignored_and_made_anew(held: Held, damage, scanned) -> None:  # type: ignore[no-untyped-def]
    held.index()
    damage(held.file)
    assert len(held.found(RARE_WORD)) == 3
    assert scanned
    scanned.clear()
    held.index()
    assert len(held.found(RARE_WORD)) == 3
    assert not scanned


def test_what_was_read_before_an_interruption_is_kept(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "_PORTION", 10)
    (source,) = held.library().sources

    def until(done: int, _: int) -> None:
        if done == 35:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        indexing.refresh(source, held.cache, until)
    assert held.found(RARE_WORD) == held.found(RARE_WORD, cached=False)
    done = held.index()
    assert done is not None
    assert (done.sessions, done.read) == (60, 30)


def test_two_do_not_make_it_at_once(held: Held) -> None:
    held.index()
    with closing(sqlite3.connect(held.file)) as other:
        other.execute("BEGIN IMMEDIATE")
        textindex.seal_of(held.file).unlink()
        with pytest.raises(WriteError, match="locked"):
            held.index()
    assert held.file.exists()
    assert len(held.found(RARE_WORD)) == 3


def test_one_that_comes_while_another_only_begins_leaves_it_alone(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = indexing._begun

    def meanwhile(path: Path) -> sqlite3.Connection:
        monkeypatch.setattr(indexing, "_begun", begun)
        with pytest.raises(WriteError, match="locked"):
            held.index()
        return begun(path)

    monkeypatch.setattr(indexing, "_begun", meanwhile)
    done = held.index()
    assert done is not None
    assert done.sessions == 60


def test_a_session_with_a_damaged_id_is_left_to_the_store(held: Held) -> None:
    session = say(held, "an axolotl")
    damaged = "CAST(x'7365735fff41' AS TEXT)"
    for table, column in (("session", "id"), ("message", "session_id"), ("part", "session_id")):
        held.change(f"UPDATE {table} SET {column} = {damaged} WHERE {column} = ?", session)
    done = held.index()
    assert done is not None
    assert done.sessions == 59
    assert held.found("axolotl") == held.found("axolotl", cached=False)
    assert held.found(RARE_WORD) == held.found(RARE_WORD, cached=False)


def test_what_cannot_be_removed_is_told(held: Held, tmp_path: Path) -> None:
    held.file.mkdir(parents=True)
    with pytest.raises(WriteError, match="cannot be removed"):
        indexing.drop(held.cache, [held.database])
    (tmp_path / "file").touch()
    assert indexing.drop(tmp_path / "file", [held.database]) == 0


def test_only_its_user_may_read_it(held: Held) -> None:
    held.index()
    for path in (held.file, textindex.seal_of(held.file)):
        assert path.stat().st_mode & 0o077 == 0


def test_it_can_be_removed(held: Held) -> None:
    held.index()
    assert indexing.drop(held.cache, [held.database, Path("/nowhere.db")]) == 1
    assert not textindex.folder_of(held.cache).exists()
    assert len(held.found(RARE_WORD)) == 3


def test_a_store_of_files_has_none(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES.parent / "clacky" / "v0.5.0" / "store", tmp_path / "home")
    for source in Held(tmp_path / "home").library().sources:
        assert indexing.refresh(source, tmp_path / "cache", lambda *_: None) is None
    assert not (tmp_path / "cache").exists()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(indexing, "_SECONDS", 0.1)
    yield
