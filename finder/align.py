"""Aligning two sequences: the longest common subsequence, or nearly so, in linear time.

The textbook algorithms take time that grows with length times differences, which is too much
where a format drops half of 10,000 events. So what is long is parted first at anchors, as in
patience diff, and only what is between them is solved exactly.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence

_MOST_CELLS = 250_000  # of the exact solution's table

Pairs = list[tuple[int, int]]


def aligned(ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> Pairs:
    """Places of equal items, rising on both sides.

    Of equal items in a row, the last ones are taken: what opens a message stands before its
    content, so of two openings the later one belongs to what follows.
    """
    common = set(ours) & set(theirs)
    kept_a = [index for index, item in enumerate(ours) if item in common]
    kept_b = [index for index, item in enumerate(theirs) if item in common]
    pairs = _aligned([ours[a] for a in kept_a], [theirs[b] for b in kept_b])
    return sorted((kept_a[a], kept_b[b]) for a, b in pairs)


def _aligned(ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> Pairs:
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
        if len(part_a) * len(part_b) <= _MOST_CELLS:
            pairs += [(start_a + a, start_b + b) for a, b in _exact(part_a, part_b)]
            continue
        anchors = _anchors(part_a, part_b)
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


def _anchors(ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> Pairs:
    """Pairs of what is once on both sides, or else equally often; as many as rise on both.

    Once leaves no doubt; more often, something may have come and something else have gone.
    """
    places_a, places_b = _places(ours), _places(theirs)
    alike = [
        (places, places_b[key])
        for key, places in places_a.items()
        if len(places) == len(places_b.get(key, ()))
    ]
    once = [(one[0], other[0]) for one, other in alike if len(one) == 1]
    if once:
        return _rising(sorted(once))
    return _rising(sorted(p for one, other in alike for p in zip(one, other, strict=True)))


def _places(keys: Sequence[Hashable]) -> dict[Hashable, list[int]]:
    places: dict[Hashable, list[int]] = {}
    for index, key in enumerate(keys):
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


def _exact(ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> Pairs:
    """The longest common subsequence."""
    table = [[0] * (len(theirs) + 1)]
    for item in ours:
        row, above = [0], table[-1]
        for b, other in enumerate(theirs):
            row.append(above[b] + 1 if item == other else max(above[b + 1], row[b]))
        table.append(row)
    pairs: Pairs = []
    a, b = len(ours), len(theirs)
    while a and b:
        if ours[a - 1] == theirs[b - 1]:
            a, b = a - 1, b - 1
            pairs.append((a, b))
        elif table[a - 1][b] >= table[a][b - 1]:
            a -= 1
        else:
            b -= 1
    return pairs[::-1]


def _greedy(ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> Pairs:
    places = _places(theirs)
    pairs: Pairs = []
    least = 0
    for a, key in enumerate(ours):
        others = places.get(key, [])
        at = bisect_left(others, least)
        if at < len(others):
            pairs.append((a, others[at]))
            least = others[at] + 1
    return pairs
