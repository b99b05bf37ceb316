"""``finder`` alone, on a terminal: the sessions of the current folder."""

from __future__ import annotations

from collections.abc import Sequence

import click

from finder.cli.failure import tell_problems
from finder.cli.find import folder_spellings
from finder.cli.nothing import no_store
from finder.cli.output import write_text
from finder.cli.rows import remember
from finder.cli.setting import Setting
from finder.errors import ExitCode
from finder.find import Answer, Query, Row, find
from finder.render.table import session_table
from finder.render.text import home_short, line, wrapped


def show(setting: Setting) -> ExitCode:
    """List them, and say how to see more; returns the exit status."""
    library = setting.library(())
    limit = max(setting.lines - 6, 5)
    query = Query(directories=folder_spellings(setting, "."), limit=limit)
    answer = find(library, query)
    tell_problems(answer.problems)
    if not library.sources:
        for said in no_store(setting):
            click.echo(said)
        return library.status()
    folder = home_short(str(setting.places.cwd), setting.home)
    if answer.rows:
        # That a subagent is of this folder too says nothing here.
        rows = [Row(entry=row.entry, subagents=row.subagents) for row in answer.rows]
        table = session_table(
            rows,
            now=setting.now,
            home=setting.home,
            room=setting.room,
            numbered=True,
            placed=not _are_all_in(answer.rows, query.directories),
        )
        write_text(table, setting)
        remember(setting, [row.entry for row in answer.rows], ())
        many = "The newest " if answer.more else ""
        said = f"{many}{len(answer.rows)} of {folder}; searched {_searched(answer)}."
        more = "More: finder find (all folders), finder get N, finder resume N."
    else:
        said = f"No session of {folder}; searched {_searched(answer)}."
        more = "More: finder find (all folders)."
    for piece in wrapped(line(f"{said} {more}"), setting.columns):
        click.echo(piece)
    return library.status()


def _searched(answer: Answer) -> str:
    read = [searched.store.tool for searched in answer.searched if not searched.failed]
    unread = len(answer.searched) - len(read)
    told = f"{', '.join(dict.fromkeys(read))} ({_stores(len(read))})" if read else "nothing"
    return f"{told}; {_stores(unread)} could not be read" if unread else told


def _stores(count: int) -> str:
    return f"{count} store{'' if count == 1 else 's'}"


def _are_all_in(rows: Sequence[Row], folders: Sequence[str]) -> bool:
    """Whether all are of the very folder, and none of one below it."""
    return all((row.session.directory or "").rstrip("/\\") in folders for row in rows)
