"""Regularisation that makes weights exactly zero: a proximal step after each step of training.

    minimise  loss(w) + strength * sum over groups g of  sqrt(|g|) * ||w_g||

The proximal step of the penalty shortens each group by learning_rate * strength * sqrt(|g|), and to zero where it is
not longer than that. For groups of one weight it is the soft threshold of the Lasso (Tibshirani, 1996), for larger ones
that of the group lasso (Yuan and Lin, 2006); the steps between are Adam's. Nobody can know the strength that
gives the zeros of a plan, so it is found on the way: it rises while there are fewer zeros than there should be by now,
and falls while there are more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.sparsify.plan import SparsityPlan
from edgesparse.sparsify.settling import Settling
from edgesparse.sparsify.weight_groups import WeightGroups
from edgesparse.training.loop import Course

__all__ = ["Penalty", "Proximal", "due_share", "set_strengths", "speed_of", "strengths_of"]

_FIRST_STRENGTH = 1e-3
_LARGEST_STRENGTH = 0.3
"""Adam moves a weight by up to the learning rate: at 1 nothing could leave zero again."""
_FOUND_IN = 0.3
"""Part of the shaping steps in which the strength can change by a factor of 1000."""
_TOLERANCE = 0.02
"""Distance of the zeros from those that are due at which the strength changes at full speed."""
_REACHED_AT = 0.9
"""Part of the shaping steps after which all zeros are due."""


def due_share(step: int, steps: int) -> float:
    """Part of the zeros that are due after a step of `steps`: rises from 0 to 1, ever more slowly."""
    done = min(1.0, (step + 1) / max(1.0, _REACHED_AT * steps))
    return 1.0 - (1.0 - done) ** 3


def speed_of(steps: int) -> float:
    """The most that the logarithm of a strength changes in one of `steps`."""
    return math.log(1000) / max(1.0, _FOUND_IN * steps)


class Penalty:
    """The penalty on one set of groups, with its strength."""

    def __init__(self, groups: WeightGroups, share: float) -> None:
        """share: of the groups, that should be zero in the end."""
        self.groups, self.share = groups, share
        self.strength = _FIRST_STRENGTH
        self._roots = np.sqrt(groups.sizes())

    def apply(self, learning_rate: float, due: float, speed: float) -> None:
        """The proximal step; then the strength follows.

        due: part of the share that should be zero now. speed: the most that the logarithm of the strength changes.
        """
        norms = self.groups.norms()
        threshold = learning_rate * self.strength * self._roots
        with np.errstate(divide="ignore", invalid="ignore"):
            factors = np.where(norms > threshold, 1.0 - threshold / norms, 0.0)
        self.groups.scale(factors.astype(np.float32))
        missing = self.share * due - float(np.mean(factors == 0.0))
        change = math.exp(speed * min(1.0, max(-1.0, missing / _TOLERANCE)))
        self.strength = min(self.strength * change, _LARGEST_STRENGTH)


def strengths_of(penalties: Sequence[Penalty]) -> npt.NDArray[np.float64]:
    """The strengths as they are now."""
    return np.array([penalty.strength for penalty in penalties], dtype=np.float64)


def set_strengths(penalties: Sequence[Penalty], strengths: npt.NDArray[Any]) -> None:
    """The reverse of strengths_of."""
    for penalty, strength in zip(penalties, strengths.tolist(), strict=True):
        penalty.strength = float(strength)


class Proximal(Settling):
    """Proximal steps on the kernels of a plan, each with a strength of its own; then masks by magnitude."""

    SHARE = 0.5  # what the penalty has shortened needs time to grow again

    def __init__(self, course: Course, plan: SparsityPlan, groups: Mapping[str, WeightGroups]) -> None:
        """groups: layer path -> its groups."""
        super().__init__(course.model, plan, course.steps)
        self.rate: Callable[[int], float] = course.rate
        self.penalties = [Penalty(groups[name], layer.sparsity) for name, layer in self.layers.items()]
        self.speed = speed_of(self.settles)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """See Shaping."""
        return super().state() | {"strengths": strengths_of(self.penalties)}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """See Shaping."""
        super().restore(state)
        set_strengths(self.penalties, state["strengths"])

    def shape(self, step: int) -> None:
        """See Settling."""
        for penalty in self.penalties:
            penalty.apply(self.rate(step), due_share(step, self.settles), self.speed)
