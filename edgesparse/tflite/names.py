"""Layer names for ops, from the tensor names that the converter leaves.

The converter joins the names of all it fused, such as
`model/activation/Relu;model/batch_normalization/FusedBatchNormV3;model/conv2d/BiasAdd;...`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["identifier", "layer_names"]

_ROOT_OPS: dict[str, tuple[str, ...]] = {
    "CONV_2D": ("BiasAdd", "Conv2D", "separable_conv2d", "Conv1D"),
    "DEPTHWISE_CONV_2D": ("BiasAdd", "depthwise", "Conv2D", "separable_conv2d"),
    "FULLY_CONNECTED": ("BiasAdd", "MatMul", "Tensordot"),
    "ADD": ("add", "AddV2", "Add"),
}
"""For each op kind: last path components that mark its own layer among the fused names, the surest first."""


def layer_names(kinds: Sequence[str], tensor_names: Sequence[str]) -> list[str]:
    """A unique C identifier for each op, from its kind and the name of its output tensor.

    Where the tensor names no layer (`Identity`, `StatefulPartitionedCall:0`), the op's kind is used.
    """
    taken: dict[str, int] = {}
    names = []
    for kind, text in zip(kinds, tensor_names, strict=True):
        base = identifier(_layer(kind, text) or kind.lower())
        name, count = base, taken.get(base, 0)
        while name in taken:
            count += 1
            name = f"{base}_{count}"
        taken[base] = count
        taken[name] = 0
        names.append(name)
    return names


def identifier(text: str) -> str:
    """`text` as a lower-case C identifier."""
    name = re.sub(r"[^0-9a-z]+", "_", text.lower()).strip("_") or "layer"
    return f"layer_{name}" if name[0].isdigit() else name


def _layer(kind: str, text: str) -> str | None:
    paths = [segment.split("/") for segment in text.split(";")]
    paths = [path for path in paths if len(path) > 1]
    for mark in _ROOT_OPS.get(kind, ()):
        for path in paths:
            if re.fullmatch(rf"{mark}(_\d+)?", path[-1]):
                return path[-2]
    return paths[0][-2] if paths else None
