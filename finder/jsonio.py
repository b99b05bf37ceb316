"""Bytes to JSON and back, surviving what tools really write.

msgspec reads and orjson writes. Both are fast, and refuse lone surrogates, NaN and more levels
than a stack has; msgspec also a byte-order mark and invalid UTF-8. Tools write all of these, so
what they refuse goes to the standard library. So do the first texts of a process: to load msgspec
takes longer than they do. orjson does not read, since it makes floats of long integers, and takes
half as long again, and half as much memory again, for a document of megabytes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from finder import files
from finder.errors import StoreError
from finder.model import Json, JsonObject, Problem

if TYPE_CHECKING:
    from mmap import mmap

# In a text of some length, to look at one value takes as long as the search in so many bytes.
_LONG, _BYTES_A_VALUE, _MOST_VALUES = 2_048, 128, 262_144
_SLICE = 1 << 20
_ORDINARY = frozenset({str, int, bool, type(None)})
# Bytes that are parsed before msgspec is loaded, which takes as long as what four times as many
# gain by it.
_LITTLE = 1 << 20
_MAX_DEPTH = 900  # of nested values that the standard parser is given; Python's stack ends at 1,000


def loads(data: bytes | str) -> Json:
    """Parse one JSON text.

    Invalid UTF-8 is kept as surrogate escapes (``\\udcff`` for the byte FF).

    Raises:
        ValueError: it is not JSON; the message says where.
    """
    global _patience  # noqa: PLW0603  (it is of the process: msgspec is loaded once)
    if len(data) <= _patience:
        _patience -= len(data)
        with suppress(ValueError):
            return _leniently(data)
    value = _strictly(data)
    return _leniently(data) if value is _REFUSED else value


def expect_much() -> None:
    """Say that much will be read, or anything written: msgspec reads from the first text on."""
    global _patience  # noqa: PLW0603
    _patience = 0


_patience = _LITTLE
_REFUSED = object()


def _strictly(data: bytes | str | mmap) -> Json:
    """What msgspec makes of it; `_REFUSED` for what is not plainly JSON."""
    try:
        return _parser()(data)
    except (ValueError, RecursionError):  # also a lone surrogate
        return _REFUSED


@cache
def _parser() -> Callable[[bytes | str | mmap], Json]:
    import msgspec

    return msgspec.json.Decoder().decode


def _leniently(data: bytes | str) -> Json:
    import json

    text = data if isinstance(data, str) else data.decode("utf-8", "surrogateescape")
    text = text.removeprefix("\ufeff")
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError(f"nested more than {_MAX_DEPTH} levels deep") from None


def dumps(value: Json, *, indent: bool = False, sort: bool = False, finite: bool = False) -> bytes:
    """Write one JSON text in UTF-8, without a line break at the end; with `sort` by its keys.

    `finite`: there is no NaN and no infinity in it, so they need not be looked for.

    Lone surrogates are written as escapes (``\\ud800``), surrogate escapes as the bytes they
    stand for are not valid JSON and so are written as escapes too. NaN and the infinities are
    written by these names, as the tools write them.
    """
    data = quick(value, indent=indent, sort=sort, finite=finite)
    return _slow_dumps(value, indent, sort) if data is None else data


def quick(
    value: Json, *, indent: bool = False, sort: bool = False, finite: bool = False
) -> bytes | None:
    """Like `dumps`; None for what takes long: of more than 254 levels, odd numbers or letters."""
    import orjson

    option = orjson.OPT_NON_STR_KEYS | (orjson.OPT_INDENT_2 if indent else 0)
    option |= orjson.OPT_SORT_KEYS if sort else 0
    try:
        # A `Ref` is a tuple by a name, which orjson does not write by itself.
        data = orjson.dumps(value, option=option, default=list)
    except (TypeError, ValueError):
        return None
    if finite:
        return data
    # It writes null for NaN and the infinities.
    odd = None
    if len(data) >= _LONG:
        odd = _has_odd_float(value, min(len(data) // _BYTES_A_VALUE, _MOST_VALUES))
    if odd is None:
        odd = b"null" in data and _has_odd_float(value)
    return None if odd else data


def _slow_dumps(value: Json, indent: bool, sort: bool) -> bytes:
    import json

    # Set in by its depth, a text grows with the square of it. Some Pythons would go on for long.
    indent = indent and not _is_deep(value)
    try:
        text = json.dumps(
            value,
            ensure_ascii=False,
            indent=2 if indent else None,
            separators=None if indent else (",", ":"),
            sort_keys=sort,
            default=_plain,
        )
    except RecursionError:
        text = "".join(_tokens(value, sort))
    try:
        return text.encode()
    except UnicodeEncodeError:
        # Lone surrogates: escape just these, and leave all other characters readable.
        return re.sub("[\ud800-\udfff]", lambda m: f"\\u{ord(m[0]):04x}", text).encode()


def _has_odd_float(value: Json, most: int | None = None) -> bool | None:
    """Whether there is NaN or an infinity in it; None: it has more than so many values."""
    waiting = [value]
    for item in waiting:
        kind = type(item)
        if kind is str or kind is int:
            continue
        if kind is dict:
            waiting += item.values()
        elif kind is list:
            waiting += item
        elif isinstance(item, float):
            if not isfinite(item):
                return True
        else:
            waiting += _inner(item)
        if most is not None and len(waiting) > most:
            return None
    return False


def _is_deep(value: Json) -> bool:
    """Whether it is nested over `_MAX_DEPTH` levels."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [one for item in level for one in _inner(item)]
        if not level:
            return False
    return True


def _inner(item: Json) -> list[Json]:
    """What is in a value but for texts, whole numbers and the like."""
    inner: Iterable[Json] = ()
    if isinstance(item, dict):
        inner = item.values()
    elif isinstance(item, list | tuple):
        inner = item
    elif item is not None and not isinstance(item, str | int | float):
        inner = _plain(item).values()
    return [one for one in inner if type(one) not in _ORDINARY]


def _tokens(value: Json, sort: bool) -> Iterator[str]:
    """The pieces of a JSON text of any depth: deeper than the standard library can go."""
    import json

    waiting: list[tuple[bool, Any]] = [(True, value)]  # (a value or a piece of text, it)
    while waiting:
        is_value, item = waiting.pop()
        if not is_value:
            yield item
        elif isinstance(item, dict):
            pairs = sorted(item.items()) if sort else item.items()
            pieces = [(key, (True, inner)) for key, inner in pairs]
            waiting.append((False, "}"))
            for n, (key, inner) in reversed(list(enumerate(pieces))):
                waiting += [inner, (False, f"{',' if n else ''}{json.dumps(str(key))}:")]
            waiting.append((False, "{"))
        elif isinstance(item, list | tuple):
            waiting.append((False, "]"))
            for n in range(len(item) - 1, -1, -1):
                waiting += [(True, item[n]), (False, "," if n else "")]
            waiting.append((False, "["))
        elif item is None or isinstance(item, str | int | float):
            yield json.dumps(item, ensure_ascii=False)
        else:
            waiting.append((True, _plain(item)))


def _plain(value: Any) -> Json:
    from dataclasses import fields, is_dataclass

    if is_dataclass(value):
        return {f.name: getattr(value, f.name) for f in fields(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form")


class _Kept:
    """What the files in a private folder say."""

    def __init__(self, folder: Path) -> None:
        self._folder = f"{folder}{os.sep}"
        self.values: dict[Path, Parsed] = {}

    def has(self, path: Path) -> bool:
        return str(path).startswith(self._folder) and ".." not in path.parts


_kept: _Kept | None = None


@contextmanager
def read_twice(folder: Path) -> Iterator[None]:
    """Within, what a file says is parsed for the first reader and given to the second one too.

    Args:
        folder: in which nobody else writes meanwhile; no other file is kept. First the headers of
            its files are read and then the rest. Readers do not alter what they get.
    """
    global _kept  # noqa: PLW0603  (what reads is far from who knows that it reads twice)
    _kept = _Kept(folder)
    try:
        yield
    finally:
        _kept = None


class Parsed(NamedTuple):
    """What a JSON text says. `strict`: the text is right in all, so it is also UTF-8."""

    value: Json
    strict: bool


def kept(path: Path) -> Parsed | None:
    """What a file says that is read twice; None: its reader finds out what is wrong with it.

    It is parsed where the system has it: to make room for a copy of many megabytes takes as long
    as half of the parsing. If somebody cut the file meanwhile, that would end the process.
    """
    if _kept is None or not _kept.has(path):
        return None
    if path in _kept.values:
        return _kept.values.pop(path)
    try:
        with files.mapped(path) as data:
            return _kept.values.setdefault(path, parsed(data))
    except (StoreError, ValueError):
        return None


def parsed(data: bytes | mmap) -> Parsed:
    """Like `loads`, and whether the text is right in all."""
    value = _strictly(data)
    strict = value is not _REFUSED
    return Parsed(value if strict else _leniently(bytes(data)), strict)


def read(path: Path) -> Json:
    """The JSON value in a file.

    Raises:
        StoreError: the file cannot be read, is empty, or is not JSON. Its problem names the
            file and the place in it.
    """
    known = kept(path)
    if known is not None:
        return known.value
    data = files.read(path)
    if is_blank(data):
        raise StoreError(Problem(kind="empty", path=str(path), message="the file is empty"))
    try:
        return parsed(data).value
    except ValueError as error:
        message = f"not valid JSON ({error}); the file may be damaged or still being written"
        raise StoreError(Problem(kind="corrupt", path=str(path), message=message)) from None


def is_blank(data: bytes) -> bool:
    """Whether it is empty, or filled up: what a crash leaves of a file."""
    blank = b"\x00 \t\r\n"
    return not data[:99].strip(blank) and not data.strip(blank)  # the second makes a copy


def not_utf8(data: bytes) -> int | None:
    """The place of the first byte that is not UTF-8; None: all are."""
    from codecs import getincrementaldecoder

    decoder = getincrementaldecoder("utf-8")()
    for start in range(0, len(data), _SLICE):  # all at once takes up to four times as much memory
        before = len(decoder.getstate()[0])
        try:
            decoder.decode(data[start : start + _SLICE], final=start + _SLICE >= len(data))
        except UnicodeDecodeError as error:
            return start - before + error.start
    return None


def read_object(path: Path) -> JsonObject:
    """The JSON object in a file; another JSON value is a `StoreError` of kind foreign."""
    value = read(path)
    if not isinstance(value, dict):
        message = f"holds a JSON {json_type(value)} where an object is expected"
        raise StoreError(Problem(kind="foreign", path=str(path), message=message))
    return value


def json_type(value: Json) -> str:
    """The JSON name of a value's type."""
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


def same(ours: Json, theirs: Json) -> bool:
    """Whether two values are the same; unlike in Python, 1, 1.0 and true are not."""
    if ours is theirs:
        return True
    if type(ours) in _ORDINARY:
        return type(ours) is type(theirs) and bool(ours == theirs)
    waiting = [(ours, theirs)]
    for one, other in waiting:  # no recursion: a value may be nested as deeply as its parser goes
        if type(one) is not type(other):
            return False
        if isinstance(one, dict):
            if one.keys() != other.keys():
                return False
            # Nearly all are texts, which equal nothing but texts.
            waiting += [
                (value, other[key])
                for key, value in one.items()
                if type(value) is not str or value != other[key]
            ]
        elif isinstance(one, list | tuple):
            if len(one) != len(other):
                return False
            waiting += zip(one, other, strict=True)
        elif one != other and not (one != one and other != other):  # noqa: PLR0124 - NaN
            return False
    return True


def depth(value: Json) -> int:
    """How many levels it has: one, and one more for each object and array around another value."""
    deepest, waiting = 0, [(1, value)]
    while waiting:
        level, item = waiting.pop()
        deepest = max(deepest, level)
        if isinstance(item, dict | list):
            inner = item.values() if isinstance(item, dict) else item
            waiting += [(level + 1, one) for one in inner]
    return deepest


# Values of a foreign record may have any type. These give the value where it has the type that
# is expected, and something harmless where it has not; the record itself stays in `raw`.


def string(value: Json) -> str | None:
    """The value if it is a string."""
    return value if isinstance(value, str) else None


def integer(value: Json) -> int | None:
    """The value if it is a whole number that fits 64 bits, also one written as 1.0."""
    if type(value) is not int and type(value) is not float:
        return None
    if not -(2**63) < value < 2**63:  # also NaN, which compares as false
        return None
    return int(value)


def number(value: Json) -> float | None:
    """The value if it is a finite number."""
    if type(value) is not int and type(value) is not float:
        return None
    return float(value) if -1e300 < value < 1e300 else None


def mapping(value: Json) -> JsonObject:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def array(value: Json) -> list[Json]:
    """The value if it is an array, else an empty one."""
    return value if isinstance(value, list) else []
