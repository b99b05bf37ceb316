"""Finding: what is listed, in which order, from how many stores, and what failure looks like."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finder.adapter import Want
from finder.find import Answer, Query, Row, find
from finder.library import Library
from finder.match import Matcher
from finder.model import Problem
from finder.registry import Registry
from tests.memory import Memory, Shelf, library, unreadable

HERE = Path("/shelf")


def ids(answer: Answer) -> list[str]:
    return [row.session.ref.id for row in answer.rows]


def search(shelf: Shelf, words: str = "", **options: object) -> list[str]:
    query = Query(words=tuple(words.split()), **options)  # type: ignore[arg-type]
    return ids(find(library(shelf), query))


# -- without words -----------------------------------------------------------------------


def test_the_last_updated_come_first_and_those_without_a_time_last() -> None:
    shelf = Shelf(HERE)
    shelf.add("b", updated=20)
    shelf.add("never")
    shelf.add("c", updated=30)
    shelf.add("a", updated=10)
    assert search(shelf) == ["c", "b", "a", "never"]
    assert search(shelf, limit=2) == ["c", "b"]
    assert search(shelf, limit=0) == ["c", "b", "a", "never"]


def test_other_orders() -> None:
    shelf = Shelf(HERE)
    shelf.add("1", "pear", updated=1, created=3)
    shelf.add("2", "Apple", updated=2, created=1)
    shelf.add("3", None, updated=3, created=2)
    assert search(shelf, sort="created") == ["1", "3", "2"]
    assert search(shelf, sort="title") == ["2", "1", "3"]


def test_the_answer_says_whether_there_are_more() -> None:
    shelf = Shelf(HERE)
    for number in range(5):
        shelf.add(f"s{number}", updated=number)
    assert find(library(shelf), Query(limit=4)).more
    assert not find(library(shelf), Query(limit=5)).more


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9), limit=st.integers(1, 30), subagents=st.booleans())
def test_newest_rows_are_the_same_as_from_a_full_listing(
    seed: int, limit: int, subagents: bool
) -> None:
    """Stores that give only their newest few still give the right list together."""
    chance = random.Random(seed)
    shelves = [Shelf(Path(f"/shelf{n}"), rank=n % 2) for n in range(chance.randint(1, 3))]
    for number in range(chance.randint(0, 600)):
        parent = f"s{chance.randrange(700):03}" if chance.random() < 0.8 else None
        for shelf in chance.sample(shelves, chance.randint(1, len(shelves))):
            updated = chance.choice((None, chance.randrange(1000), chance.randrange(1000)))
            shelf.add(f"s{number:03}", updated=updated, parent=parent)
    quick = find(library(*shelves), Query(limit=limit, subagents=subagents))
    full = find(library(*shelves), Query(limit=0, subagents=subagents))
    assert ids(quick) == ids(full)[:limit]
    assert quick.more == (len(full.rows) > limit)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10**9),
    limit=st.integers(1, 8),
    options=st.sampled_from(
        [{}, {"subagents": True}, {"archived": False}, {"agent": "plan"}, {"since": 300}]
    ),
    here=st.sampled_from([(), ("/here",), ("/a",), ("/the", "/a")]),
)
def test_of_a_common_word_the_newest_are_told_as_if_all_were_looked_at(
    seed: int, limit: int, options: dict[str, object], here: tuple[str, ...]
) -> None:
    chance = random.Random(seed)
    titles = ("the thing", "over the top", "other", "the", "theory", "see the thing", None)
    shelves = [Shelf(Path(f"/shelf{n}"), rank=n % 2) for n in range(chance.randint(1, 2))]
    for number in range(chance.randint(50, 250)):
        parent = f"s{chance.randrange(300):03}" if chance.random() < 0.5 else None
        for shelf in chance.sample(shelves, chance.randint(1, len(shelves))):
            shelf.add(
                f"s{number:03}",
                chance.choices(titles, (30, 30, 10, 1, 5, 10, 10))[0],
                updated=chance.choice((None, *(chance.randrange(500) for _ in range(8)))),
                parent=parent,
                directory=chance.choices(("/a/the", "/here", "/the"), (20, 1, 20))[0],
                agent=chance.choice(("plan", "build", "the")),
                archived=chance.choices((None, 1), (9, 1))[0],
            )
    query = Query(words=("the",), here=here, limit=limit, **options)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        full = find(library(*shelves), query)
        patch.setattr("finder.search._MOST_RECENT_HITS", 25)
        asked = len(shelves[0].asked)
        quick = find(library(*shelves), query)
    assert any(want.newest == 25 for want in shelves[0].asked[asked:])
    seen = [[(r.session.ref, r.score, r.matched, r.matched_subagents) for r in a.rows]
            for a in (full, quick)]  # fmt: skip
    assert seen[0] == seen[1]
    assert quick.more == full.more


def test_of_a_common_word_not_all_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finder.search._MOST_RECENT_HITS", 50)
    shelf = Shelf(HERE)
    for number in range(500):
        shelf.add(f"s{number:03}", "fix the thing", updated=number)
    shelf.add("exact", "the", updated=1)
    shelf.add("near", "near the end", updated=2, directory="/here")
    judged = []
    monkeypatch.setattr(
        "finder.match.Matcher.literal",
        lambda self, outline, literal=Matcher.literal: judged.append(outline)
        or literal(self, outline),
    )
    answer = find(library(shelf), Query(words=("the",), here=("/here",), limit=4))
    assert ids(answer) == ["exact", "near", "s499", "s498"]
    assert len(judged) < 70


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10**9),
    limit=st.integers(1, 12),
    options=st.sampled_from(
        [
            {"directories": ("/a",)},
            {"directories": ("/a", "/link")},
            {"agent": "plan"},
            {"since": 400},
            {"until": 600, "directories": ("/b",)},
            {"directories": ("/a",), "archived": False},
        ]
    ),
    most=st.sampled_from([0, 30, 4000]),
)
def test_the_newest_rows_that_fit_are_the_same_as_from_a_full_listing(
    seed: int, limit: int, options: dict[str, object], most: int
) -> None:
    """Also where only an old subagent of a new session fits."""
    chance = random.Random(seed)
    shelves = [
        Shelf(Path(f"/shelf{n}"), kind=chance.choice(("database", "files")), rank=n % 2)
        for n in range(chance.randint(1, 3))
    ]
    count = chance.choice((20, 250))
    for number in range(count):
        parent = f"s{chance.randrange(count + 50):03}" if chance.random() < 0.8 else None
        for shelf in chance.sample(shelves, chance.randint(1, len(shelves))):
            shelf.add(
                f"s{number:03}",
                updated=chance.choice((None, *(chance.randrange(1000) for _ in range(9)))),
                parent=parent,
                directory=chance.choice(("/a", "/a", "/a/b", "/b", "/c")),
                agent=chance.choice(("build", "plan")),
                archived=chance.choice((None, None, 7)),
            )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("finder.search._MOST_RECENT", most)
        few = find(library(*shelves), Query(limit=limit, **options))  # type: ignore[arg-type]
    full = find(library(*shelves), Query(limit=0, **options))  # type: ignore[arg-type]
    assert few.rows == tuple(full.rows)[:limit]
    assert few.more == (len(full.rows) > limit)


def test_a_database_is_not_listed_whole_for_its_newest_rows() -> None:
    shelf = Shelf(HERE)
    for number in range(2000):
        shelf.add(f"s{number:04}", updated=number)
    assert len(search(shelf)) == 20
    assert shelf.asked
    assert all(want.newest == 120 for want in shelf.asked)


def test_a_store_of_files_is_walked_once() -> None:
    shelf = Shelf(HERE, kind="files")
    shelf.add("parent", "nothing of the kind", updated=1)
    shelf.add("child", "login", parent="parent", updated=2)
    assert search(shelf, "login wizzard") == []
    assert search(shelf, "lgoin") == ["parent"]
    assert [(want.words, want.ids) for want in shelf.asked] == [((), None)] * 2


# -- words -------------------------------------------------------------------------------


def test_exact_before_whole_word_before_prefix_before_substring_before_a_typing_error() -> None:
    shelf = Shelf(HERE)
    shelf.add("with a typing error", "The praser", updated=6)
    shelf.add("inside", "Myparserlib", updated=5)
    shelf.add("prefix", "All parsers", updated=4)
    shelf.add("whole-old", "One parser more", updated=2)
    shelf.add("whole-new", "Fix the parser_rules", updated=3)
    shelf.add("exact", "Parser", updated=1)
    shelf.add("none", "Something else", updated=7)
    expected = ["exact", "whole-new", "whole-old", "prefix", "inside", "with a typing error"]
    assert search(shelf, "parser") == expected
    tiers = [r.matched[0].tier for r in find(library(shelf), Query(words=("parser",))).rows]
    assert tiers == ["exact", "whole", "whole", "prefix", "substring", "fuzzy"]


def test_a_typing_error_in_one_word_and_a_beginning_of_another() -> None:
    shelf = Shelf(HERE)
    shelf.add("newer", "Another parser, quickly", updated=2)
    shelf.add("older", "The parser is quick", updated=1)
    answer = find(library(shelf), Query(words=("praser", "quick")))
    assert ids(answer) == ["older", "newer"]
    assert [match.tier for match in answer.rows[1].matched] == ["fuzzy", "prefix"]


def test_all_words_must_match_in_any_field() -> None:
    shelf = Shelf(HERE)
    shelf.add("both", "Fix login", directory="/home/dev/shop", agent="build", updated=1)
    shelf.add("one", "Fix logout", directory="/home/dev/bank", updated=2)
    assert search(shelf, "login shop build") == ["both"]
    assert search(shelf, "fix bank login") == []


def test_words_side_by_side_come_before_words_apart() -> None:
    shelf = Shelf(HERE)
    shelf.add("apart", "Login page: fix it", updated=2)
    shelf.add("together", "Please fix login page", updated=1)
    assert search(shelf, "fix login") == ["together", "apart"]


def test_a_title_counts_more_than_a_directory() -> None:
    shelf = Shelf(HERE)
    shelf.add("directory", "Other", directory="/src/parser", updated=2)
    shelf.add("title", "The parser", updated=1)
    assert search(shelf, "parser") == ["title", "directory"]


def test_what_is_typed_stands_before_words_apart_even_if_the_last_is_not_finished() -> None:
    shelf = Shelf(HERE)
    shelf.add("apart", "Login: fix it", updated=3)
    shelf.add("begun", "Please fix logins", updated=1)
    shelf.add("inside", "Prefix logins", updated=2)
    assert search(shelf, "fix login") == ["begun", "apart", "inside"]


def test_of_equals_those_of_the_callers_folder_come_first() -> None:
    shelf = Shelf(HERE)
    shelf.add("here", "The parser", directory="/w/app", updated=1)
    shelf.add("below", "A parser", directory="/w/app/ui", updated=2)
    shelf.add("beside", "Your parser", directory="/w/apple", updated=3)
    shelf.add("better", "Parser", directory="/x", updated=0)
    assert search(shelf, "parser") == ["better", "beside", "below", "here"]
    assert search(shelf, "parser", here=("/w/app",)) == ["better", "below", "here", "beside"]
    newest = ["beside", "below", "here", "better"]
    assert search(shelf, "parser", here=("/w/app",), sort="updated") == newest


def test_one_error_is_closer_than_two() -> None:
    shelf = Shelf(HERE)
    shelf.add("two", "A generator", updated=2)
    shelf.add("one", "The separator", updated=1)
    assert search(shelf, "seperator") == ["one", "two"]


def test_an_error_in_a_beginning_is_forgiven_where_no_word_is_near_and_none_has_it() -> None:
    shelf = Shelf(HERE)
    shelf.add("long", "Kubernetes", updated=1)
    shelf.add("whole", "A kubrene", updated=2)
    assert search(shelf, "kubrene") == ["whole"], "it is there as it was typed"
    assert search(shelf, "kubrnee") == ["whole"], "a whole word is near"
    assert search(shelf, "kuberent") == ["long"]
    assert search(shelf, "xubern") == [], "a wrong first letter makes another word"
    assert search(shelf, "kube") == ["long"]
    assert search(shelf, "kueb") == [], "too short to be told from others"


def test_case_and_composition_do_not_matter() -> None:
    shelf = Shelf(HERE)
    shelf.add("a", "Grüße aus ÖSTERREICH")
    assert Query(words=("österreich",)).words
    answer = find(library(shelf), Query(words=("o\u0308sterreich",)))
    # The strict adapter finds it no more literally; the engine still compares it rightly.
    assert ids(answer) == ["a"]
    assert answer.rows[0].matched[0].tier == "whole"


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("migartion", True),  # a transposition is one error
        ("migrtion", True),
        ("migratoin", True),
        ("mgirtaion", True),  # two errors in a long word
        ("mgirtaino", False),
        ("databse", True),
        ("dtabse", False),  # two errors in a word of six letters
        ("teh", False),  # too short to be forgiven
        ("2025", False),  # another number is not a typing error
    ],
)
def test_typing_errors(typed: str, found: bool) -> None:
    shelf = Shelf(HERE)
    shelf.add("a", "The database migration of 2026")
    shelf.add("b", "Nothing alike")
    assert search(shelf, typed) == (["a"] if found else [])


def test_typing_errors_are_not_thought_of_where_there_is_no_room_for_them() -> None:
    shelf = Shelf(HERE)
    shelf.add("s", "parser", updated=1)
    shelf.add("t", "praser", updated=2)
    assert ids(find(library(shelf), Query(words=("parser",), limit=1))) == ["s"]
    assert all(want.words or want.ids is not None for want in shelf.asked)


# -- ids ---------------------------------------------------------------------------------


def test_an_id_wins_outright_and_its_beginning_too() -> None:
    shelf = Shelf(HERE)
    shelf.add("ses_1a2b3c4d", "One", updated=1)
    shelf.add("ses_9f8e7d6c", "Copy of ses_1a2b3c4d", updated=2)
    assert search(shelf, "ses_1a2b3c4d") == ["ses_1a2b3c4d"]
    assert search(shelf, "SES_1A2B3") == ["ses_1a2b3c4d"]
    assert search(shelf, "mem:ses_1a2b3c4d") == ["ses_1a2b3c4d"]
    assert sorted(search(shelf, "1a2b3c")) == ["ses_1a2b3c4d", "ses_9f8e7d6c"]


def test_letters_that_stand_in_an_id_by_chance_are_no_match() -> None:
    shelf = Shelf(HERE)
    shelf.add("ses_08fixab", "Something")
    assert search(shelf, "fix") == []
    assert search(shelf, "ses") == []


def test_the_own_id_of_a_subagent_finds_the_subagent() -> None:
    shelf = Shelf(HERE)
    shelf.add("parent01", "P")
    shelf.add("child001", "C", parent="parent01")
    shelf.add("child002", "C", parent="parent01")
    assert search(shelf, "child001") == ["child001"]
    assert search(shelf, "child00") == ["parent01"]


# -- subagents ---------------------------------------------------------------------------


@pytest.fixture
def family() -> Shelf:
    shelf = Shelf(HERE)
    shelf.add("root", "Plan the release", updated=10)
    shelf.add("kid", "Look around", parent="root", agent="explore", updated=11)
    shelf.add("grandkid", "Read changelog", parent="kid", updated=12, directory="/deep/er")
    shelf.add("other", "Write changelog", updated=5)
    shelf.add("orphan", "Left alone", parent="gone", updated=1)
    return shelf


def rows(shelf: Shelf, **query: object) -> dict[str, Row]:
    answer = find(library(shelf), Query(**query))  # type: ignore[arg-type]
    return {row.session.ref.id: row for row in answer.rows}


def test_subagents_are_folded_and_counted_at_any_depth(family: Shelf) -> None:
    found = rows(family)
    assert list(found) == ["root", "other", "orphan"]
    assert [(b.session.ref.id, b.depth) for b in found["root"].subagents] == [
        ("kid", 1),
        ("grandkid", 2),
    ]
    assert found["root"].matched_subagents == ()


def test_a_parent_is_listed_for_its_descendant(family: Shelf) -> None:
    found = rows(family, words=("changelog",))
    assert list(found) == ["other", "root"], "an own title says more than that of a subagent"
    assert [b.session.ref.id for b in found["root"].matched_subagents] == ["grandkid"]
    assert found["root"].matched[0].tier == "whole"
    assert list(rows(family, agent="Explore")) == ["root"]
    assert list(rows(family, directories=("/deep",))) == ["root"]


def test_subagents_are_counted_each_time_that_a_library_is_asked(family: Shelf) -> None:
    asked = library(family)
    counts = [
        [len(row.subagents) for row in find(asked, Query(words=words)).rows]
        for words in (("root",), ("root",), (), ("changelog",))
    ]
    assert [max(found) for found in counts] == [2, 2, 2, 2], counts


def test_subagents_as_rows(family: Shelf) -> None:
    found = rows(family, subagents=True)
    assert list(found) == ["grandkid", "kid", "root", "other", "orphan"]
    assert len(found["kid"].subagents) == 1


def test_parent_links_in_a_circle_end() -> None:
    shelf = Shelf(HERE)
    for one, other in (("a", "b"), ("b", "c"), ("c", "a"), ("self", "self")):
        shelf.add(one, parent=other, updated=1)
    found = rows(shelf)
    assert sorted(found) == ["a", "self"]
    assert len(found["a"].subagents) == 2


def test_a_child_in_one_store_has_its_parent_in_another() -> None:
    old, new = Shelf(Path("/old")), Shelf(Path("/new"))
    new.add("parent", updated=1)
    old.add("child", "found me", parent="parent", updated=2)
    old.add("grandchild", parent="child", updated=3)
    answer = find(library(old, new), Query(words=("found",)))
    assert ids(answer) == ["parent"]
    assert len(answer.rows[0].subagents) == 2


# -- one session in several stores ---------------------------------------------------------


def test_the_higher_rank_is_believed_then_the_newer_copy() -> None:
    files, database = Shelf(Path("/files"), kind="files"), Shelf(Path("/db"), rank=1)
    other = Shelf(Path("/db2"), rank=1)
    files.add("s", "From files", updated=99)
    database.add("s", "From the database", updated=5)
    answer = find(library(files, database), Query())
    assert [row.session.title for row in answer.rows] == ["From the database"]
    assert answer.rows[0].entry.also_in == ("/files",)
    other.add("s", "From the newer database", updated=6)
    answer = find(library(files, database, other), Query())
    assert [row.session.title for row in answer.rows] == ["From the newer database"]
    assert answer.rows[0].entry.also_in == ("/db", "/files")


def test_further_copies_within_a_store_are_named_too() -> None:
    shelf = Shelf(HERE)
    shelf.add("s", also_in=("/shelf/copy.json",))
    assert find(library(shelf), Query()).rows[0].entry.also_in == ("/shelf/copy.json",)


def test_a_title_that_is_no_longer_true_does_not_match() -> None:
    old, new = Shelf(Path("/old")), Shelf(Path("/new"), rank=1)
    old.add("s", "Before", updated=1)
    new.add("s", "After", updated=1)
    assert ids(find(library(old, new), Query(words=("before",)))) == []
    assert ids(find(library(old, new), Query(words=("after",)))) == ["s"]


def test_equal_ids_of_different_tools_are_different_sessions() -> None:
    one = Memory(Shelf(Path("/one")), name="one", tool="one")
    two = Memory(Shelf(Path("/two")), name="two", tool="two")
    for adapter in (one, two):
        for shelf in adapter.shelves.values():
            shelf.add("same", tool=adapter.tool)
    stores = [a.store(s) for a in (one, two) for s in a.shelves.values()]
    answer = find(Library(Registry.of(one, two), stores), Query())
    assert sorted(row.session.ref.tool for row in answer.rows) == ["one", "two"]


def test_a_session_that_its_tool_no_longer_sees_is_unmigrated() -> None:
    files = Shelf(Path("/files"), superseded_by=(Path("/db"),))
    database = Shelf(Path("/db"), rank=1)
    files.add("both", updated=1)
    files.add("left", updated=2)
    database.add("both", updated=1)

    def labels() -> dict[str, tuple[str, ...]]:
        answer = find(library(files, database), Query())
        return {row.session.ref.id: row.session.labels for row in answer.rows}

    assert labels() == {"both": (), "left": ("unmigrated",)}
    database.problems = [Problem(kind="corrupt", path="/db", message="row 7", record="other")]
    assert labels()["left"] == ("unmigrated",)
    database.problems = [Problem(kind="corrupt", path="/db", message="row 7", record="left")]
    assert labels()["left"] == ()
    database.error = unreadable(database.path)
    assert labels() == {"both": (), "left": ()}


def test_nothing_is_called_unmigrated_when_the_newer_store_was_not_asked() -> None:
    files = Shelf(Path("/files"), superseded_by=(Path("/db"),))
    files.add("left")
    assert find(library(files), Query()).rows[0].session.labels == ()


# -- filters -----------------------------------------------------------------------------


def test_filters() -> None:
    shelf = Shelf(HERE)
    shelf.add("a", directory="/w/app", agent="build", model="x/Sonnet", updated=10)
    shelf.add("b", directory="/w/app/ui", agent="plan", model="y/gpt", updated=20)
    shelf.add("c", directory="/w/apple", updated=30, archived=31)
    shelf.add("d", updated=None)
    assert search(shelf, directories=("/w/app",)) == ["b", "a"]
    assert search(shelf, directories=("/w/app/", "/elsewhere")) == ["b", "a"]
    assert search(shelf, directories=("/",)) == ["c", "b", "a"]
    assert search(shelf, agent="BUILD") == ["a"]
    assert search(shelf, model="sonnet") == ["a"]
    assert search(shelf, since=20) == ["c", "b"]
    assert search(shelf, until=20) == ["b", "a"]
    assert search(shelf, archived=False) == ["b", "a", "d"]


def test_archived_sessions_do_not_take_the_place_of_others() -> None:
    shelf = Shelf(HERE)
    for number in range(500):
        shelf.add(f"s{number:03}", updated=number, archived=1 if number >= 100 else None)
    assert search(shelf, archived=False, limit=3) == ["s099", "s098", "s097"]


# -- failure -----------------------------------------------------------------------------


@pytest.mark.parametrize("words", [(), ("one",), ("ses_12345",)])
def test_a_failing_store_is_named_and_the_others_answer(words: tuple[str, ...]) -> None:
    good, bad = Shelf(Path("/good")), Shelf(Path("/bad"), error=unreadable(Path("/bad")))
    good.add("ses_12345", "one")
    answer = find(library(good, bad), Query(words=words))
    assert ids(answer) == ["ses_12345"]
    assert [problem.path for problem in answer.problems] == ["/bad"]
    assert answer.incomplete
    assert not answer.silent
    assert [(s.failed, s.sessions) for s in answer.searched] == [(False, 1), (True, None)]
    assert len(bad.asked) == 1, "a store that failed is not asked again"


def test_a_store_that_fails_alone_is_not_an_empty_one() -> None:
    answer = find(library(Shelf(HERE, error=unreadable(HERE))), Query())
    assert answer.silent
    assert answer.problems


def test_an_adapter_that_breaks_is_a_problem() -> None:
    answer = find(library(Shelf(HERE, error=ZeroDivisionError("oops"))), Query())
    assert answer.silent
    assert [p.kind for p in answer.problems] == ["adapter"]
    assert "ZeroDivisionError: oops" in answer.problems[0].message


def test_one_bad_record_is_told_once_and_is_not_a_failed_store() -> None:
    bad = Problem(kind="corrupt", path="/shelf/7.json", message="is cut")
    shelf = Shelf(HERE, problems=[bad])
    shelf.add("s", "word")
    answer = find(library(shelf), Query(words=("word",)))
    assert ids(answer) == ["s"]
    assert answer.problems == (bad,)
    assert not answer.incomplete


def test_an_id_of_megabytes_is_told_and_not_listed() -> None:
    shelf = Shelf(Path("/shelf"))
    shelf.add("good", "Fix login", updated=1)
    shelf.add("y" * 2_000_000, "Fix login", updated=2)
    for query in (Query(), Query(words=("login",)), Query(words=("yyyyyyy9",))):
        answer = find(library(shelf), query)
        assert {row.session.ref.id for row in answer.rows} <= {"good"}
        assert not any(len(str(problem)) > 1_000 for problem in answer.problems)
        assert not answer.incomplete
    answer = find(library(shelf), Query())
    assert [row.session.ref.id for row in answer.rows] == ["good"]
    assert [p.kind for p in answer.problems] == ["corrupt"]
    assert "2,000,000 characters" in answer.problems[0].message


def test_a_problem_of_the_whole_store_is_a_failure() -> None:
    bad = Problem(kind="unknown-schema", path=str(HERE), message="is of another program")
    assert find(library(Shelf(HERE, problems=[bad])), Query()).silent


def test_no_store_at_all_is_an_empty_answer() -> None:
    answer = find(library(), Query())
    assert answer.rows == ()
    assert not answer.incomplete


def test_adapters_are_asked_without_raw_when_it_is_not_wanted() -> None:
    shelf = Shelf(HERE)
    adapter = Memory(shelf)
    found = Library(Registry.of(adapter), [adapter.store(shelf)], raw=False)
    find(found, Query())
    assert shelf.asked == [Want(newest=120, raw=False)]
