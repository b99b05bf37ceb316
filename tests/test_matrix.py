"""Every fixture, to every format: what is lost is what the committed table says, and no more.

``tests/matrix/<adapter>.json`` has for each case and target the differences by kind, type and
field, and in how many events they are. Run with FINDER_UPDATE=1 in the environment to write the
tables anew, and read the difference before you keep it.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from finder import compare, jsonio
from finder.adapter import Adapter
from finder.convert import Conversion, Tree, convert
from finder.model import Event, Problem, Session
from finder.registry import Registry
from finder.staging import FileStaging, at_home, found, uses_records
from finder.testing import stores_below
from finder.writing import Plan, Report

FIXTURES = Path(__file__).parents[1] / "fixtures"
DAMAGED = Path(__file__).parent / "damaged"
TABLES = Path(__file__).parent / "matrix"
NOW = 1_800_000_000_000
REGISTRY = Registry.installed()
CASES = sorted(
    str(p.parent.relative_to(f)) for f in (FIXTURES, DAMAGED) for p in f.glob("*/*/store")
)
FORMATS = {name: form for a in REGISTRY.adapters() for name, form in a.targets().items()}
TARGETS = sorted(FORMATS)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the fixtures: opening a database may leave files beside it."""
    copy = tmp_path_factory.mktemp("matrix") / "fixtures"
    shutil.copytree(FIXTURES, copy)
    shutil.copytree(DAMAGED, copy, dirs_exist_ok=True)
    return copy


def trees(home: Path, case: str) -> Iterator[tuple[Adapter, Tree]]:
    """Every session of a case that has no parent there, with those below it."""
    adapter = REGISTRY.adapter(case.split("/")[0])
    for store in stores_below(adapter, home / case / "store"):
        sessions = [s for s in adapter.sessions(store) if isinstance(s, Session)]
        there = {session.ref for session in sessions}
        for top in sessions:
            if top.parent is None or top.parent not in there:
                below = list(adapter.descendants(store, [top.ref.id]))
                yield (
                    adapter,
                    Tree(
                        sessions=(top, *(s for s in below if isinstance(s, Session))),
                        read=lambda s, a=adapter: (a.name, a.events(s.ref)),  # type: ignore[misc]
                        stores=(str(store.path),),
                    ),
                )


def converted(tree: Tree, target: Adapter, folder: Path) -> tuple[Conversion, FileStaging]:
    staging = FileStaging(target, folder)
    done = convert([tree], lambda _: staging, now=NOW)
    return done, staging


def written(staging: FileStaging) -> Iterator[tuple[Session, list[Event]]]:
    """The sessions in a private folder, in the order in which they were written."""
    for draft in staging.drafts:
        path = staging.root if draft.store == "." else staging.root / draft.store
        store = staging.adapter.detect(path)
        assert store is not None
        session = found(staging.adapter, store, draft.id)
        assert session is not None
        yield session, list(staging.adapter.events(session.ref))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("case", CASES)
def test_what_is_lost_is_what_the_table_says(
    home: Path, tmp_path: Path, case: str, target: str
) -> None:
    adapter = FORMATS[target]
    counts: Counter[str] = Counter()
    sessions = 0
    for number, (source, tree) in enumerate(trees(home, case)):
        done, _ = converted(tree, adapter, tmp_path / str(number))
        for account in done.receipts:
            sessions += 1
            for loss in account.losses:
                where = loss.type if loss.field is None else f"{loss.type} {loss.field}"
                counts[f"{loss.kind} {where}"] += loss.count
            assert account.exact is (None if source.name != adapter.name else account.exact)
            if account.exact is False:
                counts["records are not the same"] += 1
    assert sessions
    table = TABLES / f"{case.split('/')[0]}.json"
    value = jsonio.read(table) if table.exists() else {}
    name = case.split("/")[1]
    actual = dict(sorted(counts.items()))
    if os.environ.get("FINDER_UPDATE"):
        value.setdefault(name, {})[target] = actual
        ordered = {key: dict(sorted(value[key].items())) for key in sorted(value)}
        table.write_bytes(jsonio.dumps(ordered, indent=True) + b"\n")
        return
    assert actual == value.get(name, {}).get(target), f"{table}: {name}, {target}"


def test_the_tables_have_nothing_else() -> None:
    assert {p.stem for p in TABLES.iterdir()} == {case.split("/")[0] for case in CASES}
    for table in TABLES.iterdir():
        value = jsonio.read(table)
        assert {f"{table.stem}/{name}" for name in value} <= set(CASES)
        for name, targets in value.items():
            assert sorted(targets) == TARGETS, f"{table}: {name}"


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_lost_in_our_own_form(home: Path, tmp_path: Path, case: str) -> None:
    """Not a field, not a label, not a record."""
    for number, (_, tree) in enumerate(trees(home, case)):
        done, staging = converted(tree, FORMATS["events"], tmp_path / str(number))
        assert [account.losses for account in done.receipts] == [()] * len(tree.sessions)
        for session, (back, events) in zip(tree.sessions, written(staging), strict=True):
            assert compare.prints(events) == compare.prints(tree.read(session)[1]), session.ref
            assert jsonio.same(back.raw, session.raw), session.ref
            assert back.origin == at_home(session).ref.tool


@pytest.mark.parametrize("case", CASES)
def test_records_that_an_encoder_does_not_use_make_no_difference(home: Path, case: str) -> None:
    for target in FORMATS.values():
        for _, tree in trees(home, case):
            session = at_home(tree.top)
            if uses_records(target, session):
                continue
            ids = {session.ref: "x" * 16}
            plan = Plan(id="x" * 16, ids=ids, top="x" * 16, now=NOW)
            whole, bare = list(tree.read(tree.top)[1]), list(tree.read(tree.top)[1])
            for event in bare:
                compare.without_record(event)
            drafts = [target.encode(session, e, plan, Report()) for e in (whole, bare)]
            assert drafts[0] == drafts[1], (target.name, session.ref)


def own_targets(adapter: Adapter) -> dict[str, Adapter]:
    """The formats of the tool that an adapter's sessions are from."""
    return {name: form for name, form in FORMATS.items() if form.tool == adapter.tool}


def carried(staging: FileStaging) -> Tree:
    """What is in a private folder, to be converted on."""
    adapter = staging.adapter
    sessions = tuple(session for session, _ in written(staging))
    return Tree(
        sessions=sessions,
        read=lambda s: (adapter.name, adapter.events(s.ref)),
        stores=tuple(dict.fromkeys(session.ref.store for session in sessions)),
    )


@pytest.mark.parametrize("case", CASES)
def test_through_our_own_form_it_comes_to_the_same(home: Path, tmp_path: Path, case: str) -> None:
    """A tool's session, converted to its own format directly and through our own form."""
    for number, (source, tree) in enumerate(trees(home, case)):
        _, ours = converted(tree, FORMATS["events"], tmp_path / f"{number}-ours")
        for name, target in own_targets(source).items():
            _, direct = converted(tree, target, tmp_path / f"{number}-{name}-direct")
            _, through = converted(carried(ours), target, tmp_path / f"{number}-{name}-through")
            assert [d.id for d in direct.drafts] == [d.id for d in through.drafts]
            assert direct.parts() == through.parts()
            for part in direct.parts():
                one, other = (s.root / part.path for s in (direct, through))
                assert one.read_bytes() == other.read_bytes(), part.path


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("case", CASES)
def test_there_and_back_all_is_equal_but_what_the_receipts_name(
    home: Path, tmp_path: Path, case: str, target: str
) -> None:
    for number, (source, tree) in enumerate(trees(home, case)):
        there, staged = converted(tree, FORMATS[target], tmp_path / f"{number}-there")
        for name, own in own_targets(source).items():
            back, returned = converted(carried(staged), own, tmp_path / f"{number}-back-{name}")
            named = {
                (loss.type, loss.field)
                for done in (there, back)
                for account in done.receipts
                for loss in account.losses
            }
            for session, (_, events) in zip(tree.sessions, written(returned), strict=True):
                ids = {s.ref: d.id for s, d in zip(tree.sessions, returned.drafts, strict=True)}
                found = compare.differences(list(tree.read(session)[1]), events, ids=ids)
                unnamed = [d for d in compare.each(found) if not is_named(d, named)]
                assert unnamed == [], f"{session.ref}: {[str(d) for d in unnamed[:5]]}"


def is_named(difference: compare.Difference, named: set[tuple[str, str | None]]) -> bool:
    """Whether a receipt says that such a difference comes about."""
    kind, name = difference.type, difference.field
    if (kind, name) == ("compaction", "order"):  # it stands beside a message that came or went
        return ("message", None) in named
    whole = name.partition(".")[0] if name else None  # ``usage`` of ``usage.input``
    return bool({(kind, name), (kind, whole), (kind, None)} & named)


SECRET = "sk-"


def test_no_secret_is_carried_on(home: Path, tmp_path: Path) -> None:
    """A tool keeps keys in its sessions; they go nowhere."""
    config = next((home / "clacky/models-key").rglob("*.json")).read_text(encoding="utf-8")
    assert SECRET in config
    key = config[config.index(SECRET) :].split('"')[0]
    for number, (_, tree) in enumerate(trees(home, "clacky/models-key")):
        for target in TARGETS:
            _, staging = converted(tree, FORMATS[target], tmp_path / f"{number}-{target}")
            for part in staging.parts():
                assert key.encode() not in (staging.root / part.path).read_bytes(), target


def test_problems_are_no_sessions(home: Path) -> None:
    """What is converted of damaged files is what can be read."""
    adapter = REGISTRY.adapter("events")
    found_there = [
        item
        for store in stores_below(adapter, home / "events/damaged/store")
        for item in adapter.sessions(store)
    ]
    assert any(isinstance(item, Problem) for item in found_there)
    assert any(isinstance(item, Session) for item in found_there)
