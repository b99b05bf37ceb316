"""Any session, to any format: encoding never fails, and nothing differs unsaid."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from finder import jsonio
from finder.adapter import Adapter
from finder.convert import Conversion, Tree, convert
from finder.errors import BugError
from finder.model import Event, Message, Ref, Session, Text, ToolCall, ToolResult
from finder.registry import Registry
from finder.staging import FileStaging, found
from tests import generated
from tests.generated import Made

REGISTRY = Registry.installed()
TARGETS = {name: form for a in REGISTRY.adapters() for name, form in a.targets().items()}
NOW = 1_800_000_000_000

EXAMPLES = int(os.environ.get("FINDER_EXPLORE") or 80)  # see tests.conftest

any_tree = settings(
    deadline=None,
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def tree_of(made: Made) -> Tree:
    stories = {session.ref: events for session, events in made}
    return Tree(
        sessions=tuple(session for session, _ in made),
        read=lambda session: ("made-up", map(replace, stories[session.ref])),
        stores=(generated.STORE,),
    )


@contextmanager
def converted(made: Made, target: Adapter) -> Iterator[tuple[Conversion, FileStaging]]:
    with tempfile.TemporaryDirectory() as folder:
        staging = FileStaging(target, Path(folder))
        yield convert([tree_of(made)], lambda _: staging, now=NOW), staging


def written(staging: FileStaging) -> Iterator[tuple[Session, list[Event]]]:
    for draft in staging.drafts:
        store = staging.adapter.detect(staging.root / draft.store)
        assert store is not None
        session = found(staging.adapter, store, draft.id)
        assert session is not None
        yield session, list(staging.adapter.events(session.ref))


def one(*events: Event, **header: Any) -> Made:
    ref = Ref(generated.TOOL, generated.STORE, "made-0")
    return Made([(Session(ref=ref, **header), list(events))])


LARGE = one(
    Message(record="m0", message="m0", role="user"),
    Text(text="1 MB " * 200_000, message="m0"),
    Message(record="m1", message="m1", role="assistant"),
    ToolCall(call="c", name="read", input={"n": 2**70, "text": "x" * 1_000_000}, message="m1"),
    ToolResult(call="c", output="\ud800" * 100_000, message="m1"),
)
UNANSWERED = one(
    Message(record="m0", message="m0", role="assistant"),
    ToolCall(call="c", name="run", message="m0"),
    ToolCall(call="c", name="run", message="m0"),
    Message(record="m1", message="m1", role="user"),
    ToolResult(call="c", output="late", message="m1"),
    ToolResult(call="nobody asked", output="", message="m1"),
)

NEARLY_NOTHING = one(
    Text(text=""),
    Message(record="m0", message="m0"),
    Text(text="", labels=("summary",)),
    Message(record="m1", message="m1"),
    Message(record="m2", message="m2", role="user"),
)
EMPTY_SUMMARY = one(
    Text(text=""),
    Message(record="m0", message="m0", role="user"),
    Message(record="m1", message="m1"),
    Text(text="", message="m1"),
    Text(text="0"),
    Text(text="", labels=("inferred", "summary")),
)


@any_tree
@given(made=generated.trees())
@example(made=LARGE)
@example(made=UNANSWERED)
@example(made=NEARLY_NOTHING)
@example(made=EMPTY_SUMMARY)
@example(made=one())
@example(made=one(title="../../x", directory="", created=-(2**63), updated=2**63 - 1))
def test_nothing_differs_unsaid(made: Made) -> None:
    for name, target in TARGETS.items():
        try:
            with converted(made, target) as (done, _):
                assert len(done.receipts) == len(made)
        except BugError as error:
            pytest.fail(f"to {name}: {error}", pytrace=False)


@any_tree
@given(made=generated.trees())
@example(made=LARGE)
@example(made=UNANSWERED)
def test_through_our_own_form_all_is_the_same(made: Made) -> None:
    with converted(made, TARGETS["events"]) as (done, staging):
        assert [account.losses for account in done.receipts] == [()] * len(made)
        for (session, events), (back, told) in zip(made, written(staging), strict=True):
            assert back.origin == generated.TOOL
            for name in Session._fields:
                if name not in {"ref", "origin", "stamp", "parent"}:
                    assert jsonio.same(getattr(back, name), getattr(session, name)), name
            here = [_rehomed(event, staging) for event in events]
            assert len(told) == len(here)
            for event, written_ in zip(here, told, strict=True):
                for field in fields(event):
                    values = getattr(event, field.name), getattr(written_, field.name)
                    assert values[0] == values[1] or jsonio.same(*values), (event, written_)


def _rehomed(event: Event, staging: FileStaging) -> Event:
    """An event that refers to a session that was written with it names its place in the file."""
    child = getattr(event, "child", None)
    if child is None or child.id not in {draft.id for draft in staging.drafts}:
        return event
    place = str(staging.root / staging.drafts[0].store)
    return replace(event, child=Ref("events", place, child.id))  # type: ignore[arg-type]


@settings(any_tree, max_examples=max(EXAMPLES // 5, 5))
@given(made=generated.trees(), directory=st.sampled_from([None, "/home/dev/other"]))
def test_the_same_session_gives_the_same_files(made: Made, directory: str | None) -> None:
    for name, target in TARGETS.items():
        assert contents(made, target, directory) == contents(made, target, directory), name


def contents(made: Made, target: Adapter, directory: str | None) -> dict[Path, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        staging = FileStaging(target, Path(folder))
        convert([tree_of(made)], lambda _: staging, directory=directory, now=NOW)
        return {part.path: (staging.root / part.path).read_bytes() for part in staging.parts()}
