"""Cycles with the memories of a named part."""

from __future__ import annotations

from edgesparse.arch.arm_m.timing.model import memory_profile_names
from edgesparse.boards import Board
from edgesparse.emulate import MemoryProfile, Profile
from edgesparse.missing import Missing
from edgesparse.result import Memory

__all__ = ["memory_of", "no_memory_profile"]


def no_memory_profile(board: Board) -> str:
    """Why there is no figure with a part's memories."""
    names = ", ".join(memory_profile_names(board.core.name)) or "none yet for this core"
    waits = f", with {board.flash_wait_states} wait states at its highest clock" if board.flash_wait_states else ""
    return (
        f"board {board.name!r} has no memory profile: cycles and latency are the core's alone, a lower bound where "
        f"weights stream from a part's flash{waits}, as in dense layers; --memory-profile NAME estimates them ({names})"
    )


def memory_of(profile: Profile | str, memory: MemoryProfile | None, board: Board) -> Memory | Missing:
    """Cycles of the slowest vector with the memories. profile: of that vector, or why there is none."""
    if memory is None:
        return Missing(no_memory_profile(board))
    if isinstance(profile, str):
        return Missing(profile)
    cycles = profile.total.memory_cycles or 0
    return Memory(
        profile=memory.name,
        description=memory.description,
        clock_hz=memory.clock_hz,
        cycles=cycles,
        latency_ms=round(cycles / memory.clock_hz * 1000, 4),
        core_only_latency_ms=round(profile.total.cycles / memory.clock_hz * 1000, 4),
        flash_loads=profile.total.flash_loads,
        fetch_wait_cycles=profile.total.fetch_wait,
        data_wait_cycles=profile.total.data_wait,
        error=memory.error,
    )
