"""What equalization and bias correction gain: output error of int8 models on samples that they were not made with.

    EDGESPARSE_TEST_MODELS=folder python -m benchmarks.corrections [--uneven 0 1] [MODEL ...]

MODEL: kws_ref_model, pretrainedResnet, ad01. kws has real inputs (300 to calibrate, 100 to test), the others normal
random ones (100 and 100). --uneven S multiplies channels by log-normal numbers of standard deviation S that the layers
which read them take back, so that the float model stays the same. The error is the mean distance of the outputs to the
float model's, over the mean distance of those to their mean. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from edgesparse.graph import FloatArray
from edgesparse.keras_model import input_shape, load, predict
from edgesparse.keras_model.validate import free_batch
from edgesparse.network import Network
from edgesparse.quantize import float_tflite, quantize, quantize_corrected, synthetic_inputs
from edgesparse.quantize.bias_correction import correct_biases
from edgesparse.quantize.equalize import equalize
from edgesparse.quantize.scalable_channels import rescale_channels, scalable_channels

_MODELS = ("kws_ref_model", "pretrainedResnet", "ad01")
_CALIBRATION = 100


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", default=_MODELS)
    parser.add_argument("--uneven", nargs="+", type=float, default=[0.0, 1.0])
    arguments = parser.parse_args()
    folder = os.environ.get("EDGESPARSE_TEST_MODELS")
    if not folder:
        print("EDGESPARSE_TEST_MODELS is not set", file=sys.stderr)
        return 2
    print("| network | uneven by | plain | equalized | biases corrected | both | chosen |")
    print("| --- |" + " ---: |" * 5 + " --- |", flush=True)
    for name in arguments.models:
        model = load(Path(folder) / f"{name}.h5").model
        calibration, unseen = _samples(model, name, Path(folder))
        for spread in arguments.uneven:
            print(_row(name, uneven(model, spread, seed=0), spread, calibration, unseen), flush=True)
    return 0


def uneven(model: Any, spread: float, seed: int) -> Any:
    """A copy of a tf_keras model whose channels differ in size, and that computes the same."""
    copy = free_batch(model, always=True)
    graph = scalable_channels(copy).graph
    generator = np.random.default_rng(seed)
    for group in graph.groups:
        rescale_channels(graph, group, np.exp(-generator.normal(0, spread, len(group.channels))))
    return copy


def _samples(model: Any, name: str, folder: Path) -> tuple[FloatArray, FloatArray]:
    if name.startswith("kws"):
        x = np.load(folder / "kws400.npz")["x"]
        return x[:300:3], x[300:]
    x = synthetic_inputs(input_shape(model), 2 * _CALIBRATION, 0, model=model)
    return x[:_CALIBRATION], x[_CALIBRATION:]


def _row(name: str, model: Any, spread: float, calibration: FloatArray, unseen: FloatArray) -> str:
    wanted = predict(model, unseen)
    fit = calibration[::2]

    def error(data: bytes | None) -> str:
        if data is None:
            return "-"
        distances = _lengths(Network.read(data).predict(unseen) - wanted)
        return f"{distances.mean() / _lengths(wanted - wanted.mean(axis=0)).mean():.4f}"

    plain = quantize(model, calibration, dense_per_channel=False)
    scaled = equalize(model, fit, dense_per_channel=False)
    equalized = quantize(scaled, calibration, dense_per_channel=False) if scaled is not None else None
    corrected = correct_biases(plain, float_tflite(model), fit)
    both = correct_biases(equalized, float_tflite(scaled), fit) if equalized is not None else None
    chosen = quantize_corrected(
        model, calibration, dense_per_channel=False, outputs_of=lambda data, x: Network.read(data).predict(x)
    ).data
    words = {plain: "plain", equalized: "equalized", corrected: "biases corrected", both: "both"}
    errors = " | ".join(error(data) for data in (plain, equalized, corrected, both))
    return f"| {name} | {spread:g} | {errors} | {words[chosen]} |"


def _lengths(values: FloatArray) -> Any:
    return np.linalg.norm(values.reshape(len(values), -1), axis=1)


if __name__ == "__main__":
    sys.exit(main())
