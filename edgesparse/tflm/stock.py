"""model.tflm.tflite: the weights encoded for TFLite Micro's own op TFLM_DECODE, proven on TFLite Micro."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.graph import Graph
from edgesparse.missing import Missing
from edgesparse.network import Network
from edgesparse.oracle import OracleRun, decoded_weights, run_tflite_micro
from edgesparse.result import BitExact, DecodeEncoding, DecodeFigures
from edgesparse.tflm.decode.ops import WEIGHTS_INPUT
from edgesparse.tflm.decode.plan import DecodeFile, plan_decodes

__all__ = ["StockModel", "stock_model"]


@dataclass(frozen=True, eq=False)
class StockModel:
    """The file, what a report says of it (as a whole, and by op), and warnings."""

    data: bytes
    figures: DecodeFigures
    layers: tuple[DecodeEncoding | Missing, ...]
    warnings: tuple[str, ...]


def stock_model(network: Network, inputs: npt.NDArray[Any], *, max_arena: int | None) -> StockModel:
    """Encode what gets smaller by it and run the file on TFLite Micro; the dense file where that does not work.

    Every weight that TFLite Micro expands must be the dense file's, and so must all outputs for the inputs [n, ...],
    which are of the model's input dtype. max_arena: bytes, as plan_decodes takes it.
    """
    plan = plan_decodes(network.data, network.graph, max_arena=max_arena)
    warnings = _arena_warnings(plan, max_arena)
    if not plan.layers:
        return _result(network, plan, Missing("no layer is encoded: the file equals model.int8.tflite"), warnings)
    proof = _prove(network, plan, inputs)
    if isinstance(proof, str):
        return _fallback(network, plan, proof)
    return _result(network, plan, BitExact(True, len(inputs), proof.reference), warnings)


def _prove(network: Network, plan: DecodeFile, inputs: npt.NDArray[Any]) -> OracleRun | str:
    """The encoded file's run on TFLite Micro, or why that file cannot be used."""
    expected = run_tflite_micro(network.data, inputs)
    if isinstance(expected, str):
        return f"TFLite Micro refuses the dense model too: {expected}"
    got, expanded = run_tflite_micro(plan.data, inputs), decoded_weights(plan.data, inputs[0])
    if isinstance(got, str) or isinstance(expanded, str):
        return (
            f"TFLite Micro refuses the encoded model: {got if isinstance(got, str) else expanded}; please report this"
        )
    if not np.array_equal(expanded, _dense_weights(network.graph, plan)):
        return "TFLite Micro expands it to other weights; please report this model"
    if not np.array_equal(got.outputs, expected.outputs):
        return "it gives other outputs on TFLite Micro; please report this model"
    return got


def _dense_weights(graph: Graph, plan: DecodeFile) -> npt.NDArray[Any]:
    """The weights of all encoded ops, one after the other."""
    tensors = [graph.input(graph.ops[index], WEIGHTS_INPUT) for index in sorted(plan.layers)]
    return np.concatenate([tensor.data.ravel() for tensor in tensors if tensor.data is not None])


def _arena_warnings(plan: DecodeFile, max_arena: int | None) -> list[str]:
    if max_arena is None or plan.arena_bytes <= max_arena:
        return []
    return [
        f"model.tflm.tflite has dense storage and needs an arena of {plan.arena_bytes:,} bytes for its activations: "
        f"--tflm-max-arena {max_arena} cannot be met"
    ]


def _fallback(network: Network, plan: DecodeFile, reason: str) -> StockModel:
    """The dense file, and the reason wherever somebody may look for it."""
    dense = replace(
        plan,
        data=network.data,
        layers={},
        dense={**plan.dense, **dict.fromkeys(plan.layers, reason)},
        arena_bytes=plan.dense_arena_bytes,
    )
    return _result(network, dense, Missing(reason), [f"model.tflm.tflite has dense storage: {reason}"])


def _result(network: Network, plan: DecodeFile, bit_exact: BitExact | Missing, warnings: Sequence[str]) -> StockModel:
    figures = DecodeFigures(
        layers=len(plan.layers),
        arena_bytes=plan.arena_bytes,
        dense_arena_bytes=plan.dense_arena_bytes,
        instructions=sum(layer.instructions for layer in plan.layers.values()),
        bit_exact=bit_exact,
    )
    layers = tuple(
        plan.layers[index] if index in plan.layers else Missing(plan.dense.get(index, "no weights"))
        for index in range(len(network.graph.ops))
    )
    return StockModel(plan.data, figures, layers, tuple(warnings))
