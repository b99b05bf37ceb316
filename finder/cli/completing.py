"""What a shell offers when the user presses TAB: sessions, tools, formats, files.

A wrong or empty offer is no harm, an error in the middle of a line is: so nothing is raised here.
"""

from __future__ import annotations

import contextlib
import string
from collections.abc import Callable, Iterable, Iterator

import click
from click.shell_completion import CompletionItem

from finder.adapter import Want
from finder.cli.setting import setting_of
from finder.model import Session
from finder.render.table import age
from finder.render.text import line

_MOST = 40
# In an id that is put into a line as it is: a shell runs none of these, and parts none of them.
_HARMLESS = frozenset(string.ascii_letters + string.digits + "_-.@%+/:")


def offered(kind: str, ctx: click.Context, begun: str) -> list[CompletionItem]:
    """What fits a word that has been begun; `kind` is a key of KINDS."""
    with contextlib.suppress(Exception):  # anything may be wrong with the stores
        return list(KINDS[kind](ctx, begun))
    return []


def _sessions(ctx: click.Context, begun: str) -> Iterator[CompletionItem]:
    """The newest sessions whose id begins so, perhaps after ``tool:``; files, for a path."""
    if "/" in begun or begun.startswith((".", "~")):
        yield CompletionItem(begun, type="file")
        return
    setting = setting_of(ctx)
    tool, colon, rest = begun.rpartition(":")
    library = setting.library(ctx.params.get("roots") or (), (tool,) if tool else (), quiet=True)
    want = Want(prefix=rest or None, roots=not rest, newest=_MOST + 1, raw=False)
    found: dict[str, Session] = {}
    for source in library.sources:
        for session in source.listing(want):
            if session.ref.id.casefold().startswith(rest.casefold()):
                found.setdefault(session.ref.id, session)
    tops = [session for session in found.values() if rest or session.parent is None]
    tops.sort(key=lambda session: -(session.updated or 0))
    for session in tops[:_MOST]:
        if not set(session.ref.id) - _HARMLESS:
            title = line(session.title or "(no title)")
            told = f"{title} ({age(session.updated, setting.now)})"
            yield CompletionItem(f"{tool}{colon}{session.ref.id}", help=told)
    if len(tops) > _MOST:  # else the shell would take for certain what the newest begin with
        yield CompletionItem(begun, help="… and older ones; type on")


def _tools(ctx: click.Context, begun: str) -> Iterable[CompletionItem]:
    adapters = setting_of(ctx).registry.adapters()
    return _named({adapter.tool for adapter in adapters}, begun)


def _targets(ctx: click.Context, begun: str) -> Iterable[CompletionItem]:
    adapters = setting_of(ctx).registry.adapters()
    targets = {adapter.target for adapter in adapters if adapter.target is not None}
    return _named({*targets, "markdown", "html"}, begun)


def _topics(_ctx: click.Context, begun: str) -> Iterable[CompletionItem]:
    from finder.cli import COMMANDS
    from finder.cli.help import topics

    return _named({*COMMANDS, *topics()}, begun)


def _named(names: Iterable[str], begun: str) -> Iterable[CompletionItem]:
    return [CompletionItem(name) for name in sorted(names) if name.startswith(begun)]


KINDS: dict[str, Callable[[click.Context, str], Iterable[CompletionItem]]] = {
    "session": _sessions,
    "tool": _tools,
    "target": _targets,
    "topic": _topics,
    "folder": lambda _, begun: [CompletionItem(begun, type="dir")],
    "file": lambda _, begun: [CompletionItem(begun, type="file")],
}
