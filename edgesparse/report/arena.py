"""Which tensor lies where in the arena, and while which layers run."""

from __future__ import annotations

from edgesparse.graph import Graph
from edgesparse.lowering.arena import Buffer, MemoryPlan
from edgesparse.lowering.model import PackedModel
from edgesparse.result import ArenaBuffer

__all__ = ["arena_buffers"]


def arena_buffers(graph: Graph, packed: PackedModel, plan: MemoryPlan) -> tuple[ArenaBuffer, ...]:
    """One row per buffer, in the order of their first use.

    `tensor`: "input", the layer that writes it, or the layer whose scratch it is; a buffer that several layers write
    one after the other has all their names. `first_layer`, `last_layer`: indices into `layers`, both included.
    """
    producer = {call.output: graph.ops[call.op_index].name for call in packed.calls}

    def name(buffer: Buffer) -> str:
        if not buffer.tensors:
            return graph.ops[packed.calls[buffer.first].op_index].name
        return " > ".join(producer.get(tensor, "input") for tensor in buffer.tensors)

    def layer(call: int) -> int:
        return packed.calls[call].op_index if packed.calls else 0

    return tuple(
        ArenaBuffer(
            tensor=name(buffer),
            kind="activation" if buffer.tensors else "scratch",
            offset=offset,
            bytes=buffer.size,
            first_layer=layer(buffer.first),
            last_layer=layer(buffer.last),
        )
        for buffer, offset in sorted(plan.buffers, key=lambda placed: (placed[0].first, placed[1]))
    )
