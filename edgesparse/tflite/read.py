"""An int8 .tflite file as a Graph. Everything the later stages rely on is checked here."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from edgesparse.errors import ModelError, shown
from edgesparse.graph import (
    BinaryOptions,
    ConcatenationOptions,
    Conv2DOptions,
    DepthwiseConv2DOptions,
    FullyConnectedOptions,
    Graph,
    LeakyReluOptions,
    MeanOptions,
    NoOptions,
    Op,
    OpOptions,
    Pool2DOptions,
    Quantization,
    ResizeNearestOptions,
    SoftmaxOptions,
    Tensor,
)
from edgesparse.limits import MAX_AXES, MAX_ELEMENTS, MAX_MODEL_BYTES, MAX_OPS
from edgesparse.tflite import flatbuffer, schema
from edgesparse.tflite.flatbuffer import Table
from edgesparse.tflite.names import layer_names

__all__ = ["read_graph"]

_INDEX_BYTES = 40
"""Of an index in a tuple."""


class _Account:
    """What a model may still take in memory. Tables of a flatbuffer may share vectors, which are a copy each here."""

    def __init__(self) -> None:
        self._left = MAX_MODEL_BYTES

    def take(self, size: int, where: str) -> None:
        """ModelError where too little is left."""
        self._left -= size
        if self._left < 0:
            raise ModelError(
                f"{where}: with it the model takes more than {MAX_MODEL_BYTES:,} bytes; no board has as much"
            )


def read_graph(data: bytes) -> Graph:
    """Read a .tflite flatbuffer with one subgraph, static shapes and batch 1.

    Tensors keep the file's order. Op names come from the Keras layers that the tensor names mention.
    ModelError says what is damaged or not supported.
    """
    account = _Account()
    account.take(len(data), "the file")
    model = flatbuffer.root(data, schema.FILE_IDENTIFIER)
    version = model.uint32(0)
    if version != schema.SCHEMA_VERSION:
        raise ModelError(f"the file has TFLite schema version {version}, expected {schema.SCHEMA_VERSION}")
    subgraphs = model.tables(2)
    if len(subgraphs) != 1:
        raise ModelError(f"the file has {len(subgraphs)} subgraphs, expected 1; control flow is not supported")
    codes = tuple(_operator_name(code) for code in model.tables(1))
    buffers = tuple(_buffer(table, data) for table in model.tables(4))
    subgraph = subgraphs[0]
    tensors = tuple(_tensor(index, table, buffers, account) for index, table in enumerate(subgraph.tables(0)))
    operators = [
        _operator(index, table, codes, account) for index, table in enumerate(subgraph.tables(3, most=MAX_OPS))
    ]
    outputs_text = [tensors[o[2][0]].name if o[2] and 0 <= o[2][0] < len(tensors) else "" for o in operators]
    names = layer_names([kind for kind, _, _, _ in operators], outputs_text)
    ops = tuple(
        Op(name=name, kind=kind, inputs=inputs, outputs=outputs, options=options)
        for name, (kind, inputs, outputs, options) in zip(names, operators, strict=True)
    )
    inputs, outputs = (_indices(subgraph, field, account, "the model") for field in (1, 2))
    graph = Graph(tensors=tensors, ops=ops, inputs=inputs, outputs=outputs)
    _check_topology(graph)
    return graph


def _operator_name(table: Table) -> str:
    code = max(table.int8(0), table.int32(3))
    if not 0 <= code < len(schema.BUILTIN_OPERATORS):
        return f"BUILTIN_{code}"
    name = schema.BUILTIN_OPERATORS[code]
    return f"CUSTOM:{table.text(1)}" if name == "CUSTOM" else name


def _buffer(table: Table, data: bytes) -> npt.NDArray[np.uint8]:
    offset, size = table.uint64(1), table.uint64(2)
    if offset > 1:  # written behind the flatbuffer, for files near 2 GB
        if offset + size > len(data):
            raise ModelError(f"damaged file: a buffer of {size} bytes at {offset} runs past the end ({len(data)})")
        return np.frombuffer(data, np.uint8, count=size, offset=offset)
    return table.array(0, "u1")


def _tensor(index: int, table: Table, buffers: tuple[npt.NDArray[np.uint8], ...], account: _Account) -> Tensor:
    name = table.text(3) or f"tensor_{index}"
    where = f"tensor {index} ({shown(name)})"
    type_code = table.int8(1)
    type_name = schema.TENSOR_TYPES[type_code] if 0 <= type_code < len(schema.TENSOR_TYPES) else str(type_code)
    if type_name not in schema.DTYPES:
        raise ModelError(f"{where}: type {type_name} is not supported; convert with int8 full-integer quantization")
    dtype = np.dtype(schema.DTYPES[type_name])
    shape = _shape(table, where)
    account.take(4 * len(name) + math.prod(shape) * dtype.itemsize, where)
    if table.table(6) is not None:
        raise ModelError(f"{where} is stored in TFLite's sparsity encoding; give the dense file, model.int8.tflite")
    if table.boolean(5):
        raise ModelError(f"{where} is a variable; models with state are not supported")
    buffer_index = table.uint32(2)
    if buffer_index >= len(buffers):
        raise ModelError(f"{where}: buffer {buffer_index} does not exist (the file has {len(buffers)})")
    raw = buffers[buffer_index]
    data = None
    if raw.size:
        expected = math.prod(shape) * dtype.itemsize
        if raw.size != expected:
            raise ModelError(f"{where}: holds {raw.size} bytes, expected {expected} for {type_name} {list(shape)}")
        data = np.frombuffer(raw.tobytes(), dtype).reshape(shape)
    return Tensor(
        name=name,
        shape=shape,
        dtype=dtype,
        quantization=_quantization(table.table(4), shape, where, account),
        data=data,
    )


def _shape(table: Table, where: str) -> tuple[int, ...]:
    sizes = table.array(0, "<i4")
    if sizes.size > MAX_AXES:
        raise ModelError(f"{where} has {sizes.size:,} axes; at most {MAX_AXES}")
    shape = tuple(int(n) for n in sizes)
    if any(n < 0 for n in shape):
        raise ModelError(f"{where}: shape {list(shape)} is not a static shape; export the model with batch 1")
    if math.prod(max(n, 1) for n in shape) > MAX_ELEMENTS:
        raise ModelError(f"{where}: shape {list(shape)} holds more than {MAX_ELEMENTS:,} values; no board has as much")
    return shape


def _quantization(table: Table | None, shape: tuple[int, ...], where: str, account: _Account) -> Quantization | None:
    if table is None:
        return None
    scales, zero_points = table.array(2, "<f4"), table.array(3, "<i8")
    if not scales.size:
        return None
    account.take(scales.nbytes + zero_points.nbytes, where)
    axis = table.int32(6)
    if scales.size > 1:
        if not 0 <= axis < len(shape) or shape[axis] != scales.size:
            raise ModelError(f"{where}: {scales.size} scales along axis {axis} do not fit the shape {list(shape)}")
    else:
        axis = 0
    if not (np.all(np.isfinite(scales)) and np.all(scales > 0)):
        raise ModelError(f"{where}: a quantization scale is not a positive number")
    if zero_points.size not in (0, 1, scales.size):
        raise ModelError(f"{where}: {zero_points.size} zero points do not fit {scales.size} scales")
    for point in zero_points[zero_points != zero_points.astype(np.int32)]:
        raise ModelError(f"{where}: the zero point {point} does not fit 32 bits")
    points = np.zeros(scales.size, np.int32)
    if zero_points.size:
        points[:] = zero_points
    return Quantization(scales=scales.copy(), zero_points=points, axis=axis)


def _indices(table: Table, field: int, account: _Account, where: str) -> tuple[int, ...]:
    indices = table.array(field, "<i4")
    account.take(_INDEX_BYTES * indices.size, where)
    return tuple(int(i) for i in indices)


def _operator(
    index: int, table: Table, codes: tuple[str, ...], account: _Account
) -> tuple[str, tuple[int, ...], tuple[int, ...], OpOptions]:
    code = table.uint32(0)
    if code >= len(codes):
        raise ModelError(f"damaged file: op {index} has operator code {code}, the file lists {len(codes)}")
    kind = codes[code]
    parse = _OPTIONS.get(kind)
    options: OpOptions = NoOptions()
    if parse is not None:
        parsed = table.table(4)
        if parsed is None:
            raise ModelError(f"op {index} ({kind}): its options are missing")
        options = parse(parsed, f"op {index} ({kind})")
    inputs, outputs = (_indices(table, field, account, f"op {index} ({kind})") for field in (1, 2))
    return kind, inputs, outputs, options


def _choice(names: tuple[str, ...], code: int, what: str, where: str) -> str:
    if not 0 <= code < len(names):
        raise ModelError(f"{where}: {what} code {code} is not supported; known: {', '.join(names)}")
    return names[code]


def _activation(table: Table, field: int, where: str) -> str:
    return _choice(schema.ACTIVATIONS, table.int8(field), "fused activation", where)


def _padding(table: Table, field: int, where: str) -> str:
    return _choice(schema.PADDINGS, table.int8(field), "padding", where)


def _positive(where: str, **values: int) -> None:
    for name, value in values.items():
        if value < 1:
            raise ModelError(f"{where}: {name} is {value}, expected 1 or more")


def _conv_2d(table: Table, where: str) -> OpOptions:
    options = Conv2DOptions(
        padding=_padding(table, 0, where),
        stride_w=table.int32(1),
        stride_h=table.int32(2),
        activation=_activation(table, 3, where),
        dilation_w=table.int32(4, 1),
        dilation_h=table.int32(5, 1),
    )
    _positive(
        where,
        stride_h=options.stride_h,
        stride_w=options.stride_w,
        dilation_h=options.dilation_h,
        dilation_w=options.dilation_w,
    )
    return options


def _depthwise_conv_2d(table: Table, where: str) -> OpOptions:
    options = DepthwiseConv2DOptions(
        padding=_padding(table, 0, where),
        stride_w=table.int32(1),
        stride_h=table.int32(2),
        depth_multiplier=table.int32(3),
        activation=_activation(table, 4, where),
        dilation_w=table.int32(5, 1),
        dilation_h=table.int32(6, 1),
    )
    _positive(
        where,
        stride_h=options.stride_h,
        stride_w=options.stride_w,
        dilation_h=options.dilation_h,
        dilation_w=options.dilation_w,
    )
    return options


def _pool_2d(table: Table, where: str) -> OpOptions:
    options = Pool2DOptions(
        padding=_padding(table, 0, where),
        stride_w=table.int32(1),
        stride_h=table.int32(2),
        filter_w=table.int32(3),
        filter_h=table.int32(4),
        activation=_activation(table, 5, where),
    )
    _positive(
        where,
        stride_h=options.stride_h,
        stride_w=options.stride_w,
        filter_h=options.filter_h,
        filter_w=options.filter_w,
    )
    return options


def _fully_connected(table: Table, where: str) -> OpOptions:
    if table.int8(1) != 0:
        raise ModelError(f"{where}: shuffled weights are not supported")
    return FullyConnectedOptions(activation=_activation(table, 0, where), keep_num_dims=table.boolean(2))


_OPTIONS: dict[str, Callable[[Table, str], OpOptions]] = {
    "CONV_2D": _conv_2d,
    "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
    "AVERAGE_POOL_2D": _pool_2d,
    "MAX_POOL_2D": _pool_2d,
    "FULLY_CONNECTED": _fully_connected,
    "ADD": lambda table, where: BinaryOptions(activation=_activation(table, 0, where)),
    "MUL": lambda table, where: BinaryOptions(activation=_activation(table, 0, where)),
    "SUB": lambda table, where: BinaryOptions(activation=_activation(table, 0, where)),
    "CONCATENATION": lambda table, where: ConcatenationOptions(
        axis=table.int32(0), activation=_activation(table, 1, where)
    ),
    "SOFTMAX": lambda table, _: SoftmaxOptions(beta=table.float32(0, 0.0)),
    "MEAN": lambda table, _: MeanOptions(keep_dims=table.boolean(0)),
    "REDUCE_MAX": lambda table, _: MeanOptions(keep_dims=table.boolean(0)),
    "LEAKY_RELU": lambda table, _: LeakyReluOptions(alpha=table.float32(0, 0.0)),
    "RESIZE_NEAREST_NEIGHBOR": lambda table, _: ResizeNearestOptions(
        align_corners=table.boolean(0), half_pixel_centers=table.boolean(1)
    ),
}


def _check_topology(graph: Graph) -> None:
    count = len(graph.tensors)

    def check(index: int, where: str, known: set[int]) -> None:
        if not 0 <= index < count:
            raise ModelError(f"damaged file: {where} is tensor {index}, the file has {count}")
        if index not in known:
            raise ModelError(f"damaged file: {where} reads tensor {index} before any op writes it")

    if not graph.ops:
        raise ModelError("the model has no ops")
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise ModelError(
            f"the model has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs, expected 1 and 1; "
            "split it, or concatenate its inputs and outputs"
        )
    known = {index for index, tensor in enumerate(graph.tensors) if tensor.data is not None}
    for index in graph.inputs:
        if not 0 <= index < count:
            raise ModelError(f"damaged file: the input is tensor {index}, the file has {count}")
        if index in known:
            raise ModelError(f"damaged file: the input is tensor {graph.tensors[index].name!r}, a constant")
        known.add(index)
    for op in graph.ops:
        if not op.inputs or op.inputs[0] < 0:
            raise ModelError(f"damaged file: op {op.name!r} ({op.kind}) has no first input")
        for position, index in enumerate(op.inputs):
            if index != -1:
                check(index, f"op {op.name!r} ({op.kind}), input {position},", known)
        if not op.outputs:
            raise ModelError(f"damaged file: op {op.name!r} ({op.kind}) has no output")
        for index in op.outputs:
            if not 0 <= index < count:
                raise ModelError(
                    f"damaged file: op {op.name!r} ({op.kind}) writes tensor {index}, the file has {count}"
                )
            if index in known:
                raise ModelError(f"damaged file: op {op.name!r} ({op.kind}) writes tensor {index} a second time")
            known.add(index)
    for index in graph.outputs:
        check(index, "the output", known)
        if graph.tensors[index].data is not None:
            raise ModelError(f"damaged file: the output is tensor {graph.tensors[index].name!r}, a constant")
    for index in (*graph.inputs, *graph.outputs):
        tensor = graph.tensors[index]
        if tensor.shape and tensor.shape[0] != 1:
            raise ModelError(f"tensor {tensor.name!r} has batch {tensor.shape[0]}, expected 1")
        if not tensor.elements:
            raise ModelError(f"tensor {tensor.name!r} of shape {list(tensor.shape)} is empty")
