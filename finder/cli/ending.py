"""Calls that are told to end, and take away first what they have begun."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder for this call alone, which is gone when the call ends.

    So it is where the call is ended by a signal, or its terminal is closed: by itself Python would
    end at once, and leave what sessions say.
    """
    with _in_order(), tempfile.TemporaryDirectory(prefix="finder-") as folder:
        yield Path(folder)


@contextmanager
def _in_order() -> Iterator[None]:
    """Within, any of the signals ends the call as Ctrl-C does; what follows changes nothing."""
    before: dict[int, Any] = {}

    def interrupt(*_: object) -> None:
        for number in before:  # often two come, one from the shell and one from the system
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for name in _SIGNALS:
        number = getattr(signal, name, None)  # Windows has not all
        # Whoever ignores one, as nohup does, means it.
        if number is None or signal.getsignal(number) is signal.SIG_IGN:
            continue
        with suppress(ValueError):  # of threads, only the main one is told
            before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
