"""How large an arena TFLite Micro may want. The exact size is measured; this is where that starts."""

from __future__ import annotations

from edgesparse.graph import Graph
from edgesparse.lowering.arena import Buffer, place
from edgesparse.lowering.model import PackedModel
from edgesparse.tflm.model import TflmModel

__all__ = ["ARENA_ALIGNMENT", "estimate_arena_bytes"]

ARENA_ALIGNMENT = 16
"""What TFLite Micro aligns the arena and every buffer in it to."""

# Seen on Cortex-M with TFLite Micro of 2026-08, and rounded up.
_FIXED_BYTES, _OP_BYTES, _TENSOR_BYTES, _CHANNEL_BYTES = 2048, 192, 16, 8
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


def estimate_arena_bytes(graph: Graph, packed: PackedModel, model: TflmModel) -> int:
    """Bytes that are most likely enough: activations and scratch as planned here, and what an interpreter keeps."""
    last = len(graph.ops) - 1
    first_use: dict[int, int] = dict.fromkeys(graph.inputs, 0)
    last_use: dict[int, int] = dict.fromkeys(graph.inputs, 0)
    scratches = []
    persistent = _FIXED_BYTES + _OP_BYTES * len(graph.ops) + _TENSOR_BYTES * len(graph.tensors)
    for index, op in enumerate(graph.ops):
        for tensor in (*op.inputs, *op.outputs):
            if tensor >= 0 and graph.tensors[tensor].data is None:
                first_use.setdefault(tensor, index)
                last_use[tensor] = index
        scratch = max((c.scratch_bytes for c in packed.calls if c.op_index == index), default=0)
        if index not in model.custom and op.kind in _CONVOLUTIONS:
            shape = graph.input(op, 1).shape
            scratch = max(scratch, 4 * shape[1] * shape[2] * shape[3])  # CMSIS-NN gathers two pixels, as int16
            persistent += _CHANNEL_BYTES * graph.output(op).shape[-1]
        scratches.append(Buffer(f"scratch of op {index}", scratch, index, index))
    for tensor in graph.outputs:
        last_use[tensor] = last
    activations = [Buffer(graph.tensors[t].name, graph.tensors[t].nbytes, first_use[t], last_use[t]) for t in first_use]
    _, planned = place([*activations, *scratches])
    total = persistent + planned + planned // 4  # its planner is greedy
    return -(-total // ARENA_ALIGNMENT) * ARENA_ALIGNMENT
