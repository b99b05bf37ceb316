"""OpenCode's database: the contract, every store's oddities, and that nothing is touched."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import unicodedata
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from adapters.opencode.conditions import condition
from adapters.opencode.database import OpenCodeDatabase
from adapters.opencode.stored import ReadLater, StoredPart
from finder.adapter import Store, Want, Word
from finder.errors import StoreError
from finder.model import Event, Json, JsonObject, Problem, Ref, Session
from finder.places import Places
from finder.testing import AdapterContract, fingerprint
from finder.words import folded

FIXTURES = Path(__file__).parents[2] / "fixtures" / "opencode-db"
ADAPTER = OpenCodeDatabase()
TOOLS_SESSION = "ses_e07d5a67effe5AcZT2yPAuksjX"
V2_SESSION = "ses_e07d49132ffeHaLKD0nayaNC48"


def _parsed(value: Any) -> Json:
    try:
        return json.loads(value) if isinstance(value, str) and value[:1] in "{[" else value
    except ValueError:
        return value


class TestOpenCodeDatabase(AdapterContract):
    adapter = ADAPTER
    fixtures = FIXTURES
    free_keys: ClassVar[frozenset[str]] = frozenset(
        {
            "data.state.input",
            "data.state.metadata",
            "data.content[].state.input",
            "data.content[].state.structured",
            "data.metadata",
            "data.structured",
            "data.error.data",
            "data.format.schema",
            "session.metadata",
            "snapshot",
        }
    )

    def records(self, home: Path, session: Session) -> list[Json]:
        """The rows, read with plain SQL, and the diff file beside."""
        path = Path(session.ref.store)
        connection = sqlite3.connect(path.as_uri() + "?immutable=1", uri=True)
        connection.row_factory = sqlite3.Row
        has = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        found: list[Json] = []

        def take(table: str, clause: str, json_columns: tuple[str, ...]) -> None:
            if table not in has:
                return
            for row in connection.execute(f"SELECT * FROM {table} {clause}", (session.ref.id,)):
                record = {"table": table, **dict(row)}
                for column in json_columns:
                    record[column] = _parsed(record[column])
                found.append(record)

        take("session_context_epoch", "WHERE session_id = ?", ("snapshot",))
        for row in connection.execute(
            "SELECT * FROM message WHERE session_id = ? ORDER BY time_created, id",
            (session.ref.id,),
        ).fetchall():
            found.append({"table": "message", **dict(row), "data": _parsed(row["data"])})
            for part in connection.execute(
                "SELECT * FROM part WHERE message_id = ? ORDER BY id", (row["id"],)
            ):
                found += [{"table": "part", **dict(part), "data": _parsed(part["data"])}]
        take("session_message", "WHERE session_id = ? ORDER BY seq", ("data",))
        take("todo", "WHERE session_id = ? ORDER BY position", ())
        connection.close()
        diff = path.parent / "storage" / "session_diff" / f"{session.ref.id}.json"
        if diff.exists():
            found.append(json.loads(diff.read_bytes()))
        return found


def home_of(case: str) -> Path:
    return FIXTURES / case / "store" / ".local" / "share" / "opencode"


def store_of(path: Path) -> Store:
    return Store(adapter=ADAPTER.name, tool=ADAPTER.tool, path=path, kind="database", rank=2)


@pytest.fixture
def newest(tmp_path: Path) -> Path:
    """A writable copy of the database of 1.18.33."""
    path = tmp_path / "opencode.db"
    shutil.copyfile(home_of("1.18.33") / "opencode.db", path)
    path.chmod(0o644)
    return path


def change(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def listed(path: Path, want: Want | None = None) -> tuple[dict[str, Session], list[Problem]]:
    found = list(ADAPTER.sessions(store_of(path), want))
    sessions = {item.ref.id: item for item in found if isinstance(item, Session)}
    return sessions, [item for item in found if isinstance(item, Problem)]


def story(path: Path, identifier: str) -> list[Event]:
    return list(ADAPTER.events(Ref("opencode", str(path), identifier)))


def test_a_session_of_the_newer_api_is_whole() -> None:
    events = story(home_of("1.18.33") / "opencode.db", V2_SESSION)
    said = [(e.role, e.text) for e in events if e.type == "text"]
    assert said[0] == ("user", "Hello through v2. [[v2-read dir=/home/dev/code/webapp]]")
    assert ("assistant", "v2 done.") in said
    results = [e for e in events if e.type == "tool_result"]
    assert [r.status for r in results] == ["ok", "ok", "error"]
    assert results[1].output == "v2\n\nCommand exited with code 0."
    assert results[2].output == "Unable to read /home/dev/code/webapp/nope.txt"


def test_children_are_found_below_their_parent_at_any_depth() -> None:
    path = home_of("1.18.33") / "opencode.db"
    sessions, _ = listed(path)
    children = {s.ref.id for s in sessions.values() if s.parent is not None}
    roots = [s.ref.id for s in sessions.values() if s.parent is None]
    below = list(ADAPTER.descendants(store_of(path), roots))
    assert {s.ref.id for s in below} == children
    assert any(s.parent and s.parent.id in children for s in below), "no nested child"


def test_a_task_call_names_its_child() -> None:
    path = home_of("1.18.33") / "opencode.db"
    sessions, _ = listed(path)
    named = {
        event.child.id
        for identifier in sessions
        for event in story(path, identifier)
        if event.type == "subagent" and event.child
    }
    assert named
    children = {s.ref.id for s in sessions.values() if s.parent}
    assert named <= children | {i for i in named if i not in sessions}


def test_what_a_person_typed_is_never_synthetic_unless_it_is_a_replay() -> None:
    for case in ("1.18.33", "1.2.27", "dev-channel", "migrated"):
        path = next(home_of(case).glob("*.db"))
        for identifier in listed(path)[0]:
            for event in story(path, identifier):
                if event.type != "text" or event.role != "user" or not isinstance(event.raw, dict):
                    continue
                flagged = bool(event.raw.get("data", {}).get("synthetic"))
                replayed = "inferred" in event.labels
                assert ("synthetic" in event.labels) == (flagged or replayed), event.record


def test_the_kept_tail_of_a_compaction_is_live() -> None:
    path = next(home_of("dev-channel").glob("*.db"))
    for identifier in listed(path)[0]:
        events = story(path, identifier)
        marks = [e for e in events if e.type == "compaction" and e.keep]
        if not marks:
            continue
        keep = next(i for i, e in enumerate(events) if e.record == marks[-1].keep)
        end = events.index(marks[-1])
        assert all("compacted" in e.labels for e in events[:keep] if e.type != "notice")
        assert not any("compacted" in e.labels for e in events[keep:end])
        return
    raise AssertionError("no compaction with a tail in the fixture")


def test_of_a_beginning_only_the_first_parts_are_read(newest: Path) -> None:
    ref = Ref("opencode", str(newest), TOOLS_SESSION)
    whole, begun = (list(events) for events in (ADAPTER.events(ref), ADAPTER.beginning(ref, 1)))
    assert len([e for e in whole if e.type == "message"]) > 2
    read = {e.message for e in begun if e.message is not None and e.type != "message"}
    assert read == {begun[0].record}
    assert len(begun) < len(whole) / 2


def test_a_revert_hides_what_it_took_back() -> None:
    path = home_of("1.18.33") / "opencode.db"
    sessions, _ = listed(path)
    reverted = [s for s in sessions.values() if "reverted" in s.labels]
    assert reverted
    for session in reverted:
        start = session.raw["revert"]["messageID"]
        events = [e for e in story(path, session.ref.id) if e.message]
        first = next(i for i, e in enumerate(events) if e.message == start)
        assert all("hidden" in e.labels for e in events[first:])
        assert not any("hidden" in e.labels for e in events[:first])


@pytest.mark.parametrize(
    ("want", "kept"),
    [
        (Want(ids=(V2_SESSION,)), lambda s: s.ref.id == V2_SESSION),
        (Want(prefix="SES_E07D49"), lambda s: s.ref.id.startswith("ses_e07d49")),
        (Want(words=((Word("archive"),),)), lambda s: "archive" in (s.title or "").lower()),
        (Want(words=((Word("数える"),),)), lambda s: "数える" in (s.title or "")),
        (Want(words=((Word("e07D49"),),)), lambda s: s.ref.id.startswith("ses_e07d49")),
        (Want(words=((Word("SES_E07d49"),),)), lambda s: s.ref.id.startswith("ses_e07d49")),
        (
            Want(words=((Word("no such"), Word("Archive", ("title",))),)),
            lambda s: "archive" in (s.title or "").lower(),
        ),
        (Want(roots=True), lambda s: s.parent is None),
        (Want(directory="/home/dev/notes"), lambda s: s.directory.startswith("/home/dev/notes")),
        (Want(raw=False), lambda s: True),
    ],
)
def test_a_narrowed_listing_has_all_that_fits(want: Want, kept: Callable[[Session], bool]) -> None:
    path = home_of("1.18.33") / "opencode.db"
    every, _ = listed(path)
    wanted = {identifier for identifier, session in every.items() if kept(session)}
    found, _ = listed(path, want)
    assert wanted
    assert wanted <= set(found)
    for identifier in wanted:
        assert found[identifier].messages == every[identifier].messages
        assert found[identifier].model == every[identifier].model


def test_no_letter_that_is_equal_to_others_is_missed() -> None:
    """All that a word stands for where case is ignored is found in SQL, also single letters."""
    every = [chr(code) for code in range(128, 0x11000) if not 0xD800 <= code < 0xE000]
    equal = [letter for letter in every if any(ord(one) < 128 for one in folded(letter))]
    assert len(equal) == 16
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE session (id, title)")
        for letter in equal:
            title = f"x{letter}y"
            connection.execute("INSERT INTO session VALUES (?, ?)", (letter, title))
            word = folded(title)
            for part in {word[a:b] for a in range(len(word)) for b in range(a + 1, len(word) + 1)}:
                want = Want(words=((Word(part, ("title",)),),))
                where, values = condition(connection, "session", ("id", "title"), want)
                found = connection.execute(f"SELECT id FROM session{where}", values).fetchall()
                assert (letter,) in found, part


@pytest.mark.parametrize(
    "title", ["The", "Straße", "CAFE\u0301", "\u1112\u1161\u11ab", "\u1f82", "ﬁx"]
)
def test_a_word_that_is_all_of_a_title_is_found_however_it_is_written(title: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE session (id, title)")
        for form in ("NFC", "NFD"):
            text = unicodedata.normalize(form, title)
            connection.execute("INSERT INTO session VALUES (?, ?)", (form, text))
        connection.execute("INSERT INTO session VALUES ('longer', ?)", (f"{title} and more of it",))
        want = Want(words=((Word(folded(title), alone=True),),))
        where, values = condition(connection, "session", ("id", "title"), want)
        found = connection.execute(f"SELECT id FROM session{where}", values).fetchall()
    assert {("NFC",), ("NFD",)} <= set(found)
    assert (("longer",) in found) == (4 * len(folded(title)) >= len(f"{title} and more of it"))


@pytest.mark.parametrize(
    ("identifier", "word"),
    [
        ("ses_AbcXYZ", "abcx"),
        ("SES_abcxyz", "ABCX"),
        ("abcxyz", "abcx"),
        ("own_part_abcxyz", "abcx"),
        ("sesame_abcxyz", "abcx"),
        ("ses_%b", "%b"),
        ("ses_1234_5678", "1234_5"),
        ("ses_1_abcx", "1_ab"),
    ],
)
def test_a_word_finds_what_its_id_begins_with(newest: Path, identifier: str, word: str) -> None:
    change(newest, f"UPDATE session SET id = '{identifier}' WHERE id = '{V2_SESSION}'")
    found, _ = listed(newest, Want(words=((Word(word, ("id",)),),)))
    assert list(found) == [identifier]


def test_the_newest_so_many_are_the_newest() -> None:
    path = home_of("1.18.33") / "opencode.db"
    every, _ = listed(path)
    newest = sorted((s.updated or 0 for s in every.values()), reverse=True)[:5]
    found, _ = listed(path, Want(newest=5))
    assert sorted((s.updated or 0 for s in found.values()), reverse=True) == newest


def test_a_missing_project_row_and_an_empty_directory_do_not_hide_a_session(newest: Path) -> None:
    change(
        newest,
        "PRAGMA foreign_keys=OFF",
        "DELETE FROM project",
        "UPDATE session SET directory = '', title = ''",
    )
    sessions, problems = listed(newest)
    assert not problems
    assert len(sessions) == len(listed(home_of("1.18.33") / "opencode.db")[0])
    with_messages = [s for s in sessions.values() if s.messages and s.ref.id != V2_SESSION]
    assert all(s.title is None for s in sessions.values())
    # The directory is then taken from what its answers say.
    assert sum(s.directory is not None for s in with_messages) > len(with_messages) // 2


def test_session_v2_is_read_by_the_columns_it_has(newest: Path) -> None:
    change(
        newest,
        "CREATE TABLE session_v2 (id TEXT PRIMARY KEY, title TEXT, directory TEXT,"
        " parent_id TEXT, time_created INTEGER, time_updated INTEGER)",
        "INSERT INTO session_v2 VALUES ('ses_new', 'Only in v2', '/x', NULL, 1000, 2000)",
        "INSERT INTO session_v2 SELECT id, 'again', directory, NULL, 1, 2 FROM session LIMIT 1",
        "PRAGMA foreign_keys=OFF",
        "INSERT INTO session_message VALUES ('msg_new', 'ses_new', 'user', 1, 1500, 1500,"
        ' \'{"text":"hello"}\')',
    )
    sessions, problems = listed(newest)
    assert not problems
    assert sessions["ses_new"].title == "Only in v2"
    assert (sessions["ses_new"].created, sessions["ses_new"].messages) == (1000, 1)
    assert "again" not in {s.title for s in sessions.values()}
    assert [e.text for e in story(newest, "ses_new") if e.type == "text"] == ["hello"]


def test_the_newest_of_two_tables_are_the_newest_of_all(newest: Path) -> None:
    """Both are filled where an older program went on beside a newer one."""
    change(
        newest,
        "CREATE TABLE session_v2 AS SELECT * FROM session",
        "UPDATE session_v2 SET id = id || 'v2', time_updated = time_updated - 1",
    )
    sessions, _ = listed(newest)
    times = sorted((session.updated or 0 for session in sessions.values()), reverse=True)
    for count in (1, 2, 5):
        found, _ = listed(newest, Want(newest=count))
        assert sorted((s.updated or 0 for s in found.values()), reverse=True) == times[:count]


def test_a_message_without_an_id_takes_no_others_from_the_count(newest: Path) -> None:
    change(
        newest,
        "INSERT INTO session_message (id, session_id, type, time_created, time_updated, data, seq)"
        " SELECT 'msg_newer', id, 'user', 1, 1, '{}', 9999 FROM session LIMIT 1",
    )
    before = {name: session.messages or 0 for name, session in listed(newest)[0].items()}
    others = "session_id, time_created, time_updated, data"
    change(newest, f"INSERT INTO message (id, {others}) SELECT NULL, {others} FROM message LIMIT 1")
    after = {name: session.messages or 0 for name, session in listed(newest)[0].items()}
    assert sum(after.values()) == sum(before.values()) + 1


def test_an_id_that_was_put_there_as_bytes_is_a_text_all_the_same(newest: Path) -> None:
    before = story(newest, TOOLS_SESSION)
    change(
        newest,
        "PRAGMA foreign_keys=OFF",
        f"UPDATE part SET id = CAST(id AS BLOB) WHERE session_id = '{TOOLS_SESSION}'",
        f"UPDATE message SET id = CAST(id AS BLOB) WHERE session_id = '{TOOLS_SESSION}'",
        "UPDATE part SET message_id = CAST(message_id AS BLOB)"
        f" WHERE session_id = '{TOOLS_SESSION}'",
    )
    assert story(newest, TOOLS_SESSION) == before


def test_messages_of_one_id_all_have_its_parts(newest: Path) -> None:
    others = "session_id, time_created, time_updated, data"
    of = f"WHERE session_id = '{TOOLS_SESSION}'"

    def told() -> list[tuple[str, str | None]]:
        return [(e.type, e.record) for e in story(newest, TOOLS_SESSION) if e.message]

    before = told()
    change(
        newest,
        "PRAGMA foreign_keys=OFF",
        f"INSERT INTO message (id, {others}) SELECT CAST(id AS BLOB), {others} FROM message {of}",
    )
    assert before
    assert sorted(told(), key=str) == sorted([*before, *before], key=str)


def test_what_parts_are_read_from_is_kept_until_they_are_read_for_the_last_time() -> None:
    class Rows(list[StoredPart]):
        pass

    rows = Rows([StoredPart("prt_1", {"type": "text"}, None)])
    parts, kept = ReadLater(partial(iter, rows)), weakref.ref(rows)
    del rows
    assert [part.id for part in parts] == [part.id for part in parts] == ["prt_1"]
    assert kept() is not None
    assert [part.id for part in parts.last()] == ["prt_1"]
    assert kept() is None
    with pytest.raises(AssertionError, match="last time"):
        iter(parts)


def test_an_unknown_table_with_rows_is_named(newest: Path) -> None:
    change(
        newest,
        "CREATE TABLE session_v9 (id TEXT)",
        "CREATE TABLE message_v9 (id TEXT)",
        "INSERT INTO session_v9 VALUES ('x')",
    )
    _, problems = listed(newest)
    assert [(p.kind, p.record) for p in problems] == [("unknown-schema", "session_v9")]


def test_the_older_program_of_the_same_name_is_named(tmp_path: Path) -> None:
    path = tmp_path / "opencode.db"
    for table in ("sessions", "messages", "files"):
        change(path, f"CREATE TABLE {table} (id TEXT)")
    assert ADAPTER.detect(path) is not None
    with pytest.raises(StoreError, match=r"Go.*files, messages, sessions") as caught:
        listed(path)
    assert caught.value.problem.kind == "foreign"


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"", "empty"), (b"not a database at all", "foreign"), (b"SQLite format 3\x00", "corrupt")],
)
def test_what_is_no_database_is_named(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / "opencode.db"
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        listed(path)
    assert caught.value.problem.kind == kind


def test_views_in_the_place_of_tables_are_not_run(tmp_path: Path) -> None:
    path = tmp_path / "opencode.db"
    change(
        path,
        "CREATE TABLE message (id TEXT)",
        "CREATE VIEW session AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id FROM n)"
        " SELECT id FROM n",
    )
    with pytest.raises(StoreError, match="no session table"):
        listed(path)


def test_damaged_data_is_named_and_its_neighbours_show(newest: Path) -> None:
    identifier = TOOLS_SESSION
    before = story(newest, identifier)
    part = next(e.record for e in before if e.type == "tool_call")
    change(newest, f"UPDATE part SET data = substr(data, 1, 40) WHERE id = '{part}'")
    after = story(newest, identifier)
    broken = [e for e in after if e.type == "opaque" and e.problem]
    assert [e.record for e in broken] == [part]
    assert isinstance(broken[0].raw["data"], str)
    others = [e for e in before if e.record != part]
    assert [e.record for e in after if e.record != part] == [e.record for e in others]


def test_a_part_without_its_message_is_shown(newest: Path) -> None:
    identifier = TOOLS_SESSION
    message = next(e.record for e in story(newest, identifier) if e.type == "message")
    change(newest, "PRAGMA foreign_keys=OFF", f"DELETE FROM message WHERE id = '{message}'")
    lost = [e for e in story(newest, identifier) if e.type == "opaque" and e.problem]
    assert lost
    assert all("message is not in the database" in (e.problem or "") for e in lost)
    others = "session_id, time_created, time_updated, data"
    change(newest, f"INSERT INTO message (id, {others}) SELECT NULL, {others} FROM message LIMIT 1")
    told = story(newest, identifier)  # in SQL nothing is known to differ from an id that is none
    assert [e for e in told if e.type == "opaque" and e.problem] == lost


@pytest.mark.parametrize("want", [None, Want(raw=False)])
@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ("CAST(x'80ff' AS TEXT)", "whose id is no valid text"),
        ("''", "without an id"),
        ("printf('%.20000c', 'y')", "whose id has 20,000 characters"),
    ],
)
def test_an_id_that_cannot_be_asked_for_is_a_problem(
    newest: Path, want: Want | None, value: str, wrong: str
) -> None:
    """Of that session alone; the others are there."""
    before, _ = listed(newest)
    parent = next(s.parent.id for s in before.values() if s.parent)
    damaged = f"UPDATE session SET id = {value} WHERE id = '{parent}'"
    change(newest, "PRAGMA foreign_keys=OFF", damaged)
    left, problems = listed(newest, want)
    assert set(before) - set(left) == {parent}
    assert [p.message for p in problems] == [f"a session row {wrong}"]
    assert problems[0].record, "it is not the store that is damaged"
    outlines = ADAPTER.outlines(store_of(newest))
    assert problems == [item for item in outlines if isinstance(item, Problem)]
    assert list(ADAPTER.descendants(store_of(newest), ["\udc80\udcff"])) == []


def test_a_prompt_that_waits_is_shown(newest: Path) -> None:
    change(
        newest,
        "INSERT INTO session_input VALUES ('msg_wait', "
        f"'{V2_SESSION}', '{{\"text\":\"and then?\"}}', 'queue', 99, NULL, 1795164999000)",
    )
    last = story(newest, V2_SESSION)[-1]
    assert (last.type, last.role) == ("text", "user")
    assert last.type == "text" and last.text == "and then?"


def test_records_of_any_type_are_read(newest: Path) -> None:
    for value in ("[]", "null", "7", '"x"', '{"type":[],"state":7,"role":{}}', '{"type":"tool"}'):
        change(newest, f"UPDATE part SET data = '{value}'", f"UPDATE message SET data = '{value}'")
        for identifier in listed(newest)[0]:
            assert story(newest, identifier) or listed(newest)[0][identifier].messages == 0


@pytest.mark.parametrize("encoding", ["UTF-16le", "UTF-16be"])
def test_a_database_in_another_encoding_tells_the_same(newest: Path, encoding: str) -> None:
    other = newest.with_name("other.db")
    with closing(sqlite3.connect(newest)) as one, closing(sqlite3.connect(other)) as two:
        two.execute(f"PRAGMA encoding = '{encoding}'")
        two.executescript("\n".join(one.iterdump()))
    for identifier in listed(newest)[0]:
        expected = [
            replace(event, child=None) if event.type == "subagent" else event
            for event in story(newest, identifier)
        ]
        told = [
            replace(event, child=None) if event.type == "subagent" else event
            for event in story(other, identifier)
        ]
        assert told == expected


def test_a_byte_that_is_no_text_stays_what_it_is(newest: Path) -> None:
    for value, said in (
        ("""x'7b2274797065223a2274657874222c2274657874223a22ff227d'""", "\udcff"),
        ("""CAST(x'7b2274797065223a2274657874222c2274657874223a22ff227d' AS TEXT)""", "\udcff"),
        ("x'ff'", None),
    ):
        change(newest, f"UPDATE part SET data = {value}")
        part = next(e for e in story(newest, TOOLS_SESSION) if e.type in ("text", "opaque"))
        if said is not None:
            assert part.type == "text"
            assert part.text == said
        else:
            assert part.type == "opaque"
            assert "not valid JSON" in (part.problem or "")
            assert part.raw["data"] == "\udcff"


_WRITER = """
import sqlite3, sys
path, session = sys.argv[1:]
writer = sqlite3.connect(path, isolation_level=None)
writer.execute("PRAGMA journal_mode=WAL")
for line in sys.stdin:
    writer.execute(line, (session,) if "?" in line else ())
    print("done", flush=True)
"""


@contextmanager
def writing(path: Path) -> Iterator[Callable[[str], None]]:
    """Another process that holds the database open, as OpenCode does; runs SQL given to it."""
    command = [sys.executable, "-c", _WRITER, str(path), V2_SESSION]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def execute(statement: str) -> None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(statement + "\n")
            process.stdin.flush()
            assert process.stdout.readline() == "done\n"

        yield execute


def test_a_live_database_is_read_and_left_alone(newest: Path) -> None:
    with writing(newest) as execute:
        execute("UPDATE session SET title = 'in the log' WHERE id = ?")
        assert newest.with_name("opencode.db-wal").stat().st_size > 0
        before = fingerprint(newest.parent)
        assert listed(newest)[0][V2_SESSION].title == "in the log"
        assert fingerprint(newest.parent) == before
        execute("BEGIN IMMEDIATE")
        execute("UPDATE session SET title = 'not committed' WHERE id = ?")
        assert listed(newest)[0][V2_SESSION].title == "in the log"
        execute("COMMIT")
        assert listed(newest)[0][V2_SESSION].title == "not committed"


def test_a_database_whose_program_was_killed_is_left_alone(newest: Path) -> None:
    with writing(newest) as execute:
        execute("UPDATE session SET title = 'in the log' WHERE id = ?")
        killed = newest.parent / "killed"
        killed.mkdir()
        for suffix in ("", "-wal", "-shm"):
            name = f"opencode.db{suffix}"
            shutil.copyfile(newest.with_name(name), killed / name)
    before = fingerprint(killed)
    assert listed(killed / "opencode.db")[0][V2_SESSION].title == "in the log"
    assert fingerprint(killed) == before


def test_a_log_without_its_index_is_read_from_a_copy(newest: Path, tmp_path: Path) -> None:
    """As a backup that took the database and its -wal, but not -shm."""
    writer = sqlite3.connect(newest, isolation_level=None)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("UPDATE session SET title = 'in the log' WHERE id = ?", (V2_SESSION,))
    backup = tmp_path / "backup"
    backup.mkdir()
    for name in ("opencode.db", "opencode.db-wal"):
        shutil.copyfile(newest.with_name(name), backup / name)
    writer.close()
    before = fingerprint(backup)
    assert listed(backup / "opencode.db")[0][V2_SESSION].title == "in the log"
    assert fingerprint(backup) == before


def test_a_name_with_url_characters_is_the_file_itself(newest: Path, tmp_path: Path) -> None:
    odd = tmp_path / "a #1?mode=rwc%20" / "opencode-x.db"
    odd.parent.mkdir()
    shutil.copyfile(newest, odd)
    assert len(listed(odd)[0]) == len(listed(newest)[0])
    assert [p.name for p in odd.parent.iterdir()] == ["opencode-x.db"]


def test_raw_keeps_fields_nobody_has_heard_of(newest: Path) -> None:
    change(newest, "ALTER TABLE session ADD COLUMN mood TEXT", "UPDATE session SET mood = 'good'")
    raw: JsonObject = listed(newest)[0][V2_SESSION].raw
    assert raw["mood"] == "good"


def test_a_pipe_in_its_place_is_named(tmp_path: Path) -> None:
    home = tmp_path / ".local" / "share" / "opencode"
    home.mkdir(parents=True)
    os.mkfifo(home / "opencode.db")
    (store,) = [s for s in ADAPTER.discover(Places.under(tmp_path)) if isinstance(s, Store)]
    with pytest.raises(StoreError, match="a named pipe where a file is expected"):
        list(ADAPTER.sessions(store))


def test_the_count_is_that_of_the_listing(newest: Path) -> None:
    assert ADAPTER.count(store_of(newest)) == len(listed(newest)[0])
    change(
        newest,
        "CREATE TABLE session_v2 AS SELECT * FROM session",
        "INSERT INTO session_v2 (id) VALUES ('ses_more')",
    )
    assert ADAPTER.count(store_of(newest)) == len(listed(newest)[0])
