"""Where each activation and each kernel's scratch lies in the arena.

Two buffers may share bytes when no kernel call needs both. Finding the smallest arena is NP-hard (dynamic storage
allocation), but networks are small: first-fit over a few orders, then over shuffled ones, until the lower bound
(the largest sum of buffers that one call needs alive) is met, or as much work is done as pays.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import accumulate

from edgesparse.graph import Graph
from edgesparse.lowering.model import PackedModel

__all__ = ["ALIGNMENT", "Buffer", "MemoryPlan", "place", "plan_memory"]

ALIGNMENT = 8
"""Bytes; every buffer starts at a multiple and every size is rounded up to one."""

_SHUFFLES = 3000
_MOST_WORK = 6_000_000
"""Buffers placed and pairs compared, over all shuffles: a few seconds, and all shuffles for a few hundred calls."""
_MOST_PAIRS = 1_000_000
"""Pairs of buffers alive together, up to which orders are compared. A crowd above has one order: as they come alive."""


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
        root = tensor
        while root in owners:
            root = owners[root]
        while tensor != root:  # the next one to ask has a short way
            owners[tensor], tensor = root, owners[tensor]
        return root

    def use(tensor: int, call: int) -> None:
        if graph.tensors[tensor].data is None:
            root = owner(tensor)
            first.setdefault(root, call)
            last[root] = call

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

    held: dict[int, list[int]] = defaultdict(list)
    for tensor in dict.fromkeys((*graph.inputs, *(call.output for call in calls))):
        held[owner(tensor)].append(tensor)
    activations = [
        Buffer(graph.tensors[t].name, graph.tensors[t].nbytes, first[t], last[t], tuple(held[t])) for t in first
    ]
    scratches = {
        i: Buffer(f"scratch of call {i}", c.scratch_bytes, i, i) for i, c in enumerate(calls) if c.scratch_bytes
    }
    buffers = [*activations, *scratches.values()]
    offsets, arena_bytes = place(buffers)
    by_root = dict(zip(first, offsets, strict=False))
    return MemoryPlan(
        arena_bytes=arena_bytes,
        tensor_offsets={t: by_root[owner(t)] for t in range(len(graph.tensors)) if owner(t) in by_root},
        scratch_offsets=dict(zip(scratches, offsets[len(activations) :], strict=True)),
        buffers=tuple(zip(buffers, offsets, strict=True)),
        live_bytes=_most_alive((b.first, b.last, b.size) for b in activations),
        scratch_bytes=max((b.size for b in scratches.values()), default=0),
        bound_bytes=_bound(buffers),
    )


def place(buffers: Sequence[Buffer]) -> tuple[list[int], int]:
    """Offsets for the buffers, and the bytes that they need together. Deterministic."""
    if not buffers:
        return [], 0
    by_size = sorted(range(len(buffers)), key=lambda i: (-buffers[i].size, buffers[i].first))
    by_length = sorted(range(len(buffers)), key=lambda i: (buffers[i].first - buffers[i].last, -buffers[i].size))
    by_time = sorted(range(len(buffers)), key=lambda i: (buffers[i].first, -buffers[i].size))
    pairs = _count_pairs(buffers)
    if pairs > _MOST_PAIRS:
        return _as_they_come(buffers, by_time)
    bound, sizes, together = _bound(buffers), [_aligned(b.size) for b in buffers], _together(buffers, by_time)
    tried = [(*_first_fit(sizes, together, order), order) for order in (by_size, by_length, by_time)]
    offsets, total, order = min(tried, key=lambda result: result[1])
    generator = random.Random(0)
    for _ in range(min(_SHUFFLES, _MOST_WORK // (len(buffers) + pairs))):
        if total == bound:
            break
        shuffled = list(order)
        for _ in range(generator.randint(1, 3)):
            shuffled.insert(generator.randrange(len(order)), shuffled.pop(generator.randrange(len(order))))
        found, size = _first_fit(sizes, together, shuffled)
        if size <= total:
            offsets, total, order = found, size, shuffled
    return offsets, total


def _count_pairs(buffers: Sequence[Buffer]) -> int:
    """How many pairs are alive together."""
    lasts = sorted(b.last for b in buffers)
    apart = sum(bisect_left(lasts, b.first) for b in buffers)
    return len(buffers) * (len(buffers) - 1) // 2 - apart


def _together(buffers: Sequence[Buffer], by_time: Sequence[int]) -> list[list[int]]:
    """Of each buffer, those that are alive at a time with it."""
    found: list[list[int]] = [[] for _ in buffers]
    alive: list[int] = []
    for index in by_time:
        alive = [other for other in alive if buffers[other].last >= buffers[index].first]
        for other in alive:
            found[other].append(index)
        found[index].extend(alive)
        alive.append(index)
    return found


def _first_fit(sizes: Sequence[int], together: Sequence[Sequence[int]], order: Sequence[int]) -> tuple[list[int], int]:
    offsets = [-1] * len(sizes)
    total = 0
    for index in order:
        taken = sorted((offsets[other], sizes[other]) for other in together[index] if offsets[other] >= 0)
        size, offset = sizes[index], 0
        for start, length in taken:
            if offset + size <= start:
                break
            offset = max(offset, start + length)
        offsets[index] = offset
        total = max(total, offset + size)
    return offsets, total


def _as_they_come(buffers: Sequence[Buffer], by_time: Sequence[int]) -> tuple[list[int], int]:
    """First fit in the order in which buffers come alive: all that lies in the arena then is in the way."""
    offsets = [0] * len(buffers)
    total = 0
    holes: list[tuple[int, int]] = []  # start and size, sorted, never side by side; all from `total` on is free too
    ending: list[tuple[int, int]] = []  # last and index, a heap
    for index in by_time:
        while ending and ending[0][0] < buffers[index].first:
            _, gone = heappop(ending)
            _free(holes, offsets[gone], _aligned(buffers[gone].size))
        size = _aligned(buffers[index].size)
        place = next((number for number, (_, room) in enumerate(holes) if room >= size), None)
        if place is not None:
            start, room = holes[place]
            holes[place : place + 1] = [(start + size, room - size)] if room > size else []
        else:  # the last hole may reach the end
            start = holes.pop()[0] if holes and sum(holes[-1]) == total else total
            total = start + size
        offsets[index] = start
        heappush(ending, (buffers[index].last, index))
    return offsets, total


def _free(holes: list[tuple[int, int]], start: int, size: int) -> None:
    """A hole more, one with those beside it."""
    at = bisect_left(holes, (start, 0))
    if at < len(holes) and holes[at][0] == start + size:
        size += holes.pop(at)[1]
    if at and sum(holes[at - 1]) == start:
        start, before = holes.pop(at - 1)
        at, size = at - 1, size + before
    if size:
        holes.insert(at, (start, size))


def _bound(buffers: Iterable[Buffer]) -> int:
    return _most_alive((b.first, b.last, _aligned(b.size)) for b in buffers)


def _most_alive(lives: Iterable[tuple[int, int, int]]) -> int:
    """The largest sum of sizes at one time, of first, last and size."""
    changes: dict[int, int] = defaultdict(int)
    for first, last, size in lives:
        changes[first] += size
        changes[last + 1] -= size
    return max(accumulate(changes[time] for time in sorted(changes)), default=0)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
