"""`edgesparse report`: report.html of an output folder again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgesparse.output import (
    HTML_NAME,
    read_report,
    write_text,
)
from edgesparse.report.show.html import render_stored

__all__ = ["report"]


def report(folder: str | Path) -> dict[str, Any]:
    """Write report.html of an output folder again, from its report.json; returns the object of that, unchanged."""
    folder = Path(folder)
    stored = read_report(folder)
    write_text(folder / HTML_NAME, render_stored(stored))
    return stored
