"""Comparing: nothing that differs goes unseen, and nothing is seen that does not."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finder import compare, jsonio
from finder.align import aligned
from finder.model import (
    Attachment,
    Compaction,
    Event,
    Message,
    Notice,
    Reasoning,
    Ref,
    Session,
    Subagent,
    Text,
    ToolCall,
    ToolResult,
    Usage,
)
from finder.writing import Plan, Report, answers
from tests import generated

PLAN = Plan(id="x", ids={}, now=0)


def seen(source: Sequence[Event], written: Sequence[Event], **rest: Any) -> list[str]:
    found = compare.each(compare.differences(source, written, **rest))
    return [
        f"{d.kind} {d.type}{'.' + d.field if d.field else ''}"
        + (f" {d.seq}" if d.seq is not None else "")
        for d in found
    ]


def opened(record: str, role: str = "user", **rest: Any) -> Message:
    return Message(record=record, message=record, role=role, **rest)  # type: ignore[arg-type]


TALK: list[Event] = [
    opened("m1"),
    Text(text="hello", message="m1"),
    opened("m2", "assistant", model="a/b", usage=Usage(input=1, output=2)),
    Reasoning(text="hm", message="m2"),
    Text(text="let me look", message="m2"),
    ToolCall(call="1", name="read", input={"path": "a"}, message="m2"),
    ToolResult(call="1", output="A", message="m2"),
    ToolCall(call="2", name="read", input={"path": "b"}, message="m2"),
    ToolResult(call="2", output="B", message="m2", role="tool"),
    opened("m3", "assistant"),
    Text(text="done", message="m3"),
]


def test_a_copy_does_not_differ() -> None:
    assert seen(TALK, list(TALK)) == []


def test_ids_of_records_and_the_records_do_not_count() -> None:
    renamed = [replace(e, record=f"x{e.record}", message=f"x{e.message}", raw={}) for e in TALK]
    assert seen(TALK, renamed) == []


def test_each_field_is_named_with_what_became_of_it() -> None:
    changed = list(TALK)
    changed[0] = opened("m1", at=5)
    changed[2] = opened("m2", "assistant", usage=Usage(input=1, output=3, total=4))
    changed[5] = ToolCall(call="1", name="read", input={"path": 1}, message="m2")
    assert seen(TALK, changed) == [
        "invented message.at 0",
        "dropped message.model 2",
        "changed message.usage.output 2",
        "invented message.usage.total 2",
        "changed tool_call.input 5",
    ]


def test_what_is_missing_and_what_is_new() -> None:
    written = [e for e in TALK if e.type != "reasoning"]
    written.insert(9, Text(text="invented"))
    assert seen(TALK, written) == ["dropped reasoning 3", "invented text"]


def test_labels_are_compared_one_by_one() -> None:
    source = [Text(text="a", labels=("synthetic", "summary"))]
    written = [Text(text="a", labels=("summary", "inferred"))]
    assert seen(source, written) == [
        "lowered text.labels.synthetic 0",
        "invented text.labels.inferred 0",
    ]


def test_a_thought_told_as_text_is_lowered_and_nothing_else() -> None:
    written = [Text(text="hm") if e.type == "reasoning" else e for e in TALK]
    assert seen(TALK, written) == ["lowered reasoning 3"]


def test_results_may_stand_after_all_calls_made_together() -> None:
    apart = [*TALK[:6], TALK[7], opened("t1", "tool"), TALK[6], opened("t2", "tool"), *TALK[8:]]
    renamed = [replace(e, role="tool") if e.type == "tool_result" else e for e in apart]
    as_tool = [replace(e, role="tool") if e.type == "tool_result" else e for e in TALK]
    assert seen(as_tool, renamed) == []


def test_a_result_that_stands_after_other_words_is_out_of_order() -> None:
    late = [*TALK[:6], *TALK[7:], TALK[6]]
    late[-1] = replace(late[-1], role="tool", message="m4")
    source = [replace(e, role="tool") if e.type == "tool_result" else e for e in TALK]
    assert seen(source, late) == ["changed tool_result.order 6"]


def test_words_that_moved_are_out_of_order() -> None:
    moved = [*TALK[:3], TALK[4], TALK[3], *TALK[5:]]
    assert seen(TALK, moved) in (["changed text.order 4"], ["changed reasoning.order 3"])


def test_of_equal_ones_the_one_that_is_said_to_be_missing_is() -> None:
    source: list[Event] = [Text(text="a", at=1), Text(text="a", at=1), Text(text="a", at=1)]
    report = Report()
    report.dropped(source[1], note="why not")
    found = compare.differences(source, [source[0], source[2]], report=report)
    losses, unexplained = compare.explained(found, report)
    assert [(loss.kind, loss.count, loss.note) for loss in losses] == [("dropped", 1, "why not")]
    assert unexplained == []


def test_a_child_is_compared_by_the_id_that_it_has_there() -> None:
    child = Ref("a", "/a", "1")
    source: list[Event] = [Subagent(child=child)]
    written: list[Event] = [Subagent(child=Ref("b", "/b", "new"))]
    assert seen(source, written, ids={child: "new"}) == []
    assert seen(source, written, ids={}) == ["changed subagent.child 0"]
    assert seen(source, [Subagent()], ids={child: "new"}) == ["dropped subagent.child 0"]


def test_what_a_compaction_kept_is_compared_by_what_it_names() -> None:
    source: list[Event] = [opened("m1"), opened("m2"), Compaction(keep="m2")]
    assert seen(source, [opened("x1"), opened("x2"), Compaction(keep="x2")]) == []
    assert seen(source, [opened("x1"), opened("x2"), Compaction(keep="x1")]) == [
        "changed compaction.keep 2"
    ]


def test_numbers_and_truth_values_are_not_the_same() -> None:
    for one, other in ((1, True), (1, 1.0), (0, False), (0, None), ("1", 1), ([1], [1.0])):
        assert not jsonio.same({"a": one}, {"a": other})
    assert jsonio.same({"a": [float("nan"), 2**80]}, {"a": [float("nan"), 2**80]})


def test_the_header() -> None:
    ref, parent = Ref("a", "/a", "1"), Ref("a", "/a", "0")
    source = Session(
        ref=ref, title="t", directory="/d", created=1, parent=parent, labels=("archived", "forked")
    )
    written = Session(ref=Ref("b", "/b", "x"), title="t!", updated=2, labels=("forked",))
    plan = Plan(id="x", ids={parent: "p"}, directory=None, now=0)
    found = compare.header_differences(source, written, plan)
    assert [f"{d.kind} {d.field}" for d in found] == [
        "changed title",
        "dropped directory",
        "dropped created",
        "invented updated",
        "dropped parent",
        "lowered labels.archived",
    ]
    there = written._replace(directory="/new", parent=Ref("b", "/b", "p"))
    told = compare.header_differences(source, there, replace(plan, directory="/new"))
    assert not {"directory", "parent"} & {d.field for d in told}


def test_a_label_about_the_store_is_not_about_the_session() -> None:
    source = Session(ref=Ref("a", "/a", "1"), labels=("unmigrated",))
    assert compare.header_differences(source, Session(ref=source.ref), PLAN) == []


def test_reasons_for_content_are_given_one_by_one() -> None:
    report = Report()
    report.rule("dropped", "text", None, "no place for texts")
    report.rule("changed", "*", "output", "no place for outputs")
    report.rule("dropped", "message", "usage", "no place for counts")
    source: list[Event] = [
        Text(text="a"),
        ToolResult(call="1", output="a"),
        opened("m", usage=Usage(input=1)),
    ]
    written: list[Event] = [ToolResult(call="1", output="b"), opened("m", usage=Usage())]
    found = compare.differences(source, written, report=report)
    losses, unexplained = compare.explained(found, report)
    assert [(loss.type, loss.field) for loss in losses] == [("message", "usage.input")]
    assert [str(d) for d in unexplained] == [
        "dropped text at event 0",
        "changed tool_result.output at event 1: 'a' → 'b'",
    ]


def test_answers_of_ids_that_are_used_again() -> None:
    events: list[Event] = [
        opened("m1", "assistant"),
        ToolCall(call="x", name="a"),  # 1: never answered
        opened("m2", "assistant"),
        ToolCall(call="x", name="b"),  # 3
        ToolCall(call="x", name="c"),  # 4
        ToolResult(call="x", output="b"),  # 5
        ToolResult(call="x", output="c"),  # 6
        ToolResult(call="y", output="nobody asked"),
    ]
    assert answers(events) == {3: 5, 4: 6}


def letters(text: str) -> list[tuple[int, int]]:
    return [(ord(letter), ord(letter)) for letter in text]


def test_aligning_takes_the_later_of_two_openings() -> None:
    assert aligned(letters("mma"), letters("ma")) == [(1, 0), (2, 1)]
    assert aligned([], letters("abc")) == []
    assert aligned(letters("abcbd"), letters("xbcydx")) == [(1, 1), (2, 2), (4, 4)]


def test_aligning_prefers_what_is_more_telling() -> None:
    ours = [(1, 9, 0), (2, 9, 0), (3, 9, 0)]
    theirs = [(2, 9, 0), (7, 9, 0)]
    assert aligned(ours, theirs) == [(1, 0), (2, 1)]


@given(st.text("abc", max_size=9), st.text("abc", max_size=9))
def test_alignments_rise_and_pair_equal_ones(one: str, other: str) -> None:
    pairs = aligned(letters(one), letters(other))
    assert pairs == sorted(pairs)
    assert len({a for a, _ in pairs}) == len({b for _, b in pairs}) == len(pairs)
    assert all(one[a] == other[b] for a, b in pairs)
    assert len(pairs) == longest(one, other)


def longest(one: str, other: str) -> int:
    """The length of the longest common subsequence, in the plainest way."""
    if not one or not other:
        return 0
    if one[0] == other[0]:
        return 1 + longest(one[1:], other[1:])
    return max(longest(one[1:], other), longest(one, other[1:]))


def long_session(turns: int) -> list[Event]:
    events: list[Event] = []
    for turn in range(turns):
        record = f"m{turn}"
        events += [
            opened(record, "assistant" if turn % 2 else "user", at=turn),
            Text(text="" if turn % 3 else f"words of {turn % 50}", message=record),
            ToolCall(call="same", name="run", input={"n": turn % 7}, message=record),
            ToolResult(call="same", output="x" * 100, message=record),
            Notice(kind="state", text="again", message=record),
        ]
    return events


def test_a_long_session_of_which_half_is_lost_takes_no_long_time() -> None:
    source = long_session(2000)
    written = [replace(e, at=None) for e in source if e.type not in {"notice", "tool_result"}]
    report = Report()
    for event in source:
        if event.type in {"notice", "tool_result"}:
            report.dropped(event, note="no place")
    report.rule("dropped", "*", "at", "no place")
    start = time.monotonic()
    found = compare.differences(source, written, report=report)
    took = time.monotonic() - start
    losses, unexplained = compare.explained(found, report)
    assert unexplained == []
    assert {(loss.type, loss.field): loss.count for loss in losses} == {
        ("notice", None): 2000,
        ("tool_result", None): 2000,
        ("message", "at"): 2000,
    }
    assert took < 3, f"{took:.1f} s for {len(source)} events"


# -- any session, and any encoder ------------------------------------------------------------


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(generated.stories())
def test_no_story_differs_from_itself(events: list[Event]) -> None:
    assert compare.differences(events, [replace(e, raw=None) for e in events]) == []


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(generated.stories(), st.data())
def test_what_an_encoder_says_that_it_did_is_what_is_seen(
    events: list[Event], data: st.DataObject
) -> None:
    """An encoder that leaves out and alters what it likes, and says so."""
    report = Report()
    written: list[Event] = []
    left_out: list[Event] = []
    for event in events:
        deed = data.draw(st.sampled_from(["keep", "keep", "drop", "unlabel", "untime", "alter"]))
        if deed == "drop":
            report.dropped(event, note="dropped")
            left_out.append(event)
            continue
        if deed == "unlabel":
            report.lowered(event, "labels", note="lowered")
            event_now = replace(event, labels=())
        elif deed == "untime":
            report.dropped(event, "at", note="untimed")
            event_now = replace(event, at=None)
        elif deed == "alter" and isinstance(event, Text | Reasoning):
            report.changed(event, "text", note="altered")
            event_now = replace(event, text=event.text + "!")
        else:
            event_now = event
        written.append(replace(event_now, record=f"n{event.record}", message=f"n{event.message}"))
    found = compare.differences(events, written, report=report)
    _, unexplained = compare.explained(found, report)
    unexplained = [d for d in unexplained if d.field not in {"role", "keep"}]
    assert unexplained == [], [str(d) for d in unexplained]
    missing = [d for d in compare.each(found) if d.kind == "dropped" and d.field is None]
    envelopes = [e for e in left_out if isinstance(e, Message) and e.role == "tool"]
    assert len(missing) == len(left_out) - len(envelopes)


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(generated.stories(), st.data())
def test_whatever_is_left_out_unsaid_is_seen(events: list[Event], data: st.DataObject) -> None:
    counted = [e for e in events if not (isinstance(e, Message) and e.role == "tool")]
    if not counted:
        return
    victim = data.draw(st.sampled_from(counted))
    written = [event for event in events if event is not victim]
    _, unexplained = compare.explained(compare.differences(events, written), Report())
    assert any(d.kind == "dropped" and d.type == victim.type for d in unexplained)


def test_attachments_go_with_their_result() -> None:
    source = [*TALK[:7], Attachment(data="eA==", role="tool", message="m2"), *TALK[7:]]
    written = [*TALK[:6], TALK[7], TALK[6], source[7], *TALK[8:]]
    assert seen(source, written) == []


# -- large sessions --------------------------------------------------------------------------


def altered(event: Event) -> list[Event]:
    """The event with another value in each of its fields, one by one."""
    others: dict[str, Any] = {
        "role": "system",
        "labels": ("hidden",),
        "usage": Usage(input=7),
        "input": {"path": 1},
        "child": Ref("t", "s", "other"),
        "status": "interrupted",
        "redacted": True,
        "auto": False,
        "cost": 0.5,
    }
    numbers = {"at", "started", "finished"}
    names = [name for name in event.__dataclass_fields__ if name not in {"type", "raw"}]
    values = {name: others.get(name, 5 if name in numbers else "other") for name in names}
    return [replace(event, **{name: value}) for name, value in values.items()]


def test_what_is_recognised_is_compared_as_if_it_were_not() -> None:
    source = [
        *TALK,
        Subagent(call="1", child=Ref("t", "s", "c"), message="m2"),
        Attachment(name="a.png", data="aGk=", message="m3"),
        Compaction(keep="m2", message="m3"),
        Notice(kind="error", text="no"),
    ]
    ids = {Ref("t", "s", "c"): "new", Ref("t", "s", "other"): "more"}
    report = Report()
    report.changed(source[1], "text", note="said")
    as_written = [
        replace(e, child=Ref("x", "y", ids[e.child])) if isinstance(e, Subagent) and e.child else e
        for e in source
    ]
    cases = [as_written, as_written[:-3], as_written[3:], [*as_written, *as_written[:2]]]
    for place, event in enumerate(as_written):
        cases += [[*as_written[:place], o, *as_written[place + 1 :]] for o in altered(event)]
        cases += [as_written[:place] + as_written[place + 1 :]]
    for case in cases:
        copies, others = ([replace(event, raw={"n": 1}) for event in case] for _ in range(2))
        back = compare.recognised(source, copies, report, ids)
        assert all(event.raw != {"n": 1} for event in back)
        assert seen(source, back, report=report, ids=ids) == seen(
            source, others, report=report, ids=ids
        )
    back = compare.recognised(source, map(replace, source), Report(), {})
    assert all(one is other for one, other in zip(back, source, strict=True))
