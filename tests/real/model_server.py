"""A scripted model on 127.0.0.1 that speaks the streaming chat-completions protocol.

A program that talks to a language model can be led into any situation when the model's answers are
known beforehand. A script is the list of answers to one prompt; the prompt names its script by the
marker that `ModelServer.script` returns:

    with ModelServer() as model:
        marker = model.script("tour", Step(calls=[Call("bash", {"command": "ls"})]), Step("Done."))
        ...  # run the program with the prompt f"Look around. {marker}"
        model.requests[-1].messages

Which answer is due follows from the conversation itself: every answer already given stands in it as
one assistant message, so forks and parallel subagents need no bookkeeping. Only refused requests
leave no message behind; they are counted here.

Requests for a title or for a summary are recognised by what they ask for and need no script. A
prompt without a marker is answered with an echo of itself.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

JsonObject = dict[str, Any]
Purpose = Literal["chat", "title", "summary"]

SUMMARY = "Scripted summary of the conversation so far."
TITLE = "Title of: "

_MARKER = re.compile(r"\bplay:([\w-]+)")
_SHARE = re.compile(r"/api/share/([\w-]+)/data")
_ASKS_FOR_TITLE = re.compile(r"title generator|generate a (brief |short )?title", re.IGNORECASE)
_ASKS_FOR_SUMMARY = re.compile(r"summari[sz]", re.IGNORECASE)
_LARGEST_BODY = 64 * 1024 * 1024
_PIECE = 200  # characters of one streamed piece


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call. Arguments given as text are sent as they are, so they can be broken JSON."""

    name: str
    arguments: JsonObject | str

    def encoded(self) -> str:
        if isinstance(self.arguments, str):
            return self.arguments
        return json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP error in place of an answer."""

    status: int
    message: str
    code: str = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The token counts that an answer reports."""

    prompt: int = 1000
    completion: int = 20
    reasoning: int = 0
    cached: int = 0

    def encoded(self) -> JsonObject:
        completion = self.completion + self.reasoning
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": completion,
            "total_tokens": self.prompt + completion,
            "prompt_tokens_details": {"cached_tokens": self.cached},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        }


@dataclass(frozen=True, slots=True)
class Step:
    """One answer of the model. `hang` holds the stream open, that many seconds, before its end."""

    text: str = ""
    reasoning: str = ""
    calls: Sequence[Call] = ()
    usage: Usage = field(default_factory=Usage)
    refusal: Refusal | None = None
    hang: float = 0
    finish: str | None = None

    @property
    def finish_reason(self) -> str:
        return self.finish or ("tool_calls" if self.calls else "stop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A chat request as it arrived, and what was made of it."""

    body: JsonObject
    purpose: Purpose
    script: str | None

    @property
    def messages(self) -> list[JsonObject]:
        return list(self.body.get("messages", []))

    @property
    def conversation(self) -> list[JsonObject]:
        """The messages without the program's own system prompts."""
        return [message for message in self.messages if message["role"] != "system"]

    @property
    def tools(self) -> list[str]:
        return [tool["function"]["name"] for tool in self.body.get("tools", [])]


class ModelServer:
    """The server as a context manager; it listens on a free port of 127.0.0.1."""

    def __init__(self) -> None:
        self.shares: dict[str, Any] = {}
        self._scripts: dict[str, tuple[Step, ...]] = {}
        self._refused: Counter[str] = Counter()
        self._requests: list[Request] = []
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._listener = _Listener(self)
        self._thread = threading.Thread(target=self._listener.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join(timeout=10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.server_port}"

    @property
    def requests(self) -> tuple[Request, ...]:
        with self._changed:
            return tuple(self._requests)

    def script(self, name: str, *steps: Step) -> str:
        """Keep a script and return the marker that makes a prompt play it."""
        self._scripts[name] = steps
        return f"play:{name}"

    def share(self, slug: str, document: Any) -> str:
        """Serve a shared session; return the link that a user would be given."""
        self.shares[slug] = document
        return f"{self.url}/share/{slug}"

    def wait_for(self, wanted: Callable[[Request], bool], seconds: float = 30) -> Request:
        """The first request that is wanted, arrived already or within the time."""
        with self._changed:
            found = self._changed.wait_for(lambda: self._first(wanted), timeout=seconds)
        if found is None:
            raise TimeoutError(f"no such request within {seconds} s")
        return found

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than the server lives."""
        self._closing.wait(seconds)

    def answer(self, body: JsonObject) -> Step:
        """Note a request and choose its answer."""
        purpose = _purpose(body)
        name, given = self._progress(body) if purpose == "chat" else (None, 0)
        with self._changed:
            self._requests.append(Request(body=body, purpose=purpose, script=name))
            self._changed.notify_all()
            if purpose == "title":
                return Step(_title(body))
            if purpose == "summary":
                return Step(SUMMARY)
            return self._step(name, given) or Step(f"Echo: {_last_prompt(body)}")

    def _first(self, wanted: Callable[[Request], bool]) -> Request | None:
        return next((request for request in self._requests if wanted(request)), None)

    def _progress(self, body: JsonObject) -> tuple[str | None, int]:
        """The script that the last marked prompt names, and how many answers followed that."""
        given = 0
        for message in reversed(body["messages"]):
            given += message["role"] == "assistant"
            names = _MARKER.findall(_text(message)) if message["role"] == "user" else []
            if names and names[-1] in self._scripts:
                return names[-1], given
        return None, given

    def _step(self, name: str | None, given: int) -> Step | None:
        """The step that is due, if the script has one left."""
        if name is None:
            return None
        due = given + self._refused[name]
        steps = self._scripts[name]
        if due >= len(steps):
            return None
        self._refused[name] += steps[due].refusal is not None
        return steps[due]


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, owner: ModelServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.owner = owner


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet: the requests are in `ModelServer.requests`."""

    def do_GET(self) -> None:  # noqa: N802 - the name that the base class calls
        shared = _SHARE.fullmatch(self.path)
        if shared and shared[1] in self.server.owner.shares:
            self._send(200, self.server.owner.shares[shared[1]])
        else:
            self._refuse(Refusal(404, f"nothing at {self.path}"))

    def do_POST(self) -> None:  # noqa: N802
        length = int(self.headers.get("content-length", 0))
        if not self.path.endswith("/chat/completions") or length > _LARGEST_BODY:
            self.close_connection = True
            return self._refuse(Refusal(404, f"nothing at {self.path}"))
        body = json.loads(self.rfile.read(length))
        step = self.server.owner.answer(body)
        if step.refusal:
            return self._refuse(step.refusal)
        if not body.get("stream"):
            return self._send(200, _whole(body, step))
        return self._stream(body, step)

    def _stream(self, body: JsonObject, step: Step) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        # The end of the connection is the end of the stream, which spares chunked encoding.
        self.send_header("connection", "close")
        self.end_headers()
        try:
            for delta in _deltas(step):
                self._event(_chunk(body, delta))
            if step.hang:
                self.server.owner.pause(step.hang)
            self._event(_chunk(body, {}, step.finish_reason))
            self._event({**_envelope(body), "choices": [], "usage": step.usage.encoded()})
            self.wfile.write(b"data: [DONE]\n\n")
        except ConnectionError:
            pass  # the program was stopped in mid-answer, as some scripts intend

    def _event(self, document: JsonObject) -> None:
        self.wfile.write(b"data: " + json.dumps(document).encode() + b"\n\n")
        self.wfile.flush()

    def _refuse(self, refusal: Refusal) -> None:
        error = {"message": refusal.message, "type": "invalid_request_error", "code": refusal.code}
        self._send(refusal.status, {"error": error})

    def _send(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _purpose(body: JsonObject) -> Purpose:
    if body.get("tools"):
        return "chat"
    system = "\n".join(_text(m) for m in body["messages"] if m["role"] == "system")
    if _ASKS_FOR_TITLE.search(system):
        return "title"
    return "summary" if _ASKS_FOR_SUMMARY.search(system + _last_prompt(body)) else "chat"


def _text(message: JsonObject) -> str:
    """The text of a message, whose content is a string or a list of parts."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part.get("type") == "text")


def _last_prompt(body: JsonObject) -> str:
    prompts = [_text(message) for message in body["messages"] if message["role"] == "user"]
    return prompts[-1] if prompts else ""


def _title(body: JsonObject) -> str:
    words = _MARKER.sub("", _last_prompt(body)).split()
    return TITLE + " ".join(words)[:40]


def _envelope(body: JsonObject) -> JsonObject:
    return {
        "id": f"answer-{time.monotonic_ns():x}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": body.get("model"),
    }


def _chunk(body: JsonObject, delta: JsonObject, finish: str | None = None) -> JsonObject:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {**_envelope(body), "choices": [choice]}


def _deltas(step: Step) -> Iterator[JsonObject]:
    yield {"role": "assistant"}
    for piece in _pieces(step.reasoning):
        yield {"reasoning_content": piece}
    for piece in _pieces(step.text):
        yield {"content": piece}
    for index, call in enumerate(_encoded_calls(step)):
        yield {"tool_calls": [{"index": index, **call}]}


def _pieces(text: str) -> Iterator[str]:
    for start in range(0, len(text), _PIECE):
        yield text[start : start + _PIECE]


def _encoded_calls(step: Step) -> Iterator[JsonObject]:
    stamp = time.monotonic_ns()
    for number, call in enumerate(step.calls):
        function = {"name": call.name, "arguments": call.encoded()}
        yield {"id": f"call_{stamp:x}_{number}", "type": "function", "function": function}


def _whole(body: JsonObject, step: Step) -> JsonObject:
    """The answer as one document, for a request that does not ask for a stream."""
    message: JsonObject = {"role": "assistant", "content": step.text or None}
    if step.reasoning:
        message["reasoning_content"] = step.reasoning
    if step.calls:
        message["tool_calls"] = list(_encoded_calls(step))
    choice = {"index": 0, "message": message, "finish_reason": step.finish_reason}
    usage = step.usage.encoded()
    return {**_envelope(body), "object": "chat.completion", "choices": [choice], "usage": usage}
