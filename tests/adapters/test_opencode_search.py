"""Content search in OpenCode's databases: nothing is missed, and nothing waits for it."""

from __future__ import annotations

import base64
import json
import re
import shutil
import sqlite3
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.opencode import search
from adapters.opencode.database import OpenCodeDatabase
from adapters.opencode.needles import quickest, untouched
from adapters.opencode.sieve import _ODD, CHANGED, Sieve
from finder.adapter import Candidate, Store, Want, Word
from finder.content import fields, hit
from finder.find import Query, find
from finder.library import Library
from finder.model import Session
from finder.registry import Registry
from finder.testing import stores_below
from finder.words import Sought, Term, folded
from tests.bench.opencode_stores import make_database
from tests.bench.planted import RARE_WORD
from tests.bench.sessions import Shape

FIXTURES = Path(__file__).parents[2] / "fixtures" / "opencode-db"
ADAPTER = OpenCodeDatabase()


def found(store: Store, *words: str, want: Want | None = None) -> list[str]:
    candidates = ADAPTER.candidates(store, Sought.of(words), want)
    return [c.ref.id for c in candidates if isinstance(c, Candidate)]


def passes(text: str, term: Term) -> bool:
    """Whether a text passes both the test in SQL and, where that is asked, the one in Python."""
    sieve = Sieve(term)
    test = sieve.test("data", "t")
    with closing(sqlite3.connect(":memory:")) as connection:
        query = f"SELECT {test.may}, {test.plainly} FROM (SELECT :text AS data)"
        may, plainly = connection.execute(query, {**test.values, "text": text}).fetchone()
    return bool(may) and (bool(plainly) or sieve.may_hold(text, not_plainly=True))


# -- the sieve -------------------------------------------------------------------------------

WRITERS = {
    "as OpenCode": lambda text: json.dumps({"text": text}, ensure_ascii=False),
    "in ASCII": lambda text: json.dumps({"text": text}),
    "all escaped": lambda text: '{"text":"' + "".join(map(_escaped, text)) + '"}',
}
LETTERS = st.text(
    st.one_of(
        st.sampled_from('aAbfFiIkKlLnNsStT1 _-/"\\\n\tßẞſ\u212aﬀﬁﬂﬃﬄﬅﬆŉİẚıéÉe\u0301\u0327åÅ\u212b'),
        st.sampled_from("=<>'&#?~→…"),
        st.sampled_from("ПриветйЙ\u0306設定ファイルがか\u3099한\u1112\u1161ΣςσΐΰJ\u030cǰ\u0344"),
        st.characters(codec="utf-8"),
    ),
    min_size=1,
    max_size=12,
)
CASES = st.sampled_from(
    [str, str.upper, str.lower, str.title, str.swapcase]
    + [lambda t, f=form: unicodedata.normalize(f, t) for form in ("NFC", "NFD", "NFKD")]
)


def _escaped(letter: str) -> str:
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


@given(before=LETTERS, said=LETTERS, after=LETTERS, case=CASES, writer=st.sampled_from([*WRITERS]))
def test_no_text_that_has_the_term_is_missed(before, said, after, case, writer) -> None:  # type: ignore[no-untyped-def]
    text = before + case(said) + after
    for term in Sought.of([said]).terms:
        if term.find(folded(text)):
            assert passes(WRITERS[writer](text), term)


def test_no_letter_of_unicode_is_missed_where_it_changes_by_folding() -> None:
    for start, end in CHANGED:
        for code in range(start, end + 1, 7):
            letter = chr(code)
            for written in {letter, unicodedata.normalize("NFD", letter)}:
                term = Term(f"xa{folded(written)}ay")
                assert Sieve(term).may_hold(f"xa{written}ay"), hex(code)


def test_the_letters_that_change_by_folding_are_known() -> None:
    every = (chr(code) for code in range(0x80, 0x110000) if not 0xD800 <= code < 0xE000)
    changing = [letter for letter in every if folded(letter) != letter]
    known = [range(start, end + 1) for start, end in CHANGED]
    assert [c for c in changing if not any(ord(c) in numbers for numbers in known)] == []
    of_ascii = {c for c in changing if re.search("[a-z0-9]", folded(c))}
    assert of_ascii == set(_ODD)


@pytest.mark.parametrize("letter", _ODD)
def test_what_is_looked_for_first_is_free_of_letters_that_others_are_equal_to(letter: str) -> None:
    plain = "".join(c for c in folded(letter) if c.isascii())
    for around in ("b{}d", "{}bd", "bd{}", "bb{0}dd{0}bb"):
        piece = folded(around.format(letter))
        needle = untouched(piece)
        assert needle in piece
        spelled = around.format(letter).lower()
        if len(needle) >= 2:
            assert quickest(needle) in spelled, (plain, piece)


def test_what_is_no_valid_text_is_looked_for_in_python() -> None:
    sieve = Sieve(Term("latte\udce9"))
    test = sieve.test("data", "t")
    assert list(test.values.values()) == ["%atte%"]  # which is found the soonest
    with closing(sqlite3.connect(":memory:")) as connection:
        query = f"SELECT {test.may} FROM (SELECT CAST(:text AS TEXT) AS data)"
        told = connection.execute(query, {**test.values, "text": b'{"text":"Latte\xe9 "}'})
        assert told.fetchone() == (1,)
    assert sieve.may_hold('{"text":"Latte\udce9 "}', not_plainly=True)


@pytest.mark.parametrize(
    ("said", "sought"),
    [
        ("e\u0301\u0323k", "\u1eb9\u0301k"),  # folding puts the dot below before the accent
        ("\u00e9\u0323k", "\u1eb9\u0301k"),
        ("one\n\u0323two", "\u0323two"),  # JSON writes an n between these
        ("one\n\u0323", "\u0323"),
    ],
)
def test_accents_are_found_wherever_they_stand(said: str, sought: str) -> None:
    term = Term(sought)
    assert term.find(folded(said)) is not None
    for ensure_ascii in (True, False):
        assert passes(json.dumps({"text": said}, ensure_ascii=ensure_ascii), term)


def test_a_word_that_is_not_there_does_not_pass() -> None:
    text = json.dumps({"text": "Die Größe — is “right” \x1b[31m"}, ensure_ascii=False)
    for word in ("fix", "missing", "timeout", "привет", "設定", "größte", "kelvin"):
        assert not passes(text, Term(word))
    for word in ("=>", "i=s", "→", "<is>"):
        assert not passes(text, Term(word))


# -- the search ------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[p.parent.name for p in FIXTURES.glob("*/store")])
def fixture_store(request: pytest.FixtureRequest) -> Store:
    (store,) = stores_below(ADAPTER, FIXTURES / str(request.param) / "store")
    return store


def test_every_word_of_every_session_is_found(fixture_store: Store) -> None:
    said: dict[str, set[str]] = {}
    for session in ADAPTER.sessions(fixture_store):
        assert isinstance(session, Session)
        words = set()
        for event in ADAPTER.events(session.ref):
            for _, text in fields(event):
                words.update(folded(text).split())
        for word in words:
            said.setdefault(word, set()).add(session.ref.id)
    texts = {word: ids for word, ids in said.items() if '"' not in word and len(word) < 60}
    chosen = sorted(texts, key=lambda w: (len(said[w]), w))[:: max(len(texts) // 50, 1)]
    assert len(chosen) > 20
    for word in chosen:
        sure = {s for s, t in _having(fixture_store, word)}
        assert set(found(fixture_store, word)) >= sure, word
        assert said[word] <= sure


def _having(store: Store, word: str) -> Iterator[tuple[str, object]]:
    """The sessions that have a word, found by reading all of them."""
    sought = Sought.of([word])
    for session in ADAPTER.sessions(store):
        if isinstance(session, Session):
            hits = hit(ADAPTER.events(session.ref), sought)
            if hits:
                yield session.ref.id, hits


@pytest.fixture
def store(tmp_path: Path) -> Store:
    make_database(tmp_path, Shape(sessions=200, text=400_000))
    (found,) = stores_below(ADAPTER, tmp_path)
    return found


def test_the_last_updated_comes_first(store: Store) -> None:
    times = [c.updated for c in ADAPTER.candidates(store, Sought.of(["the"])) if c]  # type: ignore[union-attr]
    assert len(times) > 100
    assert times == sorted(times, key=lambda t: -(t or 0))


def test_a_rare_word_in_a_tools_output_is_found(store: Store) -> None:
    assert len(found(store, RARE_WORD)) == 3
    assert found(store, RARE_WORD, "certainly-not-there") == []


def test_what_is_wanted_narrows(store: Store) -> None:
    everywhere = found(store, "the")
    sessions = [s for s in ADAPTER.sessions(store) if isinstance(s, Session)]
    roots = {session.ref.id for session in sessions if session.parent is None}
    assert set(found(store, "the", want=Want(roots=True))) <= roots
    assert not set(everywhere) <= roots
    one = Want(ids=(everywhere[3],))
    assert found(store, "the", want=one) == [everywhere[3]]


def test_what_fits_a_want_that_is_known_is_not_told(store: Store) -> None:
    times = {s.ref.id: s.updated or 0 for s in ADAPTER.sessions(store) if isinstance(s, Session)}
    rare = found(store, RARE_WORD)
    newer = Want(since=times[rare[0]])
    assert found(store, RARE_WORD, want=newer) == rare[:1]
    assert found(store, RARE_WORD, want=Want(beyond=newer)) == rare[1:]
    assert found(store, RARE_WORD, want=Want(until=times[rare[1]], beyond=newer)) == rare[1:]
    assert found(store, RARE_WORD, want=Want(beyond=Want())) == []


def test_the_first_are_told_before_the_rest_is_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks = []
    having = search._Search.having

    def counted(self: search._Search, connection: sqlite3.Connection) -> set[str]:
        chunks.append(len(self.chunk))
        return having(self, connection)

    monkeypatch.setattr(search._Search, "having", counted)
    candidates = ADAPTER.candidates(store, Sought.of([RARE_WORD]))
    assert next(candidates)
    assert sum(chunks) < 200
    list(candidates)
    assert sum(chunks) == 200


def test_of_words_that_all_sessions_have_the_next_sessions_are_told_unseen(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_LARGEST_CHUNK", 50)
    looked_at = []
    having = search._Search.having

    def counted(self: search._Search, connection: sqlite3.Connection) -> set[str]:
        looked_at.extend(identifier for identifier, _ in self.chunk)
        return having(self, connection)

    monkeypatch.setattr(search._Search, "having", counted)
    assert len(found(store, "the")) > 190
    assert len(looked_at) < 50


def test_between_two_answers_the_database_is_free(store: Store) -> None:
    candidates = ADAPTER.candidates(store, Sought.of(["the"]))
    assert next(candidates)
    with closing(sqlite3.connect(store.path, timeout=0)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        writer.execute("UPDATE session SET title = 'changed meanwhile'")
        writer.execute("COMMIT")
    assert len(list(candidates)) > 100


def test_key_names_and_ids_of_the_records_are_not_content(store: Store) -> None:
    for word in ("callID", "snapshot", "providerID", "metadata"):
        assert len(found(store, word)) == sum(1 for _ in _having(store, word))


def test_the_files_beside_the_database_are_searched_too(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "1.18.33" / "store", tmp_path / "home")
    for path in [tmp_path / "home", *(tmp_path / "home").rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    (store,) = stores_below(ADAPTER, tmp_path / "home")
    (session,) = list(ADAPTER.sessions(store, Want(newest=1)))
    assert isinstance(session, Session)
    data = store.path.parent
    diff = [{"file": "src/zebrafish.py", "additions": 41, "deletions": 7, "patch": "okapi"}]
    (data / "storage/session_diff" / f"{session.ref.id}.json").write_text(json.dumps(diff))
    assert found(store, "zebrafish") == found(store, '"zebrafish.py +41"') == [session.ref.id]
    assert found(store, "okapi") == [], "of a diff the names are told, not the content"

    (data / "tool-output").mkdir()
    (data / "tool-output" / "tool_1f82").write_text("the whole text says aardvark")
    with closing(sqlite3.connect(store.path)) as connection:
        query = 'SELECT id, data FROM part WHERE data LIKE \'%"tool":"bash"%\' LIMIT 1'
        identifier, data_text = connection.execute(query).fetchone()
        part = json.loads(data_text)
        part["state"]["metadata"]["outputPath"] = "/home/dev/tool-output/tool_1f82"
        connection.execute("UPDATE part SET data = ? WHERE id = ?", (json.dumps(part), identifier))
        connection.commit()
    (having,) = found(store, "aardvark")
    assert [identifier for identifier, _ in _having(store, "aardvark")] == [having]


def test_texts_in_attachments_are_searched_though_they_are_kept_as_base64(store: Store) -> None:
    url = "data:text/plain;base64," + base64.b64encode(b"a quagmire in the fens").decode()
    file = {"type": "file", "mime": "text/plain", "filename": "a.txt", "url": url}
    state = {"status": "completed", "input": {}, "output": "", "attachments": [file]}
    tool = {"type": "tool", "tool": "read", "callID": "c", "state": state}
    having = set()
    with closing(sqlite3.connect(store.path)) as connection, connection:
        for part in (file, tool):
            query = "SELECT id, session_id FROM part WHERE session_id NOT IN (?, ?) LIMIT 1"
            row, session = connection.execute(query, [*having, "", ""][:2]).fetchone()
            connection.execute("UPDATE part SET data = ? WHERE id = ?", [json.dumps(part), row])
            having.add(session)
    assert set(found(store, "quagmire")) == {one for one, _ in _having(store, "quagmire")} == having


def test_what_a_row_says_in_other_letters_than_its_own_is_found(store: Store) -> None:
    wanted = next(iter(ADAPTER.sessions(store)))
    assert isinstance(wanted, Session)
    said = {
        "part": '{"type":"file","mime":"a/b","url":"file:\\/\\/\\/caf%C3%A9/x%3D%3Ey/stra%C3%9Fe"}',
        "session_message": '{"agent":"build"}',
    }
    session = wanted.ref.id
    with closing(sqlite3.connect(store.path)) as connection:
        query = "SELECT id FROM message WHERE session_id = ?"
        (message,) = connection.execute(query, [session]).fetchone()
        for table, data in said.items():
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            values = {
                **dict.fromkeys(columns, 0),
                "id": "made",
                "session_id": session,
                "data": data,
                **({"message_id": message} if table == "part" else {"type": "agent-switched"}),
            }
            marks = ", ".join(f":{column}" for column in columns)
            connection.execute(f"INSERT INTO {table} VALUES ({marks})", values)
        connection.commit()
    for word in ("café", "x=>y", "strasse", "switched"):
        assert found(store, word) == [session], word


def test_what_is_kept_as_bytes_is_searched(store: Store) -> None:
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("UPDATE part SET data = CAST(data AS BLOB)")
    having = {identifier for identifier, _ in _having(store, "the")}
    assert set() < having <= set(found(store, "the"))


def test_a_message_that_cannot_be_parsed_is_searched(store: Store) -> None:
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("UPDATE message SET data = '{\"role\": quagmire' WHERE rowid = 3")
    (having,) = found(store, "quagmire")
    assert [identifier for identifier, _ in _having(store, "quagmire")] == [having]


def test_more_and_longer_words_than_sql_can_be_asked_for(store: Store) -> None:
    text = " ".join(["quagmire" * 10_000, *(f"word{number}" for number in range(1_500))])
    part = json.dumps({"type": "text", "text": text})
    with closing(sqlite3.connect(store.path)) as connection, connection:
        (row, session) = connection.execute("SELECT id, session_id FROM part LIMIT 1").fetchone()
        connection.execute("UPDATE part SET data = ? WHERE id = ?", [part, row])
        connection.execute("UPDATE session SET title = ? WHERE id = ?", [text, session])
    assert found(store, text) == [session]
    assert found(store, f'"{text}"') == [session]
    words = tuple((Word(word),) for word in text.split())
    for want in (Want(words=words), Want(words=((*(w for (w,) in words),),))):
        listed = [s.ref.id for s in ADAPTER.sessions(store, want) if isinstance(s, Session)]
        assert session in listed


# -- damage ----------------------------------------------------------------------------------


@pytest.fixture
def without_ids(tmp_path: Path) -> Store:
    """Rows without an id, and newer than all others, as only damage makes them."""
    home = tmp_path / "home"
    shutil.copytree(FIXTURES / "1.18.33" / "store", home)
    store = next(iter(stores_below(ADAPTER, home)))
    with closing(sqlite3.connect(store.path)) as connection, connection:
        for number in range(search._FIRST_PAGE + 40):
            connection.execute(
                "INSERT INTO session (id, project_id, slug, directory, title, version,"
                " time_created, time_updated) VALUES (?, 'p', '', '/x', ?, '', 1, ?)",
                (
                    None if number % 50 == 49 else f"ses_{number:04}",
                    "a common word" if number > 20 else "common",
                    4 * 10**12 + number,
                ),
            )
    return store


def test_a_row_without_an_id_hides_no_session_from_a_search_in_texts(without_ids: Store) -> None:
    named = [s for s in ADAPTER.sessions(without_ids) if isinstance(s, Session)]
    assert sorted(found(without_ids, "::")) == sorted(session.ref.id for session in named)


@pytest.mark.parametrize("word", ["word", "common"])
def test_a_row_without_an_id_hides_no_row(
    without_ids: Store, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ids(limit: int) -> list[str]:
        library = Library(Registry.of(ADAPTER), [without_ids])
        rows = find(library, Query(words=(word,), limit=limit)).rows
        return [row.session.ref.id for row in rows]

    monkeypatch.setattr("finder.search._MOST_RECENT_HITS", 60)
    for limit in (30, 99, 110, 180):
        assert ids(limit) == ids(0)[:limit]
