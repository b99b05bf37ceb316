"""``python -m tests.bench``: makes the stores, measures, prints a table and writes JSON."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import peers, report, stores
from tests.bench.measure import WrongAnswerError, interleaved
from tests.bench.rows import CLICK, FLOOR, Row, all_rows


def main() -> int:
    """Measure; ends with 1 where a row is outside of its bound, 2 where an answer is wrong."""
    called = _arguments()
    known = all_rows(peers.install() if called.peers else {})
    chosen = _chosen(known, called.rows)
    programs = {row.name: row.program() for row in chosen}
    try:
        measured = interleaved(programs, called.runs, _told)
    except WrongAnswerError as error:
        print(error, file=sys.stderr)
        return 2
    found = report.lines(chosen, measured)
    print(report.table(found))
    document = {"at": datetime.now(UTC).isoformat(), "machine": report.machine(), "rows": found}
    written = called.json or stores.cache_folder() / "bench.json"
    written.write_text(json.dumps(document, indent=2))
    gigabytes = stores.disk_use() / 1e9
    print(f"\nwritten as JSON to {written}; the stores take {gigabytes:.1f} GB", file=sys.stderr)
    return int(any(line["verdict"] == "outside" for line in found))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument("--runs", type=int, default=15, metavar="N", help="runs of each row")
    parser.add_argument(
        "--rows", default="", metavar="TEXT", help="only rows with this in the name; several: a,b"
    )
    parser.add_argument(
        "--peers", action="store_true", help="measure find-session, fast-resume and opencode too"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="default: in the cache folder")
    return parser.parse_args()


def _chosen(known: list[Row], wanted: str) -> list[Row]:
    """The rows that are wanted, and those that they are compared with."""
    texts = [text for text in wanted.split(",") if text]
    if not texts:
        return known
    named = [row for row in known if any(text in row.name for text in texts)]
    needed = {row.name for row in named} | {row.against for row in named} | {FLOOR, CLICK}
    return [row for row in known if row.name in needed]


def _told(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{what}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
