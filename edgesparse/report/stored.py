"""Reads report.json."""

from __future__ import annotations

import json
from pathlib import Path

from edgesparse.errors import InputError, OutputError
from edgesparse.files import read_file
from edgesparse.limits import MAX_REPORT_BYTES
from edgesparse.output import REPORT_NAME
from edgesparse.record import from_json
from edgesparse.report.report import SCHEMA, Report

__all__ = ["read_report", "read_report_at"]


def read_report(folder: Path) -> Report:
    """The report of an output folder; OutputError where there is none, or a damaged one."""
    return _read(folder / REPORT_NAME, folder)


def read_report_at(place: Path) -> Report:
    """The report that is a file, or lies in an output folder; errors as read_report."""
    return read_report(place) if place.is_dir() else _read(place, place)


def _read(path: Path, named: Path) -> Report:
    try:
        report = json.loads(read_file(path, MAX_REPORT_BYTES))
    except FileNotFoundError:
        what = "no such file" if named == path else f"has no {REPORT_NAME}"
        raise OutputError(f"{named}: {what}; give the folder that edgesparse convert wrote") from None
    except (OSError, ValueError, RecursionError) as error:
        raise OutputError(f"{path}: cannot be read: {error}; run edgesparse convert again") from error
    if not isinstance(report, dict) or report.get("schema") != SCHEMA:
        raise OutputError(f"{path}: not a report of schema {SCHEMA}; run edgesparse convert again")
    try:
        return from_json(Report, report)
    except InputError as error:
        raise OutputError(f"{path}: damaged or not complete: {error}; run edgesparse convert again") from error
