"""Every kernel of FULLY_CONNECTED on the emulated device, where its assembly runs: the reference's bytes, odd shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgesparse import pipeline
from edgesparse.errors import ModelError
from edgesparse.lowering import fully_connected_formats
from edgesparse.lowering.fully_connected_formats import FULLY_CONNECTED_FORMATS, FcChoice, FcLayer
from tests.kernels.networks import ACTIVATIONS
from tests.support.tflite_builder import TfliteBuilder

DIMENSIONS = (70, 33, 8, 260, 7, 12, 1, 64, 21)


def chain(seed: int) -> bytes:
    """A chain of layers, each with weights of another density and pattern, one or many scales, any activation."""
    rng = np.random.default_rng(seed)
    net = TfliteBuilder()
    scale, zero_point = 0.05, int(rng.integers(-128, 128))
    tensor = net.input((1, DIMENSIONS[0]), scale, zero_point)
    for number, (inputs, outputs) in enumerate(zip(DIMENSIONS, DIMENSIONS[1:], strict=False)):
        weights = rng.integers(-128, 128, (outputs, inputs)).astype(np.int8)
        density = float(rng.choice([0.05, 0.2, 0.5, 1.0]))
        blocks = rng.random((-(-outputs // 2), -(-inputs // 4))) < density
        keep = np.repeat(np.repeat(blocks, 2, axis=0), 4, axis=1)[:outputs, :inputs]
        if number % 2:
            keep = rng.random((outputs, inputs)) < density
        weights *= keep
        scales = rng.uniform(0.002, 0.01, outputs if rng.integers(0, 2) else 1).astype(np.float32)
        bias = rng.integers(-2000, 2000, outputs).astype(np.int32)
        spread = scale * scales.max() * 74 * 74 * max(1.0, (inputs * density) ** 0.5)
        scale, zero_point = spread / 60, int(rng.integers(-128, 128))
        output = net.activation((1, outputs), scale, zero_point)
        net.op(
            "FULLY_CONNECTED",
            [tensor, net.constant(weights, scales), net.constant(bias)],
            [output],
            fusedActivationFunction=int(rng.choice(ACTIVATIONS[:2])),
        )
        tensor = output
    return net.build([tensor])


@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
@pytest.mark.parametrize("format", [*FULLY_CONNECTED_FORMATS, "wide"])
def test_kernels_are_exact_on_the_device(format: str, toolchain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                         request: pytest.FixtureRequest) -> None:  # fmt: skip
    if toolchain == "gcc":
        request.getfixturevalue("gcc")
    pack = FULLY_CONNECTED_FORMATS["dense" if format == "wide" else format]
    plain = FULLY_CONNECTED_FORMATS["dense"]
    taken: list[str] = []

    def force(layer: FcLayer) -> FcChoice:
        try:
            choice = pack(layer)
        except ModelError:
            choice = plain(layer)
        taken.append(choice.kernel)
        return choice

    monkeypatch.setattr(fully_connected_formats, "FULLY_CONNECTED_FORMATS", {"dense": force})
    if format == "wide":
        monkeypatch.setattr(FcLayer, "right_shifts_only", False)
    for seed in range(2):
        model = tmp_path / f"chain{seed}.tflite"
        model.write_bytes(chain(seed))
        report: dict[str, Any] = pipeline.firmware(
            model, out=tmp_path / f"out{seed}", toolchain=toolchain, vectors=40, seed=seed
        )
        assert report["bit_exact"]["ok"]
    assert taken.count(format) > len(taken) / 2
