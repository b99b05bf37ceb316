"""The command line: what goes to stdout, what to stderr, and how it ends."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from finder.adapter import Store, Want
from finder.errors import ExitCode
from finder.model import Message, Opaque, Problem, Session, Text, ToolCall
from finder.registry import Registry
from tests.bench.opencode_stores import make_database
from tests.bench.sessions import Shape
from tests.calling import NOW, caller
from tests.memory import Memory, Shelf, unreadable

Capture = pytest.CaptureFixture[str]

EVIL = "x\x1b]0;owned\x07\u202e"


@pytest.fixture
def shelf(shelf_path: Path) -> Shelf:
    shelf = Shelf(shelf_path)
    shelf.add(
        "ses_0001",
        "Fix the login",
        directory=str(shelf_path.parent),
        created=NOW - 90_000_000,
        updated=NOW - 86_400_000,
        agent="build",
        model="m/x",
        raw={"native": 1},
    )
    shelf.add("ses_0002", "Look", parent="ses_0001", agent="explore", updated=NOW)
    shelf.add("ses_0003", "Other thing", updated=NOW - 1000, directory="/else/where")
    shelf.stories["ses_0001"] = [
        Message(record="m", message="m", role="user", at=NOW, raw={"id": "m"}),
        Text(record="t", message="m", text="Hello", at=NOW, raw={"id": "t", "odd": "\ud800"}),
        Text(record="t2", message="m", text="Be brief.", labels=("synthetic",)),
        Opaque(kind="part", record="p", problem="not JSON", raw="{"),
    ]
    shelf.stories["ses_0002"] = [Text(text="inner", raw={"id": "i"})]
    return shelf


# -- find --------------------------------------------------------------------------------


def test_find_prints_a_table(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    done = caller(capsys, tmp_path, shelf)("find")
    assert done.out.splitlines() == [
        "TOOL  TITLE          SUB  AGE  DIRECTORY    ID",
        "mem   Other thing         now  /else/where  ses_0003",
        "mem   Fix the login    1   1d  ~            ses_0001",
    ]
    assert (done.code, done.err) == (0, "")


def test_ids_that_two_tools_have_come_with_their_tool(capsys: Capture, tmp_path: Path) -> None:
    one, two = Shelf(tmp_path / "1"), Shelf(tmp_path / "2")
    for shelf, tool in ((one, "one"), (two, "two")):
        shelf.add("same", tool=tool, updated=2)
    two.add("alone", tool="two", updated=1)
    adapters = (Memory(one, name="one", tool="one"), Memory(two, name="two", tool="two"))
    done = caller(capsys, tmp_path, registry=Registry.of(*adapters))("find", "--format", "ids")
    assert done.out == "one:same\ntwo:same\nalone\n"


def test_find_formats(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    call = caller(capsys, tmp_path, shelf)
    assert call("find", "--format", "ids").out == "ses_0003\nses_0001\n"
    assert [s["id"] for s in call("find", "--format", "jsonl").lines] == ["ses_0003", "ses_0001"]
    assert [s["id"] for s in call("find", "--json").json["sessions"]] == ["ses_0003", "ses_0001"]
    assert call("find", "--query", "sessions[].id").json == ["ses_0003", "ses_0001"]
    assert call("find", "-f", "jsonl", "--query", "id").lines == ["ses_0003", "ses_0001"]
    assert call("find", "-n", "1", "-f", "ids").out == "ses_0003\n"


def test_find_options_reach_the_search(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    call = caller(capsys, tmp_path, shelf)

    def ids(*args: str) -> list[str]:
        return call("find", "--format", "ids", *args).out.split()

    assert ids("--cwd", ".") == ["ses_0001"]
    assert ids("--cwd", "/else") == ["ses_0003"]
    assert ids("--agent", "explore") == ["ses_0001"]
    assert ids("--agent", "explore", "--subagents") == ["ses_0002"]
    assert ids("--model", "M/X") == ["ses_0001"]
    assert ids("--since", "1h", "--subagents") == ["ses_0002", "ses_0003"]
    assert ids("--until", "2027-01-14") == ["ses_0001"]
    assert ids("--until", "2027-01-14T07:59:59") == []
    assert ids("login fix") == ["ses_0001"]
    assert ids("--sort", "title") == ["ses_0001", "ses_0003"]
    assert ids("--tool", "mem", "--root", str(shelf.path)) == ["ses_0003", "ses_0001"]


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_folder_behind_a_link_is_the_same_folder(
    capsys: Capture, tmp_path: Path, shelf: Shelf
) -> None:
    link = tmp_path / "link"
    link.symlink_to(shelf.path.parent)
    done = caller(capsys, tmp_path, shelf)("find", "--cwd", str(link), "--format", "ids")
    assert done.out == "ses_0001\n"


def test_an_empty_answer_says_what_was_searched(
    capsys: Capture, tmp_path: Path, shelf: Shelf
) -> None:
    done = caller(capsys, tmp_path, shelf)("find", "zzyzx")
    assert (done.code, done.out) == (0, "")
    assert done.err == (
        f"Searched mem: {shelf.path}, 3 sessions\nNo session matches.\n"
        "None has it in its text either.\n"
    )


def test_words_that_no_title_has_are_looked_for_in_the_text(
    capsys: Capture, tmp_path: Path, shelf: Shelf
) -> None:
    shelf.stories[shelf.sessions[0].ref.id] = [Text(text="said: zzyzx")]
    call = caller(capsys, tmp_path, shelf)
    done = call("find", "zzyzx", "--format", "ids")
    assert done.out == f"{shelf.sessions[0].ref.id}\n"
    assert done.err.startswith("No title, id, directory or agent matches; ")
    answer = call("find", "zzyzx", "--json").json
    assert answer["by_text"] is True
    assert answer["sessions"][0]["quotes"][0]["spans"] == [[6, 11]]
    assert call("find", "fix", "--json").json["by_text"] is False


def test_a_title_and_a_text_can_both_be_asked_for(
    capsys: Capture, tmp_path: Path, shelf: Shelf
) -> None:
    for session in shelf.sessions:
        shelf.stories[session.ref.id] = [Text(text="said: zzyzx")]
    call = caller(capsys, tmp_path, shelf)
    both = call("find", "fix", "--text", "zzyzx", "--format", "ids").out
    assert both == call("find", "fix", "--format", "ids").out
    assert len(call("find", "--text", "zzyzx", "--format", "ids").out) > len(both)
    apart = call("find", "--text", "zzyzx", "nowhere")
    assert "To look for all of it in the text: finder find --text 'zzyzx nowhere'\n" in apart.err


def test_a_text_without_words_is_a_mistake(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    done = caller(capsys, tmp_path, shelf)("find", "--text", ' "" ')
    assert (done.code, done.out) == (2, "")


def test_the_calls_that_an_empty_answer_proposes_find_as_many_as_it_says(
    capsys: Capture, tmp_path: Path, shelf: Shelf
) -> None:
    call = caller(capsys, tmp_path, shelf)
    kinds = set()
    for words in (
        ("lgoni", "--agent", "build", "--root", str(shelf.path), "--json"),
        ("--cwd=-x", "-n", "9", "--subagents", "--json"),
        ("fix", "--since", "1m", "--cwd", str(shelf.path), "--format", "json"),
        ("fix zzyzx", "--json", "--query", "@"),
        ("--json", "--", "-zzyzx", "fix"),
    ):
        answer = call("find", *words).json
        assert answer["sessions"] == []
        for kind in ("without", "did_you_mean"):
            for other in answer["explanation"][kind]:
                assert other["command"][0] == "finder"
                found = call(*other["command"][1:]).json["sessions"]
                assert len(found) == other["sessions"] > 0, other
                kinds |= {kind, *other["left_out"]}
    assert kinds >= {"without", "did_you_mean", "--cwd", "--since", "zzyzx", "-zzyzx"}


def test_an_empty_answer_in_lines_is_explained_beside_them(
    capsys: Capture, tmp_path: Path, shelf: Shelf
) -> None:
    for format_ in ("table", "ids", "jsonl", "fzf"):
        done = caller(capsys, tmp_path, shelf)("find", "fix", "--cwd", "/x y", "-f", format_)
        assert done.out == ""
        assert "\nWithout --cwd: 1 session\n  finder find fix" in done.err


def test_a_tool_without_a_store_is_not_all_there_is(
    capsys: Capture, tmp_path: Path, shelf: Shelf
) -> None:
    other = Memory(name="other", tool="other")
    registry = Registry.of(Memory(shelf), other)
    call = caller(capsys, tmp_path, registry=registry)
    done = call("find", "fix", "--tool", "other")
    assert done.err.startswith("No session store was found. Looked for:\n")
    assert done.err.endswith("Without --tool: 1 session\n  finder find fix\n")
    done = call("find", "fix", "--tool", "other", "--root", str(shelf.path))
    assert done.err.startswith(
        f"No store of other is in {shelf.path}.\nWithout --tool: 1 session\n"
    )


def test_no_store_at_all_says_where_was_looked(capsys: Capture, tmp_path: Path) -> None:
    call = caller(capsys, tmp_path)
    done = call("find")
    assert (done.code, done.out) == (0, "")
    assert "  Sessions in memory\n    ~/.memory\n" in done.err
    assert call("find", "--json").json == {
        "schema": "session-finder/1",
        "by_text": False,
        "sessions": [],
        "problems": [],
        "searched": [],
        "explanation": {
            "without": [],
            "did_you_mean": [],
            "looked_in": [str(tmp_path / ".memory")],
        },
    }
    assert call("stores").code == 0
    assert "No session store was found" in call("stores").err


# -- get ---------------------------------------------------------------------------------


def test_get_json(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    done = caller(capsys, tmp_path, shelf)("get", "ses_0001", "--json")
    value = done.json
    assert list(value) == ["schema", "session", "subagents", "events", "problems"]
    assert [s["id"] for s in value["subagents"]] == ["ses_0002"]
    assert [e["seq"] for e in value["events"]] == [0, 1, 2, 3]
    assert value["events"][1] == {
        "seq": 1,
        "type": "text",
        "record": "t",
        "at": "2027-01-15T08:00:00.000Z",
        "message": "m",
        "role": "user",
        "text": "Hello",
        "labels": [],
    }
    assert value["problems"] == [
        {"kind": "corrupt", "path": str(shelf.path), "message": "not JSON", "record": "p"}
    ]
    assert "not JSON" in done.err
    assert done.code == 0


def test_get_choices(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    call = caller(capsys, tmp_path, shelf)
    typed = call("get", "ses_0001", "--json", "--no-synthetic").json["events"]
    assert [e["seq"] for e in typed] == [0, 1, 3]
    assert call("get", "ses_0001", "--json", "--no-subagents").json["subagents"] == []
    whole = call("get", "ses_0001", "--json", "--with-subagents").json
    assert [e["text"] for e in whole["subagents"][0]["events"]] == ["inner"]
    raw = call("get", "ses_0001", "--json", "--raw").json
    assert raw["session"]["raw"] == {"native": 1}
    assert raw["events"][1]["raw"] == {"id": "t", "odd": "\ud800"}
    assert "raw" not in raw["events"][2]
    assert call("get", "ses_0001", "--query", "events[1].text").json == "Hello"


def test_get_lines(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    lines = caller(capsys, tmp_path, shelf)(
        "get", "ses_0001", "--format", "jsonl", "--with-subagents"
    ).lines
    assert [line["type"] for line in lines] == [
        "session", "message", "text", "text", "opaque", "session", "text", "problem"
    ]  # fmt: skip
    assert lines[0]["schema"] == "session-finder/1"
    assert [s["id"] for s in lines[0]["subagents"]] == ["ses_0002"]
    assert lines[5]["id"] == "ses_0002"


@pytest.mark.parametrize("sizes", [(), (1,), (70_000,), (1, 70_000), (70_000, 70_000, 1)])
@pytest.mark.parametrize("times", [1, 3, 60])
def test_events_of_any_size_are_parted_from_each_other(
    capsys: Capture, tmp_path: Path, shelf: Shelf, sizes: tuple[int, ...], times: int
) -> None:
    texts = ["x" * size for size in (*sizes, 3_000, *sizes) * times]
    shelf.stories["ses_0001"] = [Text(text=text) for text in texts]
    call = caller(capsys, tmp_path, shelf)
    assert [e["text"] for e in call("get", "ses_0001", "--json").json["events"]] == texts
    lines = call("get", "ses_0001", "--format", "jsonl").lines
    assert [line["text"] for line in lines if line["type"] == "text"] == texts


def test_get_raw(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    call = caller(capsys, tmp_path, shelf)
    records = [{"id": "m"}, {"id": "t", "odd": "\ud800"}, "{"]
    assert call("get", "ses_0001", "--format", "raw").json == {
        "schema": "session-finder/1",
        "session": {"native": 1},
        "records": records,
    }
    value = call("get", "ses_0001", "--format", "raw", "--with-subagents").json
    assert value["subagents"] == [{"session": None, "records": [{"id": "i"}]}]
    assert call("get", "ses_0001", "--format", "raw", "--live").code == 2


def test_get_transcript(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    out = caller(capsys, tmp_path, shelf)("get", "ses_0001", "--with-subagents").out
    assert out.startswith("Fix the login\nmem:ses_0001 · ~ · 2027-01-14 07:00 to 2027-01-14 08:00")
    assert "[synthetic: injected]\nBe brief." in out
    assert "  ⤷ explore Look · ses_0002\n" in out
    assert "inner" in out
    assert "\x1b" not in out


def test_get_within_tokens(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    call = caller(capsys, tmp_path, shelf)
    whole = call("get", "ses_0001").out
    assert call("get", "ses_0001", "--max-tokens", "5000").out == whole
    shelf.stories["ses_0001"] += [Text(text=f"words {n} " * 20) for n in range(100)]
    out = call("get", "ses_0001", "--max-tokens", "300").out
    assert 800 < len(out.encode()) <= 1200
    assert "Hello" in out
    assert "words 99" in out
    assert call("get", "ses_0001", "--max-tokens", "5").code == 2


def test_get_json_within_tokens(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    call = caller(capsys, tmp_path, shelf)
    whole = call("get", "ses_0001", "--json").json
    assert call("get", "ses_0001", "--max-tokens", "5000", "--json").json == {
        **whole, "left_out": None
    }  # fmt: skip
    shelf.stories["ses_0001"] += [Text(text=f"words {n} " * 20) for n in range(100)]
    for number in range(10):
        shelf.add(f"kid_{number}", "A kid", parent="ses_0001")
    done = call("get", "ses_0001", "--max-tokens", "900", "--json")
    assert 2700 < len(done.out.encode()) <= 3600
    assert done.json["events"][1]["text"] == "Hello"
    assert done.json["events"][-1]["seq"] == 103
    assert sum(e.get("events", 1) for e in done.json["events"]) == 104
    kept = len(done.json["subagents"])
    assert 0 < kept < 11
    assert done.json["left_out"] == {"subagents": 11 - kept}
    lines = call("get", "ses_0001", "--max-tokens", "900", "--format", "jsonl").lines
    kinds = [line["type"] for line in lines]
    assert kinds[0] == "session"
    assert kinds[-2:] == ["left_out", "problem"]
    assert "left_out" in kinds[1:-2]
    for wrong in (("--raw", "--json"), ("--format", "raw"), ("--with-subagents", "--json")):
        assert call("get", "ses_0001", "--max-tokens", "900", *wrong).code == 2


def test_a_title_may_be_longer_than_a_path(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    for words in (("get",), ("resume",), ("convert", "--to", "markdown")):
        done = caller(capsys, tmp_path, shelf)(*words, "no such title " * 400)
        assert (done.code, "no session has an id" in done.err) == (3, True)


def test_get_by_path(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    call = caller(capsys, tmp_path, shelf)
    done = call("get", str(shelf.path))
    assert done.code == 4
    assert "mem:ses_0003 Other thing" in done.err
    shelf.sessions.pop()
    assert call("get", str(shelf.path), "--query", "session.id").json == "ses_0001"
    assert call("get", "./shelf", "--query", "session.id").json == "ses_0001"
    assert call("get", "shelf", "--query", "session.id").json == "ses_0001"


def test_a_story_that_breaks_off_is_told(
    capsys: Capture, tmp_path: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = caller(capsys, tmp_path, shelf)
    adapter = call.setting.registry.adapter("memory")
    whole = adapter.events

    def breaking(ref: object) -> object:
        yield from list(whole(ref))[:2]  # type: ignore[arg-type]
        raise unreadable(shelf.path)

    monkeypatch.setattr(adapter, "events", breaking)
    done = call("get", "ses_0001", "--json")
    assert done.code == 9
    assert len(done.json["events"]) == 2
    assert [p["kind"] for p in done.json["problems"]] == ["locked"]

    def broken(ref: object) -> object:
        raise unreadable(shelf.path)
        yield

    monkeypatch.setattr(adapter, "events", broken)
    done = call("get", "ses_0001", "--json")
    assert (done.code, list(done.json)) == (5, ["error"])
    assert call("get", "ses_0001").out == ""


# -- failure -----------------------------------------------------------------------------


def test_a_failing_store_is_told_and_the_rest_is_shown(
    capsys: Capture, tmp_path: Path, shelf: Shelf
) -> None:
    bad = Shelf(tmp_path / "bad", error=unreadable(tmp_path / "bad"))
    call = caller(capsys, tmp_path, shelf, bad)
    done = call("find")
    assert done.code == 9
    assert done.err == f"finder: {bad.path}: is locked\n"
    assert "ses_0001" in done.out
    value = call("find", "--json").json
    assert [p["path"] for p in value["problems"]] == [str(bad.path)]
    assert [s["failed"] for s in value["searched"]] == [False, True]
    assert call("get", "ses_0001").code == 9
    assert call("stores").code == 9


def test_an_empty_answer_says_which_stores_failed(
    capsys: Capture, tmp_path: Path, shelf: Shelf
) -> None:
    bad = [Shelf(tmp_path / f"bad{n}", error=unreadable(tmp_path / f"bad{n}")) for n in range(9)]
    done = caller(capsys, tmp_path, shelf, *bad)("find", "zzyzx")
    assert done.code == 9
    assert f"Searched mem: {bad[0].path}, not readable\n" in done.err
    assert "Searched 2 more stores, 0 sessions, 2 of them not readable;" in done.err
    assert "\nNo session matches in what could be read.\n" in done.err


def test_a_failing_store_alone_is_an_error(capsys: Capture, tmp_path: Path) -> None:
    bad = Shelf(tmp_path / "bad", error=unreadable(tmp_path / "bad"))
    call = caller(capsys, tmp_path, bad)
    for args in (("find",), ("find", "word"), ("get", "ses_1"), ("stores",), ("resume", "x")):
        done = call(*args)
        assert done.code == 5, args
        assert f"{bad.path}: is locked" in done.err
    value = call("find", "--json").json
    assert value["error"]["kind"] == "unreadable"
    assert value["sessions"] == []
    assert value["problems"]


@pytest.mark.parametrize(
    ("args", "code", "kind"),
    [
        (("get", "ses_9999"), 3, "not-found"),
        (("get", "ses_0"), 4, "ambiguous"),
        (("get",), 2, "usage"),
        (("find", "--limit", "-1"), 2, "usage"),
        (("find", "--since", "yesteryear"), 2, "usage"),
        (("find", "--since", "9999999999999y"), 2, "usage"),
        (("find", "--tool", "none"), 2, "usage"),
        (("find", "--root", "missing"), 3, "not-found"),
        (("find", "--query", "sessions[0"), 2, "usage"),
        (("find", "--query", "nothing(@)"), 2, "usage"),
        (("find", "--query", "length(`1`)"), 2, "usage"),
        (("find", "--query", ""), 2, "usage"),
        (("find", "--format", "ids", "--query", "@"), 2, "usage"),
        (("get", "ses_0001", "--no-subagents", "--with-subagents"), 2, "usage"),
        (("nothing",), 2, "usage"),
        (("--nothing",), 2, "usage"),
    ],
)
def test_errors(
    capsys: Capture, tmp_path: Path, shelf: Shelf, args: tuple[str, ...], code: int, kind: str
) -> None:
    call = caller(capsys, tmp_path, shelf)
    done = call(*args)
    assert done.code == code
    assert done.err.startswith("finder: ")
    assert "Traceback" not in done.err
    if "--query" not in args:
        assert done.out == ""
    done = call(*args, *([] if "--format" in args else ["--json"]))
    assert done.code == code
    assert list(done.json) == ["error"]
    assert list(done.json["error"]) == ["kind", "message", "hint", "candidates"]
    assert done.json["error"]["kind"] == kind


def test_a_broken_query_says_where(capsys: Capture, tmp_path: Path) -> None:
    done = caller(capsys, tmp_path)("find", "--query", "sessions[?a==]")
    assert "at column 14" in done.err
    assert "  sessions[?a==]\n               ^" in done.err


def test_roots_that_hold_nothing(capsys: Capture, tmp_path: Path) -> None:
    import sqlite3
    from contextlib import closing

    (tmp_path / "empty.json").write_bytes(b"")
    (tmp_path / "cut.json").write_bytes(b'{"a": ')
    (tmp_path / "list.json").write_bytes(b"[1]")
    (tmp_path / "text.txt").write_bytes(b"hello")
    (tmp_path / "folder").mkdir()
    with closing(sqlite3.connect(tmp_path / "other.db")) as database:
        database.execute("CREATE TABLE recipes (a)")
        database.commit()
    call = caller(capsys, tmp_path)
    said = {
        name: (call("find", "--root", name).code, call("find", "--root", name).err)
        for name in ("empty.json", "cut.json", "list.json", "text.txt", "folder", "other.db")
    }
    assert {name: code for name, (code, _) in said.items()} == {
        "empty.json": 5, "cut.json": 5, "list.json": 3, "text.txt": 3, "folder": 3, "other.db": 5,
    }  # fmt: skip
    assert all(str(tmp_path / name) in err for name, (_, err) in said.items())
    assert "recipes" in said["other.db"][1]


def test_a_bug_is_called_one(
    capsys: Capture, tmp_path: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = caller(capsys, tmp_path, shelf)

    def broken(ref: object) -> object:
        raise KeyError("oops")

    monkeypatch.setattr(call.setting.registry.adapter("memory"), "events", broken)
    done = call("get", "ses_0001", "--json")
    assert (done.code, done.json["error"]["kind"]) == (70, "bug")
    assert "Traceback" not in done.err
    monkeypatch.setenv("FINDER_DEBUG", "1")
    assert "Traceback" in call("get", "ses_0001").err


def test_nothing_live_reaches_the_terminal(capsys: Capture, tmp_path: Path) -> None:
    path = tmp_path / f"shelf{EVIL}"
    path.mkdir()
    shelf = Shelf(path, problems=[Problem(kind="corrupt", path=EVIL, message=EVIL, record=EVIL)])
    for number in (1, 2):
        shelf.add(f"ses_{number}{EVIL}", EVIL, directory=EVIL, agent=EVIL, model=EVIL)
    shelf.stories[f"ses_1{EVIL}"] = [Text(text=EVIL), ToolCall(call="1", name=EVIL, input=EVIL)]
    for columns in (None, 80):
        call = caller(capsys, tmp_path, shelf, columns=columns, env={"NO_COLOR": "1"})
        for args in (
            ("find",), ("find", "--format", "ids"), ("find", "zzz"), ("get", "ses_1"),
            ("get", "ses_"), ("get", "ses_9"), ("get", str(path)), ("stores",),
            ("find", "--root", EVIL), ("resume", "ses_1", "--print"), ("--" + EVIL,),
        ):  # fmt: skip
            done = call(*args)
            live = set("\x1b\x07\u202e") & set(done.out + done.err)
            assert not live, (args, done)


# -- the other commands ------------------------------------------------------------------


def test_resume_says_what_it_would_run(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    call = caller(capsys, shelf.path.parent, shelf)
    assert call("resume", "ses_0003", "--print").out == "cd /else/where && mem --go ses_0003\n"
    assert call("resume", "--json").json == {
        "argv": ["mem", "--go", "ses_0001"],
        "cwd": str(shelf.path.parent),
    }
    done = call("resume", "ses_0001")
    assert done.code == 1
    assert "mem is not installed" in done.err
    assert "mem --go ses_0001" in done.err


def test_resume_refuses_what_the_tool_would_not_find(capsys: Capture, tmp_path: Path) -> None:
    new = Shelf(tmp_path / "new")
    old = Shelf(tmp_path / "old", superseded_by=(new.path,))
    old.add("left")
    done = caller(capsys, tmp_path, old, new)("resume", "left", "--print")
    assert done.code == 1
    assert "does not look any more" in done.err
    assert caller(capsys, tmp_path)("resume").code == 3


@pytest.mark.skipif(os.name == "nt", reason="the program is a shell script")
def test_resume_runs_the_tool_in_its_folder(tmp_path: Path) -> None:
    program = tmp_path / "mem"
    program.write_text('#!/bin/sh\necho "$PWD $*"\n')
    program.chmod(0o755)
    folder = tmp_path / "a folder"
    folder.mkdir()
    code = """if True:
        import sys
        from pathlib import Path
        from finder.cli import run
        from finder.cli.setting import Setting
        from finder.places import Places
        from finder.registry import Registry
        from tests.memory import Memory, Shelf
        shelf = Shelf(Path("/shelf"))
        shelf.add("it's", directory=sys.argv[1])
        here = Places.here()
        run(["resume", "it's"], Setting(places=here, registry=Registry.of(Memory(shelf)), now=0))
    """
    env = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    env["PYTHONPATH"] = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{folder} --go it's\n"


def test_stores_count_what_is_nowhere_else(capsys: Capture, tmp_path: Path) -> None:
    one, two = Shelf(tmp_path / "one"), Shelf(tmp_path / "two", rank=1, kind="files")
    one.add("both")
    two.add("both")
    two.add("only")
    two.add("child", parent="only")
    call = caller(capsys, tmp_path, one, two)
    found = call("stores", "--json").json["stores"]
    assert [(s["sessions"], s["subagents"], s["only_here"]) for s in found] == [
        (1, 0, 0),
        (3, 1, 2),
    ]
    assert call("stores", "--format", "jsonl").lines == found
    assert call("stores").out.splitlines()[1].split() == [
        "mem", "database", "1", "1", "0", "0", "~/one"
    ]  # fmt: skip


def test_formats(capsys: Capture, tmp_path: Path) -> None:
    call = caller(capsys, tmp_path)
    value = call("formats", "--json").json["formats"]
    assert [f["adapter"] for f in value] == ["memory"]
    assert value[0]["can"]["subagents"] is True
    assert call("formats").out.splitlines()[1].startswith("memory   mem   Sessions in memory")
    assert call("formats", "--query", "formats[?can.resume].tool").json == ["mem"]


def test_finder_alone(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    done = caller(capsys, shelf.path.parent, shelf)()
    assert done.code == 0
    assert done.out.startswith("Usage: finder")
    done = caller(capsys, shelf.path.parent, shelf, columns=100)()
    assert "ses_0001" in done.out
    assert "ses_0003" not in done.out
    assert done.out.splitlines()[-1].startswith("1 of ~; searched mem (1 store). More: finder find")
    done = caller(capsys, tmp_path / "elsewhere", shelf, columns=100)()
    assert done.out.startswith("No session of ")
    done = caller(capsys, tmp_path, columns=100)()
    assert "No session store was found" in done.out


def test_finder_alone_says_what_it_could_not_read(
    capsys: Capture, tmp_path: Path, shelf: Shelf
) -> None:
    broken = Shelf(tmp_path / "broken")
    broken.error = unreadable(broken.path)
    done = caller(capsys, shelf.path.parent, shelf, broken, columns=200)()
    assert done.code == ExitCode.PARTIAL
    assert "searched mem (1 store); 1 store could not be read." in done.out
    done = caller(capsys, tmp_path, broken, columns=200)()
    assert done.code == ExitCode.UNREADABLE
    assert done.out.startswith("No session of ~; searched nothing; 1 store could not be read.")
    assert "is locked" in done.err


def test_help_has_examples_for_every_command(capsys: Capture, tmp_path: Path) -> None:
    from finder.cli import COMMANDS

    call = caller(capsys, tmp_path)
    for command, summary in COMMANDS.items():
        done = call(command, "--help")
        assert done.code == 0
        assert done.out.count(f"  finder {command}") >= 2, command
        assert summary.rstrip(".").split()[0] in done.out, "the table and the command agree"


@pytest.mark.parametrize("format_", ["json", "jsonl", "ids"])
def test_a_store_that_fails_while_its_sessions_are_listed_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, format_: str
) -> None:
    shelf = Shelf(tmp_path / "shelf")
    for number in range(1200):
        shelf.add(f"s{number:04}", updated=number)

    class Locked(Memory):
        def sessions(self, store: Store, want: Want | None = None) -> Iterator[Session | Problem]:
            if len(shelf.asked) == 2:  # the first were all, the second a chunk of them
                raise unreadable(shelf.path)
            yield from super().sessions(store, want)

    finder = caller(capsys, tmp_path, registry=Registry.of(Locked(shelf)))
    done = finder("find", "--limit", "0", "--format", format_)
    assert done.code == 9
    assert done.err.count("is locked") == 1
    listed = done.json["sessions"] if format_ == "json" else done.out.splitlines()
    assert len(listed) == 500
    if format_ == "json":
        assert [problem["kind"] for problem in done.json["problems"]] == ["locked"]
        assert done.json["searched"][0]["failed"]


# -- as a process ------------------------------------------------------------------------


def process(*args: str, **options: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "finder", *args]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload, no-any-return]


def test_a_closed_pipe_ends_quietly() -> None:
    for args in (("--help",), ("find", "--help"), ("formats", "--json"), ("formats",)):
        child = process(*args)
        assert child.stdout and child.stderr
        child.stdout.close()
        assert child.wait(30) == 0, args
        assert child.stderr.read() == b"", args
        child.stderr.close()


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
@pytest.mark.parametrize("format_", ["json", "jsonl", "ids", "table", "fzf"])
def test_a_reader_that_has_enough_ends_a_long_listing_quietly(tmp_path: Path, format_: str) -> None:
    # More than a pipe holds, so that there is still something to be written when it closes.
    make_database(tmp_path, Shape(sessions=3000, text=100_000))
    command = f"'{sys.executable}' -m finder find --subagents --limit 0 --format {format_}"
    shell = f"set -o pipefail; {command} | head -c 100 | wc -c"
    env = {**os.environ, "HOME": str(tmp_path), "FINDER_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(["bash", "-c", shell], env=env, capture_output=True, check=False)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [b"100"], b"")


def in_shell(tmp_path: Path, redirected: str, *args: str) -> tuple[int, str]:
    """Run on sessions, with stdout or stderr sent elsewhere; the status and what stderr said."""
    home = Path(__file__).parents[1] / "fixtures" / "opencode-db" / "1.18.33"
    call = shlex.join([sys.executable, "-m", "finder", "find", "--root", str(home), *args])
    env = {**os.environ, "HOME": str(tmp_path), "FINDER_CACHE_DIR": str(tmp_path / "cache")}
    shell = ["sh", "-c", f"{call} {redirected}"]
    done = subprocess.run(shell, env=env, capture_output=True, check=False, text=True)
    return done.returncode, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("args", [[], ["--json"], ["--format", "jsonl"], ["--text", "the"]])
def test_a_full_disk_is_told(tmp_path: Path, args: list[str]) -> None:
    told = "finder: the answer cannot be written: No space left on device\n"
    assert in_shell(tmp_path, ">/dev/full", *args) == (ExitCode.NOT_WRITTEN, told)
    assert in_shell(tmp_path, ">/dev/full 2>&1", *args) == (ExitCode.NOT_WRITTEN, "")
    assert in_shell(tmp_path, "2>/dev/full", "nothinghere") == (ExitCode.NOT_WRITTEN, "")


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
@pytest.mark.parametrize("args", [[], ["--json"], ["nothinghere", "--format", "jsonl"]])
def test_a_stream_that_was_closed_is_not_written_to(tmp_path: Path, args: list[str]) -> None:
    assert in_shell(tmp_path, ">&-", *args)[0] == ExitCode.DONE
    assert in_shell(tmp_path, "2>&-", *args) == (ExitCode.DONE, "")
    assert in_shell(tmp_path, ">&- 2>&-", *args) == (ExitCode.DONE, "")


@pytest.mark.skipif(os.name == "nt", reason="signals differ there")
def test_an_interrupt_ends_with_130(tmp_path: Path) -> None:
    # A shell that starts us in the background has the signal ignored by all its children.
    code = """if True:
        import signal
        import time
        signal.signal(signal.SIGINT, signal.default_int_handler)
        import finder.find
        finder.find.find = lambda *_: (print("ready", flush=True), time.sleep(60))
        from finder.cli import run
        run(["find"])
    """
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout and child.stderr
    assert child.stdout.readline() == b"ready\n"
    time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == 130
    assert child.stderr.read() == b"interrupted\n"
    child.stdout.close()
    child.stderr.close()


def test_a_terminal_that_knows_no_unicode(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    child = process("find", "--root", "ü\N{SNOWMAN}", env=env, cwd=tmp_path)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 3
    assert b"\\u2603" in err


@pytest.mark.skipif(os.name == "nt", reason="there is no pty")
@pytest.mark.parametrize("columns", [24, 44, 80])
def test_what_is_said_aside_is_broken_between_words(tmp_path: Path, columns: int) -> None:
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {**os.environ, "HOME": str(tmp_path), "FINDER_CACHE_DIR": str(tmp_path / "cache")}
    call = [sys.executable, "-m", "finder", "get", "a word that is no session's id"]
    done = subprocess.run(call, stdout=subprocess.PIPE, stderr=theirs, env=env, check=False)
    said = os.read(ours, 10_000).decode().splitlines()
    assert done.returncode == 3
    assert all(len(one) <= columns for one in said)
    assert said[1].startswith("  ")
    words = " ".join(" ".join(said).split())
    assert 'begins with "a word that is no session\'s id"' in words
    assert "finder stores says where was looked" in words
