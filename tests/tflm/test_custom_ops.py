"""Sparse layers as custom ops: every byte of the options and constants, and the file that holds them."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgesparse.boards import CORES, Core
from edgesparse.errors import UnsupportedError
from edgesparse.graph import Graph
from edgesparse.lowering import PackedModel, lower
from edgesparse.lowering.call import Array, KernelCall
from edgesparse.tflite import objects, read_graph
from edgesparse.tflm import TflmModel, encode_call, registrations, tflm_model
from edgesparse.variants import function_name
from tests.support.small_networks import conv_network

DSP = CORES["cortex-m4"]
CONV, FC = "EDGESPARSE_CONV_2D", "EDGESPARSE_FULLY_CONNECTED"


def lowered(data: bytes, core: Core = DSP, **options: Any) -> tuple[Graph, PackedModel]:
    graph = read_graph(data)
    return graph, lower(graph, core, **options)


def converted(core: Core = DSP, **options: object) -> tuple[bytes, Graph, PackedModel, TflmModel]:
    data = conv_network()
    graph, packed = lowered(data, core, **options)
    return data, graph, packed, tflm_model(data, graph, packed)


def fully_connected(*, channels: int, counts: bool = True, variant: str = "dsp") -> KernelCall:
    """Two rows of eight columns: block1x4 with one block each."""
    values = np.array([1, -2, 3, 4, 5, 6, 7, -8], np.int8)
    scales = np.arange(channels, dtype=np.int32)
    return KernelCall(
        op_index=0,
        function=function_name("es_fully_connected_block1x4_s8", variant),
        variant=variant,
        header="es_fully_connected.h",
        struct="es_fully_connected",
        fields=(
            ("bias", Array("bias", "int32_t", np.array([258, -1], np.int32), "table")),
            ("multipliers", Array("multipliers", "int32_t", scales + 3, "table")),
            ("shifts", Array("shifts", "int8_t", (scales - 9).astype(np.int8), "table")),
            ("weights", Array("weights", "int8_t", values[: 8 if counts else 7], "weights")),
            ("gaps", Array("gaps", "uint8_t", np.array([0, 8], np.uint8), "weights") if counts else None),
            ("counts", Array("counts", "uint16_t", np.array([1, 258], np.uint16), "weights") if counts else None),
            ("in_dim", 8),
            ("out_dim", 2),
            ("channel_mask", 0xFFFFFFFF if channels > 1 else 0),
            ("rows", 1),
            ("input_zero_point", -3),
            ("output_zero_point", 4),
            ("activation_min", -128),
            ("activation_max", 127),
        ),
        inputs=(0,),
        output=1,
        takes_scratch=True,
        scratch_bytes=16,
        weight_format="block1x4",
    )


def test_the_bytes_of_a_fully_connected_op_are_those_of_the_format() -> None:
    op = encode_call(fully_connected(channels=2))
    assert op.name == FC
    assert op.tables == bytes([2, 1, 0, 0, 255, 255, 255, 255, 3, 0, 0, 0, 4, 0, 0, 0, 247, 248])
    assert op.weights == bytes([1, 254, 3, 4, 5, 6, 7, 248, 0, 8, 0, 0, 1, 0, 2, 1])
    expected = [
        *(1, 1, 1, 0),  # version, block1x4, DSP, no gathering
        *(16, 0, 0, 0, 16, 0, 0, 0),  # bytes of weights and of scratch
        *(8, 0, 0, 0, 2, 0, 0, 0),  # columns, rows
        *(8, 0, 0, 0, 12, 0, 0, 0),  # gaps, counts
        *(1, 0, 1, 0),  # rows of the activation, per output
        *(253, 4, 128, 127),
    ]
    assert list(op.options) == expected


def test_one_scale_for_all_outputs_and_no_indices_are_told_apart() -> None:
    op = encode_call(fully_connected(channels=1, counts=False, variant="portable"))
    assert len(op.tables) == 2 * 4 + 4 + 1
    assert len(op.weights) == 7
    assert op.options[2] == 0
    assert struct.unpack_from("<II", op.options, 20) == (0, 0)
    assert op.options[30] == 0


def test_the_bytes_of_a_convolution_are_those_of_the_format() -> None:
    _, packed = lowered(conv_network())
    call = next(call for call in packed.calls if call.struct == "es_conv_2d" and call.weight_format != "dense")
    fields = dict(call.fields)
    op = encode_call(call)
    formats = {"block1x4": 1, "delta8": 3, "delta4": 4, "bitmap": 5}
    gathers = {"es_patch_block_s16_dsp": 1, "es_patch_bytes_s16_dsp": 2, "es_patch_pair_s32_dsp": 3}
    head = (1, formats[call.weight_format], 1, gathers[str(fields["gather"])], call.weight_bytes, call.scratch_bytes)
    assert op.name == CONV
    assert len(op.options) == 44
    assert struct.unpack_from("<BBBBII", op.options) == head
    names = (
        "in_h in_w in_c out_h out_w out_c kernel_h kernel_w stride_h stride_w dilation_h dilation_w pad_top pad_left"
    )
    assert struct.unpack_from("<14H", op.options, 12) == tuple(fields[name] for name in names.split())
    ends = ("input_zero_point", "output_zero_point", "activation_min", "activation_max")
    assert struct.unpack_from("<4b", op.options, 40) == tuple(fields[name] for name in ends)
    scales = fields["scales"]
    assert isinstance(scales, Array)
    assert np.array_equal(np.frombuffer(op.tables, "<i4"), scales.values)


def test_the_portable_variant_has_its_shifts_behind_the_scales() -> None:
    core = replace(DSP, kernels=("portable",))
    graph, packed = lowered(conv_network(), core)
    call = next(call for call in packed.calls if call.struct == "es_conv_2d" and call.weight_format != "dense")
    op = encode_call(call)
    channels = graph.tensors[call.output].shape[-1]
    assert len(op.tables) == 9 * channels
    assert op.options[2:4] == bytes([0, 0])


def test_kinds_with_a_sparse_layer_are_replaced_and_all_others_stay() -> None:
    data, graph, packed, model = converted()
    kinds = {graph.ops[c.op_index].kind for c in packed.calls if c.weight_format not in ("", "dense")}
    sparse = {index for index, op in enumerate(graph.ops) if op.kind in kinds}
    assert sparse
    assert set(model.custom) == sparse
    before, after = objects.parse(data), objects.parse(model.data)
    assert len(after.subgraphs[0].operators) == len(graph.ops)
    names = [code.customCode for code in after.operatorCodes]
    for index, operator in enumerate(after.subgraphs[0].operators):
        old = before.subgraphs[0].operators[index]
        if index in sparse:
            op = model.custom[index]
            assert names[operator.opcodeIndex] == op.name.encode()
            assert bytes(bytearray(operator.customOptions)) == op.options
            constants = [after.buffers[after.subgraphs[0].tensors[i].buffer].data for i in operator.inputs[1:]]
            assert [bytes(bytearray(constant)) for constant in constants] == [op.tables, op.weights]
        else:
            code = after.operatorCodes[operator.opcodeIndex].builtinCode
            assert code == before.operatorCodes[old.opcodeIndex].builtinCode
            assert len(operator.inputs) == len(old.inputs)


def test_nothing_that_is_no_longer_used_stays_in_the_file() -> None:
    _, graph, _, model = converted()
    after = objects.parse(model.data)
    subgraph = after.subgraphs[0]
    used = {int(i) for op in subgraph.operators for i in (*op.inputs, *op.outputs)} | {*map(int, subgraph.inputs)}
    assert used == set(range(len(subgraph.tensors)))
    assert {tensor.buffer for tensor in subgraph.tensors} | {0} == set(range(len(after.buffers)))
    assert {op.opcodeIndex for op in subgraph.operators} == set(range(len(after.operatorCodes)))
    assert len(subgraph.tensors) <= len(graph.tensors), "no more tensors than before: each costs arena"


def test_a_dense_network_is_left_as_it_is() -> None:
    data, _, _, model = converted(dense_only=True)
    assert model.data == data
    assert not model.custom


def test_the_same_model_gives_the_same_bytes() -> None:
    assert converted()[3].data == converted()[3].data


def test_the_resolver_has_each_op_once_and_int8_kernels_where_they_exist() -> None:
    found = registrations(["CONV_2D", CONV, "RESHAPE", "CONV_2D", "SOFTMAX"])
    assert [(op.op, op.add, op.argument) for op in found] == [
        ("CONV_2D", "AddConv2D", "tflite::Register_CONV_2D_INT8()"),
        (CONV, "AddCustom", f'"{CONV}", Register_{CONV}()'),
        ("RESHAPE", "AddReshape", ""),
        ("SOFTMAX", "AddSoftmax", "tflite::Register_SOFTMAX_INT8()"),
    ]


def test_every_op_that_has_a_kernel_here_has_a_registration() -> None:
    from edgesparse.lowering.lower import supported_kinds

    assert len(registrations(sorted(supported_kinds()))) == len(supported_kinds())


def test_an_op_without_a_registration_is_named() -> None:
    with pytest.raises(UnsupportedError, match="LSTM"):
        registrations(["CONV_2D", "LSTM"])
