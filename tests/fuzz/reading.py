"""Reading all of a home folder by every way that the program has."""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from finder import jsonio
from finder.adapter import Store, Want, Word
from finder.cli import run
from finder.cli.setting import Setting
from finder.errors import BugError, ExitCode, FinderError
from finder.find import Query, find
from finder.get import Choice, story, subagents
from finder.library import Entry, Library
from finder.model import Problem, Session
from finder.places import Places
from finder.registry import Registry
from finder.render import data

_NOW = 1_800_000_000_000  # 2027-01-15T08:00:00Z
_TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_MOST_PARSED = 10_000_000  # characters: the memory that is measured is to be the program's
_MOST_COMMANDS = 3  # sessions that the commands are called for; the engine reads all of them


class WrongError(AssertionError):
    """The program did not treat a store as it promises."""


def read_all(home: Path, number: int = 0) -> Iterator[None]:
    """List, read, render and convert what is below a folder; errors that are ours are answers.

    Yields after each step, such as a command. `number` chooses the sessions that the commands are
    called for.

    Raises:
        WrongError: an adapter or the program broke, and it was reported as such.
    """
    with contextlib.suppress(FinderError):
        _through_adapters(home)
    yield
    with contextlib.suppress(FinderError), tempfile.TemporaryDirectory() as cache:
        _through_engine(home, Path(cache))
    yield
    yield from _through_commands(home, number)


def _through_adapters(home: Path) -> None:
    registry = Registry.installed()
    for store in (*registry.below(home), *registry.discover(Places.under(home))):
        if isinstance(store, Problem):
            continue
        with contextlib.suppress(FinderError):
            _through_adapter(registry, store)
    _check(registry.problems)


def _through_adapter(registry: Registry, store: Store) -> None:
    adapter = registry.adapter(store.adapter)
    adapter.generation(store)
    adapter.count(store)
    found = list(adapter.sessions(store))
    list(adapter.sessions(store, Want(newest=5, words=((Word("a"),),), raw=False)))
    sessions = [item for item in found if isinstance(item, Session)]
    for item in found:
        jsonio.dumps(item)
    list(adapter.descendants(store, [s.ref.id for s in sessions[:20]]))
    for session in sessions:
        with contextlib.suppress(FinderError):
            for event in adapter.events(session.ref):
                jsonio.dumps(event)


def _through_engine(home: Path, cache: Path) -> None:
    registry = Registry.installed()
    places = Places(home=home, cwd=home, env={"FINDER_CACHE_DIR": str(cache)})
    library = Library.open(registry, places, [home])
    entries: dict[object, Entry] = {}
    for query in (Query(limit=0, subagents=True), Query(words=("hello",)), Query(limit=5)):
        answer = find(library, query)
        jsonio.dumps(data.answer(answer))
        entries.update({row.session.ref: row.entry for row in answer.rows})
    for ref, entry in entries.items():
        subagents(library, entry)
        try:
            for item in story(registry, library, entry.session.ref, Choice(live=True)):
                jsonio.dumps(data.event(item, raw=True))
        except BugError as error:
            raise WrongError(f"{ref}: {error.message}") from error
        except FinderError:
            continue
    _check(library.problems)


def _check(problems: list[Problem]) -> None:
    """What an adapter raises is caught and named, so that the others go on; here it is wrong."""
    for problem in problems:
        if problem.kind == "adapter":
            raise WrongError(problem.message)


# -- the commands ---------------------------------------------------------------------------


def _through_commands(home: Path, number: int) -> Iterator[None]:
    root = ("--root", str(home))
    listed = _called("find", "--subagents", "--limit", "0", "--json", *root)
    value = jsonio.loads(listed) if listed else {}
    yield
    _called("find", "a", "--limit", "0", *root, columns=80)
    yield
    _called("stores", "--json", *root)
    yield
    sessions = value.get("sessions", [])
    refs = [session["ref"] for session in sessions]
    step = max(len(refs) // _MOST_COMMANDS, 1)
    for ref in refs[number % step :: step]:
        yield from _through_session(ref, root)


def _through_session(ref: str, root: tuple[str, ...]) -> Iterator[None]:
    _json(_called("get", "--json", "--raw", "--with-subagents", *root, "--", ref))
    yield
    _plain_text(_called("get", "--no-pager", "--with-subagents", *root, "--", ref, columns=80))
    yield
    _called("resume", "--print", *root, "--", ref)
    with tempfile.TemporaryDirectory(prefix="finder-fuzz-out-") as out:
        _called("convert", "--to", "events", "--out", f"{out}/copy", *root, "--", ref)
        yield
        _called("convert", "--to", "html", "--out", f"{out}/page", *root, "--", ref)
    yield


def _json(told: str) -> None:
    """What is told is JSON."""
    if 0 < len(told) < _MOST_PARSED:
        jsonio.loads(told)


def _plain_text(shown: str) -> None:
    """No control character of a session may reach a terminal, and none that turns its lines."""
    for character in set(shown) - {"\n", "\t"}:
        controls = unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
        if controls or unicodedata.bidirectional(character) in _TURNING:
            raise WrongError(f"the transcript has the character {character!r}")


def _called(*words: str, columns: int | None = None) -> str:
    """What a command prints; a status that speaks of a bug is wrong."""
    with tempfile.TemporaryDirectory(prefix="finder-fuzz-home-") as name:
        places = Places(home=Path(name), cwd=Path(name), env={"NO_COLOR": "1"})
        setting = Setting(
            places=places,
            registry=Registry.installed(),
            now=_NOW,
            terminal=columns is not None,
            columns=columns or 80,
            lines=1_000_000,  # no pager
        )
        with _captured() as (out, err):
            try:
                run(words, setting)
            except SystemExit as ended:
                status = ended.code
    if status == ExitCode.BUG:
        raise WrongError(f"{' '.join(words)}: {err.getvalue()[-2000:]}")
    _check(setting.registry.problems)
    return str(out.getbuffer(), "utf-8", "replace")  # without a copy of a hundred megabytes


@contextlib.contextmanager
def _captured() -> Iterator[tuple[io.BytesIO, io.StringIO]]:
    out, err = io.BytesIO(), io.StringIO()
    kept = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = io.TextIOWrapper(out, "utf-8", write_through=True), err
    try:
        yield out, err
        sys.stdout.flush()
    finally:
        sys.stdout.detach()  # its buffer is read afterwards
        sys.stdout, sys.stderr = kept
