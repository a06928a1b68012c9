"""Where each activation and each kernel's scratch lies in the arena.

Two buffers may share bytes when no kernel call needs both. Finding the smallest arena is NP-hard (dynamic storage
allocation), but networks are small: first-fit over a few orders, then over shuffled ones, until the lower bound
(the largest sum of buffers that one call needs alive) is met.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgesparse.graph import Graph
from edgesparse.lowering.model import PackedModel

__all__ = ["ALIGNMENT", "Buffer", "MemoryPlan", "place", "plan_memory"]

ALIGNMENT = 8
"""Bytes; every buffer starts at a multiple and every size is rounded up to one."""

_SHUFFLES = 3000


@dataclass(frozen=True)
class Buffer:
    """`size` bytes needed from call `first` to call `last`, both included.

    `tensors`: the graph tensors that lie there one after the other, the first to be written first; none for scratch.
    """

    name: str
    size: int
    first: int
    last: int
    tensors: tuple[int, ...] = ()


@dataclass(frozen=True)
class MemoryPlan:
    """Arena offsets in bytes.

    `live_bytes`: the largest sum of activations alive during one call. `scratch_bytes`: the largest scratch of a call.
    `bound_bytes`: the largest sum of activations *and* scratch alive during one call, each rounded up to ALIGNMENT;
    no plan can be smaller, and `arena_bytes` equals it unless fragmentation is unavoidable.
    """

    arena_bytes: int
    tensor_offsets: Mapping[int, int]  # graph tensor -> offset; aliases share one
    scratch_offsets: Mapping[int, int]  # index into PackedModel.calls -> offset
    buffers: tuple[tuple[Buffer, int], ...]  # with offsets, for the memory map
    live_bytes: int
    scratch_bytes: int
    bound_bytes: int


def plan_memory(graph: Graph, packed: PackedModel) -> MemoryPlan:
    """Place the input, the output, every activation and every scratch buffer.

    The input is alive from before the first call, the output to after the last one. The output of a call that works
    in place takes the bytes of an input that nothing reads later.
    """
    calls = packed.calls
    last_call = max(len(calls) - 1, 0)
    first: dict[int, int] = {}
    last: dict[int, int] = {}

    owners = dict(packed.aliases)

    def owner(tensor: int) -> int:
        while tensor in owners:
            tensor = owners[tensor]
        return tensor

    def use(tensor: int, call: int) -> None:
        if graph.tensors[tensor].data is None:
            root = owner(tensor)
            first[root] = min(first.get(root, call), call)
            last[root] = max(last.get(root, call), call)

    for tensor in graph.inputs:
        use(tensor, 0)
    for index, call in enumerate(calls):
        for tensor in (*call.inputs, call.output):
            use(tensor, index)
    for tensor in graph.outputs:
        use(tensor, last_call)
    kept = {owner(tensor) for tensor in graph.outputs}
    for index, call in enumerate(calls):
        target = owner(call.output)
        for source in (owner(call.inputs[position]) for position in call.in_place):
            fits = source in last and graph.tensors[target].nbytes <= graph.tensors[source].nbytes
            if fits and source != target and last[source] == index == first[target] and source not in kept:
                owners[target] = source
                last[source] = last.pop(target)
                del first[target]
                if target in kept:
                    kept.add(source)
                break

    written = [*graph.inputs, *(call.output for call in calls)]
    held = {root: tuple(dict.fromkeys(t for t in written if owner(t) == root)) for root in first}
    activations = [Buffer(graph.tensors[t].name, graph.tensors[t].nbytes, first[t], last[t], held[t]) for t in first]
    scratches = {
        i: Buffer(f"scratch of call {i}", c.scratch_bytes, i, i) for i, c in enumerate(calls) if c.scratch_bytes
    }
    buffers = [*activations, *scratches.values()]
    offsets, arena_bytes = place(buffers)
    by_root = dict(zip(first, offsets, strict=False))
    steps = range(len(calls)) if calls else range(1)
    return MemoryPlan(
        arena_bytes=arena_bytes,
        tensor_offsets={
            t: by_root[owner(t)]
            for t in range(len(graph.tensors))
            if graph.tensors[t].data is None and owner(t) in by_root
        },
        scratch_offsets=dict(zip(scratches, offsets[len(activations) :], strict=True)),
        buffers=tuple(zip(buffers, offsets, strict=True)),
        live_bytes=max(sum(b.size for b in activations if b.first <= step <= b.last) for step in steps),
        scratch_bytes=max((b.size for b in scratches.values()), default=0),
        bound_bytes=_bound(buffers),
    )


def place(buffers: Sequence[Buffer]) -> tuple[list[int], int]:
    """Offsets for the buffers, and the bytes that they need together. Deterministic."""
    if not buffers:
        return [], 0
    bound = _bound(buffers)
    by_size = sorted(range(len(buffers)), key=lambda i: (-buffers[i].size, buffers[i].first))
    by_length = sorted(range(len(buffers)), key=lambda i: (buffers[i].first - buffers[i].last, -buffers[i].size))
    by_time = sorted(range(len(buffers)), key=lambda i: (buffers[i].first, -buffers[i].size))
    best: tuple[int, list[int]] | None = None
    best_order = by_size
    for order in (by_size, by_length, by_time):
        offsets, total = _first_fit(buffers, order)
        if best is None or total < best[0]:
            best, best_order = (total, offsets), order
    assert best is not None
    generator = random.Random(0)
    for _ in range(_SHUFFLES):
        if best[0] == bound:
            break
        order = list(best_order)
        for _ in range(generator.randint(1, 3)):
            order.insert(generator.randrange(len(order)), order.pop(generator.randrange(len(order))))
        offsets, total = _first_fit(buffers, order)
        if total <= best[0]:
            best, best_order = (total, offsets), order
    return best[1], best[0]


def _first_fit(buffers: Sequence[Buffer], order: Sequence[int]) -> tuple[list[int], int]:
    offsets = [0] * len(buffers)
    placed: list[int] = []
    total = 0
    for index in order:
        buffer = buffers[index]
        taken = sorted(
            (offsets[other], offsets[other] + _aligned(buffers[other].size))
            for other in placed
            if buffers[other].first <= buffer.last and buffer.first <= buffers[other].last
        )
        size, offset = _aligned(buffer.size), 0
        for start, end in taken:
            if offset + size <= start:
                break
            offset = max(offset, end)
        offsets[index] = offset
        placed.append(index)
        total = max(total, offset + size)
    return offsets, total


def _bound(buffers: Sequence[Buffer]) -> int:
    last = max((b.last for b in buffers), default=0)
    return max(sum(_aligned(b.size) for b in buffers if b.first <= step <= b.last) for step in range(last + 1))


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
