"""What a report says of its board: warnings, and what it measured, beside the emulator's figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from edgesparse.boards import Board

__all__ = ["board_warnings", "device_parts"]

_ROWS = (("cycles", "cycles", ""), ("latency", "latency_ms", "ms"), ("stack", "stack_bytes", "B"))


def board_warnings(board: Board) -> list[str]:
    """What a reader must know before figures are believed."""
    if board.verified:
        return []
    return [
        f"board {board.name!r} is unverified: its memories, clocks and probe settings are read from manuals; compare "
        "them with your part before you rely on these figures or program it"
    ]


def device_parts(report: Mapping[str, Any]) -> list[RenderableType]:
    """A table of `device` in report.json, and why figures are missing; nothing where no board was programmed."""
    device = report.get("device", {})
    builds = {"sparse": device, "dense": device.get("dense", {})}
    builds = {name: figures for name, figures in builds.items() if "bit_exact" in figures}
    if not builds:
        return []
    clock = f"{report['board']['clock_hz'] / 1e6:g} MHz"
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column(f"on {report['board']['name']}, {clock}")
    for name in builds:
        table.add_column(f"{name}, board", justify="right")
        table.add_column(f"{name}, emulator", justify="right")
    for label, field, unit in _ROWS:
        values = (
            value for name, figures in builds.items() for value in (figures.get(field), report.get(name, {}).get(field))
        )
        table.add_row(label, *(_number(value, unit) for value in values))
    parts: list[RenderableType] = [table]
    for name, figures in builds.items():
        exact = figures["bit_exact"]
        parts.append(
            Text(
                f"{name} on the board ({figures['probe']}, {figures['counter']}): outputs equal {exact['reference']} "
                f"byte for byte on {exact['vectors']} inputs"
            )
        )
        cycles = figures["cycles"]
        if isinstance(cycles, Mapping):
            parts.append(Text(f"{name} on the board: no cycles: {cycles['unavailable']}"))
    return parts


def _number(value: Any, unit: str) -> str:
    if value is None or isinstance(value, Mapping):
        return "unavailable"
    return f"{value:,.2f} {unit}" if isinstance(value, float) else f"{value:,} {unit}".rstrip()
