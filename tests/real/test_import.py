"""Every session of every fixture, converted to OpenCode: the real program takes it and goes on.

Each is imported, listed, given back by the program as it was written, and continued; and then the
model is told the whole conversation, in order, each call with its result.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from finder import jsonio
from finder.adapter import Adapter, Store
from finder.model import Event, Session
from finder.registry import Registry
from finder.staging import tried

from .api import Api
from .conversation import expected, expected_images, images, told
from .installation import VERSION
from .model_server import JsonObject, ModelServer, Request
from .opencode import MODEL, PROVIDER, OpenCode

FIXTURES = Path(__file__).parents[2] / "fixtures"
CASES = sorted(
    f"{store.parent.parent.name}/{store.parent.name}" for store in FIXTURES.glob("*/*/store")
)
PROMPT = "Go on from here."
_BY_COMMAND = 2  # of each case so many are exported and continued by commands, at a second each


@dataclass(frozen=True, slots=True)
class Converted:
    """One session of a fixture, and the document that was made of it."""

    session: Session
    events: list[Event]
    document: JsonObject

    @property
    def id(self) -> str:
        return str(self.document["info"]["id"])


@dataclass(frozen=True, slots=True)
class Imported:
    """A home with all sessions of one case."""

    program: OpenCode
    model: ModelServer
    folder: Path
    sessions: list[Converted]


def converted(home: Path) -> list[Converted]:
    """The sessions below a home; one that several stores have is told by the best of them."""
    registry = Registry.installed()
    target = registry.adapter("opencode-export")
    best: dict[tuple[str, str], tuple[int, Adapter, Session]] = {}
    for store in registry.below(home):
        assert isinstance(store, Store)
        adapter = registry.adapter(store.adapter)
        for session in adapter.sessions(store):
            if isinstance(session, Session):
                key = (store.tool, session.ref.id)
                known = best.get(key)
                if known is None or known[0] < store.rank:
                    best[key] = store.rank, adapter, session
    found = []
    for _, adapter, session in best.values():
        events = list(adapter.events(session.ref))
        draft = tried(target, session, events).draft
        found.append(Converted(session, events, jsonio.loads(b"".join(draft.files[0].pieces))))
    return found


@pytest.fixture(scope="module", params=CASES)
def imported(
    request: pytest.FixtureRequest,
    installed: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Imported]:
    binary = installed(VERSION)
    home = shutil.copytree(FIXTURES / request.param / "store", tmp_path_factory.mktemp("a") / "b")
    sessions = converted(home)
    root = tmp_path_factory.mktemp("import")
    with ModelServer() as model:
        program = OpenCode(binary, root)
        program.prepare(model.url + "/v1")
        folder = root / "work"
        folder.mkdir()
        for one in sessions:
            file = root / "session.json"
            file.write_bytes(jsonio.dumps(one.document))
            assert program.import_session(file, cwd=folder) == one.id
        yield Imported(program, model, folder, sessions)


def test_all_but_subagents_are_listed(imported: Imported) -> None:
    listed = {entry["id"]: entry for entry in imported.program.session_list(imported.folder)}
    tops = {one.id: one for one in imported.sessions if "parentID" not in one.document["info"]}
    assert listed.keys() == tops.keys()
    for identifier, one in tops.items():
        info = one.document["info"]
        shown = listed[identifier]
        assert (shown["title"], shown["created"]) == (info["title"], info["time"]["created"])


def test_what_was_imported_is_what_was_written(imported: Imported) -> None:
    with imported.program.serve() as api:
        for one in imported.sessions:
            given = _given(imported, api, one)
            assert list(_different(_taken(one.document), given)) == [], one.id


def test_the_export_is_what_was_written(imported: Imported) -> None:
    moved = ("projectID", "directory", "path")  # to the folder that the import is run in
    for one in imported.sessions[:_BY_COMMAND]:
        exported = imported.program.export(one.id)
        assert list(_different(_taken(one.document), exported["messages"])) == []
        written, given = one.document["info"], exported["info"]
        assert {k: v for k, v in written.items() if k not in moved} == {
            k: given.get(k) for k in written if k not in moved
        }


def test_the_model_is_told_the_whole_conversation(imported: Imported) -> None:
    with imported.program.serve() as api:
        for one in imported.sessions:
            given = _given(imported, api, one)
            before = len(imported.model.requests)
            api.prompt(one.id, PROMPT)
            _check_told(imported, one, before)
            # Nothing of what was there has changed, but for what had been undone.
            after = _given(imported, api, one)
            if "revert" not in one.document["info"]:
                assert after[: len(given)] == given


def test_it_is_continued_by_the_command(imported: Imported) -> None:
    for one in imported.sessions[-_BY_COMMAND:]:
        before = len(imported.model.requests)
        model = ("--model", f"{PROVIDER}/{MODEL}")
        command = ("run", "--format", "json", "--session", one.id, *model, "--", "Andnow?")
        imported.program.run(*command, cwd=imported.folder).checked()
        last = _chats(imported, before)[-1].conversation[-1]
        assert last["role"] == "user"
        assert "Andnow?" in last["content"]


def _given(imported: Imported, api: Api, one: Converted) -> list[JsonObject]:
    """The messages as the program has them now."""
    if any("format" in message["info"] for message in one.document["messages"]):
        # Its server refuses such a session, its own ones too; its command does not.
        exported: list[JsonObject] = imported.program.export(one.id)["messages"]
        return exported
    return api.messages(one.id)


_LEFT_OUT = {"assistant": "system", "file": "synthetic"}


def _taken(document: JsonObject) -> list[JsonObject]:
    """The messages without what the import leaves out of its own program's records.

    The system prompts of 0.5, the mark of a file that the program added by itself, and the texts
    before and after a change of a file, which 1.14 and later keep as a patch.
    """
    return [
        {
            **message,
            "info": _info(message["info"]),
            "parts": [_without(p, _LEFT_OUT.get(p["type"])) for p in message["parts"]],
        }
        for message in document["messages"]
    ]


def _info(info: JsonObject) -> JsonObject:
    found = _without(info, _LEFT_OUT.get(info["role"]))
    summary = found.get("summary")
    if isinstance(summary, dict) and "diffs" in summary:
        diffs = [_without(_without(diff, "before"), "after") for diff in summary["diffs"]]
        found["summary"] = {**summary, "diffs": diffs}
    return found


def _without(fields: JsonObject, left_out: str | None) -> JsonObject:
    return {key: value for key, value in fields.items() if key != left_out}


def _check_told(imported: Imported, one: Converted, before: int) -> None:
    conversation = _chats(imported, before)[0].conversation
    own = one.session.ref.tool == "opencode"
    events = one.events
    if "trashed" in one.session.labels:  # it is brought back: what was hidden is so no longer
        shown = [tuple(label for label in e.labels if label != "hidden") for e in events]
        events = [replace(e, labels=labels) for e, labels in zip(events, shown, strict=True)]
    assert told(conversation) == expected(events, PROMPT, own=own), one.id
    assert images(conversation) == expected_images(events), one.id


def _chats(imported: Imported, before: int) -> list[Request]:
    return [r for r in imported.model.requests[before:] if r.purpose == "chat"]


def _different(ours: list[JsonObject], theirs: list[JsonObject]) -> Iterator[str]:
    """Each place that differs, so that a failure names it and not two whole sessions."""
    if len(ours) != len(theirs):
        yield f"{len(ours)} messages, not {len(theirs)}"
    for index, (our, their) in enumerate(zip(ours, theirs, strict=False)):
        if our["info"] != their["info"]:
            yield f"message {index}: {our['info']} is not {their['info']}"
        if len(our["parts"]) != len(their["parts"]):
            yield f"message {index}: {len(our['parts'])} parts, not {len(their['parts'])}"
        for part, other in zip(our["parts"], their["parts"], strict=False):
            if part != other:
                yield f"message {index}: {part} is not {other}"
