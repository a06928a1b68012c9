"""Code, tables, weights and RAM of the corpus (benchmarks/corpus.py), as the working tree builds it.

    python -m benchmarks.sizes [--only NAME ...] [--jobs 2]

Prints a Markdown table, in bytes, of the sparse and the dense build of each entry; the test networks of
EDGESPARSE_TEST_MODELS=folder are in it where that is set.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.builds import Outcome, build, check_tree
from benchmarks.corpus import RefusedError, chosen_corpus

__all__ = ["main", "table"]

ROOT = Path(__file__).resolve().parent.parent

_COLUMNS = ("code", "table", "weight", "flash", "arena", "stack", "ram")
"""The fields of report.json, without `_bytes`."""


def main() -> int:
    """Build, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", action="extend", default=[], metavar="NAME", help="globs of entries")
    parser.add_argument("--jobs", type=int, default=2, help="builds at a time (default 2)")
    arguments = parser.parse_args()
    out = ROOT / "build" / "sizes"
    try:
        entries = chosen_corpus(ROOT, out / "networks", arguments.only, say=_say)
        check_tree(ROOT)
        outcomes = build(entries, {"builds": ROOT}, out, jobs=arguments.jobs, say=_say)["builds"]
    except RefusedError as error:
        _say(f"error: {error}")
        return 2
    print("\n".join(table(outcomes)))
    return 0


def table(outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    """The lines of the table, entries in order of their names."""
    yield f"| entry | build | {' | '.join(_COLUMNS)} |"
    yield "| --- | --- |" + " ---: |" * len(_COLUMNS)
    for name, outcome in sorted(outcomes.items()):
        if not outcome.built:
            yield f"| {name} | {outcome.describe()} |" + " |" * len(_COLUMNS)
            continue
        report = outcome.report()
        for build_name in ("sparse", "dense"):
            cells = " | ".join(_bytes(report[build_name], column) for column in _COLUMNS)
            yield f"| {name} | {build_name} | {cells} |"


def _bytes(figures: Mapping[str, Any], column: str) -> str:
    value = figures.get(f"{column}_bytes")
    return f"{value:,}" if isinstance(value, int) else "-"


def _say(text: str) -> None:
    print(f"sizes: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
