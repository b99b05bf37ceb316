"""A session's story, for people to read.

Texts are shown whole; tool calls are folded to a line or two, with their outcome, and say so;
edits stand as differences; a subagent stands where it was started. What was said neither by a
person nor by a model is marked ``[synthetic: …]`` with what it is. All of it comes as `Block`s,
so that a caller with little room can choose among them (`finder.render.digest`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from finder.get import Numbered
from finder.library import Below, Entry
from finder.render.document import passages
from finder.render.look import Look, Paint, Prose, coloured, plain
from finder.render.table import marks
from finder.render.teller import NOT_KEPT, Kind, Stories, Teller, Tree, clock, named
from finder.render.text import home_short, line, wrapped

__all__ = ["NOT_KEPT", "Look", "coloured", "plain"]


def heading(
    entry: Entry,
    below: Sequence[Below],
    *,
    home: str,
    paint: Paint = plain,
    room: int | None = None,
    listed: bool = True,
) -> Iterator[str]:
    """What is known about the session and, if they are to be listed, the tree of its subagents."""
    session = entry.session
    told = [line((session.title or "(no title)") + marks(session))]
    facts = [
        str(session.ref),
        home_short(session.directory or "no directory", home),
        f"{clock(session.created)} to {clock(session.updated)}",
        session.agent,
        session.model,
        None if session.messages is None else f"{session.messages} messages",
    ]
    told.append(line(" · ".join(fact for fact in facts if fact)))
    told.append(line(f"in {session.ref.store}"))
    told += [line(f"also in {path}") for path in entry.also_in]
    if session.parent is not None:
        told.append(line(f"subagent of {session.parent}"))
    if below:
        told.append(f"subagents: {len(below)}")
    for number, one in enumerate(told):
        for piece in wrapped(one, room) if room else [one]:
            yield piece if number else paint(piece, "bold")
    for item in below if listed else ():
        yield "  " * item.depth + line(f"↳ {named(item)}")


class Block(NamedTuple):
    """Some lines that belong together.

    `kind`: ``head`` of a message, ``prompt`` (what the user said), ``text``, ``call`` of a tool,
    ``error``, ``change`` of a file, ``note`` (all else). `passage`: which message, counted from 0.
    """

    kind: Kind
    passage: int
    lines: list[str]


def transcript(
    events: Iterable[Numbered],
    *,
    room: int | None = None,
    paint: Paint = plain,
    prose: Prose | None = None,
    below: Sequence[Below] = (),
    stories: Stories | None = None,
    whole: bool = False,
) -> Iterator[str]:
    """The story's lines.

    Args:
        room: the terminal's width; None: lines may be of any length.
        prose: how the model's Markdown is rendered; None: as it is written.
        below: the sessions below this one; each is shown where it was started.
        stories: reads them, to be shown there whole.
        whole: show tool calls, differences and what the tool put in unfolded.
    """
    look = Look(room=room, paint=paint, prose=prose, whole=whole)
    for item in blocks(events, look, below=below, stories=stories):
        yield from item.lines


def blocks(
    events: Iterable[Numbered],
    look: Look,
    *,
    below: Sequence[Below] = (),
    stories: Stories | None = None,
    listed: bool = True,
) -> Iterator[Block]:
    """The story in pieces; see `transcript`. `listed`: those below that it never names, too."""
    told, unshown = passages([item.event for item in events])
    teller = Teller(look, Tree(below, stories))
    for number, passage in enumerate(told):
        for kind, lines in teller.passage(passage):
            yield Block(kind, number, lines)
    last = max(len(told) - 1, 0)
    said = ["", look.paint("subagents not shown above:", "dim")]
    while listed and (rest := teller.tree.untold()):
        for item in rest:
            yield Block("note", last, [*said, *teller.below(item, "  ")])
            said = []
    if unshown:
        kinds = ", ".join(f"{line(kind)} ×{count}" for kind, count in unshown)
        shown = look.text(f"not shown here, but with --json: {kinds}", "dim")
        yield Block("note", last, ["", *shown])
