"""L1 regularisation: weights that matter little become exactly zero while the network learns."""

from __future__ import annotations

from typing import Any

from edgesparse.sparsify.data import Training
from edgesparse.sparsify.kernels import iter_kernels
from edgesparse.sparsify.masks import Masks
from edgesparse.sparsify.plan import SparsityPlan
from edgesparse.sparsify.proximal import Proximal
from edgesparse.sparsify.train import prepare, share, train
from edgesparse.sparsify.weight_groups import single_weights

__all__ = ["l1"]


def l1(model: Any, plan: SparsityPlan, training: Training) -> Masks:
    """Train with the Lasso's penalty on every weight that the plan may remove, then prune to it; errors as in train."""
    course = prepare(model, training, option="--method l1")
    plan = share(course, plan)
    shaping = Proximal(course, plan, {kernel.name: single_weights(kernel) for kernel in iter_kernels(model)})
    train(course, shaping)
    return shaping.masks
