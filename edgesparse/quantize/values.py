"""Proof that clustered weights are few values in the int8 model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from edgesparse.errors import ModelError
from edgesparse.graph import Graph

__all__ = ["check_values"]


def check_values(graph: Graph, ops: Mapping[str, int], layers: Iterable[str], most: int) -> None:
    """Prove that the weights of each layer are at most `most` distinct int8 values.

    ops: layer path -> index of the op that has its weights, as check_zeros gives it. ModelError naming the layer.
    """
    for name in layers:
        op = graph.ops[ops[name]]
        got = len(np.unique(np.asarray(graph.input(op, 1).data)))
        if got > most:
            raise ModelError(
                f"layer {name!r} (op {op.name!r}): its weights are {got} distinct values in the int8 model, expected at"
                f" most {most}, since the converter scales them once more; leave --cluster out, or report this model"
            )
