"""Equalization and bias correction: the same float network, and int8 outputs closer to it where they are chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edgesparse.graph import FloatArray
from edgesparse.keras_model import from_object, input_shape, predict
from edgesparse.keras_model.backend import tf_keras
from edgesparse.keras_model.kernels import iter_kernels
from edgesparse.network import Network
from edgesparse.quantize import Quantized, check_zeros, float_tflite, quantize, quantize_corrected
from edgesparse.quantize.bias_correction import correct_biases
from edgesparse.quantize.equalize import equalize
from edgesparse.quantize.scalable_channels import rescale_channels, scalable_channels
from edgesparse.sparsify import plan, sparsify
from edgesparse.tflite import objects, read_graph
from edgesparse.tflite.edit import add_buffer, constant
from tests.support.random_models import FAMILIES, random_model


def samples(model: Any, n: int = 64, seed: int = 0) -> FloatArray:
    values = np.random.default_rng(seed).standard_normal((n, *input_shape(model)))
    return values.astype(np.float32)


def functional(shape: tuple[int, ...], outputs: Callable[[Any, Any], Any]) -> Any:
    """A model with random weights and statistics."""
    keras = tf_keras()
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape)
    model = keras.Model(inputs, outputs(keras.layers, inputs))
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "variance" in weight.name or "gamma" in weight.name:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif "kernel" not in weight.name:
            weight.assign(rng.normal(0, 0.3, weight.shape))
    return from_object(model).model


def separable_network(sizes: float = 0.0) -> Any:
    """Depthwise-separable, with batch normalization; log-normal sizes of its channels make no difference in float."""

    def outputs(layers: Any, x: Any) -> Any:
        for name, strides in (("a", 2), ("b", 1)):
            x = layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False, name=f"{name}_dw")(x)
            x = layers.ReLU()(layers.BatchNormalization(name=f"{name}_dw_norm")(x))
            x = layers.Conv2D(16, 1, use_bias=False, name=f"{name}_pw")(x)
            x = layers.ReLU()(layers.BatchNormalization(name=f"{name}_pw_norm")(x))
        return layers.Dense(5, name="scores")(layers.GlobalAveragePooling2D()(x))

    model = functional((12, 12, 8), outputs)
    rng = np.random.default_rng(1)
    graph = scalable_channels(model).graph
    for group in graph.groups:
        rescale_channels(graph, group, np.exp(rng.normal(0, sizes, len(group.channels))))
    return model


def outputs_of(data: bytes, x: FloatArray) -> FloatArray:
    return Network.read(data).predict(x)


def corrected(model: Any, x: FloatArray, **options: Any) -> Quantized:
    return quantize_corrected(model, x, dense_per_channel=False, outputs_of=outputs_of, **options)


def error(data: bytes, model: Any, x: FloatArray) -> float:
    return float(np.abs(outputs_of(data, x) - predict(model, x)).mean())


def assert_equal_functions(one: Any, other: Any) -> None:
    x = samples(one, seed=5)
    wanted = predict(one, x)
    np.testing.assert_allclose(predict(other, x), wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())


def groups(model: Any) -> set[str]:
    return {group.name for group in scalable_channels(model).graph.groups}


@pytest.mark.parametrize("family", FAMILIES)
def test_an_equalized_network_computes_the_same(family: str) -> None:
    changed = 0
    for seed in range(2):
        dense_per_channel = seed % 2 == 1
        model = from_object(random_model(300 + seed, family)).model
        equalized = equalize(model, samples(model), dense_per_channel=dense_per_channel)
        if equalized is not None:
            changed += 1
            assert_equal_functions(model, equalized)
    assert changed


def test_the_given_model_is_not_changed_and_its_copy_is() -> None:
    model = separable_network(1.0)
    before = model.get_weights()
    equalized = equalize(model, samples(model), dense_per_channel=False)
    assert equalized is not None
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert not np.array_equal(model.get_layer("b_dw_norm").gamma, equalized.get_layer("b_dw_norm").gamma)


def test_channels_go_through_homogeneous_layers_and_stop_at_others() -> None:
    def chain(*between: Any) -> Any:
        def outputs(layers: Any, x: Any) -> Any:
            x = layers.Conv2D(4, 3, name="a")(x)
            for layer in between:
                x = layer(layers)(x)
            return layers.Conv2D(4, 1, name="b")(x)

        return functional((8, 8, 3), outputs)

    for passes in (
        lambda layers: layers.ReLU(),
        lambda layers: layers.LeakyReLU(),
        lambda layers: layers.PReLU(),
        lambda layers: layers.Activation("relu"),
        lambda layers: layers.MaxPooling2D(),
        lambda layers: layers.AveragePooling2D(padding="same"),
        lambda layers: layers.ZeroPadding2D(),
        lambda layers: layers.Dropout(0.5),
    ):
        assert groups(chain(passes)) == {"a"}
    for stops in (
        lambda layers: layers.ReLU(6.0),
        lambda layers: layers.ReLU(threshold=0.5),
        lambda layers: layers.Activation("sigmoid"),
        lambda layers: layers.Activation("tanh"),
        lambda layers: layers.Softmax(),
        lambda layers: layers.Rescaling(2.0, offset=1.0),
    ):
        assert groups(chain(stops)) == set()
    assert groups(chain(lambda layers: layers.BatchNormalization(name="norm"))) == {"norm"}
    assert groups(chain(lambda layers: layers.BatchNormalization(scale=False))) == set()
    # Behind a ReLU it is not folded into the kernel.
    assert groups(chain(lambda layers: layers.ReLU(), lambda layers: layers.BatchNormalization())) == set()


def test_a_cap_that_two_places_share_stops_both() -> None:
    def outputs(layers: Any, x: Any) -> Any:
        cap = layers.ReLU(6.0)
        x = cap(layers.Conv2D(4, 3, name="a")(x))
        return layers.Conv2D(4, 1, name="c")(cap(layers.Conv2D(4, 1, name="b")(x)))

    assert groups(functional((8, 8, 3), outputs)) == set()


def test_branches_that_are_added_have_the_same_scales() -> None:
    def outputs(layers: Any, x: Any) -> Any:
        left = layers.Conv2D(4, 3, padding="same", activation="relu", name="left")(x)
        right = layers.BatchNormalization(name="norm")(layers.Conv2D(4, 1, name="right")(x))
        return layers.Dense(3)(layers.Flatten()(layers.ReLU()(layers.Add()([left, right]))))

    model = functional((6, 6, 3), outputs)
    assert groups(model) == {"left+norm"}
    model.get_layer("left").kernel.assign(model.get_layer("left").kernel * [1.0, 1.0, 1.0, 0.01])
    model.get_layer("norm").gamma.assign([1.0, 1.0, 1.0, 0.01])
    equalized = equalize(model, samples(model), dense_per_channel=False)
    assert equalized is not None
    assert_equal_functions(model, equalized)


def test_equalized_channels_have_more_equal_ranges() -> None:
    model = separable_network(1.5)
    x = samples(model)
    equalized = equalize(model, x, dense_per_channel=False)
    assert equalized is not None

    def spread(network: Any) -> float:
        """Largest over smallest range of the channels that a pointwise convolution reads."""
        norm = network.get_layer("b_dw_norm")
        ranges = np.maximum(predict(tf_keras().Model(network.input, norm.output), x), 0).max(axis=(0, 1, 2))
        return float(ranges.max() / ranges[ranges > 0].min())

    assert spread(equalized) < 0.5 * spread(model)


def test_pruned_weights_stay_zero_and_are_proven_so_in_the_equalized_model() -> None:
    model = separable_network(1.0)
    loaded = from_object(model)
    pruned = sparsify(loaded, plan(model, sparsity=0.5, pattern="unstructured"), method="magnitude")
    x = samples(model)
    equalized = equalize(pruned.model, x, dense_per_channel=False)
    assert equalized is not None
    for before, after in zip(iter_kernels(pruned.model), iter_kernels(equalized), strict=True):
        assert np.array_equal(before.read() == 0, after.read() == 0)
    found = check_zeros(read_graph(quantize(equalized, x, dense_per_channel=False)), equalized, pruned.masks)
    assert set(found) == set(pruned.masks)


@dataclass(frozen=True)
class Uneven:
    """A network that plain int8 does badly, its samples, and its files."""

    model: Any
    x: FloatArray
    unseen: FloatArray
    plain: bytes
    float32: bytes


@pytest.fixture(scope="module")
def uneven() -> Uneven:
    model = separable_network(1.5)
    x = samples(model, n=64)
    plain = quantize(model, x, dense_per_channel=False)
    return Uneven(model, x, samples(model, seed=1), plain, float_tflite(model))


@pytest.fixture(scope="module")
def chosen(uneven: Uneven) -> Quantized:
    return corrected(uneven.model, uneven.x)


def mean_errors(data: bytes, model: Any, x: FloatArray) -> npt.NDArray[np.float64]:
    return np.abs((outputs_of(data, x) - predict(model, x)).mean(axis=0, dtype=np.float64))


def test_corrected_biases_lower_the_mean_error_of_samples_that_were_not_seen(uneven: Uneven) -> None:
    changed = correct_biases(uneven.plain, uneven.float32, uneven.x)
    before, after = (mean_errors(data, uneven.model, uneven.unseen).mean() for data in (uneven.plain, changed))
    assert after < 0.5 * before
    assert correct_biases(uneven.plain, uneven.float32, uneven.x) == changed


def test_corrected_biases_are_all_that_changes(uneven: Uneven) -> None:
    before, after = (read_graph(d) for d in (uneven.plain, correct_biases(uneven.plain, uneven.float32, uneven.x[:8])))
    different = {
        index
        for index, (one, other) in enumerate(zip(before.tensors, after.tensors, strict=True))
        if one.data is not None and not np.array_equal(one.data, np.asarray(other.data))
    }
    assert different
    assert different <= {op.inputs[2] for op in before.ops if len(op.inputs) > 2}
    assert before.ops == after.ops


def test_biases_stay_where_the_float_file_is_of_another_network(uneven: Uneven) -> None:
    other = functional((12, 12, 8), lambda layers, x: layers.Conv2D(4, 3)(x))
    assert correct_biases(uneven.plain, float_tflite(other), uneven.x) == uneven.plain


def test_biases_stay_where_the_float_file_has_other_weights(uneven: Uneven) -> None:
    model = objects.parse(uneven.float32)
    for tensor in model.subgraphs[0].tensors:
        values = constant(model, tensor)
        if values is not None and values.dtype == np.float32 and values.ndim > 1:
            tensor.buffer = add_buffer(model, values + np.float32(1.0))
    assert correct_biases(uneven.plain, objects.pack(model), uneven.x) == uneven.plain


def test_an_uneven_network_is_equalized_and_closer_on_unseen_samples(uneven: Uneven, chosen: Quantized) -> None:
    assert chosen.equalized
    assert chosen.error is not None
    assert chosen.error_plain is not None
    assert chosen.error < 0.8 * chosen.error_plain
    assert_equal_functions(uneven.model, chosen.model)
    assert error(chosen.data, uneven.model, uneven.unseen) < 0.5 * error(uneven.plain, uneven.model, uneven.unseen)


def test_the_same_samples_give_the_same_scales(uneven: Uneven, chosen: Quantized) -> None:
    again = equalize(uneven.model, uneven.x[::2], dense_per_channel=False)
    assert again is not None
    for one, other in zip(chosen.model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_network_whose_int8_form_is_close_stays_as_it_is() -> None:
    def outputs(layers: Any, x: Any) -> Any:
        return layers.Dense(4)(layers.Flatten()(layers.Conv2D(8, 3, activation="relu")(x)))

    model = functional((6, 6, 3), outputs)
    x = samples(model)
    chosen = corrected(model, x)
    assert chosen.data == quantize(model, x, dense_per_channel=False)
    assert chosen.model is model
    assert chosen.error is not None
    figure = round(chosen.error, 6)
    assert chosen.as_json() == {
        "equalized": False,
        "bias_corrected": False,
        "samples": 32,
        "output_error_plain": figure,
        "output_error": figure,
    }


def test_without_samples_to_judge_by_the_result_is_plain_and_says_why() -> None:
    model = functional((8,), lambda layers, x: layers.Dense(3)(x))
    few = corrected(model, samples(model, n=31))
    assert few.data == quantize(model, samples(model, n=31), dense_per_channel=False)
    assert few.as_json()["output_error"] == {"unavailable": "needs 32 samples to judge by, got 31"}
    off = corrected(model, samples(model), unjudged="off").as_json()
    assert off["output_error_plain"] == {"unavailable": "off"}
    assert not off["equalized"]
    assert not off["bias_corrected"]
