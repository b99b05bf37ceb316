"""Aligning two sequences: the longest common subsequence, or nearly so, in linear time.

The textbook algorithms take time that grows with length times differences, which is too much
where a format drops half of 10,000 events. So what is long is parted first at anchors, as in
patience diff, and only what is between them is solved exactly.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence

_FEW_CELLS = 20_000  # of the exact solution's table: solved so without asking further
_MOST_CELLS = 250_000

Pairs = list[tuple[int, int]]
Keys = Sequence[Hashable]


def aligned(ours: Keys, theirs: Keys, *, closer: tuple[Keys, Keys] | None = None) -> Pairs:
    """Places of equal items, rising on both sides, as many as there can be.

    Args:
        closer: for each item something that is equal for fewer of them: it decides between
            alignments of the same length.

    Of items that are equal in all, the last ones are taken: what opens a message stands before
    its content, so of two openings the later one belongs to what follows.
    """
    common = set(ours) & set(theirs)
    kept_a = [index for index, item in enumerate(ours) if item in common]
    kept_b = [index for index, item in enumerate(theirs) if item in common]
    close_a, close_b = closer or (ours, theirs)
    # Numbers compare faster than long keys.
    numbers: dict[Hashable, int] = {}
    near: dict[Hashable, int] = {}
    sides = [
        [
            (numbers.setdefault(items[i], len(numbers)), near.setdefault(close[i], len(near)))
            for i in kept
        ]
        for kept, items, close in ((kept_a, ours, close_a), (kept_b, theirs, close_b))
    ]
    return sorted((kept_a[a], kept_b[b]) for a, b in _aligned(*sides))


_Items = list[tuple[int, int]]  # what must be equal, and what had better be


def _aligned(ours: _Items, theirs: _Items) -> Pairs:
    pairs: Pairs = []
    gaps = [(0, len(ours), 0, len(theirs))]
    while gaps:
        start_a, end_a, start_b, end_b = gaps.pop()
        while end_a > start_a and end_b > start_b and ours[end_a - 1] == theirs[end_b - 1]:
            end_a, end_b = end_a - 1, end_b - 1
            pairs.append((end_a, end_b))
        while end_a > start_a and end_b > start_b and ours[start_a] == theirs[start_b]:
            pairs.append((start_a, start_b))
            start_a, start_b = start_a + 1, start_b + 1
        if start_a == end_a or start_b == end_b:
            continue
        part_a, part_b = ours[start_a:end_a], theirs[start_b:end_b]
        anchors, certain = _anchors(part_a, part_b)
        cells = len(part_a) * len(part_b)
        if cells <= _FEW_CELLS or (cells <= _MOST_CELLS and not certain):
            pairs += [(start_a + a, start_b + b) for a, b in _exact(part_a, part_b)]
            continue
        if not anchors:
            pairs += [(start_a + a, start_b + b) for a, b in _greedy(part_a, part_b)]
            continue
        last_a, last_b = start_a, start_b
        for a, b in anchors:
            pairs.append((start_a + a, start_b + b))
            gaps.append((last_a, start_a + a, last_b, start_b + b))
            last_a, last_b = start_a + a + 1, start_b + b + 1
        gaps.append((last_a, end_a, last_b, end_b))
    return pairs


def _anchors(ours: _Items, theirs: _Items) -> tuple[Pairs, bool]:
    """Pairs of what is once on both sides, or else equally often; as many as rise on both.

    The second value: all that is once rises, so there is no doubt. What is there more often may
    have come in one place and gone in another.
    """
    places_a, places_b = _places(ours), _places(theirs)
    alike = [
        (places, places_b[key])
        for key, places in places_a.items()
        if len(places) == len(places_b.get(key, ()))
    ]
    once = sorted((one[0], other[0]) for one, other in alike if len(one) == 1)
    if once:
        rising = _rising(once)
        return rising, len(rising) == len(once)
    more = sorted(p for one, other in alike for p in zip(one, other, strict=True))
    return _rising(more), False


def _places(items: _Items) -> dict[int, list[int]]:
    places: dict[int, list[int]] = {}
    for index, (key, _) in enumerate(items):
        places.setdefault(key, []).append(index)
    return places


def _rising(pairs: Pairs) -> Pairs:
    """The longest rising subsequence by the second number."""
    tops: list[int] = []  # the smallest last number of a subsequence of each length
    ends: list[int] = []
    before: list[int] = []
    for index, (_, b) in enumerate(pairs):
        length = bisect_left(tops, b)
        before.append(ends[length - 1] if length else -1)
        if length == len(tops):
            tops.append(b)
            ends.append(index)
        else:
            tops[length], ends[length] = b, index
    chain: Pairs = []
    index = ends[-1] if ends else -1
    while index >= 0:
        chain.append(pairs[index])
        index = before[index]
    return chain[::-1]


def _exact(ours: _Items, theirs: _Items) -> Pairs:
    """The longest common subsequence, and of those the one with most that are closer."""
    one = len(ours) + len(theirs)  # what a pair counts; one that is closer counts one more
    table = [[0] * (len(theirs) + 1)]
    for key, close in ours:
        row, above, last = [0], table[-1], 0
        for b, (other, other_close) in enumerate(theirs):
            if key == other:
                last = max(above[b] + one + (close == other_close), above[b + 1], last)
            elif above[b + 1] > last:
                last = above[b + 1]
            row.append(last)
        table.append(row)
    pairs: Pairs = []
    a, b = len(ours), len(theirs)
    while a and b:
        (key, close), (other, other_close) = ours[a - 1], theirs[b - 1]
        here = table[a][b]
        if key == other and here == table[a - 1][b - 1] + one + (close == other_close):
            a, b = a - 1, b - 1
            pairs.append((a, b))
        elif table[a - 1][b] == here:
            a -= 1
        else:
            b -= 1
    return pairs[::-1]


def _greedy(ours: _Items, theirs: _Items) -> Pairs:
    places = _places(theirs)
    pairs: Pairs = []
    least = 0
    for a, (key, _) in enumerate(ours):
        others = places.get(key, [])
        at = bisect_left(others, least)
        if at < len(others):
            pairs.append((a, others[at]))
            least = others[at] + 1
    return pairs
