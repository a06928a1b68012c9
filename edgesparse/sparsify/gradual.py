"""Magnitude pruning during training: the weights of least magnitude go step by step, and the others keep learning.

The schedules are TF-MOT's: polynomial rises fast and then ever more slowly (Zhu and Gupta, "To prune, or not to
prune", 2017), constant removes all at once and looks again now and then. The masks are our own, since TF-MOT has blocks
for matrices only: every pattern, on dense layers and on convolutions, and at the end exactly the plan.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgesparse.errors import SettingsError
from edgesparse.keras_model.backend import tfmot
from edgesparse.sparsify.layerwise import share
from edgesparse.sparsify.patterns import pattern_named
from edgesparse.sparsify.plan import SparsityPlan
from edgesparse.sparsify.settling import Settling
from edgesparse.training.loop import prepare, train
from edgesparse.training.masks import Masks
from edgesparse.training.request import Training

__all__ = ["SCHEDULES", "gradual"]

_UPDATES = 50
"""How often the masks change, about."""

Schedule = Callable[[int], tuple[Any, Any]]
"""step -> (whether the masks change, sparsity), as TF-MOT's."""


def gradual(model: Any, plan: SparsityPlan, training: Training) -> Masks:
    """Prune to the plan while training, in place; errors as in train, SettingsError for an unknown schedule."""
    if training.schedule not in SCHEDULES:
        raise SettingsError(f"--schedule: expected one of {', '.join(SCHEDULES)}, got {training.schedule!r}")
    course = prepare(model, training, option="--method gradual")
    plan = share(course, plan)
    shaping = _Gradual(model, plan, course.steps, SCHEDULES[training.schedule])
    train(course, shaping)
    return shaping.masks


def _polynomial(sparsity: float, end: int) -> Schedule:
    schedule: Schedule = tfmot().sparsity.keras.PolynomialDecay(
        initial_sparsity=0.0, final_sparsity=sparsity, begin_step=0, end_step=end, frequency=max(1, end // _UPDATES)
    )
    return schedule


def _constant(sparsity: float, end: int) -> Schedule:
    schedule: Schedule = tfmot().sparsity.keras.ConstantSparsity(
        target_sparsity=sparsity, begin_step=0, end_step=end, frequency=max(1, end // _UPDATES)
    )
    return schedule


SCHEDULES: dict[str, Callable[[float, int], Schedule]] = {"polynomial": _polynomial, "constant": _constant}
"""Name -> (final sparsity, last step) -> schedule."""


class _Gradual(Settling):
    def __init__(self, model: Any, plan: SparsityPlan, steps: int, schedule: Callable[[float, int], Schedule]) -> None:
        super().__init__(model, plan, steps)
        self.schedules = {name: schedule(layer.sparsity, self.settles) for name, layer in self.layers.items()}

    def before_step(self, step: int) -> None:
        if step >= self.settles:
            return
        due_masks: Masks = {}
        for name, schedule in self.schedules.items():
            due, sparsity = schedule(step)
            if bool(due):
                kernel, layer = self.kernels[name], self.layers[name]
                # float32 in TF-MOT: never more than the plan.
                share = min(float(sparsity), layer.sparsity)
                keep = pattern_named(layer.pattern or "").mask(kernel.read(), share)
                due_masks[name] = np.asarray(kernel.from_tflite(keep))
        if due_masks:
            self.hold(self.masks | due_masks)

    def shape(self, _step: int) -> None:
        self._apply()
