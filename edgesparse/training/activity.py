"""Activity regularisation: an L1 penalty on what ReLUs put out, so that more of it is zero."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edgesparse.errors import SettingsError
from edgesparse.keras_model.backend import tensorflow
from edgesparse.keras_model.loaded import iter_layers
from edgesparse.keras_model.observe import Step, run_with

__all__ = ["activations", "with_activity"]

_FUNCTIONS = frozenset({"relu", "relu6"})


def activations(model: Any) -> dict[str, Any]:
    """The layers of a tf_keras model that put out what a ReLU makes, by path. SettingsError where there are none."""
    found = {
        path: layer
        for path, layer in iter_layers(model)
        if type(layer).__name__ == "ReLU" or getattr(getattr(layer, "activation", None), "__name__", "") in _FUNCTIONS
    }
    if not found:
        raise SettingsError(f"--activity-l1: model {model.name!r} has no ReLU, whose outputs could become zero")
    return found


def with_activity(model: Any, x: Any, layers: Mapping[str, Any]) -> tuple[Any, Any]:
    """Outputs of the model in inference mode, and the mean |output| of each of the layers, averaged over the layers."""
    tf = tensorflow()
    if not layers:
        return model(x, training=False), tf.constant(0.0)
    means: list[Any] = []

    def step(inputs: Any, compute: Callable[[Any], Any]) -> Any:
        outputs = compute(inputs)
        means.append(tf.reduce_mean(tf.abs(outputs)))
        return outputs

    steps: dict[str, tuple[Any, Step]] = {path: (layer, step) for path, layer in layers.items()}
    outputs = run_with(model, x, steps)
    return outputs, tf.add_n(means) / float(len(means))
