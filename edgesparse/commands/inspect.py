"""`edgesparse inspect`: layers, shapes, MACs, zeros, and why each layer can or cannot gain."""

from __future__ import annotations

from pathlib import Path

from edgesparse.errors import ModelError
from edgesparse.network import Network
from edgesparse.report import assemble
from edgesparse.report.inspection import InspectedLayer, InspectedModel, Inspection

__all__ = ["inspect"]


def inspect(model: str | Path, *, unsafe: bool = False) -> Inspection:
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
    stats = network.stats
    return Inspection(
        path=str(path),
        model=InspectedModel(stats.macs, stats.parameters, stats.prunable, round(stats.sparsity, 6)),
        layers=tuple(
            InspectedLayer(
                name=layer.name,
                op=layer.kind,
                input_shape=layer.input_shape,
                output_shape=layer.output_shape,
                parameters=layer.parameters,
                macs=layer.macs,
                weights=layer.weights,
                sparsity=assemble.sparsity_of(layer),
                prunable=layer.prunable,
                note=layer.note,
            )
            for layer in stats.layers
        ),
    )
