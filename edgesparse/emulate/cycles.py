"""Estimate cycles from counted blocks: a cost per instruction, and one per taken branch.

No memory system: every access is free of wait states, as from tightly coupled memory. Not calibrated against silicon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgesparse.emulate.blocks import BlockArray

__all__ = ["TIMINGS", "DualIssueTiming", "Timing", "block_cycles", "estimate_cycles"]

# Mnemonics that move a list of registers, without a condition or width suffix.
MULTIPLE_PREFIXES = ("ldm", "stm", "push", "pop", "ldrd", "strd", "vldm", "vstm", "vpush", "vpop")
STORE_PREFIXES = ("str", "vstr")
LOAD_PREFIXES = ("ldr", "vldr", "tbb", "tbh")
EXTRACT_PREFIXES = ("sxt", "uxt", "pkh", "ssat")
MULTIPLY_PREFIXES = (
    "mul",
    "mla",
    "mls",
    "sml",
    "smu",
    "smm",
    "uml",
    "umu",
    "umaal",
    "sxt",
    "uxt",
    "pkh",
    "vmul",
    "ssat",
)
DIVIDE_PREFIXES = ("sdiv", "udiv")
FLOAT_DIVIDE_PREFIXES = ("vdiv", "vsqrt")
FLOAT_MULTIPLY_ADD_PREFIXES = ("vmla", "vmls", "vnmla", "vnmls", "vfma", "vfms", "vfnma", "vfnms")


@dataclass(frozen=True)
class Timing:
    """Cycles per instruction of a core that issues one instruction at a time.

    A load after a load costs `next_load` unless it needs what the one before loads; `load_use` comes on top where
    the next instruction needs what a load brings. Lists of N registers cost `multiple_base` + N. `taken_branch` comes
    on top. All that is not named costs 1, undecodable bytes included.
    """

    name: str
    load: int
    next_load: int
    load_use: int
    store: int
    multiple_base: int
    taken_branch: int
    divide: int
    float_divide: int
    float_multiply_add: int

    def cycles(self, instructions: Iterable[Any]) -> int:
        """Of a block of decoded instructions; None is an undecodable one."""
        total = 0
        loaded: frozenset[int] = frozenset()  # registers that the load just before writes
        after_load = False
        for instruction in instructions:
            if instruction is None:
                total, loaded, after_load = total + 1, frozenset(), False
                continue
            reads, writes = instruction.regs_access()
            needs = bool(loaded & set(reads))
            total += self.load_use if needs else 0
            mnemonic = instruction.mnemonic
            if mnemonic.startswith(MULTIPLE_PREFIXES):
                total += self.multiple_base + _list_length(instruction)
                loaded, after_load = frozenset(), False
            elif mnemonic.startswith(LOAD_PREFIXES):
                total += self.next_load if after_load and not needs else self.load
                loaded, after_load = frozenset(set(writes) - set(reads)), True
            else:
                total += self._cost(mnemonic)
                loaded, after_load = frozenset(), False
        return total

    def _cost(self, mnemonic: str) -> int:
        if mnemonic.startswith(STORE_PREFIXES):
            return self.store
        if mnemonic.startswith(DIVIDE_PREFIXES):
            return self.divide
        if mnemonic.startswith(FLOAT_DIVIDE_PREFIXES):
            return self.float_divide
        if mnemonic.startswith(FLOAT_MULTIPLY_ADD_PREFIXES):
            return self.float_multiply_add
        return 1


@dataclass(frozen=True)
class DualIssueTiming:
    """A core that issues up to two instructions a cycle, in order, when their operands are there.

    One memory operation and one multiplication or SIMD instruction a cycle; lists of N registers take N / 2 cycles
    alone. The numbers are latencies: cycles until another instruction may use the result. Branches are predicted, so
    `taken_branch` is what is left of them.
    """

    name: str
    load: int
    multiply: int
    taken_branch: int
    divide: int
    float_divide: int
    float_multiply_add: int

    def cycles(self, instructions: Iterable[Any]) -> int:
        """Of a block of decoded instructions; None is an undecodable one."""
        from capstone.arm import ARM_REG_CPSR

        cycle, issued = 0, 0  # the cycle that is being filled, and instructions in it
        busy: set[str] = set()  # units taken in it
        ready: dict[int, int] = {}
        for instruction in instructions:
            if instruction is None:
                cycle, issued, busy = cycle + 1, 0, set()
                continue
            reads, writes = instruction.regs_access()
            unit, latency, alone = self._unit(instruction)
            start = max([cycle, *(ready.get(register, 0) for register in reads if register != ARM_REG_CPSR)])
            if start == cycle and (issued == 2 or unit in busy or (alone and issued)):
                start += 1
            if start > cycle:
                cycle, issued, busy = start, 0, set()
            issued += 1
            if unit:
                busy.add(unit)
            if alone:
                cycle, issued, busy = cycle + alone, 0, set()
            for register in writes:
                ready[register] = start + max(latency, alone)
        return cycle + (1 if issued else 0)

    def _unit(self, instruction: Any) -> tuple[str, int, int]:
        """(unit or "", latency, cycles in which nothing else issues)."""
        mnemonic = instruction.mnemonic
        if mnemonic.startswith(MULTIPLE_PREFIXES):
            return "memory", self.load, (_list_length(instruction) + 1) // 2
        if mnemonic.startswith(LOAD_PREFIXES):
            return "memory", self.load, 0
        if mnemonic.startswith(STORE_PREFIXES):
            return "memory", 1, 0
        if mnemonic.startswith(DIVIDE_PREFIXES):
            return "", self.divide, self.divide
        if mnemonic.startswith(FLOAT_DIVIDE_PREFIXES):
            return "", self.float_divide, 0
        if mnemonic.startswith(FLOAT_MULTIPLY_ADD_PREFIXES):
            return "multiply", self.float_multiply_add, 0
        if mnemonic.startswith(MULTIPLY_PREFIXES):
            return "multiply", self.multiply, 0
        return "", 1, 0


TIMINGS: dict[str, Timing | DualIssueTiming] = {
    "cortex-m0plus": Timing(
        name="cortex-m0plus core only, zero wait states, uncalibrated",
        load=2,
        next_load=2,
        load_use=0,
        store=2,
        multiple_base=1,
        taken_branch=1,
        divide=1,
        float_divide=1,
        float_multiply_add=1,
    ),
    "cortex-m3": Timing(
        name="cortex-m3 core only (the m4's numbers), zero wait states, uncalibrated",
        load=2,
        next_load=1,
        load_use=0,
        store=1,
        multiple_base=1,
        taken_branch=3,
        divide=6,
        float_divide=1,
        float_multiply_add=1,
    ),
    "cortex-m4": Timing(
        name="cortex-m4 core only, zero wait states, uncalibrated",
        load=2,
        next_load=1,
        load_use=0,
        store=1,
        multiple_base=1,
        taken_branch=3,
        divide=6,
        float_divide=14,
        float_multiply_add=3,
    ),
    "cortex-m7": DualIssueTiming(
        name="cortex-m7 core only, dual issue, zero wait states, uncalibrated",
        load=2,
        multiply=2,
        taken_branch=0,
        divide=6,
        float_divide=14,
        float_multiply_add=3,
    ),
    "cortex-m33": Timing(
        name="cortex-m33 core only, zero wait states, uncalibrated",
        load=1,
        next_load=1,
        load_use=1,
        store=1,
        multiple_base=1,
        taken_branch=2,
        divide=6,
        float_divide=14,
        float_multiply_add=3,
    ),
}
"""By core. The M4's from Arm 100166 and comparison with published firmware images; M33, M0+ and M7 from the latter."""


def estimate_cycles(
    blocks: BlockArray, read_code: Callable[[int, int], bytes], timing: Timing | DualIssueTiming, layers: int
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


def block_cycles(code: bytes, timing: Timing | DualIssueTiming) -> int:
    """Cycles of one pass through a block of Thumb code, without leaving it."""
    return timing.cycles(_decode(code))


def _decode(code: bytes) -> Iterator[Any]:
    """The instructions of a block; None for an undecodable one."""
    import capstone

    decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS | capstone.CS_MODE_V8)
    decoder.detail = True
    offset = 0
    while offset < len(code):
        instruction = next(decoder.disasm(code[offset : offset + 4], 0, 1), None)
        wide = int.from_bytes(code[offset : offset + 2], "little") >= 0xE800
        offset += 4 if wide else 2
        yield instruction


def _list_length(instruction: Any) -> int:
    """Registers that a multiple load or store moves."""
    from capstone.arm import ARM_OP_REG

    registers = sum(1 for operand in instruction.operands if operand.type == ARM_OP_REG)
    # ldm/stm name their base first; push/pop and ldrd/strd (base inside the memory operand) do not.
    has_base = instruction.mnemonic.startswith(("ldm", "stm", "vldm", "vstm"))
    return registers - 1 if has_base else registers
