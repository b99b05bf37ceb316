"""A shared session from a link, against servers on loopback."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from finder import fetch, jsonio
from finder.errors import ExitCode, FinderError, NotFoundError, UsageError
from finder.registry import Registry
from tests.calling import caller

SHARED = next((Path(__file__).parents[2] / "fixtures/opencode-export/share-data").rglob("*.json"))
Answer = Callable[[BaseHTTPRequestHandler], None]


class Host:
    """A server that answers everything in one way, and keeps what was asked."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[str] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # noqa: N802  (its name is the method's)
                asked.append(f"{self.command} {self.path}")
                answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answer], Host]]:
    """Starts servers."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    started: list[Host] = []

    def start(answer: Answer) -> Host:
        started.append(Host(answer))
        return started[-1]

    yield start
    for one in started:
        one.server.shutdown()
        one.server.server_close()


def body(data: bytes, status: int = 200, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def test_a_shared_session_is_converted(
    host: Callable[[Answer], Host], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = host(body(SHARED.read_bytes(), Content_Type="application/json"))
    finder = caller(capsys, tmp_path, registry=Registry.installed())
    out = ("--to", "events", "--out", "shared.jsonl")
    done = finder("convert", f"{server.origin}/share/abc_-9", *out, "--json")
    assert done.code == 0, done.err
    assert server.asked == ["GET /api/share/abc_-9/data"]
    (session,) = done.json["sessions"]
    assert session["source"]["tool"] == "opencode"
    assert session["losses"] == []
    assert session["events"] > 20
    # Of the address nothing stays but what is in the data, and no file of ours.
    assert [path.name for path in tmp_path.iterdir()] == ["shared.jsonl"]


@pytest.mark.parametrize(
    "link",
    [
        "https://host/share/",
        "https://host/share/a/b",
        "https://host/share/a?x=1",
        "https://host/share/a#x",
        "https://user:secret@host/share/a",
        "https://host/other/a",
        "https://host/x/share/a",
        "https:///share/a",
        "https://host/share/ä",
    ],
)
def test_other_links_are_refused_before_anything_is_asked(link: str, tmp_path: Path) -> None:
    assert fetch.is_link(link)
    with pytest.raises(UsageError, match="no link to a shared session"):
        fetch.shared(link, tmp_path)


def test_what_is_not_shared_is_not_found(
    host: Callable[[Answer], Host], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = host(body(b"{}", status=404))
    with pytest.raises(NotFoundError, match="shares no session gone"):
        fetch.shared(f"{server.origin}/share/gone", tmp_path)
    finder = caller(capsys, tmp_path, registry=Registry.installed())
    done = finder("convert", f"{server.origin}/share/gone", "--to", "events")
    assert done.code == ExitCode.NOT_FOUND


def test_an_answer_that_is_no_session_is_said(
    host: Callable[[Answer], Host], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for data in (b"", b"<html>", b"[]", b'{"a": 1}', b"\xff\xfe"):
        server = host(body(data))
        finder = caller(capsys, tmp_path, registry=Registry.installed())
        done = finder("convert", f"{server.origin}/share/x", "--to", "events")
        assert done.code in {ExitCode.NOT_FOUND, ExitCode.UNREADABLE}, (data, done)
        assert list(tmp_path.iterdir()) == []


def test_another_status_is_said(host: Callable[[Answer], Host], tmp_path: Path) -> None:
    server = host(body(b"", status=500))
    with pytest.raises(FinderError, match="status 500"):
        fetch.shared(f"{server.origin}/share/x", tmp_path)


def test_a_host_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FinderError, match="cannot be fetched"):
        fetch.shared("http://127.0.0.1:9/share/x", tmp_path, seconds=5)


def test_a_redirection_is_followed_within_the_host_only(
    host: Callable[[Answer], Host], tmp_path: Path
) -> None:
    other = host(body(b"[]"))
    away = host(body(b"", status=302, Location=f"{other.origin}/api/share/x/data"))
    with pytest.raises(FinderError, match="redirects to another place"):
        fetch.shared(f"{away.origin}/share/x", tmp_path)
    assert other.asked == []
    to_file = host(body(b"", status=302, Location="file:///etc/passwd"))
    with pytest.raises(FinderError):
        fetch.shared(f"{to_file.origin}/share/x", tmp_path)

    def within(handler: BaseHTTPRequestHandler) -> None:
        moved = handler.path.endswith("/data")
        answer = body(b"", status=302, Location="/there") if moved else body(b"[1]")
        answer(handler)

    path = fetch.shared(f"{host(within).origin}/share/x", tmp_path)
    assert jsonio.read(path) == [1]


def test_too_much_is_not_read(
    host: Callable[[Answer], Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_MOST_BYTES", 3 << 20)

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(b"x" * 65536)
        except OSError:
            pass

    with pytest.raises(FinderError, match="more than 3 MB"):
        fetch.shared(f"{host(endless).origin}/share/x", tmp_path)


def test_a_slow_drip_does_not_outlast_the_deadline(
    host: Callable[[Answer], Host], tmp_path: Path
) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(100):
                handler.wfile.write(b" ")
                handler.wfile.flush()
                time.sleep(0.1)
        except OSError:
            pass

    start = time.monotonic()
    with pytest.raises(FinderError, match="not finished after 1 seconds"):
        fetch.shared(f"{host(drip).origin}/share/x", tmp_path, seconds=1)
    assert time.monotonic() - start < 5
