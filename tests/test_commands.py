"""Commands over the fixtures: one Markdown file for each case, in tests/commands.

A case has fenced blocks: ``console`` with the call, ``stdout`` and ``stderr`` with what it
prints, and a last line ``exit: N``. ``COLUMNS=80`` before the call puts it on a terminal of
that width. The folder in which the calls are made is written HERE. Run with FINDER_UPDATE=1
in the environment to write the answers anew, and read the difference.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest

from finder.registry import Registry
from tests.calling import caller

CASES = sorted((Path(__file__).parent / "commands").glob("*.md"))
FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.fixture(scope="session")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the fixtures: no test opens the originals."""
    folder = tmp_path_factory.mktemp("commands")
    shutil.copytree(FIXTURES, folder / "fixtures")
    return folder


def block(text: str, name: str) -> str:
    found = re.search(rf"^```{name}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def with_block(text: str, name: str, content: str) -> str:
    new = f"```{name}\n{content}```\n"
    if f"```{name}\n" in text:
        start = text.index(f"```{name}\n")
        end = text.index("\n```\n", start - 1 + len(f"```{name}\n")) + 5
        return text[:start] + new + text[end:]
    before, mark, rest = text.partition("exit: ")
    return f"{before}{new}\n{mark}{rest}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_command(case: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = case.read_text(encoding="utf-8")
    words = shlex.split(block(text, "console").removeprefix("$ "))
    columns = None
    if words[0].startswith("COLUMNS="):
        columns = int(words.pop(0).partition("=")[2])
    assert words.pop(0) == "finder"
    call = caller(
        capsys, here, registry=Registry.installed(), columns=columns, env={"NO_COLOR": "1"}
    )
    done = call(*words)
    out, err = (said.replace(str(here), "HERE") for said in (done.out, done.err))
    if out and not out.endswith("\n"):
        out += "\n"
    if os.environ.get("FINDER_UPDATE"):
        for name, said in (("stdout", out), ("stderr", err)):
            if said or f"```{name}\n" in text:
                text = with_block(text, name, said)
        case.write_text(re.sub(r"^exit: .*", f"exit: {done.code}", text, flags=re.M), "utf-8")
        return
    assert out == block(text, "stdout")
    assert err == block(text, "stderr")
    assert f"exit: {done.code}\n" in text


def test_there_are_cases() -> None:
    assert len(CASES) > 20
