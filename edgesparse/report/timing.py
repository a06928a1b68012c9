"""Cycles with the memories of a named part, and where an inference spends them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from edgesparse.arch.arm_m.timing.model import memory_profile_names
from edgesparse.boards import Board
from edgesparse.emulate import MemoryProfile, Profile
from edgesparse.missing import unavailable

__all__ = ["memory_fact", "memory_part", "no_memory_profile", "profile_tables"]


def no_memory_profile(board: Board) -> str:
    """Why there is no figure with a part's memories."""
    names = ", ".join(memory_profile_names(board.core.name)) or "none yet for this core"
    waits = f", with {board.flash_wait_states} wait states at its highest clock" if board.flash_wait_states else ""
    return (
        f"board {board.name!r} has no memory profile: cycles and latency are the core's alone, a lower bound where "
        f"weights stream from a part's flash{waits}, as in dense layers; --memory-profile NAME estimates them ({names})"
    )


def memory_part(profile: Profile | str, memory: MemoryProfile | None, board: Board) -> dict[str, Any]:
    """`memory` of `sparse` or `dense`: the slowest vector's. profile: of that vector, or why there is none."""
    if memory is None:
        return unavailable(no_memory_profile(board))
    if isinstance(profile, str):
        return unavailable(profile)
    cycles = profile.total.memory_cycles or 0
    return {
        "profile": memory.name,
        "description": memory.description,
        "clock_hz": memory.clock_hz,
        "cycles": cycles,
        "latency_ms": round(cycles / memory.clock_hz * 1000, 4),
        "core_only_latency_ms": round(profile.total.cycles / memory.clock_hz * 1000, 4),
        "flash_loads": profile.total.flash_loads,
        "fetch_wait_cycles": profile.total.fetch_wait,
        "data_wait_cycles": profile.total.data_wait,
        "error": memory.error,
    }


def memory_fact(report: Mapping[str, Any]) -> str:
    """One line about both builds' `memory`; "" where the report has none."""
    sparse, dense = (report.get(build, {}).get("memory") for build in ("sparse", "dense"))
    if sparse is None or dense is None:
        return ""
    if "unavailable" in sparse:
        return str(sparse["unavailable"])
    return (
        f"with the memories of {sparse['profile']} ({sparse['description']}), estimated: dense "
        f"{dense['cycles']:,} cycles, {dense['latency_ms']:,.2f} ms; sparse {sparse['cycles']:,} cycles, "
        f"{sparse['latency_ms']:,.2f} ms; against published figures: {sparse['error']}"
    )


def profile_tables(profiles: Mapping[str, Any]) -> list[RenderableType]:
    """Tables of `profile` in report.json: layers, functions and the costliest blocks of both builds."""
    parts: list[RenderableType] = []
    for build, profile in profiles.items():
        if "unavailable" in profile:
            parts.append(Text(f"profile of the {build} build: {profile['unavailable']}"))
            continue
        memory = profile["memory_profile"]
        where = f"with the memories of {memory}" if memory else "core alone"
        parts.append(Text(f"profile of the {build} build, vector {profile['vector']}, {where}", style="bold"))
        parts.append(_table(profile["layers"], "layer", memory is not None, ("instructions_per_mac",)))
        parts.append(_table(profile["functions"][:20], "function", memory is not None, ()))
        parts.append(_table(profile["blocks"], "block", memory is not None, ("executed",)))
        for block in profile["blocks"][:3]:
            parts.append(Text(f"{block['name']}, {block['executed']:,} times"))
            parts.extend(Text(f"    {line}") for line in block["disassembly"])
    return parts


def _table(rows: Sequence[Mapping[str, Any]], what: str, has_memory: bool, extra: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column(what, overflow="fold")
    columns = ["instructions", "cycles"]
    columns += ["memory_cycles", "fetch_wait", "data_wait"] if has_memory else []
    columns += ["flash_loads", *extra]
    for column in ("share", *columns):
        table.add_column(column.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(row["name"], f"{row['share']:.1%}", *(_number(row.get(column)) for column in columns))
    return table


def _number(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}"
