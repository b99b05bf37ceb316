"""What SQLite can be asked for where case is ignored by the rules of Unicode.

SQLite's LIKE compares ASCII letters without case and goes through a gigabyte in a second, but
it knows nothing of the sixteen other letters that are equal to ASCII ones when case is ignored:

    ß ẞ = ss   ſ = s   K (of Kelvin) = k   ﬀ ﬁ ﬂ ﬃ ﬄ ﬅ ﬆ = ff fi fl ffi ffl st   ŉ İ ẚ = ʼn i̇ aʾ
"""

from __future__ import annotations

import re

_LONG_ENOUGH = 5
# LIKE stops at each place where the first letter of what it looks for stands.
_RAREST_FIRST = "zqxjkvbwypgmfudhclrsnoaitea"


def not_ascii(column: str) -> str:
    """The condition that a text has letters beyond ASCII."""
    return f"length({column}) <> length(CAST({column} AS BLOB))"


def untouched(piece: str) -> str:
    """The longest part of a piece that can stand in a text in ASCII letters only."""
    parts = re.split(r"[skf;`]|[^\x00-\x7f]", piece)
    trimmed = (part.lstrip("iltn").rstrip("ia") for part in parts)
    return max(trimmed, key=len)


def quickest(needle: str) -> str:
    """The end of an untouched needle that is found the fastest and is still telling."""
    starts = [0]
    starts += [at for at in range(1, len(needle) - _LONG_ENOUGH + 1) if needle[at] not in "iltn"]
    return needle[min(starts, key=lambda at: _RAREST_FIRST.find(needle[at])) :]
