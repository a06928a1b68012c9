"""The kernels of a Keras model, seen in TFLite's layout.

    Keras                               TFLite
    Conv2D           [kh, kw, in, out]  [out, kh, kw, in]
    Conv1D           [k, in, out]       [out, 1, k, in]
    Dense            [in, out]          [out, in]
    DepthwiseConv2D  [kh, kw, in, m]    [1, kh, kw, in * m]

In all but the last, the output axis comes first in TFLite and last in Keras, and the order of the rest is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.graph import FloatArray
from edgesparse.keras_model.loaded import iter_layers

__all__ = ["Kernel", "iter_kernels"]

_ATTRIBUTES = {
    "Conv1D": "kernel",
    "Conv2D": "kernel",
    "Dense": "kernel",
    "DepthwiseConv1D": "depthwise_kernel",
    "DepthwiseConv2D": "depthwise_kernel",
    "SeparableConv1D": "pointwise_kernel",
    "SeparableConv2D": "pointwise_kernel",
}
"""Of a separable convolution the pointwise kernel, which TFLite stores as a CONV_2D of its own."""


@dataclass(frozen=True, eq=False)
class Kernel:
    """One kernel. `name` is the path of its layer; `kind` the layer's class; `variable` the tf_keras weight."""

    name: str
    kind: str
    variable: Any

    @property
    def depthwise(self) -> bool:
        """Whether each output reads one input channel only."""
        return self.kind.startswith("Depthwise")

    @property
    def weights(self) -> int:
        """Number of weights."""
        return int(np.prod(self.variable.shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape in TFLite's layout: (out, kh, kw, in) or (out, in)."""
        return self.to_tflite(np.empty(tuple(self.variable.shape), dtype=np.bool_)).shape

    def read(self) -> FloatArray:
        """The weights in TFLite's layout, float32."""
        result: FloatArray = self.to_tflite(self.variable.numpy().astype(np.float32))
        return result

    def to_tflite(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """An array in the layer's own layout, in TFLite's: [out, kh, kw, in] or [out, in]."""
        if self.depthwise:
            return array.reshape(1, *array.shape[:-2], -1)
        moved = np.moveaxis(array, -1, 0)
        return moved[:, np.newaxis] if moved.ndim == 3 else moved

    def from_tflite(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The reverse of to_tflite."""
        if self.depthwise:
            return array.reshape(tuple(self.variable.shape))
        return np.ascontiguousarray(np.moveaxis(array, 0, -1)).reshape(tuple(self.variable.shape))


def iter_kernels(model: Any) -> Iterator[Kernel]:
    """Yield the kernels of all convolutions and dense layers of a tf_keras model, nested models included."""
    for path, layer in iter_layers(model):
        kind = type(layer).__name__
        if kind in _ATTRIBUTES:
            yield Kernel(path, kind, getattr(layer, _ATTRIBUTES[kind]))
