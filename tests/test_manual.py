"""What explains the program: topics, the skill for agents, completions."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from finder.cli import COMMANDS
from finder.cli.help import topics
from finder.cli.program import main
from finder.model import Problem
from finder.registry import Registry
from tests.calling import NOW, Caller, caller
from tests.memory import Shelf, unreadable

Capture = pytest.CaptureFixture[str]
ROOT = Path(__file__).parents[1]
SKILL = (ROOT / "finder" / "skill.md").read_text(encoding="utf-8")
SESSION = "ses_e07d57e46ffexIoFN5KG4FNMfR"


# -- help --------------------------------------------------------------------------------


def test_help_is_the_readme(capsys: Capture, tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    call = caller(capsys, tmp_path)
    assert {"stores", "json", "exit-codes", "convert", "environment"} <= set(topics())
    for topic in topics():
        text = call("help", topic).out.strip()
        assert text.startswith("##"), topic
        assert text in readme, topic
    assert call("help", "conversion").out == call("help", "convert").out
    assert call("help", "Exit-Codes").out.startswith("## Exit codes")


def test_every_command_has_help(capsys: Capture, tmp_path: Path) -> None:
    call = caller(capsys, tmp_path)
    index = call("help").out
    for command in COMMANDS:
        assert f"  {command} " in index
        assert call("help", command).code == 0


def test_an_unknown_topic_names_the_known_ones(capsys: Capture, tmp_path: Path) -> None:
    done = caller(capsys, tmp_path)("help", "nonsense")
    assert done.code == 3
    assert "  exit-codes\n" in done.err


def test_help_on_a_terminal_is_rendered(capsys: Capture, tmp_path: Path) -> None:
    done = caller(capsys, tmp_path, columns=70)("help", "exit-codes")
    assert "\x1b[1mcode" in done.out
    plain = caller(capsys, tmp_path, columns=70, env={"NO_COLOR": "1"})("help", "exit-codes")
    assert "\x1b" not in plain.out


# -- skill -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("skill") / "home"
    shutil.copytree(ROOT / "fixtures" / "opencode-db" / "1.18.33" / "store", home)
    return home


def taught() -> list[str]:
    fences = re.findall(r"^```sh\n(.*?)^```$", SKILL, re.MULTILINE | re.DOTALL)
    return [line for fence in fences for line in fence.splitlines()]


def test_the_skill_is_printed_and_says_when_to_use_it(capsys: Capture, tmp_path: Path) -> None:
    assert caller(capsys, tmp_path)("skill").out == SKILL
    head = SKILL.split("---\n")[1]
    assert [line.partition(":")[0] for line in head.splitlines()] == ["name", "description"]
    assert len(SKILL) < 4_000, "an agent pays for every word"


@pytest.mark.parametrize("line", taught())
def test_every_command_of_the_skill_works(
    line: str, capsys: Capture, home: Path, tmp_path: Path
) -> None:
    call: Caller = caller(capsys, home, registry=Registry.installed())
    os.chdir(tmp_path)
    words = shlex.split(line.replace(" ID ", f" {SESSION} ").partition(" > ")[0])
    assert words.pop(0) == "finder"
    words = [str(tmp_path / word) if word == "session.md" else word for word in words]
    done = call(*words)
    assert done.code == 0, done.err
    assert done.out or "No session matches.\n" in done.err, line


def test_the_skill_teaches_what_is_there() -> None:
    lines = taught()
    assert len(lines) > 10
    assert {"find", "get", "resume", "convert", "stores", "help"} <= {
        line.split()[1] for line in lines
    }


# -- completion --------------------------------------------------------------------------


def completed(call: Caller, *words: str) -> list[str]:
    shell = BashComplete(main, {"obj": call.setting}, "finder", "_FINDER_COMPLETE")
    return [item.value for item in shell.get_completions(list(words[:-1]), words[-1])]


@pytest.fixture
def shelf(shelf_path: Path) -> Shelf:
    shelf = Shelf(shelf_path)
    shelf.add("ses_1", "One", updated=NOW - 5)
    shelf.add("ses_2", "Two", updated=NOW)
    shelf.add("kid_3", "Three", parent="ses_2")
    shelf.add("odd`id\x1b")
    return shelf


def test_sessions_are_completed(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    call = caller(capsys, tmp_path, shelf)
    for command in ("get", "resume", "convert"):
        assert completed(call, command, "ses_") == ["ses_2", "ses_1"]
    assert completed(call, "get", "")[:2] == ["ses_2", "ses_1"], "no subagents"
    assert completed(call, "get", "k") == ["kid_3"]
    assert completed(call, "get", "SES_1") == ["ses_1"]
    assert completed(call, "get", "mem:ses_") == ["mem:ses_2", "mem:ses_1"]
    assert completed(call, "get", "other:ses_") == []
    assert completed(call, "get", "odd") == [], "nothing that a shell would run"
    assert completed(call, "get", "--root", str(shelf.path), "ses_1") == ["ses_1"]
    assert completed(call, "get", "--root", str(tmp_path / "gone"), "ses_") == []


def test_the_newest_of_many_are_not_taken_for_all(
    capsys: Capture, tmp_path: Path, shelf_path: Path
) -> None:
    shelf = Shelf(shelf_path)
    for number in range(50):
        shelf.add(f"ses_{number // 45}{number:02}", updated=NOW - number)
    call = caller(capsys, tmp_path, shelf)
    assert len(completed(call, "get", "ses_00")) == 10
    offered = completed(call, "get", "mem:ses_")
    assert len(offered) == 41
    assert os.path.commonprefix(offered[:-1]) == "mem:ses_0"
    assert os.path.commonprefix(offered) == "mem:ses_"


def test_the_rest_is_completed(capsys: Capture, tmp_path: Path, shelf: Shelf) -> None:
    call = caller(capsys, tmp_path, shelf)
    assert completed(call, "fi") == ["find"]
    assert set(COMMANDS) <= set(completed(call, ""))
    assert completed(call, "find", "--tool", "") == ["mem"]
    assert completed(call, "convert", "--to", "m") == ["markdown"]
    assert completed(call, "help", "exit") == ["exit-codes"]
    assert completed(call, "completion", "z") == ["zsh"]
    assert "--max-tokens" in completed(call, "get", "--m")


def test_what_cannot_be_read_completes_to_nothing(capsys: Capture, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "x", error=unreadable(tmp_path / "x"))
    assert completed(caller(capsys, tmp_path, shelf), "get", "a") == []
    shelf.error = RuntimeError("a bug")
    shelf.problems = [Problem(kind="corrupt", path="x", message="y")]
    assert completed(caller(capsys, tmp_path, shelf), "get", "a") == []


BASH = """
eval "$(finder completion bash)"
COMP_LINE=$1
COMP_POINT=${#COMP_LINE}
_finder_completion finder
printf "%s\\n" "${COMPREPLY[@]}"
"""
FISH = "finder completion fish | source; complete -C $argv[1]"


def in_shell(home: Path, tmp_path: Path, *words: str) -> list[str]:
    if os.name == "nt" or shutil.which(words[0]) is None:
        pytest.skip(f"no {words[0]} here")
    program = tmp_path / "finder"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m finder "$@"\n')
    program.chmod(0o755)
    env = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("typed", "offered", "breaks"),
    [
        ("finder get ses_e07d57e", SESSION, ""),
        ("finder get opencode:ses_e07d57e", SESSION, ""),
        ("finder get opencode:ses_e07d57e", f"opencode:{SESSION}", "COMP_WORDBREAKS=' =';"),
        ("finder find --tool=opt", "opta", ""),
        ("finder help exit", "exit-codes", ""),
    ],
)
def test_bash_completes(home: Path, tmp_path: Path, typed: str, offered: str, breaks: str) -> None:
    # What stands before a colon or "=" is none of what bash replaces.
    assert in_shell(home, tmp_path, "bash", "-c", breaks + BASH, "bash", typed) == [offered]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("finder get ses_e07d57e", SESSION),
        ("finder get opencode:ses_e07d57e", f"opencode:{SESSION}"),
        ("finder find --tool=opt", "--tool=opta"),
    ],
)
def test_fish_completes(home: Path, tmp_path: Path, typed: str, offered: str) -> None:
    assert in_shell(home, tmp_path, "fish", "-c", FISH, typed) == [offered]


# Completion has no line to work on here: what it would do is printed.
ZSH = """
compdef() { : }
compset() { print -r -- "without $2" }
_describe() { print -r -- "$described" }
compadd() { print -r -- "$plain" }
eval "$(finder completion zsh)"
words=(${(z)1}) CURRENT=$#words PREFIX=${words[-1]}
_finder_completion
"""


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("finder get ses_e07d57e", [f"{SESSION}:Use subagents."]),
        ("finder get opencode:ses_e07d57e", [f"opencode\\:{SESSION}:Use subagents."]),
        ("finder find --tool=opt", ["without *=", "opta"]),
    ],
)
def test_zsh_completes(home: Path, tmp_path: Path, typed: str, offered: list[str]) -> None:
    said = in_shell(home, tmp_path, "zsh", "-f", "-c", ZSH, "zsh", typed)
    assert [one.partition(" (")[0] for one in said] == offered


def test_completion_needs_a_shell_that_is_known(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = caller(capsys, tmp_path)
    monkeypatch.setenv("SHELL", "/bin/zsh")
    assert "#compdef finder" in call("completion").out
    monkeypatch.setenv("SHELL", "/bin/ksh")
    assert call("completion").code == 2
    assert call("completion", "ksh").code == 2
