"""Which key does what in the picker."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from prompt_toolkit.filters import Condition
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

if TYPE_CHECKING:
    from finder.cli.picker.screen import Screen

_MOVES = {"up": -1, "c-p": -1, "down": 1, "c-n": 1}
_PAGES = {"pageup": -1, "pagedown": 1}
_SCROLLS = {"s-up": -1, "s-down": 1}


def bindings(screen: Screen) -> KeyBindings:
    """The keys, besides those that edit the query."""
    keys = KeyBindings()
    state = screen.state
    listing = Condition(lambda: state.converting is None)
    choosing = Condition(lambda: state.converting is not None)

    for key, by in _MOVES.items():
        keys.add(key)(lambda _, by=by: state.move(by))
    for key, by in _PAGES.items():
        keys.add(key, filter=listing)(lambda _, by=by: state.move(by * screen.page))
    for key, by in _SCROLLS.items():
        keys.add(key)(lambda _, by=by: screen.preview.by(by * 3))
    # Eager: no longer sequence is waited for, as Emacs has many that begin with ^X.
    for key, deed in {
        "enter": lambda: screen.finish(state.want(screen.main_deed)),
        "c-o": lambda: screen.finish(state.want("read")),
        "c-x": screen.convert,
        "c-y": screen.copy,
    }.items():
        keys.add(key, filter=listing, eager=True)(lambda _, deed=deed: deed())
    # What is typed while a question is open does not change the query.
    keys.add(Keys.Any, filter=choosing)(lambda _: None)
    keys.add("enter", filter=choosing, eager=True)(lambda _: screen.finish(state.decided()))
    keys.add("tab")(lambda _: state.turn_preview())
    keys.add("escape")(lambda _: screen.leave())
    if hasattr(signal, "SIGTSTP"):
        keys.add("c-z", eager=True)(lambda event: event.app.suspend_to_background())
    keys.add("c-c", eager=True)(_interrupted)
    keys.add("<sigint>")(_interrupted)
    return keys


def _interrupted(event: KeyPressEvent) -> None:
    event.app.exit(exception=KeyboardInterrupt)
