"""``finder find``."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from finder.cli import declare, options
from finder.cli.failure import tell_problems
from finder.cli.output import Query as JsonQuery
from finder.cli.output import say, write_json, write_lines, write_object, write_text
from finder.cli.rows import remember
from finder.cli.setting import Setting
from finder.errors import ExitCode, StoreError, UsageError
from finder.find import Answer, Query, Sort, find
from finder.library import Library
from finder.render.text import line

if TYPE_CHECKING:
    from finder.cli.nothing import Why
    from finder.words import Sought

_BY_TEXT = "No title, id, directory or agent matches; these sessions have the words in their text."


@declare.command(
    epilog="""
    finder find login bug --since 2w
    finder find --text '"rate limit" retry' --cwd .
    finder find --cwd . --json --query 'sessions[0].id'
    """,
)
@declare.argument("words", nargs=-1, metavar="[QUERY]...")
@declare.option("--text", multiple=True, metavar="WORDS",
              help="Only sessions with these words or quoted phrases in their text.")  # fmt: skip
@declare.option("--no-synthetic", is_flag=True,
              help="Do not look in the text that the tool itself put in.")  # fmt: skip
@options.tool
@options.root
@declare.option("--cwd", metavar="DIR", help="Only sessions of this folder and those below it.")
@declare.option("--agent", metavar="NAME", help="Only sessions of this agent.")
@declare.option("--model", metavar="TEXT", help="Only sessions whose model's name has this in it.")
@declare.option("--since", metavar="WHEN", help="Only updated since: 3d, 2w, or an ISO date.")
@declare.option("--until", metavar="WHEN", help="Only updated until then, that day included.")
@declare.option("--no-archived", is_flag=True, help="Leave archived sessions out.")
@declare.option("--subagents", is_flag=True, help="List subagents as rows of their own.")
@declare.option("--limit", "-n", type=declare.Whole(0), default=20, show_default=True,
              metavar="N", help="Show at most N sessions; 0: all.")  # fmt: skip
@declare.option("--sort", choices=["relevance", "updated", "created", "title"],
              help="Default: relevance with words, else updated.")  # fmt: skip
@options.output("table", "json", "jsonl", "ids", "fzf")
def command(  # noqa: PLR0913  (one parameter for each option)
    setting: Setting,
    words: tuple[str, ...],
    text: tuple[str, ...],
    no_synthetic: bool,
    tools: tuple[str, ...],
    roots: tuple[str, ...],
    cwd: str | None,
    agent: str | None,
    model: str | None,
    since: str | None,
    until: str | None,
    no_archived: bool,
    subagents: bool,
    limit: int,
    sort: Sort | None,
    format_: str | None,
    as_json: bool,
    query: str | None,
) -> int:
    """List sessions, or those that match all words of QUERY.

    The words are looked for in title, id, directory and agent, in any case. Whole words come
    before beginnings, those before insides; then the newest first. Where nothing is as it was
    typed, typing errors are forgiven.
    Subagents are counted with their parents.

    With --text, sessions in which all WORDS were said or done: in prompts, answers, reasoning,
    what tools were given and gave, names of files, errors; in any case, also within words. The
    newest come first, and the search ends with the N of --limit. Those that have them only in what
    the tool itself put in come last, where there is room for them. If no title, id, directory or
    agent matches QUERY, its words are looked for in the text.
    """
    values = {name: value for name, value in locals().items() if name != "setting"}
    chosen = options.chosen_format(format_, as_json, query, "table")
    expression = JsonQuery(query)
    asked = Query(
        words=tuple(part for word in words for part in word.split()),
        directories=folder_spellings(setting, cwd),
        agent=agent,
        model=model,
        since=options.moment(since, setting.now, option="--since") if since else None,
        until=options.moment(until, setting.now, option="--until", end=True) if until else None,
        archived=not no_archived,
        subagents=subagents,
        limit=limit,
        sort=sort,
        here=folder_spellings(setting, ".") if words else (),
    )
    library = setting.library(roots, known_tools(setting, tools))
    sought = _sought(text or words, synthetic=not no_synthetic)
    search = partial(_in_text, sought=sought) if text else find
    if text and not sought.terms:
        raise UsageError("--text has no words to look for")
    answer = search(library, asked)
    if sought.terms and not (text or answer.rows):
        answer = _in_text(library, asked._replace(words=()), sought)
    tell_problems(answer.problems)
    if not answer.rows:
        from finder.cli.nothing import Why

        why = Why(setting, library, asked, command, values, search)
        _print_nothing(answer, chosen, expression, why)
        return library.status()
    if answer.by_text and not text:
        say(_BY_TEXT, aside=True)
    _print(answer, chosen, expression, setting, library)
    # Rows may have been read while they were printed.
    tell_problems([problem for problem in library.problems if problem not in answer.problems])
    if chosen == "table" and setting.terminal:
        remember(setting, (row.entry for row in answer.rows), roots)
    if chosen == "table" and setting.terminal and answer.more:
        say(f"The first {len(answer.rows)} are shown; --limit 0 shows all.", aside=True)
    # A store that fails on the way has answered in part.
    return ExitCode.PARTIAL if library.silent and not answer.silent else library.status()


def _sought(texts: Sequence[str], *, synthetic: bool) -> Sought:
    from finder.words import Sought

    return Sought.of(texts, synthetic=synthetic)


def _in_text(library: Library, query: Query, sought: Sought) -> Answer:
    from finder.render.progress import Waiting
    from finder.textsearch import find_text

    with Waiting("Searching texts"):
        return find_text(library, query, sought)


def known_tools(setting: Setting, tools: Sequence[str]) -> tuple[str, ...]:
    """The tools of ``--tool``; one that no adapter reads is a mistake in the call."""
    if tools:
        known = sorted({adapter.tool for adapter in setting.registry.adapters()})
        for name in tools:
            if name not in known:
                message = f"Invalid value for --tool: {name!r} is none of {', '.join(known)}"
                raise UsageError(message, hint="see finder --help")
    return tuple(tools)


def folder_spellings(setting: Setting, named: str | None) -> tuple[str, ...]:
    """A folder as it was named and, where links lead to it, as it really is."""
    if named is None:
        return ()
    path = str(setting.path(named))
    return tuple(dict.fromkeys((path, os.path.realpath(path))))


def _print(
    answer: Answer, chosen: str, expression: JsonQuery, setting: Setting, library: Library
) -> None:
    if chosen in {"json", "jsonl"}:
        _print_json(answer, chosen, expression, setting, library)
    elif chosen == "ids":
        _print_ids(answer)
    elif chosen == "fzf":
        from finder.render.feed import feed

        for one in feed(answer.rows, now=setting.now, home=setting.home):
            say(one)
    elif answer.rows:
        from finder.render.table import session_table

        table = session_table(
            answer.rows,
            now=setting.now,
            home=setting.home,
            room=setting.room,
            numbered=setting.terminal,
        )
        if answer.by_text:
            from finder.render.quotes import quoted

            table = quoted(table, answer.rows, room=setting.room, colour=setting.colour)
        write_text(table, setting, pager=True)


def _print_json(
    answer: Answer, chosen: str, expression: JsonQuery, setting: Setting, library: Library
) -> None:
    from finder.render import data
    from finder.resume import resumption

    rows = (data.row(row, resumption(library, row.entry)) for row in answer.rows)
    if chosen == "jsonl":
        write_lines(rows, expression)
    elif expression or setting.terminal:
        write_json(expression.of(data.answer(answer, lambda entry: resumption(library, entry))))
    else:
        head = {"schema": data.SCHEMA, "by_text": answer.by_text}
        write_object(head, "sessions", rows, lambda: data.searched(Answer.of(library, ())))


def _print_ids(answer: Answer) -> None:
    refs = [row.session.ref for row in answer.rows]
    times = Counter(ref.id for ref in refs)
    for ref in refs:  # what is printed names one session
        say(line(ref.id if times[ref.id] == 1 else str(ref)))


def _print_nothing(answer: Answer, chosen: str, expression: JsonQuery, why: Why) -> None:
    if chosen != "json":
        for said in why.told(answer):
            say(said, aside=True)
        return
    from finder.render import data

    document = {**data.answer(answer), "explanation": why.as_json(answer)}
    if answer.silent:
        document.update(data.error(StoreError(answer.problems[0])))
    write_json(expression.of(document))
