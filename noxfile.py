"""`nox` runs tests, lint, types and build; `real`, `bench` and `fuzz` are asked for by name."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

nox.options.sessions = ["tests", "lint", "types", "build"]
nox.options.reuse_existing_virtualenvs = True


@nox.session
def tests(session: nox.Session) -> None:
    """The whole test suite; arguments go to pytest."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """ruff, as a linter and as a formatter."""
    session.install(".[lint]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict."""
    session.install("-e", ".[types]")
    session.run("mypy")


@nox.session
def build(session: nox.Session) -> None:
    """Build the distributions, install the wheel alone and run it on the fixtures."""
    session.install("build")
    made = Path(session.create_tmp()) / "dist"
    shutil.rmtree(made, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(made), silent=True)
    wheel = next(made.glob("*.whl"))
    session.install("--force-reinstall", str(wheel))
    with session.chdir(session.create_tmp()):
        fixtures = Path(__file__).parent / "fixtures"
        session.run("finder", "find", "--root", str(fixtures), "--limit", "3")


@nox.session
def real(session: nox.Session) -> None:
    """Against the real tools that the registries carry; needs npm. Arguments go to pytest."""
    session.install("-e", ".[test]")
    cache = os.environ.get("FINDER_REAL_CACHE", str(Path(session.cache_dir) / "real"))
    session.run("pytest", "tests/real", *session.posargs, env={"FINDER_REAL_CACHE": cache})


@nox.session
def fuzz(session: nox.Session) -> None:
    """Mutated copies of the fixtures, for ten minutes; see `python -m tests.fuzz --help`."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "tests.fuzz", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure whole runs of the program, `-- --peers` others too; `-- --help` tells the options."""
    # Not editable: what a user gets is measured.
    session.install("--force-reinstall", "--no-deps", ".")
    session.install(".")
    session.run("python", "-m", "tests.bench", *session.posargs)
