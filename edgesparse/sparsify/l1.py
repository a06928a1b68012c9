"""L1 regularisation: weights that matter little become exactly zero while the network learns."""

from __future__ import annotations

from typing import Any

from edgesparse.keras_model.kernels import iter_kernels
from edgesparse.sparsify.layerwise import share
from edgesparse.sparsify.plan import SparsityPlan
from edgesparse.sparsify.proximal import Proximal
from edgesparse.sparsify.weight_groups import single_weights
from edgesparse.training.loop import prepare, train
from edgesparse.training.masks import Masks
from edgesparse.training.request import Training

__all__ = ["l1"]


def l1(model: Any, plan: SparsityPlan, training: Training) -> Masks:
    """Train with the Lasso's penalty on every weight that the plan may remove, then prune to it; errors as in train."""
    course = prepare(model, training, option="--method l1")
    plan = share(course, plan)
    shaping = Proximal(course, plan, {kernel.name: single_weights(kernel) for kernel in iter_kernels(model)})
    train(course, shaping)
    return shaping.masks
