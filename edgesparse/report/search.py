"""What a search found out, and search.json holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edgesparse.missing import Missing
from edgesparse.record import Json, to_json
from edgesparse.report.judge import Estimate, Loss, Metric
from edgesparse.report.tradeoff import Figures
from edgesparse.result import BoardFacts, Source
from edgesparse.settings import Settings

__all__ = ["SCHEMA", "Aim", "Chosen", "Climbed", "Found", "Ratios", "Tried", "front_of"]

SCHEMA: Literal[1] = 1


@dataclass(frozen=True)
class Climbed:
    """One rung of a trial: the sparse int8 network on the validation samples, and its loss against the dense one."""

    rung: str
    validation: Estimate
    loss: Loss
    sparsity: float


@dataclass(frozen=True)
class Tried:
    """One trial: a structure, and how far it was trained. Costs are estimates, relative to the dense build's.

    cost: what was to be small. holds: whether the goal is kept by the estimates. failed: why it went no further, "".
    """

    number: int
    pattern: str
    sparsity: float
    channels: float
    rungs: tuple[Climbed, ...]
    instructions: int
    flash_bytes: int
    ram_bytes: int
    cost: float
    holds: bool
    failed: str


@dataclass(frozen=True)
class Aim:
    """What was searched for. within: points, or missing. budget: as given, "" for none."""

    within: float | Missing
    budget: str
    minimize: str


@dataclass(frozen=True)
class Chosen:
    """The firmware that was taken: built, run, bit-exact. loss: on the test samples, against the dense int8 model.

    folder: its output folder. command: what makes it again, alone.
    """

    number: int
    folder: str
    settings: Settings
    command: str
    figures: Figures
    loss: Loss


@dataclass(frozen=True)
class Ratios:
    """The dense firmware's figure divided by the chosen one's."""

    instructions: float | Missing
    cycles: float | Missing
    flash: float
    ram: float | Missing


@dataclass(frozen=True)
class Found:
    """All of a search. front: numbers of the trials that no cheaper one equals on the validation samples.

    blocked: why there is no choice, a line each. seconds: of this run, without what an earlier one did.
    """

    schema: Literal[1]
    edgesparse: str
    source: Source
    board: BoardFacts
    data: str
    metric: Metric
    aim: Aim
    float: Estimate | Missing
    dense: Figures
    trials: tuple[Tried, ...]
    front: tuple[int, ...]
    chosen: Chosen | Missing
    ratios: Ratios | Missing
    blocked: tuple[str, ...]
    warnings: tuple[str, ...]
    stopped: str
    seconds: int

    def to_json(self) -> Json:
        """The object of search.json."""
        return to_json(self)


def front_of(trials: Sequence[Tried]) -> tuple[int, ...]:
    """Numbers of the trials on the front of cost against loss on validation, the cheapest first."""
    rated = sorted((trial.cost, trial.rungs[-1].loss.points, trial.number) for trial in trials if trial.rungs)
    found, best = [], float("inf")
    for _, points, number in rated:
        if points < best:
            best = points
            found.append(number)
    return tuple(found)
