"""``python -m finder``, and the ``finder`` command."""

import os
import sys
from contextlib import suppress


def main() -> None:
    """Run the command line; ends the process with an `ExitCode`."""
    from finder.cli import run

    try:
        run()
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            raise
        # All is written and closed. To take the interpreter apart takes as long as many an answer.
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):  # `run` has said so, where it could be said
                stream.flush()
        os._exit(end.code or 0)


if __name__ == "__main__":
    main()
