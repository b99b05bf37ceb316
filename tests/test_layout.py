"""The program's shape: who may import whom, and what a start may cost."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Each module may import from its own level and those above it in this list; one that is not
# named here is of the level of find and get.
LEVELS = [
    {"finder", "finder.dataclass", "finder.model", "finder.event"},
    {"finder.errors", "finder.places", "finder.words", "finder.content", "finder.typos"},
    {"finder.turns"},
    {"finder.files"},
    {"finder.jsonio", "finder.sqlite", "finder.catalogue"},
    {"finder.writing"},
    {"finder.adapter"},
    {"finder.registry"},
    {"finder.source", "finder.vocabulary"},
    {"finder.library", "finder.match"},
    {"finder.find", "finder.get", "finder.convert", "finder.compare"},
    {"finder.testing"},
    {"finder.render"},
    {"finder.cli"},
    {"finder.__main__"},
]
FOR_ADAPTERS = {
    f"finder.{name}"
    for name in (
        "model", "adapter", "errors", "jsonio", "sqlite", "files", "places", "words", "content",
        "writing", "catalogue", "dataclass",
    )
}  # fmt: skip
HEAVY = (
    "rich",
    "rapidfuzz",
    "jmespath",
    "sqlite3",
    "orjson",
    "msgspec",
    "platformdirs",
    "adapters",
)


def modules(package: str) -> dict[str, Path]:
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = path
    return found


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """The modules that a file imports, also within functions, and the lines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            assert node.module is not None
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield (whole if whole in ALL else node.module), node.lineno


ALL = {**modules("finder"), **modules("adapters")}


def level(name: str) -> int:
    for number, names in enumerate(LEVELS):
        if name in names or any(name.startswith(f"{n}.") for n in names if n != "finder"):
            return number
    return next(n for n, names in enumerate(LEVELS) if "finder.find" in names)


@pytest.mark.parametrize("name", [n for n in ALL if n.startswith("finder")])
def test_finder_imports_only_what_stands_above_it(name: str) -> None:
    for other, line in imported(ALL[name]):
        where = f"{name}:{line} imports {other}"
        assert not other.startswith("adapters"), where
        if other.split(".")[0] == "finder":
            assert level(other) <= level(name), where


@pytest.mark.parametrize("name", [n for n in ALL if n.startswith("adapters")])
def test_adapters_import_only_the_contract(name: str) -> None:
    tool = ".".join(name.split(".")[:2])
    for other, line in imported(ALL[name]):
        where = f"{name}:{line} imports {other}"
        if other.split(".")[0] == "finder":
            assert other in FOR_ADAPTERS, where
        if other.split(".")[0] == "adapters":
            assert other == "adapters" or other.startswith(tool), f"{where}, another tool's"


def test_every_module_is_of_a_readable_size() -> None:
    for name, path in ALL.items():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= 500, f"{name} has {lines} lines: split it by direction"


def loaded(*args: str, code: str | None = None) -> set[str]:
    """The modules that a start of the program loads."""
    start = code or "from finder.cli import run\ntry:\n run()\nexcept SystemExit: pass"
    report = "\nimport sys\nsys.stderr.write('LOADED ' + ' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", start + report, *args],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stderr.rpartition("LOADED ")[2].split())


@pytest.mark.parametrize("args", [("--help",), ("--version",)])
def test_help_loads_nothing_heavy(args: tuple[str, ...]) -> None:
    modules = loaded(*args)
    assert "click" in modules
    assert not {name for name in modules if name.split(".")[0] in {*HEAVY, "shutil", "lzma"}}
    own = {name for name in modules if name.split(".")[0] == "finder"}
    assert own == {"finder", "finder.cli", "finder.cli.declare", "finder.cli.program"}


def test_a_search_loads_what_it_uses() -> None:
    unused = {"rich", "rapidfuzz", "jmespath", "platformdirs", "importlib.metadata"}
    for args in (("find",), ("find", "--json"), ("find", "word"), ("stores",)):
        assert not loaded(*args) & unused, args
    # click alone takes as long to load as all that a plain search needs.
    dear = {
        "click",
        "json",
        "msgspec",
        "orjson",
        "finder.event",
        "shutil",
        "tempfile",
        "subprocess",
        "secrets",
    }
    for args in (("find",), ("find", "word", "--limit", "3"), ("find", "--format", "ids")):
        assert not loaded(*args) & dear, args
    assert "jmespath" in loaded("find", "--query", "sessions")


def test_a_preview_loads_what_it_uses() -> None:
    home = ROOT / "fixtures" / "opencode-db" / "1.18.33"
    args = ("get", "ses_e07d5a67effe5AcZT2yPAuksjX", "--first", "2", "--root", str(home))
    modules = loaded(*args)
    assert "adapters.opencode.beginning" in modules
    # To load orjson takes as long as all that it would do here; it loads the two before it.
    dear = {"click", "rich", "shutil", "difflib", "finder.find", "inspect", "dataclasses", "orjson"}
    assert not modules & {*dear, "msgspec"}


def test_importing_adapters_is_cheap() -> None:
    code = """if True:
        from finder.registry import Registry
        registry = Registry.installed()
        assert len(list(registry.adapters())) > 3
        assert not registry.problems, registry.problems
    """
    assert not loaded(code=code) & {"sqlite3", "orjson", "msgspec", "zipfile", "rich", "subprocess"}
