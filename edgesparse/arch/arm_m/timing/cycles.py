"""Estimate cycles from counted blocks: a cost per pass through a block, and one per taken branch.

The core alone, with memory free of waits, as from tightly coupled memory. A block costs what the model in model.py
takes for it from a standing start; `replay.py` runs the same model over whole inferences, with a memory system.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from edgesparse.arch.arm_m.timing.instructions import Decoder
from edgesparse.arch.arm_m.timing.model import CoreTiming, Pipeline, make_op

__all__ = ["BlockCosts", "block_cycles", "estimate_cycles"]

BlockCosts: TypeAlias = dict[tuple[int, int], tuple[int, int]]
"""block_cycles by address and size."""


def estimate_cycles(
    blocks: npt.NDArray[Any],
    read_code: Callable[[int, int], bytes],
    core: CoreTiming,
    layers: int,
    costs: BlockCosts | None = None,
) -> npt.NDArray[np.int64]:
    """Cycles per layer, [layers]. `read_code(address, size)` gives a block's bytes.

    blocks: rows of emulate.blocks.BLOCK_DTYPE.
    costs: of the same code and core, from earlier calls; added to.
    """
    totals = np.zeros(layers, np.int64)
    costs = {} if costs is None else costs
    for block in blocks:
        address, size = int(block["address"]), int(block["size"])
        if (address, size) not in costs:
            costs[address, size] = block_cycles(address, read_code(address, size), core)
        passing, leaving = costs[address, size]
        totals[int(block["layer"])] += int(block["count"]) * passing + int(block["taken"]) * leaving
    return totals


def block_cycles(address: int, code: bytes, core: CoreTiming) -> tuple[int, int]:
    """Cycles of one pass through a block of Thumb code, and those that come on top where it leaves by a branch."""
    pipeline, decoder = Pipeline(core), Decoder()
    offset = refill = 0
    while offset < len(code):
        op = make_op(decoder.decode(address + offset, code[offset:]), core)
        pipeline.step(op, jumped=offset == 0, target=None)
        offset += op.instruction.size
        refill = op.refill
    return pipeline.total, refill
