"""Each part of a rule, on ops drawn by hand: what it lets pass, and how it refuses the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgesparse.errors import ModelError, UnsupportedError
from edgesparse.graph import Graph, NoOptions, Op, Quantization, Tensor
from edgesparse.lowering.gate import (
    ACTIVATION,
    BIAS,
    INTEGERS,
    NEW_SHAPE,
    OPERAND,
    WEIGHTS,
    OpRule,
    check,
)


def no_lowering(*_: object) -> Any:
    raise AssertionError("check lowers nothing")


RULE = OpRule(no_lowering, lambda graph, op: graph.input(op, 0).shape)


def quantized(scale: float = 0.5, zero_point: int = 0) -> Quantization:
    return Quantization(np.array([scale], np.float32), np.array([zero_point], np.int32))


def per_channel(scales: list[float], zero_points: list[int]) -> Quantization:
    return Quantization(np.array(scales, np.float32), np.array(zero_points, np.int32))


def int8(*shape: int, quantization: Quantization | None = None, constant: bool = False) -> Tensor:
    data = np.zeros(shape, np.int8) if constant else None
    return Tensor("t", shape, np.dtype(np.int8), quantization or quantized(), data)


def other(dtype: type, *shape: int, constant: bool = False) -> Tensor:
    return Tensor("t", shape, np.dtype(dtype), None, np.zeros(shape, dtype) if constant else None)


IMAGE = int8(1, 2, 2, 4)


def checked(inputs: list[Tensor | None], output: Tensor, rule: OpRule, outputs: int = 1) -> None:
    tensors = [tensor or IMAGE for tensor in inputs] + [output] * outputs
    places = tuple(-1 if tensor is None else index for index, tensor in enumerate(inputs))
    op = Op("relu_3", "RELU", places, tuple(range(len(inputs), len(tensors))), NoOptions())
    check(Graph(tuple(tensors), (op,), (0,), (len(inputs),)), op, rule)


def damaged(message: str, inputs: list[Tensor | None], output: Tensor, rule: OpRule, outputs: int = 1) -> None:
    """The op contradicts itself."""
    with pytest.raises(ModelError) as caught:
        checked(inputs, output, rule, outputs)
    assert str(caught.value) == f"layer 'relu_3' (RELU): {message}; the file is damaged"
    assert caught.type is ModelError


def unsupported(message: str, inputs: list[Tensor | None], output: Tensor, rule: OpRule) -> None:
    """No kernel computes it."""
    with pytest.raises(UnsupportedError) as caught:
        checked(inputs, output, rule)
    assert str(caught.value) == f"layer 'relu_3' (RELU): {message}"
    assert caught.value.names == ("RELU",)


def test_what_keeps_the_rule_passes() -> None:
    checked([IMAGE], IMAGE, RULE)


def test_there_is_one_output() -> None:
    damaged("2 outputs, expected one", [IMAGE], IMAGE, RULE, outputs=2)


def test_inputs_are_as_many_as_the_rule_has() -> None:
    two = replace(RULE, inputs=(ACTIVATION, ACTIVATION))
    checked([IMAGE, IMAGE], IMAGE, two)
    damaged("3 inputs, expected at most 2", [IMAGE, IMAGE, IMAGE], IMAGE, two)
    damaged("input 1 is missing", [IMAGE], IMAGE, two)
    damaged("input 1 is missing", [IMAGE, None], IMAGE, two)


def test_optional_inputs_may_be_absent() -> None:
    rule = replace(RULE, inputs=(ACTIVATION, BIAS, NEW_SHAPE))
    for inputs in ([IMAGE], [IMAGE, None], [IMAGE, None, None], [IMAGE, other(np.int32, 4, constant=True)]):
        checked([*inputs], IMAGE, rule)


def test_the_last_input_may_come_again() -> None:
    rule = replace(RULE, inputs=(OPERAND, ACTIVATION), repeats=True)
    for count in (1, 2, 5):
        checked([IMAGE] * count, IMAGE, replace(RULE, repeats=True))
        checked([IMAGE] * (1 + count), IMAGE, rule)
    damaged("input 1 is missing", [IMAGE], IMAGE, rule)
    damaged("input 3 is missing", [IMAGE, IMAGE, IMAGE, None], IMAGE, rule)
    constant = int8(1, 2, 2, 4, constant=True)
    checked([constant, IMAGE, IMAGE], IMAGE, rule)
    unsupported("input 2 ('t') is a constant; fold it before converting", [constant, IMAGE, constant], IMAGE, rule)
    damaged("3 inputs, expected at most 2", [IMAGE] * 3, IMAGE, replace(rule, repeats=False))


def test_types_are_those_of_the_rule() -> None:
    floats, advice = other(np.float32, 1, 2, 2, 4), "; quantize the model to full int8"
    unsupported(f"input 0 is float32, expected int8{advice}", [floats], IMAGE, RULE)
    unsupported(f"output is float32, expected int8{advice}", [IMAGE], floats, RULE)
    both = replace(RULE, dtypes=(("int8", "int8"), ("int32", "int32"), ("int8", "float32"), ("float32", "int8")))
    checked([IMAGE], floats, both)
    checked([floats], IMAGE, both)
    unsupported("input 0 is uint8, expected float32 or int32 or int8" + advice, [other(np.uint8, 4)], IMAGE, both)
    unsupported(f"output is int32, expected int8 or float32{advice}", [IMAGE], other(np.int32, 4), both)
    unsupported("output is int8, expected int32", [other(np.int32, 4)], IMAGE, both)
    two = replace(RULE, inputs=(ACTIVATION, INTEGERS))
    unsupported("input 1 is int8, expected int32", [IMAGE, IMAGE], IMAGE, two)


def test_constants_are_where_the_rule_has_them() -> None:
    constant = int8(1, 2, 2, 4, constant=True)
    unsupported("input 0 ('t') is a constant; fold it before converting", [constant], IMAGE, RULE)
    checked([constant], IMAGE, replace(RULE, inputs=(OPERAND,)))
    checked([IMAGE], IMAGE, replace(RULE, inputs=(OPERAND,)))
    weights = replace(RULE, inputs=(ACTIVATION, WEIGHTS))
    checked([IMAGE, constant], IMAGE, weights)
    unsupported("input 1 ('t') must be a constant", [IMAGE, IMAGE], IMAGE, weights)


def test_shapes_are_those_that_follow() -> None:
    rule = replace(RULE, shape=lambda graph, op: (1, 4))
    checked([IMAGE], int8(1, 4), rule)
    damaged("output of shape (4, 1), expected (1, 4) from (1, 2, 2, 4)", [IMAGE], int8(4, 1), rule)


def test_nothing_is_empty() -> None:
    damaged("input of shape (1, 0) holds no values", [int8(1, 0)], IMAGE, RULE)
    damaged("output of shape (1, 0) holds no values", [IMAGE], int8(1, 0), replace(RULE, shape=lambda *_: (1, 0)))


def test_axes_are_as_many_as_the_rule_has() -> None:
    for axes, fits in ((4, True), (3, False)):
        rule = replace(RULE, most_axes=axes)
        if fits:
            checked([IMAGE], IMAGE, rule)
        else:
            message = "input of shape (1, 2, 2, 4); at most 3 axes, here and in TFLite Micro"
            unsupported(message, [IMAGE], IMAGE, rule)


def test_kernels_of_one_image_take_one() -> None:
    rule = replace(RULE, one_image=True)
    checked([IMAGE], IMAGE, rule)
    checked([int8()], int8(), rule)
    two = int8(2, 2, 2, 4)
    checked([two], two, RULE)
    unsupported(
        "input of shape (2, 2, 2, 4) has batch 2, the kernel takes one image at a time; use the layer on one image, "
        "outside of TimeDistributed",
        [two],
        two,
        rule,
    )


def test_images_have_axes_of_sixteen_bits() -> None:
    rule = replace(RULE, one_image=True, shape=lambda graph, op: graph.output(op).shape)
    checked([int8(1, 65535)], int8(1, 65535), rule)
    for source, target in (((1, 65536), (1, 4)), ((1, 4), (1, 65536))):
        message = f"shapes {source} and {target}; at most 65535 along an axis"
        unsupported(message, [int8(*source)], int8(*target), rule)
        checked([int8(*source)], int8(*target), replace(rule, one_image=False))


def test_activations_have_one_scale_and_a_zero_point_of_int8() -> None:
    for zero_point in (-128, 127):
        checked([int8(4, quantization=quantized(zero_point=zero_point))], int8(4), RULE)
        checked([int8(4)], int8(4, quantization=quantized(zero_point=zero_point)), RULE)
    two = int8(4, quantization=per_channel([0.5, 0.5], [0, 0]))
    unsupported("input 0 has 2 scales, expected one", [two], int8(4), RULE)
    unsupported("output has 2 scales, expected one", [int8(4)], two, RULE)
    for zero_point in (-129, 128):
        far, message = (
            int8(4, quantization=quantized(zero_point=zero_point)),
            f"has zero point {zero_point}, expected -128 to 127",
        )
        damaged(f"input 0 {message}", [far], int8(4), RULE)
        damaged(f"output {message}", [int8(4)], far, RULE)
        damaged(f"input 1 {message}", [int8(4), far], int8(4), replace(RULE, inputs=(ACTIVATION, ACTIVATION)))


def test_weights_are_symmetric_with_one_scale_or_one_for_each_channel() -> None:
    rule = replace(RULE, inputs=(ACTIVATION, WEIGHTS))
    for quantization in (quantized(), per_channel([0.5] * 4, [0] * 4)):
        checked([IMAGE, int8(4, 3, quantization=quantization, constant=True)], IMAGE, rule)
    for quantization in (quantized(zero_point=1), per_channel([0.5] * 4, [0, 0, -1, 0])):
        unsupported(
            "weights have zero points, expected symmetric weights; convert the model again",
            [IMAGE, int8(4, 3, quantization=quantization, constant=True)],
            IMAGE,
            rule,
        )
    for count in (2, 3, 5):
        weights = int8(count, 3, quantization=per_channel([0.5] * count, [0] * count), constant=True)
        damaged(f"weights have {count} scales for 4 channels", [IMAGE, weights], IMAGE, rule)


def test_what_is_not_int8_needs_no_quantization() -> None:
    rule = replace(RULE, inputs=(ACTIVATION, INTEGERS, ACTIVATION))
    two = int8(1, 2, 2, 4, quantization=per_channel([0.5, 0.5], [0, 0]))
    checked([IMAGE, other(np.int32, 4, constant=True), IMAGE], IMAGE, rule)
    unsupported("input 2 has 2 scales, expected one", [IMAGE, other(np.int32, 4, constant=True), two], IMAGE, rule)
    checked([IMAGE], other(np.float32, 1, 2, 2, 4), replace(RULE, dtypes=(("int8", "float32"),)))


def test_bytes_that_are_moved_keep_their_quantization() -> None:
    rule = replace(RULE, keeps_quantization=True, inputs=(ACTIVATION, INTEGERS, ACTIVATION))
    size = other(np.int32, 4, constant=True)
    checked([IMAGE, size, IMAGE], IMAGE, rule)
    for quantization, text in ((quantized(0.25, 0), "0.25, 0"), (quantized(0.5, 1), "0.5, 1")):
        apart = int8(1, 2, 2, 4, quantization=quantization)
        message = f"input {{}} and output are quantized differently ({text} and 0.5, 0)"
        unsupported(message.format(0), [apart, size, IMAGE], IMAGE, rule)
        unsupported(message.format(2), [IMAGE, size, apart], IMAGE, rule)
        checked([apart, size, IMAGE], IMAGE, replace(rule, keeps_quantization=False))


def test_outputs_have_the_quantization_that_tflite_fixes() -> None:
    rule = replace(RULE, output_quantization=(1 / 256, -128))
    checked([IMAGE], int8(1, 2, 2, 4, quantization=quantized(1 / 256, -128)), rule)
    for quantization, text in (
        (quantized(1 / 256, 0), "0.00390625, zero point 0"),
        (quantized(0.5, -128), "0.5, zero point -128"),
    ):
        unsupported(
            f"output scale {text}; expected 0.00390625, -128",
            [IMAGE],
            int8(1, 2, 2, 4, quantization=quantization),
            rule,
        )
