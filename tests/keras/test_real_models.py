"""Real models load, reach their plan and keep their zeros in int8."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgesparse.keras_model import input_shape, load, predict
from edgesparse.quantize import check_zeros, quantize, synthetic_inputs
from edgesparse.sparsify import plan, sparsify
from edgesparse.tflite.read import read_graph

CASES = {
    "ad01.h5": (264_192, 10),
    "pretrainedResnet.h5": (76_288, 8),
    "kws_ref_model.h5": (16_384, 4),
    "magic_wand.h5": (4_096, 2),
    "nested_autoencoder.h5": (10_240, 6),
}
SLOW = ("ad01.h5", "pretrainedResnet.h5")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in sorted(CASES)]
)
def test_a_real_model_is_pruned_and_quantized(models: Path, name: str) -> None:
    prunable, layers = CASES[name]
    loaded = load(models / name)
    planned = plan(loaded.model, sparsity=0.75, pattern="auto")
    assert planned.prunable_weights == prunable
    result = sparsify(loaded, planned, method="oneshot")
    x = synthetic_inputs(input_shape(loaded.model), 8, 0, model=loaded.model)
    graph = read_graph(quantize(result.model, x, dense_per_channel=False))
    assert len(check_zeros(graph, result.model, result.masks)) == layers


def test_the_saved_model_equals_the_h5(models: Path) -> None:
    x = np.load(models / "kws400.npz")["x"][:50]
    a, b = (predict(load(models / name).model, x) for name in ("kws_ref_model.h5", "kws_saved_model"))
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_the_float_keyword_model_has_its_accuracy(models: Path) -> None:
    data = np.load(models / "kws400.npz")
    accuracy = np.mean(predict(load(models / "kws_ref_model.h5").model, data["x"]).argmax(axis=1) == data["y"])
    assert 0.89 < accuracy < 0.93


@pytest.mark.parametrize(
    "name", ["keras3_functional.h5", pytest.param("keras3_functional.keras", marks=pytest.mark.slow)]
)
def test_the_keras3_model_loads(models: Path, name: str) -> None:
    assert input_shape(load(models / name).model) == (32, 32, 1)
