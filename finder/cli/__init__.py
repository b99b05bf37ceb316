"""The command line: it reads the call, asks the engine, and prints. Errors are caught here.

A command's module is imported when that command runs, so the group keeps each one's line of
help in a table. `run` is the program.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import click

from finder import __version__

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from finder.cli.setting import Setting
    from finder.errors import FinderError

COMMANDS = {
    "find": "List sessions, or those that match some words.",
    "get": "Show one session: its story and its subagents.",
    "pick": "Choose a session while you type, with a preview.",
    "convert": "Write sessions in another tool's format, and account for every loss.",
    "resume": "Continue a session in its own tool.",
    "stores": "Show where sessions are kept on this computer.",
    "formats": "Show which formats are read, and what each can hold.",
    "skill": "Print a file that teaches an agent to use finder.",
    "completion": "Print what makes a shell complete commands and session ids.",
    "help": "Explain a topic or a command.",
}

_INTERRUPTED = 130
_DASHED = re.compile(r"-[A-Za-z0-9_][A-Za-z0-9_-]{3,}")


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
        command: click.Command = module.command
        return command

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

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Opta's ids may begin with a dash: what cannot be an option is an argument."""
        short = {name for param in self.get_params(ctx) for name in param.opts if name[1:2] != "-"}
        ids = [
            word
            for word in args
            if _DASHED.fullmatch(word) and word[:2] not in short and "--" not in args
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
def main(ctx: click.Context) -> None:
    """Find any session of any coding agent, and read it as it was.

    Without a command, on a terminal: the sessions of the current folder.
    """
    if ctx.invoked_subcommand is not None:
        return
    from finder.cli.setting import setting_of

    if setting_of(ctx).terminal:
        from finder.cli.here import show

        show(setting_of(ctx))
    else:
        click.echo(ctx.get_help())


def run(args: Sequence[str] | None = None, setting: Setting | None = None) -> None:
    """Run the program and exit with its status; see `finder.errors.ExitCode`."""
    words = list(sys.argv[1:] if args is None else args)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character must not end the program.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(_status(words, setting))


def _status(words: list[str], setting: Setting | None) -> int:
    if "_FINDER_COMPLETE" in os.environ:  # the shell asks for completions
        main.main(words, prog_name="finder", obj=setting)
    try:
        # Not main.main(): it ends with 1 when the reader of the answer closes the pipe.
        with main.make_context("finder", words, obj=setting) as ctx:
            result: Any = main.invoke(ctx)
        sys.stdout.flush()
    except BrokenPipeError:
        return _reader_has_gone()
    except click.exceptions.Exit as end:
        return end.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return _INTERRUPTED
    except Exception as error:
        return _failed(error, words)
    return int(result) if isinstance(result, int) else 0


def _reader_has_gone() -> int:
    """The reader, such as `head`, has what it wants. Nothing more can or need be said."""
    # What is still buffered would be written at exit, and fail again.
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, sys.stdout.fileno())
    return 0


def _failed(error: Exception, words: list[str]) -> int:
    from finder.cli.failure import told

    try:
        return told(_known(error), error, as_json=_wants_json(words))
    except BrokenPipeError:
        return _reader_has_gone()


def _known(error: Exception) -> FinderError:
    from finder import errors

    if isinstance(error, errors.FinderError):
        return error
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        hint = f"{context.command_path} --help" if context else "finder --help"
        return errors.UsageError(error.format_message(), hint=f"see {hint}")
    if isinstance(error, RecursionError):
        return errors.BugError("something here is nested too deeply to be read")
    hint = "set FINDER_DEBUG=1 to see where, and report it, please"
    return errors.BugError(f"a bug in finder: {type(error).__name__}: {error}", hint=hint)


def _wants_json(words: list[str]) -> bool:
    """Whether the call asks for JSON, also one that cannot be understood otherwise."""
    if "--json" in words:
        return True
    values = [w.removeprefix("--format=") for w in words if w.startswith("--format=")]
    values += [b for a, b in pairwise(words) if a in {"--format", "-f"}]
    return bool({"json", "jsonl", "raw"} & set(values)) or any(
        word == "--query" or word.startswith("--query=") for word in words
    )
