"""The commands as click has them: for help, completion, and calls that need its care."""

from __future__ import annotations

import importlib
import os
import re
import sys
from typing import TYPE_CHECKING, Any

import click

from finder import __version__
from finder.cli import COMMANDS
from finder.cli.declare import Plain

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from finder.cli.setting import Setting

_DASHED = r"-[A-Za-z0-9_][A-Za-z0-9_-]{3,}"


class Commands(click.Group):
    """The commands, each imported when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, the most used first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One command, from the module of its name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"finder.cli.{cmd_name}")
        command: click.Command | Plain = module.command
        return command.click() if isinstance(command, Plain) else command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Their names and the options, for a shell; without importing them either."""
        from click.shell_completion import CompletionItem

        names = [
            CompletionItem(name, help=summary)
            for name, summary in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


class Command(click.Command):
    """A command whose help ends with examples, and which takes ids that begin with a dash."""

    def __init__(self, *args: Any, **attrs: Any) -> None:
        """Its parameters are those of click and those of `finder.cli.declare`."""
        declared = getattr(attrs.get("callback"), "declared", ())
        attrs["params"] = [*(attrs.get("params") or ()), *(param.click() for param in declared)]
        super().__init__(*args, **attrs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Opta's ids may begin with a dash: what cannot be an option is an argument."""
        short = {name for param in self.get_params(ctx) for name in param.opts if name[1:2] != "-"}
        ids = [
            word
            for word in args
            if re.fullmatch(_DASHED, word) and word[:2] not in short and "--" not in args
        ]
        if ids:
            args = [*(word for word in args if word not in ids), "--", *ids]
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write them as they are, not wrapped into a paragraph."""
        if self.epilog:
            with formatter.section("Examples"):
                for example in self.epilog.strip().splitlines():
                    formatter.write(f"  {example.strip()}\n")


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="finder COMMAND --help tells more about each, with examples; finder help lists topics.",
)
@click.version_option(__version__, prog_name="finder")
@click.pass_context
def main(ctx: click.Context) -> int | None:
    """Find any session of any coding agent, and read it as it was.

    Without a command, on a terminal: the sessions of the current folder.
    """
    if ctx.invoked_subcommand is not None:
        return None
    from finder.cli.setting import setting_of

    if setting_of(ctx).terminal:
        from finder.cli.here import show

        return show(setting_of(ctx))
    click.echo(ctx.get_help())
    return None


def invoked(words: list[str], setting: Setting | None) -> Any:
    """Run a call; what its command returns, or the exit status."""
    try:
        # Not main.main(): it ends with 1 when the reader of the answer closes the pipe.
        with main.make_context("finder", words, obj=setting, terminal_width=_width()) as ctx:
            return main.invoke(ctx)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None


def _width() -> int:
    """How wide help is, by click's rule; what click itself asks first loads three compressors."""
    columns = os.environ.get("COLUMNS", "")
    try:
        wide = int(columns) if columns.isdecimal() else 0
        wide = wide or os.get_terminal_size(sys.stdout.fileno()).columns
    except (AttributeError, OSError, ValueError):
        wide = 0
    return max(min(wide or 80, 80) - 2, 50)


def usage_hint(error: Exception) -> tuple[str, str] | None:
    """What a mistake in the call is, and where to read on; None: it is none."""
    if not isinstance(error, click.ClickException):
        return None
    context = getattr(error, "ctx", None)
    return error.format_message(), f"see {context.command_path if context else 'finder'} --help"
