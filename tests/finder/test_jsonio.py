"""JSON as tools really write it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finder import files, jsonio
from finder.errors import StoreError
from finder.model import Ref, Text

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    max_leaves=20,
)


@pytest.fixture(autouse=True, scope="module", params=[0, 1 << 40], ids=["many", "few"])
def _patience(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test with msgspec, and as if it were among the first texts of a process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonio, "_patience", request.param)
        yield


@given(_VALUES)
def test_what_is_written_is_read_again(value: object) -> None:
    assert jsonio.loads(jsonio.dumps(value)) == value
    assert jsonio.loads(jsonio.dumps(value, indent=True)) == value
    assert json.loads(jsonio.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"\xef\xbb\xbf[1]", [1]),
        (b'"\\ud800"', "\ud800"),
        (b'"\xff"', "\udcff"),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"[-9223372036854775809 , 18446744073709551616]", [-(2**63) - 1, 2**64]),
        (b'{"n":"123456789012345678901234567890"}', {"n": "123456789012345678901234567890"}),
        (b"[Infinity]", [float("inf")]),
    ],
)
def test_what_strict_parsers_refuse(text: bytes, value: object) -> None:
    assert jsonio.loads(text) == value


def test_huge_integers_keep_all_digits() -> None:
    text = b'{"id":123456789012345678901234567890}'
    assert jsonio.dumps(jsonio.loads(text)) == text


@pytest.mark.parametrize("place", [0, 1, 2, (1 << 20) - 30, (1 << 20) - 4, (1 << 21) - 11])
@pytest.mark.parametrize("digits", [18, 19, 20, 31])
def test_huge_integers_are_found_wherever_they_stand(place: int, digits: int) -> None:
    number = int("123456789012345678901234567890123456789"[:digits])
    assert jsonio.loads(b" " * place + b"[-%d, %d]" % (number, number)) == [-number, number]


@pytest.mark.parametrize("around", [0, 1, 5_000, 1 << 19])
@pytest.mark.parametrize("others", [0, 3, 50, 9_000])
@pytest.mark.parametrize(
    "number", [2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**30, 1e19, -1e300, 1.5]
)
def test_all_numbers_are_right_in_texts_of_any_length(
    number: float, others: int, around: int
) -> None:
    value = {"text": "x" * around, "in": [[{"n": number}], *range(others)]}
    found = jsonio.loads(json.dumps(value).encode())
    assert found == value
    assert type(found["in"][0][0]["n"]) is type(number)


def test_lone_surrogates_are_escaped_and_other_characters_left_readable() -> None:
    assert jsonio.dumps("ü\ud800") == '"ü\\ud800"'.encode()


def test_not_a_number_is_written_as_the_tools_write_it() -> None:
    assert jsonio.dumps([None, float("nan"), -float("inf"), 1.5]) == b"[null,NaN,-Infinity,1.5]"


class _Number(float):
    """As a tool's own reader may give it."""


@pytest.mark.parametrize("around", [0, 5_000, 1 << 19])
@pytest.mark.parametrize("others", [0, 3, 9_000])
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, _Number("nan"), 1e300, 1.5])
def test_odd_numbers_are_written_in_texts_of_any_length(
    number: float, others: int, around: int
) -> None:
    value = {"text": "x" * around, "in": ([{"n": number}], *range(others))}
    (first, *rest) = json.loads(jsonio.dumps(value))["in"]
    assert repr(first) == repr([{"n": number}])
    assert rest == list(range(others))


@pytest.mark.parametrize("depth", [300, 600, 900])
def test_what_can_be_read_can_be_written_even_deeper(depth: int) -> None:
    try:
        value = jsonio.loads("[" * depth + "]" * depth)
    except ValueError:
        pytest.skip("too deep to be read")
    assert jsonio.dumps({"raw": value}) == b'{"raw":' + b"[" * depth + b"]" * depth + b"}"


def test_absurd_nesting_is_an_error_and_no_crash() -> None:
    with pytest.raises(ValueError, match="nested"):
        jsonio.loads("[" * 200_000)


def test_events_are_written_as_they_are() -> None:
    event = Text(text="hi", record="r", raw={"big": 2**70, "odd": "\ud800"})
    written = jsonio.loads(jsonio.dumps(event))
    assert written["text"] == "hi"
    assert written["raw"] == {"big": 2**70, "odd": "\ud800"}
    assert jsonio.loads(jsonio.dumps(Ref("a", "b", "c"))) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"", "empty"), (b" \n\0\0", "empty"), (b'{"a": ', "corrupt"), (b"[1]", "foreign")],
)
def test_a_file_without_an_object_is_a_problem_that_names_it(
    tmp_path: Path, content: bytes, kind: str
) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        jsonio.read_object(path)
    assert (caught.value.problem.kind, caught.value.problem.path) == (kind, str(path))


def test_a_file_with_an_object(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": [1]}')
    assert jsonio.read_object(path) == {"a": [1]}
    assert [jsonio.json_type(v) for v in ({}, [], "", True, None, 1, 1.5)] == [
        "object", "array", "string", "boolean", "null", "number", "number"
    ]  # fmt: skip


def test_values_of_another_type_than_expected_are_harmless() -> None:
    assert [jsonio.string(v) for v in ("a", 1, None)] == ["a", None, None]
    assert [jsonio.integer(v) for v in (1, 2.0, 2.9, True, "1", 2**70, float("nan"))] == [
        1, 2, 2, None, None, None, None
    ]  # fmt: skip
    assert [jsonio.number(v) for v in (1, 2.5, False, float("inf"), float("nan"))] == [
        1.0, 2.5, None, None, None
    ]  # fmt: skip
    assert [jsonio.mapping(v) for v in ({"a": 1}, [])] == [{"a": 1}, {}]
    assert [jsonio.array(v) for v in ([1], {})] == [[1], []]


@pytest.mark.parametrize("place", [0, 1, 7, (1 << 20) - 2, (1 << 20) - 1, 1 << 20, (2 << 20) + 5])
@pytest.mark.parametrize("broken", [b"\xff", b"\xe2\x82x", b"\xf0\x9f\x98x"])
@pytest.mark.parametrize("letter", ["a", "é", "€", "\U0001f600"])
def test_the_first_byte_that_is_not_utf8_is_found(place: int, broken: bytes, letter: str) -> None:
    before = (letter * (place + 1)).encode()[: place - place % len(letter.encode())]
    data = before + broken + b"more \xff" + b" " * (1 << 20)
    with pytest.raises(UnicodeDecodeError) as caught:
        data.decode()
    assert jsonio.not_utf8(data) == caught.value.start
    assert jsonio.not_utf8(before) is None
    assert jsonio.not_utf8(before + broken[:-1]) == (None if broken == b"\xff" else len(before))


def test_a_file_is_read_and_parsed_once_for_two_readers(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"[1]")
    with jsonio.read_twice(tmp_path):
        first = jsonio.read(path)
        path.unlink()
        assert jsonio.read(path) is first
        path.write_bytes(b"[2]")
        assert jsonio.read(path) == [2]
    assert jsonio.read(path) is not jsonio.read(path)
    assert first == [1]


def test_a_file_elsewhere_is_read_whenever_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others may write there."""
    private, path = tmp_path / "private", tmp_path / "private-not" / "a.json"
    for folder in (private, path.parent):
        folder.mkdir()
    path.write_text("[1]")
    monkeypatch.setattr(files, "mapped", lambda _: pytest.fail("it was mapped"))
    with jsonio.read_twice(private):
        assert jsonio.read(path) == [1]
        path.write_text("[2]")
        for there in (path, private / ".." / "private-not" / "a.json"):
            assert jsonio.read(there) == [2]


@pytest.mark.parametrize("data", [b"", b"\0\0", b"[1", b"\xff"])
def test_what_is_wrong_with_a_file_is_said_of_one_that_is_read_twice_too(
    tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(StoreError) as alone:
        jsonio.read(path)
    with jsonio.read_twice(tmp_path):
        for where in (path, path, tmp_path / "gone.json", tmp_path):
            with pytest.raises(StoreError) as caught:
                jsonio.read(where)
            if where == path:
                assert caught.value.problem == alone.value.problem


def test_half_letters_in_a_file_that_is_read_twice_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for long in (b"", b"-" * 100_000):
        path.write_bytes(b'["\\ud800", "\xe9%b"]' % long)
        with jsonio.read_twice(tmp_path):
            known = ["\ud800", "\udce9" + long.decode()]
            assert jsonio.read(path) == jsonio.read(path) == known


@pytest.mark.parametrize("letter", ["\ud800", "\udce9", "a\udcffb"])
def test_a_text_with_half_letters_keeps_them(letter: str) -> None:
    """As a database gives one whose bytes are no UTF-8."""
    assert jsonio.loads(f'{{"text": "{letter}"}}') == {"text": letter}


def test_what_is_very_deep_is_not_set_in_by_its_depth() -> None:
    deep: object = float("nan")
    for _ in range(950):
        deep = {"a": [deep]}
    written = jsonio.dumps(deep, indent=True)
    assert written == jsonio.dumps(deep)
    assert b"\n  " in jsonio.dumps({"a": [float("nan")]}, indent=True)


def test_the_depth_of_a_value() -> None:
    assert jsonio.depth("x") == jsonio.depth(None) == 1
    assert jsonio.depth([]) == jsonio.depth({}) == 1
    assert jsonio.depth([1]) == jsonio.depth({"a": "b"}) == 2
    assert jsonio.depth({"a": [1, {"b": []}], "c": [[]]}) == 4
