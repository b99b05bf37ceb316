"""OpenCode's session record, as a header. Shared by all of its stores.

    {id, slug, version, projectID, directory, title, parentID?, share?, summary?, permission?,
     revert?, agent?, model?, time{created, updated, compacting?, archived?}}

``version`` is the OpenCode version that created the session. The file stores keep this object;
the database spreads it over columns.
"""

from __future__ import annotations

from finder.jsonio import integer, mapping, string
from finder.model import Json, JsonObject, Label, Ref, Session


def header(
    ref: Ref,
    info: JsonObject,
    *,
    raw: Json,
    messages: int | None = None,
    directory: str | None = None,
    agent: str | None = None,
    model: str | None = None,
) -> Session:
    """The header of one session record.

    Args:
        directory, agent, model: what its messages say, for records that do not.
    """
    time = mapping(info.get("time"))
    return brief(
        ref,
        title=info.get("title"),
        directory=string(info.get("directory")) or directory,
        parent=info.get("parentID"),
        agent=string(info.get("agent")) or agent,
        model=model_name(info) or model,
        created=time.get("created"),
        updated=time.get("updated"),
        archived=time.get("archived"),
        reverted=bool(info.get("revert")),
        messages=messages,
    )._replace(raw=raw)


def brief(  # noqa: PLR0913  (very many are made: a mapping in between takes most of the time)
    ref: Ref,
    *,
    title: Json,
    directory: str | None,
    parent: Json,
    agent: str | None,
    model: str | None,
    created: Json,
    updated: Json,
    archived: Json,
    reverted: bool,
    messages: int | None,
) -> Session:
    """A header without the record, from the values that the record has."""
    title, parent, updated = string(title), string(parent), integer(updated)
    # Most have no label.
    marked = archived or reverted or (title and title[-1] == ")")
    return Session(
        ref=ref,
        title=title or None,
        directory=directory,
        created=integer(created),
        updated=updated,
        parent=Ref(ref.tool, ref.store, parent) if parent else None,
        agent=agent,
        model=model,
        messages=messages,
        archived=integer(archived),
        labels=_labels(bool(archived), reverted, title) if marked else (),
        stamp=None if updated is None else str(updated),
    )


def _labels(archived: bool, reverted: bool, title: str | None) -> tuple[Label, ...]:
    found: list[Label] = []
    if archived:
        found.append("archived")
    if reverted:
        found.append("reverted")
    if _is_fork_title(title):
        # A fork keeps no link to its source; its title is all that tells.
        found += ["forked", "inferred"]
    return tuple(found)


def _is_fork_title(title: str | None) -> bool:
    if not title or not title.endswith(")"):
        return False
    _, mark, number = title[:-1].rpartition(" (fork #")
    return bool(mark) and number.isdigit()


def model_name(info: JsonObject) -> str | None:
    """``provider/model`` from a message or session record."""
    provider, model = string(info.get("providerID")), string(info.get("modelID"))
    if not provider or not model:
        nested = mapping(info.get("model"))
        provider = provider or string(nested.get("providerID"))
        model = model or string(nested.get("modelID")) or string(nested.get("id"))
    return f"{provider}/{model}" if provider and model else model
