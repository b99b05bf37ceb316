"""A session as one Markdown document for people (CommonMark with tables).

Session text must neither break out of its place nor pass for this document's own words. So all
of it stands in quotes (``> ``) or in fenced blocks; short facts stand escaped or as code. A
quote is rendered as Markdown, as models mean it. A text that would be more than formatted text
there (HTML, images fetched from elsewhere, definitions that hold for the whole document, TeX) is
put into a fenced block instead, as it is: escaping it would alter the code in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from finder.model import (
    Attachment,
    Compaction,
    Event,
    Notice,
    Opaque,
    Reasoning,
    Session,
    Subagent,
    Text,
    ToolCall,
    ToolResult,
)
from finder.render.document import Part, Passage, Section, Subagents, document
from finder.render.text import block, line, pieces
from finder.render.wording import (
    arguments,
    attached,
    compacted,
    facts,
    outcome,
    record,
    thought,
)

_EXPLAINED = (
    "Words of the session stand in quotes and in fenced blocks, all else is said about it. "
    "Times are UTC. Characters that cannot be seen or that steer a terminal stand as marks, "
    "such as `␛`, `<U+202E>` or `\ufffd`."
)
_FENCES = re.compile(r"`{3,}|~{3,}")
_SPECIAL = re.compile(r"[\\`*_\[\]<>|~$&!#^{}@]")
# What a Markdown reader may take for more than formatted text: a tag, comment or address; an
# image; a definition or footnote; TeX, attributes and metadata as pandoc reads them; entities,
# which could spell any of these.
_MORE = re.compile(
    r"<[A-Za-z/!?]|!\[|\]:|\\[A-Za-z(\[]|\{[=%{]|^---[ \t]*\n(?=\S)|&#?\w+;", re.MULTILINE
)
_MANY = 500  # lines, written together
_OPENED = re.compile(r"(`{3,}|~{3,})[^`~]*")


# A paragraph, heading, list or the like: whole, or a large text in pieces.
_Block = str | Iterator[str]


def markdown(session: Session, events: Sequence[Event], subagents: Subagents) -> Iterator[str]:
    """The document, in pieces. `subagents` are those below the session: (depth, header, story)."""
    sections = document(session, events, subagents)
    blocks = (block for section in sections for block in _section(section))
    for number, one in enumerate(blocks):
        yield "\n\n" if number else ""
        yield from [one] if isinstance(one, str) else one
    yield "\n"


def _section(section: Section) -> Iterator[_Block]:
    if section.number:
        yield f"# Subagent {section.number}"
    else:
        yield f"# {inline(section.session.title or '') or '(no title)'}"
    rows = [f"| {name} | {_cell(value)} |" for name, value in facts(section.session)]
    yield "\n".join(["| Fact | Value |", "|---|---|", *rows])
    if not section.number:
        yield _EXPLAINED
    if not section.told:
        yield "The story of this subagent is not in this document."
    for passage in section.passages:
        yield from _passage(passage)
    if section.unshown:
        counted = ", ".join(f"{inline(kind)} × {count}" for kind, count in section.unshown)
        yield f"*Not shown of this session:* {counted}."


def _passage(passage: Passage) -> Iterator[_Block]:
    message = passage.message
    if message is None:
        yield "---"
    else:
        marks = "".join(f" ({inline(mark)})" for mark in passage.marks)
        role = inline(message.role or "message")
        yield f"## {passage.number}. {role[:1].upper()}{role[1:]}{marks}"
        if passage.facts:
            yield f"*{_joined(passage.facts)}*"
        if message.error:
            yield "**Failed:**"
            yield fenced(message.error)
        if not passage.parts:
            yield "*Empty.*"
    for part in passage.parts:
        yield from _part(part)


def _part(part: Part) -> Iterator[_Block]:
    event = part.event
    if isinstance(event, Text):
        if part.marks:
            yield f"*{_marked('Text', part.marks)}:*"
        yield quoted(event.text) if event.text else "*Empty text.*"
    elif isinstance(event, Reasoning):
        yield f"*{_marked('Reasoning', part.marks)}:*"
        yield quoted(thought(event)) if thought(event) else "*Empty.*"
    elif isinstance(event, ToolCall | ToolResult):
        yield from _tool(part)
    elif isinstance(event, Attachment):
        name = _marked("Attachment", part.marks)
        yield f"**{name}:** {_joined(attached(event))} (content not shown here)"
    elif isinstance(event, Subagent):
        yield from _subagent(event, part)
    elif isinstance(event, Compaction):
        yield f"**{_marked('Compaction', part.marks)}:** {_joined(compacted(event, part.kept))}"
    elif isinstance(event, Notice):
        yield f"*{_marked(f'Notice, {event.kind}', part.marks)}:*"
        if event.text:
            yield fenced(event.text)
    elif isinstance(event, Opaque):
        where = _joined([event.kind, event.record or "", event.problem or ""])
        yield f"**{_marked('Unreadable record', part.marks)}:** {where}"
        if record(event):
            yield fenced(record(event))


def _tool(part: Part) -> Iterator[_Block]:
    event = part.event
    call = event if isinstance(event, ToolCall) else None
    result = event if isinstance(event, ToolResult) else part.result
    if isinstance(event, ToolResult):
        name = f"**{_marked('Result without its call', part.marks)}** {code(event.call)}"
    else:
        name = f"**{_marked('Tool', part.marks)}** {code(call.name if call else '')}"
    marks = "".join(f" ({inline(mark)})" for mark in part.result_marks)
    yield f"{name}: {_joined(outcome(result, call))}{marks}"
    for key, text, language in arguments(call.input) if call else ():
        yield f"Input {code(key)}:" if key is not None else "Input:"
        yield fenced(text, language)
    if result is not None and result.output is not None:
        yield "Output:"
        yield fenced(result.output)


def _subagent(event: Subagent, part: Part) -> Iterator[_Block]:
    if part.target:
        where = f"Subagent {part.target} of this document"
    elif event.child:
        where = f"session {code(str(event.child))}, not in this document"
    else:
        where = "the tool keeps no transcript of it"
    known = "".join(f"{inline(word)}, " for word in (event.agent, event.status) if word)
    yield f"**{_marked('Subagent', part.marks)}:** {known}{where}"
    for name, text in part.told:
        yield f"{name}:"
        yield quoted(text)


def _joined(words: Iterable[str]) -> str:
    return " · ".join(inline(word) for word in words if word)


def _marked(name: str, marks: Sequence[str]) -> str:
    """A name with labels after it."""
    return inline(name) + "".join(f" ({inline(mark)})" for mark in marks)


def inline(text: str) -> str:
    """Foreign text on one line, with nothing left that means something in Markdown."""
    return _SPECIAL.sub(lambda found: "\\" + found[0], line(text))


def code(text: str) -> str:
    """Foreign text on one line, as code where that can be done."""
    shown = line(text)
    if not shown or "|" in shown or "`" in shown:  # a bar ends a table's cell even within code
        return inline(text) or "(empty)"
    return f"`{shown}`"


def _cell(text: str) -> str:
    return code(text) if re.search(r"[/\\_:]", text) and len(text) < 500 else inline(text)


def fenced(text: str, language: str = "") -> Iterator[str]:
    """A text as it is, in a fence that no line of it can close."""
    fence = "`" * max((len(run[0]) + 1 for run in _FENCES.finditer(text)), default=3)
    yield f"{fence}{language}\n"
    yield from map(block, pieces(text))
    yield f"\n{fence}"


def quoted(text: str) -> Iterator[str]:
    """A text as a quote; in a fence where it would be more than formatted text there."""
    shown = block(text)
    if _MORE.search(_outside_of_fences(shown)):
        yield from fenced(text, "text")
        return
    quotes = (f"> {one}" if one else ">" for one in _lines(shown))
    yield next(quotes)
    while some := list(islice(quotes, _MANY)):
        yield "\n" + "\n".join(some)


def _lines(text: str) -> Iterator[str]:
    """The lines without their ends, one at a time; what `split` gives."""
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]


def _outside_of_fences(text: str) -> str:
    """The text without its own fenced blocks, if every reader sees these as such.

    That is: not indented, after an empty line, and closed. The opening lines stay. Where
    anything else looks like a fence, readers may disagree, and it is the whole text.
    """
    if not _FENCES.search(text):
        return text
    kept: list[str] = []
    fence = ""
    for one in _lines(text):
        bare = one.strip(" \t")
        if fence and one.rstrip(" ") == bare and _closes(bare, fence):
            fence = ""
            continue
        if fence and not _closes(bare, fence):
            continue
        if not fence and not _FENCES.search(one):
            kept.append(one)
            continue
        opened = _OPENED.fullmatch(one) if not kept or not kept[-1].strip() else None
        if fence or not opened:
            return text
        fence = opened[1]
        kept.append(one)
    return text if fence else "\n".join(kept)


def _closes(bare: str, fence: str) -> bool:
    return bare.startswith(fence) and not bare.strip(fence[0])
