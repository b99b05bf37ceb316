"""Calls that are told to end, and take away first what they have begun."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def in_order() -> Iterator[None]:
    """Within, a call that is ended, or whose terminal is closed, ends as after Ctrl-C.

    By itself Python would end at once, and leave what is in private folders.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():  # no other may ask for signals
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has not both
            # Whoever ignores one, as nohup does, means it.
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
