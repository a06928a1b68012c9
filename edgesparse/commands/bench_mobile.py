"""`edgesparse bench-mobile`: the files for phones on the runtimes that phones use."""

from __future__ import annotations

from pathlib import Path

from edgesparse.mobile import bench
from edgesparse.output import in_place
from edgesparse.progress import Progress, silent
from edgesparse.result import MobileBench

__all__ = ["bench_mobile"]


def bench_mobile(
    folder: str | Path, *, threads: int = 1, rounds: int = 5, runs: int = 50, progress: Progress | None = None
) -> MobileBench:
    """Measure the files for phones of an output folder on the installed runtimes, see edgesparse.mobile.measure."""
    with in_place(Path(folder)):
        return bench(Path(folder), threads=threads, rounds=rounds, runs=runs, progress=progress or silent)
