"""Layer names from what the converter leaves, and C names."""

from __future__ import annotations

import re

import pytest

from edgesparse.firmware.ctext import array_text, number_text
from edgesparse.firmware.names import CNames, model_name
from edgesparse.tflite.names import identifier, layer_names


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("CONV_2D", "m/act/Relu;m/bn/FusedBatchNormV3;m/conv2d/BiasAdd;m/conv2d_4/Conv2D;m/conv2d/Conv2D1", "conv2d"),
        ("FULLY_CONNECTED", "m/dense_2/MatMul;m/dense_2/BiasAdd", "dense_2"),
        ("ADD", "m/activation_2/Relu;m/add_1/add", "add_1"),
        ("SOFTMAX", "StatefulPartitionedCall:0", "softmax"),
        ("AVERAGE_POOL_2D", "m/average_pooling2d/AvgPool", "average_pooling2d"),
        ("CONV_2D", "m/2nd-Block.Conv/BiasAdd", "layer_2nd_block_conv"),
    ],
)
def test_the_keras_layer_is_found(kind: str, text: str, expected: str) -> None:
    assert layer_names([kind], [text]) == [expected]


def test_names_are_unique() -> None:
    names = layer_names(["RELU"] * 4, ["m/a/Relu", "m/a/Relu", "m/a_1/Relu", "m/a/Relu"])
    assert len(set(names)) == 4


def test_identifiers_are_c_identifiers() -> None:
    assert identifier("Größe/2") == "gr_e_2"
    assert identifier("///") == "layer"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("models/KWS ref-model.h5", "kws_ref_model"),
        ("3d.net.int8.tflite", "model_3d_net_int8"),
        ("/x/saved_model", "saved_model"),
        ("模型.keras", "model"),
        ("a__b--c.h5", "a_b_c"),
        ("x" * 80 + ".h5", "x" * 32),
        ("x" * 31 + "-tail.h5", "x" * 31),
        ("es.tflite", "model_es"),
        ("es_types.tflite", "model_es_types"),
        ("Harness.tflite", "model_harness"),
        ("harness_model.tflite", "model_harness_model"),
        ("stdint.tflite", "stdint"),
    ],
)
def test_the_models_name_comes_from_its_file(path: str, name: str) -> None:
    assert model_name(path) == name
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name)


def test_no_two_c_names_are_the_same() -> None:
    names = CNames("kws_", ["input"])
    assert names.claim("a", ["_bias", "_weights"]) == "kws_a"
    assert names.claim("a_bias") == "kws_a_bias_2"
    assert names.claim("b_weights") == "kws_b_weights"
    assert names.claim("b", ["_weights"]) == "kws_b_2"
    assert names.claim("input") == "kws_input_2"
    assert names.claim("int") == "kws_int"
    long = [names.claim("x" * 200) for _ in range(12)]
    assert len(set(long)) == 12
    assert all(len(name) <= 52 for name in long)


def test_numbers_are_c_literals() -> None:
    assert number_text(-(2**31)) == "(-2147483647 - 1)"
    assert number_text(2**31) == "2147483648u"
    assert number_text(0.5) == "0x1.0000000000000p-1f"


def test_arrays_are_wrapped() -> None:
    import numpy as np

    text = array_text(np.arange(100, dtype=np.int32))
    assert all(len(line) <= 100 for line in text.splitlines())
    assert text.replace("\n", "").replace(" ", "") == ",".join(map(str, range(100))) + ","
