"""``finder stores``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from finder.cli import options
from finder.cli.failure import tell_problems
from finder.cli.find import known_tools
from finder.cli.nothing import no_store
from finder.cli.output import Query as JsonQuery
from finder.cli.output import write_found, write_text
from finder.cli.program import Command
from finder.cli.setting import Setting, setting_of
from finder.library import Library
from finder.model import JsonObject
from finder.render import data
from finder.render.table import Column, table
from finder.render.text import home_short
from finder.source import Source


@click.command(
    cls=Command,
    epilog="""
    finder stores
    finder stores --root /mnt/backup --json
    """,
)
@options.tool
@options.root
@options.output("table", "json", "jsonl")
@click.pass_context
def command(
    ctx: click.Context,
    tools: tuple[str, ...],
    roots: tuple[str, ...],
    format_: str | None,
    as_json: bool,
    query: str | None,
) -> int:
    """Show where sessions are kept on this computer, and how many.

    ONLY HERE counts the sessions that no other store has.
    """
    setting = setting_of(ctx)
    chosen = options.chosen_format(format_, as_json, query, "table")
    expression = JsonQuery(query)
    library = setting.library(roots, known_tools(setting, tools))
    keys = library.keys()
    library.lookup(keys)
    found = [_described(library, source) for source in library.sources]
    tell_problems(library.problems)
    if write_found(chosen, "stores", found, library.problems, expression):
        return library.status()
    if found:
        write_text(_table(found, setting), setting)
    else:
        for said in no_store(setting, tools):
            click.echo(said, err=True)
    return library.status()


def _described(library: Library, source: Source) -> JsonObject:
    tool = source.store.tool
    entries = [library.entry((tool, session_id)) for session_id in source.known]
    present = [entry for entry in entries if entry]
    return {
        **data.store(source.store),
        "generation": source.generation(),
        "sessions": None if source.failed and not source.known else len(source.known),
        "subagents": sum(entry.session.parent is not None for entry in present),
        "only_here": sum(len(entry.copies) == 1 for entry in present),
        "unmigrated": sum("unmigrated" in entry.session.labels for entry in present),
        "failed": source.failed,
        "problems": [data.problem(problem) for problem in source.problems],
    }


def _table(found: list[JsonObject], setting: Setting) -> list[str]:
    columns = [
        Column(title="TOOL"),
        Column(title="KIND"),
        Column(title="VERSION", least=7),
        Column(title="SESSIONS", right=True),
        # In a narrow terminal these give way to the path; problems are told besides.
        Column(title="ONLY HERE", right=True, least=9),
        Column(title="PROBLEMS", right=True, least=8),
        Column(title="PATH", least=12, keep_end=True, kept=True, share=2),
    ]
    groups: dict[tuple[str, ...], list[JsonObject]] = {}
    for store in found:
        key = (store["tool"], store["kind"], store["generation"] or "?", _folder(store))
        groups.setdefault(key, []).append(store)
    lines = [_line(key, stores, setting.home) for key, stores in groups.items()]
    return list(table(columns, lines, room=setting.room))


def _folder(store: JsonObject) -> str:
    """What stands in one line of the table: a store, or all single files of a folder."""
    path: str = store["store"]
    return str(Path(path).parent) if store["kind"] in {"file", "archive"} else path


def _line(key: tuple[str, ...], stores: list[JsonObject], home: str) -> list[str]:
    tool, kind, generation, folder = key
    counts = [store["sessions"] for store in stores if store["sessions"] is not None]
    many = len(stores) > 1
    path = home_short(folder if many else stores[0]["store"], home)
    return [
        tool,
        kind,
        generation,
        f"{sum(counts)}{'' if len(counts) == len(stores) else '+'}" if counts else "?",
        str(sum(store["only_here"] for store in stores)),
        str(sum(len(store["problems"]) for store in stores)),
        f"{path}{os.sep} ({len(stores)} files)" if many else path,
    ]
