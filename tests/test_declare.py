"""A call is read without click only as click would read it."""

from __future__ import annotations

from importlib import import_module

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finder.cli import _PLAIN
from finder.cli.declare import Plain

WORDS = st.one_of(
    st.sampled_from(
        "--root --tool --cwd --agent --since --limit -n --sort --format -f --json --query"
        " --subagents --no-archived --live --full --max-tokens --pager --no-pager --raw"
        " --help -h -- - -x --lim"
        " --limit=3 --limit= -n3 -fjson --format=json --json=1 --sort=title --root=/a -j".split()
    ),
    st.sampled_from(["ses_1a2b", "login bug", "", "json", "title", "transcript", "0", "20", "-1"]),
    st.sampled_from(["+5", "1_000", " 7", "٣", "250", "-5f1c23", "a=b", "ö"]),
)


def plain(name: str) -> Plain:
    command = import_module(f"finder.cli.{name}").command
    assert isinstance(command, Plain)
    return command


@pytest.mark.parametrize("name", sorted(_PLAIN))
@given(words=st.lists(WORDS, max_size=6))
def test_what_is_read_plainly_is_what_click_reads(name: str, words: list[str]) -> None:
    read = plain(name).read(words)
    if read is not None:
        with plain(name).click().make_context(name, list(words)) as context:
            assert context.params == read
            assert [type(context.params[key]) for key in read] == [type(read[key]) for key in read]


@pytest.mark.parametrize("name", sorted(_PLAIN))
@given(words=st.lists(WORDS, max_size=6))
def test_a_call_that_is_spelled_from_its_values_has_these_values(
    name: str, words: list[str]
) -> None:
    command = plain(name)
    try:
        with command.click().make_context(name, list(words)) as context:
            values = context.params
    except (click.ClickException, click.exceptions.Exit):
        return
    with command.click().make_context(name, command.spelled(values)) as context:
        assert context.params == values


@pytest.mark.parametrize(
    ("name", "words", "given"),
    [
        ("find", ["login", "bug"], {"words": ("login", "bug")}),
        ("find", ["a", "--limit", "3", "b"], {"words": ("a", "b"), "limit": 3}),
        ("find", ["--root", "x", "--root=y", "-n", "0"], {"roots": ("x", "y"), "limit": 0}),
        ("find", ["--json"], {"as_json": True}),
        ("find", ["-f", "ids", "--sort=title"], {"format_": "ids", "sort": "title"}),
        ("get", ["ses_1", "--no-pager"], {"target": "ses_1", "pager": False}),
    ],
)
def test_plain_calls_are_read_without_click(name: str, words: list[str], given: object) -> None:
    read = plain(name).read(words)
    assert read is not None
    defaults = plain(name).read(["x"] if name == "get" else [])
    assert defaults is not None
    assert {key: value for key, value in read.items() if value != defaults[key]} == given


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("find", ["--help"]),
        ("find", ["--limit", "-1"]),
        ("find", ["--limit", "many"]),
        ("find", ["--format", "xml"]),
        ("find", ["--unknown"]),
        ("find", ["--limit"]),
        ("find", ["--", "x"]),
        ("get", []),
        ("get", ["a", "b"]),
        ("get", ["-5f1c23"]),
        ("get", ["a", "--max-tokens", "5"]),
    ],
)
def test_what_is_not_plainly_right_is_left_to_click(name: str, words: list[str]) -> None:
    assert plain(name).read(words) is None


def test_every_declared_command_is_a_command_of_click_too() -> None:
    for name in _PLAIN:
        command = plain(name).click()
        assert isinstance(command, click.Command)
        assert command.help
        assert len(command.params) == len(plain(name).params)
