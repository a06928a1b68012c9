"""Quantization-aware training: pruned weights stay exactly zero, and what is learnt is for the int8 file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgesparse.analysis import analyse
from edgesparse.errors import DataError, ModelError
from edgesparse.keras_model import LoadedModel, from_object, predict
from edgesparse.keras_model.backend import tf_keras
from edgesparse.keras_model.kernels import iter_kernels
from edgesparse.keras_model.loaded import iter_layers
from edgesparse.keras_model.observe import stepping
from edgesparse.network import Network
from edgesparse.quantize import aware, check_zeros, match_kernels, quantize, train_aware
from edgesparse.quantize.fake import fake_quantized
from edgesparse.sparsify import SparsifyResult, plan, sparsify
from edgesparse.sparsify.patterns import pattern_named
from edgesparse.training.checkpoints import Checkpoints
from edgesparse.training.request import Training
from edgesparse.training.shaping import Shaping
from tests.support.fast_share import few
from tests.support.interrupt import Stop

Array = np.ndarray[Any, np.dtype[Any]]


def network() -> Any:
    keras = tf_keras()
    keras.utils.set_random_seed(5)
    layers = keras.layers
    x = inputs = keras.Input((4, 4, 4))
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv")(x)
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    x = layers.Add()([x, layers.Conv2D(8, 1, activation="relu", name="pointwise")(x)])
    x = layers.Dense(16, activation="relu", name="hidden")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="out")(x), name="network")


def task(samples: int = 96) -> tuple[Array, Array]:
    """Three classes of 4x4x4 images: which channel is bright."""
    rng = np.random.default_rng(2)
    y = rng.integers(0, 3, samples)
    x = rng.normal(0, 0.5, (samples, 4, 4, 4)).astype(np.float32)
    x[np.arange(samples), :, :, y] += 1.0
    return x, y


def pruned(
    pattern: str = "unstructured", sparsity: float = 0.75, model: Any = None
) -> tuple[LoadedModel, SparsifyResult]:
    loaded = from_object(model if model is not None else network())
    planned = plan(loaded.model, sparsity=sparsity, pattern=pattern)
    return loaded, sparsify(loaded, planned, method="magnitude")


def trained(pattern: str = "unstructured", sparsity: float = 0.75, **options: Any) -> SparsifyResult:
    x, y = task()
    loaded, before = pruned(pattern, sparsity)
    training = Training(**{"x": x, "y": y, "epochs": 2, "batch": 16, "seed": 1, **options})
    return train_aware(before, loaded.model, training, dense_per_channel=False)


def int8(model: Any, x: Array, *, dense_per_channel: bool = False) -> Network:
    return Network.read(quantize(model, x, dense_per_channel=dense_per_channel))


def weights_of(result: SparsifyResult) -> bytes:
    return b"".join(weight.tobytes() for weight in result.model.get_weights())


@pytest.mark.parametrize(
    ("pattern", "sparsity"),
    few([("unstructured", 0.77), ("block1x4", 0.75), ("channel", 0.5), ("block2x4", 0.75), ("nm=2:4", 0.5)], of=3),
)
def test_pruned_weights_are_exactly_zero_in_the_int8_file(pattern: str, sparsity: float) -> None:
    _, before = pruned(pattern, sparsity)
    result = trained(pattern, sparsity)
    kernels = {kernel.name: kernel for kernel in iter_kernels(result.model)}
    old = {kernel.name: kernel.read() for kernel in iter_kernels(before.model)}
    for name, mask in result.masks.items():
        np.testing.assert_array_equal(mask, before.masks[name])
        keep = kernels[name].to_tflite(mask)
        assert not kernels[name].read()[~keep].any()
        assert np.mean(kernels[name].read()[keep] != old[name][keep]) > 0.5  # the others learn
    for layer in result.plan.layers:
        if layer.pattern is not None:
            keep = kernels[layer.name].to_tflite(result.masks[layer.name])
            made = pattern_named(layer.pattern).mask(keep.astype(np.float32), layer.sparsity)
            np.testing.assert_array_equal(made, keep)
    network = int8(result.model, task()[0])
    assert set(check_zeros(network.graph, result.model, result.masks)) == set(result.masks)
    if pattern != "channel":
        assert analyse(network.graph).sparsity >= sparsity


def test_it_is_the_masks_that_keep_the_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aware, "FixedMasks", lambda model, masks: Shaping(model, set(masks)))
    result = trained()
    with pytest.raises(ModelError, match="pruned weights are not zero"):
        check_zeros(int8(result.model, task()[0]).graph, result.model, result.masks)


def test_it_repeats_by_seed_and_says_how_far_it_is() -> None:
    lines: list[str] = []
    first, again, other = (trained(seed=seed, progress=lines.append) for seed in (3, 3, 4))
    assert weights_of(first) == weights_of(again) != weights_of(other)
    assert lines[:2] == lines[2:4]
    assert lines[1].startswith("epoch 2/2: loss ")
    assert lines[1].endswith("zeros 75.0%")


def test_training_that_was_interrupted_goes_on_and_ends_with_the_same_weights(tmp_path: Path) -> None:
    x, _ = task()
    loaded, before = pruned()
    checkpoints = Checkpoints(tmp_path / "state", every_s=0)

    def run(progress: Stop, *, dense_per_channel: bool = False) -> SparsifyResult:
        training = Training(x=x, epochs=3, checkpoints=checkpoints, progress=progress)
        return train_aware(before, loaded.model, training, dense_per_channel=dense_per_channel)

    whole = run(Stop())
    checkpoints.discard()
    with pytest.raises(KeyboardInterrupt):
        run(Stop(at="epoch 2/"))
    other = Stop()
    run(other, dense_per_channel=True)
    assert not any("going on" in line for line in other.lines)
    again = Stop()
    resumed = run(again)
    assert again.lines[0].startswith("going on after epoch ")
    assert weights_of(resumed) == weights_of(whole)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x": None, "y": None}, r"--quantize qat: needs samples; give --data FILE\.npz with x, or use --quantize ptq"),
        ({"x": task(9)[0], "y": None}, "--quantize qat needs at least 16 samples, got 9; .*use --quantize ptq"),
        ({"y": None, "distill": False}, "--quantize qat --no-distill: needs labels; give --data"),
        ({"x": task()[0] * np.float32(1e30), "y": None}, "--quantize qat: the loss became nan in epoch 1; check"),
    ],
)
def test_data_that_cannot_be_learnt_from_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        trained(**options)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------ fake quantization


def spread(model: Any) -> Any:
    """Normalizations whose channels have very different scales, so that rounding costs something."""
    rng = np.random.default_rng(3)
    for layer in model.submodules:
        if type(layer).__name__ == "BatchNormalization":
            layer.gamma.assign(np.exp(rng.normal(0, 1.5, layer.gamma.shape)))
            layer.moving_variance.assign(np.exp(rng.normal(0, 1, layer.gamma.shape)))
            layer.moving_mean.assign(rng.normal(0, 0.3, layer.gamma.shape))
    return model


def convolutions() -> Any:
    keras = tf_keras()
    layers = keras.layers
    x = inputs = keras.Input((8, 8, 4))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(x)))
    x = layers.ReLU()(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(x)))
    x = layers.Add()([x, layers.Conv2D(8, 1, activation="relu")(x)])
    return keras.Model(inputs, layers.Dense(6)(layers.GlobalAveragePooling2D()(x)))


def dense() -> Any:
    keras = tf_keras()
    layers = keras.layers
    hidden = (layers.Dense(32), layers.BatchNormalization(), layers.ReLU())
    return keras.Sequential([keras.Input((24,)), *hidden, layers.Dropout(0.1), layers.Dense(6)])


def nested() -> Any:
    """Of layers that TF-MOT's own model wrapper refuses: nested models, 1-D convolutions, a tanh."""
    keras = tf_keras()
    layers = keras.layers
    inner = [layers.Conv1D(8, 3, padding="same"), layers.BatchNormalization(), layers.Activation("relu")]
    body = keras.Sequential([keras.Input((12, 4)), *inner, layers.MaxPooling1D()], name="body")
    head = keras.Sequential([keras.Input((48,)), layers.Dense(16, activation="tanh"), layers.Dense(6)], name="head")
    return keras.Sequential([keras.Input((12, 4)), body, layers.Flatten(), head])


@pytest.mark.parametrize("dense_per_channel", [False, True])
@pytest.mark.parametrize("build", [convolutions, dense, nested])
def test_a_model_under_fake_quantization_computes_what_its_int8_file_does(build: Any, dense_per_channel: bool) -> None:
    tf_keras().utils.set_random_seed(7)
    model = spread(build())
    x = np.random.default_rng(1).normal(size=(64, *model.inputs[0].shape[1:])).astype(np.float32)
    before = predict(model, x)
    with fake_quantized(model, dense_per_channel=dense_per_channel)():
        faked = predict(model, x)
    file = int8(model, x, dense_per_channel=dense_per_channel).predict(x)
    error, left = (float(np.sqrt(np.mean((outputs - file) ** 2))) for outputs in (before, faked))
    assert (
        left < 0.9 * error
    )  # not 0: its ranges follow what is rounded before, the file's are those of the float model
    np.testing.assert_array_equal(predict(model, x), before)  # and as before, afterwards


@pytest.mark.parametrize("dense_per_channel", [False, True])
@pytest.mark.parametrize("build", [convolutions, dense])
def test_kernels_are_rounded_to_the_numbers_of_the_int8_file(build: Any, dense_per_channel: bool) -> None:
    tf_keras().utils.set_random_seed(7)
    model = spread(build())
    x = np.random.default_rng(1).normal(size=(4, *model.inputs[0].shape[1:])).astype(np.float32)
    graph = int8(model, x, dense_per_channel=dense_per_channel).graph
    kernels = {kernel.name: kernel for kernel in iter_kernels(model) if not kernel.depthwise}
    seen: dict[str, Array] = {}

    def note(path: str, layer: Any) -> Any:
        def step(inputs: Any, compute: Any) -> Any:
            rounded = kernels[path].to_tflite(layer.kernel.numpy())
            seen[path] = rounded.reshape(len(rounded), -1)
            return compute(inputs)

        return step

    steps = {path: (layer, note(path, layer)) for path, layer in iter_layers(model) if path in kernels}
    with stepping(steps), fake_quantized(model, dense_per_channel=dense_per_channel)():
        model(x, training=False)
    found = match_kernels(graph, kernels.values())
    assert set(found) == set(seen) == set(kernels)
    for path, index in found.items():
        numbers = np.asarray(graph.input(graph.ops[index], 1).data).reshape(seen[path].shape).astype(np.float64)
        # Up to what the normalization multiplies a row with; which may be so little that all of it becomes zero.
        size = np.maximum(np.abs(seen[path]).max(axis=1), 1e-9)
        rows = seen[path] * (np.abs(numbers).max(axis=1) / size)[:, np.newaxis]
        np.testing.assert_allclose(rows, numbers, atol=1e-3)
        assert np.array_equal(np.any(rows, axis=1), np.any(numbers, axis=1))


def test_it_learns_to_live_with_rounding() -> None:
    keras = tf_keras()
    keras.utils.set_random_seed(7)
    layers = keras.layers
    model = keras.Sequential([keras.Input((16,)), layers.Dense(32, activation="relu", name="a"), layers.Dense(8)])
    outlier = np.zeros((16, 32), np.float32)
    outlier[0, 5] = 10.0  # makes the steps of all others coarse
    model.get_layer("a").kernel.assign_add(outlier)
    x = np.random.default_rng(1).normal(size=(256, 16)).astype(np.float32)
    loaded, before = pruned(sparsity=0.0, model=model)
    training = Training(x=x, epochs=20, learning_rate=5e-3)
    result = train_aware(before, loaded.model, training, dense_per_channel=False)
    wanted = predict(loaded.model, x)
    ptq, qat = (float(np.mean((int8(each, x).predict(x) - wanted) ** 2)) for each in (loaded.model, result.model))
    assert qat < 0.9 * ptq


def test_layers_that_are_used_twice_and_separable_ones_train() -> None:
    keras = tf_keras()
    keras.utils.set_random_seed(7)
    layers = keras.layers
    x = inputs = keras.Input((6, 6, 4))
    shared = layers.Conv2D(4, 1, activation="relu", name="shared")
    x = layers.Concatenate()([shared(x), shared(shared(x))])
    x = layers.SeparableConv2D(8, 3, activation="sigmoid", name="separable")(x)
    model = keras.Model(inputs, layers.Dense(3, name="out")(layers.Flatten()(x)))
    data = np.random.default_rng(1).normal(size=(32, 6, 6, 4)).astype(np.float32)
    loaded, before = pruned(sparsity=0.6, model=model)
    result = train_aware(before, loaded.model, Training(x=data, epochs=1), dense_per_channel=False)
    changed = {
        name
        for name in ("shared", "separable", "out")
        for ours, theirs in zip(
            result.model.get_layer(name).get_weights(), before.model.get_layer(name).get_weights(), strict=True
        )
        if not np.array_equal(ours, theirs)
    }
    assert changed == {"shared", "separable", "out"}
    check_zeros(int8(result.model, data).graph, result.model, result.masks)
