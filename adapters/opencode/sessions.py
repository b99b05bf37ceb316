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
    title = string(info.get("title"))
    parent = string(info.get("parentID"))
    updated = integer(time.get("updated"))
    return Session(
        ref=ref,
        title=title or None,
        directory=string(info.get("directory")) or directory,
        created=integer(time.get("created")),
        updated=updated,
        parent=Ref(ref.tool, ref.store, parent) if parent else None,
        agent=string(info.get("agent")) or agent,
        model=model_name(info) or model,
        messages=messages,
        archived=integer(time.get("archived")),
        labels=_labels(info, title),
        stamp=None if updated is None else str(updated),
        raw=raw,
    )


def _labels(info: JsonObject, title: str | None) -> tuple[Label, ...]:
    found: list[Label] = []
    if mapping(info.get("time")).get("archived"):
        found.append("archived")
    if info.get("revert"):
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
    nested = mapping(info.get("model"))
    provider = string(info.get("providerID")) or string(nested.get("providerID"))
    model = string(info.get("modelID")) or string(nested.get("modelID")) or string(nested.get("id"))
    if provider and model:
        return f"{provider}/{model}"
    return model
