"""``finder resume``."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click

from finder.adapter import Resume
from finder.cli import Command, options
from finder.cli.failure import tell_problems
from finder.cli.find import folder_spellings
from finder.cli.get import located
from finder.cli.output import write_json
from finder.cli.setting import Setting, setting_of
from finder.errors import FinderError, NotFoundError
from finder.find import Query, find
from finder.library import Entry, Library
from finder.render.text import line


@click.command(
    cls=Command,
    epilog="""
    finder resume ses_5f1c
    finder resume ses_5f1c --print
    """,
)
@click.argument("target", metavar="[ID|PATH]", required=False)
@options.root
@click.option("--print", "only_print", is_flag=True, help="Print the command, do not run it.")
@click.option("--json", "as_json", is_flag=True, help="Print its argv and cwd as JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    target: str | None,
    roots: tuple[str, ...],
    only_print: bool,
    as_json: bool,
) -> None:
    """Continue a session in its own tool, in its own folder.

    Without ID: the session of the current folder that was updated last.
    """
    setting = setting_of(ctx)
    if target is None:
        library, entry = _last_here(setting, roots)
    else:
        library, entry = located(setting, target, roots)
    tell_problems(library.problems)
    resume = _resume(library, entry)
    if as_json:
        write_json({"argv": list(resume.argv), "cwd": resume.cwd})
    elif only_print:
        click.echo(line(_quoted(resume)))
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


def _resume(library: Library, entry: Entry) -> Resume:
    """The tool's command, from the first copy that the tool can continue."""
    if "unmigrated" in entry.session.labels:
        raise FinderError(
            f"{entry.session.ref} is only in {entry.session.ref.store}, where its own tool "
            "does not look any more"
        )
    adapters = {str(s.store.path): s.adapter for s in library.sources}
    for copy in entry.copies:
        adapter = adapters[copy.ref.store]
        resume = adapter.resume(copy) if adapter.can.resume else None
        if resume is not None:
            return resume
    raise FinderError(f"{entry.session.ref}: no command of its tool continues this copy")


def _quoted(resume: Resume) -> str:
    command = shlex.join(resume.argv)
    return f"cd {shlex.quote(resume.cwd)} && {command}" if resume.cwd else command


def _run(entry: Entry, resume: Resume) -> None:
    program = shutil.which(resume.argv[0])
    if program is None:
        raise FinderError(
            f"{resume.argv[0]} is not installed, or not on the PATH", hint=_quoted(resume)
        )
    if resume.cwd and not Path(resume.cwd).is_dir():
        raise FinderError(
            f"the session's folder {resume.cwd} does not exist here", hint=_quoted(resume)
        )
    sys.stdout.flush()
    if os.name == "nt":  # there, exec returns to the shell at once
        sys.exit(subprocess.call([program, *resume.argv[1:]], cwd=resume.cwd))
    if resume.cwd:
        os.chdir(resume.cwd)
    os.execv(program, resume.argv)
