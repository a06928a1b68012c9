"""The loaded model, and how every later stage walks it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["LoadedModel", "final_activation", "final_layer", "input_shape", "iter_layers", "output_shape"]

_PASS_THROUGH = frozenset(
    {
        "Activation",
        "Softmax",
        "ReLU",
        "LeakyReLU",
        "Dropout",
        "Flatten",
        "Reshape",
        "GaussianNoise",
        "ActivityRegularization",
    }
)
"""Layers without weights that may stand between the last weights and the output."""


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A float model, ready for the later stages: one input, one output, static shapes, finite weights.

    `model` is a tf_keras.Model (Functional or Sequential) with a free batch dimension.
    `format` is h5, keras, saved_model or object; `keras_version` is what wrote the file.
    """

    model: Any
    format: str
    keras_version: str
    name: str


def iter_layers(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield (path, layer) for every layer that is no container, depth first.

    Nested models and wrappers are entered: the path of a layer in one is `outer/inner`. A layer that is used twice
    is yielded once.
    """
    yield from _walk(model, "", set())


def _walk(model: Any, prefix: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    for layer in model.layers:
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        path = f"{prefix}{layer.name}"
        if hasattr(layer, "layers"):
            yield from _walk(layer, f"{path}/", seen)
        elif type(layer).__name__ == "TimeDistributed":
            yield f"{path}/{layer.layer.name}", layer.layer
        else:
            yield path, layer


def input_shape(model: Any) -> tuple[int, ...]:
    """Shape of the input without the batch dimension."""
    return tuple(int(size) for size in model.inputs[0].shape[1:])


def output_shape(model: Any) -> tuple[int, ...]:
    """Shape of the output without the batch dimension."""
    return tuple(int(size) for size in model.outputs[0].shape[1:])


def final_layer(model: Any) -> Any:
    """The layer whose result is the output, behind activations, reshapes and dropout, inside nested models."""
    for layer in _backwards(model):
        if type(layer).__name__ not in _PASS_THROUGH:
            return layer
    return model.layers[0]


def final_activation(model: Any) -> str:
    """Name of the activation that makes the output: softmax, sigmoid, linear, ..."""
    for layer in _backwards(model):
        kind = type(layer).__name__
        if kind == "Softmax":
            return "softmax"
        activation = getattr(layer, "activation", None)
        name = getattr(activation, "__name__", "linear")
        if kind not in _PASS_THROUGH or name != "linear":
            return str(name)
    return "linear"


def _backwards(model: Any) -> Iterator[Any]:
    """Layers from the output back, while each has one input."""
    tensor = model.outputs[0]
    while True:
        layer, node_index, _ = tensor._keras_history
        if hasattr(layer, "layers"):
            inner = None
            for inner in _backwards(layer):
                yield inner
            if inner is not None and type(inner).__name__ not in _PASS_THROUGH | {"InputLayer"}:
                return
        elif type(layer).__name__ == "InputLayer":
            return
        else:
            yield layer
        inputs = layer._inbound_nodes[node_index].keras_inputs
        if len(inputs) != 1:
            return
        tensor = inputs[0]
