"""What the events of messages, tool results and archives are made of."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TypedDict, get_args

from finder import jsonio
from finder.jsonio import mapping, string
from finder.model import Attachment, Json, JsonObject, Label, Labels, Opaque, Role

_ORDER = {label: place for place, label in enumerate(get_args(Label))}
_STRIPPED = "[image stripped]"


class Common(TypedDict):
    """What all events of one message share."""

    record: str
    message: str
    role: Role
    at: int | None


def merged(*labels: Labels) -> Labels:
    """Several sets of labels as one, in the model's order."""
    if not any(labels):  # as nearly always
        return ()
    return tuple(sorted({label for some in labels for label in some}, key=_ORDER.__getitem__))


def as_text(value: Json) -> str:
    """A string as it is, any other value as JSON."""
    return value if isinstance(value, str) else jsonio.dumps(value).decode("utf-8", "replace")


def unknown_block(value: Json, place: int, common: Common, labels: Labels) -> Opaque:
    """A content block that is not modelled; it stands in its message's `raw`."""
    kind = string(mapping(value).get("type")) or jsonio.json_type(value)
    return Opaque(
        kind=kind,
        record=f"{common['record']}.content[{place}]",
        message=common["message"],
        role=common["role"],
        at=common["at"],
        labels=labels,
    )


def attachment(block: JsonObject, common: Common, labels: Labels) -> Attachment:
    """An image or document: OpenAI's ``image_url``, or Anthropic's block with a ``source``."""
    source = mapping(block.get("source"))
    url = string(mapping(block.get("image_url")).get("url")) or string(source.get("url"))
    path = string(block.get("image_path"))
    mime, data = string(source.get("media_type")), string(source.get("data"))
    if url and url.startswith("data:") and ";base64," in url:
        prefix, _, data = url.partition(";base64,")
        mime, url = prefix.removeprefix("data:") or None, None
    if url == _STRIPPED:
        labels, url = merged(labels, ("truncated", "inferred")), None
    return Attachment(
        **common,
        labels=labels,
        name=file_name(path) or string(block.get("title")),
        mime=mime,
        data=data,
        url=url,
        path=path,
    )


def file_name(path: str | None) -> str | None:
    """The last part of a path as any system writes it."""
    return PurePosixPath(path.replace("\\", "/")).name if path else None
