"""``finder index``."""

from __future__ import annotations

import click

from finder.cli import options
from finder.cli.failure import tell_problems
from finder.cli.find import known_tools
from finder.cli.nothing import no_store
from finder.cli.output import Query as JsonQuery
from finder.cli.output import say, write_found, write_text
from finder.cli.program import Command
from finder.cli.setting import Setting, setting_of
from finder.library import Library
from finder.model import JsonObject
from finder.render import data
from finder.render.table import Column, table
from finder.render.text import home_short


@click.command(
    cls=Command,
    epilog="""
    finder index
    finder index --drop
    """,
)
@options.tool
@options.root
@click.option("--drop", is_flag=True, help="Remove the index instead.")
@options.output("table", "json", "jsonl")
@click.pass_context
def command(
    ctx: click.Context,
    tools: tuple[str, ...],
    roots: tuple[str, ...],
    drop: bool,
    format_: str | None,
    as_json: bool,
    query: str | None,
) -> int:
    """Keep the words of all texts, to find rare ones sooner.

    Only databases need it. The index is in the cache folder; what has changed since it was made, by
    the times that the tool notes, is looked for in the store. Call it again to bring it up to date,
    which reads only what has changed. Rows that were changed by hand, with their old times, are
    read anew after --drop.
    """
    setting = setting_of(ctx)
    chosen = options.chosen_format(format_, as_json, query, "table")
    expression = JsonQuery(query)
    library = setting.library(roots, known_tools(setting, tools))
    if drop:
        from finder import indexing

        count = indexing.drop(setting.places.cache(), [s.store.path for s in library.sources])
        say(f"Removed {count} index{'' if count == 1 else 'es'}.", aside=True)
        return library.status()
    made = list(_indexed(library, setting))
    tell_problems(library.problems)
    if write_found(chosen, "indexes", made, library.problems, expression):
        return library.status()
    if made:
        write_text(_table(made, setting), setting)
    elif library.sources:
        say("No store needs an index: files are read as quickly as they are listed.", aside=True)
    else:
        for said in no_store(setting, tools):
            say(said, aside=True)
    return library.status()


def _indexed(library: Library, setting: Setting) -> list[JsonObject]:
    from finder import indexing
    from finder.render.progress import Progress

    made = []
    for source in library.sources:
        with Progress("Reading sessions") as progress:
            done = indexing.refresh(source, setting.places.cache(), progress)
        if done is not None:
            made.append(
                {
                    **data.store(source.store),
                    "indexed": done.sessions,
                    "read": done.read,
                    "bytes": done.size,
                }
            )
    return made


def _table(made: list[JsonObject], setting: Setting) -> list[str]:
    columns = [
        Column(title="TOOL"),
        Column(title="INDEXED", right=True),
        Column(title="READ NOW", right=True),
        Column(title="MB", right=True),
        Column(title="STORE", least=9, keep_end=True, kept=True),
    ]
    rows = [
        [
            one["tool"],
            f"{one['indexed']:,}",
            f"{one['read']:,}",
            f"{one['bytes'] / 1e6:,.1f}",
            home_short(one["store"], setting.home),
        ]
        for one in made
    ]
    return list(table(columns, rows, room=setting.room))
