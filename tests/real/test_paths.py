"""The database path that we work out is the one that the real program uses, in each environment.

The program is asked in an empty home every time, since it creates the database that it names.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from adapters.opencode.homes import data_folder, databases, own_database
from finder.places import Places

from .installation import DEV_CHANNEL
from .opencode import OpenCode

# {root} is the folder that holds the home; the program is started there.
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "default": {},
    "data home": {"XDG_DATA_HOME": "{root}/xdg"},
    "data home, not in its plainest form": {"XDG_DATA_HOME": "{root}/x/../xdg//"},
    "data home, relative": {"XDG_DATA_HOME": "xdg"},
    "data home, empty": {"XDG_DATA_HOME": ""},
    "absolute": {"OPENCODE_DB": "{root}/own.db"},
    "absolute, not in its plainest form": {"OPENCODE_DB": "{root}/tmp/..//own.db"},
    "absolute, beside a data home": {"OPENCODE_DB": "{root}/own.db", "XDG_DATA_HOME": "{root}/xdg"},
    "relative": {"OPENCODE_DB": "own.db"},
    "relative, upwards": {"OPENCODE_DB": "../own.db"},
    "relative, below a data home": {"OPENCODE_DB": "own.db", "XDG_DATA_HOME": "{root}/xdg"},
    "in memory": {"OPENCODE_DB": ":memory:"},
    "empty": {"OPENCODE_DB": ""},
    "channel names off: 1": {"OPENCODE_DISABLE_CHANNEL_DB": "1"},
    "channel names off: true": {"OPENCODE_DISABLE_CHANNEL_DB": "true"},
    "channel names off: 0": {"OPENCODE_DISABLE_CHANNEL_DB": "0"},
}
CHANNEL_ENVIRONMENTS = {
    name: variables
    for name, variables in ENVIRONMENTS.items()
    if name in {"default", "relative"} or "OPENCODE_DISABLE_CHANNEL_DB" in variables
} | {"channel names off: TRUE": {"OPENCODE_DISABLE_CHANNEL_DB": "TRUE"}}


def _cases(environments: Mapping[str, Mapping[str, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "variables", environments.values(), ids=[name.replace(" ", "-") for name in environments]
    )


def _set(program: OpenCode, variables: Mapping[str, str]) -> OpenCode:
    root = program.root
    return program.with_variables({k: v.format(root=root) for k, v in variables.items()})


def _places(program: OpenCode) -> Places:
    return Places(home=program.home, env=program.environment, cwd=program.root)


def _resolved(program: OpenCode, channel: str) -> str:
    own = own_database(_places(program), channel)
    return ":memory:" if own is None else str(own)


def _printed(program: OpenCode) -> str:
    printed = program.database_path()
    return printed if printed == ":memory:" else str(program.root / printed)


@_cases(ENVIRONMENTS)
def test_path(spare: OpenCode, variables: Mapping[str, str]) -> None:
    program = _set(spare, variables)
    assert databases(_places(program)) == []
    printed = _printed(program)
    assert _resolved(program, "latest") == printed
    made = [] if printed == ":memory:" else [printed]
    assert [str(path) for path in databases(_places(program))] == made


@_cases(CHANNEL_ENVIRONMENTS)
def test_path_of_another_channel(spare_dev: OpenCode, variables: Mapping[str, str]) -> None:
    program = _set(spare_dev, variables)
    printed = _printed(program)
    assert _resolved(program, DEV_CHANNEL) == printed
    assert [str(path) for path in databases(_places(program))] == [printed]


@_cases({name: ENVIRONMENTS[name] for name in ("default", "data home", "data home, relative")})
def test_data_folder(spare: OpenCode, variables: Mapping[str, str]) -> None:
    program = _set(spare, variables)
    assert data_folder(_places(program)) == program.root / program.data_folder()
    assert databases(_places(program)) == [], "`debug paths` makes no database"


def test_a_version_that_does_not_know_the_variable(spare_older: OpenCode) -> None:
    """1.2.27 ignores OPENCODE_DB, so the usual name is looked at beside the one that is set."""
    program = _set(spare_older, {"OPENCODE_DB": "own.db"})
    assert [str(path) for path in databases(_places(program))] == []
    assert [_printed(program)] == [str(path) for path in databases(_places(program))]
