"""Whole channels are found, tied and taken out, and what the network computes stays the same where they were dead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edgesparse.errors import ModelError
from edgesparse.keras_model import from_object, input_shape, iter_layers, predict
from edgesparse.keras_model.backend import tensorflow, tf_keras
from edgesparse.keras_model.channel_graph import ChannelGraph, channel_graph
from edgesparse.sparsify import remove_channels
from tests.support.fast_share import few
from tests.support.random_models import random_model

Keep = dict[str, npt.NDArray[np.bool_]]


def loaded(build: Callable[[Any], Any]) -> Any:
    """The model that `build` makes of the layers module, with weights and statistics that are all random."""
    keras = tf_keras()
    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(3)
    model = build(keras.layers)
    for weight in model.weights:
        positive = "variance" in weight.name or "gamma" in weight.name
        values = rng.uniform(0.5, 1.5, weight.shape) if positive else rng.normal(0, 0.5, weight.shape)
        weight.assign(values)
    return from_object(model).model


def functional(shape: tuple[int, ...], outputs: Callable[[Any], Any]) -> Any:
    keras = tf_keras()
    inputs = keras.Input(shape)
    return keras.Model(inputs, outputs(inputs))


def some(graph: ChannelGraph, seed: int = 0) -> Keep:
    """About half of each group, at least one."""
    rng = np.random.default_rng(seed)
    keep = {group.name: rng.random(len(group.channels)) < 0.5 for group in graph.groups}
    for kept in keep.values():
        kept[rng.integers(len(kept))] = True
    return keep


def zero(graph: ChannelGraph, keep: Mapping[str, npt.NDArray[np.bool_]], roles: tuple[str, ...]) -> None:
    """Make the channels that go dead: zero what the axes of these roles hold of them."""
    for group in graph.groups:
        for axis, position in graph.members(group):
            if axis.role in roles and group.name in keep:
                dead = (position >= 0) & ~keep[group.name][position]
                values = axis.variable.numpy()
                np.moveaxis(values, axis.axis, 0)[dead] = 0
                axis.variable.assign(values)


def assert_same_when_dead(model: Any, *, roles: tuple[str, ...] = ("in",), seed: int = 0) -> Any:
    graph = channel_graph(model)
    keep = some(graph, seed)
    zero(graph, keep, roles)
    before = [weight.copy() for weight in model.get_weights()]
    smaller = remove_channels(model, keep)
    x = np.random.default_rng(seed).normal(size=(8, *input_shape(model))).astype(np.float32)
    expected = predict(model, x)
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(predict(smaller, x), expected, rtol=0, atol=1e-5 * scale)
    assert smaller.output_shape == model.output_shape
    gone = sum(int(np.count_nonzero(~kept)) for kept in keep.values())
    assert (smaller.count_params() < model.count_params()) == (gone > 0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)  # the given model is as it was
    return smaller


def shapes(model: Any) -> dict[str, list[tuple[int, ...]]]:
    return {path: [tuple(w.shape) for w in layer.weights] for path, layer in iter_layers(model)}


def groups_of(model: Any) -> dict[str, int]:
    return {group.name: len(group.channels) for group in channel_graph(model).groups}


# ------------------------------------------------------------------------------------------ through each kind of layer


def residual(layers: Any) -> Any:
    def outputs(x: Any) -> Any:
        x = layers.ReLU()(layers.BatchNormalization(name="norm")(layers.Conv2D(8, 3, name="stem")(x)))
        y = layers.Conv2D(6, 3, padding="same", activation="relu", name="inner")(x)
        y = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same", use_bias=False, name="second")(y))
        x = layers.LeakyReLU()(layers.Add()([x, y]))
        x = layers.Add()(
            [layers.Conv2D(8, 1, strides=2, name="down")(x), layers.MaxPooling2D()(layers.PReLU(name="prelu")(x))]
        )
        return layers.Dense(3, name="out")(layers.GlobalAveragePooling2D()(x))

    return functional((10, 10, 3), outputs)


def separable(layers: Any) -> Any:
    def outputs(x: Any) -> Any:
        x = layers.Conv2D(6, 3, strides=2, name="stem")(x)
        x = layers.DepthwiseConv2D(3, name="depthwise")(layers.ZeroPadding2D()(x))
        x = layers.PReLU(shared_axes=[1, 2], name="prelu")(layers.BatchNormalization(name="norm")(x))
        x = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", name="doubled")(x)
        x = layers.SeparableConv2D(8, 3, depth_multiplier=2, name="separable")(layers.Dropout(0.5)(x))
        return layers.Dense(3, activation="softmax", name="out")(layers.Flatten()(x))

    return functional((12, 12, 1), outputs)


def branches(layers: Any) -> Any:
    def outputs(x: Any) -> Any:
        left = layers.Conv2D(5, 1, name="left")(x)
        right = layers.Conv2D(7, 3, padding="same", activation="tanh", name="right")(x)
        both = layers.Concatenate()([left, right, left])
        x = layers.Conv2D(17, 3, padding="same", name="mixed")(both)
        x = layers.Add()([x, both])  # ties mixed to left, right and left again
        x = layers.AveragePooling2D()(layers.UpSampling2D()(x))
        return layers.Dense(4, name="out")(layers.Flatten()(layers.Cropping2D(1)(x)))

    return functional((6, 6, 4), outputs)


def gated(layers: Any) -> Any:
    """Squeeze and excitation; its gate has the channels that it multiplies."""

    def outputs(x: Any) -> Any:
        x = layers.Conv2D(8, 3, name="conv")(x)
        gate = layers.Dense(4, activation="relu", name="squeeze")(layers.GlobalAveragePooling2D()(x))
        gate = layers.Dense(8, activation="sigmoid", name="excite")(gate)
        x = layers.Multiply()([x, layers.Reshape((1, 1, 8))(gate)])
        return layers.Dense(3, name="out")(layers.GlobalMaxPooling2D()(x))

    return functional((8, 8, 3), outputs)


def signal(layers: Any) -> Any:
    def outputs(x: Any) -> Any:
        x = layers.Conv1D(8, 5, padding="causal", activation="relu", name="first")(x)
        x = layers.SeparableConv1D(6, 3, name="second")(layers.MaxPooling1D()(layers.ZeroPadding1D(1)(x)))
        x = layers.Reshape((1, -1, 6), name="picture")(layers.BatchNormalization()(x))
        x = layers.Conv2D(4, (1, 3), name="third")(x)
        x = layers.Dense(5, activation="relu", name="each")(layers.Permute((2, 1, 3))(x))
        return layers.Dense(2, name="out")(layers.Reshape((-1,))(x))

    return functional((24, 3), outputs)


def shared(layers: Any) -> Any:
    """One convolution with its normalization on two inputs, whose channels are then tied."""

    def outputs(x: Any) -> Any:
        conv, norm = layers.Conv2D(6, 3, padding="same", name="shared"), layers.BatchNormalization(name="norm")
        a, b = layers.Conv2D(5, 1, name="a")(x), layers.Conv2D(5, 1, name="b")(x)
        x = layers.Concatenate()([norm(conv(a)), norm(conv(b))])
        return layers.Dense(3, name="out")(layers.GlobalAveragePooling2D()(x))

    return functional((6, 6, 3), outputs)


def nested(layers: Any) -> Any:
    """A Sequential and a Functional model within, the latter used twice."""
    keras = tf_keras()
    encoder = keras.Sequential(
        [keras.Input((6, 6, 5)), layers.Conv2D(7, 3, name="conv"), layers.ReLU(), layers.Conv2D(6, 1, name="last")],
        name="encoder",
    )
    inside = keras.Input((6,))
    block = keras.Model(inside, layers.Dense(6, activation="relu", name="dense")(inside), name="block")

    def outputs(x: Any) -> Any:
        x = layers.GlobalAveragePooling2D()(encoder(layers.Conv2D(5, 1, name="stem")(x)))
        return layers.Dense(3, name="out")(block(block(x)))

    return functional((6, 6, 3), outputs)


def sequential(layers: Any) -> Any:
    return tf_keras().Sequential(
        [layers.Conv2D(8, 3, input_shape=(8, 8, 3)), layers.Flatten(), layers.Dense(6), layers.Dense(3)]
    )


BUILDERS = (residual, separable, branches, gated, signal, shared, nested, sequential)


@pytest.mark.parametrize("seed", few(3, of=1))
@pytest.mark.parametrize("build", BUILDERS)
def test_removing_channels_that_nobody_reads_changes_no_output(build: Callable[[Any], Any], seed: int) -> None:
    assert_same_when_dead(loaded(build), seed=seed)


@pytest.mark.parametrize("build", [residual, separable, nested, sequential])
def test_removing_channels_that_are_always_zero_changes_no_output(build: Callable[[Any], Any]) -> None:
    """Their filters, biases and normalizations are zero, and all activations here map 0 to 0."""
    assert_same_when_dead(loaded(build), roles=("out", "along"))


@pytest.mark.parametrize("seed", few(24, of=6))
def test_removing_dead_channels_of_random_architectures_changes_no_output(seed: int) -> None:
    assert_same_when_dead(from_object(random_model(seed)).model, seed=seed)


# ------------------------------------------------------------------------------------------ what is tied


def test_what_is_added_up_goes_together() -> None:
    assert groups_of(loaded(residual)) == {"stem+second+down": 8, "inner": 6}


def test_each_layer_really_gets_smaller() -> None:
    model = loaded(separable)
    graph = channel_graph(model)
    assert {group.name: len(group.channels) for group in graph.groups} == {"stem": 6, "separable": 8}
    smaller = remove_channels(
        model,
        {"stem": np.array([1, 0, 0, 1, 0, 0], np.bool_), "separable": np.array([0, 1, 1, 0, 0, 1, 0, 0], np.bool_)},
    )
    found = shapes(smaller)
    assert found["stem"] == [(3, 3, 1, 2), (2,)]
    assert found["depthwise"] == [(3, 3, 2, 1), (2,)]
    assert found["norm"] == [(2,)] * 4
    assert found["prelu"] == [(1, 1, 2)]
    assert found["doubled"] == [(3, 3, 2, 2), (4,)]
    assert found["separable"] == [(3, 3, 4, 2), (1, 1, 8, 3), (3,)]
    positions = smaller.get_layer("separable").output_shape[1] * smaller.get_layer("separable").output_shape[2]
    assert found["out"] == [(3 * positions, 3), (3,)]
    kept = model.get_layer("stem").kernel.numpy()[..., [0, 3]]
    np.testing.assert_array_equal(smaller.get_layer("stem").kernel.numpy(), kept)


def test_concatenated_channels_go_by_where_they_come_from() -> None:
    assert groups_of(loaded(branches)) == {"left+mixed": 5, "right+mixed": 7}


def test_a_gate_goes_with_what_it_gates() -> None:
    assert groups_of(loaded(gated)) == {"conv+excite": 8, "squeeze": 4}


def test_a_layer_used_twice_has_one_set_of_channels() -> None:
    assert groups_of(loaded(shared)) == {"a+b": 5, "shared": 6}
    assert groups_of(loaded(nested)) == {"stem": 5, "encoder/conv": 7, "encoder/last+block/dense": 6}


def test_inputs_and_outputs_keep_their_channels() -> None:
    graph = channel_graph(loaded(residual))
    assert graph.whole == {"out": "it is the model's output"}
    (read,) = (axis.channels for axis in graph.axes if axis.path == "stem" and axis.role == "in")
    (made,) = (axis.channels for axis in graph.axes if axis.path == "out" and axis.role == "out" and axis.axis == 1)
    for group in graph.groups:
        assert not np.isin(group.channels, np.concatenate([read, made])).any()


def test_members_say_where_the_channels_of_a_group_are() -> None:
    graph = channel_graph(loaded(sequential))
    first = graph.groups[0]
    members = {(axis.path.split("_")[0], axis.role, axis.axis): position for axis, position in graph.members(first)}
    assert set(members) == {("conv2d", "out", 3), ("conv2d", "out", 0), ("dense", "in", 0)}
    np.testing.assert_array_equal(members["dense", "in", 0], np.tile(np.arange(8), 36))


# ------------------------------------------------------------------------------------------ what stays whole


def through(layer: Callable[[Any], Any], shape: tuple[int, ...] = (6, 6, 3)) -> Any:
    """conv (8 channels) - the layer - flat - dense."""

    def build(layers: Any) -> Any:
        def outputs(x: Any) -> Any:
            x = layer(layers)(layers.Conv2D(8, 3, padding="same", name="conv")(x))
            return layers.Dense(3, name="out")(layers.Flatten()(x))

        return functional(shape, outputs)

    return loaded(build)


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (lambda layers: layers.Softmax(name="odd"), "'odd' (Softmax) is not known to work channel by channel"),
        (lambda layers: layers.LayerNormalization(name="odd"), "'odd' (LayerNormalization) is not known to work"),
        (lambda layers: layers.BatchNormalization(axis=1, name="odd"), "'odd' (BatchNormalization) normalizes another"),
        (lambda layers: layers.Permute((3, 1, 2), name="odd"), "'odd' (Permute) moves the channels to another axis"),
        (lambda layers: layers.Reshape((6, 12, 4), name="odd"), "'odd' (Reshape) mixes channels and positions"),
        (lambda layers: layers.Conv2D(8, 3, groups=2, name="odd"), "'odd' (Conv2D) has groups"),
        (lambda layers: layers.Conv2DTranspose(4, 3, name="odd"), "'odd' (Conv2DTranspose) is not known to work"),
        (lambda layers: layers.Rescaling([1.0] * 8, name="odd"), "'odd' (Rescaling) has a constant per channel"),
        (
            lambda layers: layers.Normalization(mean=[0.5] * 8, variance=[2.0] * 8, name="odd"),
            "'odd' (Normalization) has a constant per channel",
        ),
        (
            lambda layers: layers.Activation("softmax", name="odd"),
            "the activation of 'odd' (softmax) works on all channels together",
        ),
        (
            lambda layers: layers.TimeDistributed(layers.Dense(4), name="odd"),
            "'odd' (TimeDistributed) is not known to work",
        ),
    ],
)
def test_what_is_not_understood_keeps_its_channels(layer: Callable[[Any], Any], reason: str) -> None:
    model = through(layer)
    graph = channel_graph(model)
    assert "conv" not in {path for group in graph.groups for path in group.layers}
    assert graph.whole["conv"].startswith(reason)
    assert_same_when_dead(model)  # whatever else can go


def test_a_layer_with_the_channels_first_keeps_them() -> None:
    def build(layers: Any) -> Any:
        def outputs(x: Any) -> Any:
            x = layers.Conv2D(8, 3, name="conv")(x)
            return layers.Dense(3)(layers.GlobalAveragePooling2D(data_format="channels_first", name="odd")(x))

        return functional((6, 6, 3), outputs)

    assert channel_graph(loaded(build)).whole["conv"] == "'odd' (GlobalAveragePooling2D) has its channels first"


def test_a_mask_for_all_channels_is_no_channel() -> None:
    """(h, w, 1) times (h, w, c): the one channel stays, the others can go."""

    def build(layers: Any) -> Any:
        def outputs(x: Any) -> Any:
            a = layers.Conv2D(8, 3, name="a")(x)
            x = layers.Multiply(name="times")([a, layers.Conv2D(1, 3, name="mask")(x)])
            return layers.Dense(3)(layers.Flatten()(x))

        return functional((6, 6, 3), outputs)

    model = loaded(build)
    assert groups_of(model) == {"a": 8}
    assert channel_graph(model).whole["mask"] == "'times' (Multiply) applies it to all channels"
    assert_same_when_dead(model)


def operators(layers: Any) -> Any:
    """Hard swish as it is written out, and a sum with +."""
    tf = tensorflow()

    def outputs(x: Any) -> Any:
        a, b = layers.Conv2D(8, 3, name="a")(x), layers.Conv2D(8, 3, name="b")(x)
        x = a * (tf.nn.relu6(a + 3.0) * (1.0 / 6.0)) + b
        return layers.Dense(3, name="out")(layers.Dense(6, name="free")(layers.Flatten()(x)))

    return functional((6, 6, 3), outputs)


def test_operators_tie_what_they_combine() -> None:
    model = loaded(operators)
    assert groups_of(model) == {"a+b": 8, "free": 6}
    assert_same_when_dead(model)


@pytest.mark.parametrize("odd", ["function", "constant"])
def test_other_operators_keep_what_they_touch(odd: str) -> None:
    tf = tensorflow()

    def build(layers: Any) -> Any:
        def outputs(x: Any) -> Any:
            x = layers.Conv2D(8, 3, name="conv")(x)
            x = tf.reverse(x, [3]) if odd == "function" else x + np.arange(8, dtype=np.float32)
            return layers.Dense(3, name="out")(layers.Dense(6, name="free")(layers.Flatten()(x)))

        return functional((6, 6, 3), outputs)

    model = build(tf_keras().layers)  # not loaded: tf.reverse is refused there
    assert groups_of(model) == {"free": 6}
    reason = {"function": "is not known to work", "constant": "has a constant that may differ"}[odd]
    assert f"(TFOpLambda) {reason}" in channel_graph(model).whole["conv"]
    assert_same_when_dead(model)


# ------------------------------------------------------------------------------------------ errors


def test_wrong_groups_are_refused() -> None:
    model = loaded(sequential)
    name = channel_graph(model).groups[0].name
    with pytest.raises(ValueError, match="no group of channels 'other'"):
        remove_channels(model, {"other": np.ones(8, np.bool_)})
    for kept in (np.ones(7, np.bool_), np.zeros(8, np.bool_)):
        with pytest.raises(ValueError, match="booleans, one of them true"):
            remove_channels(model, {name: kept})


def test_a_model_that_cannot_be_rebuilt_is_named() -> None:
    def build(layers: Any) -> Any:
        keras = tf_keras()
        values = np.ones((3, 3, 3, 8), np.float32)
        conv = layers.Conv2D(8, 3, kernel_initializer=keras.initializers.Constant(values), name="conv")
        return functional((6, 6, 3), lambda x: layers.Dense(3)(layers.Flatten()(conv(x))))

    model = loaded(build)
    with pytest.raises(ModelError, match="cannot be built with fewer channels"):
        remove_channels(model, {"conv": np.arange(8) < 4})
