"""Aligning two sequences so that what is most alike comes together.

The textbook algorithms take time that grows with the product of the lengths, which is too much for
10,000 events. So what is long is parted first at anchors, as in patience diff: at what is there
just once on both sides. What is between them is solved exactly.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

FEW_CELLS = 10_000  # of the exact solution's table: solved so without asking further
_MOST_CELLS = 250_000

Pairs = list[tuple[int, int]]
Item = tuple[int, ...]
"""What an item is known by, the most telling first: two items are as alike as the first of
these numbers that they have in common. The last number is for a choice between equals."""


def aligned(ours: Sequence[Item], theirs: Sequence[Item]) -> Pairs:
    """Places of items that are alike, rising on both sides.

    As many as there can be are alike in what is most telling; of such alignments as many in
    what comes next, and so on. Of what is left equal, the last ones are taken: what opens a
    message stands before its content, so of two openings the later belongs to what follows.
    """
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
        cells = len(part_a) * len(part_b)
        anchors, certain = ([], False) if cells <= FEW_CELLS else _anchors(part_a, part_b)
        if cells <= FEW_CELLS or (cells <= _MOST_CELLS and not certain):
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
    return sorted(pairs)


def _anchors(ours: Sequence[Item], theirs: Sequence[Item]) -> tuple[Pairs, bool]:
    """Pairs of what is once on both sides, or else equally often; as many as rise on both.

    The second value: all that is once rises, so there is no doubt. What is there more often may
    have come in one place and gone in another.
    """
    places_a, places_b = _places(ours, 0), _places(theirs, 0)
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


def _places(items: Sequence[Item], feature: int) -> dict[int, list[int]]:
    places: dict[int, list[int]] = {}
    for index, item in enumerate(items):
        places.setdefault(item[feature], []).append(index)
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


def _exact(ours: Sequence[Item], theirs: Sequence[Item]) -> Pairs:
    """The best alignment, by the table of the best one of every two beginnings."""
    scores = _scores(ours, theirs)
    table = [[0] * (len(theirs) + 1)]
    for row in scores:
        above, best = table[-1], [0]
        last = 0
        for b, score in enumerate(row):
            if score and above[b] + score > last:
                last = above[b] + score
            last = max(last, above[b + 1])
            best.append(last)
        table.append(best)
    pairs: Pairs = []
    a, b = len(ours), len(theirs)
    while a and b:
        here, score = table[a][b], scores[a - 1][b - 1]
        if score and here == table[a - 1][b - 1] + score:
            a, b = a - 1, b - 1
            pairs.append((a, b))
        elif table[a - 1][b] == here:
            a -= 1
        else:
            b -= 1
    return pairs[::-1]


def _scores(ours: Sequence[Item], theirs: Sequence[Item]) -> list[list[int]]:
    """What each pair counts: one that is alike in more counts more than all others together."""
    width = len(ours[0]) - 1
    base = min(len(ours), len(theirs)) + 1
    weights = [base ** (width - feature) for feature in range(width)]
    scores = []
    for item in ours:
        row = [0] * len(theirs)
        for b, other in enumerate(theirs):
            for feature in range(width):
                if item[feature] == other[feature]:
                    row[b] = weights[feature] + (item[-1] == other[-1])
                    break
        scores.append(row)
    return scores


def _greedy(ours: Sequence[Item], theirs: Sequence[Item]) -> Pairs:
    """An alignment that is quickly found, for what is long and all alike."""
    pairs: Pairs = []
    for feature in (0, 1):
        places = _places(theirs, feature)
        least = 0
        for a, item in enumerate(ours):
            others = places.get(item[feature], [])
            at = bisect_left(others, least)
            if at < len(others):
                pairs.append((a, others[at]))
                least = others[at] + 1
        if pairs:
            break
    return pairs
