"""Running the real OpenCode in a home of its own.

What the program demands of whoever runs it:

* Standard output goes to a regular file. Through a pipe it is cut at 64 KiB, with exit status 0.
* Standard input is closed; otherwise `run` waits there for more of the prompt.
* Every command has a time limit, and is ended together with all processes it started: `run -s` from
  a folder other than the session's never returns.
* The environment is built from nothing, so no setting of the person who runs the tests reaches the
  program; and its proxies lead nowhere, so the program reaches nothing but loopback.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from .api import Api
from .model_server import JsonObject

PROVIDER = "scripted"
MODEL = "model"
CONTEXT_TOKENS = 100_000  # an answer that reports more of them forces a compaction
FORBIDDEN = "forbidden"  # the one shell command that the program is configured not to allow

_COMMAND_SECONDS = 60
_START_SECONDS = 30
_PASSED_ON = ("PATH", "LANG", "LC_ALL")
_NOWHERE = "http://127.0.0.1:9"  # nothing listens there: the connection is refused at once
_OFFLINE = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), _NOWHERE),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1"),
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
    "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
    "OPENCODE_DISABLE_SHARE": "1",
}
_LISTENING = re.compile(r"listening on (http://127\.0\.0\.1:\d+)")
_IMPORTED = re.compile(r"^Imported session: (ses_\w+)$", re.MULTILINE)


class FailedError(AssertionError):
    """The real program ran, and did not do what was asked of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a finished command left."""

    arguments: tuple[str, ...]
    status: int
    stdout: str
    stderr: str

    def checked(self) -> Outcome:
        if self.status:
            said = self.stderr[-2000:] or self.stdout[-2000:]
            raise FailedError(f"opencode {' '.join(self.arguments)}: exit {self.status}\n{said}")
        return self


@dataclass(frozen=True, slots=True)
class OpenCode:
    """The program, a folder that holds its home, and variables set beyond the usual ones."""

    binary: Path
    root: Path
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def environment(self) -> dict[str, str]:
        passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        own = {"HOME": str(self.home), "TMPDIR": str(self.root / "tmp")}
        return {**passed, **_OFFLINE, **own, **self.extra}

    def with_variables(self, extra: Mapping[str, str]) -> OpenCode:
        return replace(self, extra={**self.extra, **extra})

    def prepare(self, model_url: str, **settings: Any) -> None:
        """Make the home, with the model at that address as the only one configured."""
        config = self.home / ".config" / "opencode"
        cache = self.home / ".cache" / "opencode"
        for folder in (config, cache, self.root / "tmp"):
            folder.mkdir(parents=True)
        # An empty catalogue of models stands in for the one that would be fetched.
        (cache / "models.json").write_text("{}", encoding="utf-8")
        document = json.dumps({**_configuration(model_url), **settings}, indent=2)
        (config / "opencode.json").write_text(document, encoding="utf-8")

    def run(
        self, *arguments: str, cwd: Path | None = None, seconds: float = _COMMAND_SECONDS
    ) -> Outcome:
        """Run a command to its end, whatever its exit status; `TimeoutError` if it has none."""
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            process = self._start(arguments, cwd or self.root, stdout, stderr)
            try:
                status = process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                said = _written(stderr)
                raise TimeoutError(f"opencode {arguments} took over {seconds} s\n{said}") from None
            finally:
                end(process)
            return Outcome(
                arguments=arguments,
                status=status,
                stdout=_written(stdout),
                stderr=_written(stderr),
            )

    def start(self, *arguments: str, cwd: Path) -> subprocess.Popen[bytes]:
        """Start a command and leave it running; the caller ends it with `end`."""
        with Path(os.devnull).open("wb") as nowhere:
            return self._start(arguments, cwd, nowhere, nowhere)

    def _start(
        self, arguments: tuple[str, ...], cwd: Path, stdout: IO[bytes], stderr: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [self.binary, *arguments],
            cwd=cwd,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )

    def version(self) -> str:
        return self.run("--version").checked().stdout.strip()

    def data_folder(self) -> Path:
        """Where the program keeps its data, asked in the way that leaves every database alone."""
        lines = self.run("debug", "paths").checked().stdout.splitlines()
        found = [line.split(maxsplit=1)[1] for line in lines if line.startswith("data ")]
        if len(found) != 1:
            raise FailedError(f"`debug paths` names {len(found)} data folders")
        return Path(found[0])

    def database_path(self) -> str:
        """What `db path` prints. To ask is to create or migrate the database: use a spare home."""
        return self.run("db", "path").checked().stdout.removesuffix("\n")

    def prompt(self, text: str, *, cwd: Path, session: str | None = None) -> str:
        """Send a prompt from the command line; the id of its session, by default a new one."""
        chosen = ("--session", session) if session else ()
        events = self.run("run", "--format", "json", *chosen, "--", text, cwd=cwd).checked().stdout
        found = {json.loads(line)["sessionID"] for line in events.splitlines() if line}
        if len(found) != 1:
            raise FailedError(f"`run` reports {len(found)} sessions:\n{events[-2000:]}")
        return str(found.pop())

    def export(self, session: str) -> JsonObject:
        document: JsonObject = json.loads(self.run("export", session).checked().stdout)
        return document

    def session_list(self, directory: Path) -> list[JsonObject]:
        """The sessions of the project around a folder, without subagents, newest first."""
        command = ("session", "list", "--format", "json", "--max-count", "1000")
        printed = self.run(*command, cwd=directory).checked().stdout
        # An empty list is printed as nothing at all.
        listed: list[JsonObject] = json.loads(printed or "[]")
        return listed

    def import_session(self, source: Path | str, *, cwd: Path) -> str:
        """Import a file or a share link; the id of the session. Exit status 0 proves nothing."""
        outcome = self.run("import", str(source), cwd=cwd).checked()
        imported = _IMPORTED.search(outcome.stdout)
        if imported is None:
            raise FailedError(f"nothing was imported: {outcome.stdout}{outcome.stderr}")
        return imported[1]

    @contextmanager
    def serve(self) -> Iterator[Api]:
        """The program's HTTP server, for what no command does. One process for many requests."""
        password = secrets.token_hex(8)
        guarded = self.with_variables({"OPENCODE_SERVER_PASSWORD": password})
        command = ("serve", "--hostname", "127.0.0.1", "--port", "0")
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            process = guarded._start(command, self.root, stdout, stderr)
            try:
                url = _address(process, stdout, stderr)
                yield Api(url, password, model={"providerID": PROVIDER, "modelID": MODEL})
            finally:
                end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a command and all that it started, at once, as a lost machine would."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)


def _address(process: subprocess.Popen[bytes], stdout: IO[bytes], stderr: IO[bytes]) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        listening = _LISTENING.search(_written(stdout))
        if listening:
            return listening[1]
        time.sleep(0.05)
    raise FailedError(f"`serve` does not listen: {_written(stdout)}{_written(stderr)}")


def _written(file: IO[bytes]) -> str:
    """All that a command has written so far. `pread` leaves the offset that it writes at alone."""
    size = os.fstat(file.fileno()).st_size
    return os.pread(file.fileno(), size, 0).decode()


def _configuration(model_url: str) -> JsonObject:
    model = {
        "name": "Scripted model",
        "attachment": True,
        "reasoning": True,
        "tool_call": True,
        "modalities": {"input": ["text", "image"], "output": ["text"]},
        "limit": {"context": CONTEXT_TOKENS, "output": 4000},
    }
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Scripted provider",
        "options": {"baseURL": model_url, "apiKey": "none"},
        "models": {MODEL: model},
    }
    return {
        "model": f"{PROVIDER}/{MODEL}",
        "small_model": f"{PROVIDER}/{MODEL}",
        "provider": {PROVIDER: provider},
        "enabled_providers": [PROVIDER],
        "autoupdate": False,
        "share": "disabled",
        "permission": {"*": "allow", "bash": {"*": "allow", f"{FORBIDDEN} *": "deny"}},
    }
