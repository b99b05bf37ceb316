"""Converting, from the command line to the files: what appears, what does not, what is said."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from adapters.events import Events
from finder import delivery, jsonio
from finder.adapter import Adapter
from finder.convert import tried
from finder.errors import ExitCode
from finder.model import (
    Compaction,
    Event,
    Message,
    Opaque,
    Reasoning,
    Ref,
    Session,
    Subagent,
    Text,
    ToolCall,
    ToolResult,
    Usage,
)
from finder.places import Places
from finder.publish import Placed
from finder.registry import Registry
from finder.writing import Installation
from tests.calling import Caller, caller
from tests.memory import Memory, Shelf
from tests.plain import Plain, Shelved

Calling = Callable[..., Caller]
FIXTURES = Path(__file__).parents[2] / "fixtures"


def story(name: str, shelf: Path) -> list[Event]:
    child = Ref("mem", str(shelf), "ses_child")
    return [
        Message(record="m1", message="m1", role="user", at=1000, raw={"n": 1}),
        Text(record="p1", text=f"hello {name}", message="m1"),
        Message(record="m2", message="m2", role="assistant", at=2000, usage=Usage(input=3)),
        Reasoning(record="p2", text="hm", message="m2", raw={"n": 2**70}),
        ToolCall(record="p3", call="c1", name="task", input={"a": [1, None]}, message="m2"),
        Subagent(record="p3", call="c1", child=child, message="m2"),
        ToolResult(record="p3", call="c1", output="\ud800 ok", message="m2", role="tool"),
        Opaque(record="p4", kind="snapshot", raw={"deep": [[[]]]}, message="m2"),
        Compaction(record="p5", auto=True),
        Text(record="p6", text="bye", message="m2", labels=("synthetic",), role="assistant"),
    ]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path, shelf_path: Path) -> Calling:
    """Makes a caller in ``tmp_path/home``, over two sessions in memory, one with a child."""
    home = tmp_path / "home"
    home.mkdir()
    shelf = Shelf(shelf_path)
    for name in ("ses_one", "ses_two"):
        shelf.add(name, title=f"Title of {name}", directory="/nowhere", created=5, raw={"s": name})
        shelf.stories[name] = story(name, shelf_path)
    shelf.add("ses_child", title="child", parent="ses_one", raw={"s": "child"})
    shelf.stories["ses_child"] = [
        Message(record="k1", message="k1", role="user"),
        Text(record="k2", text="of the child", message="k1"),
    ]

    def make(target: Adapter | None = None) -> Caller:
        registry = Registry.of(Memory(shelf), target or Plain(), Events())
        return caller(capsys, home, registry=registry)

    return make


def below(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def home_of(call: Caller) -> Path:
    return call.setting.places.home


# -- what is written -------------------------------------------------------------------------


def test_a_session_with_its_subagents_goes_into_a_folder_of_its_own(call: Calling) -> None:
    finder = call()
    done = finder("convert", "ses_one", "--to", "plain")
    assert done.code == 0, done.err
    home = home_of(finder)
    top, child = (
        Plain().target_id(Session(ref=Ref("mem", "", name))) for name in ("ses_one", "ses_child")
    )
    assert below(home) == sorted(f"ses_one-plain/plain/{x}.json" for x in (top, child))
    written = jsonio.read(home / f"ses_one-plain/plain/{child}.json")
    assert written["parent"] == top
    assert written["said"] == [["user", "of the child"]]
    assert "mem:ses_one with 1 subagent, 12 events, to plain" in done.out
    place = "plain has no place for it"
    assert f"  dropped      4 × reasoning, subagent, opaque, compaction: {place}\n" in done.out
    assert f"  dropped      2 × session created, message at: {place}\n" in done.out
    assert "  lowered      1 × text labels.synthetic: plain has no labels\n" in done.out


def test_without_subagents_there_are_none(call: Calling) -> None:
    finder = call()
    assert finder("convert", "ses_one", "--to", "plain", "--no-subagents").code == 0
    assert len(below(home_of(finder))) == 1


def test_one_file_may_have_any_name_and_several_go_into_a_folder(call: Calling) -> None:
    finder = call()
    home = home_of(finder)
    assert finder("convert", "ses_two", "--to", "plain", "--out", "here.json").code == 0
    assert below(home) == ["here.json"]
    assert finder("convert", "ses_one", "ses_two", "--to", "events", "--out", "all").code == 0
    assert below(home / "all") == ["ses_one.jsonl", "ses_two.jsonl"]


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_call_that_is_ended_leaves_nothing(
    call: Calling, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    finder, number = call(), getattr(signal, name)
    there: list[Path] = []
    remove = shutil.rmtree

    def ended(files: Sequence[Placed], **_: object) -> None:
        there.extend(file.source for file in files)
        os.kill(os.getpid(), number)

    def ended_again(*args: Any, **rest: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        remove(*args, **rest)

    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        patch.setattr("finder.delivery.publish", ended)
        patch.setattr(shutil, "rmtree", ended_again)
        assert finder("convert", "ses_two", "--to", "plain").code == ExitCode.INTERRUPTED
    assert [path.parents[2].exists() for path in there] == [False]
    assert list(home_of(finder).iterdir()) == []
    assert signal.getsignal(number) is before


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such signals")
def test_a_signal_that_is_ignored_stays_ignored(
    call: Calling, monkeypatch: pytest.MonkeyPatch
) -> None:
    finder = call()
    publish = delivery.publish

    def hung_up(*args: Any, **rest: Any) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        publish(*args, **rest)

    monkeypatch.setattr("finder.delivery.publish", hung_up)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert finder("convert", "ses_two", "--to", "plain").code == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("ending", ["", ".json"])
def test_a_name_that_no_file_can_have_is_refused(call: Calling, ending: str) -> None:
    finder = call()
    done = finder("convert", "ses_two", "--to", "plain", "--out", "x" * 300 + ending)
    assert done.code == ExitCode.NOT_WRITTEN
    assert "too long" in done.err
    assert below(home_of(finder)) == []


@pytest.mark.parametrize("target", ["plain", "events", "html"])
def test_a_full_folder_for_temporary_files_is_said(
    call: Calling, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    whole = Path.open

    def full(path: Path, mode: str = "r", *args: Any, **rest: Any) -> Any:
        if mode[0] in "aw":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return whole(path, mode, *args, **rest)

    monkeypatch.setattr(Path, "open", full)
    finder = call()
    done = finder("convert", "ses_two", "--to", target)
    assert done.code == ExitCode.NOT_WRITTEN
    assert "No space left on device; nothing was written" in done.err
    assert "TMPDIR" in done.err
    assert below(home_of(finder)) == []


def test_one_document_goes_to_stdout_alone(call: Calling) -> None:
    finder = call()
    done = finder("convert", "ses_two", "--to", "plain", "--out", "-")
    assert done.code == 0
    assert done.json["title"] == "Title of ses_two"
    assert "to plain" in done.err
    assert below(home_of(finder)) == []
    several = finder("convert", "ses_one", "--to", "plain", "--out", "-")
    assert several.code == ExitCode.USAGE
    assert several.out == ""


def test_the_same_session_always_gets_the_same_id_and_a_copy_another(call: Calling) -> None:
    finder = call()
    ids = set()
    for number, more in enumerate([(), (), ("--new-id",)]):
        words = ("convert", "ses_two", "--to", "plain", "--out", f"{number}.json", *more)
        assert finder(*words).code == 0
        ids.add(jsonio.read(home_of(finder) / f"{number}.json")["id"])
    assert len(ids) == 2


def test_another_working_directory_is_no_loss(call: Calling, tmp_path: Path) -> None:
    finder = call()
    done = finder("convert", "ses_two", "--to", "plain", "--to-cwd", str(tmp_path), "--json")
    (session,) = done.json["sessions"]
    assert session["directory"] == str(tmp_path)
    assert "directory" not in {loss["field"] for loss in session["losses"]}
    assert done.json["notes"] == []


def test_a_working_directory_that_is_not_here_is_said(call: Calling) -> None:
    done = call()("convert", "ses_two", "--to", "plain", "--json")
    assert done.json["notes"] == [
        "the working directory /nowhere does not exist here; --to-cwd sets another"
    ]
    assert "/nowhere does not exist here" in done.err


def test_what_is_said_besides_is_harmless_on_a_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, shelf_path: Path
) -> None:
    shelf = Shelf(shelf_path)
    shelf.add("ses", directory="/x\x1b]0;owned\x07")
    registry = Registry.of(Memory(shelf), Plain(), Events())
    call = caller(capsys, tmp_path, registry=registry)
    done = call("convert", "ses", "--to", "plain", "--dry-run")
    assert "does not exist here" in done.err
    assert "\x1b" not in done.err


# -- what is not written ---------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["forgets", "escapes", "hides"])
def test_a_wrong_adapter_is_found_out_and_nothing_appears(
    call: Calling, wrong: str, tmp_path: Path
) -> None:
    finder = call(Plain(wrong))
    before = below(tmp_path)
    for where in ((), ("--install",), ("--out", "x.json"), ("--dry-run",)):
        done = finder("convert", "ses_two", "--to", "plain", *where)
        assert done.code == ExitCode.BUG
        assert below(tmp_path) == before
    if wrong == "forgets":
        assert "dropped text at event 9" in done.err


def test_strict_refuses_what_would_be_lost(call: Calling) -> None:
    finder = call()
    done = finder("convert", "ses_two", "--to", "plain", "--strict")
    assert done.code == ExitCode.REFUSED
    assert "dropped" in done.err
    assert below(home_of(finder)) == []
    assert finder("convert", "ses_two", "--to", "events", "--strict").code == 0


def test_a_dry_run_writes_nothing_and_says_what_would_be_lost(call: Calling) -> None:
    finder = call()
    wet = finder("convert", "ses_one", "--to", "plain", "--json", "--out", "x").json
    dry = finder("convert", "ses_one", "--to", "plain", "--json", "--dry-run").json
    assert dry["sessions"] == wet["sessions"]
    assert (dry["written"], wet["written"]) == (False, True)
    assert dry["files"] == []
    assert not (home_of(finder) / "ses_one-plain").exists()


def test_nothing_is_overwritten_unless_it_is_to_be(call: Calling) -> None:
    finder = call()
    words = ("convert", "ses_two", "--to", "plain", "--out", "x.json")
    path = home_of(finder) / "x.json"
    path.write_text("mine")
    done = finder(*words)
    assert done.code == ExitCode.NOT_WRITTEN
    assert path.read_text() == "mine"
    assert "--replace" in done.err
    assert finder(*words, "--replace").code == 0
    assert jsonio.read(path)["title"] == "Title of ses_two"


def test_archives_that_a_session_has_no_more_go_when_it_is_replaced(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    store = Path(shutil.copytree(FIXTURES / "clacky" / "v1.5.1" / "store", tmp_path / "backup"))
    first = next(store.rglob("*-chunk-1.md"))
    record = first.with_name(first.name.replace("-chunk-1.md", ".json"))
    finder = caller(capsys, tmp_path, registry=Registry.installed())
    words = ("convert", str(record), "--to", "clacky", "--out", "x", "--replace", "--json")
    own = [Path(path).name for path in finder(*words).json["files"]]
    folder = home_of(finder) / "x" / "sessions"
    assert first.name in own
    for name in (first.name.replace("chunk-1", "chunk-9"), "another-chunk-1.md"):
        (folder / name).write_bytes(first.read_bytes())
    finder(*words)
    assert sorted(p.name for p in folder.iterdir()) == sorted([*own, "another-chunk-1.md"])


def test_events_that_were_changed_beside_their_records_are_no_bug_of_ours(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """As by somebody who takes a secret out of a text, and overlooks that it stands there twice."""
    shutil.copytree(FIXTURES / "clacky" / "v1.5.1" / "store", tmp_path / "backup")
    record = min((tmp_path / "backup").rglob("sessions/*.json"))
    finder = caller(capsys, tmp_path, registry=Registry.installed())
    assert finder("convert", str(record), "--to", "events", "--out", "x.jsonl").code == 0
    path = home_of(finder) / "x.jsonl"
    lines = [jsonio.loads(line) for line in path.read_bytes().splitlines()]
    next(line for line in lines if line.get("type") == "text")["text"] = "nothing"
    path.write_bytes(b"\n".join(map(jsonio.dumps, lines)))
    words = ("convert", str(path), "--to", "clacky", "--out", "back")
    done = finder(*words)
    assert done.code == ExitCode.UNREADABLE
    assert "say different things" in done.err
    assert "changed text.text at event" in done.err
    assert "del(.raw, .session.raw)" in done.err
    assert not (home_of(finder) / "back").exists()
    for line in lines:
        line.pop("raw", None)
        line.get("session", {}).pop("raw", None)
    path.write_bytes(b"\n".join(map(jsonio.dumps, lines)))
    assert finder(*words).code == 0


def test_of_several_sessions_all_are_written_or_none(call: Calling) -> None:
    finder = call()
    home = home_of(finder)
    (home / "out").mkdir()
    (home / "out" / "ses_two.jsonl").write_text("mine")
    done = finder("convert", "ses_one", "ses_two", "--to", "events", "--out", "out")
    assert done.code == ExitCode.NOT_WRITTEN
    assert below(home) == ["out/ses_two.jsonl"]


@pytest.mark.parametrize(
    "words",
    [
        ("--to", "nonsense"),
        ("--to", "plain", "--install", "--out", "x"),
        ("--to", "plain", "--install", "--sidecar"),
        ("--to", "plain", "--out", "-", "--json"),
        ("--to", "markdown", "--install"),
        ("--to", "events", "--install"),
        (),
    ],
)
def test_calls_that_make_no_sense(call: Calling, words: tuple[str, ...]) -> None:
    finder = call()
    assert finder("convert", "ses_two", *words).code == ExitCode.USAGE
    assert below(home_of(finder)) == []


def test_an_unknown_target_names_the_known_ones(call: Calling) -> None:
    done = call()("convert", "ses_two", "--to", "nonsense", "--json")
    assert done.json["error"]["candidates"] == ["events", "html", "markdown", "plain"]


def test_an_unknown_session_is_not_found(call: Calling) -> None:
    assert call()("convert", "ses_none", "--to", "plain").code == ExitCode.NOT_FOUND


# -- the receipt -----------------------------------------------------------------------------


def test_the_whole_receipt_is_json(call: Calling) -> None:
    finder = call()
    done = finder("convert", "ses_one", "--to", "plain", "--json", "--receipt", "receipt.json")
    value = done.json
    assert jsonio.read(home_of(finder) / "receipt.json") == value
    assert list(value) == [
        "schema", "to", "written", "sessions", "files", "store", "resume", "notes",
    ]  # fmt: skip
    top, child = value["sessions"]
    assert list(top) == [
        "source", "id", "parent_id", "title", "directory", "updated", "events", "measured",
        "records_equal", "losses",
    ]  # fmt: skip
    assert top["source"]["ref"] == "mem:ses_one"
    assert child["parent_id"] == top["id"]
    assert (top["measured"], top["records_equal"]) == (True, None)
    loss = next(loss for loss in top["losses"] if loss["type"] == "reasoning")
    assert loss == {
        "kind": "dropped", "type": "reasoning", "field": None, "count": 1, "first": "p2",
        "note": "plain has no place for it",
    }  # fmt: skip


@pytest.mark.parametrize("columns", [24, 38, 40, 60])
def test_on_a_terminal_the_receipt_is_wrapped(call: Calling, columns: int) -> None:
    finder = call()
    narrow = Caller(finder.setting._replace(terminal=True, columns=columns), finder.capsys)
    words = ("convert", "ses_one", "--to", "plain", "--dry-run")
    whole, wrapped = (one(*words).out.splitlines() for one in (finder, narrow))
    assert max(map(len, whole)) > 60
    assert max(map(len, wrapped[:-1])) <= columns
    assert " ".join(" ".join(wrapped).split()) == " ".join(" ".join(whole).split())
    starts = {line[:19] for line in wrapped[2:-1]}
    beside = columns >= 40
    assert ({"  dropped      1 × ", " " * 19} <= starts) == beside
    assert ("  dropped      1 ×" in wrapped) != beside


def test_a_document_says_that_nothing_was_measured(call: Calling) -> None:
    finder = call()
    done = finder("convert", "ses_one", "--to", "markdown", "--json")
    assert [s["measured"] for s in done.json["sessions"]] == [False, False]
    assert {(x["kind"], x["type"]) for x in done.json["sessions"][0]["losses"]} >= {
        ("lowered", "text"),
        ("dropped", "opaque"),
    }
    assert below(home_of(finder)) == ["ses_one-markdown/ses_one.md"]
    text = (home_of(finder) / "ses_one-markdown/ses_one.md").read_text(encoding="utf-8")
    assert "hello ses_one" in text
    assert "of the child" in text
    assert finder("convert", "ses_two", "--to", "html", "--out", "x.html").code == 0
    assert "hello ses_two" in (home_of(finder) / "x.html").read_text(encoding="utf-8")


def test_a_store_that_fails_makes_it_partial(call: Calling, shelf_path: Path) -> None:
    finder = call()
    (home_of(finder) / "plain").mkdir()
    (home_of(finder) / "plain" / "broken.json").write_text("{")
    done = finder("convert", "ses_two", "--to", "events", "--out", "x.jsonl")
    assert done.code == ExitCode.PARTIAL
    assert "not valid JSON" in done.err


# -- our own form ----------------------------------------------------------------------------


def events_of(adapter: Adapter, path: Path) -> dict[str, tuple[Any, list[Event]]]:
    store = adapter.detect(path)
    assert store is not None
    found = [s for s in adapter.sessions(store) if isinstance(s, Session)]
    return {s.ref.id: (s, list(adapter.events(s.ref))) for s in found}


def test_our_own_form_keeps_everything(call: Calling, shelf_path: Path) -> None:
    finder = call()
    done = finder("convert", "ses_one", "--to", "events", "--json", "--out", "x.jsonl")
    assert [session["losses"] for session in done.json["sessions"]] == [[], []]
    found = events_of(Events(), home_of(finder) / "x.jsonl")
    session, events = found["ses_one"]
    assert session.origin == "mem"
    assert session.raw == {"s": "ses_one"}
    child = found["ses_child"][0].ref
    expected = [
        Subagent(record="p3", call="c1", child=child, message="m2") if e.type == "subagent" else e
        for e in story("ses_one", shelf_path)
    ]
    assert events == expected
    assert found["ses_child"][0].parent == session.ref


def test_converting_it_again_changes_nothing(call: Calling) -> None:
    finder = call()
    assert finder("convert", "ses_one", "--to", "events", "--out", "x.jsonl").code == 0
    done = finder("convert", "x.jsonl", "--to", "events", "--out", "y.jsonl")
    assert "nothing lost: every record is the same" in done.out
    one, other = (events_of(Events(), home_of(finder) / f"{x}.jsonl") for x in "xy")
    assert [s.origin for s, _ in other.values()] == ["mem", "mem"]
    assert [[e.raw for e in events] for _, events in one.values()] == [
        [e.raw for e in events] for _, events in other.values()
    ]


def test_an_id_is_the_same_directly_and_through_our_own_form(call: Calling) -> None:
    finder = call()
    direct = finder("convert", "ses_one", "--to", "plain", "--json", "--out", "a").json
    assert finder("convert", "ses_one", "--to", "events", "--out", "x.jsonl").code == 0
    through = finder("convert", "x.jsonl", "--to", "plain", "--json", "--out", "b").json
    assert [s["id"] for s in through["sessions"]] == [s["id"] for s in direct["sessions"]]
    assert [s["losses"] for s in through["sessions"]] == [s["losses"] for s in direct["sessions"]]


def test_hostile_ids_name_no_other_place(call: Calling, shelf_path: Path, tmp_path: Path) -> None:
    finder = call()
    memory = finder.setting.registry.adapter("memory")
    assert isinstance(memory, Memory)
    shelf = memory.shelves[shelf_path]
    for name in ("../../escape", "/etc/passwd", "CON", "a\x00b\n", "…" * 200, ".hidden", "-rf"):
        shelf.add(name)
        shelf.stories[name] = story(name, shelf_path)
        for target in ("events", "markdown"):
            out = home_of(finder) / "jail"
            where = ("--root", str(shelf_path), "--out", "jail")
            done = finder("convert", f"mem:{name}", "--to", target, *where, "--json")
            assert done.code == 0, done.out
            (file,) = (Path(path) for path in done.json["files"])
            assert file.parent == out
            assert not file.name.startswith((".", "-"))
            assert len(file.name) < 120
    outside = [p for p in below(tmp_path) if not p.startswith("home/jail/")]
    assert outside == []


# -- installing ------------------------------------------------------------------------------


def test_installing_says_how_to_go_on(call: Calling) -> None:
    finder = call()
    done = finder("convert", "ses_one", "--to", "plain", "--install")
    assert done.code == 0, done.err
    home = home_of(finder)
    identifier = Plain().target_id(Session(ref=Ref("mem", "", "ses_one")))
    assert f"cd /nowhere && plain --go {identifier}" in done.out
    assert f"installed in {home}" in done.out
    assert "plain forgets all but its last 2 sessions" in done.err
    found = finder("find", "--tool", "plain", "--format", "ids")
    assert identifier in found.out
    as_json = finder("convert", "ses_two", "--to", "plain", "--install", "--json").json
    assert as_json["resume"] == [
        {"argv": ["plain", "--go", as_json["sessions"][0]["id"]], "cwd": "/nowhere"}
    ]
    assert as_json["store"] == str(home)


@pytest.mark.parametrize(
    ("options", "way_out"),
    [
        (("--install", "--sidecar"), "--to events --out"),
        (("--out", "-", "--sidecar"), "--out FILE"),
        (("--out", "-", "--json"), "--receipt FILE"),
        (("--install", "--out", "x"), "call it twice"),
    ],
)
def test_options_that_exclude_each_other_name_a_way_out(
    call: Calling, options: tuple[str, ...], way_out: str
) -> None:
    done = call()("convert", "ses_two", "--to", "plain", *options)
    assert done.code == ExitCode.USAGE
    assert "exclude each other" in done.err
    assert way_out in done.err


def test_what_is_installed_already_is_replaced_only_when_asked(call: Calling) -> None:
    finder = call()
    words = ("convert", "ses_two", "--to", "plain", "--install")
    assert finder(*words).code == 0
    again = finder(*words)
    assert again.code == ExitCode.NOT_WRITTEN
    assert "has a session" in again.err
    assert "--new-id adds a copy" in again.err
    assert finder(*words, "--replace").code == 0
    assert finder(*words, "--new-id").code == 0
    assert len(below(home_of(finder) / "plain")) == 2


def test_a_session_of_the_tool_itself_is_brought_back_as_it_was(
    call: Calling, tmp_path: Path
) -> None:
    finder = call()
    backup = tmp_path / "backup" / "plain"
    backup.mkdir(parents=True)
    record = {"id": "own", "title": "t", "cwd": None, "parent": None, "trashed": True}
    said = [["user", "a"], ["call", "c", "n", {"x": 1.0}], ["result", "c", "r"]]
    (backup / "own.json").write_bytes(jsonio.dumps({**record, "said": said}))
    done = finder("convert", str(backup / "own.json"), "--to", "plain", "--install", "--json")
    assert done.code == 0, done.err
    (session,) = done.json["sessions"]
    assert session["records_equal"] is True
    assert [(x["kind"], x["field"]) for x in session["losses"]] == [("lowered", "labels.trashed")]
    assert jsonio.read(home_of(finder) / "plain" / "own.json")["said"] == said


def test_what_its_tool_would_not_find_is_taken_back(
    call: Calling, monkeypatch: pytest.MonkeyPatch
) -> None:
    finder = call()
    sessions = Plain.sessions
    staged_only = lambda self, store, want=None: (  # noqa: E731
        iter(()) if store.path.parent == home_of(finder) else sessions(self, store, want)
    )
    monkeypatch.setattr(Plain, "sessions", staged_only)
    done = finder("convert", "ses_two", "--to", "plain", "--install")
    assert done.code == ExitCode.NOT_WRITTEN
    assert "would not find" in done.err
    assert below(home_of(finder)) == []


class Served(Plain):
    """Plain, whose live store is not a matter of placing files."""

    fails = False

    def root(self, places: Places) -> Path | None:
        return None

    def installation(self, places: Places) -> Installation | None:
        return Shelved(self, places.home / "plain", self.fails)


def test_installing_into_a_store_that_is_no_folder_of_files(call: Calling) -> None:
    finder = call(Served())
    done = finder("convert", "ses_one", "--to", "plain", "--install", "--json")
    assert done.code == 0, done.err
    assert len(below(home_of(finder) / "plain")) == 2
    assert done.json["store"] == str(home_of(finder) / "plain")
    (resume,) = done.json["resume"]
    assert resume["argv"][-1] == done.json["sessions"][0]["id"]


def test_a_store_that_fails_is_said(call: Calling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Served, "fails", True)
    done = call(Served())("convert", "ses_one", "--to", "plain", "--install")
    assert done.code == ExitCode.NOT_WRITTEN
    assert "the store is locked" in done.err


def test_a_wrong_encoding_never_comes_near_the_store(call: Calling) -> None:
    finder = call(Served("forgets"))
    assert finder("convert", "ses_one", "--to", "plain", "--install").code == ExitCode.BUG
    assert below(home_of(finder)) == []


# -- the way back ----------------------------------------------------------------------------


def test_the_way_back_with_a_sidecar_is_without_loss(call: Calling) -> None:
    finder = call()
    home = home_of(finder)
    assert finder("convert", "ses_one", "--to", "plain", "--out", "there", "--sidecar").code == 0
    assert [name for name in below(home / "there") if name.endswith(".sidecar")]
    done = finder("convert", "there/plain", "--to", "events", "--out", "back.jsonl")
    assert done.code == 0, done.err
    assert "read from" in done.err
    assert finder("convert", "ses_one", "--to", "events", "--out", "direct.jsonl").code == 0
    back, direct = (events_of(Events(), home / f"{name}.jsonl") for name in ("back", "direct"))
    assert [(s.origin, s.raw) for s, _ in back.values()] == [
        (s.origin, s.raw) for s, _ in direct.values()
    ]
    assert [[e.raw for e in events] for _, events in back.values()] == [
        [e.raw for e in events] for _, events in direct.values()
    ]


def test_one_file_has_its_sidecar_under_its_name(call: Calling) -> None:
    finder = call()
    words = ("--to", "plain", "--out", "plain/one.json", "--sidecar")
    assert finder("convert", "ses_two", *words).code == 0
    assert below(home_of(finder)) == ["plain/one.json", "plain/one.json.sidecar"]
    done = finder("convert", "plain/one.json", "--to", "events", "--out", "x.jsonl")
    assert "read from" in done.err
    assert [
        loss for s in events_of(Events(), home_of(finder) / "x.jsonl").values() for loss in s[1]
    ]


def test_a_document_comes_back_through_its_sidecar(call: Calling) -> None:
    finder = call()
    words = ("--to", "markdown", "--out", "x.md", "--sidecar")
    assert finder("convert", "ses_two", *words).code == 0
    done = finder("convert", "x.md", "--to", "events", "--out", "x.jsonl")
    assert done.code == 0
    assert "read from" in done.err
    (home_of(finder) / "x.md").write_text("edited")
    assert finder("convert", "x.md", "--to", "events", "--out", "y.jsonl").code == 3


def test_a_sidecar_of_what_has_changed_is_not_used(call: Calling) -> None:
    finder = call()
    words = ("--to", "plain", "--out", "plain/one.json", "--sidecar")
    assert finder("convert", "ses_two", *words).code == 0
    path = home_of(finder) / "plain" / "one.json"
    value = jsonio.read(path)
    value["said"].append(["user", "one more thing"])
    path.write_bytes(jsonio.dumps(value))
    done = finder("convert", "plain/one.json", "--to", "events", "--out", "x.jsonl")
    assert "is not used: one.json has changed since" in done.err
    ((_, events),) = events_of(Events(), home_of(finder) / "x.jsonl").values()
    assert events[-1] == Text(text="one more thing", message="4", role="user")


def test_a_sidecar_reads_nothing_elsewhere(call: Calling, tmp_path: Path) -> None:
    finder = call()
    words = ("--to", "plain", "--out", "plain/one.json", "--sidecar")
    assert finder("convert", "ses_two", *words).code == 0
    sidecar = home_of(finder) / "plain" / "one.json.sidecar"
    first, rest = sidecar.read_bytes().split(b"\n", 1)
    head = jsonio.loads(first)
    secret = tmp_path / "secret"
    secret.write_text("x")
    head["target"]["files"]["../../secret"] = (
        "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    )
    sidecar.write_bytes(jsonio.dumps(head) + b"\n" + rest)
    done = finder("convert", "plain/one.json", "--to", "events", "--out", "x.jsonl")
    assert "is not used" in done.err


# -- one session, for adapters' own tests ----------------------------------------------------


def test_trying_an_encoder(shelf_path: Path) -> None:
    session = Session(ref=Ref("mem", str(shelf_path), "ses_one"))
    done = tried(Plain(), session, story("x", shelf_path))
    assert done.unexplained == []
    assert ("reasoning", None) in {(loss.type, loss.field) for loss in done.losses}
    assert done.session.ref.id == done.draft.id
    forgetful = tried(Plain("forgets"), session, story("x", shelf_path))
    assert [str(d) for d in forgetful.unexplained] == ["dropped text at event 9"]
