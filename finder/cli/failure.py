"""Telling of errors and problems: to people on stderr, to programs as JSON on stdout."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from finder.cli.output import say
from finder.errors import FinderError
from finder.model import Problem
from finder.render.text import block, line

_MOST_PROBLEMS = 20


def told(error: FinderError, cause: Exception, *, as_json: bool) -> int:
    """Say what went wrong and what to do next; returns the exit status."""
    if os.environ.get("FINDER_DEBUG"):
        import traceback

        traceback.print_exception(cause, file=sys.stderr)
    if as_json:
        from finder.cli.output import write_json
        from finder.render import data

        write_json(data.error(error))
    say(f"finder: {block(error.message)}", aside=True)
    for candidate in error.candidates:
        say(f"  {line(candidate)}", aside=True)
    if error.hint:
        say(f"  {line(error.hint)}", aside=True)
    return int(error.exit_code)


def tell_problems(problems: Sequence[Problem]) -> None:
    """Name on stderr what could not be read."""
    for problem in problems[:_MOST_PROBLEMS]:
        record = f" ({problem.record})" if problem.record else ""
        say(line(f"finder: {problem.path}{record}: {problem.message}"), aside=True)
    if len(problems) > _MOST_PROBLEMS:
        rest = len(problems) - _MOST_PROBLEMS
        say(f"finder: and {rest} more problems; --json lists all of them", aside=True)


def tell_notes(notes: Sequence[str]) -> None:
    """Say on stderr what the user should know besides."""
    for note in notes:
        say(line(f"finder: {note}"), aside=True)
