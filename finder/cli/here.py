"""``finder`` alone, on a terminal: the sessions of the current folder."""

from __future__ import annotations

import click

from finder.cli.failure import tell_problems
from finder.cli.find import folder_spellings, nothing_found
from finder.cli.output import write_text
from finder.cli.setting import Setting
from finder.find import Query, find
from finder.render.table import session_table
from finder.render.text import home_short, line


def show(setting: Setting) -> None:
    """List them, and say how to see more."""
    library = setting.library(())
    rows = max(setting.lines - 6, 5)
    query = Query(directories=folder_spellings(setting, "."), limit=rows)
    answer = find(library, query)
    tell_problems(answer.problems)
    if not library.sources:
        for said in nothing_found(answer, library, setting):
            click.echo(said)
        return
    folder = home_short(str(setting.places.cwd), setting.home)
    stores = f"{len(library.sources)} store{'s' if len(library.sources) != 1 else ''} searched"
    if answer.rows:
        table = session_table(answer.rows, now=setting.now, home=setting.home, room=setting.room)
        write_text(table, setting)
        more = "the newest " if answer.more else ""
        said = f"{more}{len(answer.rows)} of {folder}; {stores}"
        click.echo(line(f"{said}. finder find lists all folders, finder get ID shows one."))
    else:
        click.echo(line(f"No session of {folder}; {stores}. finder find lists all folders."))
