"""The arena planner: no overlap in time and place, and as small as can be."""

from __future__ import annotations

import random
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesparse.lowering import lower
from edgesparse.lowering.arena import ALIGNMENT, Buffer, place, plan_memory
from edgesparse.tflite.read import read_graph
from tests.support.host_kernels import DSP
from tests.support.tflite_builder import TfliteBuilder


def live_bound(buffers: list[Buffer]) -> int:
    steps = range(max(b.last for b in buffers) + 1)
    return max(sum(-(-b.size // ALIGNMENT) * ALIGNMENT for b in buffers if b.first <= t <= b.last) for t in steps)


def assert_valid(buffers: list[Buffer], offsets: list[int], total: int) -> None:
    for i, a in enumerate(buffers):
        assert offsets[i] % ALIGNMENT == 0
        assert offsets[i] + a.size <= total
        for j, b in enumerate(buffers[:i]):
            if a.first <= b.last and b.first <= a.last:
                apart = offsets[i] + a.size <= offsets[j] or offsets[j] + b.size <= offsets[i]
                assert apart, f"{a} at {offsets[i]} overlaps {b} at {offsets[j]}"


def test_a_chain_needs_the_largest_pair() -> None:
    sizes = [100, 400, 200, 800, 40]
    buffers = [Buffer(str(i), size, max(i - 1, 0), i) for i, size in enumerate(sizes)]
    offsets, total = place(buffers)
    assert_valid(buffers, offsets, total)
    assert total == 1000


def test_a_residual_network_meets_the_bound() -> None:
    # x -> a -> b -> add(x, b) with scratch beside a and b
    buffers = [
        Buffer("x", 160, 0, 2),
        Buffer("a", 320, 0, 1),
        Buffer("b", 160, 1, 2),
        Buffer("sum", 160, 2, 2),
        Buffer("scratch 0", 48, 0, 0),
        Buffer("scratch 1", 96, 1, 1),
    ]
    offsets, total = place(buffers)
    assert_valid(buffers, offsets, total)
    assert total == live_bound(buffers)


def test_no_buffers_need_no_arena() -> None:
    assert place([]) == ([], 0)


@pytest.mark.parametrize("seed", range(40))
def test_random_networks_meet_the_bound(seed: int) -> None:
    """Chains with skip connections and scratch, as networks have them."""
    generator = random.Random(seed)
    calls = generator.randint(3, 25)
    buffers = []
    for call in range(calls):
        last = call + 1 if generator.random() < 0.7 else min(calls, call + generator.randint(2, 5))
        buffers.append(Buffer(f"t{call}", 8 * generator.randint(1, 2000), call, min(last, calls - 1)))
        if generator.random() < 0.5:
            buffers.append(Buffer(f"s{call}", 8 * generator.randint(1, 200), call, call))
    offsets, total = place(buffers)
    assert_valid(buffers, offsets, total)
    scratch = max((b.size for b in buffers if b.name.startswith("s")), default=0)
    live = [b for b in buffers if b.name.startswith("t")]
    assert total <= live_bound(live) + scratch


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(1, 500), st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=12))
def test_any_lifetimes_are_placed_apart(rows: list[tuple[int, int, int]]) -> None:
    buffers = [Buffer(str(i), size, min(a, b), max(a, b)) for i, (size, a, b) in enumerate(rows)]
    offsets, total = place(buffers)
    assert_valid(buffers, offsets, total)
    assert place(buffers) == (offsets, total), "the same input gives the same plan"


def test_elementwise_ops_write_over_inputs_that_nobody_reads_later() -> None:
    # a = RELU(x), b = QUANTIZE(a), total = x + b, y = RELU(total): x lives until the sum.
    net = TfliteBuilder()
    x = net.input((1, 4, 4, 8), 0.05, 3)
    a, b, total, y = (net.activation((1, 4, 4, 8), scale, 3) for scale in (0.05, 0.07, 0.08, 0.08))
    net.op("RELU", [x], [a])
    net.op("QUANTIZE", [a], [b])
    net.op("ADD", [x, b], [total])
    net.op("RELU", [total], [y])
    graph = read_graph(net.build([y]))
    plan = plan_memory(graph, lower(graph, DSP))
    offsets = plan.tensor_offsets
    assert offsets[x] != offsets[a] == offsets[b], "x is read by the ADD"
    assert offsets[y] == offsets[total]
    assert offsets[total] in (offsets[x], offsets[b])
    assert plan.arena_bytes == plan.bound_bytes == 2 * 128


def chain(kind: str, length: int) -> bytes:
    """Ops of one kind, one after the other, with constants where the kind takes two inputs."""
    net = TfliteBuilder()
    tensor = net.input((1, 4), 0.05, 3)
    for index in range(length):
        scale = 0.05 + 0.001 * (index % 7)
        following = net.activation((1, 4), scale, 3)
        factor = [net.constant(np.array([index % 100 + 1], np.int8), [0.01])] if kind == "MUL" else []
        net.op(kind, [tensor, *factor], [following])
        tensor = following
    return net.build([tensor])


@pytest.mark.parametrize(("kind", "length"), [("MUL", 1600), ("RELU", 10_000)])
def test_long_chains_are_planned_in_seconds(kind: str, length: int) -> None:
    graph = read_graph(chain(kind, length))
    start = time.process_time()
    packed = lower(graph, DSP)
    plan = plan_memory(graph, packed)
    assert time.process_time() - start < 8
    assert len(packed.calls) == (length // 2 if kind == "MUL" else length)
    assert plan.arena_bytes == plan.bound_bytes == ALIGNMENT, "all of it in place"


def test_buffers_that_never_meet_the_bound_take_seconds() -> None:
    generator = random.Random(3)
    calls = 2000
    buffers = [
        Buffer(str(call), 8 * generator.randint(1, 2000), call, min(call + generator.randint(1, 30), calls))
        for call in range(calls)
    ]
    start = time.process_time()
    offsets, total = place(buffers)
    assert time.process_time() - start < 15
    assert total < 1.3 * live_bound(buffers)
    assert all(offset + buffer.size <= total for offset, buffer in zip(offsets, buffers, strict=True))


def test_a_crowd_is_placed_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above some number of pairs there is one order, and what lies in the way is not compared pair by pair."""
    generator = random.Random(0)
    monkeypatch.setattr("edgesparse.lowering.arena._MOST_PAIRS", -1)
    for _ in range(150):
        buffers = []
        for index in range(generator.randint(1, 40)):
            first = generator.randint(0, 12)
            buffers.append(Buffer(str(index), generator.randint(1, 90), first, first + generator.randint(0, 6)))
        offsets, total = place(buffers)
        assert_valid(buffers, offsets, total)


def test_ten_thousand_buffers_alive_at_once_take_seconds() -> None:
    buffers = [Buffer(str(index), 8 + index % 50, index % 100, 10_000) for index in range(10_000)]
    start = time.process_time()
    _, total = place(buffers)
    assert time.process_time() - start < 3
    assert total == sum(-(-buffer.size // ALIGNMENT) * ALIGNMENT for buffer in buffers)


def test_outputs_of_the_network_are_not_written_over() -> None:
    net = TfliteBuilder()
    x = net.input((1, 4, 4, 8), 0.05, 3)
    a, y = net.activation((1, 4, 4, 8), 0.05, 3), net.activation((1, 4, 4, 8), 0.07, 3)
    net.op("RELU", [x], [a])
    net.op("QUANTIZE", [a], [y])
    graph = read_graph(net.build([y]))
    graph = replace(graph, outputs=(a, y))
    plan = plan_memory(graph, lower(graph, DSP))
    assert plan.tensor_offsets[a] != plan.tensor_offsets[y]
