"""Group lasso: the units of the pattern become exactly zero as wholes while the network learns."""

from __future__ import annotations

from typing import Any

from edgesparse.sparsify.data import Training
from edgesparse.sparsify.kernels import iter_kernels
from edgesparse.sparsify.masks import Masks
from edgesparse.sparsify.patterns import pattern_named
from edgesparse.sparsify.plan import SparsityPlan
from edgesparse.sparsify.proximal import Proximal
from edgesparse.sparsify.train import prepare, share, train
from edgesparse.sparsify.weight_groups import pattern_units

__all__ = ["group_lasso"]


def group_lasso(model: Any, plan: SparsityPlan, training: Training) -> Masks:
    """Train with a penalty on the blocks that the plan may remove, then prune to it; errors as in train."""
    course = prepare(model, training, method="group-lasso")
    plan = share(course, plan)
    patterns = {layer.name: layer.pattern for layer in plan.layers if layer.pattern is not None}
    groups = {
        kernel.name: pattern_units(kernel, pattern_named(patterns[kernel.name]).tiling)
        for kernel in iter_kernels(model)
        if kernel.name in patterns
    }
    shaping = Proximal(course, plan, groups)
    train(course, shaping)
    return shaping.masks
