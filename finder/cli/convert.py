"""``finder convert``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from finder import delivery, jsonio, sidecar
from finder.adapter import Adapter
from finder.cli import declare, options
from finder.cli.ending import private_folder
from finder.cli.failure import tell_notes, tell_problems
from finder.cli.locate import located
from finder.cli.output import say, write_bytes, write_json
from finder.cli.setting import Setting
from finder.convert import Conversion, Tree, convert, tree_of
from finder.dataclass import dataclass, field
from finder.delivery import Delivery
from finder.errors import ExitCode, NotFoundError, UsageError
from finder.files import is_folder, write
from finder.library import Entry, Library
from finder.model import Problem
from finder.resume import command_line
from finder.staging import FileStaging, Staging, StoreStaging

if TYPE_CHECKING:
    from finder.documents import Render

_DOCUMENTS = {"markdown": ".md", "html": ".html"}
_SIDECAR = "events"
_ONE_PLACE = "call it twice: once for the tool's home, once for your own folder"
_NOT_AT_HOME = "a tool's home is for its own files: keep all of it with --to events --out PATH"
_RECEIPT_ELSEWHERE = "stdout takes one of them: write the receipt with --receipt FILE"
_NOTHING_BESIDE = "there is nothing beside stdout: --out FILE puts the sidecar at FILE.sidecar"


@declare.command(
    epilog="""
    finder convert ses_5f1c --to opta --install
    finder convert ses_5f1c --to html --out - > session.html
    finder convert ses_5f1c --root backup --to clacky --dry-run
    """,
)
@declare.argument(
    "targets",
    metavar="ID|PATH|LINK...",
    nargs=-1,
    required=True,
    shell_complete=options.completed("session"),
)
@declare.option(
    "--to",
    "to",
    metavar="TARGET",
    required=True,
    help="The format; see finder formats.",
    shell_complete=options.completed("target"),
)
@declare.option(
    "--out",
    metavar="PATH",
    help="A folder, a file, or - for stdout.",
    shell_complete=options.completed("file"),
)
@declare.option(
    "--install", is_flag=True, help="Into the tool's own home, so that it goes on there."
)
@declare.option(
    "--with-subagents/--no-subagents", default=True, help="The sessions below it too (default)."
)
@declare.option("--dry-run", is_flag=True, help="Write nothing; say what would be lost.")
@declare.option("--strict", is_flag=True, help="Write nothing if anything is dropped or changed.")
@declare.option("--replace", is_flag=True, help="Take the place of what stands there.")
@declare.option(
    "--new-id", is_flag=True, help="Add a copy: with another id than it gets each time."
)
@declare.option(
    "--sidecar", "with_sidecar", is_flag=True, help="Put all of it beside, for the way back."
)
@declare.option("--to-cwd", metavar="DIR", help="The working directory that it is to go on in.")
@declare.option("--receipt", metavar="FILE", help="Write the whole receipt there, as JSON.")
@declare.option("--json", "as_json", is_flag=True, help="Print the whole receipt as JSON.")
@options.root
def command(  # noqa: PLR0913  (one parameter for each option)
    setting: Setting,
    targets: tuple[str, ...],
    to: str,
    out: str | None,
    install: bool,
    with_subagents: bool,
    dry_run: bool,
    strict: bool,
    replace: bool,
    new_id: bool,
    with_sidecar: bool,
    to_cwd: str | None,
    receipt: str | None,
    as_json: bool,
    roots: tuple[str, ...],
) -> int:
    """Write sessions in another tool's format, and say exactly what it cannot hold.

    What was written is read back and compared before anything appears. Without --out: a folder
    in the current one, named after the session. LINK is https://HOST/share/SLUG.
    """
    call = Call(
        setting=setting,
        to=to,
        out=out,
        install=install,
        below=with_subagents,
        replace=replace,
        sidecar=with_sidecar,
        salt=str(setting.now) if new_id else "",
        directory=str(setting.path(to_cwd)) if to_cwd else None,
        roots=roots,
    )
    call.check(as_json=as_json)
    with private_folder() as folder:
        done = call.staged(targets, folder)
        if strict:
            done.refuse_losses()
        tell_problems(call.problems)
        tell_notes(call.notes)
        found = None if dry_run else call.delivered(done)
        _tell(call, done, found, receipt, as_json)
    return ExitCode.PARTIAL if call.incomplete else ExitCode.DONE


@dataclass(slots=True, kw_only=True)
class Call:
    """One call of ``convert``.

    Attributes:
        notes: what the user should know besides the losses.
        incomplete: a store could not be read.
    """

    setting: Setting
    to: str
    out: str | None
    install: bool
    below: bool
    replace: bool
    sidecar: bool
    salt: str
    directory: str | None
    roots: tuple[str, ...]
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    incomplete: bool = False
    adapter: Adapter | None = None
    opened: Library | None = None

    def check(self, *, as_json: bool) -> None:
        """
        Raises:
            UsageError: the options contradict each other, or there is no such target.
        """
        streams = self.out == "-"
        for one, other, wrong, hint in (
            ("--install", "--out", self.install and self.out is not None, _ONE_PLACE),
            ("--install", "--sidecar", self.install and self.sidecar, _NOT_AT_HOME),
            ("--out -", "--json", streams and as_json, _RECEIPT_ELSEWHERE),
            ("--out -", "--sidecar", streams and self.sidecar, _NOTHING_BESIDE),
        ):
            if wrong:
                raise UsageError(f"{one} and {other} exclude each other", hint=hint)
        registry = self.setting.registry
        known = {name: one for a in registry.adapters() for name, one in a.targets().items()}
        if self.to not in known and self.to not in _DOCUMENTS:
            names = sorted({*known, *_DOCUMENTS})
            raise UsageError(f"there is no format {self.to!r} to convert to", candidates=names)
        self.adapter = known.get(self.to)
        if self.install and self.adapter is None:
            raise UsageError(f"{self.to} is no tool's format", hint="use --out instead")

    # -- reading -----------------------------------------------------------------------------

    def staged(self, targets: Sequence[str], folder: Path) -> Conversion:
        """All sessions, written in a private folder."""
        trees: dict[object, Tree] = {}
        for number, target in enumerate(targets):
            library, entry = self._located(target, folder, number)
            tree = tree_of(self.setting.registry, library, entry, below=self.below)
            trees.setdefault(entry.session.ref, tree)
            self.problems += [p for p in library.problems if p not in self.problems]
            self.incomplete = self.incomplete or library.incomplete
        chosen = list(trees.values())
        done = convert(
            chosen,
            lambda number: self._staging(folder / f"out{number}"),
            sidecar_for=(lambda n: self._sidecar(folder / f"side{n}")) if self.sidecar else None,
            salt=self.salt,
            directory=self.directory,
            now=self.setting.now,
        )
        self._caution(done)
        return done

    def _located(self, target: str, folder: Path, number: int) -> tuple[Library, Entry]:
        if "://" in target:
            from finder import fetch  # with half of the standard library behind it

            if fetch.is_link(target):
                place = folder / f"link{number}"
                place.mkdir()
                return located(self.setting, str(fetch.shared(target, place)), ())
        try:
            library, entry = located(self.setting, target, self.roots, self._library)
        except NotFoundError:
            beside = sidecar.of_file(self.setting.path(target))
            if beside is None or sidecar.changed(beside):
                raise
            return self._from_sidecar(beside)
        if self.roots or os.path.lexists(self.setting.path(target)):
            beside = sidecar.of_session(entry.session)
            if beside is not None and not (changed := sidecar.changed(beside)):
                return self._from_sidecar(beside)
            if beside is not None:
                self.notes.append(f"{beside} is not used: {changed[0]} has changed since")
        return library, entry

    def _library(self) -> Library:
        """The stores in which ids are looked up; opened once for all of them."""
        if self.opened is None:
            self.opened = self.setting.library(self.roots, raw=True)
        return self.opened

    def _from_sidecar(self, path: Path) -> tuple[Library, Entry]:
        self.notes.append(f"read from {path}, which has all of it")
        return located(self.setting, str(path.absolute()), ())

    # -- writing -----------------------------------------------------------------------------

    def _staging(self, root: Path) -> Staging:
        if self.adapter is None:
            from finder.documents import DocumentStaging

            return DocumentStaging(_DOCUMENTS[self.to], _renderer(self.to), root)
        places = self.setting.places
        installation = self.adapter.installation(places) if self.install else None
        if installation is not None:
            return StoreStaging(self.adapter, installation, self.setting.registry, root)
        if self.install and self.adapter.root(places) is None:
            raise delivery.not_installable(self.adapter)
        return FileStaging(self.adapter, root)

    def _sidecar(self, root: Path) -> Staging:
        return FileStaging(self.setting.registry.adapter(_SIDECAR), root)

    def _caution(self, done: Conversion) -> None:
        if self.adapter is None or not (self.install or self.adapter.can.resume):
            return
        sessions = [account.session for account in done.receipts]
        if self.install:
            self.notes += self.adapter.cautions(self.setting.places, sessions)
        for directory in dict.fromkeys(s.directory for s in sessions if s.directory):
            if not is_folder(Path(directory)):
                self.notes.append(
                    f"the working directory {directory} does not exist here; "
                    "--to-cwd sets another"
                )

    def delivered(self, done: Conversion) -> Delivery:
        """Put everything in its place."""
        setting = self.setting
        if self.out == "-":
            write_bytes(delivery.to_stream(done))
            return Delivery()
        if self.install and self.adapter is not None:
            return delivery.install(
                done, self.adapter, setting.registry, setting.places, replace=self.replace
            )
        path = setting.path(self.out) if self.out else None
        if path is None:
            folders = delivery.default_folders(done, self.to, setting.places.cwd)
        elif delivery.single(done) and path.suffix and not is_folder(path):
            return delivery.to_file(done, path, self.to, replace=self.replace)
        else:
            folders = [path] * len(done.staged)
        return delivery.to_folders(done, folders, self.to, replace=self.replace)


def _renderer(name: str) -> Render:
    if name == "html":
        from finder.render.html import html

        return html
    from finder.render.markdown import markdown

    return markdown


# -- telling -----------------------------------------------------------------------------------


def _tell(
    call: Call, done: Conversion, found: Delivery | None, file: str | None, as_json: bool
) -> None:
    from finder.render.receipt import receipt, summary

    whole = receipt(done, found, call.to, call.notes)
    if file is not None:
        write(call.setting.path(file), jsonio.dumps(whole, indent=True) + b"\n", replace=True)
    if as_json:
        write_json(whole)
        return
    aside = call.out == "-"
    for text in summary(done, call.to, call.setting.room):
        say(text, aside=aside)
    if found is None:
        say("  nothing was written (--dry-run)", aside=aside)
        return
    for text in _whereabouts(found):
        say(text, aside=aside)


def _whereabouts(found: Delivery) -> list[str]:
    from finder.render.text import block

    lines = []
    if found.store is not None:
        lines.append(f"installed in {found.store}")
    elif len(found.files) == 1:
        lines.append(str(found.files[0]))
    elif found.files:
        lines.append(f"{len(found.files)} files, the last of them {found.files[-1]}")
    lines += [command_line(resume) for resume in found.resumes if resume]
    return [f"  {block(text)}" for text in lines]
