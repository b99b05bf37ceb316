"""`dataclass`, `field` and `replace`, as of the standard library, for what a command needs.

To load the module `dataclasses`, and to make with it the dozen classes of a story, takes half as
long as a short command in all. Here nothing is loaded. That an object is frozen is left to the
type checker: to guard it at run time, too, makes making one take four times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

__all__ = ["dataclass", "defaults", "field", "maker", "names", "replace"]

P = ParamSpec("P")
T = TypeVar("T")


class _Anew:
    """A default that is made anew each time."""

    def __init__(self, default_factory: Callable[[], Any]) -> None:
        self.default_factory = default_factory


def _made(*, slots: bool, frozen: bool = False, kw_only: bool = False) -> Callable[[Any], Any]:
    """Make a class as the standard library does with these options, of which slots is a must."""
    assert slots
    return lambda cls: _slotted(cls, {"frozen": frozen, "kw_only": kw_only})


def _altered(one: Any, /, **values: Any) -> Any:
    return one.__class__(**{**_known(one), **values})


def names(cls: Any) -> tuple[str, ...]:
    """What the values of such a class are called, in their order."""
    known: tuple[str, ...] = cls._names
    return known


def defaults(cls: Any) -> dict[str, Any]:
    """Those of them that need not be given, with the values that they then have."""
    known: dict[str, Any] = cls._defaults
    return known


def maker(cls: Callable[P, T]) -> Callable[P, T]:
    """What makes objects of such a class by keywords, in half the time that calling it takes.

    To a class Python hands keywords in a dictionary, which it makes for each object.
    """
    made: Callable[P, T] = _compiled(cls, "*, ", "self = _new(_cls); ", "; return self")
    return made


if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:
    dataclass, field, replace = _made, _Anew, _altered


def _slotted(cls: Any, options: dict[str, bool]) -> Any:
    own, values = cls.__annotations__, vars(cls)
    inherited = getattr(cls, "_names", ())
    names = tuple(dict.fromkeys((*inherited, *own)))
    defaults = {name: values[name] for name in own if name in values}
    defaults = {**getattr(cls, "_defaults", {}), **defaults}
    apart = {*own, "__dict__", "__weakref__"}
    body = {name: value for name, value in values.items() if name not in apart}
    body["__slots__"] = [name for name in names if name not in inherited]
    body |= {"_names": names, "_defaults": defaults, "_options": options}
    made = type(cls)(cls.__name__, cls.__bases__, {**_SHARED, **body})

    def first(self: Any, *values: Any, **named: Any) -> None:
        # Only now: few of the kinds of events are in a story.
        made.__init__ = _compiled(made, "self, *, " if options["kw_only"] else "self, ")
        made.__init__(self, *values, **named)

    made.__init__ = first
    return made


def _compiled(cls: Any, first: str, before: str = "", after: str = "") -> Any:
    """Compile what the class is made with."""
    names, defaults = cls._names, cls._defaults
    given = ", ".join(f"{n}=_defaults['{n}']" if n in defaults else n for n in names)
    kept = "; ".join(
        f"self.{n} = {n}.default_factory() if {n} is _defaults['{n}'] else {n}"
        if isinstance(defaults.get(n), _Anew)
        else f"self.{n} = {n}"
        for n in names
    )
    last = "; self.__post_init__()" if hasattr(cls, "__post_init__") else ""
    space: dict[str, Any] = {"_defaults": defaults, "_new": object.__new__, "_cls": cls}
    exec(f"def __init__({first}{given}): {before}{kept}{last}{after}", space)
    return space["__init__"]


def _known(one: Any) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one._names}


def _equal(one: Any, other: Any) -> Any:
    return _known(one) == _known(other) if one.__class__ is other.__class__ else NotImplemented


def _hash(one: Any) -> int:
    return hash(tuple(_known(one).values()))


def _told(one: Any) -> str:
    values = ", ".join(f"{name}={value!r}" for name, value in _known(one).items())
    return f"{one.__class__.__name__}({values})"


class _AsKnown:
    """By what the functions of `dataclasses`, and orjson, know a class; made when they ask."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, one: object, cls: Any) -> Any:
        from dataclasses import field, make_dataclass

        fields: list[Any] = []
        for name in cls._names:
            value = cls._defaults.get(name)
            if isinstance(value, _Anew):
                value = field(default_factory=value.default_factory)
            fields.append((name, object, value) if name in cls._defaults else (name, object))
        same: Any = make_dataclass(cls.__name__, fields, **cls._options)
        cls.__dataclass_fields__ = same.__dataclass_fields__
        cls.__dataclass_params__ = same.__dataclass_params__
        return getattr(same, self.name)


_SHARED = {
    "__eq__": _equal,
    "__hash__": _hash,
    "__repr__": _told,
    "__dataclass_fields__": _AsKnown("__dataclass_fields__"),
    "__dataclass_params__": _AsKnown("__dataclass_params__"),
}
