"""Masks of a plan's layers, in the layers' own layout."""

from __future__ import annotations

from typing import Any

from edgesparse.keras_model.kernels import iter_kernels
from edgesparse.sparsify.patterns import pattern_named
from edgesparse.sparsify.plan import SparsityPlan
from edgesparse.training.masks import Masks

__all__ = ["masks_for"]


def masks_for(model: Any, plan: SparsityPlan) -> Masks:
    """Masks by magnitude from the weights as they are now, for the layers that the plan prunes."""
    planned = {layer.name: layer for layer in plan.layers if layer.pattern is not None}
    masks: Masks = {}
    for kernel in iter_kernels(model):
        layer = planned.get(kernel.name)
        if layer is not None and layer.pattern is not None:
            mask = pattern_named(layer.pattern).mask(kernel.read(), layer.sparsity)
            masks[kernel.name] = kernel.from_tflite(mask)
    return masks
