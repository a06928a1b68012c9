"""Float inference: the accuracy that the int8 model is compared with."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgesparse.graph import FloatArray
from edgesparse.keras_model.backend import tensorflow

__all__ = ["predict"]

_BATCH = 128


def predict(model: Any, x: FloatArray) -> FloatArray:
    """Run a tf_keras model in inference mode: x [n, *input] float32 -> [n, *output] float32.

    Op by op, not as a graph: on some processors TensorFlow's graph optimizer makes fused convolutions that it has no
    kernel for ("Fusion is not implemented: [FusedBatchNorm,Tanh]").
    """
    constant = tensorflow().constant
    parts = [
        np.asarray(model(constant(x[start : start + _BATCH], dtype="float32"), training=False), dtype=np.float32)
        for start in range(0, len(x), _BATCH)
    ]
    return np.concatenate(parts)
