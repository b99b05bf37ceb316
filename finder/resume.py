"""How a session is continued in its own tool."""

from __future__ import annotations

import shlex
from pathlib import Path

from finder import files
from finder.adapter import Resume
from finder.errors import FinderError, StoreError
from finder.library import Entry, Library


def resumption(library: Library, entry: Entry) -> Resume | None:
    """The tool's command, from the first copy that the tool can continue; None: there is none."""
    if "unmigrated" in entry.session.labels:
        return None
    adapters = {
        (source.store.tool, str(source.store.path)): source.adapter for source in library.sources
    }
    for copy in entry.copies:
        adapter = adapters[copy.ref.tool, copy.ref.store]
        try:
            resume = adapter.resume(copy) if adapter.can.resume else None
        except StoreError:  # it has gone, or cannot be read any more
            continue
        if resume is not None:
            return resume
    return None


def command_line(resume: Resume) -> str:
    """The command as a line for the shell."""
    command = shlex.join(resume.argv)
    return f"cd {shlex.quote(resume.cwd)} && {command}" if resume.cwd else command


def required(library: Library, entry: Entry) -> Resume:
    """Like `resumption`.

    Raises:
        FinderError: there is none; the message says why.
    """
    resume = resumption(library, entry)
    if resume is not None:
        return resume
    session = entry.session
    # Some tools take any name for an id; what is said here may be pasted into a shell.
    ref = shlex.quote(str(session.ref))
    hint = f"finder resume {ref} --in TOOL goes on with a copy in another tool"
    if "unmigrated" in session.labels:
        raise FinderError(
            f"{session.ref} is only in {session.ref.store}, where its own tool does not look "
            "any more",
            hint=hint,
        )
    raise FinderError(f"{session.ref}: no command of its tool continues this copy", hint=hint)


def program_of(resume: Resume, *, missing: str, gone: str) -> str:
    """The path of the tool's program, which is here, and so is the folder to run it in.

    Args:
        missing, gone: what the user can do where the program, or the folder, is not here.

    Raises:
        FinderError: one of them is not.
    """
    import shutil  # listing sessions tells their commands, and does not need it

    program = shutil.which(resume.argv[0])
    if program is None:
        raise FinderError(f"{resume.argv[0]} is not installed, or not on the PATH", hint=missing)
    if resume.cwd and not files.is_folder(Path(resume.cwd)):
        raise FinderError(f"the session's folder {resume.cwd} does not exist here", hint=gone)
    return program
