"""What a real board measured, beside the emulator's figures, for the terminal."""

from __future__ import annotations

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from edgesparse.missing import Missing
from edgesparse.report.report import Report
from edgesparse.report.show.totals import number
from edgesparse.result import BuildFigures, DeviceRun

__all__ = ["device_parts"]


def device_parts(report: Report) -> list[RenderableType]:
    """A table of the builds that ran on the board, and why figures are missing; nothing where none did."""
    device = report.device
    if device is None:
        return []
    builds = [
        (name, run, emulated)
        for name, run, emulated in (("sparse", device.sparse, report.sparse), ("dense", device.dense, report.dense))
        if not isinstance(run, Missing)
    ]
    if not builds:
        return []
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column(f"on {report.board.name}, {report.board.clock_hz / 1e6:g} MHz")
    for name, _, _ in builds:
        table.add_column(f"{name}, board", justify="right")
        table.add_column(f"{name}, emulator", justify="right")
    for row, label in enumerate(("cycles", "latency", "stack")):
        table.add_row(label, *(cells[row] for _, run, emulated in builds for cells in (_cells(run), _cells(emulated))))
    shown: list[RenderableType] = [table]
    for name, run, _ in builds:
        exact = run.bit_exact
        shown.append(
            Text(
                f"{name} on the board ({run.probe}, {run.counter}): outputs equal {exact.reference} "
                f"byte for byte on {exact.vectors} inputs"
            )
        )
        if isinstance(run.cycles, Missing):
            shown.append(Text(f"{name} on the board: no cycles: {run.cycles.reason}"))
    return shown


def _cells(run: DeviceRun | BuildFigures) -> tuple[str, str, str]:
    return number(run.cycles, ""), number(run.latency_ms, "ms"), number(run.stack_bytes, "B")
