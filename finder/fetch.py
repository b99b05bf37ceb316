"""Fetching a shared session, because the user named its link.

The only request that finder ever makes: GET <origin>/api/share/<slug>/data for a link
<origin>/share/<slug>, as OpenCode 1.2.27 and later do. What comes back is foreign and is only
ever parsed.
"""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from finder.errors import FinderError, NotFoundError, UsageError

_SECONDS = 30
_MOST_BYTES = 100 * 1024 * 1024
_LINK = re.compile(r"(https?://[^/\s?#@]+)/share/([A-Za-z0-9_-]+)")


def is_link(word: str) -> bool:
    """Whether a word of the call is an address and no id or path."""
    return word.startswith(("http://", "https://"))


def shared(link: str, folder: Path, *, seconds: float = _SECONDS) -> Path:
    """The data of a shared session, in a file in `folder`.

    Raises:
        UsageError: it is no link to a shared session.
        NotFoundError: nothing is shared there.
        FinderError: the host does not answer, not in time, or with too much.
    """
    match = _LINK.fullmatch(link)
    if match is None:
        raise UsageError(f"{link} is no link to a shared session", hint="https://HOST/share/SLUG")
    origin, slug = match.groups()
    url = f"{origin}/api/share/{slug}/data"
    path = folder / f"{slug}.json"
    try:
        _download(url, path, time.monotonic() + seconds, seconds)
    except urllib.error.HTTPError as error:
        with error:
            if error.code in {404, 410}:
                raise NotFoundError(f"{origin} shares no session {slug} (any more)") from None
            raise FinderError(f"{url} answers with status {error.code}") from None
    except (OSError, ValueError, urllib.error.URLError) as error:
        reason = getattr(error, "reason", None) or error
        raise FinderError(f"{url} cannot be fetched: {reason}") from None
    return path


def _download(url: str, path: Path, deadline: float, seconds: float) -> None:
    request = urllib.request.Request(url, headers={"Accept": "application/json"})
    opener = urllib.request.build_opener(_SameHost)
    with opener.open(request, timeout=seconds) as answer, path.open("wb") as out:
        size = 0
        # read1 gives what is there, so that a slow drip cannot outlast the deadline.
        while chunk := answer.read1(1 << 16):
            size += len(chunk)
            if size > _MOST_BYTES:
                raise FinderError(f"{url} sends more than {_MOST_BYTES >> 20} MB; not read")
            if time.monotonic() > deadline:
                raise TimeoutError(f"not finished after {seconds:g} seconds")
            out.write(chunk)


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows a redirection only within the host that the user named."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: object,
        newurl: str,
    ) -> urllib.request.Request | None:
        there = urlsplit(newurl)
        if there.scheme not in {"http", "https"} or there.netloc != urlsplit(req.full_url).netloc:
            fp.close()
            raise ValueError(f"it redirects to another place, {newurl}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
