"""`edgesparse flash`: program a real board, and read the same figures from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgesparse.boards import load_board
from edgesparse.commands.folder import (
    silent,
    stored_settings,
    write_report,
)
from edgesparse.flash import ProbeOptions
from edgesparse.measure.board import DeviceRun, run_on_board
from edgesparse.measure.runtimes import find_toolchain
from edgesparse.measure.twins import Progress
from edgesparse.missing import unavailable
from edgesparse.output import (
    read_report,
)

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
) -> tuple[dict[str, Any], DeviceRun]:
    """Program a real board and measure there; the updated object of report.json, and what was run.

    probe: a name of edgesparse.flash.PROBERS, by default the board's own. dense: the dense twin.
    dry_run: build, and say what would be run; nothing is written.
    """
    say = progress or silent
    folder = Path(folder)
    report = read_report(folder)
    settings = stored_settings(report)
    board = load_board(settings.board)
    options = ProbeOptions(probe=probe, probe_id=probe_id, gdb_port=gdb_port)
    tools = find_toolchain(settings, board)
    run = run_on_board(folder, settings, board, tools, options, report, say, dense=dense, dry_run=dry_run)
    if not dry_run:
        device = report.setdefault("device", {})
        missing = unavailable("edgesparse flash --dense measures it")
        report["device"] = (
            {**device, "dense": run.figures} if dense else {**run.figures, "dense": device.get("dense", missing)}
        )
        write_report(folder, report)
    return report, run
