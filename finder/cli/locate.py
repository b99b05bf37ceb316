"""The session that an argument of a call names."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from finder.cli import rows
from finder.cli.setting import Setting
from finder.errors import ExitCode, FinderError, NotFoundError
from finder.get import resolve, resolve_path
from finder.library import Entry, Library


def located(
    setting: Setting,
    target: str,
    roots: Sequence[str],
    opened: Callable[[], Library] | None = None,
) -> tuple[Library, Entry]:
    """The session that an argument names, by id, by path, or by its row in the last list.

    `opened` gives the library of these roots, where several arguments share it.
    """
    row = rows.recalled(setting, target, roots)
    if row is not None:
        return _of_row(setting, target, row)
    looks_like_path = target.startswith((".", "~")) or "/" in target or os.sep in target
    if looks_like_path and not roots:
        library = setting.library([target], raw=True)
        return library, resolve_path(library, setting.path(target))
    library = opened() if opened else setting.library(roots, raw=True)
    try:
        return library, resolve(library, target)
    except FinderError as error:
        if error.exit_code != ExitCode.NOT_FOUND or not os.path.lexists(setting.path(target)):
            if isinstance(error, NotFoundError):
                error.hint = rows.hint(setting, target) or error.hint
            raise
    library = setting.library([target], raw=True)
    return library, resolve_path(library, setting.path(target))


def _of_row(setting: Setting, number: str, row: rows.Shown) -> tuple[Library, Entry]:
    library = setting.library(row.roots, raw=True)
    library.lookup([(row.tool, row.id)])
    entry = library.entry((row.tool, row.id))
    if entry is None:
        raise NotFoundError(
            f"row {number} of the last list was {row.tool}:{row.id}, which is not there any more"
        )
    return library, entry
