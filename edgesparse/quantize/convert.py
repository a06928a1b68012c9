"""Keras model + calibration inputs -> int8 .tflite, by TensorFlow's converter; and the same in float."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from edgesparse.errors import DataError, ModelError, UnsupportedError
from edgesparse.graph import FloatArray
from edgesparse.keras_model.backend import quiet, tensorflow, tf_keras
from edgesparse.keras_model.loaded import input_shape, iter_layers

__all__ = ["MAX_CALIBRATION", "float_tflite", "quantize"]

MAX_CALIBRATION = 512
"""Calibration samples that are used: ranges hardly change after that, time grows."""


def quantize(model: Any, calibration: FloatArray, *, dense_per_channel: bool) -> bytes:
    """Quantize a tf_keras model to a full-integer int8 .tflite: int8 input and output, batch 1.

    calibration: [n, *input] float32; the first MAX_CALIBRATION samples give the ranges of the activations.
    Convolutions per channel; Dense per tensor unless dense_per_channel. Same arguments, same bytes.
    UnsupportedError for layers that TFLite has no int8 op for, ModelError for other failures, DataError for
    calibration of the wrong shape.
    """
    shape = input_shape(model)
    if calibration.ndim != len(shape) + 1 or calibration.shape[1:] != shape or len(calibration) == 0:
        raise DataError(
            f"calibration: expected inputs of shape (n, {', '.join(map(str, shape))}), n >= 1, got {calibration.shape}"
        )
    _refuse_recurrent(model)
    samples = np.ascontiguousarray(calibration[:MAX_CALIBRATION], dtype=np.float32)
    tf = tensorflow()
    with quiet():
        try:
            converter = _converter(model)
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([sample[np.newaxis]] for sample in samples)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = tf.int8
            converter.inference_output_type = tf.int8
            # Not public, and the only switch there is; TensorFlow 2.21's default is per channel.
            converter._experimental_disable_per_channel_quantization_for_dense_layers = not dense_per_channel
            return bytes(converter.convert())
        except (RuntimeError, ValueError, TypeError, _converter_error()) as error:
            raise _explain(model, error) from error


def float_tflite(model: Any) -> bytes:
    """A tf_keras model as a float32 .tflite, batch 1. Zero weights stay zero. ModelError where TFLite cannot do it."""
    _refuse_recurrent(model)
    with quiet():
        try:
            return bytes(_converter(model).convert())
        except (RuntimeError, ValueError, TypeError, _converter_error()) as error:
            raise _explain(model, error) from error


def _refuse_recurrent(model: Any) -> None:
    """UnsupportedError for layers that loop over time: there are no kernels for loops, and the converter can crash."""
    recurrent = tf_keras().layers.RNN
    found = [
        (path, layer)
        for path, layer in iter_layers(model)
        if isinstance(layer, recurrent) or isinstance(getattr(layer, "forward_layer", None), recurrent)
    ]
    if found:
        names = ", ".join(f"{path!r} ({type(layer).__name__})" for path, layer in found)
        raise UnsupportedError(
            f"model {model.name!r}: layer {names}: recurrent layers keep a state and loop over time, which no int8"
            " kernel here does; use convolutions along time (Conv1D, causal or dilated)",
            tuple(dict.fromkeys(type(layer).__name__ for _, layer in found)),
        )


def _converter(model: Any) -> Any:
    """TensorFlow's converter for one input of batch 1: from a dynamic batch it leaves shape arithmetic in the file.

    It saves what holds the variables as a SavedModel: a plain holder of them, since saving a Keras model traces every
    layer again, which takes most of the time and leaves nothing in the file.
    """
    tf = tensorflow()
    holder = tf.Module()
    holder.all_variables = list(model.variables)
    function = tf.function(lambda inputs: model(inputs, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec((1, *input_shape(model)), tf.float32, name="input"))
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], holder)


def _converter_error() -> type[Exception]:
    """The converter's own exception class: a plain Exception that has no public name."""
    from tensorflow.lite.python.convert_phase import ConverterError

    result: type[Exception] = ConverterError
    return result


def _explain(model: Any, error: Exception) -> ModelError:
    """One line from the converter's many: the ops that have no int8 form, and the layers that they come from."""
    text = str(error)
    ops = re.findall(r"'(?:tf|tfl)\.(\w+)' op is neither a custom op nor a flex op", text)
    ops += re.findall(r"not yet supported for op: '?(\w+)'?", text)
    ops += re.findall(r"failed to legalize operation '(?:tf|tfl)\.(\w+)'", text)
    if ops:
        names = tuple(dict.fromkeys(ops))
        layers = [path for path, _ in iter_layers(model) if re.search(rf"(^|[/\"; ]){re.escape(path)}[/\"]", text)]
        where = f" (layer {', '.join(layers)})" if layers else ""
        return UnsupportedError(
            f"model {model.name!r}: TFLite has no int8 op for {', '.join(names)}{where}; replace the layers, or"
            " give an int8 .tflite",
            names,
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    return ModelError(f"model {model.name!r}: TensorFlow's converter failed: {lines[0][:300]}")
