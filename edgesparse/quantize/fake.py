"""Fake quantization: a float model computes with the values that its int8 form would have, and can still be trained.

Where values are rounded follows from what TFLite makes of the layers. A batch normalization and a ReLU become part of
the op that makes their inputs, so nothing is rounded before them; every other layer reads rounded inputs:

    Conv2D --> BatchNormalization --> ReLU --*--> Dense --*--> Softmax          * rounded
        kernel * scale of its output             kernel * scale of the layer

How they are rounded is TF-MOT's: its quantizers, with ranges from the values at hand. Its own wrapper for models is not
used: it takes neither nested models nor Conv1D, and rounds depthwise kernels by one scale where TFLite has one per
channel.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from edgesparse.keras_model.backend import tensorflow, tfmot
from edgesparse.keras_model.loaded import iter_layers
from edgesparse.keras_model.normalization import normalized
from edgesparse.keras_model.observe import Step, linear, stepping

__all__ = ["fake_quantized"]

_KERNELS = {
    "Conv1D": ("kernel",),
    "Conv2D": ("kernel",),
    "Dense": ("kernel",),
    "DepthwiseConv1D": ("depthwise_kernel",),
    "DepthwiseConv2D": ("depthwise_kernel",),
    "SeparableConv1D": ("depthwise_kernel", "pointwise_kernel"),
    "SeparableConv2D": ("depthwise_kernel", "pointwise_kernel"),
}

_FUSED = frozenset({"BatchNormalization", "ReLU"})
"""Layers that become part of the op before."""

_IDENTITIES = frozenset(
    {
        "ActivityRegularization",
        "AlphaDropout",
        "Dropout",
        "GaussianDropout",
        "GaussianNoise",
        "InputLayer",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "SpatialDropout3D",
    }
)
"""Layers that TFLite leaves out."""

_FUSED_FUNCTIONS = frozenset({"linear", "relu", "relu6"})
"""Activations that are part of their layer's op; others are ops of their own."""

_SMALLEST = 1e-6
"""Scales of normalizations below it would make kernels too large."""

Round = Callable[[Any], Any]


def fake_quantized(model: Any, *, dense_per_channel: bool) -> Callable[[], AbstractContextManager[None]]:
    """A context in which a tf_keras model computes as if in int8; it is for calls in inference mode.

    Kernels are rounded to 8 bits per output channel, those of Dense layers per layer unless dense_per_channel; inputs
    of layers, and what goes into softmax, sigmoid and the like, per tensor, with the ranges of the batch. Gradients
    pass as if nothing was rounded (straight-through). Zero stays zero. The model's variables are as before.
    """
    folded = {} if dense_per_channel else normalized(model, "Dense")
    steps = {
        path: (layer, _step(layer, folded.get(path), dense_per_channel=dense_per_channel))
        for path, layer in iter_layers(model)
        if not _is_fused(layer)
    }
    return lambda: stepping(steps)


def _activation(layer: Any) -> str:
    return getattr(getattr(layer, "activation", None), "__name__", "linear")


def _is_fused(layer: Any) -> bool:
    kind = type(layer).__name__
    return kind in _FUSED | _IDENTITIES or (kind == "Activation" and _activation(layer) in _FUSED_FUNCTIONS)


def _step(layer: Any, norm: Any | None, *, dense_per_channel: bool) -> Step:
    """What the layer computes. norm: what TFLite folds into its kernel, where one scale is for all of that."""
    round_inputs = _rounding(per_channel=False, symmetric=False)
    round_outputs = _rounding(per_channel=False, symmetric=False)
    kind = type(layer).__name__
    per_channel = kind != "Dense" or dense_per_channel
    kernels = {name: _kernel_rounding(name, layer, norm, per_channel=per_channel) for name in _KERNELS.get(kind, ())}

    def step(inputs: Any, compute: Callable[[Any], Any]) -> Any:
        rounded = tensorflow().nest.map_structure(
            lambda value: round_inputs(value) if _is_float(value) else value, inputs
        )
        whole = {name: getattr(layer, name) for name in kernels}
        try:
            for name, round_kernel in kernels.items():
                # Past Keras' own __setattr__, which would take note of a weight.
                object.__setattr__(layer, name, round_kernel(whole[name]))
            if kind == "Activation" or _activation(layer) in _FUSED_FUNCTIONS:
                return compute(rounded)
            with linear(layer) as activate:
                outputs = compute(rounded)
            return activate(round_outputs(outputs))
        finally:
            for name, kernel in whole.items():
                object.__setattr__(layer, name, kernel)

    return step


def _is_float(value: Any) -> bool:
    return bool(tensorflow().is_tensor(value)) and value.dtype == tensorflow().float32


def _rounding(*, per_channel: bool, symmetric: bool, channels: int = 1) -> Round:
    """TF-MOT's rounding to 8 bits, by the least and the largest value; per_channel: of values [rows, channels]."""
    tf = tensorflow()
    quantizer = tfmot().quantization.keras.quantizers.LastValueQuantizer(
        num_bits=8, per_axis=per_channel, symmetric=symmetric, narrow_range=symmetric
    )
    shape = (channels,) if per_channel else ()
    # Written anew at every use.
    ranges = {name: tf.Variable(tf.zeros(shape), trainable=False) for name in ("min_var", "max_var")}
    return lambda values: quantizer(values, training=True, weights=ranges)


def _kernel_rounding(name: str, layer: Any, norm: Any | None, *, per_channel: bool) -> Round:
    tf = tensorflow()
    shape = tuple(getattr(layer, name).shape)
    channels = shape[-1] * shape[-2] if name == "depthwise_kernel" else shape[-1]
    rounding = _rounding(per_channel=per_channel, symmetric=True, channels=channels)

    def round_kernel(kernel: Any) -> Any:
        scale = _scale(norm) if norm is not None else 1.0
        return tf.reshape(rounding(tf.reshape(kernel, (-1, channels)) * scale) / scale, shape)

    return round_kernel


def _scale(norm: Any) -> Any:
    """What a batch normalization multiplies channels with, [channels], no gradient."""
    tf = tensorflow()
    gamma = norm.gamma if norm.scale else tf.ones_like(norm.moving_variance)
    scale = tf.abs(gamma) * tf.math.rsqrt(norm.moving_variance + norm.epsilon)
    return tf.stop_gradient(tf.maximum(scale, _SMALLEST))
