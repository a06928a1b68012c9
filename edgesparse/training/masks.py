"""Which weights of a model stay, by layer, and what that makes of the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.keras_model.kernels import iter_kernels

__all__ = ["Masks", "apply_masks"]

Masks = dict[str, npt.NDArray[np.bool_]]
"""Layer path -> which weights stay, in the kernel's own (Keras) layout."""


def apply_masks(model: Any, masks: Masks) -> None:
    """Multiply the kernels by their masks, in place."""
    for kernel in iter_kernels(model):
        if kernel.name in masks:
            kernel.variable.assign(np.where(masks[kernel.name], kernel.variable.numpy(), np.float32(0)))
