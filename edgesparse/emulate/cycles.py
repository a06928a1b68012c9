"""Estimate cycles from counted blocks: a cost per instruction, and one per taken branch.

No memory system: every access is free of wait states, as from tightly coupled memory. Not calibrated against silicon.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.emulate.blocks import BlockArray

__all__ = ["TIMINGS", "Timing", "block_cycles", "estimate_cycles"]

# Mnemonics that move a list of registers, without a condition or width suffix.
MULTIPLE_PREFIXES = ("ldm", "stm", "push", "pop", "ldrd", "strd", "vldm", "vstm", "vpush", "vpop")
LOAD_PREFIXES = ("ldr", "vldr", "tbb", "tbh")
DIVIDE_PREFIXES = ("sdiv", "udiv")
FLOAT_DIVIDE_PREFIXES = ("vdiv", "vsqrt")
FLOAT_MULTIPLY_ADD_PREFIXES = ("vmla", "vmls", "vnmla", "vnmls", "vfma", "vfms", "vfnma", "vfnms")


@dataclass(frozen=True)
class Timing:
    """Cycles per instruction of an in-order core.

    A load after a load costs `next_load` unless it needs what the one before loads. Lists of N registers cost
    `multiple_base` + N. `taken_branch` comes on top. All that is not named costs 1, undecodable bytes included.
    Source of the M4's numbers: Arm 100166 and comparison with published firmware images.
    """

    name: str
    load: int
    next_load: int
    store: int
    multiple_base: int
    taken_branch: int
    divide: int
    float_divide: int
    float_multiply_add: int


TIMINGS: dict[str, Timing] = {
    "cortex-m4": Timing(
        name="cortex-m4 core only, zero wait states, uncalibrated",
        load=2,
        next_load=1,
        store=1,
        multiple_base=1,
        taken_branch=3,
        divide=6,
        float_divide=14,
        float_multiply_add=3,
    ),
}


def estimate_cycles(
    blocks: BlockArray, read_code: Callable[[int, int], bytes], timing: Timing, layers: int
) -> npt.NDArray[np.int64]:
    """Cycles per layer, [layers]. `read_code(address, size)` gives a block's bytes."""
    totals = np.zeros(layers, np.int64)
    costs: dict[tuple[int, int], int] = {}
    for block in blocks:
        address, size = int(block["address"]), int(block["size"])
        if (address, size) not in costs:
            costs[address, size] = block_cycles(read_code(address, size), timing)
        cycles = int(block["count"]) * costs[address, size] + int(block["taken"]) * timing.taken_branch
        totals[int(block["layer"])] += cycles
    return totals


def block_cycles(code: bytes, timing: Timing) -> int:
    """Cycles of one pass through a block of Thumb code, without leaving it."""
    import capstone

    decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    decoder.detail = True
    cycles = offset = 0
    loaded: frozenset[int] | None = None  # registers that the load just before writes
    while offset < len(code):
        instruction = next(decoder.disasm(code[offset : offset + 4], 0, 1), None)
        if instruction is None:
            offset += 4 if int.from_bytes(code[offset : offset + 2], "little") >= 0xE800 else 2
            cycles, loaded = cycles + 1, None
            continue
        offset += instruction.size
        mnemonic = instruction.mnemonic
        if mnemonic.startswith(MULTIPLE_PREFIXES):
            cycles += timing.multiple_base + _list_length(instruction)
            loaded = None
        elif mnemonic.startswith(LOAD_PREFIXES):
            reads, writes = instruction.regs_access()
            follows = loaded is not None and not loaded & set(reads)
            cycles += timing.next_load if follows else timing.load
            loaded = frozenset(set(writes) - set(reads))
        else:
            cycles += _cost(mnemonic, timing)
            loaded = None
    return cycles


def _cost(mnemonic: str, timing: Timing) -> int:
    if mnemonic.startswith(("str", "vstr")):
        return timing.store
    if mnemonic.startswith(DIVIDE_PREFIXES):
        return timing.divide
    if mnemonic.startswith(FLOAT_DIVIDE_PREFIXES):
        return timing.float_divide
    if mnemonic.startswith(FLOAT_MULTIPLY_ADD_PREFIXES):
        return timing.float_multiply_add
    return 1


def _list_length(instruction: Any) -> int:
    """Registers that a multiple load or store moves."""
    from capstone.arm import ARM_OP_REG

    registers = sum(1 for operand in instruction.operands if operand.type == ARM_OP_REG)
    # ldm/stm name their base first; push/pop and ldrd/strd (base inside the memory operand) do not.
    has_base = instruction.mnemonic.startswith(("ldm", "stm", "vldm", "vstm"))
    return registers - 1 if has_base else registers
