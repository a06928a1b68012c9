"""Take whole channels out of a tf_keras model: the same network with smaller layers."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.errors import ModelError
from edgesparse.keras_model.backend import quiet
from edgesparse.keras_model.channel_graph import ChannelGraph, channel_graph
from edgesparse.keras_model.loaded import iter_layers
from edgesparse.keras_model.validate import model_from_config

__all__ = ["channels_kept", "remove_channels"]

BoolArray = npt.NDArray[np.bool_]

_CONTAINERS = frozenset({"Functional", "Model", "Sequential"})

_SIZE_KEYS = {
    **dict.fromkeys(("Conv1D", "Conv2D", "SeparableConv1D", "SeparableConv2D"), "filters"),
    "Dense": "units",
}


def remove_channels(model: Any, keep: Mapping[str, BoolArray]) -> Any:
    """A new tf_keras model without some channels; the given one is not changed.

    keep: name of a group of channel_graph(model) -> which of its channels stay, bool [channels of the group], at least
    one. Groups that are not named stay whole. The weights that stay keep their values: where the channels that go are
    zero, the outputs are the same. ModelError when Keras cannot build the smaller model.
    """
    graph = channel_graph(model)
    stays = channels_kept(graph, keep)
    config = copy.deepcopy(model.get_config())
    _shrink(config["layers"], "", {path: stays[channels] for path, channels in graph.outputs.items()})
    weights = _kept_weights(model, graph, stays)
    try:
        with quiet():
            smaller = model_from_config(model, config)
            for path, layer in iter_layers(smaller):
                layer.set_weights(weights[path])
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        # tf_keras has no error type of its own.
        text = " ".join(str(error).split())[:300]
        raise ModelError(f"model {model.name!r}: cannot be built with fewer channels: {text}") from error
    return smaller


def channels_kept(graph: ChannelGraph, keep: Mapping[str, BoolArray]) -> BoolArray:
    """Per channel number of a graph whether it stays. keep: as remove_channels takes it, ValueError if it is wrong."""
    stays = np.ones(graph.count, np.bool_)
    groups = {group.name: group for group in graph.groups}
    for name, kept in keep.items():
        if name not in groups:
            raise ValueError(f"no group of channels {name!r}; known: {', '.join(groups)}")
        if kept.shape != groups[name].channels.shape or not kept.any():
            raise ValueError(f"{name!r}: expected {groups[name].channels.shape} booleans, one of them true")
        stays[groups[name].channels] = kept
    return stays


def _kept_weights(model: Any, graph: ChannelGraph, stays: BoolArray) -> dict[str, list[npt.NDArray[Any]]]:
    """Per layer path its weights without the channels that go. stays: bool per channel number."""
    axes: dict[tuple[str, int], list[tuple[int, BoolArray]]] = {}
    for axis in graph.axes:
        axes.setdefault((axis.path, id(axis.variable)), []).append((axis.axis, stays[axis.channels]))
    result = {}
    for path, layer in iter_layers(model):
        result[path] = [variable.numpy() for variable in layer.weights]
        for index, variable in enumerate(layer.weights):
            for number, kept in axes.get((path, id(variable)), ()):
                result[path][index] = np.compress(kept, result[path][index], axis=number)
    return result


def _shrink(layers: list[dict[str, Any]], prefix: str, kept: Mapping[str, BoolArray]) -> None:
    """Set the sizes in the configurations of layers, in place. kept: layer path -> which outputs stay."""
    has_input = bool(layers) and layers[0]["class_name"] == "InputLayer"
    for entry in layers:
        # It would build the layer with the shape that its input had.
        entry.pop("build_config", None)
        config = entry["config"]
        path = f"{prefix}{config['name']}"
        if entry["class_name"] in _CONTAINERS:
            config.pop("build_input_shape", None)
            _shrink(config["layers"], f"{path}/", kept)
            continue
        outputs = kept.get(path)
        if has_input and entry["class_name"] != "InputLayer":
            config.pop("batch_input_shape", None)  # of a first layer that was given its input's shape
        if outputs is None or outputs.all():
            continue
        size = int(np.count_nonzero(outputs))
        if entry["class_name"] == "InputLayer":
            config["batch_input_shape"] = (*config["batch_input_shape"][:-1], size)
        elif entry["class_name"] == "Reshape":
            config["target_shape"] = (*config["target_shape"][:-1], size)
        elif entry["class_name"] in _SIZE_KEYS:
            config[_SIZE_KEYS[entry["class_name"]]] = size
