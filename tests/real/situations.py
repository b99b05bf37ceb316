"""A store that the real program makes, with one session for each situation worth reading back.

Only situations that the program itself brings about are here; each is named by what happened. They
are made through one running server, since every start of the program costs a second.
"""

from __future__ import annotations

import base64
import os
import struct
import subprocess
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .api import Api
from .model_server import Call, JsonObject, ModelServer, Refusal, Step, Usage
from .opencode import CONTEXT_TOKENS, FORBIDDEN, OpenCode, end

ARCHIVED_AT = 1_790_000_000_000
# Larger than what a pipe carries whole from this program.
LONG_TEXT = "".join(f"line {number}: żółć ✓ 🚀\n" for number in range(8000))

_KILL_SECONDS = 30
_GIT = {
    "GIT_AUTHOR_NAME": "Tester",
    "GIT_AUTHOR_EMAIL": "tester@example.invalid",
    "GIT_COMMITTER_NAME": "Tester",
    "GIT_COMMITTER_EMAIL": "tester@example.invalid",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}

# Known before the store is made, so that tests can be parametrized by them. A session of the second
# API and a deleted one are there besides: "v2", "deleted".
SITUATIONS = (
    "chat",
    "titled",
    "empty",
    "long",
    "outside of git",
    "refused",
    "tools that work",
    "tools that fail",
    "truncated output",
    "shell",
    "parent",
    "child",
    "child with a child",
    "grandchild",
    "child without a task",
    "unknown agent",
    "compacted",
    "compacted by itself",
    "compacted by overflow",
    "forked",
    "fork",
    "fork of a part",
    "archived",
    "renamed",
    "reverted",
    "image",
    "text file",
    "structured",
    "command line",
    "killed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveStore:
    """The finished store. The model still answers, so its sessions can be continued."""

    program: OpenCode
    model: ModelServer
    shop: Path  # a git project
    library: Path  # another one
    notes: Path  # a folder outside of git
    ids: Mapping[str, str]  # of a session, by its situation

    @property
    def home(self) -> Path:
        return self.program.home

    @property
    def environment(self) -> dict[str, str]:
        return self.program.environment

    @property
    def database(self) -> Path:
        return self.home / ".local" / "share" / "opencode" / "opencode.db"


def make_live_store(program: OpenCode, model: ModelServer) -> LiveStore:
    # The subagents that come with the program may not have subagents of their own.
    delegator = {"mode": "subagent", "description": "Delegates", "permission": {"task": "allow"}}
    program.prepare(model.url + "/v1", subagent_depth=2, agent={"delegator": delegator})
    shop, library = (_git_project(program.root / name) for name in ("shop", "library"))
    notes = program.root / "notes"
    notes.mkdir()
    ids: dict[str, str] = {}
    with program.serve() as api:
        maker = _Maker(api, model)
        ids |= _plain_sessions(maker, shop, notes)
        ids |= _tool_sessions(maker, shop)
        ids |= _subagent_sessions(maker, library)
        ids |= _compacted_sessions(maker, shop)
        ids |= _changed_sessions(maker, library)
        ids |= _attachment_sessions(maker, library)
    ids["command line"] = _from_the_command_line(program, model, shop)
    ids["killed"] = _killed(program, model, library)
    assert set(ids) == {*SITUATIONS, "v2", "deleted"}
    return LiveStore(program=program, model=model, shop=shop, library=library, notes=notes, ids=ids)


@dataclass(frozen=True, slots=True)
class _Maker:
    api: Api
    model: ModelServer

    def session(self, directory: Path, prompt: str, *steps: Step) -> str:
        """A new session of one prompt; with steps, these are the model's answers to it."""
        session = self.api.create(directory)
        self.play(session, prompt, *steps)
        return session

    def play(self, session: str, prompt: str, *steps: Step) -> None:
        name = f"{session}-{len(self.model.requests)}"
        marker = f" {self.model.script(name, *steps)}" if steps else ""
        self.api.prompt(session, prompt + marker)


def bash(command: str) -> Call:
    return Call("bash", {"command": command, "description": "Run a command"})


def task(agent: str, description: str, prompt: str) -> Call:
    named = {"description": description, "prompt": prompt, "subagent_type": agent}
    return Call("task", named)


def _plain_sessions(maker: _Maker, shop: Path, notes: Path) -> dict[str, str]:
    chat = maker.session(shop, "What is in here?", Step("A shop.", reasoning="先看一下。"))
    maker.api.prompt(chat, "And what else?")
    titled = maker.api.create(shop, title="Ünïcödé 数える 🚀")
    maker.api.prompt(titled, "A title of my own.")
    refusal = Refusal(400, "this request is refused")
    v2 = maker.api.create_v2(shop)
    steps = (Step(calls=[Call("bash", {"command": "echo second api"})]), Step("Done in v2."))
    maker.api.prompt_v2(v2, "The other API. " + maker.model.script("v2", *steps))
    return {
        "chat": chat,
        "titled": titled,
        "empty": maker.api.create(shop),
        "long": maker.session(shop, LONG_TEXT, Step("That was long.", finish="length")),
        "outside of git": maker.session(notes, "A note."),
        "refused": maker.session(shop, "Refuse this.", Step(refusal=refusal)),
        "v2": v2,
    }


def _tool_sessions(maker: _Maker, shop: Path) -> dict[str, str]:
    readme = str(shop / "README.md")
    edit = {"filePath": readme, "oldString": "shop", "newString": "market"}
    todo = {"content": "Sell", "status": "pending", "priority": "high", "id": "1"}
    works = (
        Step("Looking.", reasoning="I will look.", calls=[bash("ls"), bash("git log --oneline")]),
        Step(calls=[Call("read", {"filePath": readme})]),
        Step(calls=[Call("edit", edit), Call("todowrite", {"todos": [todo]})]),
        Step(calls=[Call("write", {"filePath": str(shop / "new.txt"), "content": "✓\n"})]),
        Step("All done.", usage=Usage(reasoning=7, cached=500)),
    )
    fails = (
        Step("Trying.", calls=[Call("read", {"filePath": str(shop / "missing.txt")})]),
        Step(calls=[bash("echo out; echo err >&2; exit 3")]),
        Step(calls=[Call("edit", {**edit, "oldString": "not in there"})]),
        Step(calls=[Call("no_such_tool", {}), Call("bash", '{"command": "echo bro')]),
        Step(calls=[Call("read", {"path": "wrong name of the argument"})]),
        Step(calls=[bash(f"{FORBIDDEN} now")]),
        Step("All failed."),
    )
    truncated = (Step(calls=[bash("seq 1 30000")]), Step("Many lines."))
    shell = maker.session(shop, "A command of mine follows.")
    maker.api.shell(shell, "echo typed by the user")
    return {
        "tools that work": maker.session(shop, "Use tools.", *works),
        "tools that fail": maker.session(shop, "Use tools badly.", *fails),
        "truncated output": maker.session(shop, "Print a lot.", *truncated),
        "shell": shell,
    }


def _subagent_sessions(maker: _Maker, library: Path) -> dict[str, str]:
    script = maker.model.script
    look = f"Look. {script('look', Step('Looking.', calls=[bash('ls')]), Step('A README.'))}"
    deeper = Step(calls=[task("general", "Deepest look", look)])
    delegate = f"Delegate. {script('delegate', deeper, Step('It was looked at.'))}"
    both = [task("general", "Look", look), task("delegator", "Look deeper 数", delegate)]
    parent = maker.session(library, "Delegate.", Step("Two.", calls=both), Step("Both answered."))
    unknown = Step(calls=[task("no-such-agent", "Look", "Look.")])
    by_api = maker.api.create(library, title="A child without a task", parent=parent)
    maker.api.prompt(by_api, "I was made by a request.")
    children = [child for child in maker.api.children(parent) if child != by_api]
    [grandchild] = [deep for child in children for deep in maker.api.children(child)]
    first, second = sorted(children, key=lambda child: bool(maker.api.children(child)))
    return {
        "parent": parent,
        "child": first,
        "child with a child": second,
        "grandchild": grandchild,
        "child without a task": by_api,
        "unknown agent": maker.session(library, "Ask nobody.", unknown, Step("Nobody.")),
    }


def _compacted_sessions(maker: _Maker, shop: Path) -> dict[str, str]:
    asked = maker.session(shop, "To be compacted.", Step(calls=[bash("echo 1")]), Step("One."))
    maker.api.compact(asked)
    maker.api.prompt(asked, "After the compaction.")
    full = Usage(prompt=2 * CONTEXT_TOKENS)
    auto = maker.session(shop, "Fill up.", Step("Full.", calls=[bash("echo 1")], usage=full))
    overflow = maker.session(shop, "The first prompt.")
    too_long = "This model's maximum context length is 8192 tokens."
    refusal = Refusal(400, too_long, "context_length_exceeded")
    maker.play(overflow, "One too many.", Step(refusal=refusal), Step("Recovered."))
    return {"compacted": asked, "compacted by itself": auto, "compacted by overflow": overflow}


def _changed_sessions(maker: _Maker, library: Path) -> dict[str, str]:
    """Sessions that were forked, archived, renamed, reverted, or deleted with their children."""
    api = maker.api
    source = maker.session(library, "Fork me.", Step(calls=[bash("echo 1")]), Step("One."))
    api.prompt(source, "The second prompt.")
    prompts = [m["info"]["id"] for m in api.messages(source) if m["info"]["role"] == "user"]
    whole, half = api.fork(source), api.fork(source, before=prompts[1])
    api.prompt(half, "Another second prompt.")
    archived = maker.session(library, "Archive me.")
    api.archive(archived, at=ARCHIVED_AT)
    renamed = maker.session(library, "Rename me.")
    api.rename(renamed, "A new name")
    write = Call("write", {"filePath": str(library / "gone.txt"), "content": "to be undone\n"})
    reverted = maker.session(library, "Keep this.")
    maker.play(reverted, "Undo this.", Step(calls=[write]), Step("Written."))
    prompts = [m["info"]["id"] for m in api.messages(reverted) if m["info"]["role"] == "user"]
    api.revert(reverted, prompts[1])
    deleted = maker.session(library, "Delete me.")
    api.delete(deleted)
    return {
        "forked": source,
        "fork": whole,
        "fork of a part": half,
        "archived": archived,
        "renamed": renamed,
        "reverted": reverted,
        "deleted": deleted,
    }


def _attachment_sessions(maker: _Maker, library: Path) -> dict[str, str]:
    picture = library / "dot.png"
    picture.write_bytes(_png())
    inline = "data:image/png;base64," + base64.b64encode(_png()).decode()
    image = maker.api.create(library)
    maker.api.prompt(
        image,
        "Two pictures.",
        files=[_file(inline, "image/png"), _file(picture.as_uri(), "image/png")],
    )
    text = maker.api.create(library)
    readme = (library / "README.md").as_uri()
    maker.api.prompt(text, "A text.", files=[_file(readme, "text/plain")])
    answer = maker.model.script(
        "structured", Step(calls=[Call("StructuredOutput", {"answer": 42})])
    )
    structured = maker.api.create(library)
    schema = {"type": "object", "properties": {"answer": {"type": "number"}}}
    form = {"type": "json_schema", "schema": schema}
    maker.api.prompt(structured, f"In a form. {answer}", format=form)
    return {"image": image, "text file": text, "structured": structured}


def _file(url: str, mime: str) -> JsonObject:
    return {"type": "file", "mime": mime, "url": url, "filename": url.rsplit("/", 1)[-1][:20]}


def _png() -> bytes:
    """One black pixel."""

    def chunk(name: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checksum

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0\0")
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _from_the_command_line(program: OpenCode, model: ModelServer, shop: Path) -> str:
    marker = model.script("typed", Step("On it.", calls=[bash("echo hello")]), Step("Done."))
    session = program.prompt(f"Say hello. {marker}", cwd=shop)
    return program.prompt("Say goodbye.", cwd=shop, session=session)


def _killed(program: OpenCode, model: ModelServer, library: Path) -> str:
    """A session whose program was killed while a tool ran: the tool has no result."""
    started = library / "started"
    command = bash(f"touch {started}; sleep {_KILL_SECONDS}")
    marker = model.script("killed", Step("Slowly.", calls=[command]))
    before = {session["id"] for session in program.session_list(library)}
    process = program.start("run", f"Be slow. {marker}", cwd=library)
    try:
        _wait_for(started)
    finally:
        end(process)
    [session] = {session["id"] for session in program.session_list(library)} - before
    return str(session)


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + _KILL_SECONDS
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path} has not appeared within {_KILL_SECONDS} s")
        time.sleep(0.05)


def _git_project(folder: Path) -> Path:
    folder.mkdir()
    (folder / "README.md").write_text(f"# {folder.name}\n", encoding="utf-8")
    for command in ("init --quiet", "add .", "commit --quiet --message start"):
        subprocess.run(
            ["git", *command.split()],
            cwd=folder,
            env={**os.environ, **_GIT},
            check=True,
            timeout=30,
        )
    return folder
