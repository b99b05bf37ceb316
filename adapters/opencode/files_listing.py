"""The sessions of an OpenCode file store: one listing of each folder, few files read.

A session file says title, times, parent and, from 1.0 on, the directory. Agent and model stand
in the messages only, and so does the directory of older sessions: the newest messages are
read for the former, the oldest for the latter, until one says it.

Two kinds of sessions have no session file, and are told by what is left of them: those whose
file was lost or cannot be read, and those that the program deleted, of which up to 0.5 the
part files stay. The latter are labelled trashed and inferred.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.opencode.layouts import Layout, json_names, names
from adapters.opencode.sessions import header, model_name
from finder import files
from finder.adapter import Want
from finder.catalogue import Seen
from finder.jsonio import integer, mapping, string
from finder.model import JsonObject, Problem, Ref, Session

if TYPE_CHECKING:
    from adapters.opencode.stored import StoredMessage

# What reads messages and parts is loaded where a session was not told before.

# How many messages at most are read for what the session file does not say.
_TRIES = 6


class Listing:
    """One walk over a store. `problems` are those found on the way."""

    def __init__(self, layout: Layout, store: str, tool: str, want: Want) -> None:
        self.layout = layout
        self.store = store
        self.tool = tool
        self.want = want
        self.problems: list[Problem] = []
        self._messages = str(layout.messages)
        self._folders = Seen()  # of messages, each looked at before it was listed
        self._listed: dict[str, list[str]] = {}  # what is in them

    def found(self) -> Iterator[Session | Problem]:
        """The sessions that are wanted, then the problems.

        Raises:
            OSError: the store cannot be looked into.
        """
        known = self.layout.session_files()
        if self.want.catalogue is not None:
            self.want.catalogue.expect(len(known))
        for session, paths in known.items():
            if self.want.admits(session):
                yield from self._told(session, paths)
        yield from self._without_file(known)
        yield from self.problems

    def count(self) -> int:
        """How many sessions there are, by the names of files and folders."""
        known = set(self.layout.session_files())
        known.update(self._with_messages_only(known))
        if self.layout.only is None:
            from adapters.opencode import files_content

            known.update(s for s in files_content.left_by_session(self.layout) if s is not None)
        return len(known)

    def _told(self, session: str, paths: Sequence[str]) -> Iterator[Session]:
        """A session that has a file; as it was told before where none of its files has changed."""
        catalogue = self.want.catalogue
        if catalogue is None:
            yield from self._one(session, [Path(path) for path in paths], Seen())
            return
        messages = os.path.join(self._messages, session)  # noqa: PTH118  (there may be very many)
        known = catalogue.session(session, (*paths, messages), self.tool)
        if known is not None:
            yield known
            return
        seen, problems = Seen(), len(self.problems)
        found = list(self._one(session, [Path(path) for path in paths], seen))
        yield from found
        if len(found) == 1 and len(self.problems) == problems:
            catalogue.keep_session(session, seen, found[0])

    def _one(self, session: str, paths: Sequence[Path], seen: Seen) -> Iterator[Session]:
        """A session that has a file; if it has several, the one used last."""
        from adapters.opencode.files_content import record, updated

        read: list[tuple[JsonObject, Path]] = []
        for path in paths:
            seen(path)
            info, _, problem = record(self.layout, path)
            if problem is None and not isinstance(info.get("time"), dict):
                problem = "is no session: it has no times"
            if problem is None:
                read.append((info, path))
            else:
                self._wrong("corrupt", path, problem, session)
        if not read:
            yield from self._left(session)
            return
        read.sort(key=lambda item: updated(item[0]), reverse=True)
        info = read[0][0]
        folder = self.layout.messages / session
        seen(folder)
        self._folders(folder)
        stems = self._stems(session)
        if stems is not None:
            self._listed[session] = stems
        said = self._said_by_messages(session, info, stems or [], seen)
        yield header(
            Ref(self.tool, self.store, session),
            info,
            raw=info if self.want.raw else None,
            messages=None if stems is None else len(stems),
            directory=said.get("directory"),
            agent=said.get("agent"),
            model=said.get("model"),
        )._replace(also_in=tuple(str(path) for _, path in read[1:]))

    def _stems(self, session: str) -> list[str] | None:
        folder = self.layout.messages / session
        try:
            return json_names(folder)
        except OSError as error:
            self.problems.append(files.problem_of(folder, error))
            return None

    def _said_by_messages(
        self, session: str, info: JsonObject, stems: Sequence[str], seen: Seen
    ) -> dict[str, str]:
        """What the session file does not say: agent, model, and in older ones the directory."""
        from adapters.opencode import v1
        from adapters.opencode.files_content import record

        read: dict[str, JsonObject] = {}

        def message(stem: str) -> JsonObject:
            if stem not in read:
                path = self.layout.messages / session / f"{stem}.json"
                seen(path)
                found = record(self.layout, path)[0]
                read[stem] = v1.info(found) if v1.has_inline_parts(found) else found
            return read[stem]

        said: dict[str, str] = {}
        for stem in stems[: -_TRIES - 1 : -1]:
            found = message(stem)
            model = model_name(found)
            if model and found.get("summary") is not True:  # compaction speaks as its own agent
                agent = string(found.get("agent")) or string(found.get("mode"))
                said |= {"model": model, **({"agent": agent} if agent else {})}
                break
        if not info.get("directory"):
            for stem in stems[:_TRIES]:
                directory = string(mapping(message(stem).get("path")).get("cwd"))
                if directory:
                    said["directory"] = directory
                    break
        return said

    # -- sessions without a file -----------------------------------------------------

    def _without_file(self, known: Collection[str]) -> Iterator[Session]:
        """Sessions of which only messages or only parts are there."""
        found = self.want.ids is not None and set(self.want.ids) <= set(known)
        if found or self.layout.only is not None:
            return
        with_messages = self._with_messages_only(known)
        for session in with_messages:
            if self.want.admits(session):
                path = self.layout.sessions / f"{session}.json"
                if self.layout.sessions.exists():
                    message = f"session {session} has messages, but its own file is missing"
                    self._wrong("gone", path, message, session)
                yield from self._left(session)
        for named, folders in self._left_parts().items():
            if named is None:
                for folder in folders:
                    message = "its part files name no session, and their message is gone"
                    self._wrong("corrupt", folder, message, folder.name)
            elif named not in known and named not in with_messages and self.want.admits(named):
                yield from self._left(named)

    def _with_messages_only(self, known: Collection[str]) -> list[str]:
        others = [] if self.layout.only else set(names(self.layout.messages)).difference(known)
        if not others:
            return []
        from adapters.opencode.files_content import is_plain

        return [session for session in sorted(others) if is_plain(session) and self._stems(session)]

    def _left_parts(self) -> dict[str | None, list[Path]]:
        """The folders with parts of messages that are gone, by session; None: nothing names it."""
        layout, catalogue = self.layout, self.want.catalogue
        names_left: Sequence[str] | None = None
        if catalogue is not None and not layout.parts_by_session:
            names_left = catalogue.known("left", (layout.messages, layout.parts))
        if names_left == []:
            return {}
        from adapters.opencode import files_content

        if names_left is None and catalogue is not None and not layout.parts_by_session:
            names_left = files_content.left(layout, self._folders, self._listed)
            catalogue.keep("left", self._folders, names_left)
        return files_content.left_by_session(layout, names_left)

    def _left(self, session: str) -> Iterator[Session]:
        """A session told by its messages and parts, if there are any."""
        from adapters.opencode import files_content

        messages = files_content.stored_messages(self.layout, session)
        parts = files_content.left_parts(self.layout, session)
        if not messages and not parts:
            return
        times = list(_times([*messages, *parts]))
        stems = self._stems(session) or []
        yield header(
            Ref(self.tool, self.store, session),
            {"time": {"created": min(times), "updated": max(times)} if times else {}},
            raw=None,
            messages=len(stems),
            **self._said_by_messages(session, {}, stems, Seen()),
        )._replace(labels=() if messages else ("trashed", "inferred"))

    def _wrong(self, kind: str, path: Path, message: str, session: str) -> None:
        self.problems.append(Problem(kind=kind, path=str(path), message=message, record=session))


def _times(messages: Sequence[StoredMessage]) -> Iterator[int]:
    """Every moment that messages and their parts speak of, milliseconds UTC."""
    for message in messages:
        spoken = [message.info, *(part.info for part in message.parts)]
        spoken += [mapping(part.info.get("state")) for part in message.parts]
        for found in spoken:
            values = mapping(found.get("time"))
            for name in ("created", "completed", "start", "end"):
                at = integer(values.get(name))
                if at is not None:
                    yield at
