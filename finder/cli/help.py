"""``finder help``: the manual by topics. The text is README.md's, which the package contains."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from finder.cli import COMMANDS, declare, options
from finder.cli.output import write_text
from finder.cli.program import Command, main
from finder.cli.setting import Setting, setting_of
from finder.errors import NotFoundError
from finder.files import read

_COMMAND = re.compile(r"finder (\w+)")
# What people may call a topic besides the heading that it stands under.
_ALSO = {"conversion": "convert", "adapters": "adding-an-adapter", "labels": "stores"}
_NOT_TOPICS = {"use", "try-it"}


@click.command(
    cls=Command,
    epilog="""
    finder help
    finder help stores
    finder help convert
    """,
)
@declare.argument("topic", required=False, shell_complete=options.completed("topic"))
@click.pass_context
def command(ctx: click.Context, topic: str | None) -> None:
    """Explain a topic or a command. Without TOPIC: list them."""
    setting = setting_of(ctx)
    if topic is None:
        write_text(_index(), setting)
        return
    found = topics()
    name = _ALSO.get(topic.lower(), topic.lower())
    if name in found:
        write_text(_shown(found[name], setting), setting, pager=True)
        return
    known = main.get_command(ctx, name)
    if known is None:
        names = sorted({*COMMANDS, *found})
        raise NotFoundError(f"there is no help on {topic!r}", candidates=names)
    with click.Context(known, info_name=name, parent=ctx.find_root()) as inner:
        click.echo(known.get_help(inner))


def topics() -> dict[str, str]:
    """The parts of README.md by their names, in their order; commands by the command's name."""
    parts = re.split(r"^(?=##+ )", _readme(), flags=re.MULTILINE)[1:]
    found = {}
    for part in parts:
        title = part.partition("\n")[0].lstrip("# ")
        names = _COMMAND.findall(title) or [re.sub(r"\W+", "-", title.lower()).strip("-")]
        found.update(dict.fromkeys(names, part))
    return {name: part for name, part in found.items() if name not in _NOT_TOPICS}


def _readme() -> str:
    package = Path(__file__).parents[1]
    for path in (package / "README.md", package.parent / "README.md"):  # installed, or a checkout
        if path.is_file():
            return read(path).decode("utf-8")
    return ""


def _index() -> Iterator[str]:
    yield "Commands:"
    width = max(map(len, COMMANDS))
    yield from (f"  {name:{width}}  {summary}" for name, summary in COMMANDS.items())
    yield "Topics:"
    names = [name for name, part in topics().items() if part.startswith("## ")]
    yield "  " + ", ".join(sorted([*names, *_ALSO]))
    yield "finder help NAME tells more about each."


def _shown(text: str, setting: Setting) -> Iterator[str]:
    if not setting.colour:
        yield from text.rstrip("\n").split("\n")
        return
    from finder.render.screen import prose

    yield from prose(text, min(setting.columns, 100), filled=True)
