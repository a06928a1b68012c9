"""Whole small int8 networks without TensorFlow, for tests of everything behind the reader."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from tests.support.tflite_builder import TfliteBuilder

SAME = schema.Padding.SAME
RELU = schema.ActivationFunctionType.RELU


def conv_network(seed: int = 0, density: float = 0.25) -> bytes:
    """8x8x4 -> CONV_2D 3x3 (8) -> CONV_2D 1x1 (16) -> FULLY_CONNECTED (10) -> SOFTMAX; sparse weights."""
    rng = np.random.default_rng(seed)

    def sparse(*shape: int) -> NDArray[np.int8]:
        keep = np.repeat(rng.random((*shape[:-1], shape[-1] // 4)) < density, 4, axis=-1)
        return (rng.integers(-127, 128, shape) * keep).astype(np.int8)

    net = TfliteBuilder()
    x = net.input((1, 8, 8, 4), 0.05, 3)
    a = net.activation((1, 8, 8, 8), 0.06, -128)
    b = net.activation((1, 8, 8, 16), 0.07, -20)
    flat = net.activation((1, 1024), 0.07, -20)
    logits = net.activation((1, 10), 0.2, 4)
    probabilities = net.activation((1, 10), 1 / 256, -128)
    scales = rng.uniform(0.002, 0.01, 8)
    net.op(
        "CONV_2D",
        [x, net.constant(sparse(8, 3, 3, 4), scales), net.constant(rng.integers(-500, 500, 8).astype(np.int32))],
        [a],
        padding=SAME,
        strideH=1,
        strideW=1,
        dilationHFactor=1,
        dilationWFactor=1,
        fusedActivationFunction=RELU,
    )
    net.op(
        "CONV_2D",
        [a, net.constant(sparse(16, 1, 1, 8), [0.01]), net.constant(rng.integers(-500, 500, 16).astype(np.int32))],
        [b],
        padding=SAME,
        strideH=1,
        strideW=1,
        dilationHFactor=1,
        dilationWFactor=1,
    )
    net.op("RESHAPE", [b, net.constant(np.array([1, 1024], np.int32))], [flat])
    net.op(
        "FULLY_CONNECTED",
        [flat, net.constant(sparse(10, 1024), [0.004]), net.constant(rng.integers(-500, 500, 10).astype(np.int32))],
        [logits],
    )
    net.op("SOFTMAX", [logits], [probabilities], beta=1.0)
    return net.build([probabilities])


def depthwise_network(seed: int = 0) -> bytes:
    """8x8x4 -> DEPTHWISE_CONV_2D 7x7 -> FULLY_CONNECTED (10) -> SOFTMAX."""
    rng = np.random.default_rng(seed)
    net = TfliteBuilder()
    x = net.input((1, 8, 8, 4), 0.05, 3)
    filtered = net.activation((1, 8, 8, 4), 0.06, -7)
    flat = net.activation((1, 256), 0.06, -7)
    logits = net.activation((1, 10), 0.2, 4)
    probabilities = net.activation((1, 10), 1 / 256, -128)
    filters = net.constant(rng.integers(-127, 128, (1, 7, 7, 4)).astype(np.int8), rng.uniform(0.002, 0.01, 4), axis=3)
    net.op(
        "DEPTHWISE_CONV_2D",
        [x, filters, net.constant(rng.integers(-500, 500, 4).astype(np.int32))],
        [filtered],
        padding=SAME,
        strideH=1,
        strideW=1,
        dilationHFactor=1,
        dilationWFactor=1,
        depthMultiplier=1,
    )
    net.op("RESHAPE", [filtered, net.constant(np.array([1, 256], np.int32))], [flat])
    net.op(
        "FULLY_CONNECTED",
        [
            flat,
            net.constant(rng.integers(-127, 128, (10, 256)).astype(np.int8), [0.004]),
            net.constant(rng.integers(-500, 500, 10).astype(np.int32)),
        ],
        [logits],
    )
    net.op("SOFTMAX", [logits], [probabilities], beta=1.0)
    return net.build([probabilities])


def float_network(seed: int = 0) -> bytes:
    """float32 8x8x4 -> QUANTIZE -> FULLY_CONNECTED (3) -> DEQUANTIZE -> float32."""
    rng = np.random.default_rng(seed)
    net = TfliteBuilder()
    x = net.input((1, 8, 8, 4), dtype="float32")
    quantized = net.activation((1, 8, 8, 4), 0.03, 3)
    flat = net.activation((1, 256), 0.03, 3)
    logits = net.activation((1, 3), 0.1, 4)
    y = net.activation((1, 3), dtype="float32")
    net.op("QUANTIZE", [x], [quantized])
    net.op("RESHAPE", [quantized, net.constant(np.array([1, 256], np.int32))], [flat])
    net.op(
        "FULLY_CONNECTED",
        [
            flat,
            net.constant(rng.integers(-127, 128, (3, 256)).astype(np.int8), [0.004]),
            net.constant(rng.integers(-500, 500, 3).astype(np.int32)),
        ],
        [logits],
    )
    net.op("DEQUANTIZE", [logits], [y])
    return net.build([y])


def unsupported_network() -> bytes:
    """ELU and SQRT, for which there is no kernel."""
    net = TfliteBuilder()
    x = net.input((1, 4), 0.1, 0)
    a = net.activation((1, 4), 0.1, 0)
    b = net.activation((1, 4), 0.1, 0)
    net.op("ELU", [x], [a])
    net.op("SQRT", [a], [b])
    return net.build([b])
