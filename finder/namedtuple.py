"""`NamedTuple`, as of the standard library, for what a command needs.

That one compiles the text of each annotation only to look at it. So it takes twice as long to make
a class, of which most commands need some thirty.
"""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any

__all__ = ["NamedTuple"]

_namedtuple: Any = collections.namedtuple
_APART = frozenset({"__annotations__", "__module__"})


class _Maker(type):
    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> Any:
        if not bases:
            return super().__new__(cls, name, bases, body)
        fields = body["__annotations__"]
        names = list(fields)
        given = sum(field in body for field in names)
        # Of the last so many: that one of these has none is an error here, too.
        defaults = [body[field] for field in names[len(names) - given :]]
        made = _namedtuple(name, names, defaults=defaults, module=body["__module__"])
        made.__annotations__ = fields
        for key, value in body.items():
            if key not in fields and key not in _APART:
                setattr(made, key, value)
        return made


class _Base(metaclass=_Maker):
    """What a class names as its base, and does not get."""


if TYPE_CHECKING:
    from typing import NamedTuple
else:
    NamedTuple = _Base
