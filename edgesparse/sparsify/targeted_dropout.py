"""Targeted dropout: the weights that will go drop out at random, so that the network learns to do without them.

Gomez, Zhang, Kamalakara, Madaan, Swersky, Gal and Hinton, "Learning sparse networks using targeted dropout" (2019). The
units of least magnitude, as many as the plan will remove, are the target; each of them is zero in a step with a
probability that rises to RATE. Then the plan's units go, and the others learn on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.keras_model.backend import tensorflow
from edgesparse.sparsify.layerwise import share
from edgesparse.sparsify.patterns import pattern_named
from edgesparse.sparsify.plan import SparsityPlan
from edgesparse.sparsify.settling import Settling
from edgesparse.sparsify.weight_groups import pattern_units
from edgesparse.training.loop import Course, prepare, train
from edgesparse.training.masks import Masks
from edgesparse.training.request import Training

__all__ = ["RATE", "targeted_dropout"]

RATE = 0.9
"""The probability, in the end, that a targeted unit drops out."""


def targeted_dropout(model: Any, plan: SparsityPlan, training: Training) -> Masks:
    """Train with dropout on the weights that the plan will remove, then prune to it; errors as in train."""
    course = prepare(model, training, option="--method targeted-dropout")
    shaping = _Dropping(course, share(course, plan))
    train(course, shaping)
    return shaping.masks


class _Dropping(Settling):
    def __init__(self, course: Course, plan: SparsityPlan) -> None:
        super().__init__(course.model, plan, course.steps)
        self.generator = np.random.default_rng([course.training.seed, 1])
        self.patterns = {name: pattern_named(layer.pattern or "") for name, layer in self.layers.items()}
        tilings = {name: pattern.tiling for name, pattern in self.patterns.items()}
        self.units = {name: pattern_units(self.kernels[name], tiling) for name, tiling in tilings.items()}
        self._factors = {
            name: tensorflow().Variable(np.ones(tuple(kernel.variable.shape), np.float32), trainable=False)
            for name, kernel in self.kernels.items()
        }

    @property
    def factors(self) -> Mapping[str, Any]:
        return self._factors

    def state(self) -> dict[str, npt.NDArray[Any]]:
        return super().state() | {"generator": np.array(json.dumps(self.generator.bit_generator.state))}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        super().restore(state)
        self.generator.bit_generator.state = json.loads(str(state["generator"]))

    def before_step(self, step: int) -> None:
        if step >= self.settles:
            return
        rate = RATE * (step + 1) / self.settles
        for name, factor in self._factors.items():
            kernel, units = self.kernels[name], self.units[name]
            stays = kernel.from_tflite(self.patterns[name].mask(kernel.read(), self.layers[name].sparsity))
            dropped = units.parts[0].spread(self.generator.random(units.count) < rate)
            factor.assign((stays | ~dropped).astype(np.float32))

    def settle(self) -> None:
        for factor in self._factors.values():
            factor.assign(np.ones(tuple(factor.shape), np.float32))
