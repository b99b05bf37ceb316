"""Making foreign text harmless on a terminal, and measuring it.

Titles, paths and transcripts were written by anybody: a model, a web page, a file name. Escape
sequences in them could move the cursor, rename the window or hide a line; bidirectional
overrides and zero-width characters could make one text look like another. All human output,
error messages included, goes through `line` or `block`, which show such characters as marks.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

# Control characters but line feed and tab; characters that turn the direction of writing, break
# lines, take no room, or are half a character.
_UNSAFE = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e01ef\ud800-\udfff"
)
# The joiners spell words in Persian and the scripts of India, and join emoji. They are left
# alone there; between ASCII letters they only deceive.
_JOINED = "(?<=[^\x00-\x7f])[\u200c\u200d](?=[^\x00-\x7f])"
_ELLIPSIS = "…"
_PIECE = 1 << 16  # characters
_LONGEST_LINE = 100_000  # characters; nobody reads more as one line


@cache
def _unsafe(*, of_ascii: bool) -> re.Pattern[str]:
    # In a text of ASCII alone there is less to look for, ten times as fast.
    # A text may be nothing else: then runs of them are marked in a quarter of the time.
    return re.compile("[\x00-\x08\x0b-\x1f\x7f]+" if of_ascii else f"({_JOINED})|[{_UNSAFE}]")


def _marked(text: str) -> str:
    return _unsafe(of_ascii=text.isascii()).sub(_mark, text)


def block(text: str) -> str:
    """Text of several lines: line feeds and tabs are kept, the rest is made visible."""
    if len(text) <= _PIECE or (
        "\r" not in text and not _unsafe(of_ascii=text.isascii()).search(text)
    ):
        return _marked(text.replace("\r\n", "\n"))
    return "".join(_marked(piece.replace("\r\n", "\n")) for piece in pieces(text))


def pieces(text: str) -> Iterator[str]:
    """The text in pieces, for one of megabytes: what is made of it takes many times as much.

    They end where nothing is joined: at an ASCII character that is no carriage return.
    """
    start = 0
    while len(text) - start > _PIECE:
        found = _cut_after().search(text, start + _PIECE)
        end = found.end() if found else len(text)
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]


@cache
def _cut_after() -> re.Pattern[str]:
    return re.compile("[\0-\x0c\x0e-\x7f]")


def line(text: str) -> str:
    """Text on one line: runs of white space become one space, the rest is made visible.

    Of megabytes, such as a hostile title, the beginning is told, and how much there is.
    """
    if len(text) > _LONGEST_LINE:
        return f"{line(text[:_LONGEST_LINE])}{_ELLIPSIS} ({len(text):,} characters)"
    return _marked(" ".join(text.split()))


def _mark(found: re.Match[str]) -> str:
    run = found[0]
    if found.lastindex:
        return run
    return _sign(run) if len(run) == 1 else "".join(map(_sign, run))


@cache
def _sign(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)  # the picture of the control character
    if code == 0x7F:
        return "␡"
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return f"<U+{code:04X}>"


def width(text: str) -> int:
    """How many columns of a terminal a text takes: East Asian wide ones count two."""
    return len(text) if text.isascii() else sum(map(_columns, text))


@cache
def _columns(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, columns: int) -> str:
    """The text, its end replaced by an ellipsis where it takes more than so many columns."""
    if width(text) <= columns:
        return text
    kept, used = [], 1
    for character in text:
        used += _columns(character)
        if used > columns:
            break
        kept.append(character)
    return "".join(kept).rstrip() + _ELLIPSIS if columns > 0 else ""


def cut_start(text: str, columns: int) -> str:
    """Like `cut`, but keeps the end: of a path that is the part that tells most."""
    if width(text) <= columns:
        return text
    return cut(text[::-1], columns)[::-1] if columns > 0 else ""


def wrapped(text: str, columns: int) -> Iterator[str]:
    """A line in pieces of at most so many columns, broken at spaces where there are any.

    Nothing is left out but one space at such a break.
    """
    columns = max(columns, 2)  # of a wide character
    if text.isascii():
        yield from _wrapped_ascii(text, columns)
        return
    start = used = 0
    space = None  # where the piece can be broken, for something stands before it
    for place, character in enumerate(text):
        used += _columns(character)
        while used > columns:
            end = place if character == " " else space
            yield text[start : place if end is None else end]
            start, space = place if end is None else end + 1, None
            used = width(text[start : place + 1])
        if character == " " and text[start:place].strip():
            space = place
    if start < len(text) or not start:
        yield text[start:]


def _wrapped_ascii(text: str, columns: int) -> Iterator[str]:
    """The same where each character takes one column: a text of megabytes is worth it."""
    start = 0
    while len(text) - start > columns:
        place = start + columns
        end = place if text[place] == " " else text.rfind(" ", start, place)
        if 0 <= end < place and not text[start:end].strip():
            end = -1
        yield text[start : place if end < 0 else end]
        start = place if end < 0 else end + 1
    if start < len(text) or not start:
        yield text[start:]


def padded(text: str, columns: int) -> str:
    """The text, filled with spaces to so many columns."""
    return text + " " * (columns - width(text))


def home_short(path: str, home: str) -> str:
    """A path with the home folder written as ``~``."""
    if home not in {"", "/"} and (path == home or path.startswith((home + "/", home + "\\"))):
        return "~" + path[len(home) :]
    return path
