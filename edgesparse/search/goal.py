"""What a search is for: what must hold of the firmware, and which figure of it is to be small."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from edgesparse.budgets import parse_budget
from edgesparse.errors import SettingsError, shown

__all__ = ["OBJECTIVES", "Costs", "Goal", "parse_duration", "parse_goal"]


@dataclass(frozen=True)
class Costs:
    """What a firmware costs, measured or estimated. latency_ms: 0.0 where no emulator has a clock."""

    instructions: int
    latency_ms: float
    flash_bytes: int
    ram_bytes: int
    weight_bytes: int
    arena_bytes: int
    cycles: int


OBJECTIVES: Mapping[str, Callable[[Costs], float]] = {
    "latency": lambda costs: costs.latency_ms or float(costs.instructions),
    "flash": lambda costs: float(costs.flash_bytes),
    "ram": lambda costs: float(costs.ram_bytes),
}
"""What --minimize takes."""

_LIMITED: Mapping[str, Callable[[Costs], float]] = {
    "flash": lambda costs: costs.flash_bytes,
    "weights": lambda costs: costs.weight_bytes,
    "ram": lambda costs: costs.ram_bytes,
    "arena": lambda costs: costs.arena_bytes,
    "instructions": lambda costs: costs.instructions,
    "cycles": lambda costs: costs.cycles,
    "latency": lambda costs: costs.latency_ms,
}
"""Budgets on what a firmware costs; the others are on how good it is, which is what --within says."""

_WITHIN = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(?:pt)?")

_DURATION = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([smh])")


@dataclass(frozen=True)
class Goal:
    """within: points that may be lost against the dense int8 model, None for as few as the budget allows.

    budget: the text of --budget, or None. minimize: one of OBJECTIVES.
    """

    within: float | None
    budget: str | None
    minimize: str

    def cost(self, costs: Costs) -> float:
        """What is to be small, in the unit of the objective."""
        return OBJECTIVES[self.minimize](costs)

    def excess(self, costs: Costs) -> dict[str, float]:
        """By budget, how far it is passed as a share of it; 0 or less where it is kept."""
        limits = parse_budget(self.budget) if self.budget is not None else ()
        return {limit.name: _LIMITED[limit.name](costs) / max(limit.value, 1e-9) - 1 for limit in limits}


def parse_goal(within: str | None, budget: str | None, minimize: str) -> Goal:
    """SettingsError for what is no goal. Without within and budget, one point may be lost."""
    if minimize not in OBJECTIVES:
        raise SettingsError(f"minimize: expected one of {', '.join(OBJECTIVES)}, got {shown(minimize)}")
    for limit in parse_budget(budget) if budget is not None else ():
        if limit.name not in _LIMITED:
            raise SettingsError(
                f"budget: a search limits {', '.join(_LIMITED)}; --within takes the place of {limit.name}"
            )
    if within is None:
        return Goal(None if budget is not None else 1.0, budget, minimize)
    match = _WITHIN.fullmatch(within.strip())
    if match is None or not 0 < float(match[1]) <= 100:
        raise SettingsError(f"within: expected points from 0 to 100, such as 1pt or 0.5pt, got {shown(within)}")
    return Goal(float(match[1]), budget, minimize)


def parse_duration(text: str) -> float:
    """Seconds of 90s, 20m or 2h; SettingsError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not float(match[1]):
        raise SettingsError(f"timeout: expected a time such as 90s, 20m or 2h, got {shown(text)}")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]
