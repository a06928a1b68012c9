"""Which channels of a network must be removed together, and where in its weights each of them is.

A channel is one index of the last axis of an activation. It is made by one output of a Conv or Dense layer, passes
through what works channel by channel, and is read by the inputs of later Conv and Dense layers. Every index of every
last axis is numbered; what an index of a layer's output is made from gets the same number, and what is added up is
tied:

    conv_a: 0 1 2 3 --> BatchNormalization: 0 1 2 3 --+
                                                      Add: 0 1 2 3 --> Flatten, 2 x 1 x 4: 0 1 2 3 0 1 2 3 --> Dense
    conv_b: 4 5 6 7 ----------------------------------+    (4 = 0, 5 = 1, ...)

So whatever stands between, an axis of a weight loses the indices whose channel goes. Channels that the model's input
or output has, and those that reach a layer that is not understood, are pinned: they stay, with a reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.keras_model.backend import tensorflow
from edgesparse.keras_model.loaded import iter_layers

__all__ = ["OUTPUT_REASON", "RULES", "ChannelAxis", "ChannelGraph", "ChannelGroup", "Rule", "Use", "channel_graph"]

IntArray = npt.NDArray[np.int64]

OUTPUT_REASON = "it is the model's output"

_ELEMENTWISE = frozenset(
    "elu exponential gelu hard_sigmoid leaky_relu linear mish relu relu6 selu sigmoid silu softplus softsign swish"
    " tanh".split()
)
"""Activation functions that work value by value."""


_ELEMENTWISE_FUNCTIONS = frozenset(
    "__operators__.add __operators__.mul __operators__.sub clip_by_value identity math.add math.divide math.maximum"
    " math.minimum math.multiply math.sigmoid math.square math.subtract math.tanh math.truediv nn.elu nn.gelu"
    " nn.leaky_relu nn.relu nn.relu6 nn.selu nn.sigmoid nn.silu nn.swish nn.tanh".split()
)
"""Functions of TensorFlow that work value by value, by the names that TFOpLambda layers give them."""


@dataclass(frozen=True, eq=False)
class ChannelAxis:
    """One axis of one weight of a layer.

    path: of the layer; variable: the tf_keras weight; axis: of it, counted from the front. channels [size of the axis]:
    the number of the channel of each index. role: "out" where the weight makes the channels, "in" where it reads them,
    "along" where it works on each by itself (BatchNormalization, PReLU, depthwise).
    """

    path: str
    variable: Any
    axis: int
    role: str
    channels: IntArray


@dataclass(frozen=True, eq=False)
class ChannelGroup:
    """Channels made by the same layers, tied one to one: they can go one by one, each from all of these at once.

    name: the paths of the layers joined by "+"; layers: these paths; channels [n]: the channels' numbers.
    """

    name: str
    layers: tuple[str, ...]
    channels: IntArray


@dataclass(frozen=True, eq=False)
class ChannelGraph:
    """The channels of one tf_keras model.

    groups: those that can be removed. axes: of all weights that have channels, pinned ones too. outputs: layer path ->
    the channels of its output (where it is used first), the inputs of nested models included. positions: layer path ->
    how many times a run of the model multiplies with its kernel. whole: layer path -> why it keeps all its outputs, for
    layers that make channels or are not understood. count: the channels' numbers are 0 to count - 1.
    """

    groups: tuple[ChannelGroup, ...]
    axes: tuple[ChannelAxis, ...]
    outputs: Mapping[str, IntArray]
    positions: Mapping[str, int]
    whole: Mapping[str, str]
    count: int

    def members(self, group: ChannelGroup) -> list[tuple[ChannelAxis, IntArray]]:
        """The axes that have channels of a group, each with, per index, the position in group.channels, or -1."""
        position = np.full(self.count, -1, np.int64)
        position[group.channels] = np.arange(len(group.channels))
        found = [(axis, position[axis.channels]) for axis in self.axes]
        return [(axis, index) for axis, index in found if (index >= 0).any()]


def channel_graph(model: Any, rules: Mapping[str, Rule] | None = None) -> ChannelGraph:
    """Number and tie the channels of a Functional or Sequential tf_keras model, nested models included.

    Nothing is changed. What is not understood pins the channels that it touches; a layer that is used in several
    places has the channels of all of them tied. rules: by class of layer, RULES by default; others answer other
    questions than what can be removed.
    """
    walk = _Walk(RULES if rules is None else rules)
    inputs = [walk.pinned(_size(tensor), "it is the model's input") for tensor in model.inputs]
    for labels in walk.model("", model, inputs):
        walk.pin(labels, OUTPUT_REASON, first=True)
    return walk.result([path for path, _ in iter_layers(model)])


@dataclass(eq=False)
class _Walk:
    """The numbers while they are given: a forest of tied channels, each root with the reason why it is pinned."""

    rules: Mapping[str, Rule]
    parents: list[int] = field(default_factory=list)
    reasons: dict[int, str] = field(default_factory=dict)
    axes: dict[tuple[str, int, int, str], ChannelAxis] = field(default_factory=dict)
    makers: dict[str, IntArray] = field(default_factory=dict)
    outputs: dict[str, IntArray] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def fresh(self, size: int) -> IntArray:
        start = len(self.parents)
        self.parents.extend(range(start, start + size))
        return np.arange(start, start + size)

    def pinned(self, size: int, reason: str) -> IntArray:
        labels = self.fresh(size)
        self.pin(labels, reason)
        return labels

    def root(self, label: int) -> int:
        while self.parents[label] != label:
            self.parents[label] = self.parents[self.parents[label]]
            label = self.parents[label]
        return label

    def pin(self, labels: IntArray, reason: str, *, first: bool = False) -> None:
        """Keep the first reason, unless this one goes `first`."""
        for root in {self.root(label) for label in labels.tolist()}:
            if first or root not in self.reasons:
                self.reasons[root] = reason

    def tie(self, a: IntArray, b: IntArray) -> None:
        """Index by index; equal sizes."""
        for one, other in zip(a.tolist(), b.tolist(), strict=True):
            low, high = sorted((self.root(one), self.root(other)))
            if low != high:
                self.parents[high] = low
                if high in self.reasons:
                    self.reasons.setdefault(low, self.reasons.pop(high))

    def axis(self, path: str, variable: Any, axis: int, role: str, labels: IntArray) -> None:
        """Note an axis, or tie it to what was noted at another use of the layer."""
        axis %= len(variable.shape)
        known = self.axes.setdefault((path, id(variable), axis, role), ChannelAxis(path, variable, axis, role, labels))
        if known.channels is not labels:
            self.tie(known.channels, labels)

    def same(self, path: str, labels: IntArray) -> None:
        """Note the outputs of a layer that has them in its configuration: the same ones wherever it is used."""
        known = self.outputs.setdefault(path, labels)
        if known is not labels:
            self.tie(known, labels)

    def made(self, path: str, size: int) -> IntArray:
        """The outputs of a layer that makes channels: the same ones wherever it is used."""
        if path not in self.makers:
            self.makers[path] = self.fresh(size)
        return self.makers[path]

    def model(self, prefix: str, model: Any, inputs: Sequence[IntArray]) -> list[IntArray]:
        """Channels of the outputs of a model, from those of its inputs."""
        labels = {id(tensor): channels for tensor, channels in zip(model.inputs, inputs, strict=True)}
        for layer, channels in zip(model._input_layers, inputs, strict=True):
            self.same(f"{prefix}{layer.name}", channels)
        for depth in sorted(model._nodes_by_depth, reverse=True):
            for node in model._nodes_by_depth[depth]:
                if node.is_input:
                    continue
                path = f"{prefix}{node.layer.name}"
                outputs = tensorflow().nest.flatten(node.outputs)
                self.positions[path] = self.positions.get(path, 0) + math.prod(
                    int(size or 1) for size in tuple(outputs[0].shape)[1:-1]
                )
                given = [labels[id(tensor)] for tensor in node.keras_inputs]
                found = self.layer(path, node, given, outputs)
                self.outputs.setdefault(path, found[0])
                labels |= {id(tensor): channels for tensor, channels in zip(outputs, found, strict=True)}
        return [labels[id(tensor)] for tensor in model.outputs]

    def layer(self, path: str, node: Any, inputs: Sequence[IntArray], outputs: Sequence[Any]) -> Sequence[IntArray]:
        """Channels of the outputs of one use of a layer."""
        layer = node.layer
        if hasattr(layer, "layers") and getattr(layer, "_is_graph_network", False):
            return self.model(f"{path}/", layer, inputs)
        rule = self.rules.get(type(layer).__name__)
        use = Use(self, path, layer, node, inputs, tuple(node.keras_inputs), tuple(outputs))
        if path in self.refused:
            return use.refuse("cannot take it at another place")
        if rule is None:
            return use.refuse("is not known to work channel by channel")
        if any(len(given) != _size(tensor) for given, tensor in zip(inputs, node.keras_inputs, strict=True)):
            return use.refuse("has an input of unknown size")
        if getattr(layer, "data_format", "channels_last") != "channels_last":
            return use.refuse("has its channels first")
        return rule(use)

    def result(self, paths: Sequence[str]) -> ChannelGraph:
        """All that was found. paths: of the model's layers, in its order."""
        roots = np.array([self.root(label) for label in range(len(self.parents))], np.int64)
        numbers, compact = np.unique(roots, return_inverse=True)
        makers: list[set[str]] = [set() for _ in numbers]
        for path, labels in self.makers.items():
            for number in compact[labels].tolist():
                makers[number].add(path)
        order = {path: index for index, path in enumerate(paths)}
        members: dict[tuple[str, ...], list[int]] = {}
        for number, root in enumerate(numbers.tolist()):
            if root not in self.reasons:
                members.setdefault(
                    tuple(sorted(makers[number], key=lambda path: order.get(path, len(order)))), []
                ).append(number)
        groups = tuple(
            ChannelGroup("+".join(paths), paths, np.array(channels, np.int64)) for paths, channels in members.items()
        )
        whole = {
            path: self.reasons[reason]
            for path, labels in self.makers.items()
            if (reason := next((root for root in roots[labels].tolist() if root in self.reasons), None)) is not None
        } | self.refused
        return ChannelGraph(
            groups,
            tuple(
                ChannelAxis(axis.path, axis.variable, axis.axis, axis.role, compact[axis.channels])
                for axis in self.axes.values()
            ),
            {path: compact[labels] for path, labels in self.outputs.items()},
            self.positions,
            whole,
            len(numbers),
        )


@dataclass(frozen=True, eq=False)
class Use:
    """One use of a layer: the channels of its inputs, and the tensors."""

    walk: _Walk
    path: str
    layer: Any
    node: Any
    inputs: Sequence[IntArray]
    input_tensors: tuple[Any, ...]
    output_tensors: tuple[Any, ...]

    def refuse(self, why: str) -> list[IntArray]:
        """Pin all inputs and outputs."""
        walk = self.walk
        reason = f"{self.path!r} ({type(self.layer).__name__}) {why}"
        for labels in self.inputs:
            walk.pin(labels, reason)
        # Where it is used elsewhere, what belongs to it there is as fixed as here.
        walk.refused.setdefault(self.path, reason)
        for axis in walk.axes.values():
            if axis.path == self.path:
                walk.pin(axis.channels, reason)
        for known in (walk.makers, walk.outputs):
            if self.path in known:
                walk.pin(known[self.path], reason)
        return [walk.pinned(_size(tensor), reason) for tensor in self.output_tensors]

    def weight(self, variable: Any, axis: int, role: str, labels: IntArray) -> None:
        """Note that an axis of a weight has these channels. role: as of ChannelAxis."""
        self.walk.axis(self.path, variable, axis, role, labels)

    def activated(self, labels: IntArray) -> list[IntArray]:
        """The layer's outputs, behind its activation."""
        name = getattr(self.layer.activation, "__name__", type(self.layer.activation).__name__)
        if name not in _ELEMENTWISE:
            self.walk.pin(labels, f"the activation of {self.path!r} ({name}) works on all channels together")
        return [labels]


Rule = Callable[[Use], Sequence[IntArray]]
"""From one use of a layer the channels of its outputs, with a note of each axis of each weight that has channels."""


def _size(tensor: Any) -> int:
    shape = tensor.shape
    return int(shape[-1] or 0) if shape.rank else 0


def _same(use: Use) -> Sequence[IntArray]:
    """Works on each channel by itself, without weights."""
    return list(use.inputs)


def _activation(use: Use) -> Sequence[IntArray]:
    return use.activated(use.inputs[0])


def _product(use: Use) -> Sequence[IntArray]:
    """Conv1D, Conv2D, Dense: kernel [..., in, out]."""
    if getattr(use.layer, "groups", 1) != 1:
        return use.refuse("has groups")
    return _made(use, use.layer.kernel, use.inputs[0])


def _separable(use: Use) -> Sequence[IntArray]:
    """Depthwise kernel [..., in, multiplier], pointwise kernel [..., in * multiplier, out]."""
    use.weight(use.layer.depthwise_kernel, -2, "along", use.inputs[0])
    return _made(use, use.layer.pointwise_kernel, np.repeat(use.inputs[0], use.layer.depth_multiplier))


def _made(use: Use, kernel: Any, inputs: IntArray) -> Sequence[IntArray]:
    use.weight(kernel, -2, "in", inputs)
    outputs = use.walk.made(use.path, int(kernel.shape[-1]))
    use.weight(kernel, -1, "out", outputs)
    if use.layer.use_bias:
        use.weight(use.layer.bias, -1, "out", outputs)
    return use.activated(outputs)


def _depthwise(use: Use) -> Sequence[IntArray]:
    """Kernel [..., in, multiplier], outputs in * multiplier: those of one input go together."""
    outputs = np.repeat(use.inputs[0], use.layer.depth_multiplier)
    use.weight(use.layer.depthwise_kernel, -2, "along", use.inputs[0])
    if use.layer.use_bias:
        use.weight(use.layer.bias, -1, "along", outputs)
    return use.activated(outputs)


def _normalization(use: Use) -> Sequence[IntArray]:
    if list(use.layer.axis) != [use.input_tensors[0].shape.rank - 1]:
        return use.refuse("normalizes another axis than the last")
    for weight in use.layer.weights:
        use.weight(weight, 0, "along", use.inputs[0])
    return _same(use)


def _prelu(use: Use) -> Sequence[IntArray]:
    if int(use.layer.alpha.shape[-1]) != len(use.inputs[0]):
        return _same(use)  # one slope for all channels
    use.weight(use.layer.alpha, -1, "along", use.inputs[0])
    return _same(use)


def _rescaling(use: Use) -> Sequence[IntArray]:
    if np.size(use.layer.scale) > 1 or np.size(use.layer.offset) > 1:
        return _constant_per_channel(use)
    return _same(use)


def _constant_per_channel(use: Use) -> Sequence[IntArray]:
    """In its configuration, so that its channels stay; mostly they are the model's input, which stays anyway."""
    reason = f"{use.path!r} ({type(use.layer).__name__}) has a constant per channel"
    use.walk.pin(use.inputs[0], reason)
    return _same(use)


def _flatten(use: Use) -> Sequence[IntArray]:
    return _reordered(use, (-1,))


def _reshape(use: Use) -> Sequence[IntArray]:
    shape = tuple(use.output_tensors[0].shape)[1:]
    if None in shape or None in tuple(use.input_tensors[0].shape)[1:]:
        return use.refuse("has an input of unknown size")
    found = _reordered(use, shape)
    use.walk.same(use.path, found[0])
    return found


def _reordered(use: Use, shape: tuple[int, ...]) -> list[IntArray]:
    """The same values in memory order with another shape: fine where the last axis has the same channels everywhere."""
    if None in tuple(use.input_tensors[0].shape)[1:]:
        return use.refuse("has an input of unknown size")
    values = np.broadcast_to(use.inputs[0], tuple(use.input_tensors[0].shape)[1:]).reshape(shape)
    rows = values.reshape(-1, values.shape[-1])
    if (rows != rows[0]).any():
        return use.refuse("mixes channels and positions")
    return [np.ascontiguousarray(rows[0])]


def _permute(use: Use) -> Sequence[IntArray]:
    if use.layer.dims[-1] != len(use.layer.dims):
        return use.refuse("moves the channels to another axis")
    return _same(use)


def _merge(use: Use) -> Sequence[IntArray]:
    """Add, Multiply, ...: value by value, so that equal channels go together."""
    widest = max(use.inputs, key=len)
    for labels in use.inputs:
        if len(labels) == len(widest):
            use.walk.tie(widest, labels)
        else:
            use.walk.pin(labels, f"{use.path!r} ({type(use.layer).__name__}) applies it to all channels")
    return [widest]


def _concatenate(use: Use) -> Sequence[IntArray]:
    rank = use.input_tensors[0].shape.rank
    return [np.concatenate(use.inputs)] if use.layer.axis % rank == rank - 1 else _merge(use)


def _operator(use: Use) -> Sequence[IntArray]:
    """TensorFlow's functions in a Keras graph, as `x + y` makes them: of tensors and single numbers."""
    if use.layer.get_config()["function"] not in _ELEMENTWISE_FUNCTIONS:
        return use.refuse("is not known to work channel by channel")
    tensors = {id(tensor) for tensor in use.input_tensors}
    values = tensorflow().nest.flatten((use.node.call_args, use.node.call_kwargs))
    if any(np.ndim(value) > 0 for value in values if id(value) not in tensors):
        return use.refuse("has a constant that may differ from channel to channel")
    return _merge(use)


RULES: dict[str, Rule] = {
    **dict.fromkeys(("Conv1D", "Conv2D", "Dense"), _product),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _separable),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    **dict.fromkeys(("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"), _merge),
    **dict.fromkeys(
        (
            *("ActivityRegularization", "AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise"),
            *("SpatialDropout1D", "SpatialDropout2D", "ELU", "LeakyReLU", "ReLU", "ThresholdedReLU"),
            *("AveragePooling1D", "AveragePooling2D", "MaxPooling1D", "MaxPooling2D"),
            *("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D"),
            *("Cropping1D", "Cropping2D", "UpSampling1D", "UpSampling2D", "ZeroPadding1D", "ZeroPadding2D"),
            "RepeatVector",
        ),
        _same,
    ),
    "Activation": _activation,
    "BatchNormalization": _normalization,
    "Concatenate": _concatenate,
    "Flatten": _flatten,
    "Normalization": _constant_per_channel,
    "PReLU": _prelu,
    "Permute": _permute,
    "Rescaling": _rescaling,
    "Reshape": _reshape,
    "TFOpLambda": _operator,
}
"""By class of layer: the channels of its outputs. What is not here pins what it touches."""
