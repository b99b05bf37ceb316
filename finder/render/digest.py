"""A transcript cut to a number of tokens, for readers who pay by the token.

What is kept is told in `finder.render.choose`; the header always is. What is left out is counted
where it stood.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from finder.render.choose import BYTES, Choice, cut, tokens
from finder.render.transcript import Block


def digest(head: Sequence[str], blocks: Sequence[Block], most: int) -> Iterator[str]:
    """The transcript's lines, in all at most so many tokens."""
    total = tokens("\n".join(head)) + sum(_cost(block.lines) for block in blocks)
    if total <= most:
        yield from head
        for block in blocks:
            yield from block.lines
        return
    said = f"[shortened from about {total:,} to {most:,} tokens (1 token = {BYTES} bytes); "
    said += "without --max-tokens all of it is shown]"
    shown = _cut(head, most // 3)
    yield from shown
    yield said
    pieces = [_Piece(block) for block in blocks]
    kept = Choice(
        pieces, most - _cost([*shown, said]), lambda kept: _cost(list(_lines(pieces, kept)))
    ).choose()
    yield from _lines(pieces, kept)


def _cost(lines: Sequence[str]) -> int:
    return tokens("\n".join(lines)) + 1  # of the line break after it


@dataclass(frozen=True, slots=True)
class _Piece:
    """A block as a `finder.render.choose.Piece`."""

    block: Block
    gaps: int = 1

    @property
    def kind(self) -> str:
        return self.block.kind

    @property
    def passage(self) -> int:
        return self.block.passage

    @property
    def cost(self) -> int:
        return _cost(self.block.lines)

    def cut(self, most: int) -> _Piece:
        return _Piece(self.block._replace(lines=_cut(self.block.lines, most)))


def _lines(pieces: Sequence[_Piece], kept: Mapping[int, _Piece]) -> Iterator[str]:
    """What is kept, and between it how much is not."""
    gap: list[_Piece] = []
    for place, piece in enumerate(pieces):
        if place not in kept:
            gap.append(piece)
            continue
        if gap:
            yield _left_out(gap)
            gap = []
        yield from kept[place].block.lines
    if gap:
        yield _left_out(gap)


def _left_out(gap: Sequence[_Piece]) -> str:
    messages = len({piece.passage for piece in gap})
    calls = sum(piece.kind in {"call", "change", "error"} for piece in gap)
    cost = sum(piece.cost for piece in gap)
    parts = [f"{messages} message{'s' if messages > 1 else ''}"]
    parts += [f"{calls} tool call{'s' if calls > 1 else ''}"] if calls else []
    return f"[… left out of {', '.join(parts)}: about {cost:,} tokens]"


def _cut(lines: Sequence[str], most: int) -> list[str]:
    if _cost(lines) <= most:
        return list(lines)
    return cut("\n".join(lines), most - 1).split("\n")
