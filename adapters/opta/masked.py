"""Tool results that Opta dropped, found again: other copies and the logs may still have them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

from adapters.opta import injected

_HALVES = "".join(map(chr, range(0xD800, 0xDC00)))


class Outputs:
    """Full outputs, looked up by their call and by the note that stands for one of them."""

    def __init__(self, outputs: Mapping[str, Sequence[str]]) -> None:
        self._outputs = outputs
        self._sorted: dict[str, dict[int, list[str]]] = {}  # of a call: by length, in order

    def whole(self, call: str, stored: str) -> str:
        """A tool's output: in full, where it was masked and something still has it."""
        note = injected.mask(stored) if call in self._outputs else None
        if note is None:
            return stored
        if call not in self._sorted:
            self._sorted[call] = _by_length(self._outputs[call])
        texts = self._sorted[call].get(note.length, [])
        # Opta cuts after 100 UTF-16 units, perhaps in the middle of a character.
        start = note.first_line.rstrip(_HALVES)
        place = bisect_left(texts, start)
        fits = place < len(texts) and texts[place].startswith(start)
        return texts[place] if fits else stored


def _by_length(texts: Sequence[str]) -> dict[int, list[str]]:
    """Texts by their length in UTF-16 units."""
    found: dict[int, list[str]] = {}
    for text in sorted(set(texts)):
        found.setdefault(len(text.encode("utf-16-le", "surrogatepass")) // 2, []).append(text)
    return found
