"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from finder.cli import declare
from finder.errors import UsageError

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])

_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}
_MS = 1000


def completed(kind: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """How a shell completes a word, see `finder.cli.completing`; imported when TAB is pressed."""

    def offered(ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
        from finder.cli import completing

        return completing.offered(kind, ctx, begun)

    return offered


def root(command: F) -> F:
    """``--root PATH``."""
    text = "Look here, not at the tools' usual homes: a store, one session's file, or a folder."
    return declare.option(
        "--root",
        "roots",
        multiple=True,
        metavar="PATH",
        help=text,
        shell_complete=completed("file"),
    )(command)


def tool(command: F) -> F:
    """``--tool NAME``."""
    text = "Only this tool's sessions; finder formats names the tools."
    return declare.option(
        "--tool",
        "tools",
        multiple=True,
        metavar="NAME",
        help=text,
        shell_complete=completed("tool"),
    )(command)


def output(*formats: str) -> Callable[[F], F]:
    """``--format``, ``--json`` and ``--query``. The first format is the default."""

    def decorate(command: F) -> F:
        options = [
            declare.option(
                "--format",
                "-f",
                "format_",
                choices=formats,
                help=f"How to print it (default: {formats[0]}).",
            ),
            declare.option("--json", "as_json", is_flag=True, help="Short for --format json."),
            declare.option(
                "--query",
                metavar="JMESPATH",
                help="Print what this expression finds in the JSON.",
            ),
        ]
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def chosen_format(format_: str | None, as_json: bool, query: str | None, default: str) -> str:
    """The format that these options together ask for.

    Raises:
        UsageError: they contradict each other.
    """
    if as_json and format_ not in {None, "json"}:
        raise UsageError(f"--json and --format {format_} exclude each other")
    chosen = "json" if as_json else format_
    if query is None:
        return chosen or default
    if chosen not in {None, "json", "jsonl", "raw"}:
        raise UsageError(f"--query works on JSON, and --format {chosen} prints none")
    return chosen or "json"


def moment(text: str, now: int, *, option: str, end: bool = False) -> int:
    """A time as people write it, in milliseconds UTC.

    ``3d``, ``2w``, ``12h``: so long ago. ``2026-09-21``: that day's start, or with `end` its
    last millisecond. ``2026-09-21T14:00``, with a zone or else in local time.

    Raises:
        UsageError: it is none of these.
    """
    from datetime import datetime, timedelta

    ago = re.fullmatch(r"(\d{1,6})\s*([mhdwy])", text.strip().lower())
    try:
        if ago:
            return now - int(ago[1]) * _SECONDS[ago[2]] * _MS
        parsed = datetime.fromisoformat(text.strip())
        if end and re.fullmatch(r"\d{4}-?\d\d-?\d\d", text.strip()):
            parsed += timedelta(days=1) - timedelta(milliseconds=1)
        return int(parsed.timestamp() * _MS)
    except (ValueError, OverflowError, OSError):
        hint = "write 3d, 2w, 12h, 2026-09-21 or 2026-09-21T14:00"
        raise UsageError(f"{option} {text!r} is no time that is understood", hint=hint) from None
