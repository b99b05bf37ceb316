"""Going on with a session: by its row in a list, in its own tool, in another one."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path

import pytest

from finder.registry import Registry
from tests.calling import NOW, Caller, caller
from tests.memory import Shelf

Capture = pytest.CaptureFixture[str]
FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.fixture
def shelf(shelf_path: Path) -> Shelf:
    shelf = Shelf(shelf_path)
    for number in range(3):
        directory = str(shelf_path.parent)
        shelf.add(f"ses_{number}", f"No {number}", updated=NOW - number, directory=directory)
    return shelf


def at_terminal(capsys: Capture, home: Path, shelf: Shelf, screen: str | None = "tty1") -> Caller:
    return caller(capsys, home, shelf, columns=100, screen=screen)


def test_a_folder_with_a_name_that_no_system_takes_is_not_here(
    capsys: Capture, tmp_path: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "mem"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    shelf.add("long", directory="/" + "x" * 5000)
    done = caller(capsys, tmp_path, shelf)("resume", "long")
    assert (done.code, "does not exist here" in done.err) == (1, True)


def test_an_id_that_a_shell_would_run_is_quoted(
    capsys: Capture, tmp_path: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.add("x; rm -r ~", labels=("unmigrated",))
    done = caller(capsys, tmp_path, shelf)("resume", "x; rm -r ~")
    assert "finder resume 'mem:x; rm -r ~' --in TOOL" in done.err
    program = tmp_path / "mem"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    shelf.add("y; rm -r ~", directory=str(tmp_path / "gone"))
    done = caller(capsys, tmp_path, shelf)("resume", "y; rm -r ~")
    assert "finder resume 'mem:y; rm -r ~' --in mem --to-cwd DIR" in done.err


def test_the_command_has_the_path_as_it_is(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    shelf.add("spaced", directory="/two  spaces")
    done = caller(capsys, tmp_path, shelf)("resume", "spaced", "--print")
    assert done.out == "cd '/two  spaces' && mem --go spaced\n"


# -- by row ------------------------------------------------------------------------------


def test_a_number_is_a_row_of_the_last_list(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    call = at_terminal(capsys, tmp_path, shelf)
    assert call("find", "--sort", "title").out.splitlines()[3].split()[0] == "3"
    assert call("resume", "3", "--json").json["argv"] == ["mem", "--go", "ses_2"]
    assert call("get", "2", "--query", "session.id").json == "ses_1"
    call("find", "--sort", "title", "--until", "2027-01-15T07:59:59.998")
    assert call("resume", "1", "--json").json["argv"] == ["mem", "--go", "ses_2"]
    done = call("resume", "2", "--json")
    assert (done.code, done.json["error"]["kind"]) == (3, "not-found")
    assert done.json["error"]["hint"] == "the last list on this terminal had 1 row"


def test_the_bare_command_shows_such_a_list(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    call = at_terminal(capsys, shelf.path.parent, shelf)
    assert call().out.splitlines()[2].split()[:2] == ["2", "mem"]
    assert call("resume", "2", "--json").json["argv"][-1] == "ses_1"


def test_each_terminal_has_its_own_list(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    at_terminal(capsys, tmp_path, shelf)("find")
    assert at_terminal(capsys, tmp_path, shelf, "tty2")("get", "1").code == 3
    assert caller(capsys, tmp_path, shelf, screen="tty1")("get", "1").code == 0
    assert caller(capsys, tmp_path, shelf)("get", "1").code == 3


def test_what_goes_into_a_pipe_is_no_list(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    call = caller(capsys, tmp_path, shelf, screen="tty1")
    assert call("find").out.startswith("TOOL")
    assert call("resume", "1", "--json").code == 3


def test_a_row_remembers_where_the_list_was_made(
    capsys: Capture, tmp_path: Path, shelf: Shelf
) -> None:
    other = Shelf(tmp_path / "other")
    other.path.mkdir()
    other.add("ses_9", "Elsewhere")
    call = caller(capsys, tmp_path, shelf, other, columns=80, screen="tty1")
    call("find", "--root", "other")
    assert call("get", "1", "--query", "session.id").json == "ses_9"
    assert call("get", "1", "--root", "other", "--query", "session.id").json == "ses_9"
    assert call("get", "1", "--root", str(shelf.path)).code == 3


def test_a_row_that_is_gone_says_what_it_was(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    call = at_terminal(capsys, tmp_path, shelf)
    call("find")
    del shelf.sessions[1]
    done = call("resume", "2")
    assert done.code == 3
    assert "row 2 of the last list was mem:ses_1" in done.err


def rows_files(home: Path) -> list[Path]:
    return list((home / ".cache" / "session-finder" / "rows").iterdir())


@pytest.mark.skipif(os.name == "nt", reason="modes differ there")
def test_the_list_is_its_users_alone(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    at_terminal(capsys, tmp_path, shelf)("find")
    (file,) = rows_files(tmp_path)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    os.utime(file, (0, 0))
    at_terminal(capsys, tmp_path, shelf, "tty2")("find")
    assert file not in rows_files(tmp_path), "old ones go"


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"roots":[],"rows":[[1,2]]}', b'{"roots":[],"rows":[]}']
)
def test_a_damaged_list_was_never_there(
    capsys: Capture, tmp_path: Path, shelf: Shelf, damage: bytes
) -> None:
    call = at_terminal(capsys, tmp_path, shelf)
    call("find")
    (file,) = rows_files(tmp_path)
    file.write_bytes(damage)
    done = call("resume", "1")
    assert (done.code, "no session has an id" in done.err) == (3, True)


@pytest.mark.skipif(os.name == "nt", reason="no FIFOs there")
def test_nothing_in_the_way_of_the_list_matters(
    capsys: Capture, tmp_path: Path, shelf: Shelf
) -> None:
    call = at_terminal(capsys, tmp_path, shelf)
    call("find")
    (file,) = rows_files(tmp_path)
    file.unlink()
    os.mkfifo(file)
    assert call("resume", "1").code == 3
    shutil.rmtree(file.parent)
    file.parent.write_text("a file in the place of the folder")
    assert call("find").code == 0
    assert call("resume", "1").code == 3


# -- in another tool ---------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with OpenCode's newest database, and the fixtures beside it."""
    home = tmp_path / "home"
    shutil.copytree(FIXTURES / "opencode-db" / "1.18.33" / "store", home)
    shutil.copytree(FIXTURES / "opta" / "home" / "store", home / "opta")
    (home / "work").mkdir()
    return home


def sessions_of(call: Caller) -> list[str]:
    return [
        row["id"]
        for row in call("find", "-n", "0", "--json", "--tool", "opencode").json["sessions"]
    ]


SOURCE = ("resume", "--root", "opta", "tb7Af_jcUAul", "--in", "opencode", "--to-cwd", "work")


def test_in_another_tool(capsys: Capture, home: Path) -> None:
    call = caller(capsys, home, registry=Registry.installed())
    before = sessions_of(call)
    done = call(*SOURCE, "--yes", "--json")
    assert done.code == 0, done.err
    assert "opta:tb7Af_jcUAul, " in done.err, "the receipt"
    argv, cwd = done.json["argv"], done.json["cwd"]
    assert argv[:2] == ["opencode", "-s"]
    assert cwd == str(home / "work")
    assert set(sessions_of(call)) - set(before) == {argv[2]}
    again = call(*SOURCE, "--yes", "--json")
    assert again.code == 7
    assert f"finder resume opencode:{argv[2]}" in again.json["error"]["hint"]
    assert call("resume", f"opencode:{argv[2]}", "--json").json == done.json


def test_nothing_is_installed_without_a_yes(
    capsys: Capture, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = caller(capsys, home, registry=Registry.installed())
    before = sessions_of(call)
    done = call(*SOURCE, "--print")
    assert (done.code, "nobody can be asked" in done.err) == (2, True)
    call = caller(capsys, home, registry=Registry.installed(), asks=True)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    done = call(*SOURCE, "--print")
    assert (done.code, done.out) == (1, "")
    assert "Install it in opencode and go on there? [y/N]" in done.err
    assert done.err.endswith("finder: nothing was installed\n")
    assert sessions_of(call) == before
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    done = call(*SOURCE, "--print")
    assert done.out.startswith(f"cd {home / 'work'} && opencode -s ses_")
    assert len(sessions_of(call)) == len(before) + 1


def test_nothing_is_installed_where_it_cannot_go_on(
    capsys: Capture, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = caller(capsys, home, registry=Registry.installed())
    before = sessions_of(call)
    monkeypatch.setenv("PATH", str(home))
    done = call(*SOURCE, "--yes")
    assert (done.code, "opencode is not installed" in done.err) == (1, True)
    assert "nothing was installed; finder resume opta:tb7Af_jcUAul --in opencode" in done.err
    program = home / "opencode"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    done = call(*SOURCE[:-1], "gone", "--yes")
    assert (done.code, f"folder {home / 'gone'} does not exist here" in done.err) == (1, True)
    assert sessions_of(call) == before


def test_in_the_same_tool_it_is_the_session_itself(capsys: Capture, home: Path) -> None:
    call = caller(capsys, home, registry=Registry.installed())
    before = sessions_of(call)
    one = before[0]
    assert call("resume", one, "--in", "opencode", "--json").json["argv"][-1] == one
    copy = call("resume", one, "--in", "opencode", "--to-cwd", "work", "--yes", "--json").json
    assert copy["cwd"] == str(home / "work")
    assert set(sessions_of(call)) - set(before) == {copy["argv"][-1]}


def test_an_unknown_tool_is_named(capsys: Capture, home: Path) -> None:
    call = caller(capsys, home, registry=Registry.installed())
    error = call("resume", sessions_of(call)[0], "--in", "emacs", "--json").json["error"]
    assert error["kind"] == "usage"
    assert "opencode" in error["candidates"]
    assert call("resume", sessions_of(call)[0], "--yes").code == 2
