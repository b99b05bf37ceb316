"""Damaged stores of OpenClacky: each bad file is one named problem, its neighbours are listed."""

from __future__ import annotations

import shutil
import time
import zipfile
from pathlib import Path

import pytest

from adapters.clacky import Clacky, archive, header
from finder import jsonio
from finder.adapter import Store, Want
from finder.errors import FinderError, StoreError
from finder.model import Json, Problem, Ref, Session, ToolResult
from tests import damage

FIXTURE = Path(__file__).parents[2] / "fixtures" / "clacky" / "v1.5.1" / "store" / ".clacky"
CLACKY = Clacky()
BAD = "2026-11-05-10-00-00-e681d76e.json"
BAD_ID = "e681d76e3c86472c"
COMPACTED = "820bbe3a0282db89"
ARCHIVE = "2026-11-09-09-00-00-820bbe3a-chunk-1.md"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / ".clacky"
    shutil.copytree(FIXTURE, home)
    return home


def listed(path: Path) -> tuple[dict[str, Session], list[Problem]]:
    where = CLACKY.detect(path)
    assert where, f"{path} is no longer recognised"
    found = list(CLACKY.sessions(where))
    return (
        {one.ref.id: one for one in found if isinstance(one, Session)},
        [one for one in found if isinstance(one, Problem)],
    )


def check_one_is_bad(home: Path, kinds: set[str]) -> None:
    """The bad file is the one problem, and cannot be told; all others are as they were."""
    whole, _ = listed(FIXTURE)
    sessions, problems = listed(home)
    assert [Path(p.path).name for p in problems] == [BAD]
    assert problems[0].kind in kinds
    assert sessions.keys() == whole.keys() - {BAD_ID}
    with pytest.raises(StoreError) as error:
        list(CLACKY.events(Ref("clacky", str(home), BAD_ID)))
    assert error.value.problem == problems[0]
    for one in sessions.values():
        list(CLACKY.events(one.ref))


@pytest.mark.parametrize("spoil", damage.IN_PLACE_OF_A_FILE, ids=lambda spoil: spoil.__name__)
def test_something_else_in_the_place_of_a_session(home: Path, spoil: damage.Damage) -> None:
    spoil(home / "sessions" / BAD)
    check_one_is_bad(home, {"empty", "foreign", "corrupt", "gone"})


@pytest.mark.parametrize("spoil", damage.IN_PLACE_OF_A_FILE, ids=lambda spoil: spoil.__name__)
def test_a_damaged_file_named_alone_is_a_problem(home: Path, spoil: damage.Damage) -> None:
    path = home / "sessions" / BAD
    spoil(path)
    if path.is_dir():
        return  # a folder without sessions; whoever named it is told that there are none
    _, problems = listed(path)
    assert [problem.path for problem in problems] == [str(path)]


def test_a_session_that_may_not_be_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damage.forbid(monkeypatch, home / "sessions" / BAD)
    check_one_is_bad(home, {"permission"})


def test_a_session_cut_at_every_tenth(home: Path) -> None:
    path = home / "sessions" / BAD
    for part in damage.cuts(path.read_bytes()):
        path.write_bytes(part)
        check_one_is_bad(home, {"empty", "corrupt"})


def test_flipped_bits_are_a_problem_or_change_a_word(home: Path) -> None:
    path = home / "sessions" / BAD
    data = path.read_bytes()
    whole, _ = listed(home)
    for seed in range(150):
        path.write_bytes(damage.flipped(data, seed))
        sessions, problems = listed(home)
        assert whole.keys() - {BAD_ID} <= sessions.keys(), seed
        assert {Path(p.path).name for p in problems} <= {BAD}, seed
        if not problems:
            # Still a session, though with another letter or digit somewhere.
            (one,) = [s for s in sessions.values() if s.ref.id not in whole or s.ref.id == BAD_ID]
            assert jsonio.loads(path.read_bytes())["session_id"] == one.ref.id
            opaque = [e for e in CLACKY.events(one.ref) if e.type == "opaque"]
            assert one.messages == whole[BAD_ID].messages or opaque, seed


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("[]", "foreign"),
        ('"text"', "foreign"),
        ("null", "foreign"),
        ("{}", "foreign"),
        ('{"session_id": "e681d76e3c86472c"}', "foreign"),
        ('{"session_id": 7, "messages": []}', "foreign"),
        ('{"session_id": "e681d76e3c86472c", "messages": "none"}', "foreign"),
        ("[" * 100_000, "corrupt"),
    ],
)
def test_json_that_is_no_session(home: Path, text: str, kind: str) -> None:
    (home / "sessions" / BAD).write_text(text, encoding="utf-8")
    check_one_is_bad(home, {kind})


def test_one_bad_among_two_hundred(tmp_path: Path) -> None:
    folder = tmp_path / "sessions"
    folder.mkdir()
    for number in range(200):
        session = {
            "session_id": f"{number:08x}aaaaaaaa",
            "created_at": "2026-01-02T03:04:05+00:00",
            "working_dir": "/home/dev",
            "messages": [{"role": "user", "content": f"question {number}"}],
        }
        name = f"2026-01-02-03-04-05-{number:08x}.json"
        (folder / name).write_bytes(jsonio.dumps(session))
    damage.a_pipe(folder / "2026-01-02-03-04-05-00000064.json")
    sessions, problems = listed(folder)
    assert len(sessions) == 199
    assert [p.kind for p in problems] == ["foreign"]
    assert "named pipe" in problems[0].message


def test_text_that_is_not_utf_8_is_kept_and_named(home: Path) -> None:
    path = home / "sessions" / BAD
    path.write_bytes(path.read_bytes().replace(b"Now a test.", b"Now \xff\xfe test."))
    sessions, (problem,) = listed(home)
    assert problem.kind == "corrupt" and "not UTF-8" in problem.message
    texts = [e.text for e in CLACKY.events(sessions[BAD_ID].ref) if e.type == "text"]
    assert "Now \udcff\udcfe test." in texts


def test_a_time_that_is_none_is_named(home: Path) -> None:
    path = home / "sessions" / BAD
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("2026-11-05T10:00:00+00:00", "yesterday", 1), encoding="utf-8")
    sessions, (problem,) = listed(home)
    assert (problem.record, sessions[BAD_ID].created) == ("created_at", None)


# -- archives --------------------------------------------------------------------------


@pytest.mark.parametrize("spoil", damage.IN_PLACE_OF_A_FILE, ids=lambda spoil: spoil.__name__)
def test_something_else_in_the_place_of_an_archive(home: Path, spoil: damage.Damage) -> None:
    spoil(home / "sessions" / ARCHIVE)
    sessions, problems = listed(home)
    assert (problems, len(sessions)) == ([], len(listed(FIXTURE)[0]))
    events = list(CLACKY.events(sessions[COMPACTED].ref))
    broken = [e for e in events if e.type == "opaque"]
    assert [(e.record, e.kind) for e in broken] == [(ARCHIVE, "archive")]
    assert broken[0].problem
    assert "Third pass finished." in [e.text for e in events if e.type == "text"]


def test_an_archive_that_may_not_be_read(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damage.forbid(monkeypatch, home / "sessions" / ARCHIVE)
    sessions, _ = listed(home)
    broken = [e for e in CLACKY.events(sessions[COMPACTED].ref) if e.type == "opaque"]
    assert broken[0].problem and "permissions" in broken[0].problem


def test_an_archive_cut_at_every_tenth(home: Path) -> None:
    path = home / "sessions" / ARCHIVE
    for part in damage.cuts(path.read_bytes()):
        path.write_bytes(part)
        sessions, _ = listed(home)
        events = list(CLACKY.events(sessions[COMPACTED].ref))
        assert [e.kind for e in events if e.type == "opaque"] == ["archive"]
        opened = [e for e in events if e.type == "message"]
        assert sessions[COMPACTED].messages == len(opened)


def test_flipped_bits_in_an_archive(home: Path) -> None:
    path = home / "sessions" / ARCHIVE
    data = path.read_bytes()
    for seed in range(100):
        path.write_bytes(damage.flipped(data, seed))
        sessions, _ = listed(home)
        events = list(CLACKY.events(sessions[COMPACTED].ref))
        opened = [e for e in events if e.type == "message"]
        assert sessions[COMPACTED].messages == len(opened)


def test_what_is_left_of_a_session_whose_file_is_broken(home: Path) -> None:
    damage.another_text(home / "sessions" / "2026-11-09-09-00-00-820bbe3a.json")
    sessions, problems = listed(home)
    assert len(problems) == 1
    assert sessions[COMPACTED].labels == ("compacted", "truncated")
    assert sessions[COMPACTED].messages == 39


# -- folders and exports ---------------------------------------------------------------


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    home = tmp_path / ".clacky"
    home.mkdir()
    (home / "sessions").write_text("oops", encoding="utf-8")
    sessions, problems = listed(home)
    assert (sessions, [p.kind for p in problems]) == ({}, ["foreign"])


def test_a_folder_that_vanished(tmp_path: Path) -> None:
    gone = Store(adapter="clacky", tool="clacky", path=tmp_path / "gone", kind="files")
    with pytest.raises(StoreError) as error:
        list(CLACKY.sessions(gone))
    assert error.value.problem.kind == "gone"
    assert CLACKY.generation(gone) is None


def export(path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(FIXTURE / "sessions" / BAD, "session.json")
    return path


@pytest.mark.parametrize("spoil", damage.IN_PLACE_OF_A_FILE, ids=lambda spoil: spoil.__name__)
def test_something_else_in_the_place_of_an_export(tmp_path: Path, spoil: damage.Damage) -> None:
    path = export(tmp_path / "clacky-session-e681d76e.zip")
    spoil(path)
    where = CLACKY.detect(path)
    if where is None:
        assert path.is_dir()
        return
    with pytest.raises(StoreError) as error:
        list(CLACKY.sessions(where))
    assert error.value.problem.path == str(path)


def test_an_export_cut_or_flipped_anywhere(tmp_path: Path) -> None:
    path = export(tmp_path / "clacky-session-e681d76e.zip")
    data = path.read_bytes()
    (whole,) = listed(path)[0].values()
    for part in (*damage.cuts(data), *(damage.flipped(data, seed) for seed in range(150))):
        path.write_bytes(part)
        where = CLACKY.detect(path)
        assert where
        try:
            found = list(CLACKY.sessions(where))
        except FinderError:
            continue
        # Of a flipped bit in a time or mode within the archive nothing is lost.
        assert found == [] or isinstance(found[0], Problem) or found[0].raw == whole.raw


def test_an_export_that_unpacks_to_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clacky-session-0badcafe.zip"
    record = b'{"session_id": "%d", "messages": []}'
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for number, size in enumerate((500, 600, 400)):
            packed.writestr(f"{number}/session.json", (record % number).ljust(size))
    monkeypatch.setattr("adapters.clacky.export._MAX_BYTES", 1000)
    sessions, (problem,) = listed(path)
    assert list(sessions) == ["0", "2"]
    assert problem.kind == "too-large"


def test_an_export_that_unpacks_to_more_than_it_says(tmp_path: Path) -> None:
    path = tmp_path / "clacky-session-0badcafe.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("session.json", b" " * 100_000)
    size = (100_000).to_bytes(4, "little")
    data = path.read_bytes()
    assert data.count(size) == 2, "before the member, and in the directory"
    path.write_bytes(data.replace(size, (10).to_bytes(4, "little")))
    _, (problem,) = listed(path)
    assert problem.kind == "corrupt"


def test_narrowed_listings_name_only_what_may_be_meant(home: Path) -> None:
    path = home / "sessions" / BAD
    path.write_bytes(path.read_bytes()[:500])
    where = CLACKY.detect(home)
    assert where
    assert [type(one) for one in CLACKY.sessions(where, Want(prefix="4a94"))] == [Session]
    assert [type(one) for one in CLACKY.sessions(where, Want(prefix="e681"))] == [Problem]


@pytest.mark.parametrize(
    "line",
    [
        ";" + " " * 100_000 + "|x",
        "a; " * 30_000,
        "a | {" * 20_000,
        'a | {"b":1}; ' * 10_000,
    ],
)
def test_a_long_line_of_calls_is_read_in_no_time(line: str) -> None:
    started = time.process_time()
    list(archive.called(line))
    assert time.process_time() - started < 5


def test_a_result_full_of_marks_is_read_in_no_time(tmp_path: Path) -> None:
    mark = "\n\n[Tool result truncated: 9000 chars total"
    outputs = (mark * 10_000, f"{mark * 10_000}, the rest is in a file]")
    messages = [{"role": "tool", "tool_call_id": "a", "content": text} for text in outputs]
    record = {"session_id": "c0ffee00c0ffee00", "created_at": None, "messages": messages}
    path = tmp_path / "2026-01-02-03-04-05-c0ffee00.json"
    path.write_bytes(jsonio.dumps(record))
    started = time.process_time()
    found = list(CLACKY.events(Ref("clacky", str(path), "c0ffee00c0ffee00")))
    assert time.process_time() - started < 5
    assert [e.output for e in found if isinstance(e, ToolResult)] == list(outputs)


def test_summaries_that_name_what_is_gone_are_read_in_no_time(tmp_path: Path) -> None:
    said: dict[str, Json] = {"role": "user", "content": "x"}
    summary = {**said, "compressed_summary": True, "chunk_path": "/gone-chunk-1.md"}
    record = {
        "session_id": "820bbe3a0282db89",
        "messages": [summary, *[said] * 20_000, {**summary, "chunk_path": None}, said],
    }
    path = tmp_path / "2026-11-09-09-00-00-820bbe3a.json"
    path.write_bytes(jsonio.dumps(record))
    shutil.copy(FIXTURE / "sessions" / ARCHIVE, tmp_path)
    started = time.process_time()
    found = list(CLACKY.events(Ref("clacky", str(path), "820bbe3a0282db89")))
    assert time.process_time() - started < 10
    archived = [n for n, event in enumerate(found) if "compacted" in event.labels]
    assert archived and archived[0] > 40_000, "told before the last summary"


def test_models_are_told_in_no_time() -> None:
    started = time.process_time()
    for text in ("[Session context: " * 50_000, "[Session context: Current model: " * 50_000):
        assert header.told_models(text) == []
    assert time.process_time() - started < 5
