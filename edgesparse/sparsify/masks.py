"""Masks of a plan's layers, in the layers' own layout, and their application to a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.sparsify.kernels import iter_kernels
from edgesparse.sparsify.patterns import pattern_named
from edgesparse.sparsify.plan import SparsityPlan

__all__ = ["Masks", "apply_masks", "masks_for"]

Masks = dict[str, npt.NDArray[np.bool_]]
"""Layer path -> which weights stay, in the kernel's own (Keras) layout."""


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


def apply_masks(model: Any, masks: Masks) -> None:
    """Multiply the kernels by their masks, in place."""
    for kernel in iter_kernels(model):
        if kernel.name in masks:
            kernel.variable.assign(np.where(masks[kernel.name], kernel.variable.numpy(), np.float32(0)))
