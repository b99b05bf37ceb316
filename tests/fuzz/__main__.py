"""``python -m tests.fuzz``: mutate, read, and keep what broke.

Each round copies one fixture case, changes one or two of its files, and reads all of it: through
the adapters, through the engine, and through the commands, which list, print JSON and
transcripts, and convert. Wrong is: an exception that is not a `FinderError`, or that was reported
as a bug or a broken adapter; a control character on the screen; a step with over five seconds of
work, or sixty of waiting; over 500 MB; a changed file. What broke is kept in the folder named by
``--keep``, with the seed that makes it again.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import random
import resource
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from finder.testing import fingerprint
from tests.fuzz.mutate import mutations_for
from tests.fuzz.reading import read_all

ROOT = Path(__file__).parents[2]
SECONDS = 5  # of the processor's time: the machine may have other work
WAITING = 60  # of the clock's, for what waits without working, as for a named pipe
MEGABYTES = 500


class TooSlowError(BaseException):
    """A round took too long. Not an `Exception`, which the program would catch."""


def cases() -> list[Path]:
    """The home folders of all fixture cases, and of those that are damaged by hand."""
    return [*sorted(ROOT.glob("fixtures/*/*/store")), *sorted(ROOT.glob("tests/damaged/*/*/store"))]


def play(seed: int, folder: Path) -> tuple[str, str | None]:
    """One round: what was done, and what broke, if anything."""
    chance = random.Random(seed)
    case = chance.choice(cases())
    home = folder / "home"
    shutil.copytree(case, home, symlinks=True)
    done = []
    files = [path for path in sorted(home.rglob("*")) if path.is_file()]
    for _ in range(chance.choice((1, 1, 1, 2))):
        path = chance.choice(files)
        if not path.is_file() or path.is_symlink():
            continue
        deed = chance.choice(mutations_for(path))
        try:
            done.append(f"{deed(chance, path)} of {path.relative_to(home)}")
        except (ValueError, OSError, sqlite3.DatabaseError):
            continue  # a file that was mutated before, or a name too long
    what = f"{case.parent.relative_to(ROOT)}: {', '.join(done)}"
    return what, broken(home, seed)


def broken(home: Path, number: int = 0) -> str | None:
    """What is wrong with how a home folder is read."""
    before = fingerprint(home)
    with _limits() as exceeded:
        try:
            for _ in read_all(home, number):
                _renew()
        except TooSlowError:
            return f"took over {SECONDS} s\n{traceback.format_exc()}"
        except Exception:
            return traceback.format_exc()
    if exceeded:  # and what was raised there was caught on its way, as SQLite does
        return f"took over {SECONDS} s\n{exceeded[0]}"
    if fingerprint(home) != before:
        return "a file was changed, added or removed"
    return None


@contextlib.contextmanager
def _limits() -> Iterator[list[str]]:
    """Raise `TooSlowError` in time, and note where."""
    exceeded: list[str] = []

    def too_slow(_number: int, frame: FrameType | None) -> None:
        exceeded.append("".join(traceback.format_stack(frame)))
        raise TooSlowError

    for kind in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(kind, too_slow)
    _renew()
    try:
        yield exceeded
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _renew() -> None:
    """Another step begins."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, WAITING)


def _worker(
    seeds: list[int], until: float, results: multiprocessing.Queue[tuple[int, str, str | None]]
) -> None:
    for seed in seeds:
        if time.monotonic() > until:
            break
        with tempfile.TemporaryDirectory(prefix="finder-fuzz-") as name:
            what, wrong = play(seed, Path(name))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        if wrong is None and peak > MEGABYTES:
            wrong = f"{peak} MB of memory"
        results.put((seed, what, wrong))
        if peak > MEGABYTES:
            break  # the peak stays with the process: go on in a new one
    results.put((-1, "", None))


def rounds(first: int, count: int, seconds: float) -> tuple[int, dict[int, tuple[str, str]]]:
    """Play rounds in a worker process; returns how many, and what broke by seed."""
    until = time.monotonic() + seconds
    played, wrong = 0, {}
    seeds = list(range(first, first + count))
    while seeds and time.monotonic() < until:
        results: multiprocessing.Queue[tuple[int, str, str | None]] = multiprocessing.Queue()
        worker = multiprocessing.Process(target=_worker, args=(seeds, until, results))
        worker.start()
        last = seeds[0] - 1
        while True:
            try:
                seed, what, why = results.get(timeout=WAITING * 2)
            except Exception:  # the worker hangs where no signal reaches it, or was killed
                wrong[last + 1] = ("the round after the last that ended", "hangs or died")
                last += 1
                worker.kill()
                break
            if seed < 0:
                break
            played, last = played + 1, seed
            if why is not None:
                wrong[seed] = (what, why)
                print(f"seed {seed}: {what}\n{why}", flush=True)
            if not played % 500:
                print(f"{played:,} rounds, {len(wrong)} broke something", flush=True)
        worker.join()
        seeds = [seed for seed in seeds if seed > last]
        if last < first:
            break
    return played, wrong


def main() -> int:
    """Run as many rounds as asked, within the time given."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0, help="the first round's seed")
    parser.add_argument("--keep", type=Path, help="a folder for the stores that broke something")
    options = parser.parse_args()
    started = time.monotonic()
    played, wrong = rounds(options.seed, options.rounds, options.seconds)
    kinds = Counter(why.strip().splitlines()[-1] for _, why in wrong.values())
    for seed in wrong:
        if options.keep:
            kept = options.keep / str(seed)
            kept.mkdir(parents=True, exist_ok=True)
            play(seed, kept)
    for kind, count in kinds.most_common():
        print(f"{count:6}  {kind}")
    took = time.monotonic() - started
    print(
        f"{played:,} rounds in {took:.0f} s from seed {options.seed}: {len(wrong)} broke something"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
