"""Errors and exit codes.

A *problem* (`finder.model.Problem`) is data and is reported while work goes on. An *error*
(`FinderError`) is raised: the command cannot do what was asked. It is caught once, in
`finder.cli`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import ClassVar

from finder.model import Problem


class ExitCode(IntEnum):
    """What the command's exit status says. README has the same table."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    AMBIGUOUS = 4
    UNREADABLE = 5
    REFUSED = 6
    NOT_WRITTEN = 7
    PARTIAL = 9
    BUG = 70
    INTERRUPTED = 130


PROBLEM_KINDS = {
    "gone": "the path does not exist, or vanished while it was read",
    "permission": "the operating system does not let us read it",
    "locked": "another program holds it locked",
    "corrupt": "it is damaged or truncated",
    "empty": "it has no content at all",
    "foreign": "it is something else than its name or place suggests",
    "unknown-schema": "it is of a version or program that this adapter does not know",
    "too-large": "it is larger than what is read at once",
    "limit": "the search for stores stopped at a bound",
    "adapter": "an adapter failed to load or broke its contract",
    "headers-only": "only a listing could be read, not the content",
}


class FinderError(Exception):
    """The command cannot do what was asked.

    Attributes:
        message: what, and where.
        hint: what to do next.
        candidates: ids or names that the user may have meant.
    """

    kind: ClassVar[str] = "failed"
    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(
        self, message: str, *, hint: str | None = None, candidates: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.candidates = tuple(candidates)


class UsageError(FinderError):
    """The words of the call are off."""

    kind = "usage"
    exit_code = ExitCode.USAGE


class NotFoundError(FinderError):
    """No such session or store."""

    kind = "not-found"
    exit_code = ExitCode.NOT_FOUND


class AmbiguousError(FinderError):
    """An id or path fits several."""

    kind = "ambiguous"
    exit_code = ExitCode.AMBIGUOUS


class StoreError(FinderError):
    """A store, or one file of it, cannot be read. `problem` says what was seen."""

    kind = "unreadable"
    exit_code = ExitCode.UNREADABLE

    def __init__(self, problem: Problem, *, hint: str | None = None) -> None:
        super().__init__(f"{problem.path}: {problem.message}", hint=hint)
        self.problem = problem


class RefusedError(FinderError):
    """The conversion would lose something, and the user asked for none of that."""

    kind = "refused"
    exit_code = ExitCode.REFUSED


class WriteError(FinderError):
    """The target exists, or the write failed. What stood there before still stands."""

    kind = "not-written"
    exit_code = ExitCode.NOT_WRITTEN


class BugError(FinderError):
    """Our bug, or an adapter's."""

    kind = "bug"
    exit_code = ExitCode.BUG
