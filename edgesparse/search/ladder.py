"""How far a structure goes: when its trial is done, and when the next rung of training is worth its time.

As in asynchronous successive halving (Li et al., 2020): of what has been tried on a rung so far, the better half goes
on. What costs more than the best that holds, or breaks a budget, need not be trained, however good it would become.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from edgesparse.report.judge import Loss
from edgesparse.search.goal import Costs, Goal

__all__ = ["Standing", "holds", "lost", "violations", "worth_going_on"]

_FEWEST_RIVALS = 3
_UNSURE = 0.1
"""Share by which an estimate of costs may pass a budget before the structure is given up."""


@dataclass(frozen=True)
class Standing:
    """A trial so far: its estimated costs, and the loss on each rung that it has been on."""

    costs: Costs
    losses: tuple[Loss, ...]

    @property
    def last(self) -> Loss:
        """On the highest rung."""
        return self.losses[-1]


def lost(loss: Loss, within: float, smallest_error: float) -> float:
    """Points that count as lost: with the standard error on top where the samples can tell such differences at all."""
    return loss.points + (loss.error if smallest_error < within else 0.0)


def violations(standing: Standing, goal: Goal, smallest_error: float) -> Mapping[str, float]:
    """By name, what is broken by how much as a share of what is allowed; 0 or less where it holds."""
    found = dict(goal.excess(standing.costs))
    if goal.within is not None:
        found["within"] = lost(standing.last, goal.within, smallest_error) / goal.within - 1
    return found


def holds(standing: Standing, goal: Goal, smallest_error: float) -> bool:
    """Whether the goal is kept, by the estimates."""
    return all(value <= 0 for value in violations(standing, goal, smallest_error).values())


def worth_going_on(
    standing: Standing, goal: Goal, others: Sequence[Standing], best_cost: float, smallest_error: float
) -> bool:
    """Whether the next rung is worth its time. others: all other trials; best_cost: the least of those that hold."""
    if any(value > _UNSURE for value in goal.excess(standing.costs).values()):
        return False
    if goal.within is not None:
        if holds(standing, goal, smallest_error) or goal.cost(standing.costs) >= best_cost:
            return False
        others = [other for other in others if goal.cost(other.costs) < best_cost]
    rung = len(standing.losses) - 1
    rivals = [other.losses[rung].points for other in others if len(other.losses) > rung]
    return len(rivals) < _FEWEST_RIVALS or standing.last.points <= median(rivals)
