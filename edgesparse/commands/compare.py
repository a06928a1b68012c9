"""`edgesparse compare`: what got worse from one report to the next."""

from __future__ import annotations

from pathlib import Path

from edgesparse.report.compare import Comparison, compare_reports, parse_percent, parse_points
from edgesparse.report.stored import read_report_at

__all__ = ["compare"]


def compare(
    old: str | Path,
    new: str | Path,
    *,
    tolerance: str = "1%",
    accuracy_tolerance: str = "0.5pt",
    any_board: bool = False,
) -> Comparison:
    """What got worse from one report to the next; output folders or report.json files. See report.compare."""
    share = parse_percent(tolerance, "tolerance")
    points = parse_points(accuracy_tolerance, "accuracy_tolerance")
    reports = [read_report_at(Path(place)) for place in (old, new)]
    return compare_reports(*reports, tolerance=share, accuracy_tolerance=points, any_board=any_board)
