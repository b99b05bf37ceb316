"""The HTML page in a real browser: what it makes of session text is text, and it asks for nothing.

Needs Chromium or Chrome on the search path.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from finder.model import Event, Ref, Session, Text
from finder.render.html import html

from ..finder.attacks import ATTACKS, Element, check_harmless, everywhere, read_html

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_OPTIONS = (
    "--headless --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --no-proxy-server"
).split()
_SECONDS = 120

Browse = Callable[[str], str]
"""Opens an address and gives the page as the browser has it then, written out as HTML."""


@pytest.fixture
def browser(tmp_path: Path) -> list[str]:
    """The command that starts a browser without a past."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip(f"no browser is installed (looked for {', '.join(_NAMES)})")
    command = [program, *_OPTIONS, f"--user-data-dir={tmp_path / 'profile'}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--no-sandbox")  # Chromium refuses to be run by root with it
    return command


@pytest.fixture
def browse(browser: list[str]) -> Browse:
    def browsed(address: str) -> str:
        return _run([*browser, "--dump-dom", address]).decode("utf-8")

    return browsed


def _run(argv: list[str]) -> bytes:
    return subprocess.run(argv, capture_output=True, timeout=_SECONDS, check=True).stdout


@contextmanager
def _served(page: Callable[[str], str]) -> Iterator[tuple[str, list[str]]]:
    """The page, which is told its server's address, at ``/``; and the list of what is asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
            asked.append(self.path)
            body = page(address).encode() if self.path == "/" else b""
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield address, asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _attacked(address: str = "http://127.0.0.1:9/") -> str:
    """One session with all attacks in all places."""
    events: list[Event] = []
    subagents = []
    for text in ATTACKS:
        _, story, below = everywhere(text.replace("http://127.0.0.1:9/", address))
        events += story
        subagents += below
    session, _, _ = everywhere(ATTACKS[1])
    return "".join(html(session, events, subagents))


def _seen(page: Element) -> list[str]:
    return [e.text() for e in page.elements() if e.tag in {"title", "td", "pre", "bdi", "div"}]


def test_a_browser_sees_text_where_attacks_stand(browse: Browse, tmp_path: Path) -> None:
    written = _attacked()
    path = tmp_path / "page.html"
    path.write_bytes(written.encode("utf-8"))
    page = read_html(browse(path.as_uri()))
    check_harmless(page)
    assert _seen(page) == _seen(read_html(written))


def test_the_browser_does_run_what_is_no_text(browse: Browse, tmp_path: Path) -> None:
    """Otherwise the test above would show nothing."""
    path = tmp_path / "page.html"
    path.write_text("<!DOCTYPE html><title></title>" + "".join(ATTACKS[:1]), "utf-8")
    assert "<title>TAKEN</title>" in browse(path.as_uri())


def test_nothing_is_asked_for(browse: Browse) -> None:
    with _served(_attacked) as (address, asked):
        browse(address)
    assert "/" in asked
    assert set(asked) <= {"/", "/favicon.ico"}


def test_the_policy_alone_keeps_a_browser_from_asking(browse: Browse) -> None:
    """Even if some text were an element: with the policy nothing happens, without it it does."""

    def broken(address: str, *, policy: bool) -> str:
        page = "".join(html(Session(ref=Ref("t", "/s", "id")), [Text(text="HERE")], ()))
        element = f"<img src='{address}hit'><script>document.title = 'TAKEN'</script>"
        page = page.replace("HERE", element)
        return page if policy else page.replace("Content-Security-Policy", "X-None")

    with _served(lambda address: broken(address, policy=True)) as (address, asked):
        assert "<title>TAKEN</title>" not in browse(address)
    assert "/hit" not in asked
    with _served(lambda address: broken(address, policy=False)) as (address, asked):
        assert "<title>TAKEN</title>" in browse(address)
    assert "/hit" in asked


def test_light_and_dark_are_told_apart(browser: list[str], tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("".join(html(Session(ref=Ref("t", "/s", "id")), [Text(text="x")], ())))

    def picture(name: str, scheme: int) -> bytes:
        taken = tmp_path / f"{name}.png"
        shot = [f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={taken}"]
        _run([*browser, *shot, "--window-size=300,300", path.as_uri()])
        return taken.read_bytes()

    dark, light, again = picture("dark", 0), picture("light", 1), picture("again", 1)
    assert light == again
    assert dark != light
