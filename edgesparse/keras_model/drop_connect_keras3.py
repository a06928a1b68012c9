"""DropConnect as a layer of Keras 3; importing this module imports Keras 3."""

from __future__ import annotations

from typing import Any

import keras

from edgesparse.keras_model.drop_connect import check, kernels, replaced

__all__ = ["DropConnect"]


@keras.saving.register_keras_serializable(package="edgesparse")
class DropConnect(keras.layers.Wrapper):  # type: ignore[misc]
    """The same as drop_connect_tf_keras.DropConnect, for layers of Keras 3."""

    def __init__(self, layer: Any, rate: float = 0.5, seed: int | None = None, **options: Any) -> None:
        """See drop_connect_tf_keras.DropConnect."""
        check(layer, rate, keras, "edgesparse.layers")
        options.setdefault("name", layer.name)
        super().__init__(layer, **options)
        self.rate, self.seed = rate, seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = bool(layer.supports_masking)

    def call(self, inputs: Any, training: Any = False) -> Any:
        """The wrapped layer's outputs, with weights dropped in training."""
        if not training or self.rate == 0:
            return self.layer(inputs)
        values = {}
        for name, kernel in kernels(self.layer).items():
            random = keras.random.uniform(kernel.shape, dtype="float32", seed=self.seed_generator)
            factor = keras.ops.where(random >= self.rate, 1.0 / (1.0 - self.rate), 0.0)
            values[name] = kernel * keras.ops.cast(factor, self.compute_dtype)
        with replaced(self.layer, values):
            return self.layer(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """That of the wrapped layer."""
        return self.layer.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        """See Keras."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
