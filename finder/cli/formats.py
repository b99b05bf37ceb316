"""``finder formats``."""

from __future__ import annotations

import click

from finder.cli import options
from finder.cli.failure import tell_problems
from finder.cli.output import Query as JsonQuery
from finder.cli.output import write_found, write_text
from finder.cli.program import Command
from finder.cli.setting import Setting, setting_of
from finder.errors import ExitCode
from finder.model import JsonObject
from finder.render import data
from finder.render.table import Column, table


@click.command(
    cls=Command,
    epilog="""
    finder formats
    finder formats --json --query 'formats[?can.resume].tool'
    """,
)
@options.output("table", "json", "jsonl")
@click.pass_context
def command(ctx: click.Context, format_: str | None, as_json: bool, query: str | None) -> int:
    """Show which formats are read, and what each can hold."""
    setting = setting_of(ctx)
    chosen = options.chosen_format(format_, as_json, query, "table")
    expression = JsonQuery(query)
    found = [data.format_(adapter) for adapter in setting.registry.adapters()]
    problems = setting.registry.problems
    tell_problems(problems)
    if not write_found(chosen, "formats", found, problems, expression):
        write_text(_table(found, setting), setting)
    return ExitCode.PARTIAL if problems else ExitCode.DONE


def _table(found: list[JsonObject], setting: Setting) -> list[str]:
    columns = [
        Column(title="ADAPTER"),
        Column(title="TOOL"),
        Column(title="READS", least=12),
        Column(title="HOLDS", least=12),
    ]
    lines = [
        [
            item["adapter"],
            item["tool"],
            item["title"],
            ", ".join(name for name, holds in item["can"].items() if holds),
        ]
        for item in found
    ]
    return list(table(columns, lines, room=setting.room))
