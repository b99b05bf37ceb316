"""``finder pick``."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

from finder.cli import called, declare, options
from finder.cli.find import folder_spellings, known_tools
from finder.cli.nothing import no_store
from finder.cli.output import say
from finder.cli.setting import Setting
from finder.errors import FinderError, UsageError
from finder.find import Query
from finder.render.text import line

if TYPE_CHECKING:
    from finder.cli.picker.state import Choice

_LEAST_ROWS = 50  # of the first screen


@declare.command(
    epilog="""
    finder pick login --cwd .
    finder pick --print --tool opencode
    finder get "$(finder pick --print)"
    """,
)
@declare.argument("words", nargs=-1, metavar="[QUERY]...")
@options.tool
@options.root
@declare.option("--cwd", metavar="DIR", help="Only sessions of this folder and those below it.")
@declare.option("--print", "only_print", is_flag=True, help="Enter prints the id instead.")
def command(
    setting: Setting,
    words: tuple[str, ...],
    tools: tuple[str, ...],
    roots: tuple[str, ...],
    cwd: str | None,
    only_print: bool,
) -> int | None:
    """Choose a session while you type, and see its story beside.

    Enter resumes it, ^O shows it in the pager, ^Y copies its id, ^X converts it, Tab hides the
    preview, Shift with the arrows scrolls it, Esc leaves. The matching is that of finder find.
    """
    check(setting, only_print=only_print)
    query = Query(
        directories=folder_spellings(setting, cwd),
        limit=max(setting.lines, _LEAST_ROWS),
        here=folder_spellings(setting, "."),
    )
    known = known_tools(setting, tools)
    library = setting.library(roots, known, quiet=True)
    if not library.sources:
        for said in no_store(setting, tools):
            say(said, aside=True)
        return library.status()
    from finder.cli.picker.screen import Leave
    from finder.cli.picker.session import Picker, story_lines
    from finder.cli.picker.state import State
    from finder.cli.picker.work import Searching

    picker = Picker(
        setting=setting,
        searching=Searching(library, lambda: setting.library(roots, known, quiet=True), query),
        state=State(text=" ".join(words)),
        empty=["There is no session here.", "finder find says where was looked."],
        main_deed="print" if only_print else "resume",
    )
    try:
        while (choice := picker.run()) is not None and choice.deed == "read":
            from click import echo_via_pager

            setting = picker.seen()
            lines = story_lines(setting, library, choice.row, setting.columns)
            echo_via_pager(f"{one}\n" for one in lines)
    except Leave:
        return None
    finally:
        picker.end()
    if choice is None:
        return None
    if choice.deed == "print":
        say(line(str(choice.row.session.ref)))
        return None
    return called(_call(choice, roots), picker.seen())


def _call(choice: Choice, roots: tuple[str, ...]) -> list[str]:
    """The call that does what was chosen."""
    words = [choice.deed, *(f"--root={root}" for root in roots)]
    if choice.target is not None:
        words += ["--to", choice.target.to, *(["--install"] if choice.target.install else [])]
    return [*words, "--", str(choice.row.session.ref)]


def check(setting: Setting, *, only_print: bool) -> None:
    """
    Raises:
        UsageError: there is no terminal.
        FinderError: what draws the screen is not installed.
    """
    screen = setting.terminal or (only_print and sys.stderr.isatty())
    if not screen or not sys.stdin.isatty():
        hint = "finder find lists the same sessions; with --format fzf it feeds fzf"
        raise UsageError("finder pick needs a terminal", hint=hint)
    if importlib.util.find_spec("prompt_toolkit") is None:
        raise FinderError(
            "finder pick needs the package prompt_toolkit, which is not installed",
            hint="where finder is installed: pip install prompt_toolkit, or"
            " pipx inject session-finder prompt_toolkit; finder find --format fzf feeds fzf",
        )
