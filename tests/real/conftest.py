"""The real program, and a store made by it once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from .installation import DEV_VERSION, OLDER_VERSION, VERSION, UnavailableError, install
from .model_server import JsonObject, ModelServer
from .opencode import OpenCode
from .situations import LiveStore, make_live_store


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives the program in a version, known to start; skips where that cannot be had."""

    @cache
    def find(version: str) -> Path | UnavailableError:
        try:
            binary = install(version)
        except UnavailableError as reason:
            return reason
        found = _in_empty_home(binary, tmp_path_factory.mktemp("version")).version()
        assert found == version, f"{binary} is {found}"
        return binary

    def found_or_skipped(version: str) -> Path:
        binary = find(version)
        if isinstance(binary, UnavailableError):
            pytest.skip(str(binary))
        return binary

    return found_or_skipped


@pytest.fixture(scope="session")
def live_store(
    installed: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveStore]:
    with ModelServer() as model:
        program = OpenCode(installed(VERSION), tmp_path_factory.mktemp("live"))
        yield make_live_store(program, model)


@pytest.fixture(scope="session")
def exported(live_store: LiveStore) -> Callable[[str], JsonObject]:
    """What the program exports of a situation, asked once. For tests that leave it as it is."""
    return cache(lambda situation: live_store.program.export(live_store.ids[situation]))


@pytest.fixture
def spare(installed: Callable[[str], Path], tmp_path: Path) -> OpenCode:
    """The program in an empty home, for questions that change what they ask about."""
    return _in_empty_home(installed(VERSION), tmp_path)


@pytest.fixture
def spare_dev(installed: Callable[[str], Path], tmp_path: Path) -> OpenCode:
    """A build of the development channel in an empty home."""
    return _in_empty_home(installed(DEV_VERSION), tmp_path)


@pytest.fixture
def spare_older(installed: Callable[[str], Path], tmp_path: Path) -> OpenCode:
    """A build of the first database generation in an empty home."""
    return _in_empty_home(installed(OLDER_VERSION), tmp_path)


def _in_empty_home(binary: Path, root: Path) -> OpenCode:
    for name in ("home", "tmp"):
        (root / name).mkdir()
    return OpenCode(binary, root)
