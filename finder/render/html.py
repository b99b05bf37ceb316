"""A session as one HTML page for people: self-contained, without scripts and without links out.

Session text is only ever text. It reaches the page through `escape`, no attribute holds any of
it but the bytes of raster images (encoded anew, after their first bytes were looked at), and the
page's own policy forbids scripts and every request. Texts are shown as they were written; code
in them is set apart by style alone, so that what is copied from the page is the text.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from finder.model import (
    Attachment,
    Compaction,
    Event,
    Message,
    Notice,
    Opaque,
    Reasoning,
    Session,
    Subagent,
    Text,
    ToolCall,
    ToolResult,
)
from finder.render.document import Part, Passage, Section, Subagents, document, opening
from finder.render.style import STYLE
from finder.render.text import block, cut, line, pieces
from finder.render.wording import (
    arguments,
    attached,
    compacted,
    facts,
    outcome,
    payload,
    record,
    thought,
)

_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
_EXPLAINED = (
    "Characters that cannot be seen or that steer a terminal stand as marks, such as "
    "␛, &lt;U+202E&gt; or \ufffd."
)
# Images that browsers draw without running anything, by how their bytes begin.
_IMAGES = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}
_ROLES = frozenset({"user", "assistant", "system", "tool"})
_SHORT = 600  # characters of synthetic text that are shown unfolded
_DEEPEST = 12  # sections within sections; browsers bound how deep a page may nest
# Within the prose of one line: `code`, **bold**, and headings.
_INLINE = re.compile(r"(?<!`)`[^`\n]+`(?!`)|\*\*(?=\S)[^*\n]+\*\*|^#{1,6} [^\n]+", re.M)
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})[^`]*$")


def html(session: Session, events: Sequence[Event], subagents: Subagents) -> Iterator[str]:
    """The page, in pieces. `subagents` are those below the session: (depth, header, story)."""
    sections = document(session, events, subagents)
    title = escape(line(session.title or "") or "(no title)", quote=False)
    yield (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
    )
    yield from _contents(sections)
    yield "<main>\n"
    yield from _nested(sections)
    yield "</main>\n</body>\n</html>\n"


def _line(text: str) -> str:
    """Foreign text on one line, with a direction of its own."""
    return f"<bdi>{escape(line(text), quote=False)}</bdi>"


def _joined(words: Iterable[str]) -> str:
    return " · ".join(_line(word) for word in words if word)


def _badges(marks: Sequence[str]) -> str:
    return "".join(f' <span class="mark">{_line(mark)}</span>' for mark in marks)


def _contents(sections: Sequence[Section]) -> Iterator[str]:
    """What the users said, compactions and subagents, to go to."""
    yield '<nav aria-label="Contents"><details open><summary>Contents</summary>\n<ol>\n'
    for section in sections:
        name = section.session.title or section.session.ref.id
        if section.number:
            name = f"Subagent {section.number}: {name}"
        yield f'<li class="in{min(section.depth, 4)}"><a href="#s{section.number}">'
        yield f"{_line(cut(line(name), 60))}</a></li>\n"
        for passage in section.passages:
            yield from _entries(section, passage)
    yield "</ol>\n</details></nav>\n"


def _entries(section: Section, passage: Passage) -> Iterator[str]:
    said = opening(passage)
    compacts = any(isinstance(part.event, Compaction) for part in passage.parts)
    shown = "Compaction" if compacts else said
    if shown is None or not passage.number:
        return
    anchor = _anchor(section, passage)
    yield f'<li class="said in{min(section.depth, 4)}"><a href="#{anchor}">'
    yield f"{passage.number}. {_line(cut(line(shown), 60))}</a></li>\n"


def _anchor(section: Section, passage: Passage) -> str:
    return f"s{section.number}m{passage.number}"


def _nested(sections: Sequence[Section]) -> Iterator[str]:
    """Each section within that of its parent, as far as a page can be nested."""
    depths: list[int] = []
    for section in sections:
        depth = min(section.depth, _DEEPEST)
        while depths and depths[-1] >= depth:
            depths.pop()
            yield "</details></section>\n"
        depths.append(depth)
        yield from _section(section)
    yield "</details></section>\n" * len(depths)


def _section(section: Section) -> Iterator[str]:
    title = _line(section.session.title or "(no title)")
    level = "h2" if section.number else "h1"
    name = f"Subagent {section.number}: {title}" if section.number else title
    kind = "subagent" if section.number else "session"
    yield f'<section class="{kind}" id="s{section.number}"><details open>'
    yield f"<summary><{level}>{name}</{level}>{_badges(section.session.labels)}</summary>\n"
    yield '<table class="facts">\n'
    for key, value in facts(section.session):
        yield f"<tr><th>{key}</th><td>{_line(value)}</td></tr>\n"
    yield "</table>\n"
    if not section.number:
        yield f'<p class="note">{_EXPLAINED}</p>\n'
    if not section.told:
        yield '<p class="note">The story of this subagent is not in this document.</p>\n'
    for passage in section.passages:
        yield from _passage(section, passage)
    if section.unshown:
        counted = ", ".join(f"{_line(kind)} × {count}" for kind, count in section.unshown)
        yield f'<p class="note">Not shown of this session: {counted}.</p>\n'


def _passage(section: Section, passage: Passage) -> Iterator[str]:
    message = passage.message
    if message is None:
        yield '<div class="between">\n'
    else:
        yield from _heading(section, passage, message)
    for part in passage.parts:
        yield from _part(part)
    if message and not passage.parts:
        yield '<p class="note">Empty.</p>\n'
    yield "</article>\n" if message else "</div>\n"


def _heading(section: Section, passage: Passage, message: Message) -> Iterator[str]:
    role = message.role if message.role in _ROLES else None
    anchor = _anchor(section, passage)
    yield f'<article class="{role or "other"}" id="{anchor}"><header><h3>'
    yield f'<a href="#{anchor}">{passage.number}</a> {_line(message.role or "message")}</h3>'
    yield f'{_badges(passage.marks)} <span class="said-of">{_joined(passage.facts)}</span>'
    yield "</header>\n"
    if message.error:
        yield '<div class="failed">'
        yield from _code(message.error)
        yield "</div>\n"


def _part(part: Part) -> Iterator[str]:
    event = part.event
    if isinstance(event, Text):
        yield from _said(event.text, part)
    elif isinstance(event, Reasoning):
        yield f'<details class="reasoning"><summary>Reasoning{_badges(part.marks)}</summary>'
        yield from _prose(thought(event))
        yield "</details>\n"
    elif isinstance(event, ToolCall | ToolResult):
        yield from _tool(part)
    elif isinstance(event, Attachment):
        yield from _attachment(event, part)
    elif isinstance(event, Subagent):
        yield from _subagent(event, part)
    elif isinstance(event, Compaction):
        yield f'<div class="compaction"><strong>Compaction</strong>{_badges(part.marks)} '
        yield f"{_joined(compacted(event, part.kept))}</div>\n"
    elif isinstance(event, Notice):
        yield from _folded("notice", f"Notice: {_line(event.kind)}", part, event.text or "")
    elif isinstance(event, Opaque):
        words = _joined([event.kind, event.record or "", event.problem or ""])
        yield from _folded("failed", f"Unreadable record: {words}", part, record(event))


def _said(text: str, part: Part) -> Iterator[str]:
    if not part.synthetic:
        badges = _badges(part.marks)
        yield f"<p>{badges}</p>\n" if badges else ""
        yield from _prose(text)
        yield "\n"
        return
    unfolded = " open" if len(text) <= _SHORT else ""
    yield f'<details class="synthetic"{unfolded}><summary>{_badges(part.marks) or "synthetic"} '
    yield f"{len(text):,} characters</summary>"
    yield from _prose(text)
    yield "</details>\n"


def _folded(kind: str, name: str, part: Part, text: str) -> Iterator[str]:
    """A name with a text below it. `name` is HTML."""
    if not text:
        yield f'<p class="{kind}">{name}{_badges(part.marks)}</p>\n'
        return
    yield f'<details class="{kind}"><summary>{name}{_badges(part.marks)}</summary>'
    yield from _code(text)
    yield "</details>\n"


def _tool(part: Part) -> Iterator[str]:
    event = part.event
    call = event if isinstance(event, ToolCall) else None
    result = event if isinstance(event, ToolResult) else part.result
    kind = "tool" if result and result.status == "ok" else "tool bad"
    name = _line(call.name) if call else "Result without its call"
    brief = f'<code class="brief">{_line(_brief(call))}</code> ' if call else ""
    said = f'<span class="said-of">{_joined(outcome(result, call))}</span>'
    yield f'<details class="{kind}"><summary><b>{name}</b>{_badges(part.marks)} {brief}{said}'
    yield f"{_badges(part.result_marks)}</summary>\n"
    for key, text, _ in arguments(call.input) if call else ():
        label = f"Input <code>{_line(key)}</code>" if key is not None else "Input"
        yield from _named(label, text)
    if isinstance(event, ToolResult):
        yield from _named("Call", event.call)
    if result is not None and result.output is not None:
        yield from _named("Output", result.output)
    yield "</details>\n"


def _named(name: str, text: str) -> Iterator[str]:
    """A text below its name, which is HTML."""
    yield f"<h4>{name}</h4>"
    yield from _code(text)
    yield "\n"


def _brief(call: ToolCall) -> str:
    """The beginning of the first argument; the whole input stands below."""
    value = next(iter(call.input.values()), "") if isinstance(call.input, dict) else call.input
    return cut(line(value[:200]), 80) if isinstance(value, str) else ""


def _attachment(event: Attachment, part: Part) -> Iterator[str]:
    source = _image(event)
    about = f"Attachment: {_joined(attached(event))}{_badges(part.marks)}"
    if source is None:
        yield f'<p class="attachment">{about} (content not shown here)</p>\n'
        return
    yield f'<figure class="attachment"><img alt="" src="{source}">'
    yield f"<figcaption>{about}</figcaption></figure>\n"


def _image(event: Attachment) -> str | None:
    """A data URL for what is truly a raster image, else None."""
    mime, content = payload(event)
    if mime is None or content is None:
        return None
    kind = mime.strip().lower()
    begins = _IMAGES.get(kind)
    if begins is None or not begins.match(content):
        return None
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _subagent(event: Subagent, part: Part) -> Iterator[str]:
    if part.target:
        where = f'<a href="#s{part.target}">Subagent {part.target}</a>'
    elif event.child:
        where = f"session {_line(str(event.child))}, not in this document"
    else:
        where = "the tool keeps no transcript of it"
    known = "".join(f"{_line(word)}, " for word in (event.agent, event.status) if word)
    yield f'<div class="delegated"><strong>Subagent</strong>{_badges(part.marks)} {known}{where}'
    for name, text in part.told:
        yield f"<details><summary>{name}</summary>"
        yield from _prose(text)
        yield "</details>"
    yield "</div>\n"


def _code(text: str) -> Iterator[str]:
    yield '<pre dir="auto"><code>'
    for piece in pieces(text):
        yield escape(block(piece), quote=False)
    yield "</code></pre>"


def _prose(text: str) -> Iterator[str]:
    """A text as it was written; what has to be set in columns is."""
    for in_columns, part in _parts(block(text)):
        yield from _columns(part) if in_columns else _paragraphs(part)
    if not text:
        yield '<p class="note">Empty.</p>'


def _parts(text: str) -> Iterator[tuple[bool, str]]:
    """The text in parts: fenced blocks and tables (True), and what is between them (False)."""
    start = end = 0
    before = False
    for in_columns, one in _told_apart(text):
        if in_columns is not before and end > start:
            yield before, text[start:end]
            start = end
        before = in_columns
        end += len(one)
    if end > start:
        yield before, text[start:end]


def _told_apart(text: str) -> Iterator[tuple[bool, str]]:
    fence = ""
    for one in _lines(text):
        opened = None if fence else _FENCE.match(one)
        yield bool(fence or opened or one.startswith("|")), one
        if opened:
            fence = opened[1]
        elif fence and one.strip().startswith(fence) and not one.strip().strip(fence[0]):
            fence = ""


def _lines(text: str) -> Iterator[str]:
    """The lines with their ends, one at a time; other ends than line feeds are marks by now."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _columns(text: str) -> Iterator[str]:
    yield '<pre class="part" dir="auto"><code>'
    yield from _escaped(text)
    yield "</code></pre>"


def _paragraphs(text: str) -> Iterator[str]:
    yield '<div class="text" dir="auto">'
    start = 0
    for found in _INLINE.finditer(text):
        name = "code" if found[0][0] == "`" else "b"
        yield from _escaped(text[start : found.start()])
        yield f"<{name}>{escape(found[0], quote=False)}</{name}>"
        start = found.end()
    yield from _escaped(text[start:])
    yield "</div>"


def _escaped(text: str) -> Iterator[str]:
    return (escape(piece, quote=False) for piece in pieces(text))
