"""What the kernel of a layer is multiplied with: the layer's inputs as rows, in the order of its TFLite weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.keras_model.backend import tensorflow

__all__ = ["has_rows", "input_rows"]

_MAX_ELEMENTS = 1 << 24
"""Of the patches that exist at one time; more samples go in several turns."""

_KINDS = frozenset({"Conv1D", "Conv2D", "Dense", "SeparableConv1D", "SeparableConv2D"})


def has_rows(layer: Any) -> bool:
    """Whether the layer is one product of input rows and its kernel: no depthwise layer, no groups, channels last."""
    return (
        type(layer).__name__ in _KINDS
        and getattr(layer, "groups", 1) == 1
        and getattr(layer, "data_format", "channels_last") == "channels_last"
    )


def input_rows(layer: Any, inputs: Any, positions: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Rows [len(positions), kh * kw * in] of a tf_keras layer that has_rows.

    inputs: the layer's input tensor [n, ...]. positions: ascending indices into the layer's outputs [n, ..., out] with
    all but the last axis flattened. The row times the kernel [out, kh * kw * in] is that output, less the bias.
    """
    tf = tensorflow()
    samples = int(inputs.shape[0])
    first = _patches(layer, inputs[:1])
    per_sample = len(first)
    turn = max(1, _MAX_ELEMENTS // max(1, first.size))
    parts = []
    for start in range(0, samples, turn):
        low, high = np.searchsorted(positions, [start * per_sample, (start + turn) * per_sample])
        if low < high:
            patches = _patches(layer, tf.convert_to_tensor(inputs[start : start + turn]))
            parts.append(patches[positions[low:high] - start * per_sample].astype(np.float64))
    return np.concatenate(parts)


def _patches(layer: Any, inputs: Any) -> npt.NDArray[np.float32]:
    tf = tensorflow()
    kind = type(layer).__name__
    if kind == "Dense":
        rows = inputs
    elif kind.startswith("Conv"):
        image, size, strides, rates, padding = _as_2d(layer, inputs)
        rows = tf.image.extract_patches(image, [1, *size, 1], [1, *strides, 1], [1, *rates, 1], padding)
    else:
        # The pointwise kernel is the one that is pruned: its input is what the depthwise half makes.
        image, size, strides, rates, padding = _as_2d(layer, inputs)
        kernel = tf.reshape(layer.depthwise_kernel, (*size, image.shape[-1], -1))
        # TensorFlow wants equal strides; along an axis of size 1 any will do.
        rows = tf.nn.depthwise_conv2d(image, kernel, [1, max(strides), max(strides), 1], padding, dilations=rates)
    result: npt.NDArray[np.float32] = rows.numpy().reshape(-1, rows.shape[-1])
    return result


def _as_2d(layer: Any, inputs: Any) -> tuple[Any, tuple[int, ...], tuple[int, ...], tuple[int, ...], str]:
    """Image, kernel size, strides, dilations and padding; of a 1-D layer as a picture of height 1."""
    tf = tensorflow()
    size, strides, rates = tuple(layer.kernel_size), tuple(layer.strides), tuple(layer.dilation_rate)
    if len(size) == 2:
        return inputs, size, strides, rates, layer.padding.upper()
    padding = layer.padding.upper()
    if padding == "CAUSAL":
        inputs = tf.pad(inputs, [[0, 0], [rates[0] * (size[0] - 1), 0], [0, 0]])
        padding = "VALID"
    return inputs[:, tf.newaxis], (1, *size), (1, *strides), (1, *rates), padding
