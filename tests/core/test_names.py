"""Layer names from what the converter leaves, and C names."""

from __future__ import annotations

import pytest

from edgesparse.firmware.ctext import array_text, c_name, number_text
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
    assert c_name("int") == "layer_int"
    assert c_name("model_invoke") == "layer_model_invoke"
    assert c_name("dense_1") == "dense_1"


def test_numbers_are_c_literals() -> None:
    assert number_text(-(2**31)) == "(-2147483647 - 1)"
    assert number_text(2**31) == "2147483648u"
    assert number_text(0.5) == "0x1.0000000000000p-1f"


def test_arrays_are_wrapped() -> None:
    import numpy as np

    text = array_text(np.arange(100, dtype=np.int32))
    assert all(len(line) <= 101 for line in text.splitlines())
    assert text.replace("\n", "").replace(" ", "") == ",".join(map(str, range(100))) + ","
