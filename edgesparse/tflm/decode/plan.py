"""Which weights of a model go behind TFLM_DECODE, and what that saves and costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgesparse.graph import Graph, Int8Array, Int32Array
from edgesparse.result import DecodeEncoding
from edgesparse.tflite.read import read_graph
from edgesparse.tflm.decode import huffman as decode_huffman
from edgesparse.tflm.decode import lut as decode_lut
from edgesparse.tflm.decode import pruning as decode_pruning
from edgesparse.tflm.decode.arena import aligned, lifetimes, live_bytes, planned_bytes
from edgesparse.tflm.decode.encoding import Encoded
from edgesparse.tflm.decode.ops import CUSTOM_CODE, WEIGHTS_INPUT, insert_decodes

__all__ = ["DecodeFile", "plan_decodes"]

_KINDS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")

_SURE_BYTES = 512
"""A tensor that saves this much pays for its op, its two tensors and its two buffers in any case."""

_SLOW_SHARE = 0.8
"""Huffman codes take 27 to 60 instructions per weight: they must be this much smaller than all else."""


@dataclass(frozen=True, eq=False)
class DecodeFile:
    """A .tflite file with TFLM_DECODE ops.

    layers: by op index, those that are encoded; weights that several ops read count for each. dense: the others that
    have weights, and why they stay as they are.
    arena_bytes, dense_arena_bytes: what TFLite Micro plans for the tensors of this file and of the dense one.
    """

    data: bytes
    layers: Mapping[int, DecodeEncoding]
    dense: Mapping[int, str]
    arena_bytes: int
    dense_arena_bytes: int


def plan_decodes(data: bytes, graph: Graph, *, max_arena: int | None = None) -> DecodeFile:
    """Encode all weights whose encoding makes the file smaller.

    data, graph: a dense int8 file, and what read_graph makes of it (names aside). max_arena: bytes; while the planned
    arena is larger, the weights that are expanded when most of it is in use stay dense. The activations alone may
    need more than that.
    """
    readers = _readers(graph)
    dense: dict[int, str] = {}
    encoded: dict[int, Encoded] = {}
    for tensor, ops in readers.items():
        reason, part = _encode(graph, tensor, ops)
        if part is None:
            dense |= dict.fromkeys(ops, reason)
        else:
            encoded[tensor] = part
    for tensor in _not_worth_it(data, graph, encoded):
        del encoded[tensor]
        dense |= dict.fromkeys(readers[tensor], "its encoding and one more op take as many bytes")
    dense_arena = planned_bytes(lifetimes(graph))
    file, arena = _write(data, encoded)
    while max_arena is not None and arena > max_arena and encoded:
        tensor = _costliest(file, graph, encoded)
        del encoded[tensor]
        dense |= dict.fromkeys(readers[tensor], f"an arena of {max_arena:,} bytes has no room to expand it")
        for rest in _not_worth_it(data, graph, encoded):
            del encoded[rest]
            dense |= dict.fromkeys(readers[rest], "its encoding alone does not pay for the op")
        file, arena = _write(data, encoded)
    layers = {
        op: DecodeEncoding(
            kind=part.kind,
            encoded_bytes=part.nbytes,
            dense_bytes=graph.tensors[tensor].nbytes,
            arena_bytes=aligned(graph.tensors[tensor].nbytes),
            instructions=part.instructions,
        )
        for tensor, part in encoded.items()
        for op in readers[tensor]
    }
    return DecodeFile(file, layers, dense, arena, dense_arena)


def _readers(graph: Graph) -> dict[int, list[int]]:
    """Constant weight tensors, each with the indices of the ops that read it as weights."""
    readers: dict[int, list[int]] = {}
    for index, op in enumerate(graph.ops):
        if op.kind in _KINDS and graph.input(op, WEIGHTS_INPUT).data is not None:
            readers.setdefault(op.inputs[WEIGHTS_INPUT], []).append(index)
    return readers


def _encode(graph: Graph, tensor: int, ops: list[int]) -> tuple[str, Encoded | None]:
    """The encoding of a weight tensor, or why there is none."""
    weights = graph.tensors[tensor]
    uses = sum(op.inputs.count(tensor) for op in graph.ops) + graph.outputs.count(tensor)
    if weights.dtype != np.int8 or weights.data is None or weights.quantization is None:
        return "its weights are not int8", None
    if uses > len(ops):
        return "its weights are read in another place too", None
    quantization, dimensions = weights.quantization, len(weights.shape)
    if quantization.axis not in (0, dimensions - 1):
        return f"TFLM_DECODE cannot expand weights with scales along axis {quantization.axis}", None
    along = [1] * dimensions
    along[quantization.axis] = len(quantization.scales)
    last_axis = quantization.axis > 0 and len(quantization.scales) > 1
    encoded = _choose(weights.data, quantization.zero_points.reshape(along), last_axis=last_axis)
    if encoded.nbytes >= weights.nbytes:
        return f"its encoding takes {encoded.nbytes:,} bytes, dense storage {weights.nbytes:,}", None
    return "", encoded


def _choose(weights: Int8Array, zero_points: Int32Array, *, last_axis: bool) -> Encoded:
    """The smallest encoding, Huffman's only where it is worth its time."""
    pruning = decode_pruning.encode(weights, zero_points)
    lut = decode_lut.encode(weights, last_axis=last_axis)
    chosen = pruning if lut is None else min(pruning, lut, key=lambda encoded: (encoded.nbytes, encoded.instructions))
    huffman = decode_huffman.encode(weights)
    if huffman is not None and huffman.nbytes <= _SLOW_SHARE * min(chosen.nbytes, weights.nbytes):
        return huffman
    return chosen


def _not_worth_it(data: bytes, graph: Graph, encoded: Mapping[int, Encoded]) -> list[int]:
    """Tensors that make the file no smaller, for all that goes with an op: the smallest gains are tried.

    All of them where even together they do not pay for what they share, the name of the op.
    """
    gains = {tensor: graph.tensors[tensor].nbytes - part.nbytes for tensor, part in encoded.items()}
    chosen, size = dict(encoded), len(insert_decodes(data, encoded))
    dropped = []
    for tensor in sorted(gains, key=lambda tensor: gains[tensor]):
        if gains[tensor] >= _SURE_BYTES:
            break
        without = {key: part for key, part in chosen.items() if key != tensor}
        smaller = len(insert_decodes(data, without))
        if smaller <= size:
            chosen, size = without, smaller
            dropped.append(tensor)
    return dropped if size < len(insert_decodes(data, {})) else list(encoded)


def _costliest(file: bytes, graph: Graph, encoded: Mapping[int, Encoded]) -> int:
    """Of the encoded tensors, the one that is expanded while the most of the arena is in use."""
    written = read_graph(file)
    tensors = lifetimes(written)
    steps = [step for step, op in enumerate(written.ops, start=1) if op.kind != f"CUSTOM:{CUSTOM_CODE}"]
    live = {
        op.inputs[WEIGHTS_INPUT]: live_bytes(tensors, step)
        for op, step in zip(graph.ops, steps, strict=True)
        if op.kind in _KINDS and op.inputs[WEIGHTS_INPUT] in encoded
    }
    return max(live, key=lambda tensor: live[tensor])


def _write(data: bytes, encoded: Mapping[int, Encoded]) -> tuple[bytes, int]:
    """The file, and the arena that TFLite Micro plans for it."""
    file = insert_decodes(data, encoded)
    return file, planned_bytes(lifetimes(read_graph(file)))
