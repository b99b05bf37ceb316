"""Which pieces of a story are kept where there is room for some only.

In this order: the first prompt, what was said last, errors, changes of files, and of the rest as
much as there is room for, from the end backwards. A token is taken to be four bytes of UTF-8,
which is near the truth for English and code; for Chinese and Japanese it counts rather too few.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, Self, TypeVar

BYTES = 4  # of a token
GAP = 18  # tokens that it takes to say what is left out in one place
_LEAST = 40  # tokens; a piece cut to less says nothing
# The parts of the room that these may take, where there is more than they get.
_SHARES = {"prompt": 0.2, "last": 0.3, "error": 0.15, "change": 0.2}
_LONGEST = 0.25  # of the room: what is longer is cut


def tokens(text: str) -> int:
    """How many tokens a text takes, by the rule above."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES)


class Piece(Protocol):
    """What is kept or left out as one.

    `kind`: as in `finder.render.transcript.Block`; a ``head`` is kept with what it stands above.
    `passage`: which message. `gaps`: how many there may be after it. `cost`: tokens.
    """

    @property
    def kind(self) -> str: ...
    @property
    def passage(self) -> int: ...
    @property
    def gaps(self) -> int: ...
    @property
    def cost(self) -> int: ...

    def cut(self, most: int) -> Self | None:
        """The piece in at most so many tokens; None: that would say nothing."""


P = TypeVar("P", bound=Piece)


@dataclass(slots=True)
class Choice(Generic[P]):
    """Which pieces are kept, by their place, in the form in which they are.

    Attributes:
        most: tokens that all of it may take.
        taken: how many it takes to tell these pieces, and what is between them.
    """

    pieces: Sequence[P]
    most: int
    taken: Callable[[Mapping[int, P]], int]
    kept: dict[int, P] = field(default_factory=dict)
    heads: dict[int, int] = field(default_factory=dict)  # of each passage: its head's place
    room: int = 0  # tokens that are left, at least

    def choose(self) -> dict[int, P]:
        """Fill the room: what matters gets its share of it, the end gets the rest."""
        self.heads = {p.passage: n for n, p in enumerate(self.pieces) if p.kind == "head"}
        newest = [n for n, piece in reversed(list(enumerate(self.pieces))) if piece.kind != "head"]
        kinds = {n: self.pieces[n].kind for n in newest}
        wanted = {
            "prompt": [n for n in newest if kinds[n] == "prompt"][-1:],
            "last": ([n for n in newest if kinds[n] == "text"] or newest)[:1],
            "error": [n for n in newest if kinds[n] == "error"],
            "change": [n for n in newest if kinds[n] == "change"],
        }
        self.room = self.most
        for name, places in wanted.items():
            share = int(self.most * _SHARES[name])
            for place in places:
                share -= self._keep(place, min(share, self.room))
        # What the shares left over: what was cut may grow, then the end comes in. Once more,
        # since each time some room was set aside for gaps that are none now.
        for places in (*wanted.values(), newest, newest, newest):
            self.room = self.most - self.taken(self.kept)
            for place in places:
                old = self.kept.pop(place, None)
                before = old.cost if old else 0
                if not self._keep(place, self.room + before, before):
                    if old:
                        self.kept[place] = old
                    elif places is newest:
                        break
        return self.kept

    def _keep(self, place: int, most: int, before: int = 0) -> int:
        """Keep a piece, its middle cut if need be, within so many tokens; what it took of them.

        `before`: what it took already; then it stays at least as it was.
        """
        if place in self.kept:
            return 0
        piece = self.pieces[place]
        head = self.heads.get(piece.passage)
        extra = 0 if before else GAP * piece.gaps
        if head is not None and head not in self.kept:
            extra += self.pieces[head].cost
        cost = piece.cost
        fits = min(cost, max(most - extra, 0), max(int(self.most * _LONGEST), before))
        shown = None if fits < min(cost, _LEAST) else piece.cut(fits)
        if shown is None:
            return 0
        if head is not None:
            self.kept[head] = self.pieces[head]
        self.kept[place] = shown
        taken = shown.cost + extra
        self.room -= taken - before
        return taken


def cut(text: str, most: int) -> str:
    """The beginning and the end of a text in at most so many tokens, and what is between.

    The mark stands on a line of its own.
    """
    coded = text.encode("utf-8", "surrogatepass")
    if len(coded) <= most * BYTES:
        return text
    kept = max(most - GAP, 1) * BYTES
    # More of the beginning than of the end: that is where texts say what they are about.
    first = coded[: kept * 2 // 3].decode("utf-8", "ignore")
    last = coded[len(coded) - kept // 3 :].decode("utf-8", "ignore")
    left = tokens(text) - most + GAP
    return f"{first}\n[… about {left:,} tokens left out]\n{last}"
