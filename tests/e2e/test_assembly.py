"""The assembly of the convolutions in the emulator; on the host only the C beside it runs (tests/kernels)."""

from __future__ import annotations

import importlib
import itertools
from pathlib import Path

import numpy as np
import pytest

from edgesparse.commands.firmware import firmware
from edgesparse.lowering.choose import Policy
from edgesparse.lowering.context import Context
from edgesparse.lowering.formats import CONV_2D_FORMATS
from tests.kernels.networks import ACTIVATIONS, SAME, VALID
from tests.support.tflite_builder import TfliteBuilder

_OUTPUT = (0.5, 3)


def _many_convolutions(rng: np.random.Generator, channels: int, count: int) -> bytes:
    """Convolutions of many shapes on one input, their outputs one behind another."""
    b = TfliteBuilder()
    height, width = 7, 9
    x = b.input((1, height, width, channels), 0.02, int(rng.integers(-128, 128)))
    flat, total = [], 0
    for number in range(count):
        kernel_h, kernel_w = (1, 1) if number % 5 == 0 else (int(k) for k in rng.integers(1, 4, 2))
        stride_h, stride_w = (int(s) for s in rng.choice([1, 1, 2, 3], 2))
        dilation = int(rng.choice([1, 1, 2])) if stride_h == stride_w == 1 else 1
        padding = int(rng.choice([SAME, VALID]))
        reach_h, reach_w = (kernel_h - 1) * dilation + 1, (kernel_w - 1) * dilation + 1
        spans = (height, width) if padding == SAME else (height - reach_h + 1, width - reach_w + 1)
        out_h, out_w, out_c = -(-spans[0] // stride_h), -(-spans[1] // stride_w), int(rng.integers(1, 6))
        weights = rng.integers(-127, 128, (out_c, kernel_h, kernel_w, channels))
        weights *= rng.random(weights.shape) < rng.choice([0.02, 0.3, 1.0])
        scales = rng.uniform(0.002, 0.02, out_c).astype(np.float32)
        bias = rng.integers(-3000, 3000, out_c).astype(np.int32)
        y = b.activation((1, out_h, out_w, out_c), *_OUTPUT)
        b.op(
            "CONV_2D",
            [x, b.constant(weights.astype(np.int8), scales), b.constant(bias, np.float32(0.02) * scales)],
            [y],
            padding=padding,
            strideH=stride_h,
            strideW=stride_w,
            dilationHFactor=dilation,
            dilationWFactor=dilation,
            fusedActivationFunction=int(rng.choice(ACTIVATIONS)),
        )
        elements = out_h * out_w * out_c
        z = b.activation((1, elements), *_OUTPUT)
        b.op("RESHAPE", [y, b.constant(np.array([1, elements], np.int32))], [z])
        flat.append(z)
        total += elements
    while len(flat) > 1:  # TFLite Micro joins at most ten
        joined, flat = flat[:8], flat[8:]
        size = sum(b.elements(tensor) for tensor in joined)
        together = b.activation((1, size), *_OUTPUT)
        b.op("CONCATENATION", joined, [together], axis=1)
        flat.insert(0, together)
    assert b.elements(flat[0]) == total
    return b.build(flat)


@pytest.mark.parametrize(
    ("format", "channels"),
    [*itertools.product(CONV_2D_FORMATS, (3, 8)), ("block1x4", 172)],  # 172: gaps too long for one block
)
def test_every_format_is_exact_in_the_emulator(
    format: str, channels: int, gcc: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Context, "policy", Policy(forced=format))
    lower = importlib.import_module("edgesparse.lowering.lower")
    monkeypatch.setattr(lower, "CODE_BYTES", dict.fromkeys(lower.CODE_BYTES, -(10**9)))
    model = tmp_path / "net.tflite"
    model.write_bytes(_many_convolutions(np.random.default_rng(channels), channels, 24))
    report = firmware(model, out=tmp_path / "out", toolchain=gcc, vectors=2)
    assert report.bit_exact.ok
    assert {layer.format for layer in report.layers if layer.op == "CONV_2D"} == {format}
    assert f"es_conv_2d_rows_{format}_dsp.c" in (tmp_path / "out" / "firmware" / "config.mk").read_text()
