"""`finder.namedtuple` makes what the standard library makes."""

from __future__ import annotations

import copy
import pickle
import typing

import pytest

from finder import model
from finder.namedtuple import NamedTuple


class Ours(NamedTuple):
    """A place."""

    name: str
    line: int | None = None
    labels: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """Name and line."""
        return f"{self.name}:{self.line}"

    @classmethod
    def at(cls, line: int) -> Ours:
        return cls("here", line)

    @staticmethod
    def of(name: str) -> Ours:
        return Ours(name)

    def __str__(self) -> str:
        return self.shown


class Theirs(typing.NamedTuple):
    """A place."""

    name: str
    line: int | None = None
    labels: tuple[str, ...] = ()


def test_it_is_what_the_standard_library_makes() -> None:
    assert Ours.__mro__[1:] == Theirs.__mro__[1:]
    assert Ours.__doc__ == Theirs.__doc__
    assert Ours.__module__ == __name__
    assert Ours.__qualname__ == "Ours"
    assert Ours._fields == Theirs._fields
    assert Ours._field_defaults == Theirs._field_defaults
    assert Ours.__match_args__ == Theirs.__match_args__
    assert typing.get_type_hints(Ours) == typing.get_type_hints(Theirs)


def test_it_is_made_altered_and_compared_as_such() -> None:
    ours, theirs = Ours(name="a", line=2), Theirs(name="a", line=2)
    assert ours == theirs == ("a", 2, ())
    assert hash(ours) == hash(theirs)
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert ours._replace(line=3) == ("a", 3, ())
    assert ours._asdict() == theirs._asdict()
    assert copy.copy(ours) == ours
    assert pickle.loads(pickle.dumps(ours)) == ours
    assert not hasattr(ours, "__dict__")
    with pytest.raises(AttributeError):
        ours.line = 4  # type: ignore[misc]
    with pytest.raises(TypeError):
        Ours()  # type: ignore[call-arg]


def test_what_a_class_has_besides_stays() -> None:
    assert Ours.at(5).shown == str(Ours.at(5)) == "here:5"
    assert Ours.of("b") == ("b", None, ())
    assert isinstance(Ours("a"), tuple)
    assert type(Ours("a")) is Ours


def test_a_field_without_default_stands_before_those_with_one() -> None:
    with pytest.raises(KeyError, match="line"):

        class Wrong(NamedTuple):
            name: str = ""
            line: int  # type: ignore[misc]


def test_the_model_is_made_so() -> None:
    session = model.Session(ref=model.Ref("t", "s", "i"), title="x")
    assert session._replace(title=None) == model.Session(ref=model.Ref("t", "s", "i"))
    assert session._field_defaults["labels"] == ()
