"""Networks with one thing wrong: a shape, an option, a scale, a type, a constant, the wiring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import flatbuffers
import numpy as np
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

Rng: TypeAlias = np.random.Generator

_SIZES = (0, 1, 2, 3, 7, 65535, 65536)
_OPTIONS = (-1, 0, 1, 2, 3, 7, 255, 32767, 32768, 65535, 65536, 2**31 - 1)
_SCALES = (1e-38, 1e-30, 1e-12, 1e-8, 1e-3, 1.0, 1e3, 1e9, 1e20, 1e30, 3e38)
_ZERO_POINTS = (-(2**31), -129, -128, -1, 0, 127, 128, 255, 2**31 - 1)
_CHOICES = {
    "padding": 2,
    "fusedActivationFunction": 6,
    "weightsFormat": 2,
    "quantizedBiasType": 3,
}
"""How many values an option has whose number is a name."""
_TYPES = (schema.TensorType.FLOAT32, schema.TensorType.INT32, schema.TensorType.INT8, schema.TensorType.INT64)


def mutant(model: bytes, rng: Rng) -> bytes:
    """A copy of a .tflite file with one thing changed, now and then two."""
    tree = schema.ModelT.InitFromPackedBuf(model, 0)
    for _ in range(1 if rng.integers(0, 4) else 2):
        change = _CHANGES[int(rng.integers(0, len(_CHANGES)))]
        change(tree, rng)
    builder = flatbuffers.Builder(1024)
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _shape(tree: Any, rng: Rng) -> None:
    tensor = _tensor(tree, rng)
    tensor.shape = _other_shape([int(size) for size in tensor.shape], rng)


def _output_shape(tree: Any, rng: Rng) -> None:
    graph = tree.subgraphs[0]
    tensor = graph.tensors[graph.operators[-1].outputs[0]]
    tensor.shape = _other_shape([int(size) for size in tensor.shape], rng)


def _other_shape(shape: list[int], rng: Rng) -> list[int]:
    kind = rng.integers(0, 5)
    axis = int(rng.integers(0, len(shape) + 1))
    if kind == 0:
        return [*shape[:axis], int(rng.choice([1, 2])), *shape[axis:]]
    if kind == 1:
        return [*shape[:axis], *shape[axis + 1 :]]
    if kind == 2:
        return [int(size) for size in rng.permutation(shape)]
    if axis == len(shape):
        return []
    size = int(rng.choice(_SIZES)) if kind == 3 else max(shape[axis] + int(rng.choice([-1, 1])), 0)
    return [*shape[:axis], size, *shape[axis + 1 :]]


def _batch(tree: Any, rng: Rng) -> None:
    """Two of what every activation holds: what TimeDistributed does to a layer."""
    for tensor in tree.subgraphs[0].tensors:
        if len(tensor.shape) and tree.buffers[tensor.buffer].data is None:
            tensor.shape = [2, *(int(size) for size in tensor.shape[1:])]


def _option(tree: Any, rng: Rng) -> None:
    options = tree.subgraphs[0].operators[-1].builtinOptions
    names = [name for name, value in vars(options).items() if isinstance(value, (int, float))] if options else []
    if not names:
        return
    name = names[int(rng.integers(0, len(names)))]
    old = getattr(options, name)
    if isinstance(old, bool):
        value: float = not old
    elif isinstance(old, float):
        value = float(rng.choice([*_SCALES, -1.0, 0.0]))
    elif name in _CHOICES:
        value = int(rng.integers(0, _CHOICES[name]))
    else:
        value = int(rng.choice(_OPTIONS))
    setattr(options, name, value)


def _scale(tree: Any, rng: Rng) -> None:
    quantization = _tensor(tree, rng).quantization
    if quantization is not None and quantization.scale is not None:
        scales = [float(scale) for scale in quantization.scale]
        scales[int(rng.integers(0, len(scales)))] = float(np.float32(rng.choice(_SCALES)))
        quantization.scale = scales


def _zero_point(tree: Any, rng: Rng) -> None:
    quantization = _tensor(tree, rng).quantization
    if quantization is not None and quantization.zeroPoint is not None:
        points = [int(point) for point in quantization.zeroPoint]
        points[int(rng.integers(0, len(points)))] = int(rng.choice(_ZERO_POINTS))
        quantization.zeroPoint = points


def _unquantized(tree: Any, rng: Rng) -> None:
    _tensor(tree, rng).quantization = None


def _type(tree: Any, rng: Rng) -> None:
    _tensor(tree, rng).type = int(rng.choice(_TYPES))


def _constant(tree: Any, rng: Rng) -> None:
    """One value of a constant of integers, such as axes, sizes, padding; or a bias."""
    tensors = [t for t in tree.subgraphs[0].tensors if t.type == schema.TensorType.INT32]
    if tensors:
        buffer = tree.buffers[tensors[int(rng.integers(0, len(tensors)))].buffer]
        values = np.frombuffer(np.asarray(buffer.data, np.uint8).tobytes(), "<i4").copy()
        if values.size:
            values[int(rng.integers(0, values.size))] = rng.choice([-7, -1, 0, 1, 2, 3, 7, 65536, 2**31 - 1])
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)


def _wiring(tree: Any, rng: Rng) -> None:
    """Inputs left out, swapped, repeated; a second output; an output that is the input."""
    graph = tree.subgraphs[0]
    op = graph.operators[int(rng.integers(0, len(graph.operators)))]
    inputs = [int(index) for index in op.inputs]
    kind = rng.integers(0, 6)
    if kind == 0:
        inputs = inputs[:-1]
    elif kind == 1:
        inputs = inputs[::-1]
    elif kind == 2:
        inputs.append(inputs[0])
    elif kind == 3:
        # Not the last of three: TFLite Micro's DEPTHWISE_CONV_2D crashes on a bias of -1.
        inputs[int(rng.integers(0, min(len(inputs), 2)))] = -1
    elif kind == 4:
        op.outputs = [int(op.outputs[0]), len(graph.tensors)]
        graph.tensors.append(graph.tensors[int(op.outputs[0])])
    else:
        graph.outputs = [int(rng.integers(0, len(graph.tensors)))]
    op.inputs = inputs


def _tensor(tree: Any, rng: Rng) -> Any:
    tensors = tree.subgraphs[0].tensors
    return tensors[int(rng.integers(0, len(tensors)))]


_CHANGES: tuple[Callable[[Any, Rng], None], ...] = (
    _shape, _output_shape, _batch, _option, _option, _scale, _zero_point, _unquantized, _type, _constant, _wiring,
)  # fmt: skip
