"""Every kernel of FULLY_CONNECTED on the emulated device, where its assembly runs: odd shapes, all formats."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgesparse.commands.firmware import firmware
from edgesparse.lowering.choose import Policy
from edgesparse.lowering.choose_fully_connected import FcChoice, choose_fully_connected
from edgesparse.lowering.formats import FULLY_CONNECTED_FORMATS
from edgesparse.lowering.formats.format import FcLayer
from edgesparse.report.report import Report
from tests.kernels.networks import ACTIVATIONS
from tests.support.tflite_builder import TfliteBuilder

DIMENSIONS = (70, 33, 48, 261, 27, 62, 64, 21, 1)


def chain(seed: int) -> bytes:
    """A chain of layers, each with weights of another density and pattern, one or many scales, with or without ReLU.

    The output holds that of every layer.
    """
    rng = np.random.default_rng(seed)
    net = TfliteBuilder()
    scale, zero_point = 0.05, -5
    tensors = [net.input((1, DIMENSIONS[0]), scale, zero_point)]
    for number, (inputs, outputs) in enumerate(itertools.pairwise(DIMENSIONS)):
        weights = rng.integers(-128, 128, (outputs, inputs)).astype(np.int8)
        density = float(rng.choice([0.05, 0.2, 0.5, 1.0]))
        blocks = rng.random((-(-outputs // 2), -(-inputs // 4))) < density
        keep = np.repeat(np.repeat(blocks, 2, axis=0), 4, axis=1)[:outputs, :inputs]
        if number % 2:
            keep = rng.random((outputs, inputs)) < density
        weights *= keep
        typical = 1 / (74 * max(1.0, inputs * density) ** 0.5)  # keeps the spread of the values
        scales = (typical * rng.uniform(0.7, 1.3, outputs if rng.integers(0, 2) else 1)).astype(np.float32)
        output = net.activation((1, outputs), scale, zero_point)
        net.op(
            "FULLY_CONNECTED",
            [
                tensors[-1],
                net.constant(weights, scales),
                net.constant(rng.integers(-900, 900, outputs).astype(np.int32)),
            ],
            [output],
            fusedActivationFunction=int(rng.choice(ACTIVATIONS[:2], p=[0.7, 0.3])),
        )
        tensors.append(output)
    together = net.activation((1, sum(DIMENSIONS[1:])), scale, zero_point)
    net.op("CONCATENATION", tensors[1:], [together], axis=1)
    return net.build([together])


@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
@pytest.mark.parametrize("format", [*FULLY_CONNECTED_FORMATS, "wide"])
def test_kernels_are_exact_on_the_device(format: str, toolchain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                         request: pytest.FixtureRequest) -> None:  # fmt: skip
    if toolchain == "gcc":
        request.getfixturevalue("gcc")
    taken: list[str] = []

    def force(layer: FcLayer, policy: Policy) -> FcChoice:
        choice = choose_fully_connected(replace(layer, zero_inputs=0.5), Policy(forced=format))
        taken.append(choice.kernel)
        return choice

    monkeypatch.setattr("edgesparse.lowering.fully_connected.choose_fully_connected", force)
    if format == "wide":
        monkeypatch.setattr(FcLayer, "right_shifts_only", False)
    for seed in range(2):
        model = tmp_path / f"chain{seed}.tflite"
        model.write_bytes(chain(seed))
        report: Report = firmware(model, out=tmp_path / f"out{seed}", toolchain=toolchain, vectors=40, seed=seed)
        assert report.bit_exact.ok
    assert taken.count(format) > len(taken) / 2
