"""The picker's screen, driven by keys."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prompt_toolkit.application import Application
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from finder.adapter import Want
from finder.cli.picker import clipboard, show
from finder.cli.picker.screen import CUT, Leave, Screen
from finder.cli.picker.session import Picker, story_lines, targets
from finder.cli.picker.state import Choice, State, Target
from finder.cli.picker.work import Searching
from finder.cli.setting import Setting
from finder.find import Query
from finder.library import Library
from finder.model import Event, Message, Problem, Ref, Session, Text
from finder.places import Places
from finder.registry import Registry
from tests.calling import NOW, caller
from tests.memory import Memory, Shelf, unreadable

FIXTURES = Path(__file__).parents[2] / "fixtures"
UP, DOWN, TAB, ENTER, ESC = "\x1b[A", "\x1b[B", "\t", "\r", "\x1b"
CTRL_C, CTRL_O, CTRL_X, CTRL_Y = "\x03", "\x0f", "\x18", "\x19"


class Paper(DummyOutput):
    """A terminal of some size that keeps what was written."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self.size = Size(rows=rows, columns=columns)
        self.text = ""

    def get_size(self) -> Size:
        return self.size

    def write(self, data: str) -> None:
        self.text += data

    def write_raw(self, data: str) -> None:
        self.text += data


def shown(one: Picker) -> str:
    """What stands on the screen now, line by line."""
    drawn = one.screen.app.renderer.last_rendered_screen if one.screen else None
    if drawn is None:
        return ""
    assert one.output is not None
    size = one.output.get_size()
    # Another thread draws: what is not there must not be made by looking at it.
    lines: list[Any] = [drawn.data_buffer.get(row) or {} for row in range(size.rows)]
    cells = [[line.get(column) for column in range(size.columns)] for line in lines]
    return "\n".join("".join(cell.char if cell else " " for cell in line) for line in cells)


def drive(one: Picker, pipe: PipeInput, *steps: tuple[str, str]) -> str:
    """Run, and send keys each time that some text stands on the screen; ends with ^C.

    Returns what stood there last.
    """
    screens = [""]

    def work() -> None:
        end = time.monotonic() + 10
        try:
            for text, keys in steps:
                # Looked at once: the next moment it may be drawn anew.
                while text not in re.sub(r" +", " ", seen := shown(one)):
                    if time.monotonic() > end:
                        break
                    time.sleep(0.01)
                screens.append(seen)
                if time.monotonic() > end:
                    break
                pipe.send_text(keys)
        finally:
            pipe.send_text(CTRL_C)

    threading.Thread(target=work, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        run(one)
    for (text, _), screen in zip(steps, screens[1:], strict=False):
        assert text in re.sub(r" +", " ", screen)
    return screens[-1]


@pytest.fixture
def pipe() -> Iterator[PipeInput]:
    with create_pipe_input() as source:
        yield source


@pytest.fixture
def shelf(shelf_path: Path) -> Shelf:
    shelf = Shelf(shelf_path)
    for number, title in enumerate(["Fix login", "Add a parser", "Login page", "Größe 検索 שלום"]):
        session = shelf.add(f"ses_{number}", title, updated=NOW - number, directory="/home/u/app")
        shelf.stories[session.ref.id] = said(f"The story of {title}")
    return shelf


def said(text: str) -> list[Event]:
    return [Message(record="m", role="user"), Text(text=text, message="m")]


def picker(pipe: PipeInput, paper: Paper, *shelves: Shelf, adapter: Memory | None = None,
           text: str = "", env: dict[str, str] | None = None) -> Picker:  # fmt: skip
    adapter = adapter or Memory(*shelves)
    registry = Registry.of(adapter)
    home = Path("/nobody")
    setting = Setting(
        places=Places(home=home, cwd=home, env=env or {}), registry=registry, now=NOW, terminal=True
    )

    def opened() -> Library:
        return Library(registry, [adapter.store(shelf) for shelf in adapter.shelves.values()])

    return Picker(
        setting=setting,
        searching=Searching(opened(), opened, Query(limit=50)),
        state=State(text=text),
        empty=["There is no session here."],
        source=pipe,
        output=paper,
    )


def held_back(one: Picker) -> threading.Event:
    """Until this is set, the stores are not opened again, from which all sessions are read."""
    free = threading.Event()
    opened = one.searching.fresh

    def slow() -> Library:
        assert free.wait(20)
        return opened()

    one.searching.fresh = slow
    return free


def run(one: Picker) -> Choice | None:
    try:
        return one.run()
    finally:
        one.end()


def test_enter_resumes_the_first_row_of_what_was_typed(pipe: PipeInput, shelf: Shelf) -> None:
    pipe.send_text("parser" + ENTER)
    choice = run(picker(pipe, Paper(), shelf))
    assert choice is not None
    assert (choice.deed, choice.row.session.ref.id) == ("resume", "ses_1")


def test_arrows_choose_among_the_rows(pipe: PipeInput, shelf: Shelf) -> None:
    pipe.send_text(DOWN + DOWN + UP + ENTER)
    choice = run(picker(pipe, Paper(), shelf))
    assert choice is not None
    assert choice.row.session.ref.id == "ses_1"


def test_a_query_from_the_call_is_there_to_be_edited(pipe: PipeInput, shelf: Shelf) -> None:
    pipe.send_text("\x7f" * 4 + "page" + ENTER)
    choice = run(picker(pipe, Paper(), shelf, text="login fixx"))
    assert choice is not None
    assert choice.row.session.ref.id == "ses_2"


def test_escape_leaves(pipe: PipeInput, shelf: Shelf) -> None:
    pipe.send_text(ESC)
    with pytest.raises(Leave):
        run(picker(pipe, Paper(), shelf))


def test_ctrl_c_interrupts(pipe: PipeInput, shelf: Shelf) -> None:
    pipe.send_text("log" + CTRL_C)
    with pytest.raises(KeyboardInterrupt):
        run(picker(pipe, Paper(), shelf))


def test_reading_comes_back_to_the_same_place(pipe: PipeInput, shelf: Shelf) -> None:
    one = picker(pipe, Paper(), shelf)
    pipe.send_text("login" + CTRL_O)
    choice = one.run()
    assert choice is not None
    assert (choice.deed, choice.row.session.ref.id) == ("read", "ses_0")
    pipe.send_text(DOWN + ENTER)
    again = run(one)
    assert again is not None
    assert again.row.session.ref.id == "ses_2"


def test_what_was_read_while_the_pager_stood_there_is_shown(
    pipe: PipeInput, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("finder.cli.picker.work._NEWEST", 3)
    shelf.kind = "database"
    one = picker(pipe, Paper(), shelf)
    free = held_back(one)
    pipe.send_text(CTRL_O)
    choice = one.run()
    assert choice is not None
    assert choice.deed == "read"
    free.set()
    end = time.monotonic() + 10
    while not one.searching.whole and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.1)  # what it says now nobody sees
    drive(one, pipe, ("4 shown · 4 sessions", ""))


def test_a_conversion_asks_where_to(pipe: PipeInput, shelf: Shelf) -> None:
    pipe.send_text(CTRL_X + "letters change nothing" + DOWN + ENTER)
    one = picker(pipe, Paper(), shelf)
    choice = run(one)
    assert choice is not None
    assert choice.target == targets(one.setting)[1]
    assert one.state.text == ""


def test_escape_closes_the_question_first(pipe: PipeInput, shelf: Shelf) -> None:
    screen = drive(
        picker(pipe, Paper(), shelf),
        pipe,
        ("Fix login", CTRL_X),
        ("Convert mem:ses_0 to:", DOWN),
        ("▌ markdown", ESC),
        ("▌ mem Fix login", ""),
    )
    assert "Convert" not in screen


def test_the_question_stands_in_place_of_the_query(pipe: PipeInput, shelf: Shelf) -> None:
    one = picker(pipe, Paper(), shelf)
    count = len(targets(one.setting))
    screen = drive(
        one,
        pipe,
        ("Fix login", "page"),
        ("1 shown", CTRL_X),
        (f"choose (1 of {count})", DOWN),
        (f"choose (2 of {count})", ""),
    )
    assert screen.splitlines()[0].rstrip() == "Convert mem:ses_2 to:"


def test_the_id_is_copied_by_the_terminal(pipe: PipeInput, shelf: Shelf) -> None:
    one = picker(pipe, paper := Paper(), shelf)
    pipe.send_text(CTRL_Y + CTRL_C)
    with pytest.raises(KeyboardInterrupt):
        run(one)
    assert "\x1b]52;c;bWVtOnNlc18w\x07" in paper.text  # mem:ses_0
    assert one.state.said == "asked the terminal to copy mem:ses_0"


def test_what_a_program_copied_is_copied(
    pipe: PipeInput, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    monkeypatch.setattr(clipboard, "given_away", lambda text, env: not copied.append(text))
    drive(picker(pipe, Paper(), shelf), pipe, ("Fix", CTRL_Y), ("copied mem:ses_0", ""))
    assert copied == ["mem:ses_0"]


def test_without_a_row_there_is_no_story(pipe: PipeInput, shelf: Shelf) -> None:
    one = picker(pipe, Paper(), shelf)
    steps = [("The story of Fix login", "zzzz"), ("No session matches.", ""), ("0 shown", "")]
    assert "story" not in drive(one, pipe, *steps)


def test_ctrl_z_suspends(pipe: PipeInput, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    suspended: list[object] = []
    monkeypatch.setattr(Application, "suspend_to_background", lambda self: suspended.append(self))
    one = picker(pipe, Paper(), shelf)
    drive(one, pipe, ("Fix login", "\x1a" + "page"), ("1 shown", ""))
    assert len(suspended) == 1
    assert one.state.text == "page"


@pytest.mark.parametrize("columns, rows", [(80, 24), (200, 50), (110, 16)])
def test_it_is_drawn_with_a_preview(pipe: PipeInput, shelf: Shelf, columns: int, rows: int) -> None:
    screen = drive(
        picker(pipe, Paper(columns, rows), shelf),
        pipe,
        ("The story of Fix login", DOWN),
        ("The story of Add a parser", ""),
        ("4 sessions", ""),
    )
    assert "▌ mem" in screen
    assert "Größe 検索 שלום" in screen.replace("検 索", "検索")
    beside = [line for line in screen.splitlines() if "│" in line]
    assert bool(beside) == (columns >= 110)


@pytest.mark.parametrize("columns, rows", [(30, 8), (12, 4), (109, 13)])
def test_without_room_there_is_no_preview(
    pipe: PipeInput, shelf: Shelf, columns: int, rows: int
) -> None:
    screen = drive(picker(pipe, Paper(columns, rows), shelf), pipe, ("▌", TAB), ("▌", TAB))
    assert "story" not in screen


def test_tab_hides_the_preview(pipe: PipeInput, shelf: Shelf) -> None:
    one = picker(pipe, Paper(), shelf)
    drive(one, pipe, ("The story of Fix login", TAB))
    assert not one.state.preview


def test_the_preview_scrolls(pipe: PipeInput, shelf: Shelf) -> None:
    long = "".join(f"line {number} of it\n" for number in range(100))
    shelf.stories["ses_0"] = said(long)
    one = picker(pipe, Paper(), shelf)
    screen = drive(
        one,
        pipe,
        ("line 5 of it", "\x1b[1;2B" * 10),
        ("line 30 of it", "\x1b[1;2A"),
        ("line 24", ""),
    )
    assert "line 5 " not in screen
    assert one.state.selected == 0


def test_a_resize_is_followed(pipe: PipeInput, shelf: Shelf) -> None:
    paper = Paper(80, 24)
    one = picker(pipe, paper, shelf)

    def resized() -> None:
        while "The story" not in shown(one):
            time.sleep(0.01)
        paper.size = Size(rows=50, columns=200)
        assert one.screen is not None
        one.screen.post(one.screen.app._on_resize)

    threading.Thread(target=resized, daemon=True).start()
    # It stands beside the list only where there is room.
    screen = drive(one, pipe, ("│The story of Fix login", ""))
    assert len(screen.splitlines()[0]) == 200
    assert (one.seen().columns, one.seen().lines) == (200, 50), "what comes next is as wide"


def test_an_empty_store_says_so(pipe: PipeInput, shelf_path: Path) -> None:
    one = picker(pipe, Paper(), Shelf(shelf_path))
    steps = [("There is no session here.", ENTER), ("no session is selected", "x")]
    drive(one, pipe, *steps, ("No session matches.", ENTER))


def test_a_broken_store_is_named(pipe: PipeInput, shelf: Shelf, tmp_path: Path) -> None:
    broken = Shelf(tmp_path / "broken")
    broken.error = unreadable(broken.path)
    drive(picker(pipe, Paper(80, 24), shelf, broken), pipe, ("/broken: is locked", ""))


def test_a_broken_store_alone_is_named_where_rows_would_stand(
    pipe: PipeInput, tmp_path: Path
) -> None:
    broken = Shelf(tmp_path / "broken")
    broken.error = unreadable(broken.path)
    one = picker(pipe, Paper(80, 24), broken)
    screen = drive(one, pipe, ("There is no session here.", ""), ("0 sessions", ""))
    said = " ".join(" ".join(screen.splitlines()[:6]).split())
    assert f"! {broken.path}: is locked" in said


def test_a_story_that_cannot_be_read_is_said_in_the_preview(pipe: PipeInput, shelf: Shelf) -> None:
    class Torn(Memory):
        def events(self, ref: Ref) -> Iterator[Event]:
            yield from said("the beginning")
            raise unreadable(Path(ref.store))

    screen = drive(picker(pipe, Paper(120, 30), adapter=Torn(shelf)), pipe, ("is locked", ""))
    assert "the beginning" in screen


def test_of_a_long_story_only_the_beginning_is_read(pipe: PipeInput, shelf: Shelf) -> None:
    shelf.stories["ses_0"] = [event for n in range(9) for event in said(f"text {n}")]
    read: list[Event] = []

    class Watched(Memory):
        def events(self, ref: Ref) -> Iterator[Event]:
            for event in super().events(ref):
                read.append(event)
                yield event

    one = picker(pipe, Paper(), adapter=Watched(shelf))
    row = one.state.answer.rows[0]
    library = one.searching.library
    begun = list(story_lines(one.setting, library, row, 80, 2))
    assert len(read) == 5
    assert begun[-1] == CUT
    assert "text 1" in "".join(begun)
    whole = list(story_lines(one.setting, library, row, 80, 9))
    assert CUT not in whole
    assert list(story_lines(one.setting, library, row, 80)) == whole


def test_a_story_that_breaks_is_no_end_of_the_others(pipe: PipeInput, shelf: Shelf) -> None:
    class Breaking(Memory):
        def events(self, ref: Ref) -> Iterator[Event]:
            yield from said(str(1 // len(ref.id[:0])))

    one = picker(pipe, Paper(), adapter=Breaking(shelf))
    drive(one, pipe, ("! a bug in finder: ZeroDivisionError", DOWN), ("▌ mem Add a parser", ""))


def test_a_search_that_breaks_ends_with_its_error(
    pipe: PipeInput, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("finder.cli.picker.work.Index", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        run(picker(pipe, Paper(), shelf))


@pytest.mark.parametrize("broken", ["row_line", "keys_line"])
def test_a_screen_that_breaks_ends_with_its_error(
    pipe: PipeInput, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    whole = getattr(show, broken)

    def torn(*args: Any, **rest: Any) -> Any:
        return whole(*args, **rest) if not one.state.text else 1 // 0

    monkeypatch.setattr(show, broken, torn)
    one = picker(pipe, Paper(), shelf)
    pipe.send_text("lo")
    with pytest.raises(ZeroDivisionError):
        run(one)


def test_keys_are_answered_while_a_store_is_slow(pipe: PipeInput, shelf: Shelf) -> None:
    """Neither reading all sessions nor a preview holds up what is typed."""
    free = threading.Event()
    main = threading.main_thread()

    class Slow(Memory):
        def sessions(self, store: object, want: Want | None = None) -> Iterator[Session | Problem]:
            if threading.current_thread() is not main and (want or Want()) == Want(raw=True):
                assert free.wait(20)
            yield from super().sessions(store, want)  # type: ignore[arg-type]

        def events(self, ref: Ref) -> Iterator[Event]:
            assert free.wait(20)
            yield from super().events(ref)

    shelf.kind = "database"
    one = picker(pipe, Paper(), adapter=Slow(shelf))
    pipe.send_text(DOWN + DOWN + ENTER)
    try:
        choice = run(one)
    finally:
        free.set()
    assert choice is not None
    assert choice.row.session.ref.id == "ses_2"


def test_the_first_letters_find_while_all_sessions_are_still_read(
    pipe: PipeInput, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("finder.cli.picker.work._NEWEST", 3)
    one = picker(pipe, Paper(), shelf)
    free = held_back(one)
    try:
        steps = [("▌", "pa"), ("2+ shown · reading all of them", DOWN), ("▌ mem Login page", "q")]
        drive(one, pipe, *steps, ("None of the newest matches.", ""))
    finally:
        free.set()


def test_no_colour_when_none_is_wanted(pipe: PipeInput, shelf: Shelf) -> None:
    styles: set[str] = set()

    class Noting(Paper):
        def set_attributes(self, attrs: object, color_depth: object) -> None:
            styles.add(str(getattr(attrs, "color", "")))

    pipe.send_text("login" + ESC)
    with pytest.raises(Leave):
        run(picker(pipe, Noting(), shelf, env={"NO_COLOR": "1"}))
    assert styles == {""}


def test_foreign_text_moves_no_cursor(pipe: PipeInput, shelf_path: Path) -> None:
    shelf = Shelf(shelf_path)
    hostile = "\x1b]0;owned\x07\u202egnp"
    session = shelf.add("ses_\x1b[2J", hostile, updated=NOW, directory="/\x1b[H")
    shelf.stories[session.ref.id] = said("\x1b[2J\x1b]52;c;aGk=\x07 hello \x9b31m")
    paper = Paper(120, 30)
    one = picker(pipe, paper, shelf)
    drive(one, pipe, ("hello", CTRL_X), ("Convert mem:ses_␛[2J", ESC))
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e]", paper.text)


def test_the_command_needs_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = caller(capsys, tmp_path)("pick")
    assert done.code == 2
    assert "needs a terminal" in done.err
    assert "fzf" in done.err


def test_what_is_missing_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = caller(capsys, tmp_path, columns=80)("pick")
    assert done.code == 1
    assert "prompt_toolkit" in done.err
    assert "pip install prompt_toolkit" in done.err


@pytest.mark.parametrize(
    ("choice", "code", "told"),
    [
        ({"deed": "print"}, 0, "mem:ses_0\n"),
        ({"deed": "resume"}, 1, "mem is not installed"),
        ({"deed": "convert", "target": Target(to="html")}, 0, "mem:ses_0, 2 events, to html"),
    ],
    ids=["print", "resume", "convert"],
)
def test_what_was_chosen_is_done(
    tmp_path: Path, shelf: Shelf, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, choice: dict[str, Any], code: int, told: str,
) -> None:  # fmt: skip
    def run(one: Picker) -> Choice:
        return Choice(row=one.state.answer.rows[0], **choice)

    monkeypatch.setattr(Picker, "run", run)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.chdir(tmp_path)
    shelf.sessions[0] = shelf.sessions[0]._replace(directory=str(tmp_path))
    done = caller(capsys, tmp_path, shelf, columns=80)("pick", "--tool", "mem", "fix")
    assert (done.code, told in done.out + done.err) == (code, True), done.out + done.err


def test_a_session_can_be_installed_in_every_tool(tmp_path: Path) -> None:
    for name in ("opencode-db/1.18.33", "clacky/v1.5.1"):
        shutil.copytree(FIXTURES / name / "store", tmp_path, dirs_exist_ok=True)
    places = Places.under(tmp_path)
    setting = Setting(places=places, registry=Registry.installed(), now=NOW)
    assert [one.to for one in targets(setting) if one.install] == ["clacky", "opencode", "opta"]


def test_what_a_thread_says_when_all_is_over_is_let_go() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    screen = object.__new__(Screen)
    screen.app = SimpleNamespace(loop=loop)  # type: ignore[assignment]
    done: list[bool] = []
    screen.post(lambda: done.append(True))
    assert done == []
