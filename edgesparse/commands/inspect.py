"""`edgesparse inspect`: layers, shapes, MACs, zeros, and why each layer can or cannot gain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgesparse.errors import ModelError
from edgesparse.network import Network
from edgesparse.report import assemble

__all__ = ["inspect"]


def inspect(model: str | Path, *, unsafe: bool = False) -> dict[str, Any]:
    """Layers, shapes, parameters, MACs, zeros, and why each layer can or cannot gain from sparsity.

    A Keras model is quantized with synthetic inputs to see the ops that the firmware would run; its zeros are those
    of the int8 weights. Nothing is written.
    """
    path = Path(model)
    if path.suffix == ".tflite":
        network = Network.load(path)
    else:
        if not path.exists():
            raise ModelError(f"{path}: no such file or folder")
        from edgesparse import keras_model, quantize

        loaded = keras_model.load(path, unsafe=unsafe)
        samples = quantize.synthetic_inputs(keras_model.input_shape(loaded.model), n=8, seed=0)
        network = Network.read(quantize.quantize(loaded.model, samples, dense_per_channel=False))
    layers = [
        {
            "name": layer.name,
            "op": layer.kind,
            "input_shape": list(layer.input_shape),
            "output_shape": list(layer.output_shape),
            "parameters": layer.parameters,
            "macs": layer.macs,
            "weights": layer.weights,
            "sparsity": assemble.sparsity_value(layer),
            "prunable": layer.prunable,
            "note": layer.note,
        }
        for layer in network.stats.layers
    ]
    return {"path": str(path), "model": assemble.model_part(network.stats), "layers": layers}
