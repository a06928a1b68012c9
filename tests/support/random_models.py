"""Small random tf_keras models by seed, of the ops that have kernels, for end-to-end tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgesparse.keras_model.backend import quiet, tf_keras

__all__ = ["FAMILIES", "random_model"]

FAMILIES = ("image", "signal", "dense")
"""image: (h, w, c); signal: a 1-D signal as (t, 1, c) or (t, c, 1); dense: (n,)."""

_MAX_SIDE = 16
_CHANNELS = (3, 4, 5, 8, 12, 16)


def random_model(seed: int, family: str | None = None) -> Any:
    """A tf_keras model that depends on the seed only: one input of at most 16x16x8 values (64x1x8 for a signal), one
    output.

    Weights and batch-norm statistics are random too, so that no layer is trivial. There is always a layer that can
    be pruned.
    """
    rng = np.random.default_rng(seed)
    family = family or str(rng.choice(FAMILIES, p=(0.6, 0.25, 0.15)))
    keras = tf_keras()
    with quiet():
        model = _Builder(keras, rng).build(family, f"random_{family}_{seed}")
        for weight in model.weights:
            weight.assign(_values(rng, weight.name, tuple(weight.shape)))
    return model


def _values(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> Any:
    if "gamma" in name or "variance" in name:
        return rng.uniform(0.5, 1.5, shape)
    if "kernel" in name:
        fan_in = max(1, int(np.prod(shape[:2] if "depthwise" in name else shape[:-1])))
        return rng.standard_normal(shape) * np.sqrt(2.0 / fan_in)
    return rng.standard_normal(shape) * 0.1


class _Builder:
    def __init__(self, keras: Any, rng: np.random.Generator) -> None:
        self.layers = keras.layers
        self.keras = keras
        self.rng = rng

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def pick(self, *options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def build(self, family: str, name: str) -> Any:
        if family == "dense":
            x = inputs = self.keras.Input((self.pick(10, 16, 30, 64),))
        else:
            x = inputs = self.keras.Input(self.input_shape(family))
            x = self.convolution(x)
            for _ in range(int(self.rng.integers(2, 5))):
                x = self.block(x)
            x = self.flat(x)
        for _ in range(int(self.rng.integers(1, 3))):
            x = self.activation(self.layers.Dense(self.pick(8, 12, 15, 32), use_bias=self.chance(0.8))(x))
        outputs = self.layers.Dense(
            self.pick(2, 5, 10), activation=self.pick("softmax", "softmax", "linear", "sigmoid", "tanh")
        )(x)
        return self.keras.Model(inputs, outputs, name=name)

    def input_shape(self, family: str) -> tuple[int, int, int]:
        channels = self.pick(1, 3, 4, 8)
        if family == "image":
            return int(self.rng.integers(7, _MAX_SIDE + 1)), int(self.rng.integers(7, _MAX_SIDE + 1)), channels
        length = int(self.rng.integers(20, 65))
        return (length, 1, channels) if self.chance(0.5) else (length, self.pick(3, 6), 1)

    def block(self, x: Any) -> Any:
        makers = (self.convolution, self.separable, self.residual, self.pooling, self.padding, self.branches)
        return self.pick(*makers)(x)

    def activation(self, x: Any) -> Any:
        kind = self.pick("relu", "relu", "relu6", "none", "tanh", "sigmoid")
        if kind == "none":
            return x
        if kind == "relu6":
            return self.layers.ReLU(max_value=6.0)(x)
        return self.layers.Activation(kind)(x)

    def normalized(self, x: Any) -> Any:
        return self.activation(self.layers.BatchNormalization()(x) if self.chance(0.6) else x)

    def kernel_size(self, x: Any) -> tuple[int, int]:
        return tuple(min(self.pick(1, 2, 3, 3, 5), int(size)) for size in x.shape[1:3])

    def strides(self, x: Any) -> tuple[int, int]:
        return tuple(2 if size >= 6 and self.chance(0.3) else 1 for size in x.shape[1:3])

    def convolution(self, x: Any) -> Any:
        kernel, strides = self.kernel_size(x), self.strides(x)
        dilation = 2 if strides == (1, 1) and min(x.shape[1:3]) >= 6 and max(kernel) <= 3 and self.chance(0.2) else 1
        x = self.layers.Conv2D(
            self.pick(*_CHANNELS),
            kernel,
            strides=strides,
            dilation_rate=dilation,
            padding=self.pick("same", "valid"),
            use_bias=self.chance(0.7),
        )(x)
        return self.normalized(x)

    def separable(self, x: Any) -> Any:
        # Keras wants equal strides in both directions here.
        stride = 2 if min(x.shape[1:3]) >= 6 and self.chance(0.3) else 1
        x = self.layers.DepthwiseConv2D(
            self.kernel_size(x),
            strides=stride,
            padding=self.pick("same", "valid"),
            depth_multiplier=self.pick(1, 1, 1, 2),
            use_bias=self.chance(0.5),
        )(x)
        x = self.normalized(x)
        return self.normalized(self.layers.Conv2D(self.pick(*_CHANNELS), 1)(x))

    def residual(self, x: Any) -> Any:
        channels = int(x.shape[-1])
        y = self.normalized(self.layers.Conv2D(channels, self.kernel_size(x), padding="same")(x))
        y = self.layers.Conv2D(channels, self.kernel_size(x), padding="same", use_bias=self.chance(0.5))(y)
        return self.activation(self.layers.Add()([self.layers.BatchNormalization()(y), x]))

    def pooling(self, x: Any) -> Any:
        size = tuple(2 if extent >= 4 else 1 for extent in x.shape[1:3])
        maker = self.pick(self.layers.MaxPooling2D, self.layers.AveragePooling2D)
        return maker(size, padding=self.pick("same", "valid"))(x)

    def padding(self, x: Any) -> Any:
        x = self.layers.ZeroPadding2D(((self.pick(0, 1), 2), (1, self.pick(1, 2))))(x)
        return self.normalized(self.layers.Conv2D(self.pick(*_CHANNELS), 3, strides=self.pick(1, 2))(x))

    def branches(self, x: Any) -> Any:
        left = self.normalized(self.layers.Conv2D(self.pick(4, 5, 8), 1)(x))
        right = self.normalized(self.layers.Conv2D(self.pick(3, 4, 8), self.kernel_size(x), padding="same")(x))
        return self.layers.Concatenate()([left, right])

    def flat(self, x: Any) -> Any:
        x = self.pooling(x) if max(x.shape[1:3]) > 8 else x
        return self.layers.GlobalAveragePooling2D()(x) if self.chance(0.5) else self.layers.Flatten()(x)
