"""Where converted sessions go: into a folder, a file, a stream, or the tool's own home."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from finder import sidecar, staging
from finder.adapter import Adapter, Resume
from finder.convert import Conversion
from finder.dataclass import dataclass
from finder.errors import FinderError, UsageError, WriteError
from finder.files import read
from finder.model import Session
from finder.places import Places
from finder.publish import Placed, publish
from finder.registry import Registry
from finder.staging import FileStaging, Staging, StoreStaging
from finder.writing import Installation, safe_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Where everything went.

    Attributes:
        files: that were written, sidecars too.
        store: the tool's own store, after installing.
        resumes: for each tree the tool's command that continues it, after installing.
    """

    files: tuple[Path, ...] = ()
    store: Path | None = None
    resumes: tuple[Resume | None, ...] = ()


def single(done: Conversion) -> Path | None:
    """The one file that all of it is; None: there are several."""
    found = [target.root / part.path for target in done.staged for part in target.parts()]
    return found[0] if len(found) == 1 else None


def to_stream(done: Conversion) -> bytes:
    """The one document that all of it is.

    Raises:
        UsageError: it is several files.
    """
    path = single(done)
    if path is None:
        raise UsageError("this conversion makes several files", hint="--out DIR takes them")
    return read(path)


def default_folders(done: Conversion, target: str, cwd: Path) -> list[Path]:
    """A folder for each tree in the current one, named after the session."""
    return [cwd / f"{safe_name(tree.top.ref.id)}-{target}" for tree in done.trees]


def to_folders(
    done: Conversion, folders: Sequence[Path], target: str, *, replace: bool
) -> Delivery:
    """Put each tree into its folder.

    Raises:
        WriteError: something stands there; nothing was written.
    """
    files: list[Placed] = []
    owned: list[Path] = []
    for number, (staged, folder) in enumerate(zip(done.staged, folders, strict=True)):
        placed = _placed(staged, folder)
        files += placed
        owned += [folder / path for path in staged.owned()]
        if done.sidecars:
            name = f"{safe_name(_top(done, number).ref.id)}{sidecar.ENDING}"
            files.append(_sidecar(done, number, folder / name, placed, target))
    publish(files, replace=replace, owned=owned)
    return Delivery(files=tuple(file.target for file in files))


def to_file(done: Conversion, path: Path, target: str, *, replace: bool) -> Delivery:
    """Put the one file that all of it is where the user wants it."""
    staged = done.staged[0]
    part = staged.parts()[0]
    files = [Placed(source=staged.root / part.path, target=path, mode=part.mode)]
    if done.sidecars:
        beside = path.with_name(path.name + sidecar.ENDING)
        files.append(_sidecar(done, 0, beside, files, target))
    publish(files, replace=replace)
    return Delivery(files=tuple(file.target for file in files))


def _placed(staged: Staging, root: Path) -> list[Placed]:
    return [
        Placed(
            source=staged.root / part.path,
            target=root / part.path,
            mode=part.mode,
            may_stand=not part.visible,
            shared=part.shared,
        )
        for part in staged.parts()
    ]


def _sidecar(
    done: Conversion, number: int, place: Path, files: Sequence[Placed], target: str
) -> Placed:
    own = done.sidecars[number]
    contents = {file.target.relative_to(place.parent): file.source for file in files}
    part = own.parts()[0]
    source = own.root / part.path
    sidecar.seal(source, target, _top(done, number).ref.id, contents)
    return Placed(source=source, target=place, mode=part.mode)


def _top(done: Conversion, number: int) -> Session:
    """The session at the top of a tree, as the target has it."""
    return done.receipts[sum(len(tree.sessions) for tree in done.trees[:number])].session


# -- installing ------------------------------------------------------------------------------


def install(
    done: Conversion, adapter: Adapter, registry: Registry, places: Places, *, replace: bool
) -> Delivery:
    """Put the sessions where their tool finds them.

    Raises:
        UsageError: this format is no tool's live form.
        WriteError: one of them is there already, or it could not be written. Then the tool's
            store is as it was.
    """
    if isinstance(done.staged[0], StoreStaging):
        return _into_store(done, done.staged[0].installation, registry, replace=replace)
    root = adapter.root(places)
    if root is None:
        raise not_installable(adapter)
    files: list[Placed] = []
    owned: list[Path] = []
    for staged in done.staged:
        files += _placed(staged, root)
        owned += [root / path for path in staged.owned()]
    stores = _stores(done, root)
    if not replace:
        for store, identifier in stores:
            _refuse_known(adapter, store, identifier)

    def check() -> None:
        for store, identifier in stores:
            if _installed(adapter, store, identifier) is None:
                raise WriteError(f"{adapter.tool} would not find {identifier}; nothing was changed")

    publish(files, replace=replace, owned=owned, check=check)
    tops = [_top(done, number).ref.id for number in range(len(done.trees))]
    resumes = [
        _resume(adapter, _installed(adapter, store, identifier))
        for store, identifier in stores
        if identifier in tops
    ]
    return Delivery(files=tuple(f.target for f in files), store=root, resumes=tuple(resumes))


def not_installable(adapter: Adapter) -> FinderError:
    """Why there is no installing in this format."""
    return UsageError(
        f"{adapter.target} is not what a tool keeps its sessions in", hint="use --out instead"
    )


def _stores(done: Conversion, root: Path) -> list[tuple[Path, str]]:
    found = []
    for staged in done.staged:
        if isinstance(staged, FileStaging):
            for draft in staged.drafts:
                path = root if draft.store == "." else root / staging.safe(draft.store)
                found.append((path, draft.id))
    return found


def _installed(adapter: Adapter, path: Path, identifier: str) -> Session | None:
    store = adapter.detect(path)
    return staging.found(adapter, store, identifier) if store else None


def _refuse_known(adapter: Adapter, path: Path, identifier: str) -> None:
    known = _installed(adapter, path, identifier)
    # What its tool does not show any more is brought back, not overwritten.
    if known is not None and not {"trashed", "unmigrated"} & set(known.labels):
        raise WriteError(
            f"{adapter.tool} has a session {identifier} already",
            hint="--replace updates it, --new-id adds a copy",
        )


def _resume(adapter: Adapter, session: Session | None) -> Resume | None:
    return adapter.resume(session) if session and adapter.can.resume else None


def _into_store(
    done: Conversion, installation: Installation, registry: Registry, *, replace: bool
) -> Delivery:
    drafts = [d for s in done.staged if isinstance(s, StoreStaging) for d in s.drafts]
    installation.commit(drafts, replace=replace)
    adapter, store = staging.reader(registry, installation.store)
    resumes = []
    for number in range(len(done.trees)):
        identifier = _top(done, number).ref.id
        session = staging.found(adapter, store, identifier)
        if session is None:
            raise WriteError(f"{store.path} does not show {identifier} after it was written")
        resumes.append(_resume(adapter, session))
    return Delivery(store=installation.store, resumes=tuple(resumes))
