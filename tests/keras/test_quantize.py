"""Quantizing gives a full-integer model, the same every time, with every pruned weight exactly zero."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from edgesparse.errors import DataError, ModelError, UnsupportedError
from edgesparse.graph import Graph
from edgesparse.keras_model import from_object, input_shape
from edgesparse.keras_model.backend import tensorflow, tf_keras
from edgesparse.quantize import check_zeros, float_tflite, quantize, synthetic_inputs
from edgesparse.sparsify import SparsifyResult, plan, sparsify
from edgesparse.tflite.read import read_graph
from tests.support.random_models import FAMILIES, random_model


def pruned(model: Any, sparsity: float = 0.75) -> SparsifyResult:
    loaded = from_object(model)
    return sparsify(loaded, plan(loaded.model, sparsity=sparsity, pattern="auto"), method="oneshot")


def inputs_for(model: Any, n: int = 8) -> Any:
    return synthetic_inputs(input_shape(model), n, 0, model=model)


@pytest.fixture(scope="module")
def residual() -> tuple[SparsifyResult, bytes]:
    """Two equal convolutions in a row, batch normalization with a negative gamma, a dense layer in a nested model."""
    keras = tf_keras()
    keras.utils.set_random_seed(0)
    layers = keras.layers
    x = inputs = keras.Input((6, 6, 8))
    y = layers.BatchNormalization(name="norm")(layers.Conv2D(8, 3, padding="same", name="a")(x))
    x = layers.ReLU()(layers.Add()([layers.Conv2D(8, 3, padding="same", name="b")(y), x]))
    head = keras.Sequential([keras.Input((8,)), layers.Dense(8, name="c"), layers.Dense(8, name="d")], name="head")
    model = keras.Model(inputs, head(layers.GlobalAveragePooling2D()(x)))
    gamma = np.linspace(-2.0, 2.0, 8, dtype=np.float32)
    model.get_layer("norm").set_weights([gamma, gamma, gamma, np.abs(gamma)])
    result = pruned(model)
    return result, quantize(result.model, inputs_for(result.model), dense_per_channel=False)


def test_the_model_is_int8_from_input_to_output_with_batch_1(residual: tuple[SparsifyResult, bytes]) -> None:
    graph = read_graph(residual[1])
    for index in (*graph.inputs, *graph.outputs):
        assert graph.tensors[index].dtype == np.int8
        assert graph.tensors[index].shape[0] == 1
    assert {op.kind for op in graph.ops} == {"CONV_2D", "ADD", "MEAN", "FULLY_CONNECTED"}


def test_the_same_model_gives_the_same_bytes(residual: tuple[SparsifyResult, bytes]) -> None:
    result, data = residual
    assert quantize(result.model, inputs_for(result.model), dense_per_channel=False) == data


def test_convolutions_are_per_channel_and_dense_layers_as_asked(residual: tuple[SparsifyResult, bytes]) -> None:
    def per_channel(data: bytes) -> dict[str, bool]:
        graph = read_graph(data)
        return {
            op.kind: graph.input(op, 1).quant.per_channel
            for op in graph.ops
            if op.kind in ("CONV_2D", "FULLY_CONNECTED")
        }

    result, data = residual
    assert per_channel(data) == {"CONV_2D": True, "FULLY_CONNECTED": False}
    other = quantize(result.model, inputs_for(result.model), dense_per_channel=True)
    assert per_channel(other) == {"CONV_2D": True, "FULLY_CONNECTED": True}


def test_a_float_file_keeps_the_zeros(residual: tuple[SparsifyResult, bytes]) -> None:
    graph = read_graph(float_tflite(residual[0].model))
    mapping = check_zeros(read_graph(residual[1]), residual[0].model, residual[0].masks)
    int8 = read_graph(residual[1])
    kernels = {graph.input(op, 1).shape: graph.input(op, 1) for op in graph.ops if op.kind == "CONV_2D"}
    assert set(mapping) == {"a", "b", "head/c", "head/d"}
    weights = kernels[int8.input(int8.ops[mapping["a"]], 1).shape]
    assert weights.dtype == np.float32
    assert np.mean(np.asarray(weights.data) == 0) >= 0.7


def test_pruned_layers_are_found_by_value_and_are_zero(residual: tuple[SparsifyResult, bytes]) -> None:
    result, data = residual
    graph = read_graph(data)
    mapping = check_zeros(graph, result.model, result.masks)
    kinds = [op.kind for op in graph.ops]
    first, second = (index for index, kind in enumerate(kinds) if kind == "CONV_2D")
    third, fourth = (index for index, kind in enumerate(kinds) if kind == "FULLY_CONNECTED")
    assert mapping == {"a": first, "b": second, "head/c": third, "head/d": fourth}


def with_weights(graph: Graph, op: int, weights: Any) -> Graph:
    index = graph.ops[op].inputs[1]
    tensors = list(graph.tensors)
    tensors[index] = dataclasses.replace(tensors[index], data=weights)
    return dataclasses.replace(graph, tensors=tuple(tensors))


def test_a_pruned_weight_that_is_not_zero_is_found(residual: tuple[SparsifyResult, bytes]) -> None:
    result, data = residual
    graph = read_graph(data)
    op = check_zeros(graph, result.model, result.masks)["b"]
    weights = np.array(graph.input(graph.ops[op], 1).data)
    removed = np.argwhere(np.moveaxis(~result.masks["b"], -1, 0))[3]
    weights[tuple(removed)] = 1
    with pytest.raises(ModelError, match=r"layer 'b' .*: 1 of 432 pruned weights are not zero"):
        check_zeros(with_weights(graph, op, weights), result.model, result.masks)


def test_a_layer_that_is_not_in_the_graph_is_named(residual: tuple[SparsifyResult, bytes]) -> None:
    result, data = residual
    graph = read_graph(data)
    op = check_zeros(graph, result.model, result.masks)["head/c"]
    other = np.random.default_rng(0).integers(-127, 128, (8, 8)).astype(np.int8)
    with pytest.raises(ModelError, match="layer 'head/c': no op of the int8 model holds its weights"):
        check_zeros(with_weights(graph, op, other), result.model, result.masks)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("sparsity", [0.75, 0.95])
def test_random_models_keep_their_zeros(family: str, sparsity: float) -> None:
    result = pruned(random_model(101, family), sparsity)
    graph = read_graph(quantize(result.model, inputs_for(result.model), dense_per_channel=sparsity == 0.95))
    mapping = check_zeros(graph, result.model, result.masks)
    assert set(mapping) == set(result.masks)
    assert len(set(mapping.values())) == len(mapping)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200, 240))
def test_many_random_models_keep_their_zeros(seed: int) -> None:
    result = pruned(random_model(seed))
    graph = read_graph(quantize(result.model, inputs_for(result.model), dense_per_channel=False))
    assert set(check_zeros(graph, result.model, result.masks)) == set(result.masks)


def test_calibration_of_the_wrong_shape_is_refused(residual: tuple[SparsifyResult, bytes]) -> None:
    with pytest.raises(DataError, match=r"expected inputs of shape \(n, 6, 6, 8\), n >= 1, got \(3, 6, 6\)"):
        quantize(residual[0].model, np.zeros((3, 6, 6), np.float32), dense_per_channel=False)


def test_an_op_without_an_int8_form_is_named() -> None:
    keras = tf_keras()
    inputs = keras.Input((8,))
    x = keras.layers.Reshape((8, 8))(keras.layers.Dense(64)(inputs))
    model = from_object(keras.Model(inputs, tensorflow().linalg.inv(x))).model
    with pytest.raises(UnsupportedError, match="TFLite has no int8 op for MatrixInverse; ") as caught:
        quantize(model, inputs_for(model), dense_per_channel=False)
    assert "\n" not in str(caught.value)
    assert caught.value.names == ("MatrixInverse",)


def test_synthetic_inputs_repeat_by_seed() -> None:
    a, b, c = (synthetic_inputs((4, 3), 5, seed) for seed in (1, 1, 2))
    assert a.shape == (5, 4, 3)
    assert a.dtype == np.float32
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_synthetic_inputs_suit_a_first_rescaling_or_normalization_layer() -> None:
    keras = tf_keras()
    pixels = keras.Sequential(
        [keras.Input((4,)), keras.layers.Rescaling(1 / 127.5, offset=-1.0), keras.layers.Dense(4)]
    )
    x = synthetic_inputs((4,), 500, 0, model=pixels)
    assert 0 <= x.min() < 5
    assert 250 < x.max() <= 255
    normalized = keras.Sequential(
        [keras.Input((4,)), keras.layers.Normalization(mean=50.0, variance=4.0), keras.layers.Dense(4)]
    )
    x = synthetic_inputs((4,), 500, 0, model=normalized)
    assert abs(x.mean() - 50) < 0.5
    assert abs(x.std() - 2) < 0.2


@pytest.mark.parametrize("layer", ["GRU", "LSTM", "SimpleRNN", "Bidirectional"])
def test_recurrent_layers_are_refused_by_name_before_the_converter_crashes_on_them(layer: str) -> None:
    keras = tf_keras()
    inner = keras.layers.GRU(3, name="memory") if layer == "Bidirectional" else getattr(keras.layers, layer)(3)
    recurrent = keras.layers.Bidirectional(inner) if layer == "Bidirectional" else inner
    model = keras.Sequential([keras.Input((6, 2)), recurrent, keras.layers.Dense(2)])
    for convert in (
        lambda: quantize(model, np.zeros((2, 6, 2), np.float32), dense_per_channel=False),
        lambda: float_tflite(model),
    ):
        with pytest.raises(UnsupportedError, match=rf"'{recurrent.name}' \({layer}\): .*Conv1D") as caught:
            convert()
        assert caught.value.names == (layer,)
