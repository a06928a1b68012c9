"""The parts of a report (edgesparse.result), each from what one stage of the pipeline knows."""

from __future__ import annotations

import platform
import sys
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from importlib import metadata

import numpy as np

import edgesparse
from edgesparse.analysis import LayerStats, ModelStats
from edgesparse.boards import Board
from edgesparse.emulate import Trace
from edgesparse.graph import Graph
from edgesparse.lowering.arena import MemoryPlan
from edgesparse.lowering.model import PackedModel
from edgesparse.missing import Missing
from edgesparse.result import (
    Baseline,
    BitExact,
    BoardFacts,
    BuildFigures,
    Channels,
    DecodeEncoding,
    Environment,
    LayerFigures,
    Memory,
    ModelFacts,
    Ratio,
    Sizes,
)
from edgesparse.toolchain import Elf

__all__ = [
    "activation_sparsity",
    "baseline_of",
    "board_facts",
    "environment_of",
    "figures_of",
    "latencies",
    "layer_figures",
    "layers_measured_again",
    "model_facts",
    "ratio_of",
    "sizes_of",
    "sparsity_of",
]

_THEIRS = Missing("TFLite Micro plans its arena")

_WEIGHT_OPS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")

_VERSIONS = (
    "numpy",
    "tensorflow",
    "tf-keras",
    "tensorflow-model-optimization",
    "tflite-micro",
    "tflite-runtime",
    "ai-edge-litert",
    "unicorn",
)


def environment_of(toolchain: str, emulator: str) -> Environment:
    """The tools, and the versions of what is installed here."""
    versions = {"edgesparse": edgesparse.__version__, "python": platform.python_version(), "platform": sys.platform}
    for name in _VERSIONS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return Environment(toolchain, emulator, versions)


def board_facts(board: Board) -> BoardFacts:
    """What of a board a report says."""
    return BoardFacts(
        name=board.name,
        core=board.core.name,
        clock_hz=board.clock_hz,
        max_clock_hz=board.max_clock_hz,
        flash_wait_states=board.flash_wait_states,
        memory_profile=board.memory_profile or Missing("no memory profile of this board"),
        emulated=board.emulated,
        verified=board.verified,
        flash_available_bytes=board.flash.length,
        ram_available_bytes=board.ram.length,
        stack_reserved_bytes=board.stack_bytes,
    )


def model_facts(stats: ModelStats, activation: float | Missing, channels: Channels | None = None) -> ModelFacts:
    """The sparse model's. activation: as activation_sparsity has it. channels: what was removed, if anything."""
    return ModelFacts(
        macs=stats.macs,
        parameters=stats.parameters,
        prunable=stats.prunable,
        sparsity=round(stats.sparsity, 6),
        activation_sparsity=activation,
        channels=channels,
    )


def sparsity_of(layer: LayerStats) -> float | Missing:
    """Zeros / weights of a layer, or why there is none."""
    return Missing("no weights") if layer.sparsity is None else round(layer.sparsity, 6)


def activation_sparsity(graph: Graph, zero_inputs: Mapping[int, float] | Missing) -> float | Missing:
    """Zeros / values of all int8 tensors that ops read, each counted once.

    zero_inputs: by op index, the measured share of input values at the zero point.
    """
    if isinstance(zero_inputs, Missing):
        return zero_inputs
    shares = {graph.first_activation(graph.ops[index]): share for index, share in zero_inputs.items()}
    elements = {tensor: graph.tensors[tensor].elements for tensor in shares}
    if not shares:
        return Missing("no input of an op is int8")
    return round(sum(elements[tensor] * share for tensor, share in shares.items()) / sum(elements.values()), 4)


def sizes_of(elf: Elf, plan: MemoryPlan | None) -> Sizes:
    """Bytes of a build. plan: of its arena; None for TFLite Micro, which makes its own."""
    return Sizes(
        flash_bytes=elf.flash_bytes,
        code_bytes=elf.code_bytes,
        weight_bytes=elf.weight_bytes,
        ram_weight_bytes=elf.ram_weight_bytes,
        table_bytes=elf.table_bytes,
        arena_bytes=elf.arena_bytes if plan is None else plan.arena_bytes,
        arena_live_bytes=_THEIRS if plan is None else plan.live_bytes,
        arena_scratch_bytes=_THEIRS if plan is None else plan.scratch_bytes,
        arena_bound_bytes=_THEIRS if plan is None else plan.bound_bytes,
        static_bytes=elf.data_bytes + elf.bss_bytes,
    )


def figures_of(sizes: Sizes, trace: Trace | Missing, board: Board, memory: Memory | Missing) -> BuildFigures:
    """A build with what its slowest vector takes. trace: missing for a build that did not run since."""
    if isinstance(trace, Missing):
        return BuildFigures(
            **vars(sizes),
            ram_bytes=trace,
            stack_bytes=trace,
            arena_high_water_bytes=trace,
            instructions=trace,
            instructions_min=trace,
            cycles=trace,
            cycle_model=trace,
            latency_ms=trace,
            latency_max_clock_ms=trace,
            memory=memory,
        )
    cycles = Missing(trace.cycle_model) if trace.cycles is None else max(trace.cycles)
    latency_ms, latency_max_clock_ms = latencies(cycles, board)
    return BuildFigures(
        **vars(sizes),
        ram_bytes=sizes.static_bytes + sizes.arena_bytes + trace.stack_bytes,
        stack_bytes=trace.stack_bytes,
        arena_high_water_bytes=trace.arena_bytes,
        instructions=max(trace.instructions),
        instructions_min=min(trace.instructions),
        cycles=cycles,
        cycle_model=cycles if isinstance(cycles, Missing) else trace.cycle_model,
        latency_ms=latency_ms,
        latency_max_clock_ms=latency_max_clock_ms,
        memory=memory,
    )


def latencies(cycles: int | Missing, board: Board) -> tuple[float | Missing, float | Missing]:
    """Milliseconds at the clock that the start-up code leaves, and at the part's highest."""
    if isinstance(cycles, Missing):
        return cycles, cycles
    return round(cycles / board.clock_hz * 1000, 4), round(cycles / board.max_clock_hz * 1000, 4)


def baseline_of(
    figures: BuildFigures,
    *,
    runtime: str,
    library_sha256: str,
    bit_exact: BitExact,
    memory: Memory | Missing | None = None,
) -> Baseline:
    """The dense network on another runtime, from what figures_of said of it. memory: None where it was not timed."""
    return Baseline(
        runtime=runtime,
        library_sha256=library_sha256,
        **{name: value for name, value in vars(figures).items() if name != "memory"},
        bit_exact=bit_exact,
        memory=memory,
    )


def ratio_of(sparse: BuildFigures, dense: BuildFigures) -> Ratio:
    """dense / sparse."""
    return Ratio(
        flash=_quotient(dense.flash_bytes, sparse.flash_bytes),
        weights=_quotient(dense.weight_bytes, sparse.weight_bytes),
        instructions=_quotient(dense.instructions, sparse.instructions),
        cycles=_quotient(dense.cycles, sparse.cycles),
    )


def _quotient(above: int | Missing, below: int | Missing) -> float | Missing:
    if isinstance(above, Missing):
        return above
    if isinstance(below, Missing):
        return below
    return round(above / below, 4) if below else Missing("the sparse build has none")


def layer_figures(
    graph: Graph,
    stats: ModelStats,
    packed: PackedModel,
    dense: PackedModel,
    plan: MemoryPlan,
    zero_inputs: Mapping[int, float] | Missing,
    decodes: Sequence[DecodeEncoding | Missing],
    sparse_trace: Trace | Missing,
    dense_trace: Trace | Missing,
    *,
    custom: Container[int] | None = None,
) -> tuple[LayerFigures, ...]:
    """One row per op of the sparse network.

    dense: the dense twin, op for op the same network. zero_inputs: as activation_sparsity takes it. decodes: of
    model.tflm.tflite, by op. custom: for a build on TFLite Micro the ops that run in our kernels, all others run in its
    own; None for generated code.
    """
    counts = _counts(sparse_trace, len(stats.layers))
    dense_counts = _counts(dense_trace, len(stats.layers))
    rows = []
    for index, layer in enumerate(stats.layers):
        calls = [call for call in packed.calls if call.op_index == index]
        twins = [call for call in dense.calls if call.op_index == index]
        formats = [call.weight_format for call in calls if call.weight_format]
        reasons = dict.fromkeys(call.reason for call in calls if call.reason)
        reason = "; ".join(reasons) or packed.layers[index].reason or layer.note
        ours = custom is None or index in custom
        rows.append(
            LayerFigures(
                name=layer.name,
                op=layer.kind,
                input_shape=layer.input_shape,
                output_shape=layer.output_shape,
                macs=layer.macs,
                weights=layer.weights,
                sparsity=sparsity_of(layer),
                weight_values=_weight_values(graph, index),
                activation_sparsity=_zero_inputs_of(index, zero_inputs),
                prunable=layer.prunable,
                format=formats[0] if formats else "none",
                weight_bytes=sum(call.weight_bytes for call in calls),
                dense_weight_bytes=sum(call.weight_bytes for call in twins),
                scratch_bytes=max((call.scratch_bytes for call in calls), default=0) if ours else _THEIRS,
                output_offset=(plan.tensor_offsets.get(graph.ops[index].outputs[0], 0) if custom is None else _THEIRS),
                reason=reason if ours else f"TFLite Micro's own kernel; {reason}",
                tflm_decode=decodes[index],
                instructions=counts[index][0],
                cycles=counts[index][1],
                dense_instructions=dense_counts[index][0],
                dense_cycles=dense_counts[index][1],
            )
        )
    return tuple(rows)


def layers_measured_again(
    layers: Sequence[LayerFigures], sparse: Trace | Missing, dense: Trace | Missing
) -> tuple[LayerFigures, ...]:
    """The same layers with the counts of another run."""
    rows = zip(layers, _counts(sparse, len(layers)), _counts(dense, len(layers)), strict=True)
    return tuple(
        replace(layer, instructions=ours[0], cycles=ours[1], dense_instructions=twins[0], dense_cycles=twins[1])
        for layer, ours, twins in rows
    )


def _counts(trace: Trace | Missing, layers: int) -> list[tuple[int | Missing, int | Missing]]:
    """Instructions and cycles of each layer, of the vector with the most instructions."""
    if isinstance(trace, Missing):
        return [(trace, trace)] * layers
    worst = max(range(len(trace.instructions)), key=lambda vector: trace.instructions[vector])
    columns: list[list[int | Missing]] = []
    for counts in (trace.layer_instructions, trace.layer_cycles):
        if counts is not None and counts.shape[1] == layers:
            columns.append([int(count) for count in counts[worst]])
        else:
            columns.append([Missing(f"no count per layer of this build from {trace.emulator}")] * layers)
    return list(zip(*columns, strict=True))


def _weight_values(graph: Graph, index: int) -> int | Missing:
    """Distinct values of the weights of an op."""
    op = graph.ops[index]
    weights = graph.input(op, 1).data if op.kind in _WEIGHT_OPS and len(op.inputs) > 1 else None
    return Missing("no weights") if weights is None else len(np.unique(weights))


def _zero_inputs_of(index: int, zero_inputs: Mapping[int, float] | Missing) -> float | Missing:
    if isinstance(zero_inputs, Missing):
        return zero_inputs
    return zero_inputs.get(index, Missing("the input is not int8"))
