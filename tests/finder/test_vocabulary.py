"""The words of a store's titles: kept, checked against the store, never needed."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from adapters.opencode import listing
from adapters.opencode.database import OpenCodeDatabase
from finder import sqlite, vocabulary
from finder.adapter import LONGEST_NAME, Names, Store
from finder.find import Query, find
from finder.library import Library
from finder.places import Places
from finder.registry import Registry
from tests.bench.opencode_stores import make_database
from tests.bench.planted import TARGET_TITLE
from tests.bench.sessions import Shape

TYPED = ("legder", "drift", "quaterly")


class Watched(OpenCodeDatabase):
    """Notes for which times it was asked for names."""

    asked: list[int | None]

    def names(self, store: Store, since: int | None = None) -> Names:
        self.asked.append(since)
        return super().names(store, since)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_database(tmp_path / "home", Shape(sessions=60, text=60_000))
    # A store that was written to just now is not trusted to change its stamp at the next change.
    os.utime(database(tmp_path / "home"), (1_700_000_000, 1_700_000_000))
    return tmp_path / "home"


@pytest.fixture
def search(home: Path, tmp_path: Path) -> Callable[..., tuple[list[str | None], list[int | None]]]:
    """Searches; gives the titles, and of which time on names were asked for, each time."""

    def run(
        *words: str, cache: Path = tmp_path / "cache"
    ) -> tuple[list[str | None], list[int | None]]:
        adapter = Watched()
        adapter.asked = []
        places = Places(home=home, cwd=home, env={"FINDER_CACHE_DIR": str(cache)})
        library = Library.open(Registry.of(adapter), places)
        answer = find(library, Query(words=words))
        assert not answer.problems
        return [row.session.title for row in answer.rows], adapter.asked

    return run


Search = Callable[..., tuple[list[str | None], list[int | None]]]


def database(home: Path) -> Path:
    return home / ".local/share/opencode/opencode.db"


def statements(call: Callable[[], object]) -> list[str]:
    """The searches that a call asks of a database."""
    found: list[str] = []

    class Heard(sqlite._Connection):
        def execute(self, sql: str, parameters: object = (), /) -> sqlite3.Cursor:
            found.append(sql)
            return super().execute(sql, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "_Connection", Heard)
        call()
    return found


def kept(tmp_path: Path) -> Path:
    (file,) = (tmp_path / "cache" / "words").iterdir()
    return file


def renamed(home: Path, title: str) -> None:
    with closing(sqlite3.connect(database(home))) as connection:
        query = "UPDATE session SET title = ?, time_updated = time_updated + 99 WHERE title = ?"
        assert connection.execute(query, (title, TARGET_TITLE)).rowcount == 1
        connection.commit()


def test_all_names_are_read_once_and_then_none(search: Search) -> None:
    assert search(*TYPED) == ([TARGET_TITLE], [None])
    assert search(*TYPED) == ([TARGET_TITLE], [])


def test_words_that_are_there_are_found_whatever_is_kept(search: Search) -> None:
    assert search("ledger", "drift") == ([TARGET_TITLE], [None])
    assert search("ledger", "drift") == ([TARGET_TITLE], [])


def test_long_titles_are_taken_apart_in_pieces(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search(*TYPED)
    words = kept(tmp_path).read_bytes().splitlines()
    kept(tmp_path).unlink()
    monkeypatch.setattr(vocabulary, "_PIECE", 3)
    search(*TYPED)
    assert kept(tmp_path).read_bytes().splitlines()[2:] == words[2:]


def test_after_a_change_only_what_was_updated_since_is_read(search: Search, home: Path) -> None:
    search(*TYPED)
    with closing(sqlite3.connect(database(home))) as connection:
        (latest,) = connection.execute("SELECT max(time_updated) FROM session").fetchone()
        query = "UPDATE session SET title = 'Zebrafish', time_updated = ? WHERE id = ?"
        root = "SELECT id FROM session WHERE parent_id IS NULL"
        connection.execute(query, (latest + 1, connection.execute(root).fetchone()[0]))
        connection.commit()
    assert search("zebrafihs") == (["Zebrafish"], [latest])
    assert search(*TYPED) == ([TARGET_TITLE], [])


def test_once_it_has_come_to_rest_after_a_change_all_is_asked_for_once(
    search: Search, home: Path
) -> None:
    search(*TYPED)
    with closing(sqlite3.connect(database(home))) as connection:
        connection.execute("UPDATE session SET time_updated = time_updated + 1")
        connection.commit()
    os.utime(database(home), (1_700_000_001, 1_700_000_001))
    (since,) = search(*TYPED)[1]
    assert since is not None
    assert [search(*TYPED) for _ in "ab"] == [([TARGET_TITLE], [None]), ([TARGET_TITLE], [])]


def test_a_session_that_was_put_in_with_an_old_time_is_not_hidden_by_others(
    search: Search, home: Path
) -> None:
    renamed(home, "Fix the quagmires")
    assert search("quagmirtz")[0] == ["Fix the quagmires"]
    with closing(sqlite3.connect(database(home))) as connection, connection:
        connection.row_factory = sqlite3.Row
        session = dict(connection.execute("SELECT * FROM session LIMIT 1").fetchone())
        session.update(id="ses_old", parent_id=None, title="Fix the quagmirts", time_updated=1)
        marks = ",".join("?" * len(session))
        query = f"INSERT INTO session ({','.join(session)}) VALUES ({marks})"
        connection.execute(query, list(session.values()))
    assert search("quagmirtz")[0] == ["Fix the quagmirts", "Fix the quagmires"]


def test_a_time_to_come_does_not_hide_what_is_new(search: Search, home: Path) -> None:
    with closing(sqlite3.connect(database(home))) as connection, connection:
        connection.execute("UPDATE session SET time_updated = 9000000000000 WHERE rowid = 1")
    before = int(time.time() * 1000)
    search(*TYPED)
    renamed(home, "Zebrafish")
    (since,) = search("zebrafihs")[1][:1]
    assert since is not None
    assert before <= since <= time.time() * 1000


def test_a_title_that_is_gone_is_not_found_though_its_words_are_kept(
    search: Search, home: Path
) -> None:
    search(*TYPED)
    renamed(home, "Something else")
    assert search(*TYPED)[0] == []


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"finder vocabulary 3",
        b"\xff\xfe\x00",
        b"another\nx\n1\nledger",
        b"finder vocabulary 3\nx\ny\nno\nsure\nx\0\0\0",
        b"finder vocabulary 3\n'/other'\nx\n1\nsure\nledger\0\0\0",
    ],
)
def test_a_damaged_file_is_as_good_as_none(search: Search, tmp_path: Path, damage: bytes) -> None:
    search(*TYPED)
    kept(tmp_path).write_bytes(damage)
    assert search(*TYPED) == ([TARGET_TITLE], [None])
    assert search(*TYPED) == ([TARGET_TITLE], [])


def test_words_that_lead_to_nothing_are_not_believed(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_LAST_PUT_IN", 0)
    search(*TYPED)
    head, of, _, newest, *_ = kept(tmp_path).read_text().split("\n")
    lines = [head, of, "another stamp", newest, "sure", "foreign\0\0\0"]
    kept(tmp_path).write_text("\n".join(lines))
    titles, asked = search(*TYPED)
    assert titles == [TARGET_TITLE]
    assert asked == [
        int(newest),
        None,
    ], "what was updated since leads to nothing; all are read again"


def test_what_was_added_to_is_not_taken_for_all_there_is(search: Search, home: Path) -> None:
    search(*TYPED)
    with closing(sqlite3.connect(database(home))) as connection:
        # As an import does: the title changes, and the session is no newer than before.
        query = "UPDATE session SET title = 'Zebrafish' WHERE title = ?"
        assert connection.execute(query, (TARGET_TITLE,)).rowcount == 1
        connection.commit()
    assert search("nothing-like-it")[0] == []
    assert search("zebrafish")[0] == ["Zebrafish"]
    assert search("zebrafihs")[0] == ["Zebrafish"]


def test_a_word_is_looked_for_only_where_it_can_stand(search: Search, home: Path) -> None:
    """Once all words are known and the store is as it was."""
    search(*TYPED)
    for word, columns in (("ledger", {"title"}), ("home", {"directory"}), ("legder", {"title"})):
        asked = "".join(statements(lambda word=word: search(word)))
        assert {c for c in ("title", "directory", "agent") if f"{c} LIKE" in asked} == columns


@pytest.mark.parametrize(
    ("column", "text", "words"),
    [
        ("title", "Zebra-fish in C++", ["zebra-fish", "c++", "EBRA"]),
        ("title", "Übersicht der Straße", ["übersicht", "STRASSE", "raße", "ss", "asse"]),
        ("title", "Pro\ufb01ling o\ufb00-site; 50 \u212ag", ["fil", "profiling", "off-s", "kg"]),
        ("title", "Ask\u037e then \u1fefrun\u1fef it", ["ask;", "`run`", "k;"]),
        ("directory", "/srv/ma\u017f\u017fe", ["masse", "ss", "/ma"]),
        ("agent", "\ufb06andard", ["standard", "stan"]),
        ("directory", "/srv/Öl/zebra", ["zebra", "öl/zebra", "srv", "/srv"]),
        ("agent", "zebra-finder", ["zebra", "zebra-finder", "finder"]),
    ],
)
def test_nothing_is_missed_for_what_is_known(
    search: Search, home: Path, tmp_path: Path, column: str, text: str, words: list[str]
) -> None:
    with closing(sqlite3.connect(database(home))) as connection:
        query = f"UPDATE session SET {column} = ? WHERE title = ?"
        assert connection.execute(query, (text, TARGET_TITLE)).rowcount == 1
        connection.commit()
    os.utime(database(home), (1_700_000_009, 1_700_000_009))
    unknown = {
        word: search(word, cache=tmp_path / "none" / word.replace("/", "_")) for word in words
    }
    search(*TYPED)
    for word in words:
        assert (text if column == "title" else TARGET_TITLE) in unknown[word][0], word
        assert search(word)[0] == unknown[word][0]


@pytest.mark.parametrize("column", ["title", "directory", "agent"])
def test_of_a_very_long_name_all_is_found_though_only_the_beginning_is_kept(
    search: Search, home: Path, tmp_path: Path, column: str
) -> None:
    text = "walrus" + " \U0001f9ad" * LONGEST_NAME + "-zebra"
    with closing(sqlite3.connect(database(home))) as connection:
        query = f"UPDATE session SET {column} = ? WHERE title = ?"
        assert connection.execute(query, (text, TARGET_TITLE)).rowcount == 1
        connection.commit()
    os.utime(database(home), (1_700_000_009, 1_700_000_009))
    search(*TYPED)
    assert kept(tmp_path).stat().st_size < 5 * LONGEST_NAME
    for word in ("walrus", "zebra", *(["wlarus"] if column == "title" else [])):
        assert search(word)[0] == [text if column == "title" else TARGET_TITLE], word


def test_a_directory_that_only_messages_name_is_still_found(search: Search, home: Path) -> None:
    with closing(sqlite3.connect(database(home))) as connection:
        query = "SELECT id, directory FROM session WHERE title = ?"
        session, directory = connection.execute(query, (TARGET_TITLE,)).fetchone()
        message = {"role": "assistant", "path": {"cwd": "/srv/zebra"}}
        query = "UPDATE message SET data = ? WHERE session_id = ?"
        assert connection.execute(query, (json.dumps(message), session)).rowcount
        connection.execute("UPDATE session SET directory = '' WHERE id = ?", (session,))
        connection.commit()
    os.utime(database(home), (1_700_000_009, 1_700_000_009))
    search(*TYPED)
    assert search("zebra")[0] == [TARGET_TITLE]


@pytest.mark.parametrize("age", [0, 1])
def test_a_store_that_was_written_to_just_now_is_asked(
    search: Search, home: Path, age: int
) -> None:
    """The next change may come within the same tick of its clock."""
    now = time.time() - age
    os.utime(database(home), (now, now))
    search(*TYPED)
    with closing(sqlite3.connect(database(home))) as connection:
        query = "UPDATE session SET title = 'Zebra' WHERE title = ?"
        connection.execute(query, (TARGET_TITLE,))
        connection.commit()
    os.utime(database(home), (now, now))
    assert search("zebra")[0] == ["Zebra"]


def test_a_cache_that_cannot_be_written_costs_only_time(search: Search, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert search(*TYPED, cache=blocked / "cache") == ([TARGET_TITLE], [None])


def test_only_its_user_may_read_what_is_kept(search: Search, tmp_path: Path) -> None:
    search(*TYPED)
    assert stat.S_IMODE(kept(tmp_path).stat().st_mode) == 0o600
