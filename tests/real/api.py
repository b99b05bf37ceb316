"""The HTTP server of the real OpenCode, as far as the tests need it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from .model_server import JsonObject

_SECONDS = 60
# Proxies of the person who runs the tests do not lead to loopback.
_open = build_opener(ProxyHandler({})).open


class RefusedError(AssertionError):
    """The server answered a request with an error."""


@dataclass(frozen=True, slots=True)
class Api:
    """One running server. Sessions belong to the folder that they are created for."""

    url: str
    password: str
    model: Mapping[str, str]

    def create(
        self, directory: Path, *, title: str | None = None, parent: str | None = None
    ) -> str:
        wanted = {"title": title, "parentID": parent}
        body = {key: value for key, value in wanted.items() if value is not None}
        session: JsonObject = self._request("POST", "/session", body, directory)
        return str(session["id"])

    def prompt(
        self, session: str, text: str, *, files: Sequence[JsonObject] = (), **more: Any
    ) -> JsonObject:
        """Send a prompt and wait for the end of the turn; the last message."""
        parts = [{"type": "text", "text": text}, *files]
        body = {"model": dict(self.model), "parts": parts, **more}
        answer: JsonObject = self._request("POST", f"/session/{session}/message", body)
        return answer

    def messages(self, session: str) -> list[JsonObject]:
        found: list[JsonObject] = self._request("GET", f"/session/{session}/message")
        return found

    def children(self, session: str) -> list[str]:
        return [child["id"] for child in self._request("GET", f"/session/{session}/children")]

    def fork(self, session: str, *, before: str | None = None) -> str:
        """A copy of the session, of the messages before one of them if it is named."""
        body = {"messageID": before} if before else {}
        return str(self._request("POST", f"/session/{session}/fork", body)["id"])

    def compact(self, session: str) -> None:
        self._request("POST", f"/session/{session}/summarize", {**self.model, "auto": False})

    def archive(self, session: str, *, at: int) -> None:
        self._request("PATCH", f"/session/{session}", {"time": {"archived": at}})

    def rename(self, session: str, title: str) -> None:
        self._request("PATCH", f"/session/{session}", {"title": title})

    def revert(self, session: str, message: str) -> None:
        self._request("POST", f"/session/{session}/revert", {"messageID": message})

    def shell(self, session: str, command: str) -> None:
        """Run a command of the user's own, which the model is told of."""
        body = {"agent": "build", "model": dict(self.model), "command": command}
        self._request("POST", f"/session/{session}/shell", body)

    def delete(self, session: str) -> None:
        self._request("DELETE", f"/session/{session}")

    def create_v2(self, directory: Path) -> str:
        """A session of the second API, which keeps its content in `session_message`."""
        model = {"providerID": self.model["providerID"], "id": self.model["modelID"]}
        body = {"agent": "build", "model": model, "location": {"directory": str(directory)}}
        return str(self._request("POST", "/api/session", body)["data"]["id"])

    def prompt_v2(self, session: str, text: str) -> None:
        """Send a prompt and wait for the end of the turn, which this API cannot be asked to do."""
        self._request("POST", f"/api/session/{session}/prompt", {"prompt": {"text": text}})
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            messages = self._request("GET", f"/api/session/{session}/message?order=desc")["data"]
            if messages and messages[0].get("finish") == "stop":
                return
            time.sleep(0.05)
        raise TimeoutError(f"no end of the turn within {_SECONDS} s: {messages[:1]}")

    def _request(
        self, method: str, path: str, body: JsonObject | None = None, directory: Path | None = None
    ) -> Any:
        query = "?" + urlencode({"directory": str(directory)}) if directory else ""
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path + query, data=data, method=method)
        secret = base64.b64encode(f"opencode:{self.password}".encode()).decode()
        request.add_header("authorization", f"Basic {secret}")
        request.add_header("content-type", "application/json")
        try:
            with _open(request, timeout=_SECONDS) as answer:
                return json.loads(answer.read() or b"null")
        except HTTPError as error:
            said = error.read(2000).decode(errors="replace")
            raise RefusedError(f"{method} {path}: {error.code} {said}") from None
