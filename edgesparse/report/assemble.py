"""The parts of report.json (schema version 1), each from what one stage of the pipeline knows."""

from __future__ import annotations

import platform
import sys
from collections.abc import Container, Mapping, Sequence
from importlib import metadata
from typing import Any

import numpy as np

import edgesparse
from edgesparse.analysis import LayerStats, ModelStats
from edgesparse.boards import Board
from edgesparse.emulate import Trace
from edgesparse.graph import Graph
from edgesparse.lowering.arena import MemoryPlan
from edgesparse.lowering.model import PackedModel
from edgesparse.missing import unavailable
from edgesparse.toolchain import Elf

__all__ = [
    "SCHEMA",
    "activation_part",
    "board_part",
    "build_part",
    "environment_part",
    "latencies",
    "layers_part",
    "measure_layers",
    "model_part",
    "ratio_part",
    "run_part",
    "sparsity_value",
    "tflm_layers",
]

SCHEMA = 1

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


def environment_part(toolchain: str, emulator: str) -> dict[str, Any]:
    """`environment`: the tools and the versions of the packages that decide the figures."""
    versions = {"edgesparse": edgesparse.__version__, "python": platform.python_version(), "platform": sys.platform}
    for name in _VERSIONS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {"toolchain": toolchain, "emulator": emulator, "versions": versions}


def board_part(board: Board) -> dict[str, Any]:
    """`board`."""
    return {
        "name": board.name,
        "core": board.core.name,
        "clock_hz": board.clock_hz,
        "max_clock_hz": board.max_clock_hz,
        "flash_wait_states": board.flash_wait_states,
        "memory_profile": board.memory_profile or unavailable("no memory profile of this board"),
        "emulated": board.emulated,
        "verified": board.verified,
        "flash_available_bytes": board.flash.length,
        "ram_available_bytes": board.ram.length,
        "stack_reserved_bytes": board.stack_bytes,
    }


def model_part(stats: ModelStats) -> dict[str, Any]:
    """`model`."""
    return {
        "macs": stats.macs,
        "parameters": stats.parameters,
        "prunable": stats.prunable,
        "sparsity": round(stats.sparsity, 6),
    }


def sparsity_value(layer: LayerStats) -> float | dict[str, str]:
    """Zeros / weights of a layer, or why there is none."""
    return unavailable("no weights") if layer.sparsity is None else round(layer.sparsity, 6)


def layers_part(
    graph: Graph,
    stats: ModelStats,
    packed: PackedModel,
    dense: PackedModel,
    memory: MemoryPlan,
    zero_inputs: Mapping[int, float] | str,
) -> list[dict[str, Any]]:
    """`layers`, all but what the emulator measures. `dense`: the dense twin, op for op the same network.

    zero_inputs: by op index, the measured share of input values at the zero point; or why there is none.
    """
    rows = []
    for index, layer in enumerate(stats.layers):
        calls = [call for call in packed.calls if call.op_index == index]
        twins = [call for call in dense.calls if call.op_index == index]
        formats = [call.weight_format for call in calls if call.weight_format]
        rows.append(
            {
                "name": layer.name,
                "op": layer.kind,
                "input_shape": list(layer.input_shape),
                "output_shape": list(layer.output_shape),
                "macs": layer.macs,
                "weights": layer.weights,
                "sparsity": sparsity_value(layer),
                "weight_values": _weight_values(graph, index),
                "activation_sparsity": _activation_sparsity(index, zero_inputs),
                "prunable": layer.prunable,
                "format": formats[0] if formats else "none",
                "weight_bytes": sum(call.weight_bytes for call in calls),
                "dense_weight_bytes": sum(call.weight_bytes for call in twins),
                "scratch_bytes": max((call.scratch_bytes for call in calls), default=0),
                "output_offset": memory.tensor_offsets.get(graph.ops[index].outputs[0], 0),
                "reason": "; ".join(dict.fromkeys(call.reason for call in calls if call.reason))
                or packed.layers[index].reason
                or layer.note,
            }
        )
    return rows


def _weight_values(graph: Graph, index: int) -> int | dict[str, str]:
    """Distinct values of the weights of an op."""
    op = graph.ops[index]
    weights = graph.input(op, 1).data if op.kind in _WEIGHT_OPS and len(op.inputs) > 1 else None
    return unavailable("no weights") if weights is None else len(np.unique(weights))


def tflm_layers(layers: Sequence[Mapping[str, Any]], custom: Container[int]) -> list[dict[str, Any]]:
    """`layers` of a build on TFLite Micro, which runs all but the `custom` ops in its own kernels."""
    theirs = unavailable("TFLite Micro plans its arena")
    rows = []
    for index, layer in enumerate(layers):
        row = {**layer, "output_offset": theirs}
        if index not in custom:
            row |= {"scratch_bytes": theirs, "reason": f"TFLite Micro's own kernel; {layer['reason']}"}
        rows.append(row)
    return rows


def _activation_sparsity(index: int, zero_inputs: Mapping[int, float] | str) -> float | dict[str, str]:
    if isinstance(zero_inputs, str):
        return unavailable(zero_inputs)
    return zero_inputs.get(index, unavailable("the input is not int8"))


def activation_part(graph: Graph, zero_inputs: Mapping[int, float] | str) -> float | dict[str, str]:
    """`model.activation_sparsity`: zeros / values of all int8 tensors that ops read, each counted once."""
    if isinstance(zero_inputs, str):
        return unavailable(zero_inputs)
    shares = {graph.first_activation(graph.ops[index]): share for index, share in zero_inputs.items()}
    elements = {tensor: graph.tensors[tensor].elements for tensor in shares}
    if not shares:
        return unavailable("no input of an op is int8")
    return round(sum(elements[tensor] * share for tensor, share in shares.items()) / sum(elements.values()), 4)


def build_part(elf: Elf, memory: MemoryPlan) -> dict[str, Any]:
    """The sizes of `sparse` or `dense`."""
    return {
        "flash_bytes": elf.flash_bytes,
        "code_bytes": elf.code_bytes,
        "weight_bytes": elf.weight_bytes,
        "ram_weight_bytes": elf.ram_weight_bytes,
        "table_bytes": elf.table_bytes,
        "arena_bytes": memory.arena_bytes,
        "arena_live_bytes": memory.live_bytes,
        "arena_scratch_bytes": memory.scratch_bytes,
        "arena_bound_bytes": memory.bound_bytes,
        "static_bytes": elf.data_bytes + elf.bss_bytes,
    }


def run_part(build: Mapping[str, Any], trace: Trace, board: Board) -> dict[str, Any]:
    """The figures of `sparse` or `dense` that a run measures: the slowest vector's."""
    worst = max(range(len(trace.instructions)), key=lambda i: trace.instructions[i])
    run: dict[str, Any] = {
        "ram_bytes": build["static_bytes"] + build["arena_bytes"] + trace.stack_bytes,
        "stack_bytes": trace.stack_bytes,
        "arena_high_water_bytes": trace.arena_bytes,
        "instructions": trace.instructions[worst],
        "instructions_min": min(trace.instructions),
    }
    if trace.cycles is None:
        reason = unavailable(trace.cycle_model)
        return {**run, "cycles": reason, "latency_ms": reason, "latency_max_clock_ms": reason}
    cycles = max(trace.cycles)
    return {
        **run,
        "cycles": cycles,
        "cycle_model": trace.cycle_model,
        **latencies(cycles, board),
    }


def latencies(cycles: int, board: Board) -> dict[str, float]:
    """Milliseconds at the clock that the start-up code leaves, and at the part's highest."""
    return {
        "latency_ms": round(cycles / board.clock_hz * 1000, 4),
        "latency_max_clock_ms": round(cycles / board.max_clock_hz * 1000, 4),
    }


def measure_layers(layers: Sequence[Mapping[str, Any]], sparse: Trace, dense: Trace) -> list[dict[str, Any]]:
    """`layers` with instructions and cycles of the slowest vector of each build."""
    rows = [dict(layer) for layer in layers]
    for prefix, trace in (("", sparse), ("dense_", dense)):
        worst = max(range(len(trace.instructions)), key=lambda i: trace.instructions[i])
        for index, row in enumerate(rows):
            reason = unavailable(f"no count per layer of this build from {trace.emulator}")
            for field, counts in (("instructions", trace.layer_instructions), ("cycles", trace.layer_cycles)):
                known = counts is not None and counts.shape[1] == len(rows)
                row[f"{prefix}{field}"] = int(counts[worst, index]) if counts is not None and known else reason
    return rows


def ratio_part(sparse: Mapping[str, Any], dense: Mapping[str, Any]) -> dict[str, Any]:
    """`ratio`: dense / sparse."""
    ratio: dict[str, Any] = {}
    for name, field in (
        ("flash", "flash_bytes"),
        ("weights", "weight_bytes"),
        ("instructions", "instructions"),
        ("cycles", "cycles"),
    ):
        above, below = dense[field], sparse[field]
        if isinstance(above, dict) or isinstance(below, dict):
            ratio[name] = above if isinstance(above, dict) else below
        elif below == 0:
            ratio[name] = unavailable("the sparse build has none")
        else:
            ratio[name] = round(above / below, 4)
    return ratio
