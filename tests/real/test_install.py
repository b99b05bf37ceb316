"""Sessions that we put into the real program's database: it lists them and goes on from them.

A session and its copy are continued with the same prompt, and the model must be told the same.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from adapters.opencode.project import project_of
from finder import jsonio

from .api import Api
from .installation import FILES_VERSION, VERSION
from .model_server import JsonObject, ModelServer
from .opencode import MODEL, PROVIDER, OpenCode
from .situations import SITUATIONS, LiveStore

FIXTURES = Path(__file__).parents[2] / "fixtures"
_SECONDS = 120
_DATABASE = Path(".local/share/opencode/opencode.db")
_GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


def convert(program: OpenCode, *arguments: str) -> JsonObject:
    """Sessions converted into the real program's database; the receipt."""
    return finder(program, "convert", *arguments, "--to", "opencode", "--install", "--json")


def finder(program: OpenCode, *arguments: str) -> JsonObject:
    """Our own program, in the environment of the real one; its answer."""
    done = subprocess.run(
        [sys.executable, "-m", "finder", *arguments],
        cwd=program.root,
        env=program.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: JsonObject = jsonio.loads(done.stdout)
    return found


def copies(receipt: JsonObject) -> dict[str, str]:
    """The ids that sessions got, by those that they had."""
    return {account["source"]["id"]: account["id"] for account in receipt["sessions"]}


@dataclass(frozen=True, slots=True)
class Copied:
    """A copy of the live store, with a copy of every session in it."""

    program: OpenCode
    store: LiveStore
    ids: Mapping[str, str]


@pytest.fixture(scope="module")
def copied(live_store: LiveStore, tmp_path_factory: pytest.TempPathFactory) -> Copied:
    root = tmp_path_factory.mktemp("copied")
    shutil.copytree(live_store.home, root / "home", symlinks=True)
    (root / "tmp").mkdir()
    program = replace(live_store.program, root=root)
    tops = [live_store.ids[name] for name in SITUATIONS if name not in _BELOW]
    receipt = convert(program, *tops, "--new-id")
    return Copied(program, live_store, copies(receipt))


_BELOW = {"child", "child with a child", "grandchild", "child without a task"}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_copy_goes_on_as_the_session_itself(situation: str, copied: Copied) -> None:
    model, identifier = copied.store.model, copied.store.ids[situation]
    told = []
    with copied.program.serve() as api:
        for session in (identifier, copied.ids[identifier]):
            before = len(model.requests)
            api.prompt(session, "What now?")
            chats = [r for r in model.requests[before:] if r.purpose == "chat"]
            told.append([request.conversation for request in chats])
    assert told[0] == told[1]
    assert told[0]


def test_copies_are_exported_as_their_originals(
    copied: Copied, exported: Callable[[str], JsonObject]
) -> None:
    """But for the ids: those of sessions, messages and parts."""
    for situation in ("tools that fail", "compacted by overflow", "image", "shell"):
        theirs = exported(situation)["messages"]
        ours = copied.program.export(copied.ids[copied.store.ids[situation]])["messages"]
        assert ours
        # Other tests go on from the copies.
        assert _without_ids(ours[: len(theirs)]) == _without_ids(theirs)


def _without_ids(value: object) -> object:
    if isinstance(value, dict):
        ids = {"id", "sessionID", "messageID", "parentID", "tail_start_id"}
        return {key: _without_ids(inner) for key, inner in value.items() if key not in ids}
    return [_without_ids(inner) for inner in value] if isinstance(value, list) else value


def test_subagents_are_children_of_the_copy(copied: Copied) -> None:
    ids, new = copied.store.ids, copied.ids
    with copied.program.serve() as api:
        below = api.children(new[ids["parent"]])
        assert {new[ids[name]] for name in _BELOW - {"grandchild"}} == {*below}
        assert api.children(new[ids["child with a child"]]) == [new[ids["grandchild"]]]
    listed = {entry["id"] for entry in copied.program.session_list(copied.store.library)}
    assert new[ids["parent"]] in listed
    assert not listed & set(below)
    states = [
        part["state"]
        for message in copied.program.export(new[ids["parent"]])["messages"]
        for part in message["parts"]
        if part["type"] == "tool"
    ]
    started = {state["metadata"]["sessionId"] for state in states}
    assert started == {new[ids["child"]], new[ids["child with a child"]]}


def test_a_running_server_sees_what_is_installed(copied: Copied) -> None:
    with copied.program.serve() as api:
        identifier = copied.store.ids["chat"]
        [new] = copies(convert(copied.program, identifier, "--new-id")).values()
        assert len(api.messages(new)) == len(api.messages(identifier))


# -- an empty home ----------------------------------------------------------------------------


@pytest.fixture
def fresh(
    installed: Callable[[str], Path], tmp_path: Path
) -> Iterator[tuple[OpenCode, ModelServer]]:
    """The program in a home in which it was started once, in a folder outside of git."""
    with ModelServer() as model:
        program = OpenCode(installed(VERSION), tmp_path)
        program.prepare(model.url + "/v1")
        (tmp_path / "work").mkdir()
        program.session_list(tmp_path / "work")
        yield program, model


@pytest.mark.parametrize("case", ["clacky/v1.5.1", "opta/tui", "opencode-db/1.2.27"])
def test_a_whole_store_is_installed_and_continued(
    case: str, fresh: tuple[OpenCode, ModelServer], tmp_path: Path
) -> None:
    program, model = fresh
    home = shutil.copytree(FIXTURES / case / "store", tmp_path / "other")
    work = tmp_path / "work"
    found = finder(program, "find", "--root", str(home), "--json", "--limit", "0")["sessions"]
    tops = [one["id"] for one in found]
    arguments = ("--root", str(home), "--to-cwd", str(work))
    receipt = convert(program, *dict.fromkeys(tops), *arguments)
    new = copies(receipt)
    listed = {entry["id"] for entry in program.session_list(work)}
    assert {new[one] for one in tops} <= listed
    last = new[tops[0]]
    chosen = ("--model", f"{PROVIDER}/{MODEL}")
    program.run("run", "--session", last, *chosen, "--", "Goon", cwd=work).checked()
    chats = [request for request in model.requests if request.purpose == "chat"]
    assert "Goon" in chats[-1].conversation[-1]["content"]
    assert len(chats[-1].conversation) > 1


def test_sessions_that_the_program_does_not_see_any_more_are_listed_again(
    installed: Callable[[str], Path], tmp_path: Path
) -> None:
    home = Path(shutil.copytree(FIXTURES / "opencode-files/notmigrated/store", tmp_path / "home"))
    with ModelServer() as model:
        program = OpenCode(installed(VERSION), tmp_path)
        config = home / ".config" / "opencode"
        config.mkdir(parents=True)
        (tmp_path / "tmp").mkdir()
        work = tmp_path / "work"
        work.mkdir()
        assert program.session_list(work) == []
        files = sorted((home / ".local/share/opencode/storage/session").rglob("ses_*.json"))
        tops = [f.stem for f in files if "parentID" not in jsonio.read_object(f)]
        convert(program, *tops, "--to-cwd", str(work))
        assert {entry["id"] for entry in program.session_list(work)} == {*tops}
        assert not model.requests


@pytest.mark.parametrize(
    ("case", "label"),
    [
        ("opencode-db/1.18.33", "archived"),
        ("opencode-db/migrated", "unmigrated"),
        ("opencode-files/0.5.29", "trashed"),
    ],
)
def test_what_was_put_away_is_brought_back(
    case: str, label: str, fresh: tuple[OpenCode, ModelServer], tmp_path: Path
) -> None:
    program, model = fresh
    home = shutil.copytree(FIXTURES / case / "store", tmp_path / "other")
    found = finder(program, "find", "--root", str(home), "--json", "--limit", "0")["sessions"]
    put_away = [one["id"] for one in found if label in one["labels"]]
    assert put_away
    work = tmp_path / "work"
    convert(program, *put_away, "--root", str(home), "--to-cwd", str(work))
    assert {entry["id"] for entry in program.session_list(work)} == {*put_away}
    with program.serve() as api:
        for identifier in put_away:
            before = len(model.requests)
            api.prompt(identifier, "Back?")
            [chat] = [r for r in model.requests[before:] if r.purpose == "chat"]
            assert chat.conversation[-1]["content"] == "Back?"
            assert len(chat.conversation) > 2


# -- trees ------------------------------------------------------------------------------------


def made_up_tree(path: Path) -> None:
    """A session of no real tool with a subagent that has one itself, in finder's own form."""
    ref = {"tool": "made-up", "store": "/made/up"}
    lines: list[JsonObject] = [{"schema": "session-finder-events/1"}]
    for number, below in (("1", "2"), ("2", "3"), ("3", None)):
        header: JsonObject = {"id": f"made-{number}", "tool": "made-up", "title": f"No {number}"}
        if number != "1":
            header["parent"] = {**ref, "id": f"made-{int(number) - 1}"}
        common = {"message": f"a{number}", "role": "assistant"}
        story: list[JsonObject] = [
            {"type": "message", "record": f"u{number}", "message": f"u{number}", "role": "user"},
            {"type": "text", "message": f"u{number}", "role": "user", "text": f"Ask {number}."},
            {"type": "message", "record": f"a{number}", **common},
        ]
        if below is not None:
            child = {**ref, "id": f"made-{below}"}
            story += [
                {"type": "tool_call", "call": "c", "name": "delegate", "input": {}, **common},
                {"type": "subagent", "call": "c", "child": child, "status": "ok", **common},
                {"type": "tool_result", "call": "c", "output": f"Said {below}.", **common},
            ]
        story.append({"type": "text", "text": f"Said {number}.", **common})
        lines += [{"session": {**header, "events": len(story)}}, *story]
    path.write_bytes(b"".join(jsonio.dumps(line) + b"\n" for line in lines))


def test_a_tree_of_another_tool_is_installed_with_its_subagents(
    fresh: tuple[OpenCode, ModelServer], tmp_path: Path
) -> None:
    program, model = fresh
    work = tmp_path / "work"
    made_up_tree(tmp_path / "made.jsonl")
    new = copies(convert(program, str(tmp_path / "made.jsonl"), "--to-cwd", str(work)))
    top, middle, leaf = (new[f"made-{number}"] for number in "123")
    assert [entry["id"] for entry in program.session_list(work)] == [top]
    with program.serve() as api:
        assert api.children(top) == [middle]
        assert api.children(middle) == [leaf]
        for above, below in ((top, middle), (middle, leaf)):
            parts = [part for message in api.messages(above) for part in message["parts"]]
            [call] = [part for part in parts if part["type"] == "tool"]
            assert call["tool"] == "task"
            assert call["state"]["metadata"]["sessionId"] == below
        for identifier, number, below in ((top, 1, 2), (middle, 2, 3), (leaf, 3, None)):
            before = len(model.requests)
            api.prompt(identifier, "And now?")
            [chat] = [r for r in model.requests[before:] if r.purpose == "chat"]
            said = [m["content"] for m in chat.conversation if m["role"] != "system"]
            results = [] if below is None else [f"Said {below}."]
            spoken = [text for text in said if text]
            assert spoken == [f"Ask {number}.", *results, f"Said {number}.", "And now?"]


def test_a_tree_of_an_older_home_is_installed_with_its_subagents(
    fresh: tuple[OpenCode, ModelServer], tmp_path: Path
) -> None:
    program, _ = fresh
    home = shutil.copytree(FIXTURES / "opencode-files/1.1.65/store", tmp_path / "other")
    found = finder(program, "find", "--root", str(home), "--json", "--limit", "0")["sessions"]
    parents = [one["id"] for one in found if one["subagent_count"]]
    work = tmp_path / "work"
    receipt = convert(program, *parents, "--root", str(home), "--to-cwd", str(work))
    counts = {one["id"]: one["subagent_count"] for one in found}
    assert len(receipt["sessions"]) == len(parents) + sum(counts[one] for one in parents)
    with program.serve() as api:
        for parent in parents:
            assert descendants(api, parent) == counts[parent]
    assert {entry["id"] for entry in program.session_list(work)} == {*parents}


def descendants(api: Api, identifier: str) -> int:
    return sum(1 + descendants(api, child) for child in api.children(identifier))


# -- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["repository", "outside"])
def test_files_are_listed_and_continued_by_the_version_that_keeps_them(
    place: str, installed: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tmp_path / place
    if place == "repository":
        _repository(folder, None)
    else:
        folder.mkdir()
    made_up_tree(tmp_path / "made.jsonl")
    with ModelServer() as model:
        program = OpenCode(installed(FILES_VERSION), tmp_path)
        program.prepare(model.url + "/v1")
        (program.home / ".cache/opencode/version").write_text("21")  # else the cache is emptied
        words = (str(tmp_path / "made.jsonl"), "--to-cwd", str(folder))
        receipt = finder(
            program, "convert", *words, "--to", "opencode-files", "--install", "--json"
        )
        new = copies(receipt)
        assert [entry["id"] for entry in program.session_list(folder)] == [new["made-1"]]
        chosen = ("--model", f"{PROVIDER}/{MODEL}")
        program.run("run", "--session", new["made-1"], *chosen, "--", "Goon", cwd=folder).checked()
        chat = [request for request in model.requests if request.purpose == "chat"][-1]
        said = [m["content"].strip() for m in chat.conversation if m["role"] != "system"]
        assert [text for text in said if text] == ["Ask 1.", "Said 2.", "Said 1.", "Goon"]


# -- projects ---------------------------------------------------------------------------------

REMOTES = {
    "none": None,
    "https": "https://GitHub.com/Some/Repo.git",
    "short": "git@github.com:some/repo.git",
    "port": "ssh://git@host.example:2222/a/b/",
    "secret": "https://user:token@example.com/x/y.git",
    "file": "file:///somewhere/y.git",
    "relative": "../other",
    "host without user": "example.com:x/y",
}


def _git(folder: Path, *arguments: str) -> None:
    author = ("-c", "user.name=a", "-c", "user.email=a@example.invalid")
    subprocess.run(
        ["git", *author, *arguments], cwd=folder, env={**os.environ, **_GIT}, check=True, timeout=30
    )


def _repository(folder: Path, remote: str | None, *, commit: bool = True) -> Path:
    folder.mkdir()
    _git(folder, "init", "--quiet")
    if commit:
        _git(folder, "commit", "--quiet", "--allow-empty", "--message", folder.name)
    if remote:
        _git(folder, "remote", "add", "origin", remote)
    return folder


def test_projects_are_those_that_the_program_makes(
    fresh: tuple[OpenCode, ModelServer], tmp_path: Path
) -> None:
    program, _ = fresh
    for name, remote in REMOTES.items():
        folder = _repository(tmp_path / name.replace(" ", "-"), remote)
        ours = project_of(str(folder), by_remote=True)  # before the program has been there
        below = folder / "below"
        below.mkdir()
        assert project_of(str(below), by_remote=True) == ours
        program.session_list(folder)
        with closing(sqlite3.connect(program.home / _DATABASE)) as database:
            query = "SELECT id, worktree, vcs FROM project WHERE worktree = ?"
            [row] = database.execute(query, (str(folder),)).fetchall()
        assert (ours.id, ours.worktree, ours.vcs) == row, name
        assert project_of(str(folder), by_remote=True) == ours


@pytest.mark.parametrize("kind", ["repository", "below", "worktree", "no commit", "outside"])
def test_what_is_installed_is_listed_where_it_belongs(
    kind: str, fresh: tuple[OpenCode, ModelServer], tmp_path: Path
) -> None:
    """Before the program has ever been started in that folder."""
    program, _ = fresh
    if kind == "outside":
        folder = tmp_path / "outside"
        folder.mkdir()
    else:
        folder = _repository(tmp_path / "project", None, commit=kind != "no commit")
    if kind == "below":
        folder = folder / "deep" / "down"
        folder.mkdir(parents=True)
    if kind == "worktree":
        _git(folder, "worktree", "add", "--quiet", str(tmp_path / "linked"))
        folder = tmp_path / "linked"
    export = next((FIXTURES / "opencode-export/1.18.33/store/exports").glob("*QQWaqP5R.json"))
    copy = Path(shutil.copy(export, tmp_path / "export.json"))
    [new] = copies(convert(program, str(copy), "--to-cwd", str(folder))).values()
    [entry] = [e for e in program.session_list(folder) if e["id"] == new]
    assert entry["directory"] == str(folder)
