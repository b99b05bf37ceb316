"""``finder resume``."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import click

from finder.adapter import Resume
from finder.cli import declare, options
from finder.cli.failure import tell_problems
from finder.cli.find import folder_spellings
from finder.cli.locate import located
from finder.cli.output import write_json
from finder.cli.program import Command
from finder.cli.setting import Setting, setting_of
from finder.errors import NotFoundError, UsageError
from finder.find import Query, find
from finder.library import Entry, Library
from finder.render import data
from finder.render.text import block
from finder.resume import command_line, program_of, required


@click.command(
    cls=Command,
    epilog="""
    finder resume 2
    finder resume ses_5f1c --print
    finder resume ses_5f1c --in clacky
    """,
)
@declare.argument(
    "target", metavar="[ID|PATH|N]", required=False, shell_complete=options.completed("session")
)
@options.root
@declare.option(
    "--in",
    "tool",
    metavar="TOOL",
    help="Go on in this tool, with a converted copy.",
    shell_complete=options.completed("tool"),
)
@declare.option(
    "--to-cwd",
    metavar="DIR",
    help="With --in: the working directory to go on in.",
    shell_complete=options.completed("folder"),
)
@declare.option("--yes", "-y", is_flag=True, help="With --in: install it without asking.")
@declare.option("--print", "only_print", is_flag=True, help="Print the command, do not run it.")
@declare.option("--json", "as_json", is_flag=True, help="Print its argv and cwd as JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    target: str | None,
    roots: tuple[str, ...],
    tool: str | None,
    to_cwd: str | None,
    yes: bool,
    only_print: bool,
    as_json: bool,
) -> None:
    """Continue a session in its own tool, in its own folder.

    Without ID: the session of the current folder that was updated last. N is a row of the list
    that was shown last on this terminal. With --in, the session is converted and installed in
    another tool first; the receipt is shown, and nothing is written before you agree.
    """
    setting = setting_of(ctx)
    if tool is None and (to_cwd is not None or yes):
        raise UsageError("--to-cwd and --yes go with --in")
    if target is None:
        library, entry = _last_here(setting, roots)
    else:
        library, entry = located(setting, target, roots)
    tell_problems(library.problems)
    if tool is None or (tool == entry.session.ref.tool and to_cwd is None):
        resume = required(library, entry)
    else:
        from finder.cli.elsewhere import installed

        resume = installed(
            setting, entry, tool, to_cwd, library, agreed=yes, runs=not (only_print or as_json)
        )
    if as_json:
        write_json(data.resume(resume))
    elif only_print:
        click.echo(block(command_line(resume)))  # a path may have two spaces in a row
    else:
        _run(entry, resume)


def _last_here(setting: Setting, roots: tuple[str, ...]) -> tuple[Library, Entry]:
    library = setting.library(roots)
    answer = find(library, Query(directories=folder_spellings(setting, "."), limit=1))
    if not answer.rows:
        raise NotFoundError(
            f"no session of {setting.places.cwd} was found",
            hint="finder find lists those of all folders; finder resume ID continues one",
        )
    return library, answer.rows[0].entry


def _run(entry: Entry, resume: Resume) -> None:
    ref = entry.session.ref
    again = f"finder resume {shlex.quote(str(ref))} --in {ref.tool}"
    copied = f"{again} --to-cwd DIR goes on with a copy elsewhere"
    program = program_of(resume, missing=command_line(resume), gone=copied)
    sys.stdout.flush()
    if os.name == "nt":  # there, exec returns to the shell at once
        sys.exit(subprocess.call([program, *resume.argv[1:]], cwd=resume.cwd))
    if resume.cwd:
        os.chdir(resume.cwd)
    os.execv(program, resume.argv)
