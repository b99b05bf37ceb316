"""``finder get``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, chain, islice

from finder import jsonio
from finder.cli import declare, options
from finder.cli.failure import tell_problems
from finder.cli.locate import located
from finder.cli.output import Query as JsonQuery
from finder.cli.output import write_json, write_lines, write_object, write_text
from finder.cli.setting import Setting
from finder.dataclass import dataclass, replace
from finder.errors import ExitCode, StoreError, UsageError
from finder.get import Choice, Left, Numbered, story, subagents
from finder.library import Below, Entry, Library
from finder.model import JsonObject, Problem, Ref
from finder.render import data


@declare.command(
    epilog="""
    finder get ses_5f1c
    finder get opencode:ses_5f1c --json --query "events[?type=='text'].text"
    """,
)
@declare.argument("target", metavar="ID|PATH", shell_complete=options.completed("session"))
@options.root
@declare.option("--live", is_flag=True, help="Only what the last compaction left in the context.")
@declare.option("--no-synthetic", is_flag=True, help="Leave out what the tool itself put in.")
@declare.option("--first", type=declare.Whole(1), metavar="N", help="Only the first N messages.")
@declare.option("--last", type=declare.Whole(1), metavar="N", help="Only the last N messages.")
@declare.option("--no-subagents", is_flag=True, help="Do not list the subagents.")
@declare.option("--with-subagents", is_flag=True, help="Show the subagents' stories too.")
@declare.option("--full", is_flag=True, help="Fold nothing: tool calls with input and output.")
@declare.option(
    "--max-tokens",
    type=declare.Whole(200),
    metavar="N",
    help="Shorten the story to about N tokens, and say what is left out.",
)
@declare.option("--raw", is_flag=True, help="With JSON: add the store's own records.")
@declare.option("--pager/--no-pager", default=True, help="Page long output on a terminal.")
@options.output("transcript", "json", "jsonl", "raw")
def command(  # noqa: PLR0913  (one parameter for each option)
    setting: Setting,
    target: str,
    roots: tuple[str, ...],
    live: bool,
    no_synthetic: bool,
    first: int | None,
    last: int | None,
    no_subagents: bool,
    with_subagents: bool,
    full: bool,
    max_tokens: int | None,
    raw: bool,
    pager: bool,
    format_: str | None,
    as_json: bool,
    query: str | None,
) -> int:
    """Show one session: its header, its subagents, and its story in order.

    ID is an id, the beginning of one, or TOOL:ID. PATH is a file or folder that holds just
    one session. --format raw prints the store's own records, nothing added or left out.
    """
    chosen = options.chosen_format(format_, as_json, query, "transcript")
    in_json = chosen != "transcript"
    excerpt = "--first" if first else "--last" if last else None
    for one, other, wrong in (
        ("--no-subagents", "--with-subagents", no_subagents and with_subagents),
        ("--first", "--last", first and last),
        (excerpt, "--with-subagents", excerpt and with_subagents),
        ("--max-tokens", "--raw", max_tokens and (raw or chosen == "raw")),
        ("--max-tokens", "--with-subagents as JSON", max_tokens and in_json and with_subagents),
    ):
        if wrong:
            raise UsageError(f"{one} and {other} exclude each other")
    if chosen == "raw" and (live or no_synthetic or excerpt):
        choosing = excerpt or ("--live" if live else "--no-synthetic")
        raise UsageError(f"--format raw prints all records of a session; {choosing} chooses")
    expression = JsonQuery(query)
    library, entry = located(setting, target, roots)
    reading = Reading(
        setting=setting,
        library=library,
        entry=entry,
        below=[] if no_subagents else subagents(library, entry),
        choice=Choice(live=live, first=first, last=last, synthetic=not no_synthetic),
        stories=with_subagents,
        whole=full,
        raw=raw,
        most=max_tokens,
        problems=list(library.problems),
        left=Left(),
    )
    printers = {"json": _print_json, "jsonl": _print_lines, "raw": _print_raw}
    if in_json:
        jsonio.expect_much()
        printers[chosen](reading, expression)
    else:
        write_text(_transcript(reading), setting, pager=pager)
    tell_problems(reading.problems)
    return ExitCode.PARTIAL if library.incomplete or reading.failed else ExitCode.DONE


@dataclass(slots=True, kw_only=True)
class Reading:
    """One call of ``get``: what is shown, and what turns out to be unreadable on the way.

    `most`: tokens to which it is shortened; None: it is shown whole.
    """

    setting: Setting
    library: Library
    entry: Entry
    below: list[Below]
    choice: Choice
    stories: bool
    whole: bool
    raw: bool
    most: int | None
    problems: list[Problem]
    left: Left
    failed: bool = False

    def header(self) -> JsonObject:
        """The session as JSON."""
        from finder.find import Row
        from finder.resume import resumption

        row = Row(entry=self.entry, subagents=tuple(self.below))
        value = data.row(row, resumption(self.library, self.entry))
        if self.raw:
            value["raw"] = self.entry.session.raw
        return value

    def events(self, ref: Ref) -> Iterator[Numbered]:
        """A story. A store that fails in the middle of it is a problem, not the end of all."""
        begun = False
        try:
            for item in story(self.setting.registry, self.library, ref, self.choice, self.left):
                begun = True
                problem = data.event_problem(item, ref)
                if problem is not None:
                    self.problems.append(problem)
                yield item
        except StoreError as error:
            if not begun and ref == self.entry.session.ref:
                raise
            self.failed = True
            self.problems.append(error.problem)

    def objects(self, ref: Ref) -> Iterator[JsonObject]:
        """A story's events as JSON."""
        return (data.event(item, raw=self.raw) for item in self.events(ref))

    def story(self, head: JsonObject) -> Iterator[JsonObject]:
        """The session's own story as JSON, in the room that what stands around it leaves."""
        ref = self.entry.session.ref
        if self.most is None:
            return self.objects(ref)
        from finder.render.brief import brief, cost

        told = [(item, data.event(item)) for item in self.events(ref)]
        around = {**head, "events": [], **self.tail(len(head["subagents"]))}
        return iter(brief(told, self.most - cost(around)))

    def records(self, ref: Ref) -> list[object]:
        """A story's native records."""
        return [i.event.raw for i in self.events(ref) if i.event.raw is not None]

    @property
    def is_excerpt(self) -> bool:
        """Whether messages may have been left out."""
        return self.choice.first is not None or self.choice.last is not None

    def messages_left(self) -> int | None:
        """How many messages were, once the story has been read. None: some, but not how many."""
        count = self.left.messages
        if count is None:
            known, shown = self.entry.session.messages, self.choice.first or 0
            count = known - shown if known is not None and known > shown else None
        return count

    def listed(self, told: list[JsonObject]) -> list[JsonObject]:
        """These subagents: with `most` only those that take no more than a part of it."""
        if self.most is None:
            return told
        from finder.render.brief import cost

        taken = accumulate(map(cost, told))
        return [one for one, all_ in zip(told, taken, strict=True) if all_ <= self.most // 5]

    def left_out(self, listed: int) -> JsonObject | None:
        """What is not shown of messages, and of the subagents, of which so many are."""
        messages, below = self.messages_left(), len(self.below) - listed
        left = {"messages": messages, "subagents": below}
        return {name: count for name, count in left.items() if count != 0} or None

    def told(self) -> list[JsonObject]:
        """The problems as JSON."""
        return [data.problem(problem) for problem in dict.fromkeys(self.problems)]

    def tail(self, listed: int) -> JsonObject:
        """What is known after the events."""
        told = {"problems": self.told()}
        if not self.is_excerpt and self.most is None:
            return told
        return {"left_out": self.left_out(listed), **told}


def _print_json(reading: Reading, expression: JsonQuery) -> None:
    head = {
        "schema": data.SCHEMA,
        "session": reading.header(),
        "subagents": reading.listed([_subagent(reading, item) for item in reading.below]),
    }
    events = reading.story(head)
    first = list(islice(events, 1))  # what cannot be read at all fails before anything is printed
    chained = chain(first, events)

    def tail() -> JsonObject:
        return reading.tail(len(head["subagents"]))

    if not expression and not reading.setting.terminal:
        write_object(head, "events", chained, tail)
        return
    document = {**head, "events": list(chained)}
    write_json(expression.of({**document, **tail()}))


def _subagent(reading: Reading, item: Below) -> JsonObject:
    value = data.below(item)
    if reading.stories:
        value["events"] = list(reading.objects(item.session.ref))
    return value


def _print_lines(reading: Reading, expression: JsonQuery) -> None:
    write_lines(_lines(reading), expression)


def _lines(reading: Reading) -> Iterator[JsonObject]:
    subagents = reading.listed([data.below(item) for item in reading.below])
    head = {
        "type": "session",
        "schema": data.SCHEMA,
        **reading.header(),
        "subagents": subagents,
    }
    yield head
    yield from reading.story(head)
    if reading.stories:
        for item, value in zip(reading.below, subagents, strict=True):
            yield {"type": "session", **value}
            yield from reading.objects(item.session.ref)
    if (left := reading.left_out(len(subagents))) is not None:
        yield {"type": "left_out", **left}
    for problem in reading.told():
        yield {"type": "problem", **problem}


def _print_raw(reading: Reading, expression: JsonQuery) -> None:
    session = reading.entry.session
    records = reading.records(session.ref)
    document = {"schema": data.SCHEMA, "session": session.raw, "records": records}
    if reading.stories:
        document["subagents"] = [
            {"session": item.session.raw, "records": reading.records(item.session.ref)}
            for item in reading.below
        ]
    write_json(expression.of(document))


def _transcript(reading: Reading) -> Iterator[str]:
    from finder.render import transcript as render

    setting, most = reading.setting, reading.most
    styled = setting.colour and most is None  # styles would cost tokens
    look = render.Look(room=setting.room, whole=reading.whole)
    if styled:
        from finder.render import screen

        look = replace(look, paint=render.coloured, prose=screen.prose)
    # The story is begun first: what cannot be read at all fails before anything is printed.
    story = render.blocks(
        reading.events(reading.entry.session.ref),
        look,
        below=reading.below,
        stories=reading.events if reading.stories else None,
        listed=not reading.is_excerpt,
    )
    first = list(islice(story, 1))
    heading = render.heading(
        reading.entry,
        reading.below,
        home=setting.home,
        paint=look.paint,
        room=look.room,
        listed=False,
    )
    left = [look.paint(one, "dim") for one in _left_out(reading)]
    head = [*heading, *(left if reading.choice.last else ())]
    if most is not None:
        from finder.render.digest import digest

        yield from digest(head, [*first, *story], most)
    else:
        yield from head
        for block in chain(first, story):
            yield from block.lines
    yield from left if reading.choice.first else ()


def _left_out(reading: Reading) -> list[str]:
    """What an excerpt does not show, in words."""
    count, place = reading.messages_left(), "after" if reading.choice.first else "before"
    if count == 0:
        return []
    more = "more messages" if count is None else f"{count:,} more message{'s' * (count != 1)}"
    return ["", f"… {more} {place} these"]
