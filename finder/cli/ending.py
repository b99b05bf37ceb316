"""Calls that are told to end, and take away first what they have begun."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def in_order() -> Iterator[None]:
    """Within, a call that is ended, or whose terminal is closed, ends as after Ctrl-C.

    By itself Python would end at once, and leave what is in private folders.
    """
    before = {}
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has not both
        # Whoever ignores one, as nohup does, means it.
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            with suppress(ValueError):  # of threads, only the main one is told
                before[number] = signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
