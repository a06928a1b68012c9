"""Which channels of a network can each be multiplied by a number that the layers which read them take back.

A channel is made by a kernel or by a batch normalization and read by kernels. Where only positively homogeneous layers
stand between, f(a x) = a f(x) for a > 0, dividing what makes the channel and multiplying what reads it changes nothing:

    conv_a (out: / s) --> ReLU --> max pooling --> conv_b (in: * s)

The walk is that of keras_model.channel_graph with other rules. Kernels that work channel by channel read some channels
and make others. A batch normalization behind a kernel makes channels, since the converter folds it into that kernel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.keras_model.channel_graph import RULES, ChannelGraph, ChannelGroup, IntArray, Rule, Use, channel_graph

__all__ = ["Float64", "ScalableChannels", "rescale_channels", "scalable_channels", "spread"]

Float64 = npt.NDArray[np.float64]

_HOMOGENEOUS = frozenset({"leaky_relu", "linear", "relu"})
"""Activation functions with f(a x) = a f(x) for a > 0."""

_KERNELS = frozenset({"Conv1D", "Conv2D", "Dense", "DepthwiseConv1D", "DepthwiseConv2D"})


@dataclass(frozen=True, eq=False)
class ScalableChannels:
    """graph: its groups can be scaled, weights of role "out" make their channels and those of role "in" read them.

    norms: path of a kernel's layer -> path of the batch normalization that is folded into it.
    """

    graph: ChannelGraph
    norms: Mapping[str, str]

    def outputs_of(self, group: ChannelGroup, path: str) -> IntArray:
        """Of each output of a layer the position in the channels of a group that it makes, -1 for others."""
        position = np.full(self.graph.count, -1, np.int64)
        position[group.channels] = np.arange(len(group.channels))
        return position[self.graph.outputs[path]]


def scalable_channels(model: Any) -> ScalableChannels:
    """Find them in a tf_keras model, nested models included; nothing is changed.

    What is not known to be homogeneous keeps the scale of what it touches: ReLU with a cap, sigmoid, products.
    """
    norms: dict[str, str] = {}

    def normalization(use: Use) -> Sequence[IntArray]:
        kernel = use.input_tensors[0]._keras_history.layer
        if use.layer.gamma is None or type(kernel).__name__ not in _KERNELS or _activation(kernel) != "linear":
            return use.refuse("is not folded into a kernel")
        found = RULES["BatchNormalization"](use)
        use.walk.pin(use.inputs[0], f"{use.path!r} normalizes it")
        if use.path in use.walk.refused:
            return found
        norms[use.path.removesuffix(use.layer.name) + kernel.name] = use.path
        outputs = use.walk.made(use.path, len(use.inputs[0]))
        for weight in (use.layer.gamma, use.layer.beta):
            if weight is not None:
                use.weight(weight, 0, "out", outputs)
        return [outputs]

    graph = channel_graph(model, {**_RULES, "BatchNormalization": normalization})
    return ScalableChannels(graph, norms)


def rescale_channels(graph: ChannelGraph, group: ChannelGroup, scales: Float64) -> None:
    """Divide what makes the channels of a group by scales [n], and multiply what reads them, in place.

    graph: of scalable_channels; the model that it is of then computes the same.
    """
    for axis, position in graph.members(group):
        if axis.role in ("in", "out"):
            factors = spread(scales if axis.role == "in" else 1.0 / scales, position)
            values = np.moveaxis(axis.variable.numpy().astype(np.float64), axis.axis, -1) * factors
            axis.variable.assign(np.moveaxis(values, -1, axis.axis).astype(np.float32))


def spread(scales: Float64, position: IntArray) -> Float64:
    """The scales of a group per index of an axis, 1 for channels of others."""
    return np.where(position >= 0, scales[position], 1.0)


def _activation(layer: Any) -> str:
    return str(getattr(layer.activation, "__name__", type(layer.activation).__name__))


def _activated(use: Use, labels: IntArray) -> list[IntArray]:
    name = _activation(use.layer)
    if name not in _HOMOGENEOUS:
        use.walk.pin(labels, f"the activation of {use.path!r} ({name}) is not positively homogeneous")
    return [labels]


def _kernel(use: Use) -> Sequence[IntArray]:
    (labels,) = RULES[type(use.layer).__name__](use)
    return _activated(use, labels)


def _depthwise(use: Use) -> Sequence[IntArray]:
    """Kernel [..., in, multiplier]: reads its inputs and makes its outputs, noted where they are as many."""
    use.weight(use.layer.depthwise_kernel, -2, "in", use.inputs[0])
    multiplier = int(use.layer.depth_multiplier)
    outputs = use.walk.made(use.path, len(use.inputs[0]) * multiplier)
    if multiplier > 1:
        use.walk.pin(outputs, f"{use.path!r} makes several channels of one")
        return [outputs]
    use.weight(use.layer.depthwise_kernel, -2, "out", outputs)
    if use.layer.use_bias:
        use.weight(use.layer.bias, 0, "out", outputs)
    return _activated(use, outputs)


def _separable(use: Use) -> Sequence[IntArray]:
    """What its depthwise half makes keeps its scale."""
    use.weight(use.layer.depthwise_kernel, -2, "in", use.inputs[0])
    outputs = use.walk.made(use.path, int(use.layer.pointwise_kernel.shape[-1]))
    use.weight(use.layer.pointwise_kernel, -1, "out", outputs)
    if use.layer.use_bias:
        use.weight(use.layer.bias, 0, "out", outputs)
    return _activated(use, outputs)


def _activation_layer(use: Use) -> Sequence[IntArray]:
    return _activated(use, use.inputs[0])


def _relu(use: Use) -> Sequence[IntArray]:
    if use.layer.max_value is not None or use.layer.threshold:
        return use.refuse("is not positively homogeneous")
    return list(use.inputs)


_RULES: dict[str, Rule] = {
    **{
        name: RULES[name]
        for name in (
            *("ActivityRegularization", "AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise"),
            *("SpatialDropout1D", "SpatialDropout2D", "LeakyReLU", "PReLU"),
            *("AveragePooling1D", "AveragePooling2D", "MaxPooling1D", "MaxPooling2D"),
            *("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D"),
            *("Cropping1D", "Cropping2D", "UpSampling1D", "UpSampling2D", "ZeroPadding1D", "ZeroPadding2D"),
            *("Add", "Average", "Maximum", "Minimum", "Subtract"),
            *("Concatenate", "Flatten", "Permute", "RepeatVector", "Reshape"),
        )
    },
    **dict.fromkeys(("Conv1D", "Conv2D", "Dense"), _kernel),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _separable),
    "Activation": _activation_layer,
    "ReLU": _relu,
}
"""By class of layer; BatchNormalization is in scalable_channels. What is not here pins what it touches."""
