"""The methods that train: the plan exactly, in the int8 file as well, the same weights by seed, clear errors."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest

from edgesparse.analysis import analyse
from edgesparse.errors import DataError, SettingsError
from edgesparse.graph import Graph
from edgesparse.keras_model import LoadedModel, from_object, predict
from edgesparse.keras_model.backend import tf_keras
from edgesparse.keras_model.kernels import iter_kernels
from edgesparse.quantize import check_zeros, quantize
from edgesparse.settings import TRAINING_METHOD_NAMES
from edgesparse.sparsify import SparsifyResult, plan, sparsify
from edgesparse.sparsify.patterns import pattern_named
from edgesparse.sparsify.proximal import Penalty
from edgesparse.sparsify.weight_groups import GroupPart, WeightGroups, pattern_units
from edgesparse.tflite.read import read_graph
from edgesparse.training.request import Training
from tests.support.fast_share import few

METHODS = [name for name in TRAINING_METHOD_NAMES if name != "finetune"]  # which test_sparsify.py tests
PATTERNS = ("unstructured", "block1x4", "block2x4", "nm=2:4")


def network() -> Any:
    """A convolution with 3x3 and one with 1x1 filters, batch normalization, a hidden dense layer."""
    keras = tf_keras()
    keras.utils.set_random_seed(5)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((4, 4, 4)),
            layers.Conv2D(8, 3, padding="same", activation="relu", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.Conv2D(8, 1, activation="relu", name="pointwise"),
            layers.Flatten(),
            layers.Dense(16, activation="relu", name="hidden"),
            layers.Dense(3, activation="softmax", name="out"),
        ],
        name="network",
    )


def task(samples: int = 96) -> tuple[Any, Any]:
    """Three classes of 4x4x4 images: which channel is bright."""
    rng = np.random.default_rng(2)
    y = rng.integers(0, 3, samples)
    x = rng.normal(0, 0.5, (samples, 4, 4, 4)).astype(np.float32)
    x[np.arange(samples), :, :, y] += 1.0
    return x, y


def trained(method: str, pattern: str, sparsity: float, **options: Any) -> tuple[LoadedModel, SparsifyResult]:
    x, y = task()
    loaded = from_object(network())
    planned = plan(loaded.model, sparsity=sparsity, pattern=pattern)
    training = Training(**{"x": x, "y": y, "epochs": 4, "batch": 16, "seed": 1, **options})
    return loaded, sparsify(loaded, planned, method=method, training=training)


def zeros_in(lines: list[str]) -> list[float]:
    """Zeros / weights after each epoch, from the progress lines."""
    return [float(line.rsplit(" ", 1)[1].rstrip("%")) / 100 for line in lines if line.startswith("epoch")]


def graph_of(result: SparsifyResult) -> Graph:
    return read_graph(quantize(result.model, task()[0], dense_per_channel=False))


@pytest.mark.parametrize(("method", "pattern"), few([*itertools.product(METHODS, PATTERNS)], of=4, every=5))
def test_every_method_carries_out_every_pattern_exactly(method: str, pattern: str) -> None:
    sparsity = 0.5 if pattern.startswith("nm=") else 0.77
    loaded, result = trained(method, pattern, sparsity)
    planned = plan(loaded.model, sparsity=sparsity, pattern=pattern)
    assert planned.target <= result.plan.sparsity < planned.target + 8 / planned.prunable_weights
    kernels = {kernel.name: kernel for kernel in iter_kernels(result.model)}
    for layer in result.plan.layers:
        weights = kernels[layer.name].read()
        if layer.pattern is None:
            assert layer.name not in result.masks
            continue
        keep = kernels[layer.name].to_tflite(result.masks[layer.name])
        assert np.mean(~keep) == layer.sparsity
        assert not weights[~keep].any()
        # Among these weights, the mask is one that the pattern itself could have made.
        np.testing.assert_array_equal(pattern_named(layer.pattern).mask(keep.astype(np.float32), layer.sparsity), keep)
    graph = graph_of(result)
    check_zeros(graph, result.model, result.masks)
    assert analyse(graph).sparsity >= sparsity


@pytest.mark.parametrize("method", few(METHODS, of=2))
def test_methods_learn(method: str) -> None:
    x, y = task()
    _, result = trained(method, "unstructured", 0.8, epochs=20, learning_rate=1e-2, distill=False)
    assert np.mean(predict(result.model, x).argmax(axis=1) == y) > 0.9


@pytest.mark.parametrize("method", few(METHODS, of=2))
def test_methods_repeat_by_seed_and_say_how_far_they_are(method: str) -> None:
    lines: list[str] = []
    results = [
        trained(method, "block1x4", 0.75, epochs=2, seed=seed, progress=lines.append)[1].model.get_weights()
        for seed in (3, 3, 4)
    ]
    flat = [b"".join(weight.tobytes() for weight in weights) for weights in results]
    assert flat[0] == flat[1] != flat[2]
    epochs = [line for line in lines if line.startswith("epoch")]
    assert len(epochs) == 6
    assert epochs[:2] == epochs[2:4]
    match = re.fullmatch(r"epoch 2/2: loss \d+\.\d{4}, zeros (\d+\.\d) %", epochs[1].replace("%", " %"))
    assert match is not None
    assert float(match[1]) >= 75.0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x": None, "y": None}, "needs samples; give --data"),
        ({"x": task(9)[0], "y": None}, "needs at least 16 samples, got 9"),
        ({"y": None, "distill": False}, r"--no-distill: needs labels; give --data FILE\.npz with x and y"),
        ({"x": task()[0] * np.float32(1e30), "y": None}, "the loss became nan in epoch 1; check the scale"),
        ({"x": np.full((20, 4, 4, 4), np.nan, np.float32), "y": None}, "x holds 1280 values that are NaN"),
    ],
)
def test_data_that_cannot_be_learnt_from_is_refused(method: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        trained(method, "unstructured", 0.5, **options)
    assert "\n" not in str(caught.value)


def test_sparsity_zero_only_trains() -> None:
    for method in METHODS:
        loaded, result = trained(method, "unstructured", 0.0, epochs=1)
        assert result.masks == {}
        assert not np.array_equal(result.model.get_weights()[0], loaded.model.get_weights()[0])


# ------------------------------------------------------------------------------------------ gradual


@pytest.mark.parametrize("schedule", ["polynomial", "constant"])
def test_the_zeros_of_gradual_follow_the_schedule(schedule: str) -> None:
    lines: list[str] = []
    trained("gradual", "unstructured", 0.8, epochs=10, schedule=schedule, progress=lines.append)
    shares = zeros_in(lines)
    assert shares == sorted(shares)
    assert shares[-1] >= 0.8
    if schedule == "constant":
        assert min(shares) >= 0.8
    else:
        done = 6 / int(0.7 * 60)  # steps of the first epoch, of those that prune
        assert abs(shares[0] - 0.8 * (1 - (1 - done) ** 3)) < 0.05


def test_an_unknown_schedule_is_refused() -> None:
    with pytest.raises(SettingsError, match="--schedule: expected one of polynomial, constant, got 'linear'"):
        trained("gradual", "unstructured", 0.5, schedule="linear")


# ------------------------------------------------------------------------------------------ l1 and group lasso


def test_the_units_of_a_pattern_are_groups_of_the_kernel_in_its_own_layout() -> None:
    model = network()
    kernels = {kernel.name: kernel for kernel in iter_kernels(model)}
    for pattern, unit in (("block1x4", 4), ("block2x4", 8), ("block4x1", 4), ("unstructured", 1)):
        for kernel in kernels.values():
            if pattern_named(pattern).fits(kernel.shape) is not None:
                continue
            groups = pattern_units(kernel, pattern_named(pattern).tiling)
            assert set(groups.sizes()) == {unit}
            np.testing.assert_allclose(np.sum(groups.norms() ** 2), np.sum(kernel.read() ** 2), rtol=1e-5)
            # What a pattern removes at once is one group.
            keep = pattern_named(pattern).mask(kernel.read(), 1 / kernel.weights)
            (part,) = groups.parts
            assert len(set(part.index[~kernel.from_tflite(keep)].tolist())) == 1


def test_a_group_may_lie_in_several_weights_along_an_axis() -> None:
    keras = tf_keras()
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(2)])
    a, b = (layer.kernel for layer in model.layers)
    a.assign([[3.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    b.assign([[4.0, 0.0], [0.0, 1.0]])
    units = np.array([0, -1])
    groups = WeightGroups((GroupPart(a, 1, units), GroupPart(b, 0, units)), 1)
    assert groups.sizes().tolist() == [5]
    assert groups.norms().tolist() == [5]
    groups.scale(np.array([0.5], np.float32))
    np.testing.assert_array_equal(a.numpy(), [[1.5, 1.0], [0.0, 1.0], [0.0, 1.0]])
    np.testing.assert_array_equal(b.numpy(), [[2.0, 0.0], [0.0, 1.0]])


def test_a_proximal_step_shortens_groups_and_makes_short_ones_zero() -> None:
    keras = tf_keras()
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    kernel = next(iter_kernels(model))
    kernel.variable.assign(kernel.from_tflite(np.array([[3.0, 0.0, 4.0, 0.0], [0.1, 0.1, 0.1, 0.1]], np.float32)))
    penalty = Penalty(pattern_units(kernel, pattern_named("block1x4").tiling), share=0.5)
    penalty.strength = 0.25
    penalty.apply(learning_rate=2.0, due=1.0, speed=1.0)  # shortens by 0.5 * sqrt(4)
    np.testing.assert_allclose(kernel.read(), [[2.4, 0.0, 3.2, 0.0], [0.0, 0.0, 0.0, 0.0]], rtol=1e-6)
    assert penalty.strength == 0.25  # half of the groups are zero, as they should be
    penalty.apply(learning_rate=0.0, due=0.0, speed=1.0)
    assert penalty.strength < 0.25


@pytest.mark.parametrize(("method", "pattern"), [("l1", "unstructured"), ("group-lasso", "block1x4")])
def test_the_penalty_itself_makes_most_of_the_zeros(method: str, pattern: str) -> None:
    lines: list[str] = []
    trained(method, pattern, 0.8, epochs=60, learning_rate=2e-2, progress=lines.append)
    shares = zeros_in(lines)
    assert shares[2] < 0.4
    assert 0.5 < shares[28] < 0.85  # the last epoch before the masks


# ------------------------------------------------------------------------------------------ activity


@pytest.mark.parametrize("method", ["finetune", "targeted-dropout"])
def test_a_penalty_on_activity_makes_more_activations_zero(method: str) -> None:
    x, _ = task()
    shares = {}
    for strength in (0.0, 10.0):
        _, result = trained(method, "unstructured", 0.5, epochs=10, learning_rate=1e-2, activity_l1=strength)
        keras = tf_keras()
        hidden = keras.Model(result.model.inputs, result.model.get_layer("hidden").output)
        shares[strength] = float(np.mean(predict(hidden, x) == 0))
    assert shares[10.0] > shares[0.0] + 0.1


def test_a_penalty_on_activity_needs_a_relu() -> None:
    keras = tf_keras()
    loaded = from_object(keras.Sequential([keras.Input((8,)), keras.layers.Dense(8), keras.layers.Dense(8)]))
    training = Training(x=np.ones((20, 8), np.float32), activity_l1=0.1)
    with pytest.raises(SettingsError, match=r"--activity-l1: model .* has no ReLU"):
        sparsify(loaded, plan(loaded.model, sparsity=0.5, pattern="auto"), method="finetune", training=training)


def test_group_lasso_over_channels_leaves_fewer_of_them() -> None:
    _, result = trained("group-lasso", "channel", 0.6, epochs=6)
    kernels = {kernel.name: kernel.shape for kernel in iter_kernels(result.model)}
    assert result.shrunk is not None
    assert kernels["conv"][0] < 8 or kernels["pointwise"][0] < 8 or kernels["hidden"][0] < 16
    before = sum(kernel.weights for kernel in iter_kernels(network()))
    assert sum(kernel.weights for kernel in iter_kernels(result.model)) < 0.5 * before
    assert {op.kind for op in graph_of(result).ops} >= {"CONV_2D", "FULLY_CONNECTED"}
