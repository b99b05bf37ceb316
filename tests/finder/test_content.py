from __future__ import annotations

from base64 import b64encode

import pytest

from finder.content import Hit, fields, hit
from finder.model import (
    Attachment,
    Event,
    Message,
    Notice,
    Opaque,
    Reasoning,
    Subagent,
    Text,
    ToolCall,
    ToolResult,
)
from finder.words import Sought

STORY: list[Event] = [
    Message(record="m1", role="user"),
    Text(record="p1", role="user", text="Please fix the retry backoff of the client."),
    Text(record="p2", role="user", text="Continue with the backoff.", labels=("synthetic",)),
    Message(record="m2", role="assistant", error="APIError: rate limit reached"),
    Reasoning(record="p3", role="assistant", text="The Jitter is missing."),
    ToolCall(record="p4", call="c", name="bash", input={"command": ["grep", {"x": "jitter"}]}),
    ToolResult(record="p4", call="c", role="tool", output="src/client.py:12: retry", title="grep"),
]


def found(*words: str, synthetic: bool = True) -> Hit | None:
    return hit(STORY, Sought.of(words, synthetic=synthetic))


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (Reasoning(text="cipher", redacted=True), []),
        (ToolCall(call="c", name="edit", input="not json"), [("input", "not json")]),
        (ToolCall(call="c", name="edit", input={"n": 3, "a": [None, {"b": "deep"}]}),
         [("input", "deep")]),
        (ToolResult(call="c", output="no such file", status="error"), [("error", "no such file")]),
        (Subagent(prompt="look", result="found"), [("input", "look"), ("output", "found")]),
        (Attachment(name="a.txt", path="/tmp/a.txt", url="data:text/plain,x"),
         [("file", "a.txt"), ("file", "/tmp/a.txt")]),
        (Attachment(name="a", mime="text/plain", data=b64encode("whole ö".encode()).decode()),
         [("file", "a"), ("output", "whole ö")]),
        (Attachment(name="a", mime="text/plain", data="!broken!"), [("file", "a")]),
        (Attachment(name="i.png", mime="image/png", data="AAAA"), [("file", "i.png")]),
        (Notice(kind="diff", text="src/a.py +1 -0"), [("file", "src/a.py +1 -0")]),
        (Notice(kind="retry", text="APIError"), [("error", "APIError")]),
        (Opaque(kind="part", problem="not JSON", raw='{"text": "half'),
         [("unread", '{"text": "half')]),
        (Opaque(kind="part", problem="not JSON", raw={"id": "prt", "data": '{"half'}),
         [("unread", '{"half')]),
        (Opaque(kind="step-start", raw={"data": {"snapshot": "x"}}), []),
    ],
)  # fmt: skip
def test_what_of_an_event_is_searched(event: Event, expected: list[tuple[str, str]]) -> None:
    assert list(fields(event)) == expected


def test_endless_nesting_in_an_input_is_left_alone() -> None:
    given: list[object] = []
    given.append(given)
    assert list(fields(ToolCall(call="c", name="x", input=given))) == []


def test_all_terms_must_be_in_the_session_but_not_in_one_event() -> None:
    apart = found("backoff", "jitter")
    assert apart is not None
    assert not apart.together
    assert found("backoff", "nowhere") is None


def test_terms_in_one_event_are_together() -> None:
    together = found("backoff", "client")
    assert together is not None
    assert together.together
    assert together.quotes[0].seq == 1


def test_a_quote_says_where_it_stands() -> None:
    hits = found("jitter")
    assert hits is not None
    assert [(q.seq, q.type, q.field, q.record) for q in hits.quotes] == [
        (4, "reasoning", "reasoning", "p3"),
        (5, "tool_call", "input", "p4"),
    ]
    quote = hits.quotes[0]
    assert quote.snippet[quote.spans[0].start : quote.spans[0].end] == "Jitter"


def test_errors_are_found_as_they_are_told() -> None:
    hits = found('"apierror: rate"')
    assert hits is not None
    assert hits.quotes[0].field == "error"


def test_what_the_tool_put_in_is_marked_and_comes_last() -> None:
    mixed = found("backoff")
    assert mixed is not None
    assert not mixed.synthetic
    assert [quote.seq for quote in mixed.quotes] == [1, 2]
    only = found("continue")
    assert only is not None
    assert only.synthetic
    assert only.quotes[0].labels == ("synthetic",)


def test_what_the_tool_put_in_can_be_left_out() -> None:
    assert found("continue", synthetic=False) is None
    said = found("backoff", synthetic=False)
    assert said is not None
    assert [quote.seq for quote in said.quotes] == [1]


def test_quotes_are_few_and_show_every_term() -> None:
    story: list[Event] = [Text(text=f"common {number}") for number in range(50)]
    story.append(Text(text="rare at last"))
    hits = hit(story, Sought.of(["common rare"]))
    assert hits is not None
    assert [quote.seq for quote in hits.quotes] == [0, 1, 50]


def test_what_is_said_again_is_quoted_once() -> None:
    story: list[Event] = [
        Text(text="a needle", labels=("synthetic",)),
        ToolResult(call="c", output="a needle"),
        Subagent(result="a needle"),
        Text(text="a needle, again"),
    ]
    hits = hit(story, Sought.of(["needle"]))
    assert hits is not None
    assert [quote.seq for quote in hits.quotes] == [0, 1, 3]


def test_a_long_text_is_cut_around_the_words_at_spaces() -> None:
    text = "word " * 500 + "the needle here " + "word " * 500
    hits = hit([Text(text=text)], Sought.of(["needle"]))
    assert hits is not None
    quote = hits.quotes[0]
    assert len(quote.snippet) < 220
    assert quote.cut_before
    assert quote.cut_after
    assert quote.snippet.startswith("word")
    assert quote.snippet[slice(*quote.spans[0])] == "needle"


@pytest.mark.parametrize(
    ("text", "term", "shown"),
    [
        ("ßßßß and Straße is", "STRASSE", "Straße"),
        ("İİİ then İstanbul", "then", "then"),
        ("e\u0301e\u0301 cafe\u0301 x", "CAFÉ", "café"),
        ("no subword but word here", "word", "word"),
        ("only subwords", "word", "word"),
    ],
)
def test_what_is_marked_is_what_was_found(text: str, term: str, shown: str) -> None:
    hits = hit([Text(text=text)], Sought.of([term]))
    assert hits is not None
    quote = hits.quotes[0]
    assert quote.snippet[slice(*quote.spans[0])] == shown


def test_a_whole_word_is_marked_rather_than_a_part_of_one() -> None:
    hits = hit([Text(text="concat the cat")], Sought.of(["cat"]))
    assert hits is not None
    assert hits.quotes[0].spans[0].start == 11
