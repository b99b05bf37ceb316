"""Made-up sessions: who started which, what was said and done in each, as OpenCode's records.

The same ones in every run. Four of five are subagents, as in stores of heavy users.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.planted import RARE_WORD, TARGET_TITLE
from tests.bench.prose import blocks
from tests.bench.titles import child_title, session_titles

MODELS = (("anthropic", "claude-sonnet-4-5"), ("openai", "gpt-5-codex"), ("zai", "glm-5"))

_LAST = 1_792_000_000_000  # milliseconds UTC: the newest session of every store
_SPAN = 2 * 365 * 24 * 3_600_000
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_AGENTS = ("general", "explore", "review")
FOLDERS = (
    "webapp|api server|billing|mobile-app|infra|design-system|docs|data-pipeline|auth-service"
    "|search|notifications|admin|cli-tools|scratch|monorepo/packages/ui|monorepo/packages/core"
).split("|")
_CHILDREN_OF_TEN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a store is to hold.

    Attributes:
        text: characters of part text, all in all.
        verbosity: 0 to 1: how likely a text goes on for another paragraph.
    """

    sessions: int
    text: int
    seed: int = 1
    verbosity: float = 0.55


GIANT = Shape(sessions=1, text=14_000_000, verbosity=0.72)  # some 5,000 parts


@dataclass(slots=True)
class Clock:
    """Makes ids as OpenCode makes them: 48 bits of time and counter, and 14 random characters."""

    chosen: random.Random
    counter: int = 0

    def id(self, prefix: str, at: int) -> str:
        self.counter = (self.counter + 1) % 4096
        bits = (at * 4096 + self.counter) & 0xFFFFFFFFFFFF
        if prefix == "ses":
            bits ^= 0xFFFFFFFFFFFF
        return f"{prefix}_{bits:012x}{''.join(self.chosen.choices(_ALPHABET, k=14))}"


@dataclass(slots=True)
class MadeSession:
    id: str
    title: str
    directory: str
    created: int
    updated: int
    agent: str
    parent: str | None
    text: int
    children: list[str]
    rare: bool = False


def made(shape: Shape) -> tuple[list[MadeSession], Iterator[tuple[MadeSession, list[MadeMessage]]]]:
    """The sessions, the oldest first, and then the messages of each."""
    chosen = random.Random(shape.seed)
    clock = Clock(chosen)
    sessions = _sessions(shape, chosen, clock)
    return sessions, _contents(sessions, shape, chosen, clock)


def planted(sessions: list[MadeSession]) -> dict[str, str]:
    """Ids: of the session with `TARGET_TITLE`, and of the newest one."""
    target = next(session for session in sessions if session.title == TARGET_TITLE)
    return {"target": target.id, "newest": max(sessions, key=lambda s: s.updated).id}


def _sessions(shape: Shape, chosen: random.Random, clock: Clock) -> list[MadeSession]:
    titles = session_titles(shape.seed)
    sizes = [chosen.lognormvariate(0, 1.1) for _ in range(shape.sessions)]
    scale = shape.text / sum(sizes)
    roots = max(shape.sessions * (10 - _CHILDREN_OF_TEN) // 10, 1)
    step = _SPAN // roots
    found: list[MadeSession] = []
    for number in range(shape.sessions):
        is_root = number < roots
        above = None
        if is_root:
            created = _LAST - _SPAN + number * step + chosen.randrange(step // 2)
            title, parent, agent = next(titles), None, "build"
            directory = f"/home/dev/code/{chosen.choice(FOLDERS)}"
        else:
            above = found[chosen.randrange(number if chosen.random() < 0.1 else roots)]
            created = above.created + chosen.randrange(1, max(step // 2, 2))
            agent = chosen.choice(_AGENTS)
            title, parent = child_title(next(titles), agent), above.id
            directory = above.directory
        session = MadeSession(
            id=clock.id("ses", created),
            title=title,
            directory=directory,
            created=created,
            updated=created + chosen.randrange(1_000, 7_200_000),
            agent=agent,
            parent=parent,
            text=int(sizes[number] * scale),
            children=[],
        )
        if above is not None:
            above.children.append(session.id)
        found.append(session)
    found[roots // 3].title = TARGET_TITLE
    for at in (roots // 50, roots // 7, roots + (shape.sessions - roots) // 3):
        found[min(at, len(found) - 1)].rare = True
    return sorted(found, key=lambda s: s.created)


@dataclass(slots=True)
class MadeMessage:
    id: str
    at: int
    data: dict[str, object]
    parts: list[tuple[str, dict[str, object]]]


def _contents(
    sessions: list[MadeSession], shape: Shape, chosen: random.Random, clock: Clock
) -> Iterator[tuple[MadeSession, list[MadeMessage]]]:
    pool = blocks()
    for session in sessions:
        yield session, _Writer(session, shape, chosen, clock, pool).messages()


@dataclass(slots=True)
class _Writer:
    """Writes the story of one session, turn by turn, until its text is long enough."""

    session: MadeSession
    shape: Shape
    chosen: random.Random
    clock: Clock
    pool: list[str]
    written: int = 0

    def messages(self) -> list[MadeMessage]:
        found: list[MadeMessage] = []
        at, turn = self.session.created, 0
        while not found or self.written < self.session.text:
            asked = self._user(at)
            found.append(asked)
            for _ in range(1 if self.session.text < 2_000 else self.chosen.randint(1, 4)):
                at += 1
                found.append(self._assistant(at, asked.id, turn))
                turn += 1
                if self.written >= self.session.text:
                    break
            at += 1
        return found

    def _part(self, at: int, part: dict[str, object]) -> tuple[str, dict[str, object]]:
        return self.clock.id("prt", at), part

    def _text(self, most: int) -> str:
        room = max(min(most, self.session.text - self.written), 40)
        text = self.chosen.choice(self.pool)
        while len(text) < room and self.chosen.random() < self.shape.verbosity:
            text += "\n\n" + self.chosen.choice(self.pool)
        text = text[:room]
        self.written += len(text)
        return text

    def _user(self, at: int) -> MadeMessage:
        provider, model = self.chosen.choice(MODELS)
        data: dict[str, object] = {
            "role": "user",
            "time": {"created": at},
            "agent": self.session.agent,
            "model": {"providerID": provider, "modelID": model},
            "summary": {"diffs": []},
        }
        text: dict[str, object] = {"type": "text", "text": self._text(600)}
        parts = [self._part(at, text)]
        if self.chosen.random() < 0.05:
            told = "Continue if you have next steps, or stop and ask for clarification."
            parts.append(self._part(at, {"type": "text", "synthetic": True, "text": told}))
        return MadeMessage(self.clock.id("msg", at), at, data, parts)

    def _assistant(self, at: int, asked: str, turn: int) -> MadeMessage:
        provider, model = self.chosen.choice(MODELS)
        tokens = {"input": 8_000, "output": 300, "reasoning": 0, "cache": {"read": 0, "write": 0}}
        data: dict[str, object] = {
            "parentID": asked,
            "role": "assistant",
            "mode": self.session.agent,
            "agent": self.session.agent,
            "path": {"cwd": self.session.directory, "root": self.session.directory},
            "cost": 0.008,
            "tokens": tokens,
            "modelID": model,
            "providerID": provider,
            "time": {"created": at, "completed": at + 900},
            "finish": "stop",
        }
        parts = [self._part(at, {"type": "step-start", "snapshot": "1f439917302ad97cf18bada996bb"})]
        time = {"start": at, "end": at + 500}
        if self.chosen.random() < 0.3:
            thought: dict[str, object] = {
                "type": "reasoning",
                "text": self._text(1_500),
                "time": time,
            }
            parts.append(self._part(at, thought))
        if turn == 0:
            parts += [self._part(at, self._task(at, child)) for child in self.session.children]
        for _ in range(self.chosen.randint(0, 4) if self.session.text > 2_000 else 0):
            if self.written < self.session.text:
                parts.append(self._part(at, self._tool(at)))
        if self.session.rare:
            parts.append(self._part(at, self._tool(at)))
        parts.append(self._part(at, {"type": "text", "text": self._text(3_000), "time": time}))
        finish = {"type": "step-finish", "reason": "stop", "tokens": tokens, "cost": 0.008}
        parts.append(self._part(at, finish))
        return MadeMessage(self.clock.id("msg", at), at, data, parts)

    def _tool(self, at: int) -> dict[str, object]:
        name = self.chosen.choice(("bash", "read", "grep", "edit"))
        output = self._text(16_000)
        if self.session.rare:
            output = f"{output}\nwarning: {RARE_WORD.capitalize()} of the cache is incomplete\n"
            self.session.rare = False
        path = f"{self.session.directory}/src/{self.chosen.choice(FOLDERS)}/index.ts"
        given = {"command": "npm test -- --watch=false"} if name == "bash" else {"filePath": path}
        return self._called(name, at, given, output, {"truncated": False})

    def _task(self, at: int, child: str) -> dict[str, object]:
        given = {
            "description": "look into it",
            "prompt": "Look into it.",
            "subagent_type": "general",
        }
        return self._called("task", at, given, "Done.", {"sessionId": child})

    def _called(
        self, name: str, at: int, given: object, output: str, metadata: object
    ) -> dict[str, object]:
        state = {
            "status": "completed",
            "input": given,
            "output": output,
            "title": name,
            "metadata": metadata,
            "time": {"start": at, "end": at + 400},
        }
        call = f"call_{self.chosen.getrandbits(48):012x}"
        return {"type": "tool", "tool": name, "callID": call, "state": state}
