"""Accuracy of the ways to prune, by four folds on real data: DS-CNN (kws) and 400 labelled inputs.

    EDGESPARSE_TEST_MODELS=folder python -m benchmarks.kws_folds [--method oneshot finetune] [--pattern unstructured]
        [--sparsity 0.5] [--quantize ptq qat] [--epochs 60] [--labels] [--no-correct]
        [--seeds 0] [--folds 4]

Needs `kws_ref_model.h5` and `kws400.npz` in the folder. Each fold prunes (and trains) on 300 of the inputs, without
their labels unless --labels is given, quantizes with these 300 and tests the int8 model, by the reference interpreter,
on the other 100. The functions are those of `convert`. Prints top-1 of the float and of the dense int8 model, and a
Markdown table with that of the pruned int8 model: mean of the folds, the lowest and the highest.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.keras_model import LoadedModel, load, predict
from edgesparse.network import Network
from edgesparse.quantize import Quantized, check_zeros, quantize_corrected, train_aware
from edgesparse.settings import QUANTIZE_NAMES
from edgesparse.sparsify import METHODS, plan, sparsify
from edgesparse.training.request import Training

_FOLDS = 4


@dataclass(frozen=True)
class Case:
    """One row: a way to prune and to quantize. `epochs` counts for finetune, and for qat."""

    method: str
    pattern: str
    sparsity: float
    quantize: str
    epochs: int
    labels: bool
    correct: bool
    seed: int


@dataclass(frozen=True, eq=False)
class Samples:
    """x [n, *input], y [n] class numbers, of calibration and of test."""

    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.int64]
    x_test: npt.NDArray[np.float32]
    y_test: npt.NDArray[np.int64]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", nargs="+", choices=tuple(METHODS), default=["magnitude", "oneshot"])
    parser.add_argument("--pattern", nargs="+", default=["unstructured"])
    parser.add_argument("--sparsity", nargs="+", type=float, default=[0.5])
    parser.add_argument("--quantize", nargs="+", choices=QUANTIZE_NAMES, default=["ptq"])
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--labels", action="store_true")
    parser.add_argument("--no-correct", dest="correct", action="store_false")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--folds", type=int, choices=range(1, _FOLDS + 1), default=_FOLDS, help="only the first ones")
    arguments = parser.parse_args()
    folder = os.environ.get("EDGESPARSE_TEST_MODELS")
    if not folder:
        print("EDGESPARSE_TEST_MODELS is not set", file=sys.stderr)
        return 2
    loaded = load(Path(folder) / "kws_ref_model.h5")
    data = np.load(Path(folder) / "kws400.npz")
    folds = [fold_of(data, fold) for fold in range(arguments.folds)]
    floats = [score(predict(loaded.model, samples.x_test), samples) for samples in folds]
    dense = [
        score(Network.read(int8(loaded.model, samples).data).predict(samples.x_test), samples) for samples in folds
    ]
    print(f"float {np.mean(floats):.4f}, int8 {np.mean(dense):.4f}\n")
    print("| method | pattern | sparsity | seed | top-1, int8 | lowest | highest | zeros |")
    print("| --- | --- |" + " ---: |" * 6)
    ways = product(arguments.pattern, arguments.sparsity, arguments.method, arguments.quantize, arguments.seeds)
    for pattern, sparsity, method, quantized, seed in ways:
        case = Case(method, pattern, sparsity, quantized, arguments.epochs, arguments.labels, arguments.correct, seed)
        print(row(case, loaded, folds), flush=True)
    return 0


def row(case: Case, loaded: LoadedModel, folds: Sequence[Samples]) -> str:
    """One line of the table."""
    results = [measure(case, loaded, samples) for samples in folds]
    top1, zeros = (np.array(column) for column in zip(*results, strict=True))
    name = case.method + (" + qat" if case.quantize == "qat" else "")
    if case.method == "finetune" or case.quantize == "qat":
        name += f", {case.epochs} epochs, {'labels' if case.labels else 'no labels'}"
    figures = f"{top1.mean():.4f} | {top1.min():.4f} | {top1.max():.4f} | {zeros.min():.4f}"
    return f"| {name} | {case.pattern} | {case.sparsity:g} | {case.seed} | {figures} |"


def fold_of(data: Any, fold: int) -> Samples:
    """Every fourth sample, from the fold's number on, is for the test."""
    test = np.arange(len(data["x"])) % _FOLDS == fold
    return Samples(data["x"][~test], data["y"][~test], data["x"][test], data["y"][test])


def measure(case: Case, loaded: LoadedModel, samples: Samples) -> tuple[float, float]:
    """Top-1 of the pruned int8 model on the test part, and the zeros among its prunable weights."""
    planned = plan(loaded.model, sparsity=case.sparsity, pattern=case.pattern)
    labels = samples.y if case.labels else None
    training = Training(x=samples.x, y=labels, epochs=case.epochs, seed=case.seed)
    pruned = sparsify(loaded, planned, method=case.method, training=training)
    if case.quantize == "qat":
        pruned = train_aware(pruned, loaded.model, training, dense_per_channel=False)
    settled = "trained for int8" if case.quantize == "qat" else "" if case.correct else "--no-correct"
    quantized = int8(pruned.model, samples, settled=settled)
    network = Network.read(quantized.data)
    check_zeros(network.graph, quantized.model, pruned.masks)
    return score(network.predict(samples.x_test), samples), network.stats.sparsity


def int8(model: Any, samples: Samples, *, settled: str = "") -> Quantized:
    """The model quantized with the calibration part."""
    return quantize_corrected(
        model,
        samples.x,
        dense_per_channel=False,
        outputs_of=lambda file, x: Network.read(file).predict(x),
        unjudged=settled,
    )


def score(outputs: npt.NDArray[np.float32], samples: Samples) -> float:
    """Top-1 of outputs [n, classes]."""
    return float(np.mean(outputs.argmax(axis=1) == samples.y_test))


if __name__ == "__main__":
    sys.exit(main())
