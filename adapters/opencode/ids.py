"""OpenCode's ids, made so that its orderings hold.

    ses_|msg_|prt_ + 12 hex digits + 14 letters of 0-9A-Za-z

The program makes the digits from the clock: the low 48 bits of (milliseconds * 4096 + a counter),
inverted for sessions, so that the newest comes first. Messages of one time are ordered by id,
parts of one message by id, and an undone session loses the messages whose id is not lower than
that of the first undone one. So ids made here count up in the order of the story, from zero: below
every id that the program makes when it goes on. From the clock they would not be, since its 48
bits began anew in August 2026. The letters are made from the address of the session: the same
session gets the same ids each time, and another session others. (Read in 1.18.33.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from finder.model import Ref, Session
from finder.writing import derived_id

TOOL = "opencode"
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FORM = r"[0-9A-Za-z]{1,64}"


def is_id(kind: str, value: object) -> bool:
    """Whether it is an id of that kind (``ses``, ``msg``, ``prt``): fit for a file name, too."""
    return are_ids(kind, (value,))


def are_ids(kind: str, values: Iterable[object]) -> bool:
    """Whether each is such an id."""
    fits = re.compile(f"{kind}_{_FORM}").fullmatch
    return all(isinstance(value, str) and fits(value) for value in values)


def session_id(session: Session, salt: str = "") -> str:
    """The id of a session in OpenCode. One of OpenCode's own keeps its id, unless salted."""
    if session.ref.tool == TOOL and not salt and is_id("ses", session.ref.id):
        return session.ref.id
    clock = (session.created or session.updated or 0) * 4096
    return f"ses_{~clock % 2**48:012x}{derived_id(session.ref, 14, _LETTERS, salt)}"


class Ids:
    """The ids of one session's messages and parts, in the order in which they are asked for."""

    __slots__ = ("_count", "_letters")

    def __init__(self, session: str, salt: str = "") -> None:
        self._count = 0
        self._letters = derived_id(Ref(TOOL, "", session), 14, _LETTERS, f"messages{salt}")

    def message(self) -> str:
        """The next message's id."""
        return self._next("msg")

    def part(self) -> str:
        """The next part's id."""
        return self._next("prt")

    def nobody(self) -> str:
        """The id of a message before all others, which is not there."""
        return f"msg_{0:012x}{self._letters}"

    def before(self, message: str) -> str:
        """The id of a message directly before one that has an id."""
        digits = message[4:16]
        number = int(digits, 16) if re.fullmatch("[0-9a-f]{12}", digits) else 1
        return f"msg_{max(number - 1, 0):012x}{self._letters}"

    def slug(self) -> str:
        """The session's short name, for those that have none."""
        return f"session-{self._letters[:8].lower()}"

    def _next(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count:012x}{self._letters}"
