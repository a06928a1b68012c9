"""`edgesparse flash`: program a real board, and read the same figures from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgesparse.commands.folder import write_report
from edgesparse.firmware.build import read_twins
from edgesparse.flash import ProbeOptions
from edgesparse.measure.board import BoardRun, run_on_board
from edgesparse.measure.setup import set_up
from edgesparse.missing import Missing
from edgesparse.output import in_place
from edgesparse.progress import Progress
from edgesparse.report.report import Report
from edgesparse.report.stored import read_report
from edgesparse.result import Device

__all__ = ["flash"]


def flash(
    folder: str | Path,
    *,
    probe: str | None = None,
    probe_id: str | None = None,
    gdb_port: str | None = None,
    dense: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> tuple[Report, BoardRun]:
    """Program a real board and measure there; the report with what it said, and what was run.

    probe: a name of edgesparse.flash.PROBERS, by default the board's own. dense: the dense twin.
    dry_run: build, and say what would be run; nothing is written.
    """
    folder = Path(folder)
    with in_place(folder):
        report, twins = read_report(folder), read_twins(folder)
        setup = set_up(report.settings, progress, emulates=False)
        twin = twins.dense if dense else twins.sparse
        options = ProbeOptions(probe=probe, probe_id=probe_id, gdb_port=gdb_port)
        run = run_on_board(folder / twin.name, twin, setup, options, dry_run=dry_run)
        if run.figures is not None:
            before = report.device or Device(
                sparse=Missing("edgesparse flash measures it"), dense=Missing("edgesparse flash --dense measures it")
            )
            device = replace(before, dense=run.figures) if dense else replace(before, sparse=run.figures)
            report = replace(report, device=device)
            write_report(folder, report)
    return report, run
