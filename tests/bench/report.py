"""The measurements as a table for people and as JSON."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from collections.abc import Iterable, Mapping, Sequence

from tests.bench.measure import Measured
from tests.bench.rows import Row

Line = dict[str, object]


def lines(rows: Sequence[Row], measured: Mapping[str, Measured]) -> list[Line]:
    """One object for each row: ``verdict`` is inside, outside or unknown, or None: no bound."""
    return [_line(row, measured) for row in rows if row.name in measured]


def _line(row: Row, measured: Mapping[str, Measured]) -> Line:
    own, other = measured[row.name], measured.get(row.against)
    ratio = own.median / other.median if other is not None else None
    megabytes = own.kilobytes / 1024
    rate = None
    if row.megabytes is not None and other is not None and own.median > other.median:
        rate = row.megabytes / (own.median - other.median)
    return {
        "row": row.name,
        "seconds": round(own.median, 4),
        "spread": [round(min(own.seconds), 4), round(max(own.seconds), 4)],
        "runs": len(own.seconds),
        "megabytes": round(megabytes, 1),
        "against": row.against,
        "ratio": None if ratio is None else round(ratio, 3),
        "bound": row.bound,
        "megabytes_a_second": None if rate is None else round(rate, 1),
        "least_rate": row.least_rate,
        "most_megabytes": row.most_mb,
        "verdict": _verdict(row, ratio, rate, megabytes),
    }


def _verdict(row: Row, ratio: float | None, rate: float | None, megabytes: float) -> str | None:
    if row.bound is None and row.most_mb is None and row.least_rate is None:
        return None
    if row.most_mb is not None and megabytes > row.most_mb:
        return "outside"
    if ratio is None and (row.bound, row.least_rate) != (None, None):
        return "unknown"  # what it is compared with was not measured
    slow = row.bound is not None and ratio is not None and ratio > row.bound
    slow |= row.least_rate is not None and rate is not None and rate < row.least_rate
    return "outside" if slow else "inside"


def machine() -> dict[str, str | int]:
    """What the numbers were taken on."""
    return {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": f"{platform.system()} {platform.machine()}",
        "processors": len(os.sched_getaffinity(0)) if sys.platform == "linux" else 0,
    }


def table(found: Iterable[Line]) -> str:
    """Markdown, so that it can stand in the README."""
    text = ["| what | ms | ratio to | bound | MB | |", "|---|--:|--:|--:|--:|---|"]
    for line in found:
        ratio = "—" if line["ratio"] is None else f"{line['ratio']:.2f} × {line['against']}"
        bound = "" if line["bound"] is None else f"{line['bound']:.3g}"
        if line["megabytes_a_second"] is not None:
            ratio = f"{line['megabytes_a_second']:.0f} MB/s over {line['against']}"
            bound = "" if line["least_rate"] is None else f"≥ {line['least_rate']}"
        most = "" if line["most_megabytes"] is None else f" of {line['most_megabytes']}"
        milliseconds = float(str(line["seconds"])) * 1000
        text.append(
            f"| {line['row']} | {milliseconds:.0f} | {ratio} | {bound} |"
            f" {line['megabytes']:.0f}{most} | {line['verdict'] or ''} |"
        )
    return "\n".join(text)
