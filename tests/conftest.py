"""What all tests share."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run, so that a change is what makes a test fail. New ones are looked
# for by whoever asks: so many as FINDER_EXPLORE says.
settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("explore" if os.environ.get("FINDER_EXPLORE") else "same")


@pytest.fixture(autouse=True)
def _nobodys_home(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """No test sees the developer's own stores, cache, time zone or taste in colours."""
    if "real" in request.node.path.parts:  # these run programs, in homes that they make
        yield
        return
    home = tmp_path_factory.getbasetemp() / "home"
    home.mkdir(exist_ok=True)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    for name in (
        "XDG_DATA_HOME",
        "XDG_CONFIG_HOME",
        "XDG_CACHE_HOME",
        "OPENCODE_DB",
        "PAGER",
        "NO_COLOR",
        "COLUMNS",
        "FINDER_CACHE_DIR",
        "FINDER_DEBUG",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TZ", "UTC")
    if hasattr(time, "tzset"):
        time.tzset()
    yield
    monkeypatch.undo()
    if hasattr(time, "tzset"):
        time.tzset()


@pytest.fixture
def shelf_path(tmp_path: Path) -> Path:
    """An existing folder that stands for a store."""
    path = tmp_path / "shelf"
    path.mkdir()
    return path
