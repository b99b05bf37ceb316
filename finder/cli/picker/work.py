"""Those who work beside the screen, so that it never waits: for answers, and for the preview."""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from finder.cli.picker.state import Answer
from finder.find import Query, Row, find
from finder.library import Library
from finder.narrow import Index, SupersededError

_TELLING = 3  # bytes of a word that few sessions have
_NEWEST = 2_000  # sessions that are in memory, or looked through, at once
_MANY = 20_000  # sessions that are not
T = TypeVar("T")
Wanted = Callable[[], bool]


class Worker(Generic[T]):
    """A thread that always works on the last thing it was asked for.

    `work` is given what was asked and a function that says whether that is still wanted; what it
    raises is given to `failed`.
    """

    def __init__(
        self, work: Callable[[T, Wanted], None], failed: Callable[[Exception], None]
    ) -> None:
        self._work = work
        self._failed = failed
        self._asked = threading.Condition()
        self._item: T | None = None
        self._number = 0
        self._ended = False
        # A daemon: the program ends when the user wants, in the middle of whatever is read.
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def ask(self, item: T) -> None:
        """Work on this, and give up what was asked for before."""
        with self._asked:
            self._item = item
            self._number += 1
            self._asked.notify()

    def end(self) -> None:
        """Ask for nothing any more."""
        with self._asked:
            self._ended = True
            self._number += 1
            self._asked.notify()

    def _run(self) -> None:
        done = 0
        while True:
            with self._asked:
                while self._number == done and not self._ended:
                    self._asked.wait()
                if self._ended:
                    return
                done = number = self._number
                item = self._item
            assert item is not None
            try:
                self._work(item, lambda number=number: self._number == number)  # type: ignore[misc]
            except Exception as error:
                self._failed(error)


@dataclass(slots=True)
class Searching:
    """Answers queries from memory: from the newest sessions, and then from all.

    Attributes:
        library: the stores; `fresh` opens them again, for each who works beside.
        query: what narrows every answer, besides the words; `limit` is that of a first answer.
        index: what is in memory so far.
    """

    library: Library
    fresh: Callable[[], Library]
    query: Query
    index: Index | None = None
    _asked: Library | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def first(self, text: str) -> Answer:
        """An answer from the stores: the first rows alone.

        They take seconds to say which of very many sessions fit a letter or two best; so that is
        not asked, and this answer is that of the empty query.
        """
        words = tuple(text.split())
        if words and not _tells(words):
            return self.first("")
        return self._found(self.library, text)

    def ask(self, text: str) -> Answer | None:
        """What the stores find while not all is in memory; None: it would not come soon."""
        if self.whole or not _tells(text.split()):
            return None
        self._asked = self._asked or self.fresh()
        return self._found(self._asked, text)

    def _found(self, library: Library, text: str) -> Answer:
        answer = find(library, self.query._replace(words=tuple(text.split())))
        return Answer(text=text, rows=answer.rows, more=answer.more)

    def begin(self) -> Library:
        """Take the newest sessions into memory; returns the library that they come from."""
        with self._lock:
            if self.index is None:
                self.index = Index(self.library, self.query, _NEWEST, self._lock)
        return self.library

    @property
    def whole(self) -> bool:
        """Whether all sessions are in memory."""
        return self.index is not None and self.index.whole

    def read(self) -> Library:
        """Take all sessions into memory; returns the library that they come from."""
        gc.disable()  # looking for garbage among ever more sessions takes half of the time
        try:
            library = self.fresh()
            self.index = Index(library, self.query)
            gc.freeze()
        finally:
            gc.enable()
        return library

    def answers(self, text: str, wanted: Wanted) -> Iterator[Answer]:
        """The rows for a query, from what is in memory; of very much, first from the newest."""
        self.begin()
        index = self.index
        assert index is not None
        words = tuple(text.split())
        if index.left(words) > _MANY:
            yield from _answered(index, text, index.search(words, newest=_NEWEST), sure=False)
        with contextlib.suppress(SupersededError):
            yield from _answered(index, text, index.search(words, wanted), sure=index.whole)


def _answered(index: Index, text: str, rows: Sequence[Row], *, sure: bool) -> Iterator[Answer]:
    if rows:
        _ = rows[0]  # with those beside it: made here, drawing does not wait for them
    held = len(index) if index.whole else None
    yield Answer(text=text, rows=rows, more=not sure, held=held, sure=sure)


def _tells(words: Sequence[str]) -> bool:
    """Whether few enough sessions have the words for the stores to be asked."""
    return any(len(word.encode()) >= _TELLING for word in words)


def portions(lines: Iterator[str], first: int, most: int) -> Iterator[tuple[list[str], bool]]:
    """The lines from the beginning, more and more of them, and whether that is all.

    First so many as a screen shows, then four times as many each time, up to `most`.
    """
    held: list[str] = []
    size = first
    for one in lines:
        held.append(one)
        if len(held) >= most:
            break
        if len(held) >= size:
            yield list(held), False
            size *= 4
    else:
        yield held, True
        return
    yield held, next(lines, None) is None
