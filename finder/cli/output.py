"""Putting answers on stdout: JSON, whole or streamed, and text, through a pager if long."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from finder.errors import UsageError
from finder.model import Json, JsonObject
from finder.render.text import width, wrapped

if TYPE_CHECKING:
    from finder.cli.setting import Setting
    from finder.model import Problem

_BLOCK = 1 << 16  # bytes that are handed on at once


class Query:
    """A JMESPath expression over what is printed; None leaves that as it is."""

    def __init__(self, expression: str | None) -> None:
        """
        Raises:
            UsageError: it is not JMESPath; the message has the position.
        """
        self.expression = expression
        self._compiled: Any = None
        if expression is None:
            return
        import warnings

        import jmespath
        from jmespath.exceptions import EmptyExpressionError, LexerError, ParseError

        try:
            with warnings.catch_warnings():  # `text` without quotes is old, but well understood
                warnings.simplefilter("ignore", PendingDeprecationWarning)
                self._compiled = jmespath.compile(expression)
        except EmptyExpressionError:
            raise UsageError("--query is empty, at column 1") from None
        except (LexerError, ParseError) as error:
            where = error.lex_position if error.lex_position is not None else len(expression)
            raise self._broken(where, _reason(error)) from None

    def __bool__(self) -> bool:
        return self.expression is not None

    def of(self, document: Json) -> Json:
        """What the expression finds.

        Raises:
            UsageError: a function in it is unknown, or is given what it does not take.
        """
        if self._compiled is None:
            return document
        from jmespath.exceptions import JMESPathError, UnknownFunctionError

        try:
            return self._compiled.search(document)
        except UnknownFunctionError as error:
            import re

            name = re.search(r"(\w+)\(\)", str(error))
            where = (self.expression or "").find(name[1]) if name else 0
            raise self._broken(max(where, 0), str(error)) from None
        except JMESPathError as error:
            raise UsageError(f"--query {self.expression!r}: {error}") from None

    def _broken(self, position: int, reason: str) -> UsageError:
        message = f"--query is broken at column {position + 1}: {reason}"
        return UsageError(f"{message}\n  {self.expression}\n  {' ' * position}^")


def _reason(error: Any) -> str:
    value = getattr(error, "token_value", None)
    return f"unexpected {value!r}" if value else "it ends too early or has an unknown character"


def say(text: str, *, aside: bool = False) -> None:
    """One line of text; `aside`: on stderr, broken between words where that is a terminal."""
    if aside:
        text = "\n".join(_broken(text))
    if os.name == "nt":  # its consoles have ways of their own
        import click

        click.echo(text, err=aside)
        return
    print(text, file=sys.stderr if aside else sys.stdout)


def _broken(text: str) -> Iterator[str]:
    """The lines as stderr's terminal has room for them; what goes on is set in a little."""
    try:
        room = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):  # it is none
        room = 0
    for one in text.split("\n"):
        if not room or width(one) <= room:
            yield one
            continue
        indent = one[: len(one) - len(one.lstrip())]
        for number, piece in enumerate(wrapped(one.lstrip(), room - len(indent) - 2)):
            yield f"{indent}{'  ' if number else ''}{piece}"


def write_json(value: Json) -> None:
    """One JSON value and a line break; indented where a person looks at it."""
    from finder import jsonio

    write_bytes(jsonio.dumps(value, indent=sys.stdout.isatty()) + b"\n")


def write_lines(values: Iterable[Json], query: Query) -> None:
    """One JSON value a line."""
    from finder import jsonio

    sys.stdout.flush()
    _write_gathered(jsonio.dumps(query.of(value)) + b"\n" for value in values)


def write_found(
    chosen: str, name: str, found: list[JsonObject], problems: Iterable[Problem], query: Query
) -> bool:
    """Print what was found as JSON, under this name, or line by line; False: it is for a table."""
    if chosen == "json":
        from finder.render import data

        told = [data.problem(problem) for problem in problems]
        write_json(query.of({"schema": data.SCHEMA, name: found, "problems": told}))
    elif chosen == "jsonl":
        write_lines(found, query)
    return chosen in {"json", "jsonl"}


def write_bytes(data: bytes) -> None:
    """Bytes as they are: JSON is UTF-8, whatever the terminal's language is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)


def _write_gathered(pieces: Iterable[bytes], between: bytes = b"") -> None:
    """Many pieces, some at a time: to hand a small one on takes longer than to make it."""
    write = sys.stdout.buffer.write
    waiting: list[bytes] = []
    size = 0
    try:
        for piece in pieces:
            if size + len(piece) > _BLOCK:
                # With nothing at its end, or its start, it ends or starts with what is between.
                given, waiting, size = [*waiting, b""], [], 0
                write(between.join(given))
            if len(piece) > _BLOCK:
                write(piece)
                waiting = [b""]
            else:
                waiting.append(piece)
                size += len(piece)
    finally:
        write(between.join(waiting))


def write_object(
    head: JsonObject, name: str, items: Iterable[Json], tail: Callable[[], JsonObject]
) -> None:
    """One JSON object with a long list in it, which never stands in memory whole.

    `tail` is asked for after the last item, so that what is learned on the way can be put there.
    """
    from finder import jsonio

    write_bytes(jsonio.dumps(head)[:-1] + b"," + jsonio.dumps(name) + b":[")
    _write_gathered(map(jsonio.dumps, items), between=b",")
    write_bytes(b"]," + jsonio.dumps(tail())[1:] + b"\n")


def write_text(lines: Iterable[str], setting: Setting, *, pager: bool = False) -> None:
    """Lines of text; with `pager`, through it where they are more than the screen holds."""
    if not setting.terminal:
        for some in _batches(lines):
            say("\n".join(some))
        return
    if not pager:
        for one in lines:
            say(one)
        return
    rest = iter(lines)
    first = [one for one, _ in zip(rest, range(setting.lines - 1), strict=False)]
    if len(first) < setting.lines - 1:
        for one in first:
            say(one)
        return
    import click

    if setting.colour:  # less shows styles only where it is told to
        flags = os.environ.get("LESS", "")
        if "r" not in flags.lower():
            os.environ["LESS"] = f"{flags} -R".strip()
    click.echo_via_pager((f"{one}\n" for one in _joined(first, rest)), color=setting.colour)


def _batches(lines: Iterable[str]) -> Iterator[list[str]]:
    """Many lines at once: a pipe passes on no less than a few thousand letters anyway."""
    rest = iter(lines)
    while some := list(islice(rest, 100)):
        yield some


def _joined(first: list[str], rest: Iterator[str]) -> Iterator[str]:
    yield from first
    yield from rest
