"""Getting: from an id, a prefix or a path to one story."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from finder.errors import AmbiguousError, NotFoundError, StoreError
from finder.event import spoken
from finder.get import Choice, Left, resolve, resolve_path, story, subagents
from finder.library import Library
from finder.model import Compaction, Event, Message, Notice, Ref, Text
from finder.registry import Registry
from tests.memory import Memory, Shelf, library, unreadable

HERE = Path("/shelf")


@pytest.fixture
def shelf() -> Shelf:
    shelf = Shelf(HERE)
    shelf.add("ses_abc1", "The parser", updated=1, created=1)
    shelf.add("ses_abc2", "The printer", updated=2)
    shelf.add("ses_abc", "Short id", updated=3)
    return shelf


def test_an_id_or_the_only_beginning_of_one(shelf: Shelf) -> None:
    found = [
        resolve(library(shelf), target).session.ref.id
        for target in ("ses_abc1", "ses_abc", "mem:ses_abc2", "SES_ABC1", "mem:SES_abc1")
    ]
    assert found == ["ses_abc1", "ses_abc", "ses_abc2", "ses_abc1", "ses_abc1"]
    shelf.sessions.pop()
    shelf.add("other", "Another")
    assert resolve(library(shelf), "oth").session.ref.id == "other"


def test_an_ambiguous_beginning_names_the_candidates(shelf: Shelf) -> None:
    with pytest.raises(AmbiguousError) as caught:
        resolve(library(shelf), "ses_a")
    assert caught.value.candidates == (
        "mem:ses_abc  Short id",
        "mem:ses_abc2  The printer",
        "mem:ses_abc1  The parser",
    )


def test_the_same_id_of_two_tools_is_ambiguous_without_the_tool() -> None:
    one, two = (
        Memory(Shelf(Path("/1")), name="one", tool="one"),
        Memory(Shelf(Path("/2")), name="two", tool="two"),
    )
    for adapter in (one, two):
        for shelf in adapter.shelves.values():
            shelf.add("same", tool=adapter.tool)
    stores = [a.store(s) for a in (one, two) for s in a.shelves.values()]
    with pytest.raises(AmbiguousError):
        resolve(Library(Registry.of(one, two), stores), "same")
    found = resolve(Library(Registry.of(one, two), stores), "two:same")
    assert found.session.ref.tool == "two"


def test_a_copy_that_finder_wrote_does_not_make_an_id_ambiguous() -> None:
    tool, copy = Shelf(Path("/1")), Shelf(Path("/2"))
    tool.add("same", "The original", tool="one")
    copy.add("same", "Its copy", tool="two", origin="one")
    copy.add("alone", "A copy of what is not here", tool="two", origin="one")
    adapters = (Memory(tool, name="one", tool="one"), Memory(copy, name="two", tool="two"))
    stores = [a.store(s) for a in adapters for s in a.shelves.values()]
    stores_of = Library(Registry.of(*adapters), stores)
    assert resolve(stores_of, "same").session.title == "The original"
    assert resolve(stores_of, "two:same").session.title == "Its copy"
    assert resolve(stores_of, "alone").session.ref.tool == "two"


@pytest.mark.parametrize("target", ["ses_abd1", "ses_acb1", "the parsr"])
def test_an_unknown_id_names_the_nearest(shelf: Shelf, target: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        resolve(library(shelf), target)
    assert "mem:ses_abc1  The parser" in caught.value.candidates
    assert caught.value.hint


def test_nothing_alike_is_not_suggested(shelf: Shelf) -> None:
    with pytest.raises(NotFoundError) as caught:
        resolve(library(shelf), "zzzzzzzz")
    assert caught.value.candidates == ()
    for empty in ("", "  "):
        with pytest.raises(NotFoundError):
            resolve(library(shelf), empty)


def test_an_unreadable_store_is_not_an_unknown_id(shelf: Shelf) -> None:
    bad = Shelf(Path("/bad"), error=unreadable(Path("/bad")))
    with pytest.raises(StoreError):
        resolve(library(bad), "ses_abc1")
    with pytest.raises(NotFoundError) as caught:
        resolve(library(shelf, bad), "nowhere")
    assert "could not be read" in str(caught.value.hint)
    assert resolve(library(shelf, bad), "ses_abc1").session.title == "The parser"


def test_a_path_to_one_session() -> None:
    shelf = Shelf(HERE)
    with pytest.raises(NotFoundError):
        resolve_path(library(shelf), HERE)
    shelf.add("only", "One")
    shelf.add("child", parent="only")
    assert resolve_path(library(shelf), HERE).session.ref.id == "only"
    shelf.add("two", "Two")
    with pytest.raises(AmbiguousError) as caught:
        resolve_path(library(shelf), HERE)
    assert caught.value.candidates == ("mem:only  One", "mem:two  Two")
    with pytest.raises(StoreError):
        resolve_path(library(Shelf(HERE, error=unreadable(HERE))), HERE)


def test_a_hint_can_be_given_to_a_shell() -> None:
    shelf = Shelf(Path("/my disk; ls"))
    shelf.add("one")
    shelf.add("two")
    with pytest.raises(AmbiguousError) as caught:
        resolve_path(library(shelf), shelf.path)
    assert "finder find --root '/my disk; ls' lists them" in str(caught.value.hint)


def test_the_tree_of_subagents_in_order() -> None:
    shelf = Shelf(HERE)
    shelf.add("top")
    shelf.add("late", parent="top", created=9)
    shelf.add("early", parent="top", created=1)
    shelf.add("inner", parent="early", created=20)
    opened = library(shelf)
    tree = subagents(opened, resolve(opened, "top"))
    assert [(b.session.ref.id, b.depth) for b in tree] == [("early", 1), ("inner", 2), ("late", 1)]


# -- the story ---------------------------------------------------------------------------


def told(events: list[Event], **choice: int) -> list[tuple[int, str | None]]:
    shelf = Shelf(HERE, stories={"s": events})
    shelf.add("s")
    adapter = Memory(shelf)
    registry = Registry.of(adapter)
    opened = Library(registry, [adapter.store(shelf)])
    items = story(registry, opened, Ref("mem", str(HERE), "s"), Choice(**choice))
    return [(item.seq, getattr(item.event, "text", None)) for item in items]


def test_the_numbers_are_those_of_the_whole_story() -> None:
    events: list[Event] = [
        Text(text="a"),
        Text(text="b", labels=("synthetic",)),
        Text(text="c", labels=("summary",)),
    ]
    assert told(events) == [(0, "a"), (1, "b"), (2, "c")]
    assert told(events, synthetic=False) == [(0, "a"), (2, "c")]


def test_the_role_is_that_of_the_message_that_an_event_belongs_to() -> None:
    events: list[Event] = [
        Message(record="m1", message="m1", role="user"),
        Text(text="of it", message="m1"),
        Text(text="with a role of its own", message="m1", role="tool"),
        Text(text="of another", message="m0"),
        Notice(kind="state", text="of none"),
    ]
    assert [role for _, role in spoken(events)] == ["user", "user", "tool", None, None]


def test_a_folder_that_two_tools_keep_sessions_in_tells_those_of_both() -> None:
    adapters = []
    for tool in ("one", "two"):
        shelf = Shelf(HERE, stories={tool: [Text(text=tool)]})
        shelf.add(tool, tool=tool)
        adapters.append((Memory(shelf, name=tool, tool=tool), shelf))
    registry = Registry.of(*(adapter for adapter, _ in adapters))
    opened = Library(registry, [adapter.store(shelf) for adapter, shelf in adapters])
    for tool in ("one", "two"):
        items = story(registry, opened, resolve(opened, tool).session.ref, Choice())
        assert [item.event for item in items] == [Text(text=tool)]


def test_live_is_what_has_not_left_the_context() -> None:
    events: list[Event] = [
        Text(text="old", labels=("compacted",)),
        Compaction(),
        Text(text="kept"),
        Text(text="summary", labels=("summary",)),
        Text(text="new"),
    ]
    assert told(events, live=True) == [(1, None), (2, "kept"), (3, "summary"), (4, "new")]


def test_what_was_undone_is_not_live() -> None:
    events: list[Event] = [Text(text="said"), Text(text="undone", labels=("hidden",))]
    assert told(events, live=True) == [(0, "said")]
    cut = [Text(text="old"), Compaction(), Text(text="sum", labels=("summary",)), *events]
    assert told(cut, live=True) == [(1, None), (2, "sum"), (3, "said")]


def test_live_without_labels_goes_by_the_last_finished_compaction() -> None:
    events: list[Event] = [
        Message(record="m0"),
        Text(text="old"),
        Message(record="m1"),
        Text(text="tail"),
        Compaction(keep="m1"),
        Text(text="summary", labels=("summary",)),
        Text(text="new"),
        Compaction(),
        Text(text="this compaction came to nothing"),
    ]
    kept = told(events, live=True)
    assert [seq for seq, _ in kept] == [2, 3, 4, 5, 6, 7, 8]
    events[4] = Compaction()
    assert [seq for seq, _ in told(events, live=True)] == [4, 5, 6, 7, 8]
    assert [seq for seq, _ in told(events[:5], live=True)] == [0, 1, 2, 3, 4]


def test_the_first_and_the_last_messages_with_what_belongs_to_them() -> None:
    events: list[Event] = [Notice(kind="state")]
    for name in "abc":
        events += [Message(record=name), Text(text=name, labels=("synthetic",)), Text(text="x")]
    assert [seq for seq, _ in told(events, first=1)] == [0, 1, 2, 3]
    assert [seq for seq, _ in told(events, first=2, synthetic=False)] == [0, 1, 3, 4, 6]
    assert [seq for seq, _ in told(events, last=1)] == [7, 8, 9]
    assert [seq for seq, _ in told(events, last=2, synthetic=False)] == [4, 6, 7, 9]
    assert told(events, first=3) == told(events, last=4) == told(events)
    assert told([Text(text="a")], first=1) == told([Text(text="a")], last=1) == [(0, "a")]


def test_what_comes_after_the_first_messages_is_not_read() -> None:
    shelf = Shelf(HERE, stories={"s": [Message(), Text(text="a"), Message(), Text(text="b")]})
    shelf.add("s")
    read: list[Event] = []

    class Watched(Memory):
        def events(self, ref: Ref) -> Iterator[Event]:
            for event in super().events(ref):
                read.append(event)
                yield event

    adapter = Watched(shelf)
    opened = Library(Registry.of(adapter), [adapter.store(shelf)])
    for choice, seen, messages in (
        (Choice(first=1), 3, None),
        (Choice(first=2), 4, 0),
        (Choice(first=1, live=True), 4, 1),
        (Choice(last=1), 4, 1),
    ):
        read.clear()
        left = Left()
        assert list(story(Registry.of(adapter), opened, Ref("mem", str(HERE), "s"), choice, left))
        assert (len(read), left.messages) == (seen, messages), choice


def test_content_has_the_role_of_its_message() -> None:
    events: list[Event] = [
        Message(record="m", role="user"),
        Text(text="in it", message="m"),
        Notice(kind="error", message="another"),
    ]
    shelf = Shelf(HERE, stories={"s": events})
    shelf.add("s")
    adapter = Memory(shelf)
    registry = Registry.of(adapter)
    opened = Library(registry, [adapter.store(shelf)])
    items = list(story(registry, opened, Ref("mem", str(HERE), "s"), Choice()))
    assert [item.event.role for item in items] == ["user", "user", None]
