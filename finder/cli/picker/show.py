"""The picker's lines as pieces of styled text. All foreign text is made harmless here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from finder.cli.picker.state import State, Target
from finder.find import Row
from finder.model import Problem
from finder.render.table import age, marks
from finder.render.text import cut, cut_start, home_short, line, padded, width, wrapped
from finder.words import folded

Piece = tuple[str, str]
"""A style's name and a text."""

# In a narrow terminal the last of them are left out.
_KEYS = (
    "Enter {}", "Esc leave", "^O read", "^Y copy id", "^X convert", "Tab preview",
    "Shift-↑↓ scroll",
)  # fmt: skip
_CHOOSING = "Enter convert", "↑↓ choose ({} of {})", "Esc back"

_AGE = 4
_LONGEST = 2_000  # characters of a title
_TARGET = 18  # columns of a format's name
_NARROW = 60  # columns of a list that has no room for folders
_WIDEST_FOLDER = 40
_PROBLEM_PATH = 24  # columns of the status line


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How wide the columns of the list are, in a list of `room` columns."""

    tool: int
    title: int
    sub: int
    folder: int

    @classmethod
    def of(cls, room: int, tools: Sequence[str]) -> Layout:
        """The room shared out; what is cut is the title and the folder."""
        tool = min(max(map(width, tools), default=4), 12)
        folder = 0 if room < _NARROW else min(room // 4, _WIDEST_FOLDER)
        sub = 4 if room < _NARROW else 6
        fixed = 2 + tool + 2 + 1 + sub + 1 + _AGE + (2 + folder if folder else 0)
        return cls(tool=tool, title=max(room - fixed, 8), sub=sub, folder=folder)


def row_line(
    row: Row, layout: Layout, words: Sequence[str], *, selected: bool, now: int, home: str
) -> list[Piece]:
    """One session in the list."""
    session = row.session
    labels = marks(session)
    # Drawn anew with each key: of a title of megabytes only what can be seen is looked at.
    name = (session.title or "(no title)")[:_LONGEST]
    title = ("↳ " if session.parent is not None else "") + line(name)
    shown = cut(title, max(layout.title - width(labels), 4))
    rest = layout.title - width(shown)
    pieces = [
        ("", padded(cut(line(session.ref.tool), layout.tool), layout.tool) + "  "),
        *_marked(shown, words),
        ("class:label", padded(cut(labels, rest), rest)),
        ("", " " + _right(cut(_subagents(row), layout.sub), layout.sub)),
        ("", " " + _right(age(session.updated, now), _AGE)),
    ]
    if layout.folder:
        folder = line(home_short(session.directory or "", home))
        pieces.append(("", "  " + padded(cut_start(folder, layout.folder), layout.folder)))
    return _chosen(pieces) if selected else [("", "  "), *pieces]


def _chosen(pieces: Sequence[Piece]) -> list[Piece]:
    """A selected line: one bar, since reversed, each colour would be a background of its own."""
    kept = [(style if style == "class:match" else "", text) for style, text in pieces]
    return [("class:pointer", "▌ "), *((f"{style} class:selected", text) for style, text in kept)]


def _right(text: str, columns: int) -> str:
    return " " * (columns - width(text)) + text


def _subagents(row: Row) -> str:
    if not row.subagents:
        return ""
    matched = f"{len(row.matched_subagents)}/" if row.matched_subagents else "+"
    return f"{matched}{len(row.subagents)}"


def _marked(text: str, words: Sequence[str]) -> Iterator[Piece]:
    """The text, with the words in it in another style."""
    searched = folded(text)
    # Where folding changes the number of characters, places in it are not places in the text.
    there = [False] * len(text)
    for word in words if len(searched) == len(text) else ():
        start = searched.find(word)
        while word and start >= 0:
            there[start : start + len(word)] = [True] * len(word)
            start = searched.find(word, start + len(word))
    begin = 0
    for end in range(1, len(text) + 1):
        if end == len(text) or there[end] != there[begin]:
            yield "class:match" if there[begin] else "", text[begin:end]
            begin = end


def status_line(state: State, *, reading: bool, home: str) -> list[Piece]:
    """How many there are, what was said last, and what could not be read."""
    answer = state.answer
    count = f"{len(answer.rows):,}{'+' if answer.more else ''}"
    held = f" · {answer.held:,} sessions" if answer.held is not None else ""
    pieces = [("", f" {count} shown{held}")]
    if reading:
        pieces.append(("", " · reading all of them …"))
    elif state.behind or not answer.sure:
        pieces.append(("", " · searching …"))
    if state.said:
        pieces.append(("class:said", f" · {line(state.said)}"))
    if state.problems:
        pieces.append(("class:warn", f" · {problem_line(state.problems, home)}"))
    return pieces


def in_place_of_rows(state: State, empty: Sequence[str], home: str, room: int) -> list[str]:
    """What is said where there is no row; `empty`: without words."""
    said = [*empty, *("! " + one_problem(problem, home) for problem in state.problems)]
    if state.text.strip():
        said = ["No session matches.", "finder find --text WORDS looks in what was said and done."]
    if not state.answer.sure:
        said = ["None of the newest matches."]
    return [f"  {piece}" for one in said for piece in wrapped(one, room - 2)]


def problem_line(problems: Sequence[Problem], home: str) -> str:
    """How many there are, and the worst of them: what concerns more than one record."""
    worst = next((problem for problem in problems if problem.record is None), problems[0])
    count = f"{len(problems)} problems, as " if len(problems) > 1 else ""
    return count + one_problem(worst, home, _PROBLEM_PATH)


def one_problem(problem: Problem, home: str, most: int = 1_000) -> str:
    """Where it is, in so many columns, and what it is."""
    return f"{cut_start(line(home_short(problem.path, home)), most)}: {line(problem.message)}"


def target_line(target: Target, *, selected: bool) -> list[Piece]:
    """One answer to where a session is converted to."""
    where = "installed there, to go on with it" if target.install else "as files in this folder"
    pieces = [("", padded(target.to, _TARGET) + where)]
    return _chosen(pieces) if selected else [("", "  "), *pieces]


def keys_line(state: State, deed: str, columns: int) -> list[Piece]:
    """What the keys do, as far as there is room."""
    keys = [key.format(deed) for key in _KEYS]
    if state.converting is not None:
        keys = [key.format(state.target + 1, len(state.targets)) for key in _CHOOSING]
    while len(keys) > 1 and width(" · ".join(keys)) + 1 > columns:
        del keys[-1]
    return [("", " " + " · ".join(keys))]
