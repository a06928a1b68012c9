"""What a method does to kernels while they train: the hook of the loop, and masks that stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from edgesparse.keras_model.backend import tensorflow
from edgesparse.keras_model.kernels import Kernel, iter_kernels
from edgesparse.training.masks import Masks

__all__ = ["FixedMasks", "Shaping"]

Tensor: TypeAlias = Any
"""Of TensorFlow, which has no types."""


class Shaping:
    """What a method does to some kernels of a model; this one does nothing."""

    def __init__(self, model: Any, names: set[str]) -> None:
        """names: layer paths."""
        self.kernels: dict[str, Kernel] = {
            kernel.name: kernel for kernel in iter_kernels(model) if kernel.name in names
        }

    @property
    def factors(self) -> Mapping[str, Any]:
        """Layer path -> variable of the kernel's shape: what a step multiplies the kernel with while it computes.

        Gradients pass through the factor; the kernel itself is what the step changes.
        """
        return {}

    def before_step(self, step: int, /) -> None:
        """Called before each step, which are counted from 0."""

    def after_step(self, step: int, /) -> None:
        """Called after each step."""

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """What has changed since the start beside the model's weights, for `restore`."""
        return {}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from a `state`."""

    def sparsity(self) -> float:
        """Zeros / weights of these kernels, now."""
        zeros = sum(kernel.weights - int(np.count_nonzero(kernel.variable.numpy())) for kernel in self.kernels.values())
        return zeros / max(1, sum(kernel.weights for kernel in self.kernels.values()))


class FixedMasks(Shaping):
    """Weights that are masked stay zero."""

    def __init__(self, model: Any, masks: Masks) -> None:
        """masks: which weights stay."""
        super().__init__(model, set(masks))
        self.masks: Masks = masks
        self._tensors: dict[str, Tensor] = {}
        self.hold(masks)

    def hold(self, masks: Masks) -> None:
        """Hold these masks from now on."""
        self.masks = masks
        self._tensors = {name: tensorflow().constant(mask) for name, mask in masks.items()}
        self._apply()

    def after_step(self, _step: int) -> None:
        """See Shaping."""
        self._apply()

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """See Shaping."""
        return {f"mask {name}": np.asarray(mask) for name, mask in self.masks.items()}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """See Shaping."""
        start = "mask "
        self.hold({name.removeprefix(start): mask for name, mask in state.items() if name.startswith(start)})

    def _apply(self) -> None:
        for name, mask in self._tensors.items():
            variable = self.kernels[name].variable
            variable.assign(tensorflow().where(mask, variable, 0.0))
