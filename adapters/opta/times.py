"""Opta's times: ISO 8601 text with a zone, always UTC and in milliseconds where Opta wrote it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from finder.model import Json

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = -62_135_596_800_000, 253_402_300_799_999  # years 1 and 9999


def milliseconds(value: Json) -> int | None:
    """Milliseconds since 1970 in UTC; None for what is no time, or one without a zone."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (moment - _EPOCH) // timedelta(milliseconds=1) if moment.tzinfo else None


def text(at: int) -> str:
    """A time as Opta writes it; the nearest one that has a year of four digits."""
    at = max(_FIRST, min(at, _LAST))
    moment = _EPOCH + timedelta(milliseconds=at)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
