"""Going on in another tool: ``finder resume --in TOOL``."""

from __future__ import annotations

import shlex

import click

from finder.adapter import Resume
from finder.cli.convert import Call
from finder.cli.ending import private_folder
from finder.cli.failure import tell_notes, tell_problems
from finder.cli.setting import Setting
from finder.convert import Conversion
from finder.errors import FinderError, UsageError, WriteError
from finder.library import Entry, Library
from finder.render.receipt import summary
from finder.resume import program_of


def installed(
    setting: Setting,
    entry: Entry,
    tool: str,
    to_cwd: str | None,
    library: Library,
    *,
    agreed: bool,
    runs: bool,
) -> Resume:
    """Convert a session, show what it loses, ask once, install it; how to go on with it there.

    Args:
        agreed: the user need not be asked.
        runs: the tool is to be run at once, so its program and folder must be here before
            anything is written.

    Raises:
        FinderError: it cannot be done, or the user does not agree. Nothing was written.
    """
    _check(setting, tool)
    if not (agreed or setting.asks):
        raise UsageError(
            "nobody can be asked here whether to install it",
            hint="--yes agrees; finder convert … --dry-run shows what would be lost",
        )
    own = tool == entry.session.ref.tool  # a copy of it in the same tool needs another id
    call = Call(
        setting=setting,
        to=tool,
        out=None,
        install=True,
        below=True,
        replace=False,
        sidecar=False,
        salt=str(setting.now) if own else "",
        directory=str(setting.path(to_cwd)) if to_cwd else None,
        roots=tuple(str(source.store.path) for source in library.sources),
    )
    call.check(as_json=False)
    with private_folder() as folder:
        done = call.staged((str(entry.session.ref),), folder)
        _refuse_another(setting, tool, done)
        planned = _planned(call, done)
        if runs and planned is not None:
            again = f"finder resume {shlex.quote(str(entry.session.ref))} --in {tool} --print"
            program_of(
                planned,
                missing=f"nothing was installed; {again} installs it and prints the command",
                gone="nothing was installed; --to-cwd DIR names another folder",
            )
        _show(call, done)
        if not agreed and not click.confirm(f"Install it in {tool} and go on there?", err=True):
            raise FinderError("nothing was installed")
        resume = next(iter(call.delivered(done).resumes), None)
    if resume is None:
        raise FinderError(f"it is installed, but {tool} has no command that continues it")
    return resume


def _check(setting: Setting, tool: str) -> None:
    """
    Raises:
        UsageError: this is no tool that sessions can be installed in.
    """
    adapters = list(setting.registry.adapters())
    written = {a.tool for a in adapters if a.target == a.tool}
    tools = sorted(written & {a.tool for a in adapters if a.can.resume})
    if tool not in tools:
        raise UsageError(f"--in {tool}: no tool of this name can go on", candidates=tools)


def _planned(call: Call, done: Conversion) -> Resume | None:
    """The command as it will be, as far as it can be told before anything is installed."""
    header = done.receipts[0].session
    for adapter in call.setting.registry.adapters():
        if adapter.tool == header.ref.tool and adapter.can.resume:
            resume = adapter.resume(header)
            if resume is not None:
                return resume
    return None


def _show(call: Call, done: Conversion) -> None:
    tell_problems(call.problems)
    tell_notes(call.notes)
    for text in summary(done, call.to, call.setting.room):
        click.echo(text, err=True)


def _refuse_another(setting: Setting, tool: str, done: Conversion) -> None:
    """
    Raises:
        WriteError: the session was installed there before, and may have gone on since.
    """
    top = done.receipts[0]
    key = (tool, top.session.ref.id)
    library = setting.library((), (tool,))
    library.lookup([key])
    entry = library.entry(key)
    if entry is None or {"trashed", "unmigrated"} & set(entry.session.labels):
        return
    there, source = shlex.quote(str(entry.session.ref)), shlex.quote(str(top.source))
    raise WriteError(
        f"{tool} has this session already, as {entry.session.ref.id}",
        hint=f"finder resume {there} goes on with it as it is there; "
        f"finder convert {source} --to {tool} --install --replace renews it",
    )
