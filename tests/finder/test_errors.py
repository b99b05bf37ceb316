"""Errors, exit codes and problems."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from finder import errors
from finder.model import Problem


def subclasses(of: type[errors.FinderError]) -> list[type[errors.FinderError]]:
    found = []
    for each in of.__subclasses__():
        found += [each, *subclasses(each)]
    return found


def test_each_error_has_its_own_kind_and_code() -> None:
    """Of those that callers tell apart; what is raised elsewhere is one of these."""
    known = [each for each in subclasses(errors.FinderError) if each.__module__ == errors.__name__]
    kinds = [errors.FinderError, *known]
    assert len({kind.kind for kind in kinds}) == len(kinds)
    assert len({kind.exit_code for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert kind.exit_code not in {errors.ExitCode.DONE, errors.ExitCode.PARTIAL}


def test_a_store_error_says_where_and_what() -> None:
    error = errors.StoreError(Problem(kind="locked", path="/x.db", message="is locked"))
    assert str(error) == "/x.db: is locked"
    assert error.problem.kind == "locked"


def test_an_error_carries_what_to_do_next() -> None:
    error = errors.AmbiguousError("several", hint="say more", candidates=["a", "b"])
    assert (error.message, error.hint, error.candidates) == ("several", "say more", ("a", "b"))


@pytest.mark.parametrize("package", ["finder", "adapters"])
def test_every_problem_is_of_a_known_kind(package: str) -> None:
    root = Path(errors.__file__).parents[1] / package
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Problem":
                for word in node.keywords:
                    if word.arg == "kind" and isinstance(word.value, ast.Constant):
                        where = f"{path.name}:{node.lineno}"
                        assert word.value.value in errors.PROBLEM_KINDS, where
