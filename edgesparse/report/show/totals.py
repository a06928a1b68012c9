"""The figures of both builds side by side, as text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgesparse.missing import Missing
from edgesparse.report.report import Report
from edgesparse.result import BoardFacts, BuildFigures

__all__ = ["Total", "number", "totals"]

Figure = Callable[[BuildFigures], int | float | Missing]

_ROWS: tuple[tuple[str, Figure, str], ...] = (
    ("flash", lambda build: build.flash_bytes, "B"),
    ("  code", lambda build: build.code_bytes, "B"),
    ("  weights", lambda build: build.weight_bytes, "B"),
    ("  tables", lambda build: build.table_bytes, "B"),
    ("RAM", lambda build: build.ram_bytes, "B"),
    ("  arena", lambda build: build.arena_bytes, "B"),
    ("  stack", lambda build: build.stack_bytes, "B"),
    ("instructions", lambda build: build.instructions, ""),
    ("cycles (estimate)", lambda build: build.cycles, ""),
)


@dataclass(frozen=True)
class Total:
    """One figure. `ratio`: dense / sparse; "-" where there is none."""

    label: str
    dense: str
    sparse: str
    ratio: str


def totals(report: Report) -> tuple[Total, ...]:
    """All of them; the latency at the board's clock, and at the highest where that is another."""
    rows = []
    for label, figure, unit in (*_ROWS, *_latency_rows(report.board)):
        dense, sparse = figure(report.dense), figure(report.sparse)
        rows.append(Total(label, number(dense, unit), number(sparse, unit), _ratio(dense, sparse)))
    return tuple(rows)


def _ratio(dense: int | float | Missing, sparse: int | float | Missing) -> str:
    if isinstance(dense, Missing) or isinstance(sparse, Missing) or not sparse:
        return "-"
    return f"{dense / sparse:.2f}"


def number(value: int | float | Missing, unit: str) -> str:
    """A figure with its unit; two places for a float."""
    if isinstance(value, Missing):
        return "unavailable"
    text = f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"
    return f"{text} {unit}".rstrip()


def _latency_rows(board: BoardFacts) -> list[tuple[str, Figure, str]]:
    rows: list[tuple[int, Figure]] = [(board.clock_hz, lambda build: build.latency_ms)]
    if board.max_clock_hz != board.clock_hz:
        rows.append((board.max_clock_hz, lambda build: build.latency_max_clock_ms))
    return [(f"latency at {clock / 1e6:g} MHz (estimate)", figure, "ms") for clock, figure in rows]
