"""A transcript cut to a number of tokens, for readers who pay by the token.

What is kept, in this order: the header, the first prompt, what was said last, errors, changes of
files, and of the rest as much as there is room for, from the end backwards. What is left out is
counted where it stood. A token is taken to be four bytes of UTF-8, which is near the truth for
English and code; for Chinese and Japanese texts it counts rather too few.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from finder.render.transcript import Block

_BYTES = 4
_GAP = 16  # tokens that one line about what is left out takes
_LEAST = 40  # tokens; a text cut to less says nothing
# The parts of the room that these may take, where there is more than they get.
_SHARES = {"prompt": 0.2, "last": 0.3, "error": 0.15, "change": 0.2}
_LONGEST = 0.25  # of the room: what is longer is cut in its middle


def tokens(text: str) -> int:
    """How many tokens a text takes, by the rule above."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES)


def digest(head: Sequence[str], blocks: Sequence[Block], most: int) -> Iterator[str]:
    """The transcript's lines, in all at most so many tokens."""
    header = "\n".join(head)
    total = tokens(header) + sum(_cost(block.lines) for block in blocks)
    if total <= most:
        yield from head
        for block in blocks:
            yield from block.lines
        return
    said = f"[shortened from about {total:,} to {most:,} tokens (1 token = {_BYTES} bytes); "
    said += "without --max-tokens all of it is shown]"
    shown = _cut(head, most // 3)
    yield from shown
    yield said
    choice = _Choice(blocks, most - _cost([*shown, said]))
    choice.choose()
    yield from choice.lines()


def _cost(lines: Sequence[str]) -> int:
    return tokens("\n".join(lines)) + 1  # of the line break after it


@dataclass(slots=True)
class _Choice:
    """Which blocks are kept, by their place, in the form in which they are.

    Attributes:
        most: tokens that all of it may take.
    """

    blocks: Sequence[Block]
    most: int
    kept: dict[int, list[str]] = field(default_factory=dict)
    heads: dict[int, int] = field(default_factory=dict)  # of each passage: its head's place
    room: int = 0  # tokens that are left, at least

    def choose(self) -> None:
        """Fill the room: what matters gets its share of it, the end gets the rest."""
        self.heads = {b.passage: n for n, b in enumerate(self.blocks) if b.kind == "head"}
        newest = [n for n, block in reversed(list(enumerate(self.blocks))) if block.kind != "head"]
        kinds = {n: self.blocks[n].kind for n in newest}
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
            self.room = self.most - _cost(list(self.lines()))
            for place in places:
                old = self.kept.pop(place, None)
                before = _cost(old) if old else 0
                if not self._keep(place, self.room + before, before):
                    if old:
                        self.kept[place] = old
                    elif places is newest:
                        break

    def _keep(self, place: int, most: int, before: int = 0) -> int:
        """Keep a block, its middle cut if need be, within so many tokens; what it took of them.

        `before`: what it took already; then it stays at least as it was.
        """
        if place in self.kept:
            return 0
        block = self.blocks[place]
        head = self.heads.get(block.passage)
        extra = 0 if before else _GAP
        if head is not None and head not in self.kept:
            extra += _cost(self.blocks[head].lines)
        cost = _cost(block.lines)
        fits = min(cost, max(most - extra, 0), max(int(self.most * _LONGEST), before))
        if fits < min(cost, _LEAST):
            return 0
        if head is not None:
            self.kept[head] = self.blocks[head].lines
        self.kept[place] = _cut(block.lines, fits)
        taken = _cost(self.kept[place]) + extra
        self.room -= taken - before
        return taken

    def lines(self) -> Iterator[str]:
        """What is kept, and between it how much is not."""
        gap: list[Block] = []
        for place, block in enumerate(self.blocks):
            if place not in self.kept:
                gap.append(block)
                continue
            if gap:
                yield _left_out(gap)
                gap = []
            yield from self.kept[place]
        if gap:
            yield _left_out(gap)


def _left_out(gap: Sequence[Block]) -> str:
    messages = len({block.passage for block in gap})
    calls = sum(block.kind in {"call", "change", "error"} for block in gap)
    cost = sum(_cost(block.lines) for block in gap)
    parts = [f"{messages} message{'s' if messages > 1 else ''}"]
    parts += [f"{calls} tool call{'s' if calls > 1 else ''}"] if calls else []
    return f"[… left out of {', '.join(parts)}: about {cost:,} tokens]"


def _cut(lines: Sequence[str], most: int) -> list[str]:
    """The beginning and the end of a text, in at most so many tokens, and what is between."""
    cost = _cost(lines)
    if cost <= most:
        return list(lines)
    text = "\n".join(lines).encode("utf-8", "surrogatepass")
    kept = max(most - _GAP, 1) * _BYTES
    # More of the beginning than of the end: that is where texts say what they are about.
    first = text[: kept * 2 // 3].decode("utf-8", "ignore")
    last = text[len(text) - kept // 3 :].decode("utf-8", "ignore")
    said = f"[… about {cost - most + _GAP:,} tokens left out]"
    return [*first.split("\n"), said, *last.split("\n")]
