"""Where in a session's story the words that are looked for stand.

Searched is what was said and done: prompts, answers, reasoning, the input and output of tools,
names of files, errors, notices. Not searched are names of tools, agents and models, numbers and
keys of a tool's input, and bytes that are not text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from finder.event import spoken
from finder.model import (
    Attachment,
    Event,
    Json,
    Labels,
    Message,
    Notice,
    Opaque,
    Reasoning,
    Role,
    Subagent,
    Text,
    ToolCall,
    ToolResult,
)
from finder.words import Sought, Span, Term, folded

Field = Literal["text", "reasoning", "input", "output", "file", "error", "notice", "unread"]

_AROUND = 90  # characters of a snippet on either side of what was found
_MOST_QUOTES = 3
_TOO_DEEP = 50
_STRIDE = 256


class Quote(NamedTuple):
    """One place where terms stand.

    Attributes:
        seq: the event's place in the story, from 0.
        field: what of the event it is.
        snippet: the text around; `spans` are the found terms within it.
        cut_before, cut_after: the text goes on there.
    """

    seq: int
    type: str
    field: Field
    record: str | None
    at: int | None
    role: Role | None
    labels: Labels
    snippet: str
    spans: tuple[Span, ...]
    cut_before: bool
    cut_after: bool


class Hit(NamedTuple):
    """A session that has all the terms.

    Attributes:
        quotes: a few of the best places; together they show every term.
        together: some single event has all of them.
        synthetic: some of the terms stand only in what neither a person nor a model said.
    """

    quotes: tuple[Quote, ...]
    together: bool
    synthetic: bool


class _Place(NamedTuple):
    """A field of an event with terms in it: `found` are their numbers."""

    seq: int
    event: Event
    role: Role | None
    field: Field
    text: str
    found: frozenset[int]

    @property
    def synthetic(self) -> bool:
        return "synthetic" in self.event.labels


def hit(events: Iterable[Event], sought: Sought, *, sure: bool = False) -> Hit | None:
    """Where the terms stand in a story; None unless all of them do.

    No more is read than is needed to say so. With `sure` None, too, where what has not been given
    of the story might change the answer.
    """
    hearing = _Hearing(sought)
    for seq, (event, role) in enumerate(spoken(events)):
        hearing.take(seq, event, role)
        if hearing.is_sure:
            return hearing.hit()
    return None if sure else hearing.hit()


class _Hearing:
    """What was found in a story so far."""

    def __init__(self, sought: Sought) -> None:
        self.sought = sought
        self.wanted = frozenset(range(len(sought.terms)))
        self.best: list[_Place] = []
        self.seen: set[int] = set()
        self.said: set[int] = set()
        self.together = False

    def take(self, seq: int, event: Event, role: Role | None) -> None:
        """The next event."""
        if not self.sought.synthetic and "synthetic" in event.labels:
            return
        here = _places(seq, event, role, self.sought.terms)
        if not here:
            return
        found: set[int] = set().union(*(place.found for place in here))
        self.seen |= found
        if not here[0].synthetic:
            self.said |= found
        self.together = self.together or found == self.wanted
        new = [place for place in here if not any(_is_said_in(place, b) for b in self.best)]
        self.best = _best([*self.best, *new])

    @property
    def is_sure(self) -> bool:
        """Whether nothing that may follow is better: the earlier places are preferred."""
        return len(self.best) == _MOST_QUOTES and all(
            place.found == self.wanted and not place.synthetic for place in self.best
        )

    def hit(self) -> Hit | None:
        """The answer."""
        if self.seen != self.wanted:
            return None
        best = sorted(self.best, key=lambda place: place.seq)
        return Hit(
            quotes=tuple(_quote(place, self.sought.terms) for place in best),
            together=self.together,
            synthetic=self.said != self.wanted,
        )


def _places(seq: int, event: Event, role: Role | None, terms: Sequence[Term]) -> list[_Place]:
    found = []
    for field, text in fields(event):
        comparable = folded(text)
        numbers = frozenset(n for n, term in enumerate(terms) if term.find(comparable))
        if numbers:
            found.append(_Place(seq, event, role, field, text, numbers))
    return found


def _is_said_in(place: _Place, other: _Place) -> bool:
    """Whether it only says again what another does: a tool's output, told as a subagent's too."""
    return place.text == other.text and (place.synthetic or not other.synthetic)


def _best(places: list[_Place]) -> list[_Place]:
    """A few places that show all terms that any of them has: greedily, the fullest first.

    What was said is preferred to what the tool put in, and the earlier to the later.
    """
    left = sorted(places, key=lambda p: (p.synthetic, -len(p.found), p.seq))
    chosen: list[_Place] = []
    shown: set[int] = set()
    for place in left:
        if not place.found <= shown:
            chosen.append(place)
            shown |= place.found
    for place in left:
        if len(chosen) >= _MOST_QUOTES:
            break
        if all(place is not other for other in chosen):
            chosen.append(place)
    return chosen


def fields(event: Event) -> Iterator[tuple[Field, str]]:
    """The texts of an event in which is searched."""
    match event:
        case Text(text=text):
            yield "text", text
        case Reasoning(text=text, redacted=False):
            yield "reasoning", text
        case ToolCall(input=given):
            yield from (("input", text) for text in _strings(given))
        case ToolResult(output=output, status=status, title=title):
            if output:
                yield "error" if status == "error" else "output", output
            if title:
                yield "output", title
        case Subagent(prompt=prompt, result=result):
            yield from (("input", prompt),) if prompt else ()
            yield from (("output", result),) if result else ()
        case Attachment():
            yield from _attached(event)
        case Message(error=str(error)):
            yield "error", error
        case Notice(kind=kind, text=str(text)):
            yield _NOTICES.get(kind, "notice"), text
        # A record that could not be parsed: its text, which in a database is that of a column.
        case Opaque(raw=str(raw)) | Opaque(problem=str(), raw={"data": str(raw)}):
            yield "unread", raw


_NOTICES: dict[str, Field] = {"error": "error", "retry": "error", "diff": "file"}


def _attached(event: Attachment) -> Iterator[tuple[Field, str]]:
    for name in dict.fromkeys((event.name, event.path, event.url)):
        if name and not name.startswith("data:"):
            yield "file", name
    if event.data and (event.mime or "").startswith("text/"):
        import base64

        try:
            yield "output", base64.b64decode(event.data).decode("utf-8", "replace")
        except ValueError:
            return


def _strings(value: Json, depth: int = 0) -> Iterator[str]:
    """The texts in a tool's input, which may be any JSON."""
    if isinstance(value, str):
        yield value
    elif depth < _TOO_DEEP and isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner, depth + 1)


def _quote(place: _Place, terms: Sequence[Term]) -> Quote:
    text = unicodedata.normalize("NFC", place.text)
    spans = [_first(text, terms[number]) for number in sorted(place.found)]
    snippet, within, before, after = _excerpt(text, [span for span in spans if span])
    event = place.event
    return Quote(
        seq=place.seq,
        type=event.type,
        field=place.field,
        record=event.record,
        at=event.at,
        role=place.role,
        labels=event.labels,
        snippet=snippet,
        spans=within,
        cut_before=before,
        cut_after=after,
    )


def _first(text: str, term: Term) -> Span | None:
    """Where a term stands in a text, as a whole word if it does so anywhere."""
    comparable = folded(text)
    span = first = term.find(comparable)
    while span is not None:
        around = comparable[max(span.start - 1, 0) : span.start] + comparable[span.end :][:1]
        if not re.search(r"[^\W_]", around):
            break
        span = term.find(comparable, span.end)
    found = span or first
    if found is None or len(comparable) == len(text):
        return found
    return _unfolded(text, found)


def _unfolded(text: str, span: Span) -> Span:
    """A stretch of a folded text in the text itself, where folding made some letters longer."""
    start, before = _letter(text, span.start)
    # The letter that the stretch ends in is part of it.
    end, until = _letter(text, span.end, start, before)
    return Span(start, end if until == span.end else end + 1)


def _letter(text: str, position: int, at: int = 0, before: int = 0) -> tuple[int, int]:
    """The letter that a position in the folded text is of, and where that begins there.

    Looked for from the letter `at`, which begins at `before`.
    """
    while at < len(text):
        length = len(folded(text[at : at + _STRIDE]))
        if before + length > position:
            break
        at, before = at + _STRIDE, before + length
    while at < len(text):
        length = len(folded(text[at]))
        if before + length > position:
            break
        at, before = at + 1, before + length
    return min(at, len(text)), before


def _excerpt(text: str, spans: list[Span]) -> tuple[str, tuple[Span, ...], bool, bool]:
    """The text around the first span, with all the spans that are in it."""
    if not spans:
        return text[: 2 * _AROUND], (), False, len(text) > 2 * _AROUND
    first = min(spans)
    start = _word_start(text, first.start)
    end = _word_end(text, max(first.end, start))
    within = [Span(s.start - start, s.end - start) for s in sorted(spans) if s.end <= end]
    return text[start:end], tuple(within), start > 0, end < len(text)


def _word_start(text: str, position: int) -> int:
    """Some way before, at the start of a word if there is one near."""
    start = max(position - _AROUND, 0)
    if start == 0:
        return 0
    space = re.compile(r"\s").search(text, start, position)
    return space.end() if space and space.end() - start < 25 else start


def _word_end(text: str, position: int) -> int:
    end = min(position + _AROUND, len(text))
    if end == len(text):
        return end
    space = text.rfind(" ", position, end)
    return space if end - space < 25 and space >= position else end
