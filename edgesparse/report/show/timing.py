"""Cycles with a part's memories, and where an inference spends them, for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from edgesparse.missing import Missing
from edgesparse.report.report import Report
from edgesparse.result import CodeProfile, HotBlock, LayerProfile, ProfilePart

__all__ = ["memory_fact", "profile_tables"]

_FUNCTIONS = 20
_BLOCKS = 3

_Part = TypeVar("_Part", bound=ProfilePart)


def memory_fact(report: Report) -> str:
    """One line about both builds' `memory`, or why there is none."""
    sparse, dense = report.sparse.memory, report.dense.memory
    if isinstance(sparse, Missing):
        return sparse.reason
    if isinstance(dense, Missing):
        return dense.reason
    return (
        f"with the memories of {sparse.profile} ({sparse.description}), estimated: dense "
        f"{dense.cycles:,} cycles, {dense.latency_ms:,.2f} ms; sparse {sparse.cycles:,} cycles, "
        f"{sparse.latency_ms:,.2f} ms; against published figures: {sparse.error}"
    )


def profile_tables(profiles: Mapping[str, CodeProfile | Missing]) -> list[RenderableType]:
    """Layers, functions and the costliest blocks of each build."""
    shown: list[RenderableType] = []
    for build, profile in profiles.items():
        if isinstance(profile, Missing):
            shown.append(Text(f"profile of the {build} build: {profile.reason}"))
            continue
        memory = profile.memory_profile
        where = "core alone" if isinstance(memory, Missing) else f"with the memories of {memory}"
        has_memory = not isinstance(memory, Missing)
        shown.append(Text(f"profile of the {build} build, vector {profile.vector}, {where}", style="bold"))
        shown.append(_table(profile.layers, "layer", has_memory, "instructions per mac", _per_mac))
        shown.append(_table(profile.functions[:_FUNCTIONS], "function", has_memory))
        shown.append(_table(profile.blocks, "block", has_memory, "executed", _executed))
        for block in profile.blocks[:_BLOCKS]:
            shown.append(Text(f"{block.name}, {block.executed:,} times"))
            shown.extend(Text(f"    {line}") for line in block.disassembly)
    return shown


def _table(
    rows: Sequence[_Part], what: str, has_memory: bool, last: str = "", value: Callable[[_Part], str] | None = None
) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column(what, overflow="fold")
    waits = ("memory cycles", "fetch wait", "data wait") if has_memory else ()
    for column in ("share", "instructions", "cycles", *waits, "flash loads", *([last] if last else [])):
        table.add_column(column, justify="right")
    for row in rows:
        waited = (row.memory_cycles, row.fetch_wait, row.data_wait) if has_memory else ()
        counts = (row.instructions, row.cycles, *waited, row.flash_loads)
        cells = ["" if count is None else f"{count:,}" for count in counts]
        table.add_row(row.name, f"{row.share:.1%}", *cells, *([value(row)] if value is not None else []))
    return table


def _per_mac(layer: LayerProfile) -> str:
    return "" if layer.instructions_per_mac is None else f"{layer.instructions_per_mac:.2f}"


def _executed(block: HotBlock) -> str:
    return f"{block.executed:,}"
