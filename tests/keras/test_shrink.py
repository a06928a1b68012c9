"""Channels go by what they are worth, in whole multiples, until the share that was asked for is gone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgesparse.errors import DataError, ModelError, SettingsError
from edgesparse.keras_model import LoadedModel, from_object, predict
from edgesparse.keras_model.backend import tf_keras
from edgesparse.keras_model.channel_graph import channel_graph
from edgesparse.keras_model.kernels import iter_kernels
from edgesparse.network import Network
from edgesparse.quantize import check_zeros, quantize
from edgesparse.sparsify import SparsifyResult, plan, sparsify
from edgesparse.sparsify.channels.choose import Goal, choose_channels, reachable, steps_of
from edgesparse.sparsify.channels.costs import GroupCosts, magnitude_costs
from edgesparse.sparsify.channels.work import Work, macs_of, weights_of
from edgesparse.training.request import Training
from tests.support.fast_share import few
from tests.support.random_models import random_model


def network() -> Any:
    """stem - residual block - depthwise - pointwise - dense; what a channel of `wide` says is said by another too."""
    keras = tf_keras()
    keras.utils.set_random_seed(11)
    layers = keras.layers
    x = inputs = keras.Input((8, 8, 4))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(16, 3, padding="same", name="stem")(x)))
    y = layers.Conv2D(12, 3, padding="same", activation="relu", name="inner")(x)
    x = layers.Add()([x, layers.BatchNormalization()(layers.Conv2D(16, 3, padding="same", name="second")(y))])
    x = layers.ReLU()(layers.DepthwiseConv2D(3, strides=2, padding="same", name="depthwise")(x))
    x = layers.Conv2D(24, 1, activation="relu", name="wide")(x)
    x = layers.Dense(16, activation="relu", name="dense")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax", name="out")(x), name="network")


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    return from_object(network())


def samples(n: int = 64) -> Any:
    """Smooth pictures, so that channels have much in common."""
    rng = np.random.default_rng(1)
    coarse = rng.normal(size=(n, 2, 2, 4)).astype(np.float32)
    return np.repeat(np.repeat(coarse, 4, axis=1), 4, axis=2) + rng.normal(0, 0.1, (n, 8, 8, 4)).astype(np.float32)


def shrink(loaded: LoadedModel, *, method: str = "oneshot", x: Any = None, **asked: Any) -> SparsifyResult:
    asked = {"sparsity": 0.0, "pattern": "auto"} | asked
    return sparsify(loaded, plan(loaded.model, **asked), method=method, training=Training(x=x, epochs=4))


def largest_step(loaded: LoadedModel, work: Work) -> float:
    """The largest share of the work that four channels of one group have."""
    graph = channel_graph(loaded.model)
    everything = np.ones(graph.count, np.bool_)
    return max(
        1 - work.amount(~np.isin(np.arange(graph.count), group.channels[:4])) / work.amount(everything)
        for group in graph.groups
    )


def outputs_of(model: Any) -> dict[str, int]:
    return {kernel.name: kernel.shape[0] for kernel in iter_kernels(model) if not kernel.depthwise}


# ------------------------------------------------------------------------------------------ how much


@pytest.mark.parametrize("method", ["oneshot", "magnitude"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_the_share_of_macs_is_gone(loaded: LoadedModel, method: str, share: float) -> None:
    result = shrink(loaded, method=method, x=samples(), channels=share)
    assert result.shrunk is not None
    before, after = result.shrunk.macs
    step = largest_step(loaded, macs_of(loaded.model, channel_graph(loaded.model)))
    assert share <= 1 - after / before < share + step
    assert result.shrunk.parameters == (loaded.model.count_params(), result.model.count_params())
    assert result.plan.sparsity == 0
    int8 = [Network.read(quantize(m, samples(), dense_per_channel=False)) for m in (loaded.model, result.model)]
    assert (int8[0].stats.macs, int8[1].stats.macs) == result.shrunk.macs


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_the_share_of_prunable_weights_of_the_original_is_gone(loaded: LoadedModel, share: float) -> None:
    planned = plan(loaded.model, sparsity=share, pattern="channel")
    counted = {layer.name: layer.weights for layer in planned.layers if layer.prunable}
    result = shrink(loaded, x=samples(), sparsity=share, pattern="channel")
    left = sum(kernel.weights for kernel in iter_kernels(result.model) if kernel.name in counted)
    assert result.shrunk is not None
    assert result.shrunk.prunable == (sum(counted.values()), left)
    step = largest_step(loaded, weights_of(loaded.model, channel_graph(loaded.model), counted))
    assert share <= 1 - left / sum(counted.values()) < share + step


def test_channels_stay_in_fours(loaded: LoadedModel) -> None:
    for share in (0.3, 0.6, 0.85):
        result = shrink(loaded, x=samples(), channels=share)
        sizes = outputs_of(result.model)
        assert sizes.pop("out") == 3
        assert all(size % 4 == 0 and size >= 4 for size in sizes.values())
        assert sizes["stem"] == sizes["second"]


def test_what_is_no_multiple_stays_whole_or_becomes_one() -> None:
    assert steps_of(16, 4) == [16, 12, 8, 4]
    assert steps_of(10, 4) == [10, 8, 4]
    assert steps_of(5, 4) == [5, 4]
    assert steps_of(4, 4) == [4]
    assert steps_of(3, 4) == [3]


def test_the_layers_that_got_smaller_are_listed(loaded: LoadedModel) -> None:
    result = shrink(loaded, x=samples(), channels=0.6)
    assert result.shrunk is not None
    old, new = outputs_of(loaded.model), outputs_of(result.model)
    listed = {layer.name: (layer.before, layer.after) for layer in result.shrunk.layers if layer.name != "depthwise"}
    assert listed == {name: (old[name], new[name]) for name in old if old[name] != new[name]}
    figures = result.shrunk.as_json()
    assert figures["removed_macs"] == pytest.approx(1 - figures["macs_after"] / figures["macs_before"], abs=1e-6)


def test_a_coarse_step_beyond_the_target_is_told() -> None:
    keras = tf_keras()
    layers = keras.layers
    loaded = from_object(keras.Sequential([keras.Input((8,)), layers.Dense(8), layers.Dense(8)]))
    result = shrink(loaded, method="magnitude", sparsity=0.1, pattern="channel")
    assert result.warnings == ("--pattern channel --sparsity 0.1: 0.500 is gone, since channels go in steps of 4",)


# ------------------------------------------------------------------------------------------ which


def equal_costs(graph: Any, **dear: float) -> dict[str, GroupCosts]:
    costs = {}
    for group in graph.groups:
        count = len(group.channels)
        costs[group.name] = GroupCosts(np.arange(count)[::-1], np.arange(count) * dear.get(group.name, 1.0))
    return costs


def test_the_group_that_loses_least_per_mac_goes_first(loaded: LoadedModel) -> None:
    graph = channel_graph(loaded.model)
    goals = [Goal("--channels", macs_of(loaded.model, graph), 0.4)]
    keep = choose_channels(graph, equal_costs(graph), goals)
    assert set(keep) == {"stem+second", "inner"}  # 3x3 at all positions
    assert "inner" not in choose_channels(graph, equal_costs(graph, inner=100.0), goals)
    # The last of the order are the first to go.
    np.testing.assert_array_equal(np.flatnonzero(keep["inner"]), np.arange(np.count_nonzero(keep["inner"])))


def test_steps_that_a_later_one_made_needless_are_given_back(loaded: LoadedModel) -> None:
    graph = channel_graph(loaded.model)
    weights = weights_of(loaded.model, graph, ["dense", "inner"])
    for share in np.linspace(0.05, 0.9, 18):
        keep = choose_channels(graph, equal_costs(graph, wide=3.0), [Goal("--sparsity", weights, float(share))])
        stays = np.ones(graph.count, np.bool_)
        for group in graph.groups:
            stays[group.channels] = keep.get(group.name, True)
        whole = weights.amount(np.ones(graph.count, np.bool_))
        for group in graph.groups:
            if group.name in keep:
                more = stays.copy()
                gone = group.channels[~keep[group.name]]
                more[gone[:4]] = True
                assert weights.amount(stays) <= (1 - share) * whole < weights.amount(more)


def test_the_channels_that_count_least_go_by_magnitude() -> None:
    model = network()
    wide, dense = model.get_layer("wide"), model.get_layer("dense")
    kernel, bias = wide.get_weights()
    kernel[..., 5:13] *= 1e-3
    wide.set_weights([kernel, bias])
    graph = channel_graph(model)
    assert set(magnitude_costs(model, graph)["wide"].order[:8]) == set(range(5, 13))
    assert dense.kernel.shape[0] == 16 * 24


def test_channels_that_say_the_same_go_on_samples_whatever_their_size() -> None:
    """Eight channels repeat others, with larger weights: nothing is lost without them once the rest is solved anew."""
    model = network()
    wide = model.get_layer("wide")
    kernel, bias = wide.get_weights()
    kernel[..., :8], bias[:8] = 3 * kernel[..., 8:16], 3 * bias[8:16]
    wide.set_weights([kernel, bias])
    loaded = from_object(model)
    graph = channel_graph(loaded.model)
    share = 1.0 / 3.0  # of the dense layer's weights: 8 of 24 channels
    weights = weights_of(loaded.model, graph, ["dense"])
    (wide_group,) = (group for group in graph.groups if group.name == "wide")
    assert weights.amount(~np.isin(np.arange(graph.count), wide_group.channels[:8])) == round(
        (1 - share) * 16 * 24 * 16
    )
    x = samples(256)
    expected = predict(loaded.model, x)
    from edgesparse.sparsify.channels.shrink import shrink as remove

    result = remove(loaded, macs=0.0, weights=share, prunable=["dense"], x=x, seed=0)
    by_size = remove(loaded, macs=0.0, weights=share, prunable=["dense"], x=None, seed=0)
    errors = [float(np.abs(predict(r.loaded.model, x) - expected).mean()) for r in (result, by_size)]
    assert errors[0] < 0.01
    assert errors[0] < 0.3 * errors[1]


def test_what_stays_makes_up_for_what_goes(loaded: LoadedModel) -> None:
    x = samples(256)
    expected = predict(loaded.model, x)
    errors = {
        method: float(np.mean((predict(shrink(loaded, method=method, x=x, channels=0.5).model, x) - expected) ** 2))
        for method in ("oneshot", "magnitude")
    }
    assert errors["oneshot"] < 0.5 * errors["magnitude"]


@pytest.mark.slow
def test_finetuning_learns_from_the_model_that_had_all_channels() -> None:
    model = network()
    kernel, bias = model.get_layer("out").get_weights()
    model.get_layer("out").set_weights([10 * kernel, bias])  # more than equal probabilities: something to learn
    loaded, x = from_object(model), samples(256)
    expected = predict(loaded.model, x)
    training = Training(x=x, epochs=30, batch=16)
    planned = plan(loaded.model, sparsity=0.0, pattern="auto", channels=0.65)
    errors = {}
    for method in ("oneshot", "finetune"):
        smaller = sparsify(loaded, planned, method=method, training=training).model
        errors[method] = float(np.mean((predict(smaller, x) - expected) ** 2))
    assert errors["finetune"] < 0.5 * errors["oneshot"]


def test_the_given_model_and_the_result_repeat(loaded: LoadedModel) -> None:
    before = [weight.copy() for weight in loaded.model.get_weights()]
    first, second = (shrink(loaded, x=samples(), channels=0.4).model.get_weights() for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(before, loaded.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_dead_channels_go_first_and_cost_nothing(loaded: LoadedModel) -> None:
    model = network()
    for name in ("inner", "wide"):
        layer = model.get_layer(name)
        kernel, bias = layer.get_weights()
        kernel[..., 4:], bias[4:] = 0, 0
        layer.set_weights([kernel, bias])
    dead = from_object(model)
    x = samples()
    for method in ("oneshot", "magnitude"):
        smaller = shrink(dead, method=method, x=x, channels=0.5).model
        sizes = outputs_of(smaller)
        assert sizes["inner"] == 4
        assert (sizes["stem"], sizes["second"], sizes["dense"]) == (16, 16, 16)
        np.testing.assert_allclose(predict(smaller, x), predict(dead.model, x), atol=1e-5)


# ------------------------------------------------------------------------------------------ with sparse patterns


@pytest.mark.parametrize("method", ["oneshot", "magnitude", "finetune"])
def test_blocks_go_from_what_the_channels_left(loaded: LoadedModel, method: str) -> None:
    x = samples()
    result = shrink(loaded, method=method, x=x, channels=0.4, sparsity=0.75, pattern="block1x4")
    assert result.shrunk is not None
    assert 0.75 <= result.plan.sparsity < 0.77
    network = Network.read(quantize(result.model, x, dense_per_channel=False))
    ops = check_zeros(network.graph, result.model, result.masks)
    assert {"inner", "wide", "dense"} <= set(ops)
    assert network.stats.sparsity >= 0.75
    assert network.stats.macs == result.shrunk.macs[1]


def test_a_channel_result_is_found_in_the_int8_model(loaded: LoadedModel) -> None:
    x = samples()
    result = shrink(loaded, x=x, sparsity=0.6, pattern="channel")
    network = Network.read(quantize(result.model, x, dense_per_channel=False))
    ops = check_zeros(network.graph, result.model, result.masks)
    sizes = outputs_of(result.model)
    assert ops
    for name, index in ops.items():
        assert network.graph.input(network.graph.ops[index], 1).shape[0] == sizes[name]


@pytest.mark.parametrize("seed", few(10, of=3))
def test_random_architectures_shrink_as_asked_or_say_why_not(seed: int) -> None:
    loaded = from_object(random_model(seed))
    x = np.random.default_rng(seed).normal(size=(24, *loaded.model.input_shape[1:])).astype(np.float32)
    graph = channel_graph(loaded.model)
    if reachable(graph, macs_of(loaded.model, graph)) < 0.3:
        with pytest.raises((SettingsError, ModelError), match=r"cannot be reached: at most|no channel can be removed"):
            shrink(loaded, x=x, channels=0.3)
        return
    result = shrink(loaded, x=x, channels=0.3)
    assert result.shrunk is not None
    assert result.shrunk.macs[1] <= 0.7 * result.shrunk.macs[0]
    assert np.isfinite(predict(result.model, x)).all()
    int8 = Network.read(quantize(result.model, x, dense_per_channel=False))
    check_zeros(int8.graph, result.model, result.masks)
    assert int8.stats.macs == result.shrunk.macs[1]


# ------------------------------------------------------------------------------------------ errors


def test_a_share_out_of_reach_names_the_largest(loaded: LoadedModel) -> None:
    with pytest.raises(SettingsError, match=r"--channels 0\.99 cannot be reached: at most 0\.\d+, since 4 channels of"):
        shrink(loaded, x=samples(), channels=0.99)
    with pytest.raises(SettingsError, match=r"--pattern channel --sparsity 0\.99 cannot be reached: at most 0\.\d+"):
        shrink(loaded, x=samples(), sparsity=0.99, pattern="channel")
    with pytest.raises(SettingsError, match=r"--channels: expected 0 to 0\.99, got 1"):
        plan(loaded.model, sparsity=0.0, pattern="auto", channels=1.0)


def test_a_model_in_which_nothing_can_go_says_why() -> None:
    keras = tf_keras()
    layers = keras.layers
    loaded = from_object(
        keras.Sequential(
            [
                keras.Input((8, 8, 4)),
                layers.Conv2D(8, 3, name="conv"),
                layers.LayerNormalization(name="norm"),
                layers.Flatten(),
                layers.Dense(3, name="out"),
            ]
        )
    )
    with pytest.raises(ModelError) as error:
        shrink(loaded, sparsity=0.5, pattern="channel")
    assert str(error.value).startswith("--pattern channel --sparsity: no channel can be removed: ")
    assert "'conv' stays whole, since 'norm' (LayerNormalization) is not known to work channel by channel" in str(
        error.value
    )
    assert "\n" not in str(error.value)


def test_too_few_samples_are_refused(loaded: LoadedModel) -> None:
    with pytest.raises(DataError, match="needs at least 16 samples, got 15"):
        shrink(loaded, x=samples(15), channels=0.5)


def test_channels_that_go_without_samples_are_told(loaded: LoadedModel) -> None:
    assert shrink(loaded, channels=0.3).warnings[0].startswith("pruned by magnitude, for want of samples")
    assert not any("samples" in warning for warning in shrink(loaded, x=samples(), channels=0.3).warnings)


def test_layers_that_stay_whole_are_told() -> None:
    keras = tf_keras()
    layers = keras.layers
    x = inputs = keras.Input((8, 8, 4))
    x = layers.LayerNormalization(name="norm")(layers.Conv2D(8, 3, name="conv")(x))
    x = layers.Dense(16, name="dense")(layers.Flatten()(x))
    loaded = from_object(keras.Model(inputs, layers.Dense(3, name="out")(x)))
    result = shrink(loaded, method="magnitude", sparsity=0.5, pattern="channel")
    assert any(
        warning.startswith("layer 'conv', 'norm' keeps all channels: 'norm' (LayerNormalization) is not known")
        for warning in result.warnings
    )
