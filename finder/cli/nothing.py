"""Telling why there is nothing to show: to people in lines, to programs as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from finder.explain import MOST, Search, Wider, explain
from finder.find import Answer, Query
from finder.library import Library
from finder.render.text import home_short, line

if TYPE_CHECKING:
    from pathlib import Path

    from finder.adapter import Adapter
    from finder.cli.declare import Plain, Values
    from finder.cli.setting import Setting
    from finder.model import JsonObject

_MOST_STORES = 8
_MOST_READ = 20  # rows are counted so far, where each is a session that has to be read


class Why:
    """Why a call of ``finder find`` found nothing."""

    def __init__(
        self,
        setting: Setting,
        library: Library,
        query: Query,
        command: Plain,
        values: Values,
        search: Search,
    ) -> None:
        """`values`: those of the command's parameters; `search`: what found nothing."""
        everywhere = setting.library(values["roots"]) if values["tools"] else None
        most = _MOST_READ if values["text"] else MOST
        self._explanation = explain(library, query, everywhere, search=search, most=most)
        self._setting = setting
        self._command = command
        self._values = values

    def told(self, answer: Answer) -> Iterator[str]:
        """Where it was searched, and what would find something."""
        if answer.searched:
            yield from _searched(answer)
            yield from self._verdict(answer)
        elif roots := self._values["roots"]:  # there are stores, but of other tools
            there = ", ".join(roots)
            yield line(f"No store of {' or '.join(self._values['tools'])} is in {there}.")
        else:
            yield from no_store(self._setting, self._values["tools"])
        for wider in self._explanation.without:
            yield line(f"Without {_left_out(wider)}: {_sessions(wider)}")
            yield f"  {line(shlex.join(self._call(wider)))}"
        for wider in self._explanation.meant:
            also = f", without {_left_out(wider)}" if wider.left_out else ""
            yield line(f"Did you mean “{' '.join(wider.words)}”{also}? {_sessions(wider)}")
            yield f"  {line(shlex.join(self._call(wider)))}"

    def _verdict(self, answer: Answer) -> Iterator[str]:
        text, words = self._values["text"], self._values["words"]
        if answer.silent:
            yield "Nothing could be searched."
            return
        some = " in what could be read" if answer.incomplete else ""
        yield f"No session matches{some}."
        if answer.by_text and not text:
            yield "None has it in its text either."
        if text and words:
            together = shlex.quote(" ".join((*text, *words)))
            yield line(f"To look for all of it in the text: finder find --text {together}")

    def as_json(self, answer: Answer) -> JsonObject:
        """The same for programs; `looked_in`: the folders, where no store was found at all."""
        at_home = not (answer.searched or self._values["roots"])
        homes = _homes(self._setting, self._values["tools"]) if at_home else ()
        return {
            "without": [self._as_json(wider) for wider in self._explanation.without],
            "did_you_mean": [self._as_json(wider) for wider in self._explanation.meant],
            "looked_in": [str(path) for _, paths in homes for path in paths],
        }

    def _as_json(self, wider: Wider) -> JsonObject:
        return {**wider._asdict(), "command": self._call(wider)}

    def _call(self, wider: Wider) -> list[str]:
        """The call that finds something instead."""
        values = {**self._values, "words": wider.words}
        for param in self._command.params:
            if not set(param.flags).isdisjoint(wider.left_out):
                values[param.name] = param.default()
        return ["finder", "find", *self._command.spelled(values)]


def no_store(setting: Setting, tools: Sequence[str] = ()) -> Iterator[str]:
    """That no store was found, and where those of these tools, or of all, would be."""
    yield "No session store was found. Looked for:"
    for adapter, paths in _homes(setting, tools):
        homes = [home_short(str(path), setting.home) for path in paths]
        yield f"  {line(adapter.title)}"
        yield from (f"    {line(home)}" for home in homes or [f"below {setting.home}"])
    yield "If the sessions are elsewhere, name the folder: finder find --root PATH"


def _homes(setting: Setting, tools: Sequence[str]) -> Iterator[tuple[Adapter, Sequence[Path]]]:
    for adapter in setting.registry.adapters():
        paths = adapter.homes(setting.places)
        # Copies and exports have no home of their own.
        if (not tools or adapter.tool in tools) and (paths or adapter.can.live):
            yield adapter, paths


def _searched(answer: Answer) -> Iterator[str]:
    for searched in answer.searched[:_MOST_STORES]:
        held = "" if searched.sessions is None else f", {_counted(searched.sessions)}"
        failed = ", not readable" if searched.failed else ""
        yield line(f"Searched {searched.store.tool}: {searched.store.path}{held}{failed}")
    rest = answer.searched[_MOST_STORES:]
    if rest:
        others = sum(searched.sessions or 0 for searched in rest)
        silent = sum(searched.failed for searched in rest)
        unread = f", {silent} of them not readable" if silent else ""
        more = f"Searched {len(rest)} more stores, {_counted(others)}{unread}"
        yield f"{more}; finder stores lists them"


def _left_out(wider: Wider) -> str:
    shown = [one if one.startswith("--") else f"“{one}”" for one in wider.left_out]
    return " and ".join(shown)


def _sessions(wider: Wider) -> str:
    more = "more than " if wider.more else ""
    put_away = ((wider.archived, "archived"), (wider.trashed, "in the trash"))
    aside = ", ".join(f"{count} {what}" for count, what in put_away if count)
    return f"{more}{_counted(wider.sessions)}{f' ({aside})' if aside else ''}"


def _counted(sessions: int) -> str:
    return "1 session" if sessions == 1 else f"{sessions} sessions"
