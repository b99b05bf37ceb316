"""The rule by which OpenCode finds its data folder and database, and what we look at besides."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from adapters.opencode.homes import data_folder, databases, legacy_folders, own_database
from finder.places import Places


def places(root: Path, **env: str) -> Places:
    return Places(home=root / "home", env=env, cwd=root / "cwd")


def written(path: Path, at: int = 1000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    os.utime(path, (at, at))
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".local" / "share" / "opencode"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "home/.local/share/opencode"),
        ({"XDG_DATA_HOME": ""}, "home/.local/share/opencode"),
        ({"XDG_DATA_HOME": "{root}/xdg"}, "xdg/opencode"),
        ({"XDG_DATA_HOME": "{root}/x/..//xdg/"}, "xdg/opencode"),
        ({"XDG_DATA_HOME": "xdg"}, "cwd/xdg/opencode"),
    ],
)
def test_data_folder(tmp_path: Path, variables: Mapping[str, str], expected: str) -> None:
    env = {name: value.format(root=tmp_path) for name, value in variables.items()}
    assert data_folder(places(tmp_path, **env)) == tmp_path / expected


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("", "opencode.db"),
        ("own.db", "own.db"),
        ("sub/../own.db", "own.db"),
        ("../own.db", "../own.db"),
        ("~/own.db", "~/own.db"),
    ],
)
def test_database_named_below_the_data_folder(
    tmp_path: Path, data: Path, named: str, expected: str
) -> None:
    found = own_database(places(tmp_path, OPENCODE_DB=named))
    assert str(found) == os.path.normpath(data / expected)


def test_database_named_elsewhere(tmp_path: Path) -> None:
    named = str(tmp_path / "own.db")
    assert own_database(places(tmp_path, OPENCODE_DB=named)) == Path(named)


def test_database_in_memory(tmp_path: Path) -> None:
    in_memory = places(tmp_path, OPENCODE_DB=":memory:")
    assert own_database(in_memory) is None
    assert databases(in_memory) == []


@pytest.mark.parametrize(
    ("channel", "switch", "expected"),
    [
        ("latest", None, "opencode.db"),
        ("beta", None, "opencode.db"),
        ("prod", "0", "opencode.db"),
        ("dev", None, "opencode-dev.db"),
        ("dev", "0", "opencode-dev.db"),
        ("dev", "TRUE", "opencode-dev.db"),
        ("dev", "1", "opencode.db"),
        ("dev", "true", "opencode.db"),
        ("fix/a b", None, "opencode-fix-a-b.db"),
    ],
)
def test_channel(
    tmp_path: Path, data: Path, channel: str, switch: str | None, expected: str
) -> None:
    env = {} if switch is None else {"OPENCODE_DISABLE_CHANNEL_DB": switch}
    assert own_database(places(tmp_path, **env), channel) == data / expected


def test_databases_of_every_name_the_one_written_last_first(tmp_path: Path, data: Path) -> None:
    old = written(data / "opencode.db", at=1000)
    new = written(data / "opencode-dev.db", at=3000)
    other = written(data / "own.db", at=2000)
    for name in ("opencode.db-shm", "opencode.log", "opencode.db.bak", "unrelated.db"):
        written(data / name, at=9000)
    (data / "opencode-folder.db").mkdir()
    assert databases(places(tmp_path)) == [new, old]
    assert databases(places(tmp_path, OPENCODE_DB="own.db")) == [new, other, old]


def test_a_database_is_as_new_as_its_log(tmp_path: Path, data: Path) -> None:
    busy = written(data / "opencode.db", at=1000)
    written(data / "opencode.db-wal", at=5000)
    idle = written(data / "opencode-dev.db", at=4000)
    assert databases(places(tmp_path)) == [busy, idle]


def test_one_file_under_two_names_is_one_database(tmp_path: Path, data: Path) -> None:
    file = written(data / "opencode.db")
    link = tmp_path / "link.db"
    link.symlink_to(file)
    assert databases(places(tmp_path, OPENCODE_DB=str(file))) == [file]
    assert databases(places(tmp_path, OPENCODE_DB=str(link))) == [link]


def test_a_named_database_that_is_not_there(tmp_path: Path, data: Path) -> None:
    usual = written(data / "opencode.db")
    for named in ("missing.db", str(usual / "below-a-file.db"), str(tmp_path)):
        assert databases(places(tmp_path, OPENCODE_DB=named)) == [usual]


def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError):
        databases(places(tmp_path))
    with pytest.raises(PermissionError):
        legacy_folders(places(tmp_path))


def test_legacy_folders(tmp_path: Path, data: Path) -> None:
    expected = [
        data / "storage",
        data / "project" / "global" / "storage",
        data / "project" / "home-dev-app" / "storage",
        tmp_path / "home" / ".opencode",
    ]
    assert legacy_folders(places(tmp_path)) == []
    for folder in reversed(expected):
        folder.mkdir(parents=True)
    written(data / "project" / "a-file")
    (data / "project" / "without-storage").mkdir()
    assert legacy_folders(places(tmp_path)) == expected


def test_looking_changes_nothing(tmp_path: Path) -> None:
    databases(places(tmp_path))
    legacy_folders(places(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_in_a_databases_place_is_handed_on_to_be_named(tmp_path: Path, data: Path) -> None:
    data.mkdir(parents=True)
    os.mkfifo(data / "opencode.db")
    assert databases(places(tmp_path)) == [data / "opencode.db"]
