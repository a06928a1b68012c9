"""DropConnect as a layer of tf_keras; importing this module imports TensorFlow."""

from __future__ import annotations

from typing import Any

from edgesparse.keras_model.backend import tensorflow, tf_keras
from edgesparse.keras_model.drop_connect import check, kernels, replaced

__all__ = ["DropConnect"]

_keras = tf_keras()


# BaseRandomLayer is what Keras' own Dropout is: a seed, and a state that a saved model keeps. Keras has no types.
@_keras.utils.register_keras_serializable(package="edgesparse")
class DropConnect(_keras.layers.Wrapper, _keras.__internal__.layers.BaseRandomLayer):  # type: ignore[misc, name-defined]
    """Drops single weights of a Dense or convolution layer at random in training; in inference, that layer.

    In each step of training every weight of the kernel is zero with probability `rate`, and the others are divided by
    1 - rate; biases stay. All samples of a batch share the mask. Wan et al., "Regularization of neural networks using
    DropConnect" (2013), where each sample has its own.
    """

    def __init__(self, layer: Any, rate: float = 0.5, seed: int | None = None, **options: Any) -> None:
        """layer: Dense, Conv1D, Conv2D, DepthwiseConv or SeparableConv, whose name this one takes where none is given.

        rate: 0 to below 1. seed: same seed, same masks; None draws from Keras' global seed.
        SettingsError for another rate, UnsupportedError for another layer.
        """
        check(layer, rate, _keras, "edgesparse.layers.keras3")
        options.setdefault("name", layer.name)
        super().__init__(layer, seed=seed, **{"force_generator": True, **options})
        self.rate, self.seed = rate, seed
        self.supports_masking = bool(layer.supports_masking)

    def build(self, input_shape: Any = None) -> None:
        """Builds the wrapped layer."""
        super().build(input_shape)
        self._random_generator._maybe_init()

    def call(self, inputs: Any, training: Any = None) -> Any:
        """The wrapped layer's outputs, with weights dropped in training."""
        training = _keras.backend.learning_phase() if training is None else training
        if isinstance(training, bool | int):
            return self._dropped(inputs) if training else self.layer(inputs)
        tf = tensorflow()
        return tf.cond(tf.cast(training, tf.bool), lambda: self._dropped(inputs), lambda: self.layer(inputs))

    def _dropped(self, inputs: Any) -> Any:
        tf, values = tensorflow(), {}
        for name, kernel in kernels(self.layer).items():
            random = self._random_generator.random_uniform(kernel.shape, dtype=tf.float32)
            factor = tf.where(random >= self.rate, 1.0 / (1.0 - self.rate), 0.0)
            values[name] = kernel * tf.cast(factor, self.compute_dtype)
        with replaced(self.layer, values):
            return self.layer(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the wrapped layer."""
        return self.layer.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        """See Keras."""
        config = {key: value for key, value in super().get_config().items() if key != "rng_type"}
        return {**config, "rate": self.rate, "seed": self.seed}
