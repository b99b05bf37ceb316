"""A made-up format that holds little: one JSON file a session, with the words and the calls.

    plain/<id>.json   {"id", "title", "cwd", "parent", "trashed"?, "said": [item, ...]}
    item              ["user" | "assistant", text], ["call", id, name, input], ["result", id, text]

`Plain` may also be told to be wrong in several ways.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from finder import jsonio
from finder.adapter import Adapter, Can, Resume, Store, Want
from finder.errors import NotFoundError
from finder.model import Event, Message, Problem, Ref, Session, Text, ToolCall, ToolResult
from finder.places import Places
from finder.writing import Draft, File, Installation, Plan, Report, derived_id, turns


class Plain(Adapter):
    """Reads and writes the format."""

    name: ClassVar[str] = "plain"
    tool: ClassVar[str] = "plain"
    title: ClassVar[str] = "Plain"
    target: ClassVar[str | None] = "plain"
    can: ClassVar[Can] = Can(subagents=True, resume=True)

    def __init__(self, wrong: str = "") -> None:
        self.wrong = wrong

    def discover(self, places: Places) -> Iterator[Store | Problem]:
        store = self.detect(places.home / "plain")
        if store is not None:
            yield store

    def detect(self, path: Path) -> Store | None:
        found = path.name == "plain" and path.is_dir()
        if path.is_file() and path.parent.name == "plain" and path.suffix == ".json":
            return Store(adapter=self.name, tool=self.tool, path=path, kind="file")
        return Store(adapter=self.name, tool=self.tool, path=path, kind="files") if found else None

    def sessions(self, store: Store, want: Want | None = None) -> Iterator[Session | Problem]:
        paths = [store.path] if store.path.is_file() else sorted(store.path.glob("*.json"))
        for path in paths:
            value = jsonio.read_object(path)
            parent = value.get("parent")
            yield Session(
                ref=Ref(self.tool, str(store.path), value["id"]),
                title=value["title"],
                directory=value["cwd"],
                parent=Ref(self.tool, str(store.path), parent) if parent else None,
                labels=("trashed",) if value.get("trashed") else (),
                raw={key: inner for key, inner in value.items() if key != "said"},
            )

    def events(self, ref: Ref) -> Iterator[Event]:
        path = Path(ref.store)
        path = path if path.is_file() else path / f"{ref.id}.json"
        if not path.exists():
            raise NotFoundError(f"no {ref}")
        for number, item in enumerate(jsonio.read_object(path)["said"]):
            record = f"{number}"
            if item[0] == "call":
                yield ToolCall(
                    call=item[1], name=item[2], input=item[3], raw=item, role="assistant"
                )
            elif item[0] == "result":
                yield ToolResult(call=item[1], output=item[2], raw=item, role="tool")
            else:
                yield Message(record=record, message=record, role=item[0], raw=item)
                yield Text(text=item[1], message=record, role=item[0])

    def resume(self, session: Session) -> Resume | None:
        return Resume(argv=("plain", "--go", session.ref.id), cwd=session.directory)

    def cautions(self, places: Places, sessions: Sequence[Session]) -> Iterator[str]:
        yield f"plain forgets all but its last {len(sessions)} sessions"

    def target_id(self, session: Session, salt: str = "") -> str:
        if session.ref.tool == self.tool and not salt:
            return session.ref.id
        return derived_id(session.ref, 8, "abcdefgh", salt)

    def root(self, places: Places) -> Path | None:
        return places.home

    def encode(
        self, session: Session, events: Sequence[Event], plan: Plan, report: Report
    ) -> Draft:
        if session.ref.tool == self.tool:
            said: list[Any] = [event.raw for event in events if event.raw is not None]
        else:
            said = list(self._said(events, report))
            self._rules(report)
        if self.wrong == "forgets":
            said = said[:-1]
        parent = plan.ids[plan.parent] if plan.parent else None
        if session.parent is not None and parent is None:
            report.rule("dropped", "session", "parent", "it is not here")
        record = {
            "id": plan.id,
            "title": session.title,
            "cwd": plan.directory or session.directory,
            "parent": parent,
            "said": said,
        }
        if "trashed" in session.labels and session.ref.tool == self.tool:
            report.rule("lowered", "session", "labels.trashed", "it is brought back")
        path = f"../{session.title}.json" if self.wrong == "escapes" else f"plain/{plan.id}.json"
        data = jsonio.dumps(record)
        store = "nowhere" if self.wrong == "hides" else "plain"
        return Draft(id=plan.id, files=(File(path=path, data=data, mode=0o600),), store=store)

    def _said(self, events: Sequence[Event], report: Report) -> Iterator[list[Any]]:
        for turn in turns(events):
            role = turn.message.role if turn.message else None
            texts = [event for event in turn.content if isinstance(event, Text)]
            for event in turn.content:
                if isinstance(event, ToolCall):
                    yield ["call", event.call, event.name, event.input]
                elif isinstance(event, ToolResult):
                    yield ["result", event.call, event.output]
                elif not isinstance(event, Text):
                    report.dropped(event, note="plain has no place for it")
            if turn.message is not None and not texts:
                report.dropped(turn.message, note="an empty message")
            for text in texts:
                yield [role or "user", text.text]

    def _rules(self, report: Report) -> None:
        for name in ("at", "record", "usage", "model", "agent", "cost", "finished", "title"):
            report.rule("dropped", "*", name, "plain has no place for it")
        for kind in ("dropped", "changed", "invented"):
            report.rule(kind, "*", "role", "plain has two roles")  # type: ignore[arg-type]
        report.rule("lowered", "*", "labels", "plain has no labels")
        for name in ("created", "updated", "archived", "agent", "model"):
            report.rule("dropped", "session", name, "plain has no place for it")
        report.rule("invented", "message", None, "each text is a message")
        report.rule("dropped", "message", None, "each text is a message")


class Shelved(Installation):
    """A live store of the format: a folder that nobody may write to but this."""

    def __init__(self, adapter: Plain, folder: Path, fails: bool = False) -> None:
        self.adapter = adapter
        self.store = folder
        self.fails = fails

    def encode(
        self, session: Session, events: Sequence[Event], plan: Plan, report: Report
    ) -> Draft:
        return self.adapter.encode(session, events, plan, report)

    def stage(self, drafts: Sequence[Draft], folder: Path) -> Path:
        self._write(drafts, folder / "plain")
        return folder / "plain"

    def commit(self, drafts: Sequence[Draft], *, replace: bool) -> None:
        from finder.errors import WriteError

        if self.fails:
            raise WriteError("the store is locked")
        self._write(drafts, self.store)

    def _write(self, drafts: Sequence[Draft], folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for draft in drafts:
            (folder / f"{draft.id}.json").write_bytes(draft.files[0].data)
