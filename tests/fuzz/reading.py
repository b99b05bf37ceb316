"""Reading all of a home folder by every way that the program has."""

from __future__ import annotations

from pathlib import Path

from finder import jsonio
from finder.adapter import Want
from finder.errors import FinderError
from finder.model import Session
from finder.places import Places
from finder.registry import Registry

_REGISTRY = Registry.installed()


def read_all(home: Path) -> None:
    """List and read every session below a folder; errors that are ours are answers."""
    for store in _REGISTRY.below(home):
        if not hasattr(store, "adapter"):
            continue
        adapter = _REGISTRY.adapter(store.adapter)
        try:
            found = list(adapter.sessions(store))
            list(adapter.sessions(store, Want(newest=5, words=("a",), raw=False)))
            adapter.generation(store)
        except FinderError:
            continue
        sessions = [item for item in found if isinstance(item, Session)]
        for item in found:
            jsonio.dumps(item)
        list(adapter.descendants(store, [s.ref.id for s in sessions[:20]]))
        for session in sessions:
            try:
                for event in adapter.events(session.ref):
                    jsonio.dumps(event)
            except FinderError:
                continue
    for found_store in _REGISTRY.discover(Places.under(home)):
        str(found_store)
