"""Messages and parts as the stores of every version have them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from finder.dataclass import dataclass
from finder.model import Json, JsonObject, Labels


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A part as stored. `problem`: it could not be read, and `raw` is its text."""

    id: str
    info: JsonObject
    raw: Json
    problem: str | None = None


class ReadLater:
    """Parts that are read each time that they are gone through, so that few are in memory."""

    __slots__ = ("_read",)

    def __init__(self, read: Callable[[], Iterator[StoredPart]]) -> None:
        self._read: Callable[[], Iterator[StoredPart]] | None = read

    def __iter__(self) -> Iterator[StoredPart]:
        assert self._read is not None, "they were read for the last time"
        return self._read()

    def last(self) -> Iterator[StoredPart]:
        """The parts for the last time: what they are read from is not kept any longer."""
        found, self._read = iter(self), None
        return found


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as stored, with its parts in order. `at`: milliseconds UTC.

    `labels` are what the store itself says of the message and of all its parts.
    """

    id: str
    info: JsonObject
    raw: Json
    parts: Iterable[StoredPart] = ()
    at: int | None = None
    problem: str | None = None
    labels: Labels = ()


# Parts that only answers have.
_ANSWER_PARTS = frozenset({"step-start", "step-finish", "reasoning", "tool", "patch", "snapshot"})


def known_by_parts(
    identifier: str,
    parts: Sequence[StoredPart],
    problem: str,
    *,
    raw: Json = "",
    labels: Labels = (),
) -> StoredMessage:
    """A message whose own record is missing or unreadable (`problem` says why), with its parts.

    Who spoke is deduced from what the parts are, and the label `inferred` says so.
    """
    kinds = {part.info.get("type") for part in parts if part.problem is None}
    role = ("assistant" if kinds & _ANSWER_PARTS else "user") if kinds else None
    return StoredMessage(
        id=identifier,
        info={"role": role} if role else {},
        raw=raw,
        parts=parts,
        problem=problem,
        labels=(*labels, "inferred") if role else labels,
    )
