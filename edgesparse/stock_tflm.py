"""model.tflm.tflite: the weights encoded for TFLite Micro's own op TFLM_DECODE, proven on TFLite Micro."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.network import Network
from edgesparse.oracle import run_tflite_micro
from edgesparse.report.assemble import unavailable
from edgesparse.tflite.decode_plan import DecodeFile, plan_decodes

__all__ = ["StockModel", "stock_model"]


@dataclass(frozen=True, eq=False)
class StockModel:
    """The file, what report.json says of it (as a whole, and by layer), and warnings."""

    data: bytes
    report: dict[str, Any]
    layers: list[dict[str, Any]]
    warnings: list[str]


def stock_model(network: Network, inputs: npt.NDArray[Any], *, max_arena: int | None) -> StockModel:
    """Encode what gets smaller by it and run the file on TFLite Micro; the dense file where that does not work.

    inputs: [n, ...] in the model's input dtype; the outputs for them must equal those of the dense file. max_arena:
    bytes, as plan_decodes takes it.
    """
    plan = plan_decodes(network.data, network.graph, max_arena=max_arena)
    if not plan.layers:
        return _result(network, plan, unavailable("no layer is encoded: the file equals model.int8.tflite"), [])
    expected = run_tflite_micro(network.data, inputs)
    if isinstance(expected, str):
        return _fallback(network, plan, f"TFLite Micro refuses the dense model too: {expected}")
    got = run_tflite_micro(plan.data, inputs)
    if isinstance(got, str):
        return _fallback(network, plan, f"TFLite Micro refuses the encoded model: {got}; please report this model")
    if not np.array_equal(got.outputs, expected.outputs):
        return _fallback(network, plan, "the encoded model gives other outputs; please report this model")
    return _result(network, plan, {"ok": True, "vectors": len(inputs), "reference": got.reference}, [])


def _fallback(network: Network, plan: DecodeFile, reason: str) -> StockModel:
    """The dense file, and the reason wherever somebody may look for it."""
    dense = replace(
        plan,
        data=network.data,
        layers={},
        dense={**plan.dense, **dict.fromkeys(plan.layers, reason)},
        arena_bytes=plan.dense_arena_bytes,
    )
    return _result(network, dense, unavailable(reason), [f"model.tflm.tflite has dense storage: {reason}"])


def _result(network: Network, plan: DecodeFile, bit_exact: dict[str, Any], warnings: list[str]) -> StockModel:
    report = {
        "layers": len(plan.layers),
        "arena_bytes": plan.arena_bytes,
        "dense_arena_bytes": plan.dense_arena_bytes,
        "instructions": sum(layer.instructions for layer in plan.layers.values()),
        "bit_exact": bit_exact,
    }
    layers = [
        asdict(plan.layers[index]) if index in plan.layers else unavailable(plan.dense.get(index, "no weights"))
        for index in range(len(network.graph.ops))
    ]
    return StockModel(plan.data, report, layers, warnings)
