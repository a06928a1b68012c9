"""The arena planner: no overlap in time and place, and as small as can be."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesparse.graph import Graph, NoOptions, Op, Tensor
from edgesparse.lowering import arena, lower
from edgesparse.lowering.arena import ALIGNMENT, Buffer, MemoryPlan, place, plan_memory
from edgesparse.lowering.call import KernelCall
from edgesparse.lowering.model import PackedModel
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


def lives(*rows: tuple[int, int, int]) -> list[Buffer]:
    """Buffers of sizes, from first to last."""
    return [Buffer(str(index), *row) for index, row in enumerate(rows)]


@pytest.mark.parametrize(
    "buffers",
    [
        lives((24, 1, 3), (16, 2, 4), (32, 4, 4), (24, 3, 4)),  # the largest first
        lives((24, 1, 1), (16, 2, 2), (24, 1, 2), (16, 2, 3)),  # the longest first
        lives((32, 0, 0), (24, 4, 4), (8, 0, 2), (16, 2, 4)),  # as they come
    ],
)
def test_each_order_meets_the_bound_where_the_others_do_not(
    buffers: list[Buffer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arena, "_SHUFFLES", 0)
    offsets, total = place(buffers)
    assert_valid(buffers, offsets, total)
    assert total == live_bound(buffers)


HARD = lives(
    *((48, 4, 6), (48, 1, 5), (40, 0, 2), (48, 1, 3), (32, 3, 4), (32, 1, 1), (48, 4, 6), (72, 6, 6), (32, 2, 3)),
    (32, 3, 3),
)


def test_shuffles_go_on_over_orders_that_are_no_better(monkeypatch: pytest.MonkeyPatch) -> None:
    offsets, total = place(HARD)
    assert_valid(HARD, offsets, total)
    assert total == live_bound(HARD)
    monkeypatch.setattr(arena, "_MOST_WORK", 2 * (len(HARD) + arena._count_pairs(HARD)) + 1)
    offsets, total = place(HARD)
    assert_valid(HARD, offsets, total)
    assert total > live_bound(HARD), "two shuffles are too few"


def test_no_order_is_tried_once_the_bound_is_met(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def first_fit(*arguments: object) -> tuple[list[int], int]:
        tried.append(arguments)
        return original(*arguments)

    original = arena._first_fit
    monkeypatch.setattr(arena, "_first_fit", first_fit)
    place(lives((24, 0, 1), (16, 1, 2)))
    assert len(tried) == 3


def test_pairs_alive_together_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = random.Random(0)
    for _ in range(50):
        rows = []
        for _ in range(generator.randint(1, 12)):
            first = generator.randint(0, 6)
            rows.append((8, first, first + generator.randint(0, 3)))
        pairs = sum(a[1] <= b[2] and b[1] <= a[2] for i, a in enumerate(rows) for b in rows[:i])
        counted = arena._count_pairs(lives(*rows))
        assert counted == pairs
        assert isinstance(counted, int)
    monkeypatch.setattr(arena, "_MOST_PAIRS", pairs)
    monkeypatch.setattr(arena, "_as_they_come", pytest.fail)
    place(lives(*rows))


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


def call(inputs: tuple[int, ...], output: int, *, scratch: int = 0, in_place: tuple[int, ...] = ()) -> KernelCall:
    return KernelCall(
        op_index=0, function="es_f_s8", header="es_f.h", struct="es_f", fields=(), inputs=inputs, output=output,
        scratch_bytes=scratch, in_place=in_place,
    )  # fmt: skip


def plan_of(
    sizes: list[int],
    calls: list[KernelCall],
    outputs: tuple[int, ...],
    *,
    constants: tuple[int, ...] = (),
    aliases: dict[int, int] | None = None,
) -> MemoryPlan:
    """Tensors t0, t1, ... of so many bytes, of which t0 is the input."""
    tensors = tuple(
        Tensor(f"t{i}", (size,), np.dtype(np.int8), data=np.zeros(size, np.int8) if i in constants else None)
        for i, size in enumerate(sizes)
    )
    ops = (Op("f", "RELU", (0,), outputs, NoOptions()),)
    return plan_memory(Graph(tensors, ops, (0,), outputs), PackedModel(tuple(calls), aliases or {}, ()))


def test_a_plan_of_two_calls_is_as_drawn() -> None:
    """
    bytes  call 0                 call 1
    0      t2, read as t3         t3
    104    t0                     t4
    168    scratch
    192    the end
    """
    plan = plan_of(
        [64, 8, 100, 100, 40, 8],
        [call((0, 1), 2, scratch=24), call((3,), 4)],
        (4,),
        constants=(1,),
        aliases={3: 2},
    )
    assert plan.tensor_offsets == {0: 104, 2: 0, 3: 0, 4: 104}, "neither the constant nor t5, which nobody uses"
    assert plan.scratch_offsets == {0: 168}
    assert plan.buffers == (
        (Buffer("t0", 64, 0, 0, (0,)), 104),
        (Buffer("t2", 100, 0, 1, (2,)), 0),
        (Buffer("t4", 40, 1, 1, (4,)), 104),
        (Buffer("scratch of call 0", 24, 0, 0), 168),
    )
    assert (plan.arena_bytes, plan.bound_bytes) == (192, 104 + 64 + 24)
    assert (plan.live_bytes, plan.scratch_bytes) == (164, 24)


def test_the_input_is_there_before_the_first_call_and_the_output_after_the_last() -> None:
    plan = plan_of([16, 32, 8, 8, 8], [call((1,), 2), call((0,), 3), call((3,), 4)], (2,))
    assert {buffer.name: (buffer.first, buffer.last) for buffer, _ in plan.buffers} == {
        "t0": (0, 1), "t1": (0, 0), "t2": (0, 2), "t3": (1, 2), "t4": (2, 2),
    }  # fmt: skip


def test_a_network_of_one_call_has_one_time() -> None:
    plan = plan_of([16, 24], [call((0,), 1)], (1,))
    assert [(buffer.first, buffer.last) for buffer, _ in plan.buffers] == [(0, 0), (0, 0)]
    assert (plan.arena_bytes, plan.scratch_bytes, plan.scratch_offsets) == (40, 0, {})


def test_an_empty_network_needs_nothing() -> None:
    plan = plan_memory(Graph((), (), (), ()), PackedModel((), {}, ()))
    assert plan == MemoryPlan(0, {}, {}, (), 0, 0, 0)


def test_an_output_takes_the_bytes_of_an_input_that_is_no_smaller() -> None:
    for size, shared in ((15, True), (16, True), (17, False)):
        plan = plan_of([16, size], [call((0,), 1, in_place=(0,))], (1,))
        assert (plan.tensor_offsets[0] == plan.tensor_offsets[1]) == shared
        assert [buffer.tensors for buffer, _ in plan.buffers] == ([(0, 1)] if shared else [(0,), (1,)])
        assert plan.arena_bytes == (16 if shared else 16 + 24)


def test_an_output_takes_the_bytes_of_the_first_input_that_it_may() -> None:
    """Not a constant's, not those of one that is read later, not those of an output of the network."""
    sizes = [16, 16, 16, 16, 16, 16]
    calls = [call((0,), 2), call((0,), 3), call((1, 2, 3, 0), 4, in_place=(0, 1, 2, 3)), call((4, 3), 5)]
    for outputs, shared in (((5,), 2), ((5, 2), 0), ((5, 2, 0), None)):
        plan = plan_of(sizes, calls, outputs, constants=(1,))
        together = [buffer.tensors for buffer, _ in plan.buffers if 4 in buffer.tensors]
        assert together == ([(4,)] if shared is None else [(shared, 4)])


def test_what_an_output_of_the_network_was_written_over_stays_as_well() -> None:
    calls = [call((0,), 1, in_place=(0,)), call((1,), 2, in_place=(0,))]
    plan = plan_of([16, 16, 16], calls, (1, 2))
    assert [buffer.tensors for buffer, _ in plan.buffers] == [(0, 1), (2,)]
    assert [(buffer.first, buffer.last) for buffer, _ in plan.buffers] == [(0, 1), (1, 1)]


def test_an_output_that_several_calls_write_is_held_once() -> None:
    plan = plan_of([16, 16], [call((0,), 1), call((0,), 1)], (1,))
    assert [buffer.tensors for buffer, _ in plan.buffers] == [(0,), (1,)]


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
def test_four_times_as_many_ops_take_no_more_than_about_four_times_as_many_seconds(kind: str, length: int) -> None:
    """Where time grew with the square of the length, chains of 10,000 ops took minutes."""
    seconds = []
    for ops in (length // 4, length // 4, length):
        graph = read_graph(chain(kind, ops))
        start = time.process_time()
        packed = lower(graph, DSP)
        plan = plan_memory(graph, packed)
        seconds.append(time.process_time() - start)
        assert len(packed.calls) == (ops // 2 if kind == "MUL" else ops)
        assert plan.arena_bytes == plan.bound_bytes == ALIGNMENT, "all of it in place"
    assert seconds[2] < 10 * max(seconds[:2])


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
    for largest in (90, 16) * 75:
        buffers = []
        for index in range(generator.randint(1, 40)):
            first = generator.randint(0, 12)
            buffers.append(Buffer(str(index), generator.randint(1, largest), first, first + generator.randint(0, 6)))
        offsets, total = place(buffers)
        assert_valid(buffers, offsets, total)
        assert offsets == lowest(buffers, as_they_come(buffers))
        assert total == max(offset + -(-b.size // 8) * 8 for offset, b in zip(offsets, buffers, strict=True))


def lowest(buffers: list[Buffer], order: list[int]) -> list[int]:
    """Each at the lowest place where it is in nobody's way, of those before it in the order."""
    offsets: dict[int, int] = {}
    for index in order:
        taken = {
            offsets[other] + at
            for other in offsets
            if buffers[other].first <= buffers[index].last and buffers[index].first <= buffers[other].last
            for at in range(0, buffers[other].size, ALIGNMENT)
        }
        wanted = range(0, buffers[index].size, ALIGNMENT)
        offsets[index] = next(o for o in count(0, ALIGNMENT) if not any(o + at in taken for at in wanted))
    return [offsets[index] for index in range(len(buffers))]


def as_they_come(buffers: list[Buffer]) -> list[int]:
    """Of those that come at once, the largest first."""
    return sorted(range(len(buffers)), key=lambda i: (buffers[i].first, -buffers[i].size))


def test_first_fit_takes_the_lowest_place() -> None:
    generator = random.Random(0)
    for largest in (90, 16) * 75:
        rows = []
        for _ in range(generator.randint(1, 15)):
            first = generator.randint(0, 8)
            rows.append((generator.randint(1, largest), first, first + generator.randint(0, 4)))
        buffers = lives(*rows)
        order = generator.sample(range(len(rows)), len(rows))
        sizes = [-(-size // 8) * 8 for size, _, _ in rows]
        offsets, total = arena._first_fit(sizes, arena._together(buffers, as_they_come(buffers)), order)
        assert offsets == lowest(buffers, order)
        assert total == max(offset + size for offset, size in zip(offsets, sizes, strict=True))


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
