"""What a model must be before it goes on: one input, one output, static shapes, a free batch, finite weights."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from edgesparse.errors import ModelError
from edgesparse.keras_model.backend import quiet, tf_keras
from edgesparse.keras_model.loaded import iter_layers

__all__ = ["check_model", "check_shapes", "free_batch", "model_from_config", "rebuilt"]


def check_shapes(model: Any, source: str) -> None:
    """ModelError unless the model has exactly one float32 input and one output, all sizes known except the batch."""
    if not getattr(model, "inputs", None) or not getattr(model, "outputs", None):
        raise ModelError(
            f"{source}: the model has no input shape; build it with an Input layer, or call it once before saving"
        )
    for word, tensors in (("input", model.inputs), ("output", model.outputs)):
        if len(tensors) != 1:
            names = ", ".join(repr(tensor.name) for tensor in tensors)
            raise ModelError(f"{source}: expected one {word}, got {len(tensors)}: {names}; split the model")
    for word, tensor in (("input", model.inputs[0]), ("output", model.outputs[0])):
        shape = tuple(tensor.shape)
        if any(size is None for size in shape[1:]):
            raise ModelError(
                f"{source}: {word} {tensor.name!r} has unknown sizes {shape}; only the batch may be open: build"
                " the model with a fixed input shape"
            )
    if model.inputs[0].dtype.name != "float32":
        raise ModelError(
            f"{source}: input {model.inputs[0].name!r} is {model.inputs[0].dtype.name}, expected float32;"
            " change the Input layer"
        )


def check_model(model: Any, source: str) -> None:
    """ModelError for a model without weights, and for NaN or infinity in a weight, naming the layers."""
    bad = []
    total = 0
    for path, layer in iter_layers(model):
        for weight in layer.get_weights():
            total += weight.size
            if np.issubdtype(weight.dtype, np.floating) and not np.isfinite(weight).all():
                bad.append(path)
    if bad:
        names = ", ".join(repr(name) for name in dict.fromkeys(bad))
        raise ModelError(
            f"{source}: layer {names} has NaN or infinite weights; train the model again or load another checkpoint"
        )
    if total == 0:
        raise ModelError(
            f"{source}: the model has no weights, so there is nothing to make sparse; give a trained model"
        )


def free_batch(model: Any, *, always: bool = False) -> Any:
    """A copy of the model whose batch dimension is open; the model itself when it already is (unless `always`).

    The later stages train with batches and convert with batch 1, whatever batch the model was built with.
    """
    if not always and model.inputs[0].shape[0] is None:
        return model
    config = copy.deepcopy(model.get_config())
    _open_batch(config)
    return rebuilt(model, config)


def rebuilt(model: Any, config: dict[str, Any]) -> Any:
    """A new model from a changed config of `model` that has the same layer paths, with its weights."""
    result = model_from_config(model, config)
    with quiet():
        originals = dict(iter_layers(model))
        for path, layer in iter_layers(result):
            layer.set_weights(originals[path].get_weights())
    return result


def model_from_config(model: Any, config: dict[str, Any]) -> Any:
    """A new model from a changed config of `model`, with initial weights; Keras' own errors where there is none."""
    keras = tf_keras()
    with quiet(), _in_memory_code():
        # Not type(model): a subclass with a Functional constructor has a from_config of its own.
        base = keras.Sequential if isinstance(model, keras.Sequential) else keras.Model
        result = base.from_config(config)
        if not result.built:
            result.build(model.input_shape)
    return result


def _in_memory_code() -> Any:
    """Keras' scope that lets Lambda layers be copied: their code is in this process already, loading judged it."""
    tf_keras()
    from tf_keras.src.saving.serialization_lib import SafeModeScope

    return SafeModeScope(safe_mode=False)


def _open_batch(config: Any) -> None:
    if isinstance(config, dict):
        shape = config.get("batch_input_shape")
        if shape is not None:
            config["batch_input_shape"] = (None, *tuple(shape)[1:])
        for value in config.values():
            _open_batch(value)
    elif isinstance(config, (list, tuple)):
        for value in config:
            _open_batch(value)
