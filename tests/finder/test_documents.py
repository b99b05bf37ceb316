"""Documents for people: nothing is missing, and session text is nothing but text."""

from __future__ import annotations

import base64
import tracemalloc
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from finder.documents import Render
from finder.model import (
    Attachment,
    Compaction,
    Event,
    Message,
    Notice,
    Opaque,
    Reasoning,
    Ref,
    Session,
    Subagent,
    Text,
    ToolCall,
    ToolResult,
)
from finder.render import document
from finder.render import html as html_form
from finder.render import markdown as markdown_form
from finder.render.markdown import inline
from finder.render.text import block, line
from finder.render.wording import facts

from .attacks import ATTACKS, PNG, Element, check_harmless, everywhere, read_html

SESSION = Session(ref=Ref("opencode", "/store", "ses_1"), title="Fix the parser")

# Pieces that mean something in Markdown or HTML, in any order, and any characters at all.
_PIECES = st.sampled_from(
    [*ATTACKS, "\n", "\n\n", "    ", "\t", "```", "~~~", "`", "<b>", "</b>", "- ", "> ", "# ", "|"]
)
_TEXTS = st.lists(_PIECES | st.text(st.characters(), max_size=8), max_size=8).map("".join)


def html(session: Session, events: Sequence[Event], subagents: document.Subagents) -> str:
    return "".join(html_form.html(session, events, subagents))


def markdown(session: Session, events: Sequence[Event], subagents: document.Subagents) -> str:
    return "".join(markdown_form.markdown(session, events, subagents))


def quoted(text: str) -> str:
    return "".join(markdown_form.quoted(text))


def fenced(text: str) -> str:
    return "".join(markdown_form.fenced(text))


def _said(text: str, **more: object) -> list[Event]:
    return [Message(record="m", role="user"), Text(text=text, message="m", **more)]  # type: ignore[arg-type]


def _page(events: Sequence[Event], subagents: document.Subagents = ()) -> Element:
    text = html(SESSION, events, subagents)
    text.encode("utf-8")
    page = read_html(text)
    check_harmless(page)
    return page


def _tokens(text: str) -> list[Token]:
    text.encode("utf-8")
    env: dict[str, object] = {}
    found = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text, env)
    assert not env.get("references"), env
    return found


def _inner(tokens: Sequence[Token]) -> list[Token]:
    return [t for token in tokens for t in (token, *(token.children or ()))]


# -- HTML -----------------------------------------------------------------------------------


@given(_TEXTS)
def test_html_shows_a_text_as_it_is(text: str) -> None:
    page = _page(_said(text))
    [article] = [e for e in page.elements() if e.tag == "article"]
    assert "".join(e.text() for e in article.classed("text", "part")) == block(text)


@given(_TEXTS)
def test_html_shows_input_and_output_as_they_are(text: str) -> None:
    events: list[Event] = [
        ToolCall(call="1", name="x", input=text),
        ToolResult(call="1", output=text),
    ]
    shown = [e.text() for e in _page(events).elements() if e.tag == "pre"]
    assert shown == [block(text)] * 2


@pytest.mark.parametrize("text", ATTACKS)
def test_html_is_harmless_whatever_stands_where(text: str) -> None:
    session, events, subagents = everywhere(text)
    page = read_html(html(session, events, subagents))
    check_harmless(page)
    assert sum(e.tag == "img" for e in page.elements()) == 2  # one for each of the two stories
    [title] = [e for e in page.elements() if e.tag == "title"]
    assert title.text() == (line(text) or "(no title)")
    said = [e.text() for e in page.classed("text", "part")]
    assert block(text) in "".join(said)


def test_html_asks_for_nothing_and_runs_nothing() -> None:
    page = _page([])
    [policy] = [
        e.attributes["content"]
        for e in page.elements()
        if e.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert "script-src" not in rules
    [style] = [e.text() for e in page.elements() if e.tag == "style"]
    assert "url(" not in style
    assert "@import" not in style


@pytest.mark.parametrize(
    ("mime", "data"),
    [
        ("image/svg+xml", base64.b64encode(b"<svg onload=alert(1)>").decode()),
        ("image/png", base64.b64encode(b"<svg onload=alert(1)>").decode()),
        ("image/png", PNG[:-4] + '"><b>'),
        ("text/html", PNG),
        ('image/png" onerror="x', PNG),
        (None, PNG),
    ],
)
def test_only_true_raster_images_are_drawn(mime: str | None, data: str) -> None:
    page = _page([Attachment(name="a.png", mime=mime, data=data)])
    assert not [e for e in page.elements() if e.tag == "img"]
    [shown] = page.classed("attachment")
    assert "a.png" in shown.text()
    assert "content not shown here" in shown.text()


def test_an_image_is_drawn_from_data_and_from_a_data_url() -> None:
    folded = "\n".join([PNG[:20], PNG[20:]])
    events: list[Event] = [
        Attachment(mime="Image/PNG", data=folded),
        Attachment(url=f"data:image/png;base64,{PNG}"),
    ]
    images = [e for e in _page(events).elements() if e.tag == "img"]
    assert len(images) == 2
    assert "70 bytes" in markdown(SESSION, events, ())


def test_html_keeps_subagents_within_their_parents() -> None:
    def child(number: int) -> Session:
        return Session(ref=Ref("opencode", "/store", f"ses_c{number}"), title=f"Child {number}")

    tree = [(1, child(1), _said("one")), (2, child(2), _said("two")), (1, child(3), None)]
    page = _page([Subagent(child=child(2).ref)], tree)
    [first] = [e for e in page.elements() if e.attributes.get("id") == "s1"]
    assert [e.attributes.get("id") for e in first.elements() if e.tag == "section"] == ["s1", "s2"]
    assert "#s2" in [e.attributes.get("href") for e in page.classed("delegated")[0].elements()]
    [third] = [e for e in page.elements() if e.attributes.get("id") == "s3"]
    assert "not in this document" in third.text()


def test_subagents_may_nest_without_end() -> None:
    tree = [
        (depth, Session(ref=Ref("t", "/s", f"c{depth}")), _said(f"at {depth}"))
        for depth in range(1, 2000)
    ]
    page = html(SESSION, [], tree)
    assert page.count("<section ") == page.count("</section>") == 2000
    assert "at 1999" in page
    assert "at 1999" in markdown(SESSION, [], tree)


# -- Markdown -------------------------------------------------------------------------------


@given(_TEXTS)
def test_markdown_keeps_a_text_as_it_is(text: str) -> None:
    lines = quoted(text).split("\n")
    if lines[0].startswith("```"):
        assert lines[-1] == lines[0].removesuffix("text")
        assert "\n".join(lines[1:-1]) == block(text)
    else:
        assert all(one == ">" or one.startswith("> ") for one in lines)
        assert "\n".join(one[2:] for one in lines) == block(text)


@given(_TEXTS)
def test_markdown_text_stays_in_its_place(text: str) -> None:
    tokens = _tokens(f"before\n\n{quoted(text)}\n\nafter")
    kinds = {t.type for t in _inner(tokens)}
    assert not kinds & {"html_block", "html_inline", "image"}
    top = [t.type for t in tokens if t.level == 0]
    paragraph = ["paragraph_open", "paragraph_close"]
    assert top in (
        [*paragraph, "fence", *paragraph],
        [*paragraph, "blockquote_open", "blockquote_close", *paragraph],
    )


@given(_TEXTS)
def test_markdown_fences_hold(text: str) -> None:
    before, fence, after = [t for t in _tokens(f"a\n\n{fenced(text)}\n\nb") if t.content]
    assert (before.content, after.content) == ("a", "b")
    assert fence.content == block(text) + "\n"


@given(_TEXTS)
def test_markdown_facts_are_plain_text(text: str) -> None:
    tokens = _tokens(f"**Fact:** x {inline(text)} y")
    assert [t.type for t in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    shown = "".join(t.content for t in tokens[1].children or () if t.type != "strong_open")
    assert shown == f"Fact: x {line(text)} y"


@pytest.mark.parametrize("text", ATTACKS)
def test_markdown_is_harmless_whatever_stands_where(text: str) -> None:
    session, events, subagents = everywhere(text)
    tokens = _tokens(markdown(session, events, subagents))
    kinds = {t.type for t in _inner(tokens)}
    assert not kinds & {"html_block", "html_inline", "image"}
    headings = [
        after.content
        for token, after in pairwise(tokens)
        if token.type == "heading_open" and token.level == 0
    ]
    assert len(headings) == 6  # two sections with two messages each
    assert headings[1].startswith("1. User")
    assert headings[2].startswith("2. ")
    assert headings[3:5] == ["Subagent 1", headings[1]]
    [links] = [[t for t in _outside_of_quotes(tokens) if t.type == "link_open"]]
    assert links == []
    rows = [t for t in tokens if t.type == "tr_open"]
    assert len(rows) == 2 * len(list(facts(session))) + 2


def _outside_of_quotes(tokens: Sequence[Token]) -> list[Token]:
    kept: list[Token] = []
    quotes = 0
    for token in tokens:
        quotes += {"blockquote_open": 1, "blockquote_close": -1}.get(token.type, 0)
        if not quotes:
            kept += [token, *(token.children or ())]
    return kept


def _section(session: Session, events: Sequence[Event]) -> document.Section:
    return document.document(session, events, ())[0]


def test_markdown_lets_models_write_markdown() -> None:
    text = "Do **this**:\n\n```html\n<b>\n```\n\n- then `that`"
    assert quoted(text).startswith("> Do **this**:")
    kinds = [t.type for t in _inner(_tokens(quoted(text)))]
    assert {"strong_open", "fence", "bullet_list_open", "code_inline"} <= set(kinds)


# -- what both tell -------------------------------------------------------------------------

STORY: list[Event] = [
    Message(record="m1", role="user", at=0),
    Text(text="Run the tests", message="m1"),
    Message(record="m2", role="assistant", at=1000, finished=3400, model="p/m", agent="build"),
    Reasoning(text="Think first", message="m2", signature="sig"),
    ToolCall(call="c", name="bash", input={"command": "pytest\n-q", "n": 1}, message="m2", at=1000),
    ToolCall(call="c", name="read", input={}, message="m2"),
    Opaque(kind="step-start", raw={}, message="m2"),
    Message(record="m3", role="tool"),
    ToolResult(call="c", output="2 passed", message="m3", started=1000, at=1340, title="Tests"),
    Message(record="m4", role="user", labels=("synthetic",)),
    Compaction(message="m4", auto=True, keep="m2"),
    Text(text="What happened so far", message="m4", labels=("synthetic", "inferred")),
    ToolResult(call="other", output="late", status="error", message="m4"),
]
TOLD = [
    "Run the tests",
    "Think first",
    "pytest\n-q",
    '"n": 1',
    "2 passed",
    "340 ms",
    "no result",
    "took 2.4 s",
    "synthetic: compaction",
    "inferred",
    "kept from message 2 on",
    "by the tool itself",
    "What happened so far",
    "Result without its call",
    "1970-01-01 00:00:01 UTC",
    "signature of reasoning × 1",
    "record step-start × 1",
]


def test_both_tell_the_story() -> None:
    for told in (markdown(SESSION, STORY, ()), _page(STORY).text()):
        for words in TOLD:
            assert words in told, words
        assert told.index("pytest\n-q") < told.index("2 passed") < told.index("no result")


def test_a_message_that_only_held_results_is_not_repeated() -> None:
    section = _section(SESSION, STORY)
    roles = [(p.number, p.message.role) for p in section.passages if p.message]
    assert roles == [(1, "user"), (2, "assistant"), (3, "user")]


def test_a_message_that_says_more_than_its_results_is_kept() -> None:
    call, result = ToolCall(call="c", name="x"), ToolResult(call="c", labels=("truncated",))
    for message in (Message(error="broken"), Message(labels=("compacted",)), Message(cost=1.0)):
        assert len(_section(SESSION, [call, message, result]).passages) == 2
    assert len(_section(SESSION, [call, Message(labels=("truncated",)), result]).passages) == 1
    for told in (markdown(SESSION, [call, result], ()), _page([call, result]).text()):
        assert "truncated" in told


@given(
    st.lists(
        st.sampled_from(["call", "result", "text"]).flatmap(
            lambda kind: st.tuples(st.just(kind), st.sampled_from("ab"))
        )
    )
)
def test_every_event_is_told_once(kinds: list[tuple[str, str]]) -> None:
    events: list[Event] = []
    for number, (kind, call) in enumerate(kinds):
        mark = f"<{number}>"
        events.append(
            ToolCall(call=call, name="x", input=mark)
            if kind == "call"
            else ToolResult(call=call, output=mark)
            if kind == "result"
            else Text(text=mark)
        )
    for told in (markdown(SESSION, events, ()), _page(events).text()):
        # A call's input is also quoted, shortened, on its folded line in HTML.
        assert all(f"<{number}>" in told for number in range(len(kinds)))
    parts = [part for p in _section(SESSION, events).passages for part in p.parts]
    shown = [e for part in parts for e in (part.event, part.result) if e is not None]
    assert sorted(map(id, shown)) == sorted(map(id, events))


def test_what_a_subagent_was_told_is_not_said_twice() -> None:
    events: list[Event] = [
        ToolCall(call="c", name="task", input={"prompt": "Look"}),
        ToolResult(call="c", output="Found"),
        Subagent(call="c", prompt="Look", result="Found it"),
    ]
    told = markdown(SESSION, events, ())
    assert told.count("Look") == 1
    assert "> Found it" in told
    assert "the tool keeps no transcript of it" in told


def test_values_beyond_all_bounds_are_written_down() -> None:
    deep: object = 0
    for _ in range(5000):
        deep = [deep]
    events: list[Event] = [
        ToolCall(call="1", name="x", input={"deep": deep}),
        ToolCall(call="2", name="x", input={"big": 10**400, "nan": float("nan"), "s": "\ud800"}),
        Message(role="user", at=10**30, finished=10**31),
    ]
    for told in (markdown(SESSION, events, ()), html(SESSION, events, ())):
        assert "[" * 1000 in told
        assert "1" + "0" * 400 in told
        assert "\\ud800" in told
        assert f"{10**30} ms after 1970" in told
        told.encode("utf-8")


def test_no_session_is_too_empty() -> None:
    bare = Session(ref=Ref("t", "", ""))
    for events in ([], [Message()], [Text(text="")], [Attachment()], [Subagent()], [Compaction()]):
        assert "(no title)" in markdown(bare, events, ())
        check_harmless(read_html(html(bare, events, ())))


@pytest.mark.parametrize("form", [html_form.html, markdown_form.markdown])
@pytest.mark.parametrize(
    "text", ["y" * 400_000, "some words & <more>\n" * 20_000, "```\n| a |\n```\n\n" * 2_000]
)
def test_large_texts_are_written_in_pieces(
    form: Render, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a page takes in memory does not grow with how much is in it."""
    monkeypatch.setattr("finder.render.text._PIECE", 1_000)
    events: list[Event] = [
        Message(record="m", role="user", error=text),
        Text(text=text, message="m"),
        Reasoning(text=text, message="m"),
        ToolCall(call="c", name="write", input=text, message="m"),
        ToolResult(call="c", output=text, status="error", message="m"),
        Notice(kind="retry", text=text),
        Opaque(kind="line", problem="not JSON", raw=text),
    ]
    tracemalloc.start()
    try:
        written = sum(map(len, form(SESSION, events, ())))
        assert tracemalloc.get_traced_memory()[1] < 4 * len(text) + 200_000
    finally:
        tracemalloc.stop()
    assert written > 6 * len(text)
