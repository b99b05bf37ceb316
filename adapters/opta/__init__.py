"""Opta's session stores.

Seen: stores of 0.2 (commit b067f9df), 0.5.0-alpha.1 (7a90bcbc); read in the program's code of these
and the versions between. No file names its version. C is the config folder: $XDG_CONFIG_HOME/opta,
else ~/.config/opta, on Windows %APPDATA%\\opta; before 2026-03-01 always ~/.config/opta.

    C/sessions/<id>.json                   chat: {id, created, updated, model, cwd, title, tags?,
                                           messages, toolCallCount, compacted}
    C/sessions/index.json                  a cache for the tool's own list; not read
    C/sessions/<id>/events.jsonl           the desktop's log of a daemon session, with tokens
    C/daemon/sessions/<id>/snapshot.json   daemon: {sessionId, model, title?, createdAt, updatedAt,
                                           messages, toolCallCount, seq}
    C/daemon/sessions/<id>/events.jsonl    its log, without tokens
    C/sessions/<id>/session.json           as the manual has it, and no program: {sessionId, title,
          and metadata.json                createdAt, updatedAt, events}
    <cwd>/.opta/recovery/<id>.json         a turn that crashed: {sessionId, savedAt, toolCallCount,
                                           messageCount, messages}
    anywhere                               `opta sessions export` prints the chat form; `/share`
                                           writes {id, model, title, created, messages,
                                           toolCallCount} as opta-session-<id8>-<ms>.json

One id in several of these places is one session (`copies`). Messages have neither ids nor times
(`records`); texts that the tool put in are known by their words alone (`injected`); the logs have
times, tokens, full tool output and failed turns, but no word of the user (`log`, `story`).

Folders named `sessions`, of one session, or `.opta/recovery`, and single files, are stores too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from finder.adapter import Adapter, Can, Resume, Store, Want
from finder.model import Problem, Ref, Session
from finder.places import Places

if TYPE_CHECKING:
    from finder.model import Event
    from finder.writing import Draft, Plan, Report


class Opta(Adapter):
    """Reads everything that Opta keeps of a session, as one session."""

    name: ClassVar[str] = "opta"
    tool: ClassVar[str] = "opta"
    target: ClassVar[str | None] = "opta"
    foreign_records: ClassVar[bool] = False
    title: ClassVar[str] = "Opta: chat, daemon and desktop sessions, recovery files, exports"
    # What a chat file holds, the only form that can be resumed: times and tokens of single messages
    # stand in the daemon's log alone, thoughts in the desktop's.
    can: ClassVar[Can] = Can(compaction=True, attachments=True, resume=True)

    def homes(self, places: Places) -> Sequence[Path]:
        """The config folders that some version of Opta would use, the newest rule first."""
        from adapters.opta import homes

        return homes.config_folders(places)

    def discover(self, places: Places) -> Iterator[Store | Problem]:
        """The config folders with sessions in them."""
        from adapters.opta import homes

        return homes.discover(places)

    def detect(self, path: Path) -> Store | None:
        """A config folder, a folder of sessions or of one session, or a session's file."""
        from adapters.opta import homes

        return homes.detect(path)

    def sessions(self, store: Store, want: Want | None = None) -> Iterator[Session | Problem]:
        """The headers; each session file is read once, logs only where there is nothing else."""
        from adapters.opta import sessions

        return sessions.headers(store.path, want)

    def events(self, ref: Ref) -> Iterator[Event]:
        """The richest copy's messages, and the log's entries where they belong among them."""
        from adapters.opta import sessions

        return sessions.story(Path(ref.store), ref.id)

    def generation(self, store: Store) -> str | None:
        """The layouts that are there."""
        from adapters.opta import copies

        return ", ".join(copies.layouts(store.path)) or None

    def resume(self, session: Session) -> Resume | None:
        """Only what stands whole in ``sessions/<id>.json`` can be continued by the tool."""
        from adapters.opta import sessions

        return sessions.resume(session)

    def targets(self) -> Mapping[str, Adapter]:
        """Also what the daemon loads, and what the manual describes."""
        from adapters.opta.forms import OptaDaemon, OptaDocumented

        return {"opta": self, "opta-daemon": OptaDaemon(), "opta-documented": OptaDocumented()}

    def target_id(self, session: Session, salt: str = "") -> str:
        """Twelve letters and digits, like those that Opta makes."""
        from adapters.opta import encode

        return encode.identifier(session, salt)

    def encode(
        self, session: Session, events: Sequence[Event], plan: Plan, report: Report
    ) -> Draft:
        """What `opta chat --resume` loads."""
        from adapters.opta import encode

        return encode.chat_draft(session, events, plan, report)

    def root(self, places: Places) -> Path | None:
        """The config folder that the program of today uses."""
        return self.homes(places)[0]

    def cautions(self, places: Places, sessions: Sequence[Session]) -> Iterator[str]:
        """Where Opta's own list would show an older session in the place of the new one."""
        from adapters.opta import homes

        return homes.cautions(places, sessions)
