"""columns: dense weights for inputs that are mostly zero, as behind a ReLU."""

from __future__ import annotations

import numpy as np

from edgesparse.errors import ModelError
from edgesparse.lowering.call import Array
from edgesparse.lowering.formats.format import FcFormat, FcLayer, FcPacking, WeightFormat
from edgesparse.packing import columns

__all__ = ["COLUMNS"]

_MOST_COLUMNS = 1 << 16


def _fully_connected(layer: FcLayer, _variant: str) -> FcPacking:
    if layer.zero_inputs is None:
        raise ModelError("activation sparsity was not measured")
    outputs, inputs = layer.weights.shape
    if inputs > _MOST_COLUMNS:
        raise ModelError(f"{inputs} inputs, at most {_MOST_COLUMNS} have an index of 16 bits")
    packed = columns.pack(layer.weights)
    sums = layer.weights.astype(np.int64).sum(axis=1)
    bias = (layer.bias + layer.input_zero_point * sums).astype(np.int32)  # as the model has it
    found = inputs * (1 - layer.zero_inputs)
    fours = -(-outputs // 4)
    return FcPacking(
        "columns",
        bias,
        Array("weights", "int8_t", packed.values, "weights"),
        {"values": inputs, "found": found, "rows": fours, "units": fours * found, "outputs": outputs},
        reason=f"columns: {100 * layer.zero_inputs:.0f} % of the inputs measured zero",
    )


COLUMNS = WeightFormat(
    "columns",
    numbers={"columns": 6},
    fully_connected=FcFormat(_fully_connected, {"columns": lambda _variant, in_dim: 4 * in_dim}, code_bytes=464),
    skips_inputs=True,
)
