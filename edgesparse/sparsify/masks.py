"""Masks of a plan's layers, in the layers' own layout, and their application to a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.sparsify.kernels import iter_kernels
from edgesparse.sparsify.patterns import pattern_named
from edgesparse.sparsify.plan import SparsityPlan

__all__ = ["Masks", "apply_masks", "masks_for"]

Masks = dict[str, npt.NDArray[np.bool_]]
"""Layer path -> which weights stay, in the kernel's own (Keras) layout."""


def masks_for(model: Any, plan: SparsityPlan, sparsities: Mapping[str, float] | None = None) -> Masks:
    """Masks from the weights as they are now, for the layers that the plan prunes.

    sparsities: per layer path, in place of the plan's (a schedule on its way there).
    """
    planned = {layer.name: layer for layer in plan.layers if layer.pattern is not None}
    masks: Masks = {}
    for kernel in iter_kernels(model):
        layer = planned.get(kernel.name)
        if layer is not None and layer.pattern is not None:
            sparsity = layer.sparsity if sparsities is None else sparsities[kernel.name]
            masks[kernel.name] = kernel.from_tflite(pattern_named(layer.pattern).mask(kernel.read(), sparsity))
    return masks


def apply_masks(model: Any, masks: Masks) -> None:
    """Multiply the kernels by their masks, in place."""
    for kernel in iter_kernels(model):
        if kernel.name in masks:
            kernel.variable.assign(np.where(masks[kernel.name], kernel.variable.numpy(), np.float32(0)))
