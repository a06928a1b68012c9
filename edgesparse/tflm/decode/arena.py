"""What TFLite Micro's memory planner makes of a model: the bytes of the arena that its tensors take.

The default planner is greedy: the largest tensor first, each at the lowest place that is free while it is alive, in
units of 16 bytes. What the interpreter and its kernels keep for themselves comes on top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgesparse.graph import Graph

__all__ = ["Lifetime", "aligned", "lifetimes", "live_bytes", "planned_bytes"]

_ALIGNMENT = 16


@dataclass(frozen=True)
class Lifetime:
    """A tensor of `size` bytes that is needed from step `first` to step `last`, both included."""

    size: int
    first: int
    last: int


def lifetimes(graph: Graph) -> list[Lifetime]:
    """Of every tensor that is no constant, in the file's order. Step 0 is the input, step n + 1 is op n."""
    first = dict.fromkeys(graph.inputs, 0)
    last = dict.fromkeys(graph.inputs, 0)
    for step, op in enumerate(graph.ops, start=1):
        for tensor in op.outputs:
            first[tensor] = step
        last |= dict.fromkeys((*op.inputs, *op.outputs), step)
    last |= dict.fromkeys(graph.outputs, len(graph.ops))
    return [Lifetime(graph.tensors[tensor].nbytes, first[tensor], last[tensor]) for tensor in sorted(first)]


def live_bytes(tensors: Sequence[Lifetime], step: int) -> int:
    """Bytes of all tensors that are needed in a step."""
    return sum(aligned(tensor.size) for tensor in tensors if tensor.first <= step <= tensor.last)


def planned_bytes(tensors: Sequence[Lifetime]) -> int:
    """Bytes of the plan. tensors: in the order of the file; of equally large ones the planner takes the last first."""
    placed: list[tuple[int, int, Lifetime]] = []  # from byte, to byte
    for _, tensor in sorted(enumerate(tensors), key=lambda item: (-aligned(item[1].size), -item[0])):
        start = 0
        for begin, end, other in sorted(placed, key=lambda place: place[0]):
            if other.first <= tensor.last and tensor.first <= other.last:
                if begin - start >= aligned(tensor.size):
                    break
                start = max(start, end)
        placed.append((start, start + aligned(tensor.size), tensor))
    return max((end for _, end, _ in placed), default=0)


def aligned(size: int) -> int:
    """`size` bytes rounded up to what the planner gives."""
    return -(-size // _ALIGNMENT) * _ALIGNMENT
