"""``finder skill``."""

from __future__ import annotations

from pathlib import Path

import click

from finder.cli.output import write_bytes
from finder.cli.program import Command
from finder.files import read


@click.command(
    cls=Command,
    epilog="""
    finder skill
    finder skill > ~/.claude/skills/finder/SKILL.md
    """,
)
def command() -> None:
    """Print a file that teaches an agent to use finder.

    It has the head that agents expect of a skill, a name and a description of when to use it.
    """
    write_bytes(read(Path(__file__).parents[1] / "skill.md"))
