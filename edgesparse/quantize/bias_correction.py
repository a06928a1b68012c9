"""Bias correction: int32 biases that take up the mean error which int8 leaves in a layer's outputs.

After Nagel et al., "Data-free quantization through weight equalization and bias correction" (2019), with the means that
samples give. A kernel is linear, so the mean of its outputs follows from the mean of its inputs, before any activation:
of the float file with its weights, and of the int8 file with its own. The difference, per channel, goes to the bias.
Layers are corrected in their order, since a later one makes up for what the earlier ones still do to its inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.graph import Conv2DOptions, DepthwiseConv2DOptions, FloatArray, Graph, Op
from edgesparse.keras_model.backend import quiet, tensorflow
from edgesparse.tflite import objects, read_graph
from edgesparse.tflite.edit import add_buffer, release

__all__ = ["correct_biases"]

Float64 = npt.NDArray[np.float64]

_WEIGHT_OPS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")

_STEPS = 1.0
"""Weights of a pair may differ by this many int8 steps; more, and they are not of the same layer."""

_INT32 = np.iinfo(np.int32)


@dataclass(frozen=True, eq=False)
class _Pair:
    """A layer in both files: its op in the int8 graph, and that in the float graph."""

    int8: Op
    float32: Op


def correct_biases(int8: bytes, float32: bytes, x: FloatArray) -> bytes:
    """The int8 .tflite with other biases: all else is the same, weights included.

    int8, float32: files of the same model. x: samples [n, *input] float32. Layers without a bias, or whose bias
    belongs to several, and those that are not found in the float file stay as they are. Same arguments, same bytes.
    """
    reference = read_graph(float32)
    graph = read_graph(int8)
    pairs = list(_pairs(graph, reference))
    if not pairs:
        return int8
    wanted = {}
    means = _means(float32, x, [pair.float32.inputs[0] for pair in pairs])
    for pair in pairs:
        wanted[pair.int8.inputs[2]] = _mean_outputs(reference, pair.float32, means[pair.float32.inputs[0]])
    model = objects.parse(int8)
    for pair in pairs:
        means = _means(objects.pack(model), x, [pair.int8.inputs[0]])
        error = wanted[pair.int8.inputs[2]] - _mean_outputs(graph, pair.int8, means[pair.int8.inputs[0]])
        _add_to_bias(model, graph, pair.int8, error)
    return objects.pack(model)


def _pairs(graph: Graph, reference: Graph) -> Iterator[_Pair]:
    """Layers whose bias can be corrected: the ops with weights, one by one, where both files have the same."""
    ours, theirs = ([op for op in g.ops if op.kind in _WEIGHT_OPS] for g in (graph, reference))
    if [op.kind for op in ours] != [op.kind for op in theirs]:
        return
    biases = [op.inputs[2] for op in ours if len(op.inputs) > 2]
    for op, other in zip(ours, theirs, strict=True):
        has_bias = len(op.inputs) > 2 and op.inputs[2] >= 0 and biases.count(op.inputs[2]) == 1
        if has_bias and _same_weights(graph, op, reference, other):
            yield _Pair(op, other)


def _same_weights(graph: Graph, op: Op, reference: Graph, other: Op) -> bool:
    ours, theirs = graph.input(op, 1), reference.input(other, 1)
    if ours.shape != theirs.shape or ours.data is None or theirs.data is None or op.options != other.options:
        return False
    difference = np.abs(_real(graph, op, 1) - theirs.data)
    return bool((difference <= _STEPS * _broadcast(ours.quant.scales, ours.quant.axis, ours.shape)).all())


def _means(file: bytes, x: FloatArray, tensors: list[int]) -> Mapping[int, Float64]:
    """Real values of some tensors, [*shape without batch], averaged over the samples [n, *input] float32."""
    lite = tensorflow().lite
    resolver = lite.experimental.OpResolverType
    with quiet():
        interpreter = lite.Interpreter(
            model_content=file,
            num_threads=1,
            experimental_op_resolver_type=resolver.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
        details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
        (given,) = interpreter.get_input_details()
        sums = {tensor: np.zeros(tuple(details[tensor]["shape"])[1:]) for tensor in tensors}
        scale, zero_point = given["quantization"]
        for sample in x:
            if given["dtype"] == np.int8:
                sample = np.clip(np.round(sample / np.float32(scale)) + zero_point, -128, 127).astype(np.int8)
            interpreter.set_tensor(given["index"], sample[np.newaxis])
            interpreter.invoke()
            for tensor in tensors:
                sums[tensor] += interpreter.get_tensor(tensor)[0]
    result = {}
    for tensor in tensors:
        mean = sums[tensor] / len(x)
        scale, zero_point = details[tensor]["quantization"]
        result[tensor] = (mean - zero_point) * scale if scale else mean
    return result


def _mean_outputs(graph: Graph, op: Op, inputs: Float64) -> Float64:
    """Per channel [out] before the activation, over positions, from the mean of the inputs [...]."""
    weights, bias, options = _real(graph, op, 1), _real(graph, op, 2), op.options
    if isinstance(options, Conv2DOptions):
        means = np.einsum("ohwi,hwi->o", weights, _mean_patch(inputs, weights.shape[1:3], options))
    elif isinstance(options, DepthwiseConv2DOptions):
        patch = _mean_patch(inputs, weights.shape[1:3], options)
        means = np.einsum("hwo,hwo->o", weights[0], np.repeat(patch, options.depth_multiplier, axis=2))
    else:
        means = weights @ inputs.reshape(-1, weights.shape[1]).mean(axis=0)
    result: Float64 = means + bias
    return result


def _mean_patch(inputs: Float64, size: tuple[int, ...], options: Conv2DOptions | DepthwiseConv2DOptions) -> Float64:
    """What a kernel of `size` sees of [h, w, in], averaged over its positions: [kh, kw, in]."""
    patches = tensorflow().image.extract_patches(
        inputs[np.newaxis],
        [1, *size, 1],
        [1, options.stride_h, options.stride_w, 1],
        [1, options.dilation_h, options.dilation_w, 1],
        options.padding,
    )
    mean: Float64 = patches.numpy().mean(axis=(0, 1, 2)).reshape(*size, inputs.shape[-1])
    return mean


def _add_to_bias(model: Any, graph: Graph, op: Op, error: Float64) -> None:
    """Add real values [out] to the int32 bias of an op, in place."""
    bias = graph.input(op, 2)
    values = np.asarray(bias.data, np.int64) + np.rint(error / bias.quant.scales).astype(np.int64)
    tensor = model.subgraphs[0].tensors[op.inputs[2]]
    old = tensor.buffer
    tensor.buffer = add_buffer(model, np.clip(values, _INT32.min, _INT32.max).astype(np.int32))
    release(model, old)


def _real(graph: Graph, op: Op, position: int) -> Float64:
    """A constant input as real values."""
    tensor = graph.input(op, position)
    values = np.asarray(tensor.data, np.float64)
    if tensor.quantization is None:
        return values
    quant = tensor.quant
    scales, zero_points = (_broadcast(v, quant.axis, tensor.shape) for v in (quant.scales, quant.zero_points))
    return (values - zero_points) * scales


def _broadcast(values: npt.NDArray[Any], axis: int, shape: tuple[int, ...]) -> Float64:
    """Values per tensor or per index of an axis, in a shape that broadcasts to `shape`."""
    sizes = [1] * len(shape)
    if len(values) > 1:
        sizes[axis] = len(values)
    return values.astype(np.float64).reshape(sizes)
