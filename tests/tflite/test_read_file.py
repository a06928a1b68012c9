"""Every field of a .tflite arrives where it belongs, and what contradicts itself is refused in one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
import pytest
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from edgesparse import graph as g
from edgesparse.errors import ModelError
from edgesparse.graph import Graph, OpOptions, Tensor
from edgesparse.tflite import read, read_graph
from edgesparse.tflite import schema as names
from tests.support.tflite_builder import PADDING_SAME, PADDING_VALID, TfliteBuilder

ACTIVATIONS = schema.ActivationFunctionType
Change = Callable[[Any], None]


def network(kind: str = "RELU", **options: Any) -> bytes:
    """t0 -> op -> t1, both int8 [1, 4]."""
    b = TfliteBuilder()
    x, y = b.input((1, 4), 0.1, 3), b.activation((1, 4), 0.2, 5)
    b.op(kind, [x], [y], **options)
    return b.build([y])


def changed(data: bytes, change: Change) -> bytes:
    """The file after a change of its schema.ModelT."""
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    change(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def tensors(change: Change, data: bytes | None = None) -> Graph:
    """The graph of a file whose subgraph was changed."""
    return read_graph(changed(data or network(), lambda model: change(model.subgraphs[0])))


def with_tensor(**fields: Any) -> Tensor:
    """A tensor behind those of the network, with these fields."""

    def add(subgraph: Any) -> None:
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.name, tensor.buffer = [1, 4], schema.TensorType.INT8, "more", 0
        for name, value in fields.items():
            setattr(tensor, name, value)
        subgraph.tensors.append(tensor)

    return tensors(add).tensors[2]


def refused(data: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=f"^{re.escape(message)}$"):
        read_graph(data)


def refused_tensor(message: str, **fields: Any) -> None:
    with pytest.raises(ModelError, match=f"^{re.escape(message)}$"):
        with_tensor(**fields)


CONV = {"padding": PADDING_VALID, "strideW": 2, "strideH": 3, "dilationWFactor": 4, "dilationHFactor": 5,
        "fusedActivationFunction": ACTIVATIONS.RELU6}  # fmt: skip
PLAIN = {"padding": PADDING_SAME, "strideW": 1, "strideH": 1}
RELU = {"fusedActivationFunction": ACTIVATIONS.RELU}
POOL = {"padding": PADDING_VALID, "strideW": 2, "strideH": 3, "filterWidth": 4, "filterHeight": 5,
        "fusedActivationFunction": ACTIVATIONS.RELU_N1_TO_1}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        ("CONV_2D", CONV, g.Conv2DOptions("VALID", 3, 2, 5, 4, "RELU6")),
        ("CONV_2D", PLAIN, g.Conv2DOptions("SAME", 1, 1, 1, 1, "NONE")),
        (
            "DEPTHWISE_CONV_2D",
            {**CONV, "depthMultiplier": 6},
            g.DepthwiseConv2DOptions("VALID", 3, 2, 6, dilation_h=5, dilation_w=4, activation="RELU6"),
        ),
        ("DEPTHWISE_CONV_2D", {**PLAIN, **RELU}, g.DepthwiseConv2DOptions("SAME", 1, 1, 0, 1, 1, "RELU")),
        ("AVERAGE_POOL_2D", POOL, g.Pool2DOptions("VALID", 3, 2, 5, 4, "RELU_N1_TO_1")),
        ("MAX_POOL_2D", POOL, g.Pool2DOptions("VALID", 3, 2, 5, 4, "RELU_N1_TO_1")),
        ("FULLY_CONNECTED", {}, g.FullyConnectedOptions("NONE", keep_num_dims=False)),
        ("FULLY_CONNECTED", {**RELU, "keepNumDims": True}, g.FullyConnectedOptions("RELU", keep_num_dims=True)),
        *((kind, RELU, g.BinaryOptions("RELU")) for kind in ("ADD", "MUL", "SUB")),
        ("CONCATENATION", {**RELU, "axis": -2}, g.ConcatenationOptions(axis=-2, activation="RELU")),
        ("SOFTMAX", {"beta": 0.75}, g.SoftmaxOptions(beta=0.75)),
        *((kind, {"keepDims": True}, g.MeanOptions(keep_dims=True)) for kind in ("MEAN", "REDUCE_MAX")),
        *((kind, {}, g.MeanOptions(keep_dims=False)) for kind in ("MEAN", "REDUCE_MAX")),
        ("LEAKY_RELU", {"alpha": 0.25}, g.LeakyReluOptions(alpha=0.25)),
        ("RESIZE_NEAREST_NEIGHBOR", {"alignCorners": True}, g.ResizeNearestOptions(align_corners=True)),
        ("RESIZE_NEAREST_NEIGHBOR", {"halfPixelCenters": True}, g.ResizeNearestOptions(half_pixel_centers=True)),
        ("RELU", {}, g.NoOptions()),
    ],
)
def test_options_are_those_of_the_file(kind: str, options: dict[str, Any], expected: OpOptions) -> None:
    (op,) = read_graph(network(kind, **options)).ops
    assert (op.kind, op.options) == (kind, expected)


STRIDES = {"stride_h": "strideH", "stride_w": "strideW"}
DILATIONS = {"dilation_h": "dilationHFactor", "dilation_w": "dilationWFactor"}
FILTERS = {"filter_h": "filterHeight", "filter_w": "filterWidth"}


@pytest.mark.parametrize("value", [0, -1])
@pytest.mark.parametrize(
    ("kind", "options", "positive"),
    [
        ("CONV_2D", CONV, {**STRIDES, **DILATIONS}),
        ("DEPTHWISE_CONV_2D", CONV, {**STRIDES, **DILATIONS}),
        ("MAX_POOL_2D", POOL, {**STRIDES, **FILTERS}),
    ],
)
def test_strides_sizes_and_dilations_are_one_or_more(
    kind: str, options: dict[str, Any], positive: dict[str, str], value: int
) -> None:
    for name, field in positive.items():
        refused(network(kind, **{**options, field: value}), f"op 0 ({kind}): {name} is {value}, expected 1 or more")
        assert read_graph(network(kind, **{**options, field: 1})).ops


@pytest.mark.parametrize(
    ("kind", "options", "field"),
    [
        ("CONV_2D", CONV, "fusedActivationFunction"),
        ("DEPTHWISE_CONV_2D", CONV, "fusedActivationFunction"),
        ("MAX_POOL_2D", POOL, "fusedActivationFunction"),
        ("FULLY_CONNECTED", {}, "fusedActivationFunction"),
        ("ADD", {}, "fusedActivationFunction"),
        ("CONV_2D", CONV, "padding"),
        ("DEPTHWISE_CONV_2D", CONV, "padding"),
        ("MAX_POOL_2D", POOL, "padding"),
    ],
)
def test_codes_that_stand_for_nothing_are_refused(kind: str, options: dict[str, Any], field: str) -> None:
    what, known = (("padding", "SAME, VALID") if field == "padding"
                   else ("fused activation", "NONE, RELU, RELU_N1_TO_1, RELU6"))  # fmt: skip
    for code in (known.count(",") + 1, -1):
        data = network(kind, **{**options, field: code})
        refused(data, f"op 0 ({kind}): {what} code {code} is not supported; known: {known}")


def test_shuffled_weights_are_refused() -> None:
    refused(network("FULLY_CONNECTED", weightsFormat=1), "op 0 (FULLY_CONNECTED): shuffled weights are not supported")


def test_options_that_an_op_must_have_are_missed() -> None:
    def drop(model: Any) -> None:
        model.subgraphs[0].operators[0].builtinOptions = None

    refused(changed(network("CONV_2D", **CONV), drop), "op 0 (CONV_2D): its options are missing")
    assert read_graph(changed(network(), drop)).ops[0].options == g.NoOptions()


@pytest.mark.parametrize(
    ("deprecated", "code", "custom", "kind"),
    [
        (0, 0, None, "ADD"),
        (19, 19, None, "RELU"),
        (19, 0, None, "RELU"),  # files from before there were more than 127 ops
        (127, 150, None, "GELU"),
        (32, 32, "Twice", "CUSTOM:Twice"),
        (32, 32, None, "CUSTOM:"),
        (127, 209, None, "STABLEHLO_CASE"),
        (127, 210, None, "BUILTIN_210"),
        (-1, -1, None, "BUILTIN_-1"),
    ],
)
def test_operator_codes_have_names(deprecated: int, code: int, custom: str | None, kind: str) -> None:
    def change(model: Any) -> None:
        entry = model.operatorCodes[0]
        entry.deprecatedBuiltinCode, entry.builtinCode, entry.customCode, entry.version = deprecated, code, custom, 7

    (op,) = read_graph(changed(network("ADD"), change)).ops
    assert op.kind == kind


def test_names_are_those_of_the_schema() -> None:
    for ours, theirs in (
        (names.BUILTIN_OPERATORS, schema.BuiltinOperator),
        (names.TENSOR_TYPES, schema.TensorType),
        (names.PADDINGS, schema.Padding),
        (names.ACTIVATIONS, schema.ActivationFunctionType),
    ):
        numbers = {name: number for name, number in vars(theirs).items() if isinstance(number, int)}
        assert {name: numbers[name] for name in ours} == {name: number for number, name in enumerate(ours)}


def test_an_operator_code_that_is_not_listed_is_refused() -> None:
    def change(model: Any) -> None:
        model.subgraphs[0].operators[0].opcodeIndex = 1

    refused(changed(network(), change), "damaged file: op 0 has operator code 1, the file lists 1")


def test_the_schema_has_one_version() -> None:
    for version in (2, 4):
        refused(
            changed(network(), lambda model, version=version: setattr(model, "version", version)),
            f"the file has TFLite schema version {version}, expected 3",
        )


def test_there_is_one_subgraph() -> None:
    for count in (0, 2):
        refused(
            changed(network(), lambda model, count=count: setattr(model, "subgraphs", model.subgraphs * count)),
            f"the file has {count} subgraphs, expected 1; control flow is not supported",
        )


def test_ops_are_named_after_the_layers_that_their_outputs_name() -> None:
    def change(subgraph: Any) -> None:
        subgraph.tensors[0].name, subgraph.tensors[1].name = "model/wrong/Relu", "model/rectify/Relu"

    graph = tensors(change)
    assert [op.name for op in graph.ops] == ["rectify"]
    assert [tensor.name for tensor in graph.tensors] == ["model/wrong/Relu", "model/rectify/Relu"]
    assert read_graph(network()).ops[0].name == "relu"


def test_an_output_is_named_though_it_is_the_first_tensor() -> None:
    def change(subgraph: Any) -> None:
        subgraph.tensors.reverse()
        subgraph.tensors[0].name = "model/rectify/Relu"
        subgraph.inputs, subgraph.outputs = [1], [0]
        subgraph.operators[0].inputs, subgraph.operators[0].outputs = [1], [0]

    graph = tensors(change)
    assert [op.name for op in graph.ops] == ["rectify"]
    assert (graph.inputs, graph.outputs, graph.ops[0].inputs, graph.ops[0].outputs) == ((1,), (0,), (1,), (0,))


def test_a_tensor_is_as_the_file_says() -> None:
    tensor = read_graph(network()).tensors[1]
    assert (tensor.name, tensor.shape, tensor.dtype, tensor.data) == ("t1", (1, 4), np.int8, None)
    assert (tensor.quant.scale, tensor.quant.zero_point, tensor.quant.axis) == (float(np.float32(0.2)), 5, 0)
    assert with_tensor().quantization is None
    assert with_tensor(name="").name == "tensor_2"
    assert with_tensor(shape=[]).shape == ()


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *(("FLOAT32", "<f4"), ("FLOAT16", "<f2"), ("INT32", "<i4"), ("UINT8", "u1"), ("INT64", "<i8"), ("BOOL", "?")),
        *(("INT16", "<i2"), ("INT8", "i1"), ("FLOAT64", "<f8"), ("UINT32", "<u4"), ("UINT16", "<u2")),
    ],
)
def test_types_are_those_of_the_schema(name: str, dtype: str) -> None:
    assert with_tensor(type=getattr(schema.TensorType, name)).dtype == np.dtype(dtype)


def test_types_that_no_kernel_has_are_refused() -> None:
    for code, name in ((schema.TensorType.STRING, "STRING"), (22, "FLOAT8_E5M2"), (23, "23"), (-1, "-1")):
        refused_tensor(
            f"tensor 2 ('more'): type {name} is not supported; convert with int8 full-integer quantization", type=code
        )


def test_variables_and_sparse_tensors_are_refused() -> None:
    refused_tensor("tensor 2 ('more') is a variable; models with state are not supported", isVariable=True)
    refused_tensor(
        "tensor 2 ('more') is stored in TFLite's sparsity encoding; give the dense file, model.int8.tflite",
        sparsity=schema.SparsityParametersT(),
    )


def constant(values: bytes, shape: list[int], **fields: Any) -> Tensor:
    """A tensor with these bytes in a buffer of its own."""

    def add(model: Any) -> None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values, np.uint8)
        model.buffers.append(buffer)
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.name = shape, schema.TensorType.INT16, "more"
        tensor.buffer = len(model.buffers) - 1
        for name, value in fields.items():
            setattr(tensor, name, value)
        model.subgraphs[0].tensors.append(tensor)

    return read_graph(changed(network(), add)).tensors[2]


def test_constants_have_their_type_and_shape() -> None:
    tensor = constant(bytes(range(12)), [3, 2])
    assert tensor.data is not None
    assert tensor.data.dtype == np.int16
    assert tensor.data.tolist() == [[0x0100, 0x0302], [0x0504, 0x0706], [0x0908, 0x0B0A]]


def test_constants_hold_as_many_bytes_as_their_shape_says() -> None:
    for size in (11, 13):
        message = rf"^tensor 2 \('more'\): holds {size} bytes, expected 12 for INT16 \[3, 2\]$"
        with pytest.raises(ModelError, match=message):
            constant(bytes(size), [3, 2])


def test_a_buffer_that_is_not_there_is_refused() -> None:
    refused_tensor("tensor 2 ('more'): buffer 1 does not exist (the file has 1)", buffer=1)


def behind(offset: int, size: int, rest: bytes) -> Graph:
    """A network with a constant whose bytes are behind the flatbuffer, at so many bytes from there."""
    length = 0

    def add(model: Any) -> None:
        buffer = schema.BufferT()
        buffer.offset, buffer.size = (length + offset if length else 1000), size
        model.buffers.append(buffer)
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.name, tensor.buffer = [4], schema.TensorType.INT8, "more", 1
        model.subgraphs[0].tensors.append(tensor)

    length = len(changed(network(), add))
    data = changed(network(), add)
    assert len(data) == length
    return read_graph(data + rest)


def test_buffers_may_lie_behind_the_flatbuffer() -> None:
    data = behind(2, 4, b"\x09\x09\x01\x02\x03\xff").tensors[2].data
    assert data is not None
    assert data.tolist() == [1, 2, 3, -1]
    with pytest.raises(ModelError, match=r"^damaged file: a buffer of 4 bytes at \d+ runs past the end \(\d+\)$"):
        behind(2, 4, b"\x09\x09\x01\x02\x03")


@pytest.mark.parametrize("offset", [0, 1])
def test_offsets_of_0_and_1_mean_none(offset: int) -> None:
    def add(model: Any) -> None:
        model.buffers[0].offset, model.buffers[0].size = offset, 4

    assert read_graph(changed(network(), add)).tensors[0].data is None


def test_an_offset_of_2_is_one() -> None:
    def add(model: Any) -> None:
        model.buffers[0].offset, model.buffers[0].size = 2, 4

    data = changed(network(), add)
    refused(data, "damaged file: the input is tensor 't0', a constant")


@pytest.mark.parametrize("shape", [[1] * 8, [1, 64 << 20], [0, 64 << 20], [8 << 10, 8 << 10]])
def test_shapes_up_to_the_limits_are_read(shape: list[int]) -> None:
    assert with_tensor(shape=shape).shape == tuple(shape)


def test_shapes_beyond_are_refused() -> None:
    refused_tensor("tensor 2 ('more') has 9 axes; at most 8", shape=[1] * 9)
    refused_tensor(
        "tensor 2 ('more'): shape [8192, 8193] holds more than 67,108,864 values; no board has as much",
        shape=[8192, 8193],
    )
    refused_tensor(
        "tensor 2 ('more'): shape [1, -1] is not a static shape; export the model with batch 1", shape=[1, -1]
    )


def quantization(scales: list[float], zero_points: list[int], axis: int = 0, shape: tuple[int, ...] = (1, 4)) -> Tensor:
    parameters = schema.QuantizationParametersT()
    parameters.scale, parameters.zeroPoint, parameters.quantizedDimension = scales, zero_points, axis
    return with_tensor(quantization=parameters, shape=list(shape))


@pytest.mark.parametrize(
    ("scales", "zero_points", "axis", "shape", "expected_points", "expected_axis"),
    [
        ([0.5], [7], 0, (1, 4), [7], 0),
        ([0.5], [7], 3, (1, 4), [7], 0),  # the axis of one scale means nothing
        ([0.5], [], 0, (1, 4), [0], 0),
        ([0.5, 0.25], [], 0, (2, 4), [0, 0], 0),
        ([0.5, 0.25], [3], 1, (4, 2), [3, 3], 1),
        ([0.5, 0.25], [3, -4], 1, (4, 2), [3, -4], 1),
        ([0.5], [2**31 - 1], 0, (1, 4), [2**31 - 1], 0),
        ([0.5], [-(2**31)], 0, (1, 4), [-(2**31)], 0),
    ],
)
def test_quantization_is_read(
    scales: list[float],
    zero_points: list[int],
    axis: int,
    shape: tuple[int, ...],
    expected_points: list[int],
    expected_axis: int,
) -> None:
    quant = quantization(scales, zero_points, axis, shape).quant
    assert (quant.scales.tolist(), quant.scales.dtype) == (scales, np.float32)
    assert (quant.zero_points.tolist(), quant.zero_points.dtype) == (expected_points, np.int32)
    assert quant.axis == expected_axis
    assert quant.scales.flags.writeable, "a copy, which does not keep the file"


def test_no_scales_are_no_quantization() -> None:
    assert quantization([], [3]).quantization is None


@pytest.mark.parametrize(
    ("scales", "zero_points", "axis", "message"),
    [
        ([0.5, 0.5], [], 0, "2 scales along axis 0 do not fit the shape [1, 4]"),
        ([0.5, 0.5], [], 1, "2 scales along axis 1 do not fit the shape [1, 4]"),
        ([0.5] * 4, [], 2, "4 scales along axis 2 do not fit the shape [1, 4]"),
        ([0.5] * 4, [], -1, "4 scales along axis -1 do not fit the shape [1, 4]"),
        ([0.0], [], 0, "a quantization scale is not a positive number"),
        ([-0.5], [], 0, "a quantization scale is not a positive number"),
        ([float("nan")], [], 0, "a quantization scale is not a positive number"),
        ([float("inf")], [], 0, "a quantization scale is not a positive number"),
        ([0.5, 0.5, 0.0, 0.5], [], 1, "a quantization scale is not a positive number"),
        ([0.5], [1, 2], 0, "2 zero points do not fit 1 scales"),
        ([0.5] * 4, [1, 2], 1, "2 zero points do not fit 4 scales"),
        *(
            ([0.5], [point], 0, f"the zero point {point} does not fit 32 bits")
            for point in (2**31, -(2**31) - 1, 2**63 - 1, -(2**63))
        ),
        ([0.5] * 4, [1, 2, 2**31, 4], 1, "the zero point 2147483648 does not fit 32 bits"),
    ],
)
def test_quantization_that_contradicts_itself_is_refused(
    scales: list[float], zero_points: list[int], axis: int, message: str
) -> None:
    with pytest.raises(ModelError, match=re.escape(f"tensor 2 ('more'): {message}")):
        quantization(scales, zero_points, axis)


def broken(change: Callable[[Any, Any], None], message: str) -> None:
    """A network of two ops, t0 -> RELU -> t1 -> RELU -> t2, whose subgraph or last op is changed."""
    b = TfliteBuilder()
    x, middle, y = b.input((1, 4), 0.1), b.activation((1, 4), 0.1), b.activation((1, 4), 0.1)
    b.op("RELU", [x], [middle])
    b.op("RELU", [middle], [y])

    def apply(model: Any) -> None:
        change(model.subgraphs[0], model.subgraphs[0].operators[1])

    refused(changed(b.build([y]), apply), message)


def test_ops_read_what_is_there() -> None:
    op = "op 'relu_1' (RELU)"
    broken(lambda _, op: setattr(op, "inputs", [3]), f"damaged file: {op}, input 0, is tensor 3, the file has 3")
    broken(lambda _, op: setattr(op, "inputs", [1, -2]), f"damaged file: {op}, input 1, is tensor -2, the file has 3")
    broken(
        lambda _, op: setattr(op, "inputs", [2]),
        f"damaged file: {op}, input 0, reads tensor 2 before any op writes it",
    )
    broken(lambda _, op: setattr(op, "inputs", []), f"damaged file: {op} has no first input")
    broken(lambda _, op: setattr(op, "inputs", [-1]), f"damaged file: {op} has no first input")


def test_inputs_behind_the_first_may_be_absent() -> None:
    def change(subgraph: Any) -> None:
        subgraph.operators[0].inputs = [0, -1]

    assert tensors(change).ops[0].inputs == (0, -1)


def test_ops_write_what_is_there_and_no_one_wrote() -> None:
    op = "op 'relu_1' (RELU)"
    broken(lambda _, op: setattr(op, "outputs", []), f"damaged file: {op} has no output")
    for index in (0, 1):
        broken(
            lambda _, op, index=index: setattr(op, "outputs", [index]),
            f"damaged file: {op} writes tensor {index} a second time",
        )
    for index in (3, -1):
        broken(
            lambda _, op, index=index: setattr(op, "outputs", [index]),
            f"damaged file: {op} writes tensor {index}, the file has 3",
        )


def test_the_first_tensor_may_be_written() -> None:
    b = TfliteBuilder()
    y, x = b.activation((1, 4), 0.1), b.input((1, 4), 0.1)
    b.op("RELU", [x], [y])
    assert read_graph(b.build([y])).ops[0].outputs == (0,)


def test_a_network_has_ops_one_input_and_one_output() -> None:
    broken(lambda subgraph, _: setattr(subgraph, "operators", []), "the model has no ops")
    ends = "expected 1 and 1; split it, or concatenate its inputs and outputs"
    broken(lambda s, _: setattr(s, "inputs", []), f"the model has 0 inputs and 1 outputs, {ends}")
    broken(lambda s, _: setattr(s, "inputs", [0, 1]), f"the model has 2 inputs and 1 outputs, {ends}")
    broken(lambda s, _: setattr(s, "outputs", []), f"the model has 1 inputs and 0 outputs, {ends}")
    broken(lambda s, _: setattr(s, "outputs", [1, 2]), f"the model has 1 inputs and 2 outputs, {ends}")


def test_inputs_and_outputs_are_tensors_of_the_file() -> None:
    for index in (3, -1):
        broken(
            lambda s, _, index=index: setattr(s, "inputs", [index]),
            f"damaged file: the input is tensor {index}, the file has 3",
        )
        broken(
            lambda s, _, index=index: setattr(s, "outputs", [index]),
            f"damaged file: the output is tensor {index}, the file has 3",
        )
    broken(
        lambda s, _: (s.operators.pop(), None)[1],
        "damaged file: the output reads tensor 2 before any op writes it",
    )


def test_inputs_and_outputs_are_one_sample_that_is_not_empty() -> None:
    for index in (0, 2):
        broken(
            lambda s, _, index=index: setattr(s.tensors[index], "shape", [2, 4]),
            f"tensor 't{index}' has batch 2, expected 1",
        )
        broken(
            lambda s, _, index=index: setattr(s.tensors[index], "shape", [1, 0]),
            f"tensor 't{index}' of shape [1, 0] is empty",
        )
        assert tensors(lambda s, index=index: setattr(s.tensors[index // 2], "shape", []))


class TestMemory:
    """What a model takes is counted before it is made."""

    @pytest.fixture(autouse=True)
    def _few_bytes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    def least(self, data: bytes) -> tuple[int, str]:
        """The smallest limit that the file keeps, and what is refused where it is one byte less."""
        low, high = 0, 1 << 20
        while low < high:
            self.monkeypatch.setattr(read, "MAX_MODEL_BYTES", (low + high) // 2)
            try:
                read_graph(data)
                high = (low + high) // 2
            except ModelError:
                low = (low + high) // 2 + 1
        self.monkeypatch.setattr(read, "MAX_MODEL_BYTES", low - 1)
        with pytest.raises(ModelError) as caught:
            read_graph(data)
        return low, str(caught.value)

    def test_files_tensors_and_indices_count(self) -> None:
        data = network()
        tensors = 2 * (4 * len("t0") + 4 + 4 + 8)  # the name, its values, a scale and a zero point
        indices = 40 * (1 + 1 + 1 + 1)
        least, message = self.least(data)
        assert least == len(data) + tensors + indices
        assert message == (f"the model: with it the model takes more than {least - 1:,} bytes; no board has as much")

    def test_values_count_with_their_size(self) -> None:
        def change(subgraph: Any) -> None:
            subgraph.tensors[0].type, subgraph.tensors[0].shape = schema.TensorType.INT32, [1, 10]

        data = changed(network(), lambda model: change(model.subgraphs[0]))
        assert self.least(data)[0] == len(data) + 2 * (8 + 4 + 8) + 40 + 4 + 40 * 4

    def test_the_message_says_where(self) -> None:
        data = network()
        for limit, where in (
            (len(data) - 1, "the file"),
            (len(data) + 11, "tensor 0 ('t0')"),
            (len(data) + 23, "tensor 0 ('t0')"),  # its scale
            (len(data) + 24 + 11, "tensor 1 ('t1')"),
            (len(data) + 48 + 39, "op 0 (RELU)"),
            (len(data) + 48 + 80 + 39, "the model"),
        ):
            self.monkeypatch.setattr(read, "MAX_MODEL_BYTES", limit)
            refused(data, f"{where}: with it the model takes more than {limit:,} bytes; no board has as much")

    def test_tables_are_as_many_as_they_may_be(self) -> None:
        self.monkeypatch.setattr(read, "MAX_OPS", 1)
        assert read_graph(network()).ops
        b = TfliteBuilder()
        x, middle, y = b.input((1, 4), 0.1), b.activation((1, 4), 0.1), b.activation((1, 4), 0.1)
        b.op("RELU", [x], [middle])
        b.op("RELU", [middle], [y])
        refused(b.build([y]), "a list of 2 tables; at most 1 are read")
