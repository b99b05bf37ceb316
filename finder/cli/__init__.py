"""The command line: it reads the call, asks the engine, and prints. Errors are caught here.

A command's module is imported when that command runs, so each one's line of help is kept in a
table here. `run` is the program.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, TextIO, TypeGuard

if TYPE_CHECKING:
    from finder.cli.declare import Plain
    from finder.cli.setting import Setting
    from finder.errors import FinderError

COMMANDS = {
    "find": "List sessions, or those that match some words.",
    "get": "Show one session: its story and its subagents.",
    "pick": "Choose a session while you type, with a preview.",
    "convert": "Write sessions in another tool's format, and account for every loss.",
    "resume": "Continue a session in its own tool.",
    "stores": "Show where sessions are kept on this computer.",
    "index": "Keep the words of all texts, to find rare ones sooner.",
    "formats": "Show which formats are read, and what each can hold.",
    "skill": "Print a file that teaches an agent to use finder.",
    "completion": "Print what makes a shell complete commands and session ids.",
    "help": "Explain a topic or a command.",
}

_PLAIN = frozenset({"find", "get", "pick", "convert"})  # those that are declared so
_INTERRUPTED = 130
_MANY_OBJECTS = 500_000


def run(args: Sequence[str] | None = None, setting: Setting | None = None) -> None:
    """Run the program and exit with its status; see `finder.errors.ExitCode`."""
    words = list(sys.argv[1:] if args is None else args)
    # What is read is kept until the answer is told. To look through all of it for garbage again and
    # again, after each 700 objects, takes a tenth of the time.
    gc.set_threshold(_MANY_OBJECTS)
    # Whoever closed a stream wants nothing of what goes there.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115, PTH123
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115, PTH123
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character must not end the program.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(_status(words, setting))


def _status(words: list[str], setting: Setting | None) -> int:
    if "_FINDER_COMPLETE" in os.environ:  # the shell asks for completions
        from finder.cli import program, shells  # noqa: F401  (which shells there are)

        program.main.main(words, prog_name="finder", obj=setting)
    try:
        result = called(words, setting)
        sys.stdout.flush()
    except BrokenPipeError:
        return _reader_has_gone()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED
    except Exception as error:
        return _failed(error, words)
    return int(result or 0)


def called(words: list[str], setting: Setting | None) -> int | None:
    """Run what was called, with click only where the call is not plainly right.

    Returns the exit status; None is 0. Raises whatever goes wrong.
    """
    if words and words[0] in _PLAIN:
        command: Plain = import_module(f"finder.cli.{words[0]}").command
        values = command.read(words[1:])
        if values is not None:
            from finder.cli.setting import Setting

            return command.function(setting or Setting.here(), **values)
    from finder.cli import program

    result = program.invoked(words, setting)
    return result if isinstance(result, int) else None


def _reader_has_gone() -> int:
    """The reader, such as `head`, has what it wants. Nothing more can or need be said."""
    _silence(sys.stdout, sys.stderr)
    return 0


def _silence(*streams: TextIO) -> None:
    """Let what is still to be written go nowhere: at the end it would fail again."""
    sink = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        with suppress(OSError):  # one without a file
            os.dup2(sink, stream.fileno())


def _failed(error: Exception, words: list[str]) -> int:
    from finder.cli.failure import told

    known = _known(error)
    if _is_of_writing(error):
        _silence(sys.stdout)
    try:
        return told(known, error, as_json=_wants_json(words))
    except BrokenPipeError:
        return _reader_has_gone()
    except OSError:
        _silence(sys.stdout, sys.stderr)
        return int(known.exit_code)


def _is_of_writing(error: Exception) -> TypeGuard[OSError]:
    """Whether the disk behind stdout or stderr is full or broken; of a file its name is told."""
    unwritten = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
    return isinstance(error, OSError) and error.filename is None and error.errno in unwritten


def _known(error: Exception) -> FinderError:
    from finder import errors

    if isinstance(error, errors.FinderError):
        return error
    if _is_of_writing(error):
        return errors.WriteError(f"the answer cannot be written: {error.strerror}")
    if "click" in sys.modules:
        from finder.cli import program

        usage = program.usage_hint(error)
        if usage is not None:
            return errors.UsageError(usage[0], hint=usage[1])
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
