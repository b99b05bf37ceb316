"""Running whole programs: what a user waits for, and the most memory that they took."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO


class WrongAnswerError(Exception):
    """A program ended with a failure or did not say what it should: its time means nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A call of a program.

    Attributes:
        says: what its output must have in it.
        before: run before each call, and not measured.
    """

    argv: tuple[str, ...]
    home: Path
    says: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], object] | None = None

    def environment(self) -> dict[str, str]:
        """A home of its own, and nothing that names another place for anything."""
        kept = {k: v for k, v in os.environ.items() if k in {"PATH", "LANG", "LC_ALL", "TMPDIR"}}
        return {**kept, "HOME": str(self.home), **self.env}


@dataclass(slots=True)
class Measured:
    """Seconds of each run, and the most kilobytes that any took."""

    seconds: list[float] = field(default_factory=list)
    kilobytes: int = 0

    @property
    def median(self) -> float:
        """The median of the runs, in seconds."""
        return statistics.median(self.seconds)


def interleaved(
    programs: Mapping[str, Program], runs: int, told: Callable[[str], object]
) -> dict[str, Measured]:
    """Run every program once to warm up and be checked, then all in turn, `runs` times.

    One that takes over five seconds is run three times only.
    """
    measured = {name: Measured() for name in programs}
    first = {}
    for name, program in programs.items():
        told(f"warming up: {name}")
        first[name] = _run(program, check=True)[0]
    for turn in range(runs):
        told(f"run {turn + 1} of {runs}")
        for name, program in programs.items():
            if turn >= 3 and first[name] > 5:
                continue
            seconds, kilobytes = _run(program)
            measured[name].seconds.append(seconds)
            measured[name].kilobytes = max(measured[name].kilobytes, kilobytes)
    return measured


def _run(program: Program, *, check: bool = False) -> tuple[float, int]:
    """Seconds from the start to the end of one run, and its peak memory in kilobytes.

    Output goes to a file: OpenCode cuts what it writes to a pipe.
    """
    if program.before is not None:
        program.before()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            program.argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env=program.environment(),
            cwd=program.home,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode or (check and not _has(output, program.says)):
            raise WrongAnswerError(
                f"{' '.join(program.argv)} ended with {process.returncode} and without"
                f" {program.says!r}:\n{_start(output)}\n{_start(errors)}"
            )
    return seconds, usage.ru_maxrss


def _has(file: IO[bytes], text: str) -> bool:
    """Whether a file has a text in it; read in pieces, since this process has to stay small."""
    wanted, tail = text.encode(), b""
    file.seek(0)
    while piece := file.read(1 << 16):
        if wanted in tail + piece:
            return True
        tail = piece[-len(wanted) :]
    return not wanted


def _start(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(1_000).decode("utf-8", "replace")
