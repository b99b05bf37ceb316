"""Sessions put into OpenCode's database: all of them or none, and nothing else touched.

That the real program lists them and goes on from them is in tests/real.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.opencode.database import OpenCodeDatabase
from adapters.opencode.export import OpenCodeExport
from adapters.opencode.files import OpenCodeFiles
from adapters.opencode.install import LiveDatabase
from finder import files, sqlite
from finder.adapter import Adapter
from finder.errors import WriteError
from finder.model import Event, Message, Ref, Session, Subagent, Text, ToolCall, ToolResult
from finder.places import Places
from finder.registry import Registry
from finder.staging import StoreStaging, at_home
from finder.testing import stores_below
from finder.writing import Plan

FIXTURES = Path(__file__).parents[2] / "fixtures"
SCHEMAS = sorted(
    (Path(__file__).parent / "opencode_schemas").glob("*.sql"),
    key=lambda path: [int(number) for number in path.stem.split(".")],
)
EXPORT, FILES, DATABASE = OpenCodeExport(), OpenCodeFiles(), OpenCodeDatabase()
NOW = 1_790_000_000_000
DATA = Path(".local/share/opencode")
Story = tuple[Session, list[Event]]


def other(name: str = "one", parent: Ref | None = None, **more: Any) -> Session:
    ref = Ref("other", "/home/dev/other", name)
    known = {"title": name, "directory": "/home/dev/code", "created": NOW - 9, "updated": NOW}
    return Session(ref=ref, parent=parent, **{**known, **more})


def chat(*more: Event) -> list[Event]:
    return [
        Message(record="m1", message="m1", role="user", at=NOW - 8),
        Text(record="r1", message="m1", text="Look."),
        Message(record="m2", message="m2", role="assistant", at=NOW - 7, model="maker/model"),
        ToolCall(record="r2", message="m2", call="c1", name="shell", input={"command": "ls"}),
        *more,
        ToolResult(record="r3", message="m2", call="c1", output="a file"),
        Text(record="r4", message="m2", text="A file."),
    ]


def empty(home: Path, schema: Path = SCHEMAS[-1]) -> Path:
    """A home whose OpenCode of that version was started once."""
    path = home / DATA / "opencode.db"
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(schema.read_text())
        connection.execute(
            "INSERT INTO project (id, worktree, time_created, time_updated, sandboxes)"
            " VALUES ('global', '/', 1, 1, '[]')"
        )
        connection.commit()
    return home


def lived_in(home: Path, case: str = "1.18.33") -> Path:
    return Path(shutil.copytree(FIXTURES / "opencode-db" / case / "store", home))


def database(home: Path) -> Path:
    return home / DATA / "opencode.db"


def put(home: Path, *told: Story, replaced: bool = False, salt: str = "") -> list[Session]:
    """Install sessions as ``convert --install`` does; as they are read from the live database."""
    live = installation(home)
    root = home.parent / f"staging-{time.monotonic_ns()}"
    staging = StoreStaging(EXPORT, live, Registry.installed(), root)
    ids = {session.ref: EXPORT.target_id(at_home(session), salt) for session, _ in told}
    for session, events in told:
        parent = session.parent if session.parent in ids else None
        top = ids[told[0][0].ref]
        plan = Plan(id=ids[session.ref], ids=ids, top=top, parent=parent, now=NOW)
        staging.write(at_home(session), events, plan, "")
    staging.finish()
    live.commit(staging.drafts, replace=replaced)
    there = listed(DATABASE, home)
    return [there[identifier] for identifier in ids.values()]


def installation(home: Path, **env: str) -> LiveDatabase:
    return EXPORT.installation(Places(home=home, env=env, cwd=home))  # type: ignore[return-value]


def listed(adapter: Adapter, home: Path) -> dict[str, Session]:
    found = {}
    for store in stores_below(adapter, home):
        for session in adapter.sessions(store):
            if isinstance(session, Session):
                found[session.ref.id] = session
    return found


def rows(home: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    with closing(sqlite3.connect(database(home))) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: sorted(connection.execute(f"SELECT * FROM [{name}]").fetchall(), key=repr)
            for (name,) in names
        }


def beside(home: Path) -> dict[str, bytes]:
    """Every file of the data folder but the database."""
    found = (p for p in (home / DATA).rglob("*") if p.is_file() and "opencode.db" not in p.name)
    return {str(path.relative_to(home)): path.read_bytes() for path in found}


@contextmanager
def unchanged(home: Path) -> Iterator[None]:
    before = rows(home), beside(home)
    yield
    assert (rows(home), beside(home)) == before


def sql(home: Path, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database(home))) as connection:
        found = connection.execute(query, values).fetchall()
        connection.commit()
        return found


# -- every version ----------------------------------------------------------------------------


@pytest.mark.parametrize("schema", SCHEMAS, ids=[path.stem for path in SCHEMAS])
def test_a_session_goes_into_a_database_of_every_version(schema: Path, tmp_path: Path) -> None:
    home = empty(tmp_path / "home", schema)
    [session] = put(home, (other(), chat()))
    told = [e.text for e in DATABASE.events(session.ref) if e.type == "text"]
    assert told == ["Look.", "A file."]
    assert (session.title, session.directory) == ("one", "/home/dev/code")
    assert sql(home, "PRAGMA integrity_check") == [("ok",)]
    assert sql(home, "PRAGMA foreign_key_check") == []


@pytest.mark.parametrize("case", ["1.2.27", "1.18.33", "migrated"])
def test_every_session_of_a_version_goes_into_the_newest(case: str, tmp_path: Path) -> None:
    """With what no export holds: todos, file changes, full outputs, the newer API's records."""
    source = lived_in(tmp_path / "source", case)
    home = empty(tmp_path / "home")
    for session in listed(DATABASE, source).values():
        events = list(DATABASE.events(session.ref))
        put(home, (session, events))
    ours, theirs = rows(home), rows(source)
    for table in ("message", "part", "todo", "session_message"):
        assert ours[table] == theirs.get(table, []), table
    diffs = {k: v for k, v in beside(source).items() if "session_diff" in k}
    written = {k: v for k, v in beside(home).items() if "session_diff" in k}
    assert {k: json.loads(v) for k, v in written.items()} == {
        k: json.loads(v) for k, v in diffs.items() if Path(k).stem in listed(DATABASE, source)
    }


def test_nothing_else_is_touched(tmp_path: Path) -> None:
    home = lived_in(tmp_path / "home")
    before, files_before = rows(home), beside(home)
    put(home, (other(), chat()))
    after = rows(home)
    for table, old in before.items():
        assert set(map(repr, old)) <= set(map(repr, after[table])), table
    added = {t: len(after[t]) - len(old) for t, old in before.items() if len(after[t]) > len(old)}
    assert added == {"session": 1, "message": 2, "part": 4}
    assert beside(home) == files_before


def test_sessions_that_the_program_no_longer_sees_are_brought_back(tmp_path: Path) -> None:
    home = Path(shutil.copytree(FIXTURES / "opencode-files/notmigrated/store", tmp_path / "home"))
    lost = listed(FILES, home)
    put(home, *((session, list(FILES.events(session.ref))) for session in lost.values()))
    found = listed(DATABASE, home)
    assert found.keys() == lost.keys()
    assert {s.parent.id for s in found.values() if s.parent} <= found.keys()


def test_the_full_text_of_a_cut_result_goes_with_it(tmp_path: Path) -> None:
    source = Path(shutil.copytree(FIXTURES / "opencode-files/1.1.65/store", tmp_path / "source"))
    [output] = (source / DATA / "tool-output").iterdir()
    [cut] = [
        session
        for session in listed(FILES, source).values()
        if any(e.type == "attachment" and e.name == output.name for e in FILES.events(session.ref))
    ]
    home = empty(tmp_path / "home")
    put(home, (cut, list(FILES.events(cut.ref))))
    assert (home / DATA / "tool-output" / output.name).read_bytes() == output.read_bytes()


# -- replacing --------------------------------------------------------------------------------


def test_a_session_that_is_there_stays(tmp_path: Path) -> None:
    home = empty(tmp_path / "home")
    put(home, (other(), chat()))
    with unchanged(home), pytest.raises(WriteError, match="already") as error:
        put(home, (other("two"), chat()), (other(), chat()))
    assert error.value.exit_code == 7
    assert "--new-id" in (error.value.hint or "")
    assert len(put(home, (other(), chat()), salt="copy")) == 1
    assert len(listed(DATABASE, home)) == 2


def test_replacing_leaves_nothing_of_the_old_content(tmp_path: Path) -> None:
    home = empty(tmp_path / "home")
    longer = [*chat(), Text(record="r9", message="m2", text="More.")]
    [session] = put(home, (other(), longer))
    sql(home, "INSERT INTO event_sequence VALUES (?, 1, NULL)", session.ref.id)
    sql(home, "INSERT INTO event VALUES ('e', ?, 1, 't', '{}')", session.ref.id)
    sql(home, "INSERT INTO todo VALUES (?, 'c', 's', 'p', 0, 1, 1)", session.ref.id)
    sql(home, "INSERT INTO session_share VALUES (?, 'i', 's', 'u', 1, 1)", session.ref.id)
    diff = home / DATA / "storage" / "session_diff" / f"{session.ref.id}.json"
    files.write(diff, b"[]")
    [again] = put(home, (other(title="Renamed"), chat()), replaced=True)
    assert again.title == "Renamed"
    assert [e.text for e in DATABASE.events(again.ref) if e.type == "text"] == ["Look.", "A file."]
    kept = rows(home)
    assert [len(kept[t]) for t in ("message", "part", "todo", "event", "event_sequence")] == [
        2, 4, 0, 0, 0,
    ]  # fmt: skip
    assert len(kept["session_share"]) == 1  # it is still shared under its link
    assert not diff.exists()


@pytest.mark.parametrize(
    ("data", "seconds", "running"),
    [
        ({"role": "assistant", "time": {"created": 1}}, 60, True),
        ({"role": "assistant", "time": {"created": 1}}, 86_400, False),
        ({"role": "assistant", "time": {"created": 1, "completed": 2}}, 60, False),
        ({"role": "assistant", "time": {"created": 1}, "error": {"name": "x"}}, 60, False),
        ({"role": "user", "time": {"created": 1}}, 60, False),
    ],
)
def test_a_session_in_the_middle_of_a_turn_is_left_alone(
    data: dict[str, Any], seconds: int, running: bool, tmp_path: Path
) -> None:
    home = empty(tmp_path / "home")
    [session] = put(home, (other(), chat()))
    ago = int((time.time() - seconds) * 1000)
    row = ("msg_zz", session.ref.id, NOW + 1, ago, json.dumps(data))
    sql(home, "INSERT INTO message VALUES (?, ?, ?, ?, ?)", *row)
    if not running:
        put(home, (other(), chat()), replaced=True)
        return
    with unchanged(home), pytest.raises(WriteError, match="middle of a turn"):
        put(home, (other(), chat()), replaced=True)


def test_ids_that_another_session_uses_are_renewed(tmp_path: Path) -> None:
    """As after an import of a file whose session id was changed by hand."""
    home = lived_in(tmp_path / "home")
    found = listed(DATABASE, home)
    session = found["ses_e07d563cdffepLgSQD9nWwt7lm"]  # with a compaction, so with references
    events = list(DATABASE.events(session.ref))
    sql(home, "PRAGMA foreign_keys = OFF")
    for table in ("message", "part"):
        query = f"UPDATE {table} SET session_id = ? WHERE session_id = ?"
        sql(home, query, "ses_e07d49948ffeu7SHYSW4nkxLRv", session.ref.id)
    [again] = put(home, (session, events), replaced=True)
    back = list(DATABASE.events(again.ref))
    assert [e.labels for e in back] == [e.labels for e in events]
    assert not {e.record for e in back} & {e.record for e in events}
    there = listed(DATABASE, home)["ses_e07d49948ffeu7SHYSW4nkxLRv"]
    assert len(list(DATABASE.events(there.ref))) >= len(events)


# -- trees ------------------------------------------------------------------------------------


def tree() -> list[Story]:
    top, child = other("top"), Ref("other", "/home/dev/other", "child")
    grandchild = Ref("other", "/home/dev/other", "grandchild")
    started = Subagent(record="r5", message="m2", call="c1", child=child, prompt="Look.")
    deeper = replace(started, child=grandchild)
    return [
        (top, chat(started)),
        (other("child", parent=top.ref), chat(deeper)),
        (other("grandchild", parent=child), chat()),
    ]


def test_a_tree_is_installed_with_its_links(tmp_path: Path) -> None:
    home = empty(tmp_path / "home")
    top, child, grandchild = put(home, *tree())
    assert (child.parent, grandchild.parent) == (top.ref, child.ref)
    for session, below in ((top, child), (child, grandchild)):
        [started] = [e for e in DATABASE.events(session.ref) if e.type == "subagent"]
        assert started.child == below.ref


def test_a_tree_of_which_one_cannot_be_written_is_not_written_at_all(tmp_path: Path) -> None:
    home = empty(tmp_path / "home")
    stories = tree()
    put(home, stories[2])
    with unchanged(home), pytest.raises(WriteError, match="already"):
        put(home, *stories)


# -- failures ---------------------------------------------------------------------------------


class Faults:
    """Lets one step of a commit fail: each file, each statement, and the end of the work."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 0
        self.steps = 0
        transaction, write = sqlite.transaction, files.write

        def faulty_transaction(path: Path, work: Any) -> Any:
            def faulty(connection: sqlite3.Connection) -> Any:
                result = work(_Faulty(connection, self))
                self.step()
                return result

            return transaction(path, faulty)

        def faulty_write(*args: Any, **more: Any) -> None:
            self.step()
            write(*args, **more)

        monkeypatch.setattr(sqlite, "transaction", faulty_transaction)
        monkeypatch.setattr(files, "write", faulty_write)

    def arm(self, step: int) -> None:
        """Let that step fail, from 1; 0: none."""
        self.left, self.steps = step, 0

    def step(self) -> None:
        self.steps += 1
        self.left -= 1
        if not self.left:
            raise OSError(28, "No space left on device")


class _Faulty:
    def __init__(self, connection: sqlite3.Connection, faults: Faults) -> None:
        self.connection, self.faults = connection, faults

    def execute(self, *args: Any) -> sqlite3.Cursor:
        self.faults.step()
        return self.connection.execute(*args)


@pytest.mark.parametrize("replaced", [False, True], ids=["new", "replaced"])
def test_a_failure_at_any_step_leaves_the_store_as_it_was(
    replaced: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = lived_in(tmp_path / "source")
    home = lived_in(tmp_path / "home") if replaced else empty(tmp_path / "home")
    session = listed(DATABASE, source)["ses_e07d50f43ffekj0gltQ6DnGopQ"]  # with a diff file
    diff = home / DATA / f"storage/session_diff/{session.ref.id}.json"
    if replaced:
        diff.write_text("[{}]")
    live = installation(home)
    staging = StoreStaging(EXPORT, live, Registry.installed(), tmp_path / "staging")
    plan = Plan(id=session.ref.id, ids={session.ref: session.ref.id}, top="", now=NOW)
    staging.write(session, list(DATABASE.events(session.ref)), plan, "")
    staging.finish()
    faults = Faults(monkeypatch)
    before = rows(home), beside(home)
    for step in range(1, 1000):
        faults.arm(step)
        try:
            live.commit(staging.drafts, replace=replaced)
        except OSError:
            assert (rows(home), beside(home)) == before
            continue
        break
    assert faults.steps == step - 1 > 30
    assert json.loads(diff.read_bytes()) != [{}]


def test_a_database_that_another_program_holds_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_LOCK_SECONDS", 0.2)
    home = empty(tmp_path / "home")
    with closing(sqlite3.connect(database(home), isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(WriteError, match="locked"):
            put(home, (other(), chat()))
        writer.execute("ROLLBACK")
    with closing(sqlite3.connect(database(home), isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM session").fetchall()
        put(home, (other(), chat()))  # beside one that reads, as the program does
    assert len(listed(DATABASE, home)) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_database_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    home = empty(tmp_path / "home")
    database(home).chmod(0o444)
    with pytest.raises(WriteError, match="is not changed"):
        put(home, (other(), chat()))


def test_a_database_that_does_not_keep_what_is_written_is_not_believed(tmp_path: Path) -> None:
    home = empty(tmp_path / "home")
    live = installation(home)
    staging = StoreStaging(EXPORT, live, Registry.installed(), tmp_path / "staging")
    session = other()
    identifier = EXPORT.target_id(session)
    plan = Plan(id=identifier, ids={session.ref: identifier}, top="", now=NOW)
    staging.write(session, chat(), plan, "")
    staging.finish()
    sql(home, "CREATE TRIGGER t AFTER INSERT ON part BEGIN DELETE FROM part; END")
    with unchanged(home), pytest.raises(WriteError, match="does not keep"):
        live.commit(staging.drafts, replace=False)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE message ADD COLUMN kind text NOT NULL DEFAULT 'x'",
        "ALTER TABLE session ADD COLUMN mood text",
        "CREATE TABLE session_mood (id text)",
    ],
)
def test_a_newer_version_that_demands_nothing_new_is_written_to(
    change: str, tmp_path: Path
) -> None:
    home = empty(tmp_path / "home")
    sql(home, change)
    assert len(put(home, (other(), chat()))) == 1


@pytest.mark.parametrize(
    "changes",
    [
        (
            "DROP TABLE part",
            "CREATE TABLE part (id text PRIMARY KEY, message_id text, session_id text,"
            " data text, kind text NOT NULL)",
        ),
        ("ALTER TABLE message RENAME COLUMN data TO content",),
        ("CREATE TABLE session_v2 (id text)",),
        ("DROP TABLE project",),
    ],
)
def test_a_version_that_is_not_known_is_refused(changes: Sequence[str], tmp_path: Path) -> None:
    home = empty(tmp_path / "home")
    for change in changes:
        sql(home, change)
    with unchanged(home), pytest.raises(WriteError, match="does not know") as error:
        put(home, (other(), chat()))
    assert "opencode import" in (error.value.hint or "")


# -- which database ---------------------------------------------------------------------------


def test_without_a_database_opencode_has_to_be_started_first(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="no database") as error:
        installation(tmp_path)
    assert "start opencode once" in (error.value.hint or "")


def test_the_database_of_another_channel_is_taken_if_it_is_the_only_one(tmp_path: Path) -> None:
    home = lived_in(tmp_path / "home", "dev-channel")
    assert installation(home).store.name == "opencode-dev.db"
    shutil.copy(home / DATA / "opencode-dev.db", home / DATA / "opencode-beta2.db")
    with pytest.raises(WriteError, match="not clear which"):
        installation(home)
    named = installation(home, OPENCODE_DB="opencode-dev.db")
    assert named.store.name == "opencode-dev.db"


# -- odd content ------------------------------------------------------------------------------


def test_text_that_no_database_can_hold_is_held_all_the_same(tmp_path: Path) -> None:
    home = empty(tmp_path / "home")
    odd = "half a pair \ud800, nothing \0, all planes \U0010fffd 😀"
    events: list[Event] = [
        Message(record="m", message="m", role="user", at=NOW),
        Text(message="m", text=odd),
    ]
    [session] = put(home, (other(), events))
    assert [e.text for e in DATABASE.events(session.ref) if e.type == "text"] == [odd]


def test_a_session_without_a_directory_gets_the_one_it_is_installed_from(tmp_path: Path) -> None:
    home = empty(tmp_path / "home")
    [session] = put(home, (other(directory=None), chat()))
    assert session.directory == str(home)
