"""Reading another program's database without leaving a trace."""

from __future__ import annotations

import os
import shutil
import sqlite3 as real
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from finder import sqlite
from finder.errors import StoreError
from finder.testing import fingerprint


def count(connection: real.Connection) -> int:
    found: int = connection.execute("SELECT count(*) FROM t").fetchone()[0]
    return found


def database(path: Path, rows: int = 3, *, wal: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(real.connect(path)) as connection:
        if wal:
            connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t (a INTEGER, b TEXT)")
        connection.executemany("INSERT INTO t VALUES (?, 'x')", [(n,) for n in range(rows)])
        connection.commit()
    return path


def problem(path: Path) -> str:
    with pytest.raises(StoreError) as caught:
        sqlite.read(path, count)
    assert caught.value.problem.path == str(path)
    return caught.value.problem.kind


@pytest.mark.parametrize("wal", [False, True])
def test_reading_leaves_no_trace(tmp_path: Path, wal: bool) -> None:
    path = database(tmp_path / "a.db", wal=wal)
    before = fingerprint(tmp_path)
    assert sqlite.read(path, count) == 3
    assert fingerprint(tmp_path) == before


def test_rows_that_are_only_in_the_log_are_seen(tmp_path: Path) -> None:
    path = database(tmp_path / "a.db", wal=True)
    with closing(real.connect(path)) as writer:
        writer.execute("INSERT INTO t VALUES (9, 'only in the log')")
        writer.commit()
        before = fingerprint(tmp_path)
        assert read_by_another_process(path) == 4
        assert fingerprint(tmp_path) == before
        writer.execute("INSERT INTO t VALUES (10, 'the writer goes on')")
        writer.commit()
        assert read_by_another_process(path) == 5


def read_by_another_process(path: Path) -> int:
    """SQLite shares its locks within a process, so reader and writer must be two."""
    code = """if True:
        import sys
        from pathlib import Path
        from finder import sqlite
        query = "SELECT count(*) FROM t"
        print(sqlite.read(Path(sys.argv[1]), lambda c: c.execute(query).fetchone()[0]))
    """
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, check=True, text=True
    )
    return int(done.stdout)


def test_a_log_without_its_index_is_read_through_a_copy(tmp_path: Path) -> None:
    path = database(tmp_path / "a.db", wal=True)
    copy = tmp_path / "copy" / "a.db"
    copy.parent.mkdir()
    with closing(real.connect(path)) as writer:
        writer.execute("INSERT INTO t VALUES (9, 'only in the log')")
        writer.commit()
        shutil.copyfile(path, copy)
        shutil.copyfile(f"{path}-wal", f"{copy}-wal")
    before = fingerprint(copy.parent)
    assert sqlite.read(copy, count) == 4
    assert fingerprint(copy.parent) == before


@pytest.mark.parametrize("name", ["a?b.db", "a#b.db", "a%20b.db", "ä ö.db", "file:x.db"])
def test_names_with_a_meaning_in_addresses(tmp_path: Path, name: str) -> None:
    if os.name == "nt" and set(name) & set("?:"):
        pytest.skip("Windows forbids the name")
    path = database(tmp_path / name)
    before = fingerprint(tmp_path)
    assert sqlite.read(path, count) == 3
    assert fingerprint(tmp_path) == before


def test_what_is_no_database_is_named_and_nothing_is_created(tmp_path: Path) -> None:
    empty, text = tmp_path / "empty.db", tmp_path / "text.db"
    empty.write_bytes(b"")
    text.write_bytes(b"hello, this is no database at all")
    before = fingerprint(tmp_path)
    assert problem(tmp_path / "missing.db") == "gone"
    assert problem(empty) == "empty"
    assert problem(text) == "foreign"
    assert problem(tmp_path) == "foreign"
    assert fingerprint(tmp_path) == before
    assert [sqlite.is_database(p) for p in (empty, text, tmp_path)] == [False] * 3


def test_damage_is_named(tmp_path: Path) -> None:
    path = database(tmp_path / "a.db", rows=5000)
    data = bytearray(path.read_bytes())
    path.write_bytes(data[: len(data) // 2])
    assert problem(path) == "corrupt"
    data[100:4096] = b"\xff" * 3996
    path.write_bytes(data)
    assert problem(path) == "corrupt"


def test_another_programs_lock_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_SECONDS", 0.1)
    path = database(tmp_path / "a.db", wal=True)
    with closing(real.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA locking_mode=EXCLUSIVE")
        writer.execute("INSERT INTO t VALUES (1, 'x')")
        try:
            found = sqlite.read(path, count)
        except StoreError as error:
            assert error.problem.kind == "locked"
        else:
            assert found == 4


def test_work_cannot_write(tmp_path: Path) -> None:
    path = database(tmp_path / "a.db")
    for statement in ("DELETE FROM t", "CREATE TABLE u (a)"):
        with pytest.raises(StoreError):
            sqlite.read(path, lambda c, s=statement: c.execute(s))
    assert sqlite.read(path, count) == 3


def test_a_statement_without_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_STATEMENT_SECONDS", 0.2)
    path = database(tmp_path / "a.db")
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    with pytest.raises(StoreError, match="took more than"):
        sqlite.read(path, lambda c: c.execute(endless).fetchone())


def test_a_schema_whose_names_are_no_text_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with closing(real.connect(path)) as connection:
        connection.execute("CREATE TABLE session (id TEXT)")
        connection.execute("CREATE INDEX by_id ON session (id)")
    made = path.read_bytes()
    path.write_bytes(made.replace(b"INDEX by_id ON session", b"INDEX by_id ON sess\xf8on"))
    with pytest.raises(StoreError) as raised:
        sqlite.read(path, sqlite.tables)
    assert raised.value.problem.kind == "corrupt"


def test_a_statement_with_a_name_that_is_no_text_is_damage(tmp_path: Path) -> None:
    path = database(tmp_path / "a.db")
    with pytest.raises(StoreError) as raised:
        sqlite.read(path, lambda c: c.execute('SELECT "\udca7" FROM t').fetchall())
    assert raised.value.problem.kind == "corrupt"


def test_text_that_is_no_utf8_is_kept(tmp_path: Path) -> None:
    path = database(tmp_path / "a.db")
    with closing(real.connect(path)) as connection:
        connection.execute("UPDATE t SET b = CAST(x'61ff62' AS TEXT) WHERE a = 1")
        connection.commit()
    texts = sqlite.read(path, lambda c: [row["b"] for row in c.execute("SELECT b FROM t")])
    assert texts == ["x", "a\udcffb", "x"]


@pytest.mark.parametrize("odd", ["\udcff", "x\ud800"])
def test_what_is_no_text_is_found_nowhere(tmp_path: Path, odd: str) -> None:
    """An argument of the command line may be in another encoding, an id damaged."""

    def asked(sql: str, values: Any) -> list[int]:
        def work(connection: real.Connection) -> list[int]:
            return [row["a"] for row in connection.execute(sql, values)]

        return sqlite.read(path, work)

    path = database(tmp_path / "a.db")
    assert sqlite.is_text("é😀")
    assert not sqlite.is_text(odd)
    assert asked("SELECT a FROM t WHERE b = ?", [odd]) == []
    assert len(asked("SELECT a FROM t WHERE b IN (?, 'x')", [odd])) == 3
    assert asked("SELECT a FROM t WHERE b = :odd OR a = :one", {"odd": odd, "one": 1}) == [1]


def test_only_real_tables_and_stored_columns_count(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(real.connect(path)) as connection:
        connection.execute('CREATE TABLE "odd ""name" (a, "b c")')
        connection.execute("CREATE TABLE g (a, twice GENERATED ALWAYS AS (a * 2), kept)")
        connection.execute("CREATE VIEW v AS SELECT 1 AS a")
        connection.commit()
    assert sqlite.read(path, sqlite.tables) == {'odd "name': ("a", "b c"), "g": ("a", "kept")}


def test_chunks() -> None:
    assert list(sqlite.chunks(["a", "b", "c"], 2)) == [["a", "b"], ["c"]]
    assert list(sqlite.chunks([])) == []


@pytest.mark.parametrize("wal", [False, True])
def test_a_database_that_is_kept_open_shows_what_is_written_meanwhile(
    tmp_path: Path, wal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = database(tmp_path / "x.db", wal=wal)
    opened: list[real.Connection] = []
    connect = real.connect

    def noted(*args: Any, **more: Any) -> real.Connection:
        opened.append(connect(*args, **more))
        return opened[-1]

    with closing(connect(path)) as writer:
        monkeypatch.setattr(real, "connect", noted)
        with sqlite.kept_open():
            assert sqlite.read(path, count) == sqlite.read(path, count) == 3
            assert len(opened) == 1
            for more in range(4, 7):
                writer.execute("INSERT INTO t VALUES (9, 'y')")
                writer.commit()
                assert sqlite.read(path, count) == more
        assert sqlite.read(path, count) == 6
    for connection in opened:
        with pytest.raises(real.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")


def test_a_database_that_is_kept_open_can_be_locked_by_its_program(tmp_path: Path) -> None:
    path = database(tmp_path / "x.db", wal=True)
    with closing(real.connect(path, timeout=0)) as writer, sqlite.kept_open():
        assert sqlite.read(path, count) == 3
        writer.execute("BEGIN EXCLUSIVE")
        writer.execute("DELETE FROM t")
        writer.commit()
        assert writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        assert sqlite.read(path, count) == 0


def test_what_fails_is_not_kept_open(tmp_path: Path) -> None:
    path = database(tmp_path / "x.db")
    with sqlite.kept_open():
        with pytest.raises(StoreError):
            sqlite.read(path, lambda c: c.execute("SELECT * FROM nothing"))
        assert sqlite.read(path, count) == 3


def test_columns_that_are_added_are_seen(tmp_path: Path) -> None:
    path = database(tmp_path / "x.db")
    assert sqlite.read(path, sqlite.tables)["t"] == ("a", "b")
    with closing(real.connect(path)) as connection:
        connection.execute("ALTER TABLE t ADD COLUMN c TEXT")
        connection.commit()
    assert sqlite.read(path, sqlite.tables)["t"] == ("a", "b", "c")
