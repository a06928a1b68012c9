"""Keras models in: `.h5`, `.keras` and SavedModel of Keras 2 and Keras 3, always as a tf_keras model."""

from __future__ import annotations

from edgesparse.keras_model.fingerprint import fingerprint
from edgesparse.keras_model.load import from_object, load
from edgesparse.keras_model.loaded import LoadedModel, final_activation, input_shape, iter_layers, output_shape
from edgesparse.keras_model.predict import predict

__all__ = [
    "LoadedModel",
    "final_activation",
    "fingerprint",
    "from_object",
    "input_shape",
    "iter_layers",
    "load",
    "output_shape",
    "predict",
]
