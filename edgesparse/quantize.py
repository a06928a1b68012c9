"""Pruned Keras model + calibration inputs -> int8 .tflite; and the proof that pruned weights stayed zero."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.errors import DataError, ModelError, UnsupportedError
from edgesparse.graph import FloatArray, Graph
from edgesparse.keras_model.backend import quiet, tensorflow
from edgesparse.keras_model.loaded import input_shape, iter_layers
from edgesparse.sparsify.kernels import Kernel, iter_kernels
from edgesparse.sparsify.masks import Masks

__all__ = ["MAX_CALIBRATION", "check_zeros", "float_tflite", "match_kernels", "quantize", "synthetic_inputs"]

MAX_CALIBRATION = 512
"""Calibration samples that are used: ranges hardly change after that, time grows."""

_WEIGHT_OPS = ("CONV_2D", "FULLY_CONNECTED")
_MIN_SIMILARITY = 0.6


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
    with quiet():
        try:
            return bytes(_converter(model).convert())
        except (RuntimeError, ValueError, TypeError, _converter_error()) as error:
            raise _explain(model, error) from error


def _converter(model: Any) -> Any:
    """TensorFlow's converter for one input of batch 1: from a dynamic batch it leaves shape arithmetic in the file."""
    tf = tensorflow()
    function = tf.function(lambda inputs: model(inputs, training=False))
    concrete = function.get_concrete_function(tf.TensorSpec((1, *input_shape(model)), tf.float32, name="input"))
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)


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


def synthetic_inputs(shape: tuple[int, ...], n: int, seed: int, *, model: Any | None = None) -> FloatArray:
    """Made-up inputs [n, *shape] float32 for a model without data.

    Standard normal, as after the usual preprocessing. Where the model's first layer does that itself, inputs are
    made for it: uniform over the range that Rescaling maps to its unit range, or normal with Normalization's mean
    and variance. Ranges from such inputs are a guess: accuracy may suffer, and the caller must say so.
    """
    generator = np.random.default_rng(seed)
    first = (
        next((layer for _, layer in iter_layers(model) if type(layer).__name__ != "InputLayer"), None)
        if model is not None
        else None
    )
    kind = type(first).__name__
    values = generator.standard_normal((n, *shape))
    if first is not None and kind == "Rescaling":
        scale, offset = np.asarray(first.scale, dtype=np.float64), np.asarray(first.offset, dtype=np.float64)
        lowest = np.where(offset < 0, -1.0, 0.0)
        values = (generator.uniform(0.0, 1.0, (n, *shape)) * (1.0 - lowest) + lowest - offset) / scale
    elif first is not None and kind == "Normalization":
        mean, deviation = np.asarray(first.mean), np.sqrt(np.asarray(first.variance))
        values = values * deviation + mean
    return values.astype(np.float32)


def check_zeros(graph: Graph, model: Any, masks: Masks) -> dict[str, int]:
    """Prove that every pruned weight is exactly zero in the int8 graph; return {layer path: op index}.

    model, masks: as sparsify gave them. A kernel is found by its values (fusing changes names): the op of the same
    shape whose weights point in the same direction, row by row, whatever scale batch normalization gave to a row.
    ModelError naming the layer when a pruned weight is not at its zero point or when no op matches.
    """
    kernels = {kernel.name: kernel for kernel in iter_kernels(model) if kernel.name in masks}
    mapping = match_kernels(graph, kernels.values())
    for name, kernel in kernels.items():
        if name not in mapping:
            raise ModelError(
                f"layer {name!r}: no op of the int8 model holds its weights {kernel.shape}, so that its zeros"
                " cannot be checked; please report this model"
            )
        op = graph.ops[mapping[name]]
        tensor = graph.input(op, 1)
        removed = ~_rows(kernel.to_tflite(masks[name]))
        weights = _rows(np.asarray(tensor.data))
        zero_points = np.broadcast_to(tensor.quant.zero_points.reshape(-1, 1), (len(weights), 1))
        wrong = int(np.count_nonzero((weights != zero_points) & removed))
        if wrong:
            raise ModelError(
                f"layer {name!r} (op {op.name!r}): {wrong} of {int(removed.sum())} pruned weights are not zero"
                " in the int8 model; expected 0;"
                " prune another layer or report this model"
            )
    return mapping


def match_kernels(graph: Graph, kernels: Iterable[Kernel]) -> dict[str, int]:
    """{layer path: index of the op that has its weights}, by their values (see check_zeros); those that are found."""
    return _match({kernel.name: _rows(kernel.read()) for kernel in kernels}, _op_rows(graph))


def _rows(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """[out, ..., in] as [out, rest]."""
    return array.reshape(len(array), -1)


def _op_rows(graph: Graph) -> dict[int, npt.NDArray[Any]]:
    """int8 weights [out, rest] per op index."""
    result = {}
    for index, op in enumerate(graph.ops):
        if op.kind in _WEIGHT_OPS:
            data = graph.input(op, 1).data
            if data is not None:
                result[index] = _rows(data)
    return result


def _match(kernels: Mapping[str, npt.NDArray[Any]], ops: Mapping[int, npt.NDArray[Any]]) -> dict[str, int]:
    """Pair kernels with ops of the same shape, the most similar pairs first, each used once."""
    pairs = [
        (_similarity(kernel, weights), name, index)
        for name, kernel in kernels.items()
        for index, weights in ops.items()
        if kernel.shape == weights.shape
    ]
    pairs.sort(key=lambda pair: (-pair[0], list(kernels).index(pair[1]), pair[2]))
    mapping: dict[str, int] = {}
    for similarity, name, index in pairs:
        if similarity >= _MIN_SIMILARITY and name not in mapping and index not in mapping.values():
            mapping[name] = index
    return mapping


def _similarity(kernel: npt.NDArray[Any], weights: npt.NDArray[Any]) -> float:
    """Mean |cosine| of the rows that are nonzero in both; 0 when there are none."""
    a, b = kernel.astype(np.float64), weights.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    rows = norms > 0
    if not rows.any():
        return 0.0
    return float(np.mean(np.abs((a[rows] * b[rows]).sum(axis=1)) / norms[rows]))
