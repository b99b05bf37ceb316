"""What is measured: the calls, what each is compared with, and the bound on the ratio."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.measure import Program
from tests.bench.planted import RARE_WORD, TARGET_TITLE
from tests.bench.stores import GIANT_MEGABYTES, Home, cache_folder, copy_of, home

FLOOR, CLICK = "floor", "import click"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        against: the row that it is compared with.
        bound: the ratio of its median to that row's that it must not exceed.
        megabytes: how much it works through.
        least_rate: how many of these each second at least, in what it takes longer than that row.
        most_mb: the peak memory that it must not exceed, in megabytes.
        peer: the program of others that it runs.
    """

    name: str
    program: Callable[[], Program]
    against: str = FLOOR
    bound: float | None = None
    megabytes: int | None = None
    least_rate: int | None = None
    most_mb: int | None = None
    peer: str | None = None


def all_rows(peers: Mapping[str, Path]) -> list[Row]:
    """All rows, those that others are compared with first."""
    return [
        *_floors(),
        *_finding(),
        *_getting(),
        *_converting(),
        *_searching(),
        *_files(),
        *_peers(peers),
    ]


def _finder() -> str:
    path = Path(sys.executable).with_name("finder")
    return str(path)


def _cache(name: str) -> Path:
    return cache_folder() / "finder-cache" / name


def _call(store: str, *words: str, says: str = "") -> Callable[[], Program]:
    """A call of finder in a home; the planted ids may be named as ``{target}``."""

    def program() -> Program:
        there = home(store)
        argv = (_finder(), *(word.format(**there.planted) for word in words))
        # Its cache is ours: the homes stay as they were made.
        env = {"FINDER_CACHE_DIR": str(_cache(store))}
        return Program(argv=argv, home=there.path, says=says.format(**there.planted), env=env)

    return program


def _anew(call: Callable[[], Program], folder: Path) -> Callable[[], Program]:
    """The same into a new folder each time."""

    def program() -> Program:
        return replace(call(), before=lambda: shutil.rmtree(folder, ignore_errors=True))

    return program


def _cold(warm: Callable[[], Program]) -> Callable[[], Program]:
    """The same with an empty cache each time."""

    def program() -> Program:
        call = warm()
        folder = Path(call.env["FINDER_CACHE_DIR"]).with_suffix(".cold")
        return replace(
            call,
            env={"FINDER_CACHE_DIR": str(folder)},
            before=lambda: shutil.rmtree(folder, ignore_errors=True),
        )

    return program


def _indexed(store: str, program: Callable[[], Program]) -> Callable[[], Program]:
    """The same with an index of the texts, which is made before the first run."""
    index = _call(store, "index")

    def indexed() -> Program:
        making = index()
        env = {"FINDER_CACHE_DIR": str(_cache(f"{store}.indexed"))}
        making = replace(making, env=env)
        return replace(
            program(),
            env=env,
            before=lambda: subprocess.run(
                making.argv, env=making.environment(), check=True, capture_output=True
            ),
        )

    return indexed


def _python(code: str) -> Callable[[], Program]:
    return lambda: Program(argv=(sys.executable, "-c", code), home=home("database-1k").path)


def _floors() -> Iterator[Row]:
    yield Row(name=FLOOR, program=_python("import click, sqlite3"))
    yield Row(name=CLICK, program=_python("import click"))
    help_ = _call("database-1k", "--help", says="Usage")
    yield Row(name="--help", program=help_, against=CLICK, bound=1.25)


def _finding() -> Iterator[Row]:
    words = ("ledger", "drift", "quarterly")
    for size, bound in (("1k", 1.6), ("10k", 1.6), ("100k", 2.2)):
        call = _call(f"database-{size}", "find", *words, says=TARGET_TITLE)
        yield Row(name=f"find words ({size})", program=call, bound=bound)
    for size in ("1k", "10k", "100k"):
        call = _call(f"database-{size}", "find", "{target}", says=TARGET_TITLE)
        yield Row(name=f"find id ({size})", program=call, bound=1.3)
        # So few letters of an id stand for one session only where there are few.
        call = _call(f"database-{size}", "find", "{target:.14}", says=TARGET_TITLE)
        yield Row(name=f"find prefix ({size})", program=call, bound=1.3)
    newest = _call("database-100k", "find", "--limit", "20")
    yield Row(name="find newest 20 (100k)", program=newest, bound=2.2)
    typos = _call("database-100k", "find", "legder", "drift", "quaterly", says=TARGET_TITLE)
    yield Row(name="find two typos (100k)", program=typos, bound=3)
    yield Row(name="find two typos without cache (100k)", program=_cold(typos), bound=12)
    folder = _call("database-100k", "find", "--cwd", "/home/dev/code/docs", says="docs")
    yield Row(name="find newest 20 of a folder (100k)", program=folder)
    for format_ in ("jsonl", "json"):
        everything = _call("database-100k", "find", "--limit", "0", "--format", format_)
        yield Row(name=f"find all as {format_} (100k)", program=everything, most_mb=100)


def _getting() -> Iterator[Row]:
    whole = _call("giant", "get", "{target}", "--json", says="tool_result")
    yield Row(name="get giant as json", program=whole, against="opencode export", bound=1 / 8)
    preview = _call("giant", "get", "{target}", "--first", "5", says=TARGET_TITLE)
    yield Row(name="get giant preview", program=preview, bound=1.6)


def _converting() -> Iterator[Row]:
    for target in ("events", "clacky", "opta", "opencode"):
        out = cache_folder() / "converted" / target
        words = ("convert", "{target}", "--to", target, "--out", str(out))
        yield Row(
            name=f"convert giant to {target}",
            program=_anew(_call("giant", *words, says="8,009 events"), out),
            megabytes=GIANT_MEGABYTES,
            least_rate=40,
            most_mb=150,
        )


def _searching() -> Iterator[Row]:
    rare = _call("database-10k", "find", "--text", RARE_WORD, says="ses_")
    yield Row(name="text rare (1 GB)", program=rare, against="find-session", bound=0.2, most_mb=150)
    indexed = _indexed("database-10k", rare)
    yield Row(name="text rare, indexed (1 GB)", program=indexed, bound=2, most_mb=150)
    common = _call("database-10k", "find", "--text", "timeout", says="ses_")
    yield Row(name="text common (1 GB)", program=common, bound=2.5, most_mb=150)


def _files() -> Iterator[Row]:
    for store in ("tree-2k", "clacky-200"):
        call = _call(store, "find", "ledger", "drift", says=TARGET_TITLE)
        yield Row(name=f"find words without cache ({store})", program=_cold(call))
        yield Row(
            name=f"find words ({store})",
            program=call,
            against=f"find words without cache ({store})",
        )


def _peers(programs: Mapping[str, Path]) -> Iterator[Row]:
    if "opencode" in programs:
        yield Row(
            name="opencode export",
            program=lambda: _export(programs["opencode"], copy_of("giant")),
            peer="opencode",
        )
    if "find-session" in programs:
        yield Row(
            name="find-session",
            program=lambda: _peer(
                programs["find-session"], RARE_WORD, "-g", "--agents", "opencode"
            ),
            peer="find-session",
        )
    if "fast-resume" in programs:
        words = ("--json", RARE_WORD)
        yield Row(
            name="fast-resume",
            program=lambda: _peer(programs["fast-resume"], *words),
            peer="fast-resume",
        )


def _peer(program: Path, *words: str) -> Program:
    return Program(argv=(str(program), *words), home=copy_of("database-10k").path)


def _export(program: Path, there: Home) -> Program:
    quiet = ("AUTOUPDATE", "MODELS_FETCH", "DEFAULT_PLUGINS", "LSP_DOWNLOAD", "SHARE")
    return Program(
        argv=(str(program), "export", there.planted["target"]),
        home=there.path,
        says=TARGET_TITLE,
        env={f"OPENCODE_DISABLE_{name}": "1" for name in quiet},
    )
