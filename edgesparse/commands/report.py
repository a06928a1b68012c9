"""`edgesparse report`: report.html of an output folder again."""

from __future__ import annotations

from pathlib import Path

from edgesparse.output import HTML_NAME, in_place, write_text
from edgesparse.report.report import Report
from edgesparse.report.show.html import render_html
from edgesparse.report.stored import read_report

__all__ = ["report"]


def report(folder: str | Path) -> Report:
    """Write report.html of an output folder again, from its report.json."""
    folder = Path(folder)
    with in_place(folder):
        stored = read_report(folder)
        write_text(folder / HTML_NAME, render_html(stored))
    return stored
