"""``finder completion``."""

from __future__ import annotations

import os

import click

from finder.cli import declare
from finder.cli.program import Command
from finder.errors import UsageError

_SHELLS = ("bash", "zsh", "fish")


@click.command(
    cls=Command,
    epilog="""
    finder completion bash >> ~/.bash_completion
    finder completion fish > ~/.config/fish/completions/finder.fish
    eval "$(finder completion zsh)"
    """,
)
@declare.argument("shell", type=click.Choice(_SHELLS), required=False)
def command(shell: str | None) -> None:
    """Print what makes a shell complete commands, options, session ids and tools.

    Without SHELL: for the one that $SHELL names.
    """
    from click.shell_completion import get_completion_class

    from finder.cli import shells  # noqa: F401  (it makes them known)
    from finder.cli.program import main

    named = shell or os.path.basename(os.environ.get("SHELL", ""))  # noqa: PTH119
    if named not in _SHELLS:
        raise UsageError("name the shell", candidates=_SHELLS)
    found = get_completion_class(named)
    assert found is not None
    click.echo(found(main, {}, "finder", "_FINDER_COMPLETE").source())
