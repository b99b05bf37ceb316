"""Classes made without `dataclasses` are what that would have made, as far as anyone can tell."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys

import orjson
import pytest

from finder.dataclass import dataclass, defaults, field, maker, names, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    kind: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Said(Base):
    """Words."""

    kind: str = "said"
    text: str

    @property
    def length(self) -> int:
        return len(self.text)


@dataclass(frozen=True, slots=True)
class Pair:
    left: int
    right: int = 2


def test_the_values_are_kept_and_the_defaults_known() -> None:
    said = Said(text="yes")
    assert (said.kind, said.labels, said.text, said.length) == ("said", (), "yes", 3)
    assert Said(text="no", kind="other", labels=("a",)).kind == "other"
    assert (Pair(1).left, Pair(1).right, Pair(1, right=5).right) == (1, 2, 5)
    assert repr(said) == "Said(kind='said', labels=(), text='yes')"
    assert Said.__doc__ == "Words."


def test_a_call_that_is_wrong_is_told_like_any_other() -> None:
    for _ in range(2):  # the first one makes what the others find
        with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'text'"):
            Said()  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="positional"):
            Said("yes")  # type: ignore[misc, call-arg]
        with pytest.raises(TypeError, match="unexpected keyword argument 'odd'"):
            Pair(1, odd=3)  # type: ignore[call-arg]


def test_a_maker_makes_what_calling_the_class_does() -> None:
    made = maker(Said)(text="yes", labels=("a",))
    assert made == Said(text="yes", labels=("a",))
    assert type(made) is Said
    assert repr(maker(Said)(text="yes")) == "Said(kind='said', labels=(), text='yes')"
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'text'"):
        maker(Said)()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'odd'"):
        maker(Pair)(left=1, odd=3)  # type: ignore[call-arg]


def test_one_is_made_from_another() -> None:
    said = Said(text="yes", labels=("a",))
    assert replace(said, text="no") == Said(text="no", labels=("a",))
    assert replace(Pair(1), left=4) == Pair(4)


def test_they_have_no_other_values() -> None:
    assert not hasattr(Said(text="yes"), "__dict__")
    with pytest.raises(AttributeError):
        Said(text="yes").more = 1  # type: ignore[attr-defined]


def test_they_are_equal_by_their_class_and_values() -> None:
    assert Said(text="yes") == Said(text="yes")
    assert hash(Said(text="yes")) == hash(Said(text="yes"))
    assert Said(text="yes") != Said(text="no")
    assert Base(kind="said") != Said(text="yes")


def test_the_standard_library_and_orjson_take_them_for_its_own() -> None:
    said = Said(text="yes")
    assert dataclasses.is_dataclass(said)
    assert [f.name for f in dataclasses.fields(Said)] == ["kind", "labels", "text"]
    assert {f.name: f.default for f in dataclasses.fields(Pair)}["right"] == 2
    assert dataclasses.replace(said, text="no") == Said(text="no")
    assert dataclasses.asdict(said) == {"kind": "said", "labels": (), "text": "yes"}
    assert orjson.loads(orjson.dumps(Pair(1))) == {"left": 1, "right": 2}
    assert copy.deepcopy(said) == said
    assert pickle.loads(pickle.dumps(said)) == said


def test_a_class_of_the_standard_library_may_be_made_from_one() -> None:
    @dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
    class Loud(Said):
        tone: int = 3

    @dataclasses.dataclass(frozen=True)
    class Triple(Pair):
        more: int = 7

    loud = Loud(text="yes")
    assert (loud.text, loud.kind, loud.tone, loud.length) == ("yes", "said", 3, 3)
    assert Triple(1, 5) == Triple(left=1, right=5, more=7)
    with pytest.raises(dataclasses.FrozenInstanceError):
        loud.tone = 4  # type: ignore[misc]


def test_the_events_are_made_without_the_standard_library() -> None:
    code = "import sys, finder.event; sys.exit('dataclasses' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@dataclass(slots=True)
class Basket:
    name: str
    things: list[str] = field(default_factory=list)
    count: int = 0

    def __post_init__(self) -> None:
        self.count = len(self.things)


def test_a_default_may_be_made_anew_each_time() -> None:
    one, other = Basket("a"), Basket("b")
    one.things.append("x")
    assert (one.things, other.things) == (["x"], [])
    assert Basket("a", ["x", "y"]).count == 2
    assert replace(one, name="c").things is one.things
    assert dataclasses.fields(Basket)[1].default_factory is list
    assert dataclasses.replace(one, name="c") == replace(one, name="c")


def test_the_names_of_values_are_told() -> None:
    assert names(Said) == names(Said(text="x")) == ("kind", "labels", "text")
    assert defaults(Said) == {"kind": "said", "labels": ()}
